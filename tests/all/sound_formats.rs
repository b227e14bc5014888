//! Sounds in other formats than WAV.

use super::program::Place;
#[cfg(feature = "audio-formats")]
use super::program::repository;
use super::sounds::sound;
use inr::signal::SampleFormat;

/// An AIFF file of two channels with 16 bits at 8,000 Hz (Apple 1989, "Audio Interchange File Format").
fn aiff(values: &[i16]) -> Vec<u8> {
    let chunk = |name: &[u8], content: &[u8]| {
        let length = (content.len() as u32).to_be_bytes();
        [name, &length, content].concat()
    };
    let frames = (values.len() as u32 / 2).to_be_bytes();
    // The rate as an 80-bit float: 8000 = 1.953125 * 2^12.
    let rate = [0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0];
    let common = [[0, 2].as_slice(), &frames, &[0, 16], &rate].concat();
    let values = values.iter().flat_map(|value| value.to_be_bytes());
    let sound = [0; 8].into_iter().chain(values).collect::<Vec<u8>>();
    let form = [
        b"AIFF".as_slice(),
        &chunk(b"COMM", &common),
        &chunk(b"SSND", &sound),
    ];
    chunk(b"FORM", &form.concat())
}

#[test]
fn other_formats_are_decoded_or_refused_in_a_sentence() {
    let place = Place::new();
    let values: Vec<i16> = (0..2000).map(|i| (i * 37 % 3000 - 1500) as i16).collect();
    let whole = aiff(&values);
    for (name, bytes) in [("whole.aiff", &whole[..]), ("cut.aiff", &whole[..900])] {
        std::fs::write(place.path(name), bytes).unwrap();
    }
    for (name, head) in [
        ("a.flac", b"fLaC\0\0\0\x22".as_slice()),
        ("a.ogg", b"OggS\0\x02\0\0"),
        ("a.mp3", b"ID3\x04\0\0\0\0"),
        ("b.mp3", &[0xff, 0xfb, 0x90, 0x64]),
        ("a.aac", &[0xff, 0xf1, 0x50, 0x80]),
        ("a.m4a", b"\0\0\0\x1cftypM4A "),
        ("a.mp4", b"\0\0\0\x1cftypisom"),
    ] {
        std::fs::write(place.path(name), head).unwrap();
        let error = inr::signal::load(&place.path(name)).err().unwrap();
        let error = error.to_string();
        assert!(error.contains(name), "{error}");
        assert_eq!(
            error.contains("--features audio-formats"),
            cfg!(not(feature = "audio-formats")),
            "{error}"
        );
    }
    // The mark of UTF-16 begins like a frame of sound.
    std::fs::write(place.path("text.txt"), b"\xff\xfet\0e\0x\0t\0").unwrap();
    let error = inr::signal::load(&place.path("text.txt")).err().unwrap();
    assert!(error.to_string().contains("neither a picture"), "{error}");
    if cfg!(feature = "audio-formats") {
        let sound = sound(&place.path("whole.aiff"));
        let layout = &sound.layout;
        assert_eq!(
            (layout.sample_rate, layout.channels, layout.frames),
            (8000, 2, 1000)
        );
        assert_eq!(layout.format, SampleFormat::Pcm16);
        for (sample, value) in sound.samples.iter().zip(&values) {
            assert_eq!(*sample, f32::from(*value) / 32768.0);
        }
        let error = inr::signal::load(&place.path("cut.aiff")).err().unwrap();
        assert!(error.to_string().contains("cut off"), "{error}");
        let mut still = whole.clone();
        still[28..38].fill(0);
        std::fs::write(place.path("still.aiff"), still).unwrap();
        assert!(inr::signal::load(&place.path("still.aiff")).is_err());
    }
}

/// `tests/reference/make_sounds.py` made them: half a second of 0.5 sin(2 π 440 t) on the left and 0.25 sin(2 π 1000 t) on the right, in 16 bits.
/// libsndfile decodes Vorbis to SNRs of 37.3 and 23.6 dB; a tone that is late by a sample has 15 and 8. Of MP3 an encoder puts silence before, of at most
/// 2,400 samples, which no decoder need know of.
#[cfg(feature = "audio-formats")]
#[test]
fn flac_is_exact_and_lossy_formats_hold_their_tones() {
    const COMPARED: usize = 5500;
    let tones: [(f64, f64); 2] = [(0.5, 440.0), (0.25, 1000.0)];
    for (name, format, lowest_snr_db, latest) in [
        ("tone.flac", SampleFormat::Pcm16, f64::INFINITY, 0),
        ("tone.ogg", SampleFormat::Float, 20.0, 0),
        ("tone.mp3", SampleFormat::Float, 20.0, 2400),
    ] {
        let sound = sound(&repository().join("tests/reference").join(name));
        let layout = &sound.layout;
        assert_eq!((layout.sample_rate, layout.channels), (16_000, 2), "{name}");
        assert_eq!(layout.format, format, "{name}");
        match latest {
            0 => assert_eq!(layout.frames, 8000, "{name}"),
            _ => assert!(layout.frames >= 8000, "{name}: {}", layout.frames),
        }
        let snr_db = |late: usize, channel: usize| {
            let (strength, frequency) = tones[channel];
            let (mut signal, mut error) = (0.0, 0.0);
            for (i, frame) in sound
                .samples
                .chunks(2)
                .skip(late)
                .take(COMPARED)
                .enumerate()
            {
                let t = i as f64 / 16_000.0;
                let value = strength * (std::f64::consts::TAU * frequency * t).sin();
                let value = (32_768.0 * value).round() / 32_768.0;
                signal += value.powi(2);
                error += (value - f64::from(frame[channel])).powi(2);
            }
            10.0 * (signal / error).log10()
        };
        // Both channels by the same way.
        let found = (0..=latest).map(|late| snr_db(late, 0).min(snr_db(late, 1)));
        let found = found.fold(f64::NEG_INFINITY, f64::max);
        assert!(found >= lowest_snr_db, "{name}: {found} dB");
    }
}
