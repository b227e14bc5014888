//! Sounds: WAV files in and out, what is refused, and every command on them.

use std::path::{Path, PathBuf};

use hound::{SampleFormat as WavFormat, WavReader, WavSpec, WavWriter};
use inr::engine::TiledEngine;
use inr::model::{Hints, Network};
use inr::render::{self, Field, RenderRequest, Rendering};
use inr::signal::{Layout, SampleFormat, Signal, Sound, SoundLayout, load};
use serde_json::Value;

use super::program::{Place, TINY, repository};

/// Loads a file as a sound.
pub fn sound(path: &Path) -> Sound {
    let signal: Box<dyn std::any::Any> = load(path).unwrap();
    *signal.downcast().unwrap()
}

/// A sound of a few frames that differ in all channels, extremes and zero among them.
fn example(format: SampleFormat, channels: u16) -> Sound {
    let frames = 50;
    let count = frames as usize * usize::from(channels);
    let mut samples: Vec<f32> = (0..count)
        .map(|i| format.rounded(((i * 37 % 101) as f32 / 50.0 - 1.0) * 0.8))
        .collect();
    samples[0] = format.rounded(-1.0);
    samples[1 % count] = format.rounded(1.0);
    let layout = SoundLayout {
        sample_rate: 22_050,
        channels,
        frames,
        format,
        peak: 1.0,
        footprint: Default::default(),
    };
    Sound::new(layout, samples)
}

#[test]
fn every_sample_format_survives_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for format in SampleFormat::ALL {
        for channels in [1, 2, 8] {
            let original = example(format, channels);
            let rendering = render::from_signal(&original, &original).unwrap();
            let path = folder.path().join("sound.wav");
            std::fs::write(&path, rendering.encode(&path).unwrap()).unwrap();
            assert_eq!(sound(&path), original, "{format:?}, {channels} channels");
            let probed = inr::signal::probe(&path).unwrap();
            let Layout::Sound(probed) = probed else {
                panic!("a sound")
            };
            let expected = SoundLayout {
                peak: 1.0,
                ..original.layout.clone()
            };
            assert_eq!(probed, expected);
            assert_eq!(
                WavReader::open(&path).unwrap().spec().bits_per_sample,
                format.bits()
            );
        }
    }
}

/// Targets fill [-1, 1] however quiet the file is, and come back as they were.
#[test]
fn quiet_sounds_are_fitted_at_full_range() {
    let mut quiet = example(SampleFormat::Float, 2);
    quiet.samples.iter_mut().for_each(|v| *v *= 0.01);
    let quiet = Sound::new(quiet.layout, quiet.samples);
    let indices: Vec<u32> = (0..50).collect();
    let (mut coordinates, mut targets) = (vec![0.0; 50], vec![0.0; 100]);
    quiet.gather(&indices, &mut coordinates, &mut targets);
    let largest = targets.iter().fold(0.0_f32, |most, t| most.max(t.abs()));
    assert!((largest - 1.0).abs() < 1e-6, "{largest}");
    assert_eq!(coordinates[0], -0.98);
    for (target, sample) in targets.iter().zip(&quiet.samples) {
        assert!((target * quiet.layout.peak - sample).abs() < 1e-9);
    }
}

fn write(path: &PathBuf, spec: WavSpec, samples: &[f32]) {
    let mut writer = WavWriter::create(path, spec).unwrap();
    for &sample in samples {
        match spec.sample_format {
            WavFormat::Float => writer.write_sample(sample).unwrap(),
            WavFormat::Int => writer.write_sample((sample * 32_767.0) as i16).unwrap(),
        }
    }
    writer.finalize().unwrap();
}

const MONO: WavSpec = WavSpec {
    channels: 1,
    sample_rate: 8_000,
    bits_per_sample: 16,
    sample_format: WavFormat::Int,
};

