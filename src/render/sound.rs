//! Sounds at any rate, how they compare, and their files.

mod exhibit;
mod spectrogram;
mod wav;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::exhibit::Exhibition;
use super::kind::{KindFiles, Renderable, Rendered, Rendering, downcast, other_kind};
use super::request::{Points, RenderRequest, Target};
use super::resample::Filter;
use super::{Companion, Field, Metrics, RenderError, resample};
use crate::engine::Engine;
use crate::metrics::{log_spectral_distance, psnr_db, si_sdr_db, snr_db};
use crate::signal::{Layout, Reduction, Signal, Sound, SoundLayout};

/// Instants evaluated between two reports of progress.
const POINTS_AT_ONCE: usize = 1 << 17;

/// Below the fitted rate a network is evaluated at so many times that rate at least.
const FINER: usize = 2;

/// Most bytes of the samples of a rendered sound: what the header of a WAV file can say in 32 bits.
const MOST_BYTES: u64 = u32::MAX as u64 - 1024;

/// The files of a fit to a sound.
pub(super) const FILES: KindFiles = KindFiles {
    lossless_extensions: &["wav"],
    companions: &spectrogram::FILES,
};

/// Evaluates `field` at `count` instants, `shift` fitted frames behind the centres of `count` cells; `[count, channels]` in [-1, 1].
fn evaluate(
    field: Field,
    count: usize,
    shift: f64,
    engine: &mut dyn Engine,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<f32>, RenderError> {
    let channels = field.network.d_out();
    let frames = field.layout.samples() as f64;
    let nodes = match field.layout {
        Layout::Sound(layout) => layout.footprint.nodes(),
        _ => &[0.0][..],
    };
    let mut values = vec![0.0; count * channels];
    let (mut coordinates, mut rows) = (Vec::with_capacity(POINTS_AT_ONCE), Vec::new());
    let mut at_nodes = Vec::new();
    let mut done = 0;
    for chunk in values.chunks_mut(POINTS_AT_ONCE * channels) {
        let length = chunk.len() / channels;
        chunk.fill(0.0);
        for node in nodes {
            coordinates.clear();
            coordinates.extend((done..done + length).map(|i| {
                let position = (i as f64 + 0.5 + node) / count as f64 + shift / frames;
                2.0 * position - 1.0
            }));
            rows.resize(length * field.network.row_width(), 0.0);
            field.network.locate(&coordinates, &mut rows);
            at_nodes.resize(chunk.len(), 0.0);
            engine.evaluate(field.network, field.parameters, &rows, &mut at_nodes)?;
            for (sum, value) in chunk.iter_mut().zip(&at_nodes) {
                *sum += value / nodes.len() as f32;
            }
        }
        done += length;
        progress(done as f64 / count as f64);
    }
    Ok(values)
}

/// A sound of `layout` made of network outputs, rounded as its file would.
fn finish(layout: SoundLayout, values: Vec<f32>) -> Rendering {
    let SoundLayout { peak, format, .. } = layout;
    let samples = values.into_iter().map(|v| format.rounded(v * peak));
    let samples = samples.collect();
    Rendering::Sound(Sound { layout, samples })
}

impl Renderable for SoundLayout {
    fn reconstruct(
        &self,
        field: Field,
        _resolution: Option<u32>,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let values = evaluate(field, self.frames as usize, 0.0, engine, progress)?;
        Ok(finish(self.clone(), values))
    }

    fn render_like(
        &self,
        field: Field,
        other: &Layout,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let Layout::Sound(other) = other else {
            return Err(other_kind("a sound", other));
        };
        if self.channels != other.channels {
            return Err(RenderError::Mismatch(format!(
                "the model has {} channels and the reference has {}",
                self.channels, other.channels
            )));
        }
        // Rounding to whole frames leaves less than a frame.
        let frame = 1.0 / f64::from(self.sample_rate.min(other.sample_rate));
        if (self.seconds() - other.seconds()).abs() > 1.5 * frame {
            return Err(RenderError::Mismatch(format!(
                "the model is of {:.3} s of sound and the reference lasts {:.3} s",
                self.seconds(),
                other.seconds()
            )));
        }
        let layout = SoundLayout {
            peak: self.peak,
            ..other.clone()
        };
        layout.render(
            field,
            &Points::Frames(other.frames.into()),
            engine,
            progress,
        )
    }

    fn upsample(
        &self,
        field: Field,
        reduction: Reduction,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let factor = reduction.factor() as u32;
        let layout = SoundLayout {
            frames: self.frames.saturating_mul(factor),
            sample_rate: self.sample_rate.saturating_mul(factor),
            ..self.clone()
        };
        let values = evaluate(
            field,
            layout.frames as usize,
            reduction.shift(),
            engine,
            progress,
        )?;
        Ok(finish(layout, values))
    }

    /// Below the fitted rate the network is evaluated at a multiple of the new one and low-passed, so that nothing aliases: at [`FINER`] times the
    /// fitted rate at least, for between the samples it says more than their rate can hold.
    fn render(
        &self,
        field: Field,
        points: &Points,
        engine: &mut dyn Engine,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Rendering, RenderError> {
        let Points::Frames(count) = *points else {
            return Err(RenderError::Request("a sound has no pixels".into()));
        };
        let count = count as usize;
        let samples = field.layout.samples();
        let finer = match count < samples {
            true => (FINER * samples).div_ceil(count),
            false => 1,
        };
        let mut values = evaluate(field, count * finer, 0.0, engine, progress)?;
        if finer > 1 {
            values = resample::decimate(&values, usize::from(self.channels), finer);
        }
        Ok(finish(self.clone(), values))
    }

    fn resolve(&self, request: &RenderRequest) -> Result<Target, RenderError> {
        request.allow("a sound", &["--scale", "--rate"])?;
        let [scale, other] = request.scale.unwrap_or(RenderRequest::DEFAULT_SCALE);
        if scale != other {
            return Err(RenderError::Request(format!(
                "--scale {scale}x{other} is for pictures; a sound has one factor"
            )));
        }
        let rate = match request.rate {
            Some(rate) => f64::from(rate),
            None => (f64::from(self.sample_rate) * scale).round().max(1.0),
        };
        let frames = (self.seconds() * rate).round().max(1.0);
        let frame = f64::from(self.channels) * f64::from(self.format.bits()) / 8.0;
        let bytes = frames * frame;
        if bytes > MOST_BYTES as f64 {
            return Err(RenderError::Request(format!(
                "a sound of {frames} frames takes {bytes:.0} bytes, more than a WAV file can hold; take a lower --rate or --scale"
            )));
        }
        // Its header has the bytes of a second as a 32-bit number.
        let most_rate = (f64::from(u32::MAX) / frame).floor();
        if rate > most_rate {
            return Err(RenderError::Request(format!(
                "a rate of {rate} is more than the {most_rate} that a WAV file of these channels can have; take a lower --rate or --scale"
            )));
        }
        Ok(Target {
            layout: Layout::Sound(SoundLayout {
                sample_rate: rate as u32,
                frames: frames as u32,
                ..self.clone()
            }),
            points: Points::Frames(frames as u64),
        })
    }

    fn take(&self, signal: &dyn Signal) -> Result<Rendering, RenderError> {
        let sound: &Sound = downcast(signal, "a sound")?;
        Ok(Rendering::Sound(sound.clone()))
    }

    fn exhibit(
        &self,
        original: Option<&dyn Signal>,
        files: &[PathBuf],
        room: usize,
    ) -> Result<Exhibition, RenderError> {
        let original = original.map(|original| downcast(original, "a sound"));
        exhibit::exhibit(original.transpose()?, files, room)
    }

    fn lossless_extensions(&self) -> &'static [&'static str] {
        FILES.lossless_extensions
    }

    fn size_name(&self, _points: &Points) -> String {
        format!("{}hz", self.sample_rate)
    }

    fn check_format(&self, path: &Path) -> Result<(), RenderError> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.eq_ignore_ascii_case("wav") {
            true => Ok(()),
            false => Err(RenderError::Request(format!(
                "{} does not end in a format for sounds; use .wav",
                path.display()
            ))),
        }
    }
}

