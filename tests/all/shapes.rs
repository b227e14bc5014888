//! Shapes from a file or a formula to a mesh and back, by the program.

use serde_json::Value;

use super::program::Place;

/// A budget that takes seconds.
const SHORT: &str = "--params 5k --steps 150 --batch 4096 --device cpu";

/// A cube of side 2 around (5, 0, 0), faces anticlockwise from outside.
const CUBE: &str = "\
v 4 -1 -1\nv 6 -1 -1\nv 6 1 -1\nv 4 1 -1\nv 4 -1 1\nv 6 -1 1\nv 6 1 1\nv 4 1 1
f 1 4 3 2\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n";

fn report(place: &Place, folder: &str) -> Value {
    serde_json::from_slice(&place.bytes(&format!("{folder}/report.json"))).unwrap()
}

#[test]
fn a_mesh_comes_back_in_its_own_place() {
    let place = Place::new();
    std::fs::write(place.path("cube.obj"), CUBE).unwrap();
    let ended = place
        .run(&format!("fit cube.obj --model siren {SHORT}"))
        .done();
    let folder = ended.stdout.trim_end().to_string();
    assert_eq!(folder, "out/cube-siren");
    for file in ["reconstruction.ply", "preview.png", "orbit.gif"] {
        assert!(place.path(&format!("{folder}/{file}")).exists(), "{file}");
    }
    let report = report(&place, &folder);
    let metric = |name: &str| report["metrics"][name].as_f64().unwrap();
    assert!(metric("iou") > 0.9, "{}", metric("iou"));
    assert!(metric("chamfer_l1") < 0.02, "{}", metric("chamfer_l1"));

    // Another resolution and format; the vertices lie around the cube in the units of its file.
    place
        .run(&format!(
            "upsample {folder} --resolution 24 -o coarse.obj --device cpu"
        ))
        .done();
    let text = String::from_utf8(place.bytes("coarse.obj")).unwrap();
    let vertices: Vec<[f64; 3]> = text
        .lines()
        .filter_map(|line| line.strip_prefix("v "))
        .map(|line| {
            let numbers: Vec<f64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
            [numbers[0], numbers[1], numbers[2]]
        })
        .collect();
    assert!(vertices.len() > 100);
    for axis in 0..3 {
        let centre = if axis == 0 { 5.0 } else { 0.0 };
        let of_axis = vertices.iter().map(|v| v[axis] - centre);
        let (low, high) = of_axis.fold((0.0_f64, 0.0_f64), |(l, h), x| (l.min(x), h.max(x)));
        assert!(
            (low + 1.0).abs() < 0.15 && (high - 1.0).abs() < 0.15,
            "{axis}: {low} {high}"
        );
    }
    for flags in ["--rate 8000", "--size 10x10", "--crop 0,0,1,1", "-o x.png"] {
        let ended = place.run(&format!("upsample {folder} {flags} --device cpu"));
        assert!(
            matches!(ended.code, Some(1 | 2)),
            "{flags}: {}",
            ended.stderr
        );
    }
}

#[test]
fn a_formula_is_a_shape() {
    let place = Place::new();
    let ended = place
        .run(&format!("fit sdf:sphere(0.6) --model siren {SHORT}"))
        .done();
    let folder = ended.stdout.trim_end().to_string();
    let iou = report(&place, &folder)["metrics"]["iou"].as_f64().unwrap();
    assert!(iou > 0.95, "{iou}");
    let ended = place.run(&format!("fit sdf:ball(1) --model siren {SHORT}"));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("sdf:ball(1)"), "{}", ended.stderr);
}

#[test]
fn faulty_meshes_are_refused_in_a_sentence() {
    let place = Place::new();
    std::fs::write(place.path("none.obj"), "v 0 0 0\nv 1 0 0\nv 0 1 0\n").unwrap();
    std::fs::write(
        place.path("nan.obj"),
        "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
    )
    .unwrap();
    std::fs::write(
        place.path("index.obj"),
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    )
    .unwrap();
    std::fs::write(
        place.path("cut.stl"),
        [b"solid? no, binary".repeat(5), vec![9, 0, 0, 0]].concat(),
    )
    .unwrap();
    for file in ["none.obj", "nan.obj", "index.obj", "cut.stl"] {
        let ended = place.run(&format!("fit {file} --model siren {SHORT}"));
        assert_eq!(ended.code, Some(1), "{file}: {}", ended.stderr);
        assert!(ended.stderr.contains(file), "{file}: {}", ended.stderr);
    }
}
