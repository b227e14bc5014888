//! What `inr fit` keeps of a shape: the mesh in the format and at the resolution that are asked for.

use inr::render::MeshFormat;
use serde_json::Value;

use super::cli_errors::fails;
use super::program::Place;
use super::shapes::{CUBE, report};

#[test]
fn a_reconstruction_has_the_resolution_and_the_format_that_are_asked_for() {
    let place = Place::new();
    std::fs::write(place.path("cube.obj"), CUBE).unwrap();
    let fit =
        "fit cube.obj --model siren --params 2k --steps 100 --batch 1024 --device cpu --out run";
    let kept = || -> Vec<String> {
        let files = std::fs::read_dir(place.path("run")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.starts_with("reconstruction"))
            .collect()
    };
    for format in MeshFormat::ALL {
        let ending = format.extension();
        place
            .run(&format!(
                "{fit} --force --resolution 24 --reconstruction {ending}"
            ))
            .done();
        let name = format!("reconstruction.{ending}");
        assert_eq!(kept(), std::slice::from_ref(&name));
        let files = report(&place, "run")["files"].clone();
        assert!(
            files
                .as_array()
                .unwrap()
                .contains(&Value::from(name.clone())),
            "{files}"
        );
        place
            .run(&format!(
                "upsample run --resolution 24 -o again.{ending} --device cpu"
            ))
            .done();
        let [kept, again] = [format!("run/{name}"), format!("again.{ending}")];
        assert!(place.bytes(&kept) == place.bytes(&again), "{ending}");
    }
    // Both are settings of the run: drawn again it is the same, and with another format that one alone.
    let drawn = place.bytes("run/reconstruction.glb");
    place
        .run("fit cube.obj --resume --device cpu --out run")
        .done();
    assert!(place.bytes("run/reconstruction.glb") == drawn);
    place
        .run("fit cube.obj --resume --device cpu --out run --reconstruction stl")
        .done();
    assert_eq!(kept(), ["reconstruction.stl"]);
    // What the run did not draw stays.
    std::fs::write(place.path("run/reconstruction.obj"), "mine").unwrap();
    place
        .run("fit cube.obj --resume --device cpu --out run")
        .done();
    assert_eq!(place.bytes("run/reconstruction.obj"), b"mine");
    // Points that all lie beside the ring find no surface, and say why.
    let coarse = "fit sdf:torus --model siren --params 5k --steps 150 --batch 1024 --device cpu --out ring --reconstruction glb --resolution 2";
    let ended = place.run(coarse).done();
    assert!(
        ended.stderr.contains("--resolution; take a higher one"),
        "{}",
        ended.stderr
    );
    assert!(place.path("ring/preview.png").exists());

    let picture = super::program::repository().join("assets/leaf.png");
    std::fs::copy(picture, place.path("leaf.png")).unwrap();
    // Every input is asked before any is fitted.
    let both =
        "compare cube.obj leaf.png --models siren --set reconstruction.resolution=24 --out both";
    fails(&place, both, 2, &["inr upsample"]);
    for (line, words) in [
        ("cube.obj --reconstruction off", "ply, obj, stl, glb"),
        ("cube.obj --resolution 5000", "2 to 4096"),
        ("leaf.png --reconstruction jpg", "png"),
        ("leaf.png --resolution 64", "inr upsample"),
    ] {
        fails(&place, &format!("fit {line} --out none"), 2, &[words]);
    }
}
