//! What a run, a comparison and a benchmark say of themselves: pure functions from results to bytes.
//!
//! The names of the fields of `report.json`, `metrics.jsonl`, `compare.json` and of what `inr bench --json` prints are a contract
//! with the scripts of our users.

mod bench;
mod compare;
mod curves;
mod page;
mod run;
mod table;

pub use bench::{BenchReport, BenchedModel, LayerTime, StepProfile};
pub(crate) use compare::distinct;
pub use compare::{
    CompareReport, ComparedFailure, ComparedFit, ComparedInput, ComparedMean, ComparedModel,
    ComparedRank, OffSize,
};
pub use curves::{Curve, curves_svg};
pub use page::{Page, PageInput, PageRun, page};
pub use run::{InputReport, ModelReport, RunReport, TrainingReport, VERSION, metrics_line};
pub use table::{Table, markdown_table};

/// Indented JSON with a newline at the end.
pub fn to_json<T: serde::Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("reports are plain data");
    text.push('\n');
    text
}

/// A PSNR or another metric for people: two or four digits, or as many as small distances need; `inf` when there is no error.
pub fn format_metric(name: &str, value: f64) -> String {
    match value.abs() {
        // Without the sign of what is rounded to nothing.
        size if name.ends_with("_db") && size < 0.005 => "0.00".into(),
        _ if name.ends_with("_db") => format!("{value:.2}"),
        size if size > 0.0 && size < 1e-4 => format!("{value:.2e}"),
        size if size < 1e-2 => format!("{value:.5}"),
        _ => format!("{value:.4}"),
    }
}

/// The standard deviation of a metric for people: three digits after the point of decibels, two significant ones of everything else.
pub fn format_deviation(name: &str, value: f64) -> String {
    match value {
        _ if name.ends_with("_db") || value == 0.0 => format!("{value:.3}"),
        value if value < 1e-4 => format!("{value:.1e}"),
        value => {
            let digits = (1.0 - value.log10().floor()).max(0.0) as usize;
            format!("{value:.digits$}")
        }
    }
}

/// A number with thousands separated, for people: 198,915.
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let counts = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (198_915, "198,915"),
            (1_234_567, "1,234,567"),
        ];
        for (count, expected) in counts {
            assert_eq!(format_count(count), expected);
        }
        assert_eq!(format_metric("psnr_db", 31.456), "31.46");
        assert_eq!(format_metric("ssim", 0.912_34), "0.9123");
        assert_eq!(format_metric("psnr_db", f64::INFINITY), "inf");
        assert_eq!(format_metric("chamfer_l1", 0.001_493), "0.00149");
        assert_eq!(format_metric("chamfer_l2", 0.000_002_718), "2.72e-6");
        assert_eq!(format_metric("chamfer_l2", 0.0), "0.00000");
        assert_eq!(format_deviation("psnr_db", 0.0312), "0.031");
        assert_eq!(format_deviation("iou", 0.000_312), "0.00031");
        assert_eq!(format_deviation("iou", 0.0), "0.000");
        assert_eq!(format_deviation("ssim", 0.0149), "0.015");
        assert_eq!(format_deviation("chamfer_l2", 2.66e-7), "2.7e-7");
        assert_eq!(format_deviation("lsd", 12.3), "12");
    }
}
