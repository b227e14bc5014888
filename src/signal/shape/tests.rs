//! Small meshes, and distances held to closed forms, to brute force and to the parity of crossings.

use std::io::Write;

use super::body::Body;
use super::bvh::Bvh;
use super::distance::Distance;
use super::mesh::Mesh;
use super::read::{Content, Format};
use super::{Frame, topology, vector};

/// A tetrahedron with the origin as a corner.
pub(super) fn tetrahedron() -> Mesh {
    Mesh {
        vertices: vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        faces: vec![[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]],
        normals: Vec::new(),
    }
}

/// The cube [-0.5, 0.5]³.
pub(super) fn cube() -> Mesh {
    let vertices = (0..8).map(|i| [i & 1, i >> 1 & 1, i >> 2].map(|bit| bit as f32 - 0.5));
    let quads: [[u32; 4]; 6] = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    Mesh {
        vertices: vertices.collect(),
        faces: quads
            .iter()
            .flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]])
            .collect(),
        normals: Vec::new(),
    }
}

/// A knot, a cube with a cavity, and the meshes of the folder that `INR_DATA` names.
fn meshes() -> Vec<(String, Mesh)> {
    let knot = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/knot.ply");
    let mut paths = vec![std::path::PathBuf::from(knot)];
    match std::env::var_os("INR_DATA") {
        Some(folder) => {
            let files = std::fs::read_dir(std::path::Path::new(&folder).join("meshes")).unwrap();
            paths.extend(files.map(|entry| entry.unwrap().path()));
        }
        // Past the test harness, which shows nothing of a test that passes.
        None => {
            let _ = writeln!(
                std::io::stderr(),
                "skipped, but for two meshes: INR_DATA names no folder with more"
            );
        }
    }
    paths.sort();
    let cavity = cubes(&[(1.0, 0.0, false), (0.5, 0.0, true)]);
    let read = paths.into_iter().filter_map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        let extension = path.extension()?.to_str()?;
        let format = Format::of(&bytes[..bytes.len().min(64)], extension)?;
        match format.read(&bytes, &mut Vec::new()) {
            Ok(Content::Mesh(mesh)) => Some((path.display().to_string(), mesh)),
            _ => None,
        }
    });
    read.chain([("a cube with a cavity".to_string(), cavity)])
        .collect()
}

/// The distance from a point to a triangle: that to its plane where the foot is inside of it, else that to the nearest of its sides.
fn distance_to_triangle(point: vector::Vector, corners: [vector::Vector; 3]) -> f64 {
    use vector::{cross, dot, norm, sub};
    let sides = [0, 1, 2].map(|i| sub(corners[(i + 1) % 3], corners[i]));
    let across = cross(sides[0], sides[1]);
    let ways = corners.map(|corner| sub(point, corner));
    let within = [0, 1, 2].map(|i| dot(cross(sides[i], ways[i]), across) >= 0.0);
    if within == [true; 3] && norm(across) > 0.0 {
        return (dot(ways[0], across) / norm(across)).abs();
    }
    let to_side = |i: usize| {
        let length = dot(sides[i], sides[i]).max(f64::MIN_POSITIVE);
        let share = (dot(ways[i], sides[i]) / length).clamp(0.0, 1.0);
        norm(sub(ways[i], sides[i].map(|x| share * x)))
    };
    to_side(0).min(to_side(1)).min(to_side(2))
}

/// Numbers from 0 to 1 that look random.
fn random(state: &mut u64) -> f32 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f32 / (1 << 24) as f32
}

/// `count` points in the bounding box widened by a tenth, `[n, 3]`.
fn around(mesh: &Mesh, count: usize) -> Vec<f32> {
    let [low, high] = mesh.bounds();
    let mut state = 7;
    (0..3 * count)
        .map(|i| {
            let axis = i % 3;
            let side = high[axis] - low[axis];
            low[axis] + (1.2 * random(&mut state) - 0.1) * side
        })
        .collect()
}

