//! Small meshes, and distances held to closed forms, to brute force and to the parity of crossings.

use super::bvh::Bvh;
use super::distance::Distance;
use super::mesh::Mesh;
use super::read::{Content, Format};
use super::{bvh, topology, vector};

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

/// The meshes of the folder that `INR_DATA` names; none without it.
fn data_meshes() -> Vec<(String, Mesh)> {
    let Some(folder) = std::env::var_os("INR_DATA") else {
        println!("skipped: INR_DATA names no folder with meshes");
        return Vec::new();
    };
    let mut paths: Vec<_> = std::fs::read_dir(std::path::Path::new(&folder).join("meshes"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            let extension = path.extension()?.to_str()?;
            let format = Format::of(&bytes[..bytes.len().min(64)], extension)?;
            match format.read(&bytes, &mut Vec::new()) {
                Ok(Content::Mesh(mesh)) => Some((path.display().to_string(), mesh)),
                _ => None,
            }
        })
        .collect()
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

#[test]
fn distances_equal_brute_force() {
    for (path, mesh) in data_meshes() {
        let size = f64::from(mesh.bounds()[1][0] - mesh.bounds()[0][0]);
        let distance = Distance::unsigned(Bvh::new(&mesh));
        for &point in around(&mesh, 30).as_chunks::<3>().0 {
            let expected = (0..mesh.faces.len())
                .map(|face| {
                    let query = vector::widen(point);
                    let (closest, _) = bvh::closest_on_triangle(query, mesh.corners(face));
                    vector::norm(vector::sub(query, closest))
                })
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
    for (path, mesh) in data_meshes() {
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
        let mut wrong = [0, 0];
        for &point in points.as_chunks::<3>().0 {
            if let Some(inside) = inside_by_parity(&mesh, point) {
                for (wrong, distance) in wrong.iter_mut().zip([&by_normals, &by_winding]) {
                    *wrong += usize::from((distance.at(point, f32::INFINITY) < 0.0) != inside);
                }
            }
        }
        assert_eq!(wrong, [0, 0], "{path}");
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
        let body = super::body::Body::new(Content::Mesh(mesh), &mut warnings);
        assert!(body.is_ok());
        let found = warnings.iter().any(|text| text.contains("from the origin"));
        assert_eq!(found, warned, "{distance}: {warnings:?}");
    }
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
        let (body, frame, _) = super::body::Body::new(Content::Mesh(mesh), &mut warnings).unwrap();
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
