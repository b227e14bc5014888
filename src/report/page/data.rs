//! What the script of the page draws: curves, spectra and meshes as JSON.

use serde_json::{Value, json};

use super::html::{base64, escape_json};
use super::style::Styles;
use super::{Page, PageInput};
use crate::render::PackedMesh;
use crate::report::compare::ComparedInput;

/// Digits of a value in a chart: enough that rounding it to two decimals gives what rounding the value itself does.
const DIGITS: i32 = 9;

/// The content of the data element.
pub(super) fn json(page: &Page, styles: &Styles) -> String {
    let several_seeds = page.report.seeds.len() > 1;
    let inputs = page.report.inputs.iter().zip(page.inputs);
    let inputs: Vec<Value> = inputs
        .map(|(input, shown)| {
            json!({
                "curves": curves(input, shown, several_seeds, styles),
                "spectra": spectra(input, shown, styles),
                "axes": shown.exhibition.axes.map(|axes| axes.map(|axis| json!({ "unit": axis.unit, "ends": axis.ends }))),
                "view": shown.exhibition.view.map(|view| json!({ "bounds": view.bounds, "up": view.up })),
                "meshes": meshes(shown),
            })
        })
        .collect();
    escape_json(&json!({ "inputs": inputs }).to_string())
}

/// The training curve of every run.
fn curves(input: &ComparedInput, shown: &PageInput, seeded: bool, styles: &Styles) -> Vec<Value> {
    let runs = input.models.iter().zip(&shown.runs);
    let runs = runs.filter_map(|(model, run)| Some((model, run.as_ref()?)));
    runs.map(|(model, run)| {
        let curve = &run.report.training.curve;
        let name = match seeded {
            true => format!("{}, seed {}", model.model, run.report.seed),
            false => model.model.clone(),
        };
        let values = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..curve.len()).map(|i| rounded(value(i))).collect()
        };
        json!({
            "name": name,
            "style": styles.line(&model.model, Some(run.report.seed)),
            "steps": curve.iter().map(|point| point.step).collect::<Vec<_>>(),
            "seconds": values(&|i| curve[i].seconds),
            "values": values(&|i| curve[i].running_psnr_db),
        })
    })
    .collect()
}

/// The spectra of the errors, and that of the original.
fn spectra(input: &ComparedInput, shown: &PageInput, styles: &Styles) -> Value {
    let Some(spectra) = &shown.exhibition.spectra else {
        return Value::Null;
    };
    let values = |values: &[f64]| values.iter().copied().map(rounded).collect::<Vec<f64>>();
    let errors = shown.exhibited.iter().zip(&spectra.errors);
    let errors = errors
        .filter(|(_, error)| !error.is_empty())
        .map(|(&row, error)| {
            let model = &input.models[row].model;
            json!({ "name": model, "style": styles.line(model, None), "values": values(error) })
        });
    json!({
        "axis": spectra.axis,
        "frequencies": values(&spectra.frequencies),
        "original": values(&spectra.original),
        "errors": errors.collect::<Vec<_>>(),
    })
}

/// The meshes of the original and of everything that was made of it, in that order.
fn meshes(shown: &PageInput) -> Vec<Value> {
    let exhibits = shown
        .exhibition
        .original
        .iter()
        .chain(&shown.exhibition.made);
    let packed = |mesh: &PackedMesh| json!({ "positions": words(&mesh.positions), "faces": words(&mesh.faces) });
    exhibits
        .map(|exhibit| exhibit.mesh.as_ref().map_or(Value::Null, packed))
        .collect()
}

/// 16-bit numbers, the low byte first.
fn words(triples: &[[u16; 3]]) -> String {
    let bytes: Vec<u8> = triples
        .iter()
        .flatten()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    base64(&bytes)
}

/// As many digits as a chart can show; infinity becomes `null` in JSON.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10.0_f64.powi(DIGITS - 1 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_nine_digits_and_words_their_order() {
        assert_eq!(rounded(-31.415_926_535_9), -31.415_926_5);
        assert_eq!(rounded(0.001_234_567_894), 0.001_234_567_89);
        // Not 14.775, which would be 14.78.
        assert_eq!(rounded(14.774_996), 14.774_996);
        assert_eq!(rounded(12_345_678_912.0), 12_345_678_900.0);
        assert!(rounded(f64::INFINITY).is_infinite());
        // 1, 258 = 0x0102 and 65535: bytes 01 00 02 01 ff ff.
        assert_eq!(words(&[[1, 258, 65_535]]), "AQACAf//");
    }
}