#[test]
fn the_distance_of_a_cube_is_exact() {
    let [pseudonormals, winding] = [
        Distance::by_pseudonormals(&cube()),
        Distance::by_winding(&cube()),
    ];
    for point in around(&cube(), 2000).as_chunks().0 {
        // Quilez's box: the length of the part outside, and inside the largest component.
        let q = point.map(|x: f32| x.abs() - 0.5);
        let outside = q.iter().map(|x| x.max(0.0).powi(2)).sum::<f32>().sqrt();
        let expected = outside + q.iter().copied().fold(f32::MIN, f32::max).min(0.0);
        for distance in [&pseudonormals, &winding] {
            let found = distance.at(*point, f32::INFINITY);
            assert!(
                (found - expected).abs() < 1e-6,
                "{point:?}: {found} for {expected}"
            );
            // What is known of it before must not change it.
            assert_eq!(distance.at(*point, found.abs()), found);
        }
    }
}

/// A torus of flat quads lies within its tube by at most the sagittas of both circles, (R + r)(1 − cos(π/n)) + r (1 − cos(π/m)).
#[test]
fn the_distance_of_a_tessellated_torus_is_that_of_the_torus() {
    let ([ring, tube], [n, m]) = ([0.6_f64, 0.25], [96_u32, 48]);
    let vertices = (0..n * m).map(|index| {
        let turn = |i: u32, of: u32| std::f64::consts::TAU * f64::from(i) / f64::from(of);
        let [(a, b), (c, d)] = [turn(index / m, n), turn(index % m, m)].map(f64::sin_cos);
        let radius = ring + tube * d;
        [radius * b, radius * a, tube * c].map(|x| x as f32)
    });
    let faces = (0..n * m).flat_map(|index| {
        let (i, j) = (index / m, index % m);
        let at = |i: u32, j: u32| (i % n) * m + j % m;
        let [a, b, c, d] = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
        [[a, b, c], [a, c, d]]
    });
    let mesh = Mesh {
        vertices: vertices.collect(),
        faces: faces.collect(),
        normals: Vec::new(),
    };
    let sagitta =
        |radius: f64, of: u32| radius * (1.0 - (std::f64::consts::PI / f64::from(of)).cos());
    let bound = sagitta(ring + tube, n) + sagitta(tube, m) + 1e-6;
    for distance in [
        Distance::by_pseudonormals(&mesh),
        Distance::by_winding(&mesh),
    ] {
        for &point in around(&mesh, 2000).as_chunks::<3>().0 {
            let [x, y, z] = vector::widen(point);
            let expected = (x.hypot(y) - ring).hypot(z) - tube;
            let found = f64::from(distance.at(point, f32::INFINITY));
            assert!(
                (found - expected).abs() < bound,
                "{point:?}: {found} for {expected}"
            );
        }
    }
}

#[test]
fn distances_equal_brute_force() {
    for (path, mesh) in meshes() {
        let size = f64::from(mesh.bounds()[1][0] - mesh.bounds()[0][0]);
        let distance = Distance::unsigned(Bvh::new(&mesh));
        for &point in around(&mesh, 30).as_chunks::<3>().0 {
            let expected = (0..mesh.faces.len())
                .map(|face| distance_to_triangle(vector::widen(point), mesh.corners(face)))
                .fold(f64::INFINITY, f64::min);
            let found = f64::from(distance.at(point, f32::INFINITY));
            assert!(
                (found - expected).abs() < 1e-6 * size.max(expected),
                "{path}"
            );
        }
    }
}

/// Whether a point is inside, by the number of faces that rays in three directions cross; none if the rays disagree.
fn inside_by_parity(mesh: &Mesh, point: [f32; 3]) -> Option<bool> {
    let origin = vector::widen(point);
    let parities = [
        [0.83, 0.41, 0.37],
        [-0.29, 0.71, -0.64],
        [0.11, -0.52, 0.85],
    ]
    .map(|along| {
        let crossed = (0..mesh.faces.len()).filter(|&face| {
            // Moeller and Trumbore 1997.
            let [a, b, c] = mesh.corners(face);
            let (e1, e2) = (vector::sub(b, a), vector::sub(c, a));
            let p = vector::cross(along, e2);
            let determinant = vector::dot(e1, p);
            let t = vector::sub(origin, a);
            let q = vector::cross(t, e1);
            let [u, v, s] = [vector::dot(t, p), vector::dot(along, q), vector::dot(e2, q)]
                .map(|x| x / determinant);
            u >= 0.0 && v >= 0.0 && u + v <= 1.0 && s > 0.0
        });
        crossed.count() % 2 == 1
    });
    (parities[0] == parities[1] && parities[1] == parities[2]).then_some(parities[0])
}

