//! Sounds that are not WAV: told by their first bytes, and decoded by symphonia with the feature `audio-formats`.

use super::super::source::Source;

/// Sorts of MP4 files that may hold sound; others are pictures.
const BRANDS: [&[u8]; 6] = [b"M4A", b"M4B", b"mp4", b"iso", b"qt  ", b"3gp"];

/// The format by the first bytes; none for what is no such sound.
pub(super) fn format(source: &Source) -> Option<&'static str> {
    let head = source.head.as_slice();
    let at = |place: usize, mark: &[u8]| head.get(place..place + mark.len()) == Some(mark);
    // A frame of MPEG audio begins with eleven ones; the bits of layer III are 01 (ISO 11172-3, 2.4.2.3), of AAC 00 (ISO 13818-7).
    let layer = match head {
        [0xff, second, ..] if second & 0xe0 == 0xe0 => Some(second >> 1 & 3),
        _ => None,
    };
    let formats = [
        (at(0, b"fLaC"), "FLAC"),
        (at(0, b"OggS"), "Ogg"),
        (at(0, b"caff"), "CAF"),
        (at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")), "AIFF"),
        (at(0, b"ID3") || layer == Some(1), "MP3"),
        (layer == Some(0) && head[1] & 0xf0 == 0xf0, "AAC"),
        (
            BRANDS.iter().any(|brand| at(4, b"ftyp") && at(8, brand)),
            "MP4",
        ),
    ];
    formats
        .iter()
        .find(|(is, _)| *is)
        .map(|(_, format)| *format)
}

#[cfg(not(feature = "audio-formats"))]
pub(super) fn decode(
    source: Source,
    format: &'static str,
) -> Result<super::Sound, super::SignalError> {
    Err(super::SignalError::EncodedSound {
        path: source.path,
        format,
    })
}

#[cfg(feature = "audio-formats")]
pub(super) use decoder::decode;

#[cfg(feature = "audio-formats")]
mod decoder {
    use std::io::{self, Read, Seek, SeekFrom};
    use std::ops::Range;
    use std::path::Path;

    use symphonia::core::audio::GenericAudioBufferRef;
    use symphonia::core::codecs::audio::AudioDecoderOptions;
    use symphonia::core::errors::Error;
    use symphonia::core::formats::probe::Hint;
    use symphonia::core::formats::{FormatOptions, TrackType};
    use symphonia::core::io::{MediaSource, MediaSourceStream};
    use symphonia::core::meta::MetadataOptions;
    use symphonia::default::{get_codecs, get_probe};

    use super::super::super::source::{Reader, Source, catch_panic};
    use super::super::super::{Footprint, SignalError};
    use super::super::decode::{MOST_VALUES, finite, supported};
    use super::super::{SampleFormat, Sound, SoundLayout, edit_list};

    /// A file whose length is known.
    struct Stream {
        reader: Reader,
        bytes: u64,
    }

