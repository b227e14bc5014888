//! Sounds on a page: something to listen to, spectrograms, and the spectra of the errors.

use std::collections::HashSet;
use std::path::PathBuf;

use super::super::RenderError;
use super::super::exhibit::{Exhibit, Exhibition, Picture, PictureAxis, Spectra, decibels};
use super::super::kind::downcast;
use super::spectrogram::{loudest, picture, power};
use super::{pair, wav};
use crate::metrics::{BINS, HOP, Stft, WINDOW};
use crate::signal::{self, SampleFormat, Sound, SoundLayout};

/// The share of the room that goes to sounds; the rest is for spectrograms.
const PLAYED: f64 = 0.7;
/// Bytes that a place of the spectrograms of a sound and of its error takes, about.
const BYTES_A_PIXEL: f64 = 4.0;
/// Most columns and rows of a spectrogram.
const SIZE: [usize; 2] = [1024, 256];
/// Frequencies of the spectrum of an error.
const FREQUENCIES: usize = 128;

pub(in crate::render) fn exhibit(
    original: Option<&Sound>,
    files: &[PathBuf],
    room: usize,
) -> Result<Exhibition, RenderError> {
    let shrink =
        (room as f64 * (1.0 - PLAYED) / (SIZE[0] * SIZE[1]) as f64 / BYTES_A_PIXEL).min(1.0);
    let size = SIZE.map(|side| ((side as f64 * shrink.sqrt()) as usize).max(16));
    let own = original.map(|original| power(original, |i| original.samples[i]));
    let mut axes = original.map(|original| axes(&original.layout));
    let mut notes = Vec::new();
    let mut made = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        let sound = signal::load(file)?;
        let sound: &Sound = downcast(sound.as_ref(), "a sound")?;
        axes.get_or_insert_with(|| self::axes(&sound.layout));
        let power_of_it = power(sound, |i| sound.samples[i]);
        let loudest = loudest(own.as_ref().unwrap_or(&power_of_it));
        let mut exhibit = Exhibit {
            picture: Some(Picture::new(&picture(&power_of_it, loudest, size))?),
            sound: Some(play(sound, room, &mut notes)?),
            ..Exhibit::default()
        };
        errors.push(Vec::new());
        if let Some(original) = original
            && pair(original, sound).is_ok()
        {
            let error = power(original, |i| original.samples[i] - sound.samples[i]);
            exhibit.error = Some(Picture::new(&picture(&error, loudest, size))?);
            errors[made.len()] = spectrum(&error);
        }
        made.push(exhibit);
    }
    let original = original.zip(own.as_ref()).map(|(original, own)| {
        Ok::<_, RenderError>((
            Exhibit {
                picture: Some(Picture::new(&picture(own, loudest(own), size))?),
                sound: Some(play(original, room, &mut notes)?),
                ..Exhibit::default()
            },
            Spectra {
                axis: "frequency, kHz",
                frequencies: frequencies(original.layout.sample_rate),
                original: spectrum(own),
                errors,
            },
        ))
    });
    let (original, spectra) = original.transpose()?.unzip();
    let mut said = HashSet::new();
    notes.retain(|note| said.insert(note.clone()));
    Ok(Exhibition {
        original,
        made,
        pictures: "Spectrograms",
        stretched: Some([2, 1]),
        axes,
        errors: "the spectrogram of the error; time to the right, frequency upwards, 100 dB from dark to bright",
        spectra,
        notes,
        ..Exhibition::default()
    })
}

/// As much of a sound as there is room for, with no more than 16 bits a sample.
fn play(sound: &Sound, room: usize, notes: &mut Vec<String>) -> Result<Vec<u8>, RenderError> {
    let mut layout = sound.layout.clone();
    if layout.format.bits() > 16 {
        layout.format = SampleFormat::Pcm16;
        notes.push("Players have 16 bits a sample.".into());
    }
    let bytes = usize::from(layout.channels) * usize::from(layout.format.bits()) / 8;
    let frames = (room as f64 * PLAYED) as usize / bytes;
    if frames < layout.frames as usize {
        notes.push(format!(
            "Players have the first {:.1} s of {:.1} s.",
            frames as f64 / f64::from(layout.sample_rate),
            layout.seconds()
        ));
        layout.frames = frames as u32;
    }
    let values = layout.values();
    wav::encode(&Sound {
        samples: sound.samples[..values].to_vec(),
        layout,
    })
}

/// Time and frequency along a spectrogram. A window counts for as long as the hop to the next, around its middle; a frequency for the distance to
/// the next.
fn axes(layout: &SoundLayout) -> [PictureAxis; 2] {
    let rate = f64::from(layout.sample_rate);
    let first = (WINDOW - HOP) as f64 / 2.0;
    let samples = match Stft::windows(layout.frames as usize) {
        // The only window is about all of the sound, and may be longer.
        1 => [0.0, f64::from(layout.frames)],
        columns => [first, first + (columns * HOP) as f64],
    };
    let seconds = samples.map(|sample| sample / rate);
    let kilohertz = [-0.5, BINS as f64 - 0.5].map(|bin| bin * rate / WINDOW as f64 / 1000.0);
    [("s", seconds), ("kHz", kilohertz)].map(|(unit, ends)| PictureAxis { unit, ends })
}

