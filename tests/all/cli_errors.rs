//! Bad files, bad names and bad numbers: one clear sentence, the right exit code, and nothing changed.

use super::program::{Place, TINY};

/// Runs the line, holds it to one sentence with the words, and sees that no file came, went or changed.
#[track_caller]
pub fn fails(place: &Place, line: &str, code: i32, words: &[&str]) {
    let before = place.files("");
    place.run(line).failed(code, words);
    assert!(place.files("") == before, "{line} changed files");
}

/// As [`fails`], for what clap refuses: its answer shows the usage too.
#[track_caller]
pub fn misused(place: &Place, line: &str, words: &[&str]) {
    let before = place.files("");
    place.run(line).refused(2, words);
    assert!(place.files("") == before, "{line} changed files");
}

#[test]
fn files_that_are_no_pictures() {
    let place = Place::new();
    let whole = place.bytes("icon.png");
    place.write("empty.png", "");
    place.write("cut.png", &whole[..whole.len() / 2]);
    place.write("text.png", "these are words\n");
    std::fs::create_dir(place.path("folder.png")).unwrap();
    let cases: [(&str, &[&str]); 5] = [
        ("missing.png", &["missing.png does not exist"]),
        ("empty.png", &["empty.png is empty"]),
        ("cut.png", &["cut.png is cut off"]),
        (
            "text.png",
            &["text.png is neither a picture nor a sound", "PNG"],
        ),
        ("folder.png", &["folder.png is a folder"]),
    ];
    for (name, words) in cases {
        fails(&place, &format!("fit {name} {TINY}"), 1, words);
        fails(&place, &format!("eval icon.png {name}"), 1, words);
        if name != "folder.png" {
            fails(
                &place,
                &format!("compare {name} --models siren,wire {TINY}"),
                1,
                words,
            );
            fails(&place, &format!("eval {name} icon.png"), 1, words);
        }
    }
    fails(
        &place,
        "eval icon.png leaf.png",
        1,
        &["64 x 64", "160 x 160"],
    );
}

#[test]
fn names_that_do_not_exist_are_answered_with_the_nearest() {
    let place = Place::new();
    let fit = |flags: &str| format!("fit icon.png {flags} {TINY}");
    fails(
        &place,
        &fit("--model siern"),
        2,
        &["siern", "did you mean \"siren\"?"],
    );
    fails(
        &place,
        &fit("--model fourierkan"),
        2,
        &["did you mean \"fourier-kan\"?"],
    );
    fails(&place, &fit("--model zzz"), 2, &["zzz", "siren", "wire"]);
    fails(
        &place,
        &format!("compare icon.png --models siren,wier {TINY}"),
        2,
        &["did you mean \"wire\"?"],
    );
    fails(
        &place,
        &format!("compare icon.png --models siren,siren {TINY}"),
        2,
        &["siren twice"],
    );
    fails(
        &place,
        &fit("--set training.batchsize=4"),
        2,
        &["batchsize", "did you mean `batch_size`?"],
    );
    fails(
        &place,
        &fit("--set trainning.seed=4"),
        2,
        &["trainning", "did you mean `training`?"],
    );
    fails(
        &place,
        &fit("--model siren --set model.layers.0.kind=sin"),
        2,
        &["sin", "did you mean `sine`?"],
    );
    fails(
        &place,
        &fit("--model siren --set model.layers.0.omega=4"),
        2,
        &["omega", "omega_0"],
    );
    fails(
        &place,
        &fit("--model siren --set model.layers.99.omega_0=4"),
        2,
        &["99", "list of"],
    );
    fails(&place, &fit("--set training.seed"), 2, &["path=value"]);
    fails(&place, &fit("--set training.loss=l3"), 2, &["l3", "l1"]);
    misused(&place, "comparee icon.png", &["comparee", "compare"]);
    misused(&place, "fit icon.png --parms 2k", &["--parms", "--params"]);
    misused(&place, "fit", &["<INPUT>"]);
    misused(&place, "compare icon.png", &["--models"]);
}

