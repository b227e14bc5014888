//! Places that cannot be written and disks that are full: one clear sentence, and no file that is half there.

use inr::model::file::Model;

use super::cli_errors::fails;
use super::program::{Place, TINY, skipped};

#[test]
fn places_that_cannot_be_written() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    place.write("file.txt", "kept");
    let fit = |out: &str| format!("fit icon.png --model siren --out {out} {TINY}");
    fails(&place, &fit("file.txt"), 1, &["cannot write file.txt"]);
    fails(&place, &fit("file.txt/x"), 1, &["cannot write file.txt/x"]);
    let compare = format!("compare icon.png --models siren --out file.txt/x {TINY}");
    fails(&place, &compare, 1, &["cannot write file.txt/x"]);
    if cfg!(target_os = "linux") {
        fails(&place, &fit("/proc/x"), 1, &["cannot write /proc/x"]);
    }
    let upsample = |file: &str| format!("upsample run --device cpu -o {file}");
    fails(
        &place,
        &upsample("file.txt/x.png"),
        1,
        &["cannot write file.txt/x.png"],
    );
    fails(
        &place,
        &upsample("no/such/x.png"),
        1,
        &["cannot write no/such/x.png"],
    );
    fails(
        &place,
        &upsample("x.xyz"),
        2,
        &["x.xyz does not name a picture format", ".png"],
    );
    fails(
        &place,
        &upsample("x"),
        2,
        &["x does not name a picture format"],
    );
    fails(
        &place,
        &upsample("x.exr"),
        2,
        &["OpenEXR cannot hold", "PNG"],
    );
    fails(
        &place,
        &format!("{} --bit-depth 16", upsample("x.jpg")),
        2,
        &["JPEG cannot hold", "PNG"],
    );
}

/// Not even --force makes a result of what is to be fitted.
#[test]
fn an_input_among_results_is_spared() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    let before = place.files("");
    for line in [
        "fit run/reconstruction.png --model siren --out run --force",
        "fit run/reconstruction.png --model siren --out run --resume",
        "compare run/reconstruction.png --models siren --out run --force",
    ] {
        let words = ["run/reconstruction.png is what is to be fitted", "--out"];
        fails(&place, &format!("{line} {TINY}"), 1, &words);
        assert!(place.files("") == before, "{line}");
    }
    place
        .run(&format!("compare icon.png leaf.png --models siren {TINY}"))
        .done();
    let before = place.files("");
    let other = "out/compare/leaf/siren/reconstruction.png";
    std::fs::copy(place.path("leaf.png"), place.path(other)).unwrap();
    let line = format!("compare leaf.png {other} --models siren {TINY} --force");
    fails(&place, &line, 1, &[other, "to be fitted"]);
    assert_eq!(place.bytes(other), place.bytes("leaf.png"));
    assert_eq!(place.files("").len(), before.len());
}

/// Nor what a held-out comparison writes beside its runs.
#[test]
fn an_input_called_like_a_reduced_one_is_spared() {
    let place = Place::new();
    std::fs::create_dir(place.path("here")).unwrap();
    for name in ["reduced", "bicubic"] {
        let input = format!("here/{name}.png");
        std::fs::copy(place.path("icon.png"), place.path(&input)).unwrap();
        let line = format!("compare {input} --models siren --holdout 2 --out here --force {TINY}");
        let words = [&*format!("{input} is what is to be fitted"), "--out"];
        fails(&place, &line, 1, &words);
        assert_eq!(place.bytes(&input), place.bytes("icon.png"));
    }
}

/// A write error in the middle of a run: files may not grow beyond a few kilobytes.
#[cfg(unix)]
#[test]
fn a_write_error_leaves_no_half_of_a_file() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    place.write("kept.png", "kept");
    // A shell counts in blocks of 512 or of 1024 bytes; the model has 10 kB. The trap turns the signal into an error of the write.
    let limited = |line: &str| place.shell(&format!("trap '' XFSZ; ulimit -f 8; exec inr {line}"));
    limited(&format!("fit icon.png --model siren --out new -q {TINY}"))
        .failed(1, &["cannot write new/"]);
    // A run that failed before its first checkpoint leaves nothing, so that it is not in the way of the next one.
    assert!(place.names("").into_iter().all(|name| &*name != "new"));
    place.fit("icon.png --model siren --out new");

    let before = place.files("");
    let upsample = "upsample run --device cpu --scale 4 --bit-depth 16 -q -o";
    limited(&format!("{upsample} x.png")).failed(1, &["cannot write x.png"]);
    limited(&format!("{upsample} kept.png --force")).failed(1, &["cannot write kept.png"]);
    assert!(place.files("") == before);
}