    impl Stream {
        fn new(mut reader: Reader) -> io::Result<Self> {
            let bytes = reader.seek(SeekFrom::End(0))?;
            reader.rewind()?;
            Ok(Self { reader, bytes })
        }
    }

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.reader.read(buffer)
        }
    }

    impl Seek for Stream {
        fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
            self.reader.seek(position)
        }
    }

    impl MediaSource for Stream {
        fn is_seekable(&self) -> bool {
            true
        }

        fn byte_len(&self) -> Option<u64> {
            Some(self.bytes)
        }
    }

    /// All samples of the first sound in a file.
    pub(in super::super) fn decode(
        source: Source,
        format: &'static str,
    ) -> Result<Sound, SignalError> {
        let path = source.path.clone();
        catch_panic(|| read(&path, source.reader, format)).unwrap_or_else(|| {
            Err(SignalError::Damaged {
                path: path.clone(),
                format,
                reason: "its decoder failed".into(),
            })
        })
    }

    fn read(path: &Path, mut reader: Reader, format: &'static str) -> Result<Sound, SignalError> {
        let unreadable = |source| SignalError::Unreadable {
            path: path.into(),
            source,
        };
        let truncated = || SignalError::Truncated {
            path: path.into(),
            format,
            kind: "sound",
        };
        let unsupported = |reason: String| SignalError::UnsupportedSound {
            path: path.into(),
            format,
            reason,
        };
        let fault = |error: Error| match error {
            Error::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => truncated(),
            Error::IoError(error) => unreadable(error),
            Error::Unsupported(feature) => unsupported(feature.into()),
            error => SignalError::Damaged {
                path: path.into(),
                format,
                reason: error.to_string(),
            },
        };
        let movie = match format {
            "MP4" => edit_list::read_movie(&mut reader).map_err(unreadable)?,
            _ => None,
        };
        let stream = Box::new(Stream::new(reader).map_err(unreadable)?);
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
            hint.with_extension(extension);
        }
        let (formats, metadata) = (FormatOptions::default(), MetadataOptions::default());
        let stream = MediaSourceStream::new(stream, Default::default());
        let mut file = get_probe()
            .probe(&hint, stream, formats, metadata)
            .map_err(fault)?;
        let track = file.default_track(TrackType::Audio);
        let track = track.ok_or_else(|| unsupported("it holds no sound".into()))?;
        let (id, promised) = (track.id, track.num_frames);
        let codec = track.codec_params.as_ref().and_then(|codec| codec.audio());
        let codec = codec.ok_or_else(|| unsupported("its encoding is not told".into()))?;
        let bits = codec.bits_per_sample;
        let mut decoder = get_codecs()
            .make_audio_decoder(codec, &AudioDecoderOptions::default())
            .map_err(fault)?;

        let mut samples: Vec<f32> = Vec::new();
        let mut delivered = 0;
        let mut packet_samples = Vec::new();
        let mut spec: Option<(u32, usize)> = None;
        let mut is_float = false;
        while let Some(packet) = file.next_packet().map_err(fault)? {
            if packet.track_id != id {
                continue;
            }
            let length = packet.block_dur().get();
            let packet = decoder.decode(&packet).map_err(fault)?;
            // The last packet of a whole file may hold fewer frames than its container says.
            delivered += length.max(packet.frames() as u64);
            let found = (packet.spec().rate(), packet.spec().channels().count());
            if *spec.get_or_insert(found) != found {
                return Err(unsupported("its rate or its channels change".into()));
            }
            is_float = matches!(
                packet,
                GenericAudioBufferRef::F32(_) | GenericAudioBufferRef::F64(_)
            );
            packet_samples.resize(packet.samples_interleaved(), 0.0);
            packet.copy_to_slice_interleaved(&mut packet_samples);
            samples.extend_from_slice(&packet_samples);
            if samples.len() as u64 > MOST_VALUES {
                return Err(SignalError::TooLarge {
                    path: path.into(),
                    size: format!("more than {MOST_VALUES} values"),
                    limit: format!("{MOST_VALUES} values"),
                });
            }
        }
        let Some((sample_rate, channels)) = spec.filter(|_| !samples.is_empty()) else {
            return Err(SignalError::NoSamples { path: path.into() });
        };
        supported(channels, sample_rate).map_err(unsupported)?;
        if promised.is_some_and(|promised| delivered < promised) {
            return Err(truncated());
        }
        let heard = movie.and_then(|movie| edit_list::heard(&movie, sample_rate));
        if let Some(Range { start, end }) = heard {
            let place = |frame: u64| frame.saturating_mul(channels as u64) as usize;
            samples.truncate(place(end));
            samples.drain(..place(start).min(samples.len()));
        }
        let frames = samples.len() / channels;
        if frames == 0 {
            return Err(SignalError::NoSamples { path: path.into() });
        }
        let layout = SoundLayout {
            sample_rate,
            channels: channels as u16,
            frames: frames as u32,
            // What lossy decoders make are no whole numbers.
            format: match bits {
                _ if is_float => SampleFormat::Float,
                Some(..=8) => SampleFormat::Pcm8,
                Some(..=16) | None => SampleFormat::Pcm16,
                Some(..=24) => SampleFormat::Pcm24,
                Some(_) => SampleFormat::Pcm32,
            },
            peak: 1.0,
            footprint: Footprint::Point,
        };
        finite(path, &layout, &samples)?;
        Ok(Sound::new(layout, samples))
    }
}