#[test]
fn config_files_that_are_wrong() {
    let place = Place::new();
    place.write("syntax.toml", "[training]\nsteps = = 3\n");
    place.write("key.toml", "[training]\nstepps = 3\n");
    place.write("type.toml", "[training]\nsteps = \"many\"\n");
    place.write("bytes.toml", [0xff, 0xfe, 0x00]);
    place.write("endless.toml", "[[model.layers]]\nkind = \"linear\"\n");
    let fit = |name: &str| format!("fit icon.png --config {name} --device cpu");
    fails(
        &place,
        &fit("missing.toml"),
        1,
        &["cannot read the config file missing.toml"],
    );
    fails(
        &place,
        &fit("syntax.toml"),
        1,
        &["syntax.toml is not valid TOML", "line 2, column 9"],
    );
    fails(&place, &fit("bytes.toml"), 1, &["bytes.toml"]);
    fails(
        &place,
        &fit("key.toml"),
        2,
        &["stepps", "did you mean `steps`?"],
    );
    fails(&place, &fit("type.toml"), 2, &["training.steps", "many"]);
    fails(
        &place,
        &fit("endless.toml"),
        2,
        &["training has no end", "--steps"],
    );
}

#[test]
fn numbers_out_of_range() {
    let place = Place::new();
    // Refused before memory is taken: 5 · 10⁹ weights would be 20 GB.
    fails(
        &place,
        "fit icon.png --model siren --params 5000M --device cpu -q",
        2,
        &["at most 100000000"],
    );
    place.fit("icon.png --model siren --out run");
    for flags in [
        "--params 0",
        "--params -5",
        "--params many",
        "--params 1.5",
        "--steps x",
        "--steps 0",
        "--time -1",
        "--time 0",
        "--time soon",
        "--time inf",
        "--batch 0",
        "--batch 2.5",
        "--seed -1",
        "--seed 1.5",
        "--target-psnr -3",
        "--target-psnr nan",
        "--device cuda",
        "--device gpu:x",
    ] {
        misused(
            &place,
            &format!("fit icon.png --out new {flags}"),
            &[flags.split(' ').next().unwrap()],
        );
    }
    for (flags, words) in [
        ("--set training.batch_size=0", "training.batch_size"),
        ("--set training.batch_size=-4", "training.batch_size"),
        ("--set training.steps=0", "training.steps"),
        ("--set training.seconds=nan", "training.seconds"),
        ("--set training.optimizer.learning_rate=-1", "learning_rate"),
        // In single precision, 0 and 1.
        ("--set training.optimizer.epsilon=1e-60", "epsilon"),
        ("--set training.optimizer.beta_2=0.99999999", "beta_2"),
        ("--set training.optimizer.muon_start=0.5", "muon_start"),
        ("--set model.layers.0.omega_0=nan", "omega_0"),
        ("--set model.layers.0.width=0", "width"),
        ("--set model.preset=wire", "--model wire"),
        ("--set training.recipe=paper", "--recipe paper"),
        ("--set training.passes=0", "training.passes"),
        (
            "--set training.steps=1000000000001",
            "training.steps is 1000000000001",
        ),
        ("--params 1000000M", "parameters"),
    ] {
        fails(
            &place,
            &format!("fit icon.png --model siren --out new --device cpu {flags}"),
            2,
            &[words],
        );
    }
    for flags in [
        "--scale 0",
        "--scale -1",
        "--scale x",
        "--scale 2x",
        "--scale inf",
        "--size 0x5",
        "--size 12",
        "--crop 1,2,3",
        "--crop a,b,c,d",
        "--bit-depth 12",
        "--size 8x8 --scale 2",
    ] {
        misused(
            &place,
            &format!("upsample run --device cpu -o x.png {flags}"),
            &[flags.split(' ').next().unwrap()],
        );
    }
    for crop in [
        "60,0,10,10",
        "-1,0,10,10",
        "0,0,0,5",
        "0,0,65,5",
        "nan,0,1,1",
        "0,0,inf,1",
    ] {
        let line = format!("upsample run --device cpu -o x.png --crop {crop}");
        fails(&place, &line, 2, &["--crop", "64x64"]);
    }
    for flags in ["--scale 1e9", "--size 4000000000x4000000000"] {
        let line = format!("upsample run --device cpu -o x.png {flags}");
        fails(&place, &line, 2, &["cannot be made"]);
    }
}

