//! Sounds: samples of all channels at instants evenly spaced in time.
//!
//! Values are kept as fractions of full scale in f32: whole numbers of up to 24 bits survive unchanged, of 32 bits the upper 24 do.

mod decode;
#[cfg(feature = "audio-formats")]
mod edit_list;
mod encoded;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::footprint::{REACH, TAPS, weights};
use super::spectrum::rms_frequency;
use super::{
    Footprint, HeldOut, Kind, Layout, ReducedBy, Reduction, Signal, SignalError, Spectrum,
    cell_centre,
};

/// The entry of sounds in the table of kinds.
pub(super) const KIND: Kind = Kind {
    recognises: |source, _| decode::recognises(source) || encoded::format(source).is_some(),
    load: |source| {
        Ok(Box::new(match encoded::format(&source) {
            Some(format) => encoded::decode(source, format)?,
            None => decode::decode(source)?,
        }))
    },
    // Only WAV tells its length at once.
    probe: |source| match encoded::format(&source) {
        Some(format) => Ok(encoded::decode(source, format)?.layout()),
        None => Ok(Layout::Sound(decode::probe(source)?)),
    },
};

/// How a file stores a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleFormat {
    /// Whole numbers of 8 bits.
    Pcm8,
    /// Whole numbers of 16 bits.
    Pcm16,
    /// Whole numbers of 24 bits.
    Pcm24,
    /// Whole numbers of 32 bits.
    Pcm32,
    /// 32-bit floating point.
    Float,
}

impl SampleFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::Pcm8,
        Self::Pcm16,
        Self::Pcm24,
        Self::Pcm32,
        Self::Float,
    ];

    /// Bits of a sample.
    pub fn bits(self) -> u16 {
        match self {
            Self::Pcm8 => 8,
            Self::Pcm16 => 16,
            Self::Pcm24 => 24,
            Self::Pcm32 | Self::Float => 32,
        }
    }

    /// The name in words, such as `16 bit`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcm8 => "8 bit",
            Self::Pcm16 => "16 bit",
            Self::Pcm24 => "24 bit",
            Self::Pcm32 => "32 bit",
            Self::Float => "32 bit float",
        }
    }

    /// What a file with samples of this format gives back for `value`, a fraction of full scale.
    pub fn rounded(self, value: f32) -> f32 {
        match self {
            Self::Float => value,
            _ => (self.to_integer(value) as f64 / self.full_scale()) as f32,
        }
    }

    /// 2^(bits − 1), the whole number that stands for 1 and is itself just out of reach.
    pub fn full_scale(self) -> f64 {
        f64::from(1_u32 << (self.bits() - 1))
    }

    /// The nearest whole number that a file can hold.
    pub fn to_integer(self, value: f32) -> i32 {
        let scale = self.full_scale();
        // A cast of a float saturates, and makes 0 of NaN.
        (f64::from(value) * scale)
            .round()
            .clamp(-scale, scale - 1.0) as i32
    }
}

/// The shape of a sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoundLayout {
    /// Frames a second, in Hz.
    pub sample_rate: u32,
    /// Values of a frame.
    pub channels: u16,
    /// Instants at which there is one value of every channel.
    pub frames: u32,
    /// How the file stores a value.
    pub format: SampleFormat,
    /// The largest magnitude, a fraction of full scale: ± this become ±1, so that a quiet file is fitted as well as a loud one. 1 when all is
    /// silent.
    pub peak: f32,
    /// What a sample says of its instant.
    #[serde(default, skip_serializing_if = "Footprint::is_point")]
    pub footprint: Footprint,
}

impl SoundLayout {
    /// The number of stored values.
    pub fn values(&self) -> usize {
        self.frames as usize * usize::from(self.channels)
    }

    /// How long it is.
    pub fn seconds(&self) -> f64 {
        f64::from(self.frames) / f64::from(self.sample_rate)
    }

    /// The layout in words, such as `7.00 s at 44100 Hz, mono, 16 bit`.
    pub fn describe(&self) -> String {
        let channels = match self.channels {
            1 => "mono".to_string(),
            2 => "stereo".to_string(),
            n => format!("{n} channels"),
        };
        let (seconds, format) = (self.seconds(), self.format.name());
        format!(
            "{seconds:.2} s at {} Hz, {channels}, {format}",
            self.sample_rate
        )
    }
}

/// A decoded sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Its shape.
    pub layout: SoundLayout,
    /// Fractions of full scale, frame by frame, `[frames, channels]`.
    pub samples: Vec<f32>,
}

impl Sound {
    /// A sound from values in memory, whose peak is found.
    pub fn new(mut layout: SoundLayout, samples: Vec<f32>) -> Self {
        let peak = samples.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        // What has no reciprocal in f32 is silence.
        layout.peak = if peak >= f32::MIN_POSITIVE { peak } else { 1.0 };
        Self { layout, samples }
    }