#[test]
fn signs_equal_the_parity_of_crossings() {
    for (path, mesh) in meshes() {
        if !topology::Topology::new(&mesh.faces).watertight() {
            continue;
        }
        let [by_normals, by_winding] = [
            Distance::by_pseudonormals(&mesh),
            Distance::by_winding(&mesh),
        ];
        let mut points = around(&mesh, 100);
        // And close to the surface: beside corners of faces.
        let side = mesh.bounds()[1][0] - mesh.bounds()[0][0];
        let mut state = 3;
        for _ in 0..100 {
            let vertex = mesh.vertices[(random(&mut state) * mesh.vertices.len() as f32) as usize];
            points.extend(vertex.map(|x| x + 0.01 * side * (random(&mut state) - 0.5)));
        }
        let (mut wrong, mut told) = ([0, 0], 0);
        for &point in points.as_chunks::<3>().0 {
            if let Some(inside) = inside_by_parity(&mesh, point) {
                told += 1;
                for (wrong, distance) in wrong.iter_mut().zip([&by_normals, &by_winding]) {
                    *wrong += usize::from((distance.at(point, f32::INFINITY) < 0.0) != inside);
                }
            }
        }
        assert_eq!(wrong, [0, 0], "{path}");
        assert!(
            told > 150,
            "{path}: rays disagree at all but {told} of 200 points"
        );
    }
}

/// Values of a ball of radius 5 in the middle of 16³ cells, by what `value` makes of the distance from its surface.
fn ball(value: impl Fn(f32) -> f32) -> Vec<f32> {
    let axis = |i: usize| (i % 16) as f32 - 7.5;
    let distance = |i: usize| {
        let [x, y, z] = [axis(i / 256), axis(i / 16), axis(i)];
        (x * x + y * y + z * z).sqrt() - 5.0
    };
    (0..4096).map(|i| value(distance(i))).collect()
}

#[test]
fn unsigned_distances_are_not_taken_for_occupancies() {
    let grid = |value: fn(f32) -> f32| super::grid::Grid::new([16; 3], ball(value));
    assert!(grid(|d| d).is_ok());
    assert!(grid(|d| f32::from(u8::from(d < 0.0))).is_ok());
    // A soft occupancy.
    assert!(grid(|d| 1.0 / (1.0 + (4.0 * d).exp())).is_ok());
    for unsigned in [|d: f32| d.abs(), |d: f32| d.abs() / 10.0] {
        let Err(error) = grid(unsigned) else {
            panic!("it was taken")
        };
        assert!(error.contains("negative inside"), "{error}");
    }
}

/// A box of half sides 0.5, 0.4 and 0.3.
#[test]
fn a_formula_is_as_large_as_its_surface() {
    let shape = super::Shape::by_formula("box(0.5,0.4,0.3)").unwrap();
    for (found, expected) in shape.layout.extents.into_iter().zip([1.0, 0.8, 0.6]) {
        assert!(
            (found - expected).abs() < 2e-3,
            "{found} instead of {expected}"
        );
    }
}

/// The cube of side 1, moved away.
#[test]
fn a_mesh_far_from_the_origin_is_warned_of() {
    for (distance, warned) in [(0.0, false), (1e2, false), (1e7, true)] {
        let mut mesh = cube();
        for [x, _, _] in &mut mesh.vertices {
            *x += distance;
        }
        let mut warnings = Vec::new();
        assert!(Body::place(&Content::Mesh(mesh), &mut warnings).is_ok());
        let found = warnings.iter().any(|text| text.contains("from the origin"));
        assert_eq!(found, warned, "{distance}: {warnings:?}");
    }
}