/// A byte follows a chunk of odd length (RIFF), and where a container has more bits than are valid they are its upper ones
/// (WAVEFORMATEXTENSIBLE).
#[test]
fn chunks_and_containers_of_other_programs_are_read() {
    let place = Place::new();
    let original = example(SampleFormat::Pcm24, 2);
    let path = place.path("a.wav");
    let rendering = render::from_signal(&original, &original).unwrap();
    let bytes = rendering.encode(&path).unwrap();
    let data = 8 + bytes.windows(4).position(|chunk| chunk == b"data").unwrap();
    let chunk = |name: &[u8], content: &[u8]| {
        let length = (content.len() as u32).to_le_bytes();
        let padding = vec![0; content.len() % 2];
        [name, &length, content, &padding].concat()
    };
    let file = |chunks: &[Vec<u8>]| {
        let chunks = chunks.concat();
        let length = (4 + chunks.len() as u32).to_le_bytes();
        [&b"RIFF"[..], &length, b"WAVE", &chunks].concat()
    };
    // Tag, channels, frames a second, bytes a second, bytes a frame, bits; then the length of the rest, valid bits, channels, format.
    let head = |bits: u16| {
        let numbers = [2_u32, 22_050, 22_050 * 2 * u32::from(bits) / 8];
        let rate = [numbers[1].to_le_bytes(), numbers[2].to_le_bytes()].concat();
        let ends = [2 * bits / 8, bits, 22, 24].map(u16::to_le_bytes).concat();
        let guid = b"\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";
        [b"\xfe\xff\x02\0", &*rate, &ends, b"\x03\0\0\0", guid].concat()
    };
    let samples = &bytes[data..];
    let odd = [
        chunk(b"bext", &[7; 603]),
        chunk(b"fmt ", &head(24)),
        chunk(b"id3 ", &[9; 7]),
        chunk(b"data", samples),
    ];
    std::fs::write(&path, file(&odd)).unwrap();
    assert_eq!(sound(&path), original);

    let wide = samples.chunks(3).flat_map(|value| [&[0], value].concat());
    let wide = chunk(b"data", &wide.collect::<Vec<u8>>());
    std::fs::write(&path, file(&[chunk(b"fmt ", &head(32)), wide])).unwrap();
    let read = sound(&path);
    assert_eq!(read.layout.format, SampleFormat::Pcm32);
    assert_eq!(read.samples, original.samples);

    // Without the extension they are the lower ones, as arecord writes them.
    let low = samples.chunks(3).flat_map(|value| {
        let sign = if value[2] < 128 { 0 } else { 255 };
        [value, &[sign]].concat()
    });
    let low = chunk(b"data", &low.collect::<Vec<u8>>());
    let mut plain = head(32)[..16].to_vec();
    plain[..2].copy_from_slice(&[1, 0]);
    plain[14] = 24;
    std::fs::write(&path, file(&[chunk(b"fmt ", &plain), low.clone()])).unwrap();
    assert_eq!(sound(&path), original);

    // A byte of padding that was forgotten does no harm.
    let mut odd = chunk(b"id3 ", &[9; 7]);
    odd.pop();
    let chunks = [odd, chunk(b"fmt ", &head(24)), chunk(b"data", samples)];
    std::fs::write(&path, file(&chunks)).unwrap();
    assert_eq!(sound(&path), original);

    // Nor do numbers that no file has lead anywhere but to an error.
    plain[12..14].fill(255);
    std::fs::write(&path, file(&[chunk(b"fmt ", &plain), low])).unwrap();
    assert!(load(&path).is_err());
}