/// The bins of the spectrogram that make up one frequency of the spectrum.
fn bins(index: usize) -> std::ops::Range<usize> {
    let bin = |index: usize| 1 + index * (BINS - 1) / FREQUENCIES;
    bin(index)..bin(index + 1)
}

fn frequencies(sample_rate: u32) -> Vec<f64> {
    let middle = |bins: std::ops::Range<usize>| (bins.start + bins.end - 1) as f64 / 2.0;
    let hertz = f64::from(sample_rate) / WINDOW as f64;
    (0..FREQUENCIES)
        .map(|i| middle(bins(i)) * hertz / 1000.0)
        .collect()
}

/// The mean power of the windows in dB: of white noise that of its variance, for Σ w² is 3/8 of a Hann window's length.
fn spectrum(power: &[f32]) -> Vec<f64> {
    let windows = power.chunks_exact(BINS);
    let count = windows.len() as f64;
    let mut sums = vec![0.0; BINS];
    for window in windows {
        for (sum, &power) in sums.iter_mut().zip(window) {
            *sum += f64::from(power);
        }
    }
    let energy = 0.375 * WINDOW as f64;
    let mean = |bins: std::ops::Range<usize>| {
        let length = bins.len() as f64;
        sums[bins].iter().sum::<f64>() / length / count / energy
    };
    (0..FREQUENCIES).map(|i| decibels(mean(bins(i)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of ±0.1 by the parity of a hash: the power of white noise of variance 0.01 is −20 dB at every frequency.
    #[test]
    fn the_spectrum_of_white_noise_is_its_variance() {
        let sign = |i: u64| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (i << 13)).count_ones() % 2;
        let samples: Vec<f32> = (0..200_000).map(|i| 0.1 - 0.2 * sign(i) as f32).collect();
        let layout = SoundLayout {
            sample_rate: 16_000,
            channels: 1,
            frames: samples.len() as u32,
            format: SampleFormat::Float,
            peak: 0.1,
            footprint: crate::signal::Footprint::default(),
        };
        let sound = Sound::new(layout, samples);
        let levels = spectrum(&power(&sound, |i| sound.samples[i]));
        let mean = levels.iter().sum::<f64>() / levels.len() as f64;
        assert!((mean + 20.0).abs() < 0.5, "{mean}");
        // 128 groups of 8 bins of 7.8125 Hz; the first is 1 to 8, the last ends at half the rate.
        let frequencies = frequencies(16_000);
        assert_eq!(frequencies.len(), 128);
        assert!((frequencies[0] - 4.5 * 7.8125e-3).abs() < 1e-12);
        assert_eq!(bins(127).end, BINS);
    }

    /// At 8 kHz a window of 2048 samples has its middle after 0.128 s; the next begins 512 samples, 0.064 s, later.
    #[test]
    fn columns_lie_around_the_middles_of_their_windows() {
        let layout = SoundLayout {
            sample_rate: 8000,
            channels: 1,
            frames: 2048 + 512,
            format: SampleFormat::Float,
            peak: 1.0,
            footprint: crate::signal::Footprint::default(),
        };
        let [time, frequency] = axes(&layout);
        assert_eq!((time.unit, frequency.unit), ("s", "kHz"));
        let close = |a: [f64; 2], b: [f64; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(time.ends, [0.128 - 0.032, 0.128 + 0.064 + 0.032]));
        // Bins of 8000 / 2048 Hz, the last at half the rate.
        let half = 0.5 * 8.0 / 2048.0;
        assert!(close(frequency.ends, [-half, 4.0 + half]));
        // One window, filled up with zeros, is about the 0.125 s that there are.
        let frames = 1000;
        let [time, _] = axes(&SoundLayout { frames, ..layout });
        assert!(close(time.ends, [0.0, 0.125]));
    }

    #[test]
    fn players_hold_what_there_is_room_for() {
        let layout = SoundLayout {
            sample_rate: 1000,
            channels: 2,
            frames: 4000,
            format: SampleFormat::Float,
            peak: 1.0,
            footprint: crate::signal::Footprint::default(),
        };
        let sound = Sound::new(layout, vec![0.5; 8000]);
        let mut notes = Vec::new();
        // 1000 frames of two channels of 16 bits are 4000 bytes; the head of a WAV file has 44.
        let bytes = play(&sound, 5715, &mut notes).unwrap();
        assert_eq!(bytes.len(), 4044);
        assert_eq!(
            notes,
            [
                "Players have 16 bits a sample.",
                "Players have the first 1.0 s of 4.0 s."
            ]
        );
    }
}