/// A file system of 64 kB, taken away at the end.
#[cfg(target_os = "linux")]
struct SmallDisk(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// `None` where mounting is not permitted.
    fn mount(folder: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir(&folder).unwrap();
        let output = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(&folder)
            .output();
        let mounted = output.is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_half_of_a_file() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    let Some(_disk) = SmallDisk::mount(place.path("disk")) else {
        skipped("mounting a small file system is not permitted here");
        return;
    };
    // 20,000 numbers of 4 bytes are more than the disk holds.
    let line = "fit icon.png --model siren --params 20k --steps 3 --device cpu -q --out disk/run";
    place
        .run(line)
        .failed(1, &["cannot write disk/run/", "No space left"]);
    assert!(!place.path("disk/run/model.safetensors").exists());
    place
        .run("upsample run --device cpu --scale 8 --bit-depth 16 -q -o disk/x.png")
        .failed(1, &["cannot write disk/x.png", "No space left"]);
    assert!(!place.path("disk/x.png").exists());
    place.write("disk/kept.png", "kept");
    place
        .run("upsample run --device cpu --scale 8 --bit-depth 16 -q -o disk/kept.png --force")
        .failed(1, &["No space left"]);
    assert_eq!(place.bytes("disk/kept.png"), b"kept");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_an_error_and_a_closed_one_is_not() {
    let place = Place::new();
    for line in ["models", "models --json", "completions bash", "devices"] {
        place
            .shell(&format!("inr {line} > /dev/full"))
            .failed(1, &["cannot write to standard output"]);
        place.shell(&format!("inr {line} | true")).done();
    }
}

/// What is said may go nowhere, and a name may be no text: neither is a reason to stop, let alone to panic (101).
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_and_names_that_are_no_text_do_no_harm() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    place
        .shell("inr fit nothing.png --device cpu 2> /dev/full")
        .coded(1);
    place
        .shell(&format!(
            "inr fit icon.png --model siren --out said {TINY} 2> /dev/full"
        ))
        .done();
    let odd = "odd=$(printf 'r\\377'); cp -r run \"$odd\";";
    for line in [
        "inr info \"$odd\" --json",
        "inr upsample \"$odd\" --scale 1 --device cpu -q --json",
    ] {
        place.shell(&format!("{odd} {line}")).done();
    }
}

/// What only looks like a comparison, or like nothing, is not replaced without --force.
#[test]
fn files_of_others_are_kept() {
    let place = Place::new();
    std::fs::create_dir(place.path("mine")).unwrap();
    for (file, text) in [
        ("compare.json", "{\"my\": \"data\"}"),
        ("compare.csv", "a,b"),
        ("report.html", "mine"),
    ] {
        place.write(&format!("mine/{file}"), text);
    }
    place.fit("icon.png --model siren --out run");
    let before = place.files("");
    let compare = format!("compare icon.png --models siren --out mine {TINY}");
    for line in [&compare, &format!("{compare} --resume")] {
        fails(
            &place,
            line,
            1,
            &["mine/compare.json is no comparison", "--force"],
        );
        assert!(place.files("") == before);
    }
    // A recipe of one's own is no result of the run that follows it.
    let line = format!("fit icon.png --config run/recipe.toml --out run --force {TINY}");
    fails(&place, &line, 2, &["--config run/recipe.toml lies where"]);
    assert!(place.files("") == before);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere.png", place.path("link.png")).unwrap();
        let line = "upsample run --device cpu -o link.png";
        fails(&place, line, 1, &["link.png already exists"]);
        assert!(place.path("link.png").is_symlink());
    }
}

/// Sizes that are set are scaled with the others, which is said with what keeps them.
#[test]
fn sizes_that_are_scaled_are_told() {
    let place = Place::new();
    let fit = |flags: &str| format!("fit icon.png --model siren {TINY} --force --out run {flags}");
    let told = |flags: &str| place.run(&fit(flags)).done().stderr;
    let widths = "--set model.layers.1.width=9";
    assert!(told(widths).contains("model.layers.1.width=9 became "));
    let kept = format!("{widths} --set model.parameters=0 --set model.layers.2.width=9");
    assert!(!told(&kept).contains("became"));
    assert!(place.text("run/recipe.toml").contains("width = 9"));
    assert!(!told("--set model.layers.1.omega_0=20").contains("became"));
}

/// A file that says that there was nothing to fit is damaged, whatever is asked of it.
#[test]
fn a_model_of_nothing_is_damaged() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    let mut model = Model::read(&place.path("run/model.safetensors")).unwrap();
    model.header.signal["width"] = 0.into();
    place.write("empty.safetensors", model.to_bytes());
    for line in [
        "upsample empty.safetensors -o x.png",
        "eval empty.safetensors icon.png",
    ] {
        let words = ["empty.safetensors is damaged", "no samples"];
        fails(&place, &format!("{line} --device cpu"), 1, &words);
    }
}