#[test]
fn faulty_files_are_refused_in_a_sentence() {
    let place = Place::new();
    let float = WavSpec {
        bits_per_sample: 32,
        sample_format: WavFormat::Float,
        ..MONO
    };
    write(&place.path("empty.wav"), MONO, &[]);
    write(&place.path("nan.wav"), float, &[0.0, f32::NAN, 0.5]);
    write(&place.path("whole.wav"), MONO, &[0.5; 500]);
    let whole = std::fs::read(place.path("whole.wav")).unwrap();
    std::fs::write(place.path("cut.wav"), &whole[..600]).unwrap();
    std::fs::write(place.path("head.wav"), &whole[..20]).unwrap();
    // The length of the data, which a program that writes to a pipe does not know.
    let mut open = whole.clone();
    open[40..44].fill(0xff);
    std::fs::write(place.path("open.wav"), &open).unwrap();
    // 8,000 bytes a second, one a frame: with 8 bits an open length is a whole number of samples.
    open[28..36].copy_from_slice(&[0x40, 0x1f, 0, 0, 1, 0, 8, 0]);
    std::fs::write(place.path("open8.wav"), &open).unwrap();
    open[..4].copy_from_slice(b"RF64");
    std::fs::write(place.path("rf64.wav"), &open).unwrap();
    place.write("text.wav", "no sound at all, but long enough to look at");
    let nine = WavSpec {
        channels: 9,
        ..MONO
    };
    write(&place.path("nine.wav"), nine, &[0.1; 18]);
    for (file, words) in [
        ("empty.wav", "has no samples"),
        ("nan.wav", "NaN at frame 1, channel 0"),
        ("cut.wav", "is cut off"),
        ("head.wav", "is cut off"),
        ("open.wav", "wrote to a pipe"),
        ("open8.wav", "wrote to a pipe"),
        ("rf64.wav", "RF64"),
        ("text.wav", "neither a picture nor a sound"),
        ("nine.wav", "9 channels"),
    ] {
        let ended = place.run(&format!("fit {file} --model siren {TINY}"));
        assert_eq!(ended.code, Some(1), "{file}");
        assert!(
            ended.stderr.contains(file) && ended.stderr.contains(words),
            "{file}: {}",
            ended.stderr
        );
    }
    // The content counts and not the name.
    std::fs::copy(place.path("whole.wav"), place.path("sound.png")).unwrap();
    place
        .run(&format!("fit sound.png --model siren {TINY}"))
        .done();
}

/// The working folder with the project's sound in it.
pub fn place() -> Place {
    let place = Place::new();
    std::fs::copy(
        repository().join("assets/chime.wav"),
        place.path("chime.wav"),
    )
    .unwrap();
    place
}

fn spec(place: &Place, file: &str) -> (u32, u16, u32) {
    let reader = WavReader::open(place.path(file)).unwrap();
    (
        reader.spec().sample_rate,
        reader.spec().channels,
        reader.duration(),
    )
}

#[test]
fn a_sound_goes_through_every_command() {
    let place = place();
    let folder = place.fit("chime.wav --model siren");
    assert_eq!(folder, "out/chime-siren");
    for file in [
        "reconstruction.wav",
        "spectrogram.png",
        "reconstruction-spectrogram.png",
        "error-spectrogram.png",
    ] {
        assert!(place.path(&format!("{folder}/{file}")).exists(), "{file}");
    }
    let original = spec(&place, "chime.wav");
    assert_eq!(
        spec(&place, &format!("{folder}/reconstruction.wav")),
        original
    );

    let report: Value = serde_json::from_slice(
        &std::fs::read(place.path(&format!("{folder}/report.json"))).unwrap(),
    )
    .unwrap();
    let metrics = report["metrics"].as_object().unwrap();
    let names: Vec<&str> = metrics.keys().map(String::as_str).collect();
    assert_eq!(names, ["lsd", "psnr_db", "si_sdr_db", "snr_db"]);
    // The report holds the figures of the written file.
    let measured = place
        .run(&format!(
            "eval {folder}/reconstruction.wav chime.wav --json"
        ))
        .done()
        .json();
    assert_eq!(&measured, &report["metrics"]);
    let measured = place
        .run(&format!("eval {folder} chime.wav --json"))
        .done()
        .json();
    assert_eq!(&measured, &report["metrics"]);
    place.run(&format!("info {folder}")).done();

    let (rate, channels, frames) = original;
    place
        .run(&format!(
            "upsample {folder} --rate 48000 -o high.wav --device cpu"
        ))
        .done();
    assert_eq!(spec(&place, "high.wav"), (48_000, channels, frames * 3));
    place
        .run(&format!(
            "upsample {folder} --scale 2 -o double.wav --device cpu"
        ))
        .done();
    assert_eq!(spec(&place, "double.wav"), (2 * rate, channels, 2 * frames));
    place
        .run(&format!(
            "upsample {folder} --rate 4000 -o low.wav --device cpu"
        ))
        .done();
    assert_eq!(spec(&place, "low.wav"), (4_000, channels, frames / 4));

    for (flags, words) in [
        ("--size 10x10", "--size is not for a sound"),
        ("--crop 0,0,1,1", "--crop is not for a sound"),
        ("--bit-depth 8", "--bit-depth is not for a sound"),
        ("--scale 2x3", "a sound has one factor"),
        ("-o x.png", "use .wav"),
    ] {
        let ended = place.run(&format!("upsample {folder} {flags} --device cpu"));
        assert_eq!(ended.code, Some(2), "{flags}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{flags}: {}", ended.stderr);
    }
    let picture = place.fit("icon.png --model siren");
    let ended = place.run(&format!("upsample {picture} --rate 8000"));
    assert!(
        ended.code == Some(2) && ended.stderr.contains("--rate is not for a picture"),
        "{}",
        ended.stderr
    );
    let ended = place.run(&format!("eval {picture} chime.wav"));
    assert!(
        ended.code == Some(1) && ended.stderr.contains("one kind"),
        "{}",
        ended.stderr
    );
}