    /// The sound made of `frames` frames, which `fill` writes one by one.
    fn by_frames(&self, frames: usize, mut fill: impl FnMut(usize, &mut [f32])) -> Self {
        let channels = usize::from(self.layout.channels);
        let mut samples = vec![0.0; frames * channels];
        for (frame, values) in samples.chunks_exact_mut(channels).enumerate() {
            fill(frame, values);
        }
        let layout = SoundLayout {
            frames: frames as u32,
            ..self.layout.clone()
        };
        Self::new(layout, samples)
    }
}

impl Signal for Sound {
    fn layout(&self) -> Layout {
        Layout::Sound(self.layout.clone())
    }

    fn samples(&self) -> usize {
        self.layout.frames as usize
    }

    /// Of fractions of full scale the peak is 1, and targets are these divided by the largest.
    fn psnr_above_targets_db(&self) -> f64 {
        -20.0 * (2.0 * f64::from(self.layout.peak)).log10()
    }

    fn gather(&self, indices: &[u32], coordinates: &mut [f64], targets: &mut [f32]) {
        let frames = self.samples();
        let channels = usize::from(self.layout.channels);
        let scale = 1.0 / self.layout.peak;
        let rows = targets.par_chunks_mut(channels).zip(coordinates);
        rows.zip(indices)
            .with_min_len(1024)
            .for_each(|((targets, coordinate), &index)| {
                let index = index as usize;
                *coordinate = cell_centre(index, frames);
                let values = &self.samples[index * channels..][..channels];
                for (target, value) in targets.iter_mut().zip(values) {
                    *target = value * scale;
                }
            });
    }

    fn gather_within(
        &self,
        offset: &[f64],
        indices: &[u32],
        coordinates: &mut [f64],
        targets: &mut [f32],
    ) {
        let frames = self.samples();
        let channels = usize::from(self.layout.channels);
        let scale = 1.0 / f64::from(self.layout.peak);
        let weights: [f64; TAPS] = weights(offset[0]);
        let rows = targets.par_chunks_mut(channels).zip(coordinates);
        rows.zip(indices)
            .with_min_len(1024)
            .for_each(|((targets, coordinate), &index)| {
                let index = index as usize;
                let position = index as f64 + 0.5 + offset[0];
                *coordinate = 2.0 * position / frames as f64 - 1.0;
                for (channel, target) in targets.iter_mut().enumerate() {
                    let sum: f64 = (weights.iter().enumerate())
                        .map(|(tap, weight)| {
                            let at = (index + tap).saturating_sub(REACH).min(frames - 1);
                            weight * f64::from(self.samples[at * channels + channel])
                        })
                        .sum();
                    *target = (sum * scale) as f32;
                }
            });
    }

    fn spectrum(&self) -> Spectrum {
        let (frames, channels) = (self.samples(), usize::from(self.layout.channels));
        let [rms, _] = rms_frequency(&self.samples, frames, 1, channels);
        Spectrum {
            nyquist: vec![frames as f32 / 2.0],
            rms_frequency: vec![rms],
        }
    }

    fn hold_out(self: Box<Self>, reduction: Reduction) -> Result<HeldOut, SignalError> {
        let factor = reduction.factor();
        let frames = self.samples() / factor;
        if frames == 0 {
            return Err(SignalError::TooSmall {
                size: self.samples().to_string(),
                factor,
            });
        }
        let channels = usize::from(self.layout.channels);
        let at = |frame: usize, channel: usize| self.samples[frame * channels + channel];
        let counted = match reduction.by() {
            ReducedBy::Area => factor,
            ReducedBy::Decimation => 1,
        };
        let mut reference = self.by_frames(frames * factor, |frame, values| {
            for (channel, value) in values.iter_mut().enumerate() {
                *value = at(frame, channel);
            }
        });
        let mut reduced = self.by_frames(frames, |frame, values| {
            for (channel, value) in values.iter_mut().enumerate() {
                let block = (0..counted).map(|i| f64::from(at(frame * factor + i, channel)));
                let mean = block.sum::<f64>() / counted as f64;
                *value = self.layout.format.rounded(mean as f32);
            }
        });
        reduced.layout.sample_rate = (self.layout.sample_rate / factor as u32).max(1);
        // What is rendered from the reduced sound knows no other rate; a whole factor of it may differ from the rate of the file.
        reference.layout.sample_rate = reduced.layout.sample_rate.saturating_mul(factor as u32);
        Ok(HeldOut {
            reduced: Box::new(reduced),
            reference: Box::new(reference),
        })
    }
}
