//! PSNR and SSIM against numpy and scikit-image; `reference/make_metrics.py` made the numbers.

use inr::metrics::{psnr_db, squared_error_sum, ssim};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    width: usize,
    height: usize,
    channels: usize,
    bits: u32,
    error: u32,
    squared_error_sum: f64,
    psnr_db: f64,
    ssim: f64,
}

impl Case {
    fn peak(&self) -> u32 {
        (1 << self.bits) - 1
    }

    /// The two pictures by the formulas of the script.
    fn pictures(&self) -> (Vec<u16>, Vec<u16>) {
        let (peak, step) = (self.peak(), self.peak() / self.error);
        (0..self.width * self.height * self.channels)
            .map(|i| {
                let (c, pixel) = (i % self.channels, i / self.channels);
                let (x, y) = (pixel % self.width, pixel / self.width);
                let ramp = (x * 5 + y * 3 + c * 40) % 160;
                let square = if (x / 8 + y / 8 + c) % 2 == 1 { 60 } else { 0 };
                let value = (ramp + square) as u32 * peak / 255 + noise(i as u32) % (peak / 8);
                let value = value.min(peak);
                let shifted = value + noise(i as u32 + 1_000_003) % (2 * step + 1);
                let other = shifted.saturating_sub(step).min(peak);
                (value as u16, other as u16)
            })
            .unzip()
    }
}

fn noise(i: u32) -> u32 {
    let i = i.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let i = (i ^ (i >> 15)).wrapping_mul(2_246_822_519);
    i ^ (i >> 13)
}

fn cases() -> Vec<Case> {
    let json = include_str!("../reference/metrics.json");
    let reference: Reference = serde_json::from_str(json).unwrap();
    assert!(reference.cases.len() >= 8);
    reference.cases
}

#[test]
fn squared_error_and_psnr_equal_numpy() {
    for case in cases() {
        let (a, b) = case.pictures();
        let sum = squared_error_sum(&a, &b);
        assert_eq!(sum, case.squared_error_sum, "{}", case.name);
        let psnr = psnr_db(sum / a.len() as f64, case.peak().into());
        assert!((psnr - case.psnr_db).abs() < 1e-9, "{}: {psnr}", case.name);
    }
}

#[test]
fn ssim_equals_scikit_image() {
    for case in cases() {
        let (a, b) = case.pictures();
        let (width, height, channels) = (case.width, case.height, case.channels);
        let peak = f64::from(case.peak());
        let value = ssim(&a, &b, width, height, channels, peak);
        // Measured difference is below 1e-12; the definition asks for 1e-4.
        assert!((value - case.ssim).abs() < 1e-9, "{}: {value}", case.name);
        if case.bits == 8 {
            let bytes = |values: &[u16]| -> Vec<u8> { values.iter().map(|&v| v as u8).collect() };
            let same = ssim(&bytes(&a), &bytes(&b), width, height, channels, peak);
            assert_eq!(value, same);
        }
        let float = |values: &[u16]| -> Vec<f32> { values.iter().map(|&v| v.into()).collect() };
        let same = ssim(&float(&a), &float(&b), width, height, channels, peak);
        assert_eq!(value, same);
    }
}