#[test]
fn sounds_are_compared_and_held_out() {
    let place = place();
    let line = format!("compare chime.wav --models siren,fourier-kan {TINY} --out both");
    place.run(&line).done();
    let rows: Value =
        serde_json::from_slice(&std::fs::read(place.path("both/compare.json")).unwrap()).unwrap();
    let text = rows.to_string();
    assert!(text.contains("snr_db") && text.contains("lsd"), "{text}");
    for by in ["area", "decimation"] {
        let line = format!(
            "compare chime.wav --models siren --holdout 2 --holdout-by {by} {TINY} --out held-{by}"
        );
        place.run(&line).done();
        let (rate, channels, frames) = spec(&place, "chime.wav");
        let reduced = spec(&place, &format!("held-{by}/reduced.wav"));
        assert_eq!(reduced, (rate / 2, channels, frames / 2));
        for filter in ["lanczos3", "sinc32"] {
            let full = spec(&place, &format!("held-{by}/{filter}.wav"));
            assert_eq!(full, (rate, channels, frames), "{filter}");
        }
    }
}

/// 5512.5 Hz is no rate of a file: a reduction by 8 is written with 5512 Hz, and what is made of it with 8 times that.
#[test]
fn rates_need_not_be_multiples_of_the_factor() {
    let place = Place::new();
    let cd_rate = WavSpec {
        sample_rate: 44_100,
        ..MONO
    };
    let samples: Vec<f32> = (0..800).map(|i| (i as f32 * 0.05).sin() * 0.5).collect();
    write(&place.path("odd.wav"), cd_rate, &samples);
    let line = format!("compare odd.wav --models siren --holdout 8 {TINY} --out odd");
    place.run(&line).done();
    assert_eq!(spec(&place, "odd/reduced.wav"), (5512, 1, 100));
    assert_eq!(spec(&place, "odd/sinc32.wav"), (44_096, 1, 800));
}

#[test]
fn silence_is_fitted_and_stays_silent() {
    let place = Place::new();
    write(&place.path("silent.wav"), MONO, &[0.0; 4000]);
    let line = "fit silent.wav --model siren --params 2k --steps 200 --batch 512 --device cpu";
    let folder = place.run(line).done().stdout.trim_end().to_string();
    let reconstruction = sound(&place.path(&format!("{folder}/reconstruction.wav")));
    let loudest = reconstruction
        .samples
        .iter()
        .fold(0.0_f32, |most, v| most.max(v.abs()));
    assert!(loudest < 0.05, "{loudest}");
}

