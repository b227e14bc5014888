//! Prints the SNR in dB of what rubato makes of every second frame of sounds, at their full rate.
//!
//!     cargo run --release --target-dir target/rubato --manifest-path tests/reference/rubato/Cargo.toml -- sound.wav ...

use hound::{SampleFormat, WavReader};
use rubato::{
    Resampler, SincFixedIn, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};

/// Taps of the sinc: 64 kept samples on each side, as in make_resample.py.
const TAPS: usize = 128;

/// Twice as many samples of one channel; sample 2i lies at sample i.
fn doubled(x: &[f64]) -> Vec<f64> {
    let parameters = SincInterpolationParameters {
        sinc_len: TAPS,
        f_cutoff: 1.0,
        // All places that are asked for are among those of the filter.
        interpolation: SincInterpolationType::Nearest,
        oversampling_factor: 2,
        window: WindowFunction::BlackmanHarris2,
    };
    let mut padded = x.to_vec();
    padded.resize(x.len() + TAPS, 0.0);
    let mut resampler =
        SincFixedIn::<f64>::new(2.0, 1.0, parameters, padded.len(), 1).expect("a ratio of 2");
    let [mut out] = <[Vec<f64>; 1]>::try_from(resampler.process(&[padded], None).expect("a chunk"))
        .expect("one channel");
    out.truncate(2 * x.len());
    out
}

fn main() {
    for path in std::env::args().skip(1) {
        let mut reader = WavReader::open(&path).expect("a WAV file");
        let spec = reader.spec();
        let samples: Vec<f64> = match spec.sample_format {
            SampleFormat::Float => reader
                .samples::<f32>()
                .map(|sample| f64::from(sample.expect("a sample")))
                .collect(),
            SampleFormat::Int => reader
                .samples::<i32>()
                .map(|sample| f64::from(sample.expect("a sample")))
                .collect(),
        };
        let channels = usize::from(spec.channels);
        let frames = samples.len() / channels / 2 * 2;
        let (mut signal, mut error) = (0.0, 0.0);
        for channel in 0..channels {
            let of_channel = samples.iter().skip(channel).step_by(channels);
            let full: Vec<f64> = of_channel.take(frames).copied().collect();
            let kept: Vec<f64> = full.iter().step_by(2).copied().collect();
            let made = doubled(&kept);
            signal += full.iter().map(|x| x * x).sum::<f64>();
            let differences = full.iter().zip(&made).map(|(x, y)| (x - y) * (x - y));
            error += differences.sum::<f64>();
        }
        println!("{path}: {:.2} dB", 10.0 * (signal / error).log10());
    }
}