/// The samples of both, when they can be compared one by one.
fn pair<'a>(original: &'a dyn Signal, other: &'a Sound) -> Result<[&'a Sound; 2], RenderError> {
    let original: &Sound = downcast(original, "a sound")?;
    let (a, b) = (&original.layout, &other.layout);
    if (a.frames, a.channels, a.sample_rate) != (b.frames, b.channels, b.sample_rate) {
        return Err(RenderError::Mismatch(format!(
            "the sounds differ in kind ({} and {}); both must have the same rate, length and channels",
            a.describe(),
            b.describe()
        )));
    }
    Ok([original, other])
}

/// PSNR in dB with peak 1, full scale.
fn psnr(original: &Sound, other: &Sound) -> f64 {
    let squares = original.samples.iter().zip(&other.samples);
    let squares = squares.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    psnr_db(squares.sum::<f64>() / original.samples.len() as f64, 1.0)
}

/// One channel of a sound.
fn channel(sound: &Sound, index: usize) -> Cow<'_, [f32]> {
    match usize::from(sound.layout.channels) {
        1 => Cow::Borrowed(&sound.samples),
        channels => {
            let values = sound.samples.iter().skip(index).step_by(channels);
            Cow::Owned(values.copied().collect())
        }
    }
}

impl Rendered for Sound {
    fn layout(&self) -> Layout {
        Layout::Sound(self.layout.clone())
    }

