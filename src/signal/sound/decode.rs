//! WAV files.

use std::io::{self, Chain, Cursor, Read, Seek};
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

/// Said of a length that no samples have.
const UNEVEN: &str = "its data is no whole number of samples, as when a program wrote to a pipe or was stopped; write it to a file again";

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
fn open(source: Source) -> Result<(SoundLayout, WavReader<Plain>), SignalError> {
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
    let reader = plain(source.reader).map_err(hound::Error::IoError);
    let reader = reader
        .and_then(WavReader::new)
        .map_err(|error| fault(&path, error, end.load(Ordering::Relaxed)))?;
    Ok((layout(&path, &reader)?, reader))
}

/// A header of nothing but a format, and the samples.
type Plain = Chain<Cursor<Vec<u8>>, Reader>;

/// Longest chunk `fmt ` that is looked into.
const MOST_FORMAT: u32 = 1 << 10;

/// The file without the chunks before its samples, of which hound does not skip the byte that an odd one is padded with (RIFF, Microsoft and IBM 1991), and with
/// as many valid bits as the containers of WAVEFORMATEXTENSIBLE (Microsoft 2001) have, of which they are the upper ones. A file with other
/// chunks than that is left as it is, for hound to read or to say what is wrong.
fn plain(mut reader: Reader) -> io::Result<Plain> {
    let header = match plain_header(&mut reader) {
        // Perhaps of a program that left out the padding.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
        header => header?,
    };
    if header.is_none() {
        reader.rewind()?;
    }
    Ok(Cursor::new(header.unwrap_or_default()).chain(reader))
}

/// The header for hound; `reader` is then at the first sample.
fn plain_header(reader: &mut Reader) -> io::Result<Option<Vec<u8>>> {
    let mut header = vec![0; 12];
    reader.read_exact(&mut header)?;
    let mut has_format = false;
    loop {
        let mut chunk = [0; 8];
        reader.read_exact(&mut chunk)?;
        let [.., a, b, c, d] = chunk;
        let length = u32::from_le_bytes([a, b, c, d]);
        let padding = i64::from(length % 2);
        match &chunk[..4] {
            b"data" if has_format => {
                header.extend(chunk);
                return Ok(Some(header));
            }
            b"fmt " if !has_format && (16..=MOST_FORMAT).contains(&length) => {
                let mut format = vec![0; length as usize];
                reader.read_exact(&mut format)?;
                reader.seek_relative(padding)?;
                fill_container(&mut format);
                header.extend(chunk);
                header.extend(format);
                has_format = true;
            }
            b"data" | b"fmt " => return Ok(None),
            _ => reader.seek_relative(i64::from(length) + padding)?,
        }
    }
}

/// Makes all bits of the containers of the extensible format valid.
fn fill_container(format: &mut [u8]) {
    let number = |place: usize| u16::from_le_bytes([format[place], format[place + 1]]);
    if number(0) != EXTENSIBLE || format.len() < 20 {
        return;
    }
    let (channels, block, valid) = (number(2).max(1), number(12), number(18));
    let container = (block / channels).saturating_mul(8);
    // Of 8 bits the values have no sign.
    if (9..container).contains(&valid) {
        format[14..16].copy_from_slice(&container.to_le_bytes());
        format[18..20].copy_from_slice(&container.to_le_bytes());
    }
}

/// The tag of WAVEFORMATEXTENSIBLE.
const EXTENSIBLE: u16 = 0xfffe;

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
        hound::Error::FormatError(reason) if reason.contains("data chunk length") => {
            SignalError::Damaged {
                path,
                format: FORMAT,
                reason: UNEVEN.into(),
            }
        }
        error => SignalError::Damaged {
            path,
            format: FORMAT,
            reason: error.to_string(),
        },
    }
}
