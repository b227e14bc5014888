//! Training curves as a picture: running PSNR over wall seconds, one line for each run.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::compare::distinct;
use crate::train::CurvePoint;

/// Width of the plot, and its height with few curves, in pixels.
const SIZE: (u32, u32) = (720, 440);

/// The height that the name of a curve takes, and about the width of one of its letters, in pixels.
const NAME: (u32, u32) = (16, 7);

/// Where the names begin, below the title, and how long the piece of the curve beside them is, in pixels.
const LEGEND: (i32, i32) = (48, 18);

/// Colours that stay apart for colour-blind readers (Okabe and Ito 2008), without the pale yellow.
pub(super) const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// The lengths of strokes and gaps, in pixels: lines for the first curves, dashes where the colours come again.
const DASHES: [(u32, u32); 4] = [(18, 0), (6, 4), (2, 3), (14, 3)];

/// The widths of the lines of a model by our recipe and by those of others, in pixels.
const WIDTHS: [f64; 4] = [2.0, 1.0, 3.0, 0.5];

/// How the line of a model is told from those of others: `siren:paper` has the colour and the strokes of `siren`, and another width.
pub(super) struct LineStyle {
    /// Place in [`COLOURS`].
    pub colour: usize,
    /// How often all colours came before; each time has other strokes.
    pub round: usize,
    /// In pixels.
    pub width: f64,
}

impl LineStyle {
    /// The style of the line called `name` among those of all `names`.
    pub fn of(name: &str, names: &[&str]) -> Self {
        let models: Vec<String> = names.iter().map(|name| model(name).0).collect();
        let models = distinct(models.iter().map(String::as_str));
        let (own, recipe) = model(name);
        let index = models.iter().position(|other| *other == own);
        let index = index.unwrap_or(0);
        let recipes = names.iter().map(|name| model(name).1);
        let recipes = distinct(recipes.flatten());
        let recipe = recipe.and_then(|recipe| recipes.iter().position(|r| *r == recipe));
        Self {
            colour: index % COLOURS.len(),
            round: index / COLOURS.len(),
            width: WIDTHS[recipe.map_or(0, |place| place + 1) % WIDTHS.len()],
        }
    }
}

/// What a name says but for the recipe, which stands behind a colon in its first word, and that.
fn model(name: &str) -> (String, Option<&str>) {
    let (word, rest) = name.split_at(name.find(' ').unwrap_or(name.len()));
    match word.split_once(':') {
        Some((model, recipe)) => (format!("{model}{rest}"), Some(recipe)),
        None => (name.to_string(), None),
    }
}

/// A training curve and its name.
pub type Curve = (String, Vec<CurvePoint>);

/// An SVG of the running PSNR in dB of every curve over seconds of training; empty when there is no point at all.
pub fn curves_svg(title: &str, curves: &[Curve]) -> String {
    let mut text = String::new();
    let height = SIZE.1.max(NAME.0 * curves.len() as u32 + 120);
    let longest = curves.iter().map(|(name, _)| name.chars().count()).max();
    let names = NAME.1 * longest.unwrap_or(0) as u32 + 40;
    let area = SVGBackend::with_string(&mut text, (SIZE.0 + names, height)).into_drawing_area();
    // The only thing that can fail is the writing of a file, and this is a string.
    let drawn = draw(&area, title, curves);
    drop(area);
    match drawn {
        Ok(()) => text,
        Err(_) => String::new(),
    }
}