#[test]
fn devices_that_are_not_there() {
    let place = Place::new();
    let line = "fit icon.png --params 1k --steps 1 --device gpu:99";
    let ended = place.run(line);
    ended.refused(2, &["gpu:99"]);
    assert_eq!(place.names(""), Place::new().names(""));
}

#[test]
fn resuming_what_cannot_be_resumed() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    let resume = |flags: &str| format!("fit icon.png --resume --device cpu -q {flags}");
    fails(
        &place,
        &resume("--out nothing"),
        2,
        &["nothing", "--out", "--resume"],
    );
    std::fs::create_dir(place.path("empty")).unwrap();
    fails(
        &place,
        &resume("--out empty"),
        2,
        &["empty", "--out", "--resume"],
    );
    for (flags, word) in [
        ("--batch 256", "batch_size was 512 and is now 256"),
        ("--seed 1", "seed was 0 and is now 1"),
        ("--set training.loss=l1", "loss"),
        ("--set model.layers.0.omega_0=7", "omega_0"),
        ("--model wire", "layers"),
    ] {
        let line = resume(&format!("--out run {flags}"));
        fails(&place, &line, 2, &["another recipe", word]);
    }
    let smaller = place.picture("icon.png").crop_imm(0, 0, 32, 32);
    smaller.save(place.path("smaller.png")).unwrap();
    let other = |name: &str| format!("fit {name} --resume --device cpu -q --out run");
    fails(&place, &other("smaller.png"), 2, &["other content"]);
    fails(&place, &other("leaf.png"), 2, &["other content"]);
    let fewer = resume("--out run --steps 7");
    fails(
        &place,
        &fewer,
        2,
        &["has made 20 steps, and is to end after 7"],
    );
    misused(&place, &resume("--out run --force"), &["--force"]);

    let checkpoint = place.bytes("run/checkpoint.safetensors");
    for bytes in [
        &checkpoint[..0],
        &checkpoint[..5],
        &checkpoint[..checkpoint.len() - 9],
        b"words, and more than eight",
    ] {
        place.write("run/checkpoint.safetensors", bytes);
        fails(
            &place,
            &resume("--out run"),
            1,
            &["run/checkpoint.safetensors is damaged", "--force"],
        );
    }
    // Without its checkpoint a run cannot go on, and its results are not in the way of that answer.
    std::fs::remove_file(place.path("run/checkpoint.safetensors")).unwrap();
    fails(&place, &resume("--out run"), 2, &["checkpoint.safetensors"]);
}

#[test]
fn the_smallest_pictures_fit_and_render() {
    let place = Place::new();
    for (width, height) in [(1, 1), (1, 9), (9, 1), (2, 2)] {
        let name = format!("p{width}x{height}.png");
        image::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([20 * x as u8, 20 * y as u8, 200])
        })
        .save(place.path(&name))
        .unwrap();
        let models = super::cli_fit::presets(&place).join(",");
        place
            .run(&format!(
                "compare {name} --models {models} --out {name}-out {TINY}"
            ))
            .done();
        for model in models.split(',') {
            let run = format!("{name}-out/{model}");
            let picture = place.picture(&format!("{run}/reconstruction.png"));
            assert_eq!((picture.width(), picture.height()), (width, height));
            place
                .run(&format!("upsample {run} --device cpu -o {run}.png"))
                .done();
            let picture = place.picture(&format!("{run}.png"));
            assert_eq!((picture.width(), picture.height()), (4 * width, 4 * height));
            place.run(&format!("eval {run} {name} --device cpu")).done();
        }
    }
}
