//! WAV files.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::Ordering;

use hound::{SampleFormat as WavFormat, WavReader, WavSpec};

use super::super::SignalError;
use super::super::footprint::Footprint;
use super::super::source::{Reader, Source};
use super::{SampleFormat, Sound, SoundLayout};

const FORMAT: &str = "WAV";

/// Said of a length that was left open: as large as it can be, or near that.
const PIPE: &str = "its header does not tell how long its data is, as when a program wrote to a pipe; write it to a file again";

/// How far below the largest length one that was left open may be, in bytes.
const LEFT_OPEN: u32 = 1 << 10;

/// Most channels.
const MOST_CHANNELS: usize = 8;

/// Most values of a file, 4 GiB as they are kept.
pub(super) const MOST_VALUES: u64 = 1 << 30;

/// Relatives of WAV that are not read, by their first bytes.
const RELATIVES: [(&[u8], &str); 3] = [
    (b"RF64", "the lengths of 64 bits of RF64"),
    (b"BW64", "the lengths of 64 bits of BW64"),
    (b"RIFX", "the high byte of every number first (RIFX)"),
];

/// Whether the content is a RIFF file of wave form data, or a relative of one.
pub(super) fn recognises(source: &Source) -> bool {
    let starts = |magic: &[u8]| source.head.starts_with(magic);
    let is_relative = RELATIVES.iter().any(|(magic, _)| starts(magic));
    (starts(b"RIFF") || is_relative) && source.head.get(8..12) == Some(b"WAVE")
}

/// The layout by the header; its peak is 1.
pub(super) fn probe(source: Source) -> Result<SoundLayout, SignalError> {
    Ok(open(source)?.0)
}

/// The layout, and what reads the samples.
fn open(source: Source) -> Result<(SoundLayout, WavReader<Reader>), SignalError> {
    let path = source.path.clone();
    if let Some((_, what)) = RELATIVES
        .iter()
        .find(|(magic, _)| source.head.starts_with(magic))
    {
        return Err(SignalError::UnsupportedSound {
            path,
            format: FORMAT,
            reason: (*what).into(),
        });
    }
    let end = source.reader.end();
    let reader = WavReader::new(source.reader)
        .map_err(|error| fault(&path, error, end.load(Ordering::Relaxed)))?;
    Ok((layout(&path, &reader)?, reader))
}

/// All samples.
pub(super) fn decode(source: Source) -> Result<Sound, SignalError> {
    let path = source.path.clone();
    let end = source.reader.end();
    let fault = |error| fault(&path, error, end.load(Ordering::Relaxed));
    let (layout, mut reader) = open(source)?;
    let samples: Result<Vec<f32>, hound::Error> = match layout.format {
        SampleFormat::Float => reader.samples::<f32>().collect(),
        format => {
            let scale = 1.0 / format.full_scale();
            let values = reader.samples::<i32>();
            let fraction = |value: i32| (f64::from(value) * scale) as f32;
            values.map(|value| value.map(fraction)).collect()
        }
    };
    let samples = samples.map_err(fault)?;
    if samples.len() != layout.values() {
        return Err(SignalError::Truncated {
            path,
            format: FORMAT,
            kind: "sound",
        });
    }
    finite(&path, &layout, &samples)?;
    Ok(Sound::new(layout, samples))
}

/// Checks that every sample is a number.
pub(super) fn finite(
    path: &Path,
    layout: &SoundLayout,
    samples: &[f32],
) -> Result<(), SignalError> {
    let channels = usize::from(layout.channels);
    match samples.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(place) => Err(SignalError::NonFiniteSound {
            path: path.into(),
            frame: place / channels,
            channel: place % channels,
            value: samples[place],
        }),
    }
}

/// Checks what no format may exceed; the error says what is wrong.
pub(super) fn supported(channels: usize, sample_rate: u32) -> Result<(), String> {
    match (channels, sample_rate) {
        (_, 0) => Err("a sample rate of 0".into()),
        (1..=MOST_CHANNELS, _) => Ok(()),
        _ => Err(format!(
            "{channels} channels, and at most {MOST_CHANNELS} are read"
        )),
    }
}

fn layout<R: Read>(path: &Path, reader: &WavReader<R>) -> Result<SoundLayout, SignalError> {
    let WavSpec {
        channels,
        sample_rate,
        bits_per_sample,
        sample_format,
    } = reader.spec();
    let unsupported = |reason: String| SignalError::UnsupportedSound {
        path: path.into(),
        format: FORMAT,
        reason,
    };
    let format = match (sample_format, bits_per_sample) {
        (WavFormat::Int, 8) => SampleFormat::Pcm8,
        (WavFormat::Int, 16) => SampleFormat::Pcm16,
        (WavFormat::Int, 24) => SampleFormat::Pcm24,
        (WavFormat::Int, 32) => SampleFormat::Pcm32,
        (WavFormat::Float, 32) => SampleFormat::Float,
        (_, bits) => return Err(unsupported(format!("samples of {bits} bits"))),
    };
    supported(channels.into(), sample_rate).map_err(unsupported)?;
    let frames = reader.duration();
    if frames == 0 {
        return Err(SignalError::NoSamples { path: path.into() });
    }
    let values = u64::from(frames) * u64::from(channels);
    // Asked before anything is said of so much memory; a file that cannot tell its length is read until it ends.
    let promised = values * u64::from(bits_per_sample / 8);
    if path.metadata().is_ok_and(|file| file.len() < promised) {
        return Err(match promised > u64::from(u32::MAX - LEFT_OPEN) {
            true => SignalError::Damaged {
                path: path.into(),
                format: FORMAT,
                reason: PIPE.into(),
            },
            false => SignalError::Truncated {
                path: path.into(),
                format: FORMAT,
                kind: "sound",
            },
        });
    }
    if values > MOST_VALUES {
        return Err(SignalError::TooLarge {
            path: path.into(),
            size: format!("{values} values"),
            limit: format!("{MOST_VALUES} values"),
        });
    }
    Ok(SoundLayout {
        sample_rate,
        channels,
        frames,
        format,
        peak: 1.0,
        footprint: Footprint::Point,
    })
}

/// What hound says, in our words; `at_end`: the file was asked for more than it has.
fn fault(path: &Path, error: hound::Error, at_end: bool) -> SignalError {
    let path = path.into();
    match error {
        hound::Error::IoError(error) if at_end || error.kind() == io::ErrorKind::UnexpectedEof => {
            SignalError::Truncated {
                path,
                format: FORMAT,
                kind: "sound",
            }
        }
        hound::Error::IoError(source) => SignalError::Unreadable { path, source },
        hound::Error::Unsupported => SignalError::UnsupportedSound {
            path,
            format: FORMAT,
            reason: "a compressed or unusual encoding".into(),
        },
        hound::Error::FormatError(_) if at_end => SignalError::Truncated {
            path,
            format: FORMAT,
            kind: "sound",
        },
        hound::Error::FormatError(reason) if reason.starts_with("bits per sample") => {
            SignalError::UnsupportedSound {
                path,
                format: FORMAT,
                reason: reason.into(),
            }
        }
        hound::Error::FormatError(reason) if reason.starts_with("data chunk length") => {
            SignalError::Damaged {
                path,
                format: FORMAT,
                reason: PIPE.into(),
            }
        }
        error => SignalError::Damaged {
            path,
            format: FORMAT,
            reason: error.to_string(),
        },
    }
}