fn draw(
    area: &DrawingArea<SVGBackend, Shift>,
    title: &str,
    curves: &[Curve],
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || curves.iter().flat_map(|(_, points)| points.iter());
    let seconds = points().map(|p| p.seconds).fold(0.0, f64::max).max(1e-3);
    let (low, high) = points().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| {
        (low.min(p.running_psnr_db), high.max(p.running_psnr_db))
    });
    if !(low.is_finite() && high.is_finite()) {
        return Err("no curve has a point".into());
    }
    // Whole multiples of 5 dB frame the curves.
    let range = (low / 5.0).floor() * 5.0..((high / 5.0).floor() + 1.0) * 5.0;
    area.fill(&WHITE)?;
    // The names stand beside the curves, which all of the plot belongs to.
    let (plot, legend) = area.split_horizontally(SIZE.0);
    let mut chart = ChartBuilder::on(&plot)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(0.0..seconds, range)?;
    chart
        .configure_mesh()
        .x_desc("seconds of training")
        .y_desc("running PSNR, dB")
        .light_line_style(WHITE)
        .draw()?;
    let names: Vec<&str> = curves.iter().map(|(name, _)| &**name).collect();
    for (index, (name, points)) in curves.iter().enumerate() {
        let line = LineStyle::of(name, &names);
        let style = COLOURS[line.colour].stroke_width(line.width.ceil() as u32);
        let (dash, gap) = DASHES[line.round % DASHES.len()];
        let line = points.iter().map(|p| (p.seconds, p.running_psnr_db));
        match gap {
            0 => chart.draw_series(LineSeries::new(line, style))?,
            _ => chart.draw_series(DashedLineSeries::new(line, dash, gap, style))?,
        };
        let (top, length) = LEGEND;
        let y = top + NAME.0 as i32 * index as i32;
        let piece = [(0, y), (length, y)];
        legend.draw(&DashedPathElement::new(piece, dash, gap, style))?;
        let font = ("sans-serif", 12).into_font();
        let at = (length + 6, y - 6);
        legend.draw(&Text::new(name.as_str(), at, font))?;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(f64, f64)]) -> Vec<CurvePoint> {
        let point = |(step, &(seconds, running_psnr_db))| CurvePoint {
            step: step as u64,
            seconds,
            loss: 0.1,
            running_psnr_db,
        };
        points.iter().enumerate().map(point).collect()
    }

    #[test]
    fn every_curve_is_drawn_and_named() {
        let (a, b) = (
            curve(&[(1.0, 20.0), (2.0, 30.0)]),
            curve(&[(1.0, 21.0), (4.0, 28.0)]),
        );
        let svg = curves_svg("two <models>", &[("siren".into(), a), ("wire".into(), b)]);
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("two &lt;models&gt;"));
        for (name, colour) in [("siren", "#0072B2"), ("wire", "#D55E00")] {
            assert!(svg.contains(&format!("\n{name}\n")), "{svg}");
            let lines = svg.matches("<polyline").count();
            assert!(lines >= 4 && svg.contains(colour), "{svg}");
        }
    }

    #[test]
    fn curves_of_one_colour_differ_in_their_strokes() {
        let curve = |index: usize| curve(&[(0.0, 20.0 + index as f64), (9.0, 30.0)]);
        let curves = |count| (0..count).map(|i| (format!("m{i}"), curve(i)));
        let polylines = |count| {
            let svg = curves_svg("many", &curves(count).collect::<Vec<_>>());
            svg.matches("<polyline").count()
        };
        // Of a line there are two, itself and the one beside its name; of dashes there are many.
        assert!(polylines(7) - polylines(6) <= 2 && polylines(8) - polylines(7) > 20);
        let svg = curves_svg("many", &curves(40).collect::<Vec<_>>());
        // Every name has room: 40 of them at 16 pixels, and 120 for title and axis.
        assert!(svg.contains("height=\"760\"") && svg.contains("\nm39\n"));
    }

    #[test]
    fn lines_of_models_by_several_recipes_and_seeds_differ() {
        let names = [
            "finer",
            "finer:paper",
            "finer:sl2a",
            "siren seed 0",
            "siren:paper seed 0",
            "siren:paper seed 1",
            "siren (a:b)",
        ];
        let styles = names.map(|name| {
            let LineStyle {
                colour,
                round,
                width,
            } = LineStyle::of(name, &names);
            (colour, round, width)
        });
        for (index, style) in styles.iter().enumerate() {
            assert!(!styles[..index].contains(style), "{}", names[index]);
        }
        // A colour a model.
        assert_eq!((styles[0].0, styles[3].0), (styles[2].0, styles[4].0));
    }

    #[test]
    fn without_points_there_is_no_picture() {
        assert_eq!(curves_svg("nothing", &[("siren".into(), vec![])]), "");
    }
}