fn body(mesh: Mesh, warnings: &mut Vec<String>) -> (Body, Frame) {
    let content = Content::Mesh(mesh);
    let (frame, _) = Body::place(&content, warnings).unwrap();
    (Body::new(content, &frame, warnings), frame)
}

/// Cubes in one mesh, each with its half side, its place along x, and whether its faces look inwards.
fn cubes(all: &[(f32, f32, bool)]) -> Mesh {
    let mut mesh = Mesh::default();
    for &(half, x, inwards) in all {
        let one = cube();
        let first = mesh.vertices.len() as u32;
        let moved = one.vertices.iter().map(|v| {
            let [a, b, c] = v.map(|value| 2.0 * half * value);
            [a + x, b, c]
        });
        mesh.vertices.extend(moved);
        mesh.faces
            .extend(one.faces.iter().map(|&[a, b, c]| match inwards {
                true => [first + a, first + c, first + b],
                false => [first + a, first + b, first + c],
            }));
    }
    mesh
}

#[test]
fn bodies_that_look_inwards_are_turned_and_cavities_are_not() {
    let inside = |mesh: Mesh, x: f32| {
        let mut warnings = Vec::new();
        let (body, frame) = body(mesh, &mut warnings);
        let mut distance = [f32::INFINITY];
        body.distances(&frame.coordinate([x, 0.0, 0.0]), &mut distance);
        (distance[0] < 0.0, warnings)
    };
    // A body beside another one.
    let two = cubes(&[(0.5, 0.0, false), (0.5, 2.0, true)]);
    let (found, warnings) = inside(two, 2.0);
    assert!(
        found && warnings == ["1 of its 2 bodies look inwards and were turned"],
        "{warnings:?}"
    );
    // A cavity, with and without a face that is turned.
    let mut hollow = cubes(&[(1.0, 0.0, false), (0.5, 0.0, true)]);
    for turned in [false, true] {
        if turned {
            hollow.faces[20].swap(1, 2);
        }
        let (found, warnings) = inside(hollow.clone(), 0.0);
        assert!(!found, "{warnings:?}");
        assert_eq!(warnings.len(), usize::from(turned), "{warnings:?}");
        assert!(inside(hollow.clone(), 0.8).0);
    }
    // All of it inside out.
    let (found, warnings) = inside(cubes(&[(1.0, 0.0, true), (0.5, 0.0, false)]), 0.0);
    assert!(
        !found && warnings == ["its faces look inwards and were turned"],
        "{warnings:?}"
    );
}

/// The height z = `height`(x, y) over [-1, 1]², looking upwards.
fn sheet(height: impl Fn(f32, f32) -> f32) -> Mesh {
    const SIDE: u32 = 33;
    let place = |i: u32| 2.0 * (i as f32) / (SIDE - 1) as f32 - 1.0;
    let vertices = (0..SIDE * SIDE).map(|i| {
        let (x, y) = (place(i % SIDE), place(i / SIDE));
        [x, y, height(x, y)]
    });
    let cells = (0..(SIDE - 1) * (SIDE - 1)).map(|i| i / (SIDE - 1) * SIDE + i % (SIDE - 1));
    let faces = cells.flat_map(|a| [[a, a + 1, a + SIDE + 1], [a, a + SIDE + 1, a + SIDE]]);
    Mesh {
        vertices: vertices.collect(),
        faces: faces.collect(),
        normals: Vec::new(),
    }
}

/// Where bodies overlap, the nearest face may be one within the other body.
#[test]
fn meshes_that_intersect_themselves_are_told_and_have_one_inside() {
    let mut warnings = Vec::new();
    let overlapping = cubes(&[(0.5, 0.0, false), (0.5, 0.6, false)]);
    let (body, frame) = body(overlapping, &mut warnings);
    assert!(
        warnings.iter().any(|w| w.contains("intersects itself")),
        "{warnings:?}"
    );
    // In the first, in both, just beside the inner faces, in the second; before, above and behind.
    let inside = [-0.4, 0.3, 0.11, 0.49, 1.0];
    let outside = [[-0.6, 0.0, 0.0], [0.3, 0.0, 0.6], [1.2, 0.0, 0.0]];
    let inside = inside.map(|x| ([x, 0.0, 0.0], true));
    for (point, is_inside) in inside.into_iter().chain(outside.map(|p| (p, false))) {
        let mut distance = [f32::INFINITY];
        body.distances(&frame.coordinate(point), &mut distance);
        assert_eq!(distance[0] < 0.0, is_inside, "{point:?}");
    }
}