#[test]
fn a_model_is_compared_with_sounds_of_its_length_alone() {
    let place = Place::new();
    let chime = repository().join("assets/chime.wav");
    std::fs::copy(chime, place.path("chime.wav")).unwrap();
    let folder = place.fit("chime.wav --model siren");
    place
        .run(&format!(
            "upsample {folder} --rate 8000 -o low.wav --device cpu"
        ))
        .done();
    place
        .run(&format!("eval {folder} low.wav --device cpu"))
        .done();
    let mut reader = WavReader::open(place.path("chime.wav")).unwrap();
    let spec = reader.spec();
    let mut half = WavWriter::create(place.path("half.wav"), spec).unwrap();
    let count = reader.len() as usize / 2;
    for sample in reader.samples::<i32>().take(count) {
        half.write_sample(sample.unwrap()).unwrap();
    }
    half.finalize().unwrap();
    let ended = place.run(&format!("eval {folder} half.wav --device cpu"));
    ended.failed(
        1,
        &["the model is of 2.500 s of sound and the reference lasts 1.250 s"],
    );
}

#[test]
fn spectra_are_learnt_of_sounds_alone() {
    let place = Place::new();
    let chime = repository().join("assets/chime.wav");
    std::fs::copy(chime, place.path("chime.wav")).unwrap();
    let line = "--model siren --params 2k --steps 5 --batch 5000 --device cpu --set training.spectral_weight=0.1";
    place.run(&format!("fit chime.wav {line} --out s")).done();
    // One span.
    assert_eq!(place.json("s/report.json")["training"]["batch_size"], 4096);
    place
        .run(&format!("fit icon.png {line} --out p"))
        .refused(2, &["training.spectral_weight is for sounds"]);
    for (other, words) in [
        ("training.loss=l1", "goes with training.loss=mse"),
        ("training.candidates=2", "training.candidates=1 only"),
        (
            "training.batch_size=100",
            "at least 512 samples, and there are 100",
        ),
        (
            "training.spectral_weight=-1.0",
            "finite number of at least 0",
        ),
    ] {
        place
            .run(&format!("fit chime.wav {line} --set {other} --out p"))
            .refused(2, &[words]);
    }
}

/// A tone of 1500 Hz, 375 cycles in a quarter of a second, where it lies at every rate; below 3000 Hz nothing is left of it, neither it nor an alias.
#[test]
fn what_a_lower_rate_cannot_hold_is_left_out() {
    let layout = Layout::Sound(SoundLayout {
        sample_rate: 8_000,
        channels: 1,
        frames: 2_000,
        format: SampleFormat::Float,
        peak: 1.0,
        footprint: Default::default(),
    });
    let series = serde_json::json!({
        "kind": "fourier-kan", "width": 1, "frequencies": 375, "input_scale": std::f32::consts::PI, "cap_at_nyquist": false
    });
    let layers = vec![serde_json::from_value(series).unwrap()];
    let network = Network::new(layers, 1, 1, &Hints::default()).unwrap();
    let mut parameters = network.initialize(0);
    for tensor in &mut parameters.tensors {
        tensor.values.fill(0.0);
    }
    // The last of the sines.
    *parameters.tensors[0].values.last_mut().unwrap() = 0.8;
    for (rate, amplitude, tolerance) in [(16_000, 0.8, 0.01), (4_000, 0.8, 0.1), (2_000, 0.0, 0.01)]
    {
        let request = RenderRequest {
            rate: Some(rate),
            ..RenderRequest::default()
        };
        let target = request.resolve(&layout).unwrap();
        let field = Field {
            network: &network,
            parameters: &parameters,
            layout: &layout,
        };
        let mut engine = TiledEngine::default();
        let rendered = render::render(field, &target, &mut engine, &mut |_| ()).unwrap();
        let Rendering::Sound(sound) = rendered else {
            panic!("a sound")
        };
        // The ends of a low-passed sound swing.
        let count = sound.samples.len();
        for i in count / 4..3 * count / 4 {
            // At the centre of its cell.
            let x = (2 * i + 1) as f64 / count as f64 - 1.0;
            let expected = amplitude * (375.0 * std::f64::consts::PI * x).sin();
            let found = f64::from(sound.samples[i]);
            assert!(
                (found - expected).abs() < tolerance,
                "{rate} Hz, sample {i}: {found} instead of {expected}"
            );
        }
    }
}
