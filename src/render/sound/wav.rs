//! WAV files.

use std::io::Cursor;

use hound::{SampleFormat as WavFormat, WavSpec, WavWriter};

use super::super::RenderError;
use crate::signal::{SampleFormat, Sound};

/// The bytes of a WAV file with the rate, channels and sample format of `sound`.
pub(super) fn encode(sound: &Sound) -> Result<Vec<u8>, RenderError> {
    let layout = &sound.layout;
    let spec = WavSpec {
        channels: layout.channels,
        sample_rate: layout.sample_rate,
        bits_per_sample: layout.format.bits(),
        sample_format: match layout.format {
            SampleFormat::Float => WavFormat::Float,
            _ => WavFormat::Int,
        },
    };
    let failed = |error: hound::Error| {
        RenderError::Request(format!("the sound cannot be written as WAV: {error}"))
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).map_err(failed)?;
    for &value in &sound.samples {
        match layout.format {
            SampleFormat::Float => writer.write_sample(value),
            format => writer.write_sample(format.to_integer(value)),
        }
        .map_err(failed)?;
    }
    writer.finalize().map_err(failed)?;
    Ok(file.into_inner())
}