    fn filters(&self) -> &'static [Filter] {
        &Filter::SOUNDS
    }

    fn interpolate(&self, reduction: Reduction, filter: Filter) -> Result<Rendering, RenderError> {
        let factor = reduction.factor() as u32;
        let channels = usize::from(self.layout.channels);
        let samples = resample::interpolate_frames(&self.samples, channels, reduction, filter);
        let layout = SoundLayout {
            frames: self.layout.frames * factor,
            sample_rate: self.layout.sample_rate.saturating_mul(factor),
            ..self.layout.clone()
        };
        let format = layout.format;
        let samples = samples.into_iter().map(|v| format.rounded(v)).collect();
        Ok(Rendering::Sound(Sound { layout, samples }))
    }

    fn measure(&self, original: &dyn Signal) -> Result<Metrics, RenderError> {
        let [original, other] = pair(original, self)?;
        let channels = usize::from(original.layout.channels);
        let distances = (0..channels)
            .map(|index| log_spectral_distance(&channel(original, index), &channel(other, index)));
        let lsd = distances.sum::<f64>() / channels as f64;
        Ok(Metrics::known(vec![
            ("snr_db".into(), snr_db(&original.samples, &other.samples)),
            ("psnr_db".into(), psnr(original, other)),
            (
                "si_sdr_db".into(),
                si_sdr_db(&original.samples, &other.samples),
            ),
            ("lsd".into(), lsd),
        ]))
    }

    fn psnr_db(&self, original: &dyn Signal) -> Result<f64, RenderError> {
        let [original, other] = pair(original, self)?;
        Ok(psnr(original, other))
    }

    fn encode(&self, path: &Path) -> Result<Vec<u8>, RenderError> {
        self.layout.check_format(path)?;
        wav::encode(self)
    }

    fn companions(&self, original: &dyn Signal) -> Result<Vec<Companion>, RenderError> {
        let [original, other] = pair(original, self)?;
        spectrogram::pictures(original, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Footprint, SampleFormat};

    /// Of 4 bytes a frame there are at most (2³² − 1) / 4 a second.
    #[test]
    fn a_rate_that_no_header_holds_is_refused() {
        let layout = SoundLayout {
            sample_rate: 8_000,
            channels: 1,
            frames: 2_000,
            format: SampleFormat::Float,
            peak: 1.0,
            footprint: Footprint::Point,
        };
        let at = |rate| {
            layout.resolve(&RenderRequest {
                rate: Some(rate),
                ..RenderRequest::default()
            })
        };
        assert!(at(1_073_741_823).is_ok());
        let error = at(1_073_741_824).err().map(|error| error.to_string());
        assert!(
            error.as_ref().is_some_and(|e| e.contains("1073741823")),
            "{error:?}"
        );
    }
}
