//! Shapes from a file or a formula to a mesh and back, by the program.

use inr::render::MeshFormat;
use serde_json::Value;

use super::cli_errors::fails;
use super::program::Place;

/// A budget that takes seconds.
const SHORT: &str = "--params 5k --steps 150 --batch 4096 --device cpu";

/// One face, open at all its edges.
const SHEET: &str = "v 0 0 0\nv 2 0 0\nv 2 2 0\nv 0 2 0\nf 1 2 3 4\n";

/// A cube of side 2 around (5, 0, 0), faces anticlockwise from outside.
pub const CUBE: &str = "\
v 4 -1 -1\nv 6 -1 -1\nv 6 1 -1\nv 4 1 -1\nv 4 -1 1\nv 6 -1 1\nv 6 1 1\nv 4 1 1
f 1 4 3 2\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n";

pub fn report(place: &Place, folder: &str) -> Value {
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
    // Every format holds the same surface, in the same place, and can be read again.
    let metrics = |mesh: &str| {
        let eval = format!("eval {mesh} cube.obj --json");
        place.run(&eval).done().json()
    };
    let coarse = metrics("coarse.obj");
    for format in MeshFormat::ALL {
        let mesh = format!("coarse-again.{}", format.extension());
        place
            .run(&format!(
                "upsample {folder} --resolution 24 -o {mesh} --device cpu"
            ))
            .done();
        let again = metrics(&mesh);
        for metric in ["iou", "chamfer_l1", "normal_consistency"] {
            let [again, coarse] = [&again, &coarse].map(|m| m[metric].as_f64().unwrap());
            assert!(
                (again - coarse).abs() < 1e-3,
                "{mesh}, {metric}: {again} {coarse}"
            );
        }
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
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
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

/// The cube without a side still has an inside, which is said; a sheet has none and is learnt as a surface alone.
#[test]
fn open_meshes_are_solids_where_they_can_be_and_sheets_otherwise() {
    let place = Place::new();
    let open = CUBE.trim_end().rsplit_once('\n').unwrap().0;
    place.write("open.obj", open);
    let ended = place
        .run(&format!("fit open.obj --model siren {SHORT}"))
        .done();
    let said = "it is open at 4 edges: inside is where its winding number is above 1/2";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    let iou = report(&place, "out/open-siren")["metrics"]["iou"]
        .as_f64()
        .unwrap();
    assert!(iou > 0.8, "{iou}");

    place.write("sheet.obj", SHEET);
    let line = format!("fit sheet.obj --model siren {SHORT}");
    place.run(&line).failed(
        1,
        &[
            "no inside (it is open at 4 edges)",
            "--set training.target=unsigned",
        ],
    );
    place
        .run(&format!("{line} --set training.target=unsigned"))
        .done();
    let report = report(&place, "out/sheet-siren");
    assert!(report["metrics"].get("iou").is_none(), "{report}");
    assert!(report["metrics"]["chamfer_l1"].as_f64().unwrap() < 0.05);
}

#[test]
fn meshes_are_measured_against_shapes() {
    let place = Place::new();
    place.write("cube.obj", CUBE);
    // Twice as long along x: half of it is the cube, and its surface is no farther than 2 from it.
    place.write("long.obj", CUBE.replace("v 6", "v 8"));
    let metrics = |line: &str| place.run(line).done().json();
    let metric = |metrics: &Value, name: &str| metrics[name].as_f64().unwrap();
    let same = metrics("eval cube.obj cube.obj --json");
    assert_eq!(metric(&same, "iou"), 1.0);
    assert!(metric(&same, "sdf_mae") < 1e-6, "{same}");
    assert!(metric(&same, "chamfer_l1") < 0.003, "{same}");
    let long = metrics("eval long.obj cube.obj --json");
    assert!((metric(&long, "iou") - 0.5).abs() < 0.01, "{long}");
    let short = metrics("eval cube.obj long.obj --json");
    assert!((metric(&short, "iou") - 0.5).abs() < 0.01, "{short}");
    // A network has learnt nothing outside of its box, and nothing is there.
    let budget = "--params 5k --steps 200 --batch 1024 --device cpu";
    place
        .run(&format!("fit cube.obj --model siren {budget}"))
        .done();
    let cube = metrics("eval out/cube-siren long.obj --device cpu --json");
    assert!((metric(&cube, "iou") - 0.5).abs() < 0.03, "{cube}");
    assert!((metric(&cube, "iou_random") - 0.5).abs() < 0.03, "{cube}");
    let chamfer = metric(&long, "chamfer_l1");
    assert!(chamfer > 0.05 && chamfer < 0.5, "{long}");
    // What has no inside has no volume to compare.
    place.write("sheet.obj", SHEET);
    let sheet = metrics("eval cube.obj sheet.obj --json");
    assert!(
        sheet.get("iou").is_none() && sheet.get("sdf_mae").is_none(),
        "{sheet}"
    );
    assert!(metric(&sheet, "chamfer_l1") > 0.5, "{sheet}");
    let ball = metrics("eval cube.obj sdf:sphere(0.5) --json");
    assert_eq!(metric(&ball, "iou"), 0.0);
    place
        .run("eval sdf:sphere(0.5) cube.obj")
        .failed(1, &["only a mesh, or the folder of a run"]);
}

/// A ball by points and normals: by the distances that follow from them, and by the points and normals alone.
#[test]
fn points_are_fitted_as_meshes_are() {
    let place = Place::new();
    // A spiral on the sphere of radius 0.9 (Rakhmanov et al. 1994).
    let count = 500;
    let lines: String = (0..count)
        .map(|i| {
            let z = 1.0 - f64::from(2 * i + 1) / f64::from(count);
            let (radius, angle) = ((1.0 - z * z).sqrt(), 2.399_963 * f64::from(i));
            let [x, y] = [radius * angle.cos(), radius * angle.sin()];
            format!("{} {} {} {x} {y} {z}\n", 0.9 * x, 0.9 * y, 0.9 * z)
        })
        .collect();
    std::fs::write(place.path("ball.xyz"), lines).unwrap();
    let short = "--params 5k --steps 200 --batch 1024 --device cpu";
    let ended = place
        .run(&format!("fit ball.xyz --model siren {short}"))
        .done();
    let metrics = &report(&place, ended.stdout.trim_end())["metrics"];
    assert!(metrics.get("iou").is_none());
    let distance = metrics["chamfer_l1"].as_f64().unwrap();
    // The points are 0.14 apart, half of which is 0.027 diagonals.
    assert!(distance < 0.027, "{distance}");
    let ball = place.run("eval out/ball-siren sdf:sphere(0.9) --device cpu --json");
    let iou = ball.done().json()["iou"].as_f64().unwrap();
    assert!(iou > 0.96, "{iou}");
    // By the points and normals alone.
    let oriented = "--set training.loss=oriented --set training.target=sdf \
                    --set model.layers.0.omega_0=12 --out oriented";
    place
        .run(&format!("fit ball.xyz --model siren {short} {oriented}"))
        .done();
    let distance = report(&place, "oriented")["metrics"]["chamfer_l1"].clone();
    assert!(distance.as_f64().unwrap() < 0.07, "{distance}");
    for (input, setting, words) in [
        (
            "ball.xyz",
            "training.loss=oriented",
            "give --set training.target=sdf too",
        ),
        (
            "icon.png",
            "training.loss=oriented",
            "needs the normals of a shape",
        ),
    ] {
        let line = format!("fit {input} --model siren {short} --set {setting} --out no");
        let ended = place.run(&line);
        assert!(
            matches!(ended.code, Some(1 | 2)),
            "{setting}: {}",
            ended.stderr
        );
        assert!(ended.stderr.contains(words), "{setting}: {}", ended.stderr);
    }
}

/// A network that has no surface yet is a result like any other.
#[test]
fn a_run_without_a_surface_keeps_its_report() {
    let place = Place::new();
    std::fs::write(place.path("cube.obj"), CUBE).unwrap();
    let line = "fit cube.obj --model siren --params 2k --steps 1 --batch 64 --device cpu";
    let without = (2..6).any(|seed| {
        let ended = place.run(&format!("{line} --seed {seed} --force")).done();
        let folder = ended.stdout.trim_end().to_string();
        assert!(place.path(&format!("{folder}/reconstruction.ply")).exists());
        // An infinite distance is null.
        let is_without = report(&place, &folder)["metrics"]["chamfer_l1"].is_null();
        assert_eq!(ended.stderr.contains("siren: no surface"), is_without);
        is_without
    });
    assert!(without, "all of them had a surface");
}

#[test]
fn what_was_asked_of_a_shape_is_remembered() {
    let place = Place::new();
    std::fs::write(place.path("cube.obj"), CUBE).unwrap();
    let occupancy =
        format!("compare cube.obj --models siren {SHORT} --set training.target=occupancy");
    place.run(&format!("{occupancy} --out both")).done();
    let first = report(&place, "both/siren");
    assert_eq!(first["input"]["target"], "occupancy");
    assert!(first["metrics"].get("sdf_mae").is_none());
    let compared: Value = serde_json::from_slice(&place.bytes("both/compare.json")).unwrap();
    assert_eq!(compared["inputs"][0]["models"][0]["target"], "occupancy");
    assert!(compared["inputs"][0]["input"].get("target").is_none());
    place
        .run(&format!("{occupancy} --out both --resume"))
        .done();
    assert_eq!(report(&place, "both/siren"), first);
    // There is no psnr_db among the metrics of a shape, but a target that was missed is still missed.
    let line = format!("fit cube.obj --model siren {SHORT} --target-psnr 90");
    assert_eq!(place.run(&line).code, Some(3));
}

#[test]
fn distances_are_asked_of_shapes_alone() {
    let place = Place::new();
    let line = "fit icon.png --model siren --params 2k --steps 1 --device cpu";
    let words = ["training.target", "a picture", "leave it out"];
    fails(
        &place,
        &format!("{line} --set training.target=sdf"),
        1,
        &words,
    );
}

/// Nothing is lost when somebody does not wait for the pictures.
#[cfg(unix)]
#[test]
fn a_shape_that_is_being_drawn_can_be_left() {
    let place = Place::new();
    std::fs::write(place.path("cube.obj"), CUBE).unwrap();
    let line = format!("fit cube.obj --model siren {SHORT} --out run");
    let ended = place.interrupt(&line, "run/model.safetensors");
    assert!(ended.stderr.contains("--resume draws it"), "{ended:?}");
    assert!(!place.path("run/report.json").exists());
    let model = place.bytes("run/model.safetensors");
    place.run(&format!("{line} --resume")).done();
    assert_eq!(report(&place, "run")["training"]["steps"], 150);
    assert!(place.bytes("run/model.safetensors") == model);
}

/// A sphere of a million faces as binary STL, which repeats every corner: 50 MB.
#[test]
fn a_million_faces_are_read_and_measured() {
    let (around, up) = (1000, 501);
    let corner = |i: usize, j: usize| {
        let (turn, tilt) = (
            std::f64::consts::TAU * (i % around) as f64 / around as f64,
            std::f64::consts::PI * j as f64 / up as f64,
        );
        // Exact poles, so that the faces there meet.
        let radius = if j == 0 || j == up { 0.0 } else { tilt.sin() };
        [radius * turn.cos(), radius * turn.sin(), tilt.cos()].map(|x| x as f32)
    };
    let mut faces = Vec::new();
    for i in 0..around {
        for j in 0..up {
            let [a, b, c, d] = [
                corner(i, j),
                corner(i, j + 1),
                corner(i + 1, j + 1),
                corner(i + 1, j),
            ];
            if j + 1 < up {
                faces.push([a, b, c]);
            }
            if j > 0 {
                faces.push([a, c, d]);
            }
        }
    }
    assert_eq!(faces.len(), 1_000_000);
    let mut bytes = vec![0; 80];
    bytes.extend((faces.len() as u32).to_le_bytes());
    for face in &faces {
        bytes.extend([0; 12]);
        bytes.extend(face.as_flattened().iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend([0; 2]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sphere.stl");
    std::fs::write(&path, bytes).unwrap();
    let signal: Box<dyn std::any::Any> = inr::signal::load(&path).unwrap();
    let shape: Box<inr::signal::Shape> = signal.downcast().unwrap();
    assert!(inr::signal::Signal::warnings(&*shape).is_empty());
    // In coordinates the radius is 0.9; the faces cut at most 0.9 (1 - cos(TAU / 2000)) = 5e-6 off it.
    let points = [
        [0.0, 0.0, 0.0],
        [0.5, 0.0, 0.0],
        [0.7, -0.7, 0.7],
        [0.9, 0.3, 0.0],
    ];
    let mut distances = [0.0; 4];
    shape.distances(points.as_flattened(), &mut distances);
    for (point, distance) in points.iter().zip(distances) {
        let radius = point.iter().map(|x: &f32| x * x).sum::<f32>().sqrt();
        assert!(
            (distance - (radius - 0.9)).abs() < 1e-5,
            "{point:?}: {distance}"
        );
    }
}

#[test]
fn a_shape_is_drawn() {
    let place = Place::new();
    let knot = super::program::repository().join("assets/knot.ply");
    std::fs::copy(knot, place.path("knot.ply")).unwrap();
    let ended = place
        .run(&format!("fit knot.ply --model siren {SHORT}"))
        .done();
    let folder = ended.stdout.trim_end().to_string();
    let pictures = [
        ("", "surface-30,18.png"),
        ("--normals --from 120,-40", "normals-120,-40.png"),
        ("--slice z=-0.25", "slice-z=-0.25.png"),
    ];
    let mut drawn = Vec::new();
    for (flags, name) in pictures {
        let line = format!("render {folder} {flags} --size 64 --device cpu");
        let file = place.run(&line).done().stdout.trim_end().to_string();
        assert_eq!(file, format!("{folder}/{name}"));
        let picture = image::open(place.path(&file)).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (64, 64));
        // Something is to be seen: no picture is of one colour, and all differ.
        assert!(picture.pixels().any(|p| p != picture.get_pixel(0, 0)));
        drawn.push(picture);
        // A file is not replaced unasked.
        assert_eq!(place.run(&line).code, Some(1));
        place.run(&format!("{line} --force")).done();
    }
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2]);
    for (flags, words) in [
        ("--slice w=0", "z=0 or"),
        ("--slice z=0 --normals", "cannot be used with"),
        ("--from 10", "viewpoint"),
        ("-o x.jpg", ".png"),
        ("--size 3", "16"),
    ] {
        let ended = place.run(&format!("render {folder} {flags} --device cpu"));
        assert_eq!(ended.code, Some(2), "{flags}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{flags}: {}", ended.stderr);
    }
    let ended = place
        .run(&format!(
            "fit icon.png --model siren {}",
            super::program::TINY
        ))
        .done();
    let ended = place.run(&format!("render {} --device cpu", ended.stdout.trim_end()));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("inr upsample"), "{}", ended.stderr);
}