/// Solids with a hole have an inside, whichever way they look; flat and wavy sheets have none.
#[test]
fn open_meshes_have_an_inside_when_they_nearly_close() {
    let open_cube = |inwards: bool| {
        let mut mesh = cubes(&[(0.5, 0.0, inwards)]);
        mesh.faces.truncate(10);
        mesh
    };
    let waves = |x: f32, y: f32| 0.2 * (6.0 * x).sin() * (6.0 * y).cos();
    for (name, mesh, expected) in [
        ("a cube without a side", open_cube(false), Some(1)),
        ("the same inside out", open_cube(true), Some(2)),
        ("a flat sheet", sheet(|_, _| 0.0), None),
        ("a wavy sheet", sheet(waves), None),
    ] {
        let mut warnings = Vec::new();
        let (body, frame) = body(mesh, &mut warnings);
        let solid = body.hollow().is_none();
        assert_eq!(
            solid.then_some(warnings.len()),
            expected,
            "{name}: {warnings:?}"
        );
        let mut distance = [f32::INFINITY];
        body.distances(&frame.coordinate([0.1, 0.0, 0.3]), &mut distance);
        assert_eq!(distance[0] < 0.0, solid, "{name}");
        assert_eq!(
            warnings.iter().any(|text| text.contains("were turned")),
            expected == Some(2),
            "{name}: {warnings:?}"
        );
    }
}

#[test]
fn flat_and_boundless_extents_are_no_accident() {
    let mut layout = super::Shape::by_formula("sphere(0.5)").unwrap().layout;
    layout.extents = [12.5, 0.25, 0.0];
    assert!(
        layout.describe().starts_with("shape of 12.5 x 0.250 x 0,"),
        "{}",
        layout.describe()
    );
    let mut mesh = cube();
    for x in mesh.vertices.iter_mut().flatten() {
        *x = x.signum() * 3e38;
    }
    let place = Body::place(&Content::Mesh(mesh), &mut Vec::new());
    assert!(place.is_err_and(|error| error.contains("scale it down")));
}

/// An editor's byte order mark is no part of the first word.
#[test]
fn a_byte_order_mark_is_passed_over() {
    let stl = "solid x\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendsolid x\n";
    for (format, text) in [
        (Format::Obj, "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"),
        (Format::Off, "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"),
        (Format::Stl, stl),
    ] {
        let bytes = format!("\u{feff}{text}").into_bytes();
        let extension = format.name().to_ascii_lowercase();
        assert_eq!(Format::of(&bytes, &extension), Some(format));
        let Ok(Content::Mesh(mesh)) = format.read(&bytes, &mut Vec::new()) else {
            panic!("a mesh of {extension}")
        };
        assert_eq!((mesh.vertices.len(), mesh.faces.len()), (3, 1));
    }
}

/// A ball of radius 3 in a grid of 24 cells a side: the sides are those of the ball.
#[test]
fn the_extents_of_a_grid_are_those_of_its_shape() {
    let centre = |i: usize| i as f32 - 11.5;
    let values = (0..24_usize.pow(3)).map(|i| {
        let place = [centre(i / 576), centre(i / 24 % 24), centre(i % 24)];
        place.iter().map(|x| x * x).sum::<f32>().sqrt() - 3.0
    });
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (24, 24, 24)}\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.flat_map(f32::to_le_bytes));
    let file = tempfile::Builder::new().suffix(".npy").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let signal = crate::signal::load(file.path()).unwrap();
    let crate::signal::Layout::Shape(layout) = signal.layout() else {
        panic!("a shape")
    };
    // Between the places of the grid the distance is a little too large.
    for side in layout.extents {
        assert!(side > 5.7 && side < 6.0, "{side}");
    }
}
