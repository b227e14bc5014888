//! Surfaces of fields whose area, volume and genus are known.

use std::collections::HashMap;
use std::f32::consts::PI;
use std::f64::consts::PI as PI64;

use super::rendering::without_caps;
use super::*;
use crate::signal::shape::{Frame, Mesh, UpAxis};

type Never = std::convert::Infallible;

fn field(
    f: impl Fn([f32; 3]) -> f32 + Sync,
) -> impl FnMut(&[f32], &mut [f32]) -> Result<(), Never> {
    move |points, values| {
        use rayon::prelude::*;
        let (points, _) = points.as_chunks::<3>();
        values
            .par_iter_mut()
            .with_min_len(1024)
            .zip(points)
            .for_each(|(value, &p)| *value = f(p));
        Ok(())
    }
}

fn length(p: &[f32]) -> f32 {
    p.iter().map(|x| x * x).sum::<f32>().sqrt()
}

fn sphere([x, y, z]: [f32; 3]) -> f32 {
    length(&[x - 0.03, y + 0.02, z - 0.01]) - 0.7
}

fn torus([x, y, z]: [f32; 3]) -> f32 {
    length(&[length(&[x, y]) - 0.6, z]) - 0.2
}

/// Smooth pseudo-random waves, far from any distance.
fn waves(seed: u32) -> impl Fn([f32; 3]) -> f32 {
    move |p| {
        (0..8)
            .map(|i| {
                let hash = |k: u32| {
                    let mut h = (seed * 64 + i * 8 + k).wrapping_mul(0x9E37_79B1);
                    h = (h ^ h >> 15).wrapping_mul(0x85EB_CA77);
                    (h ^ h >> 13) as f32 / u32::MAX as f32 * 2.0 - 1.0
                };
                let phase = (0..3).map(|a| 14.0 * hash(a as u32) * p[a]).sum::<f32>();
                hash(4) * (phase + PI * hash(3)).sin()
            })
            .sum()
    }
}

fn mesh(
    f: impl Fn([f32; 3]) -> f32 + Sync,
    lattice: &Lattice,
    search: Search,
    size: usize,
) -> Mesh {
    let mut field = field(f);
    let Ok(blocks) = Blocks::find_with_size(&mut field, lattice, search, size);
    let Ok(mesh) = extract(&mut field, &blocks);
    mesh
}

fn cube(f: impl Fn([f32; 3]) -> f32 + Sync, resolution: u32) -> Mesh {
    mesh(
        f,
        &Lattice::cube(resolution).unwrap(),
        Search::Sampled(4),
        8,
    )
}

/// Asserts that every edge is there once in each direction, and around each vertex there is one fan; returns V − E + F.
fn euler_characteristic(mesh: &Mesh) -> i64 {
    let mut edges = HashMap::new();
    let mut degree = vec![0; mesh.vertices.len()];
    let mut fans: Vec<HashMap<u32, u32>> = vec![HashMap::new(); mesh.vertices.len()];
    for face in &mesh.faces {
        for i in 0..3 {
            let (a, b, c) = (face[i], face[(i + 1) % 3], face[(i + 2) % 3]);
            assert!(edges.insert((a, b), ()).is_none(), "an edge is there twice");
            degree[a as usize] += 1;
            fans[a as usize].insert(b, c);
        }
    }
    for (a, b) in edges.keys() {
        assert!(edges.contains_key(&(*b, *a)), "an edge is open");
    }
    for (fan, degree) in fans.iter().zip(degree) {
        let start = *fan.keys().next().expect("every vertex is in a face");
        let (mut at, mut steps) = (start, 0);
        loop {
            at = fan[&at];
            steps += 1;
            if at == start {
                break;
            }
        }
        assert_eq!(steps, degree, "two fans meet in a vertex");
    }
    mesh.vertices.len() as i64 - edges.len() as i64 / 2 + mesh.faces.len() as i64
}

fn area_and_volume(mesh: &Mesh) -> (f64, f64) {
    let (mut area, mut volume) = (0.0, 0.0);
    for face in &mesh.faces {
        let [a, b, c] = face.map(|i| mesh.vertices[i as usize].map(f64::from));
        let cross = |u: [f64; 3], v: [f64; 3]| {
            [0, 1, 2].map(|i| u[(i + 1) % 3] * v[(i + 2) % 3] - u[(i + 2) % 3] * v[(i + 1) % 3])
        };
        let sides = [b, c].map(|p| [0, 1, 2].map(|i| p[i] - a[i]));
        let n = cross(sides[0], sides[1]);
        area += n.iter().map(|x| x * x).sum::<f64>().sqrt() / 2.0;
        let bc = cross(b, c);
        volume += (0..3).map(|i| a[i] * bc[i]).sum::<f64>() / 6.0;
    }
    (area, volume)
}

/// Triangles as places, in an order of their own.
fn soup(mesh: &Mesh) -> Vec<[[u32; 3]; 3]> {
    let place = |i: u32| mesh.vertices[i as usize].map(f32::to_bits);
    let mut soup: Vec<_> = mesh
        .faces
        .iter()
        .map(|face| {
            let mut places = face.map(place);
            let first = (0..3).min_by_key(|&i| places[i]).unwrap();
            places.rotate_left(first);
            places
        })
        .collect();
    soup.sort_unstable();
    soup
}

#[test]
fn a_sphere_is_a_sphere() {
    for search in [
        Search::Lipschitz(1.0),
        Search::Sampled(1),
        Search::Sampled(8),
    ] {
        let mesh = mesh(sphere, &Lattice::cube(64).unwrap(), search, 8);
        assert_eq!(euler_characteristic(&mesh), 2);
        // An inscribed polyhedron with sides of about h = 2/64 loses about h²/8r of the radius: 0.035 %, so 0.05 % of the area and 0.1 % of
        // the volume, and at most a few times as much.
        let (area, volume) = area_and_volume(&mesh);
        let (exact_area, exact_volume) = (4.0 * 0.49 * PI64, 4.0 / 3.0 * 0.343 * PI64);
        assert!(
            (area / exact_area - 1.0).abs() < 2e-3,
            "{area} {exact_area}"
        );
        assert!(
            (volume / exact_volume - 1.0).abs() < 2e-3,
            "{volume} {exact_volume}"
        );
        for (vertex, normal) in mesh.vertices.iter().zip(&mesh.normals) {
            // On the surface but for vertices moved off the lattice's own points: 1/256 of 1/32.
            assert!(sphere(*vertex).abs() < 1.3e-4);
            let radial = [vertex[0] - 0.03, vertex[1] + 0.02, vertex[2] - 0.01];
            let cosine: f32 = (0..3).map(|i| radial[i] * normal[i]).sum();
            assert!(cosine / length(&radial) > 0.99999, "{cosine}");
        }
    }
}

#[test]
fn a_torus_has_one_hole() {
    let mesh = cube(torus, 48);
    assert_eq!(euler_characteristic(&mesh), 0);
    // 4π² R r and 2π² R r².
    let (area, volume) = area_and_volume(&mesh);
    assert!((area / (4.0 * 9.869_604 * 0.12) - 1.0).abs() < 1e-2);
    assert!((volume / (2.0 * 9.869_604 * 0.024) - 1.0).abs() < 2e-2);
}

#[test]
fn any_field_gives_a_closed_manifold() {
    for seed in 0..12 {
        let mesh = cube(waves(seed), 33);
        assert!(mesh.faces.len() > 1000);
        euler_characteristic(&mesh);
    }
    // Signs without any order: every case of the cell, and no smoothness at all.
    for seed in 0..4_u32 {
        let noise = move |p: [f32; 3]| {
            let bits =
                p.map(|x| ((x * 10.0 + 20.0).round() as u32).wrapping_mul(seed * 2 + 0x9E37_79B1));
            let h = (bits[0] ^ bits[1].rotate_left(11) ^ bits[2].rotate_left(22))
                .wrapping_mul(0x85EB_CA77);
            (h ^ h >> 15) as f32 / u32::MAX as f32 - 0.5
        };
        let mesh = cube(noise, 20);
        euler_characteristic(&mesh);
    }
}

#[test]
fn the_mesh_does_not_depend_on_blocks_threads_or_search() {
    let lattice = Lattice::new([-1.0, -0.8, -0.9], [1.0, 0.9, 0.6], 40, true).unwrap();
    let whole = mesh(waves(3), &lattice, Search::Sampled(1), 64);
    for (size, search) in [
        (8, Search::Sampled(1)),
        (5, Search::Sampled(2)),
        (3, Search::Sampled(1)),
        (16, Search::Sampled(1)),
        (8, Search::Lipschitz(1e9)),
    ] {
        let parts = mesh(waves(3), &lattice, search, size);
        assert!(soup(&whole) == soup(&parts), "blocks of {size}");
    }
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| mesh(waves(3), &lattice, Search::Sampled(1), 8))
    };
    let (one, three) = (with(1), with(3));
    assert!(
        one.faces == three.faces && one.vertices == three.vertices && one.normals == three.normals
    );
}

#[test]
fn a_body_that_leaves_the_box_is_capped_or_left_open() {
    let cut = |[x, y, _]: [f32; 3]| length(&[x, y]) - 0.5;
    let capped = cube(cut, 40);
    assert_eq!(euler_characteristic(&capped), 2);
    // A cylinder of height 2 that ends exactly at the box; at the rim the cells cut off a corner of half a spacing.
    let (area, volume) = area_and_volume(&capped);
    assert!(
        (volume / (PI64 * 0.25 * 2.0) - 1.0).abs() < 1e-2,
        "{volume}"
    );
    assert!(
        (area / (PI64 * (2.0 * 0.25 + 2.0)) - 1.0).abs() < 2e-2,
        "{area}"
    );
    let highest = capped.vertices.iter().map(|v| v[2]).fold(0.0, f32::max);
    assert_eq!(highest, 1.0);
    // Without its two discs the wall is left.
    let (wall, _) = area_and_volume(&without_caps(&capped, &Frame::IDENTITY));
    assert!((wall / (PI64 * 2.0) - 1.0).abs() < 4e-2, "{wall}");

    let lattice = Lattice::new([-1.0; 3], [1.0; 3], 40, false).unwrap();
    let open = mesh(cut, &lattice, Search::Sampled(4), 8);
    let highest = open.vertices.iter().map(|v| v[2]).fold(0.0, f32::max);
    assert_eq!(highest, 1.0 - 1.0 / 40.0);
    assert!(open.faces.len() < capped.faces.len());

    // All inside: the box itself, whose edges a cell cuts off. All outside: nothing.
    let full = mesh(
        |_| -1.0,
        &Lattice::cube(16).unwrap(),
        Search::Lipschitz(1.0),
        8,
    );
    assert_eq!(euler_characteristic(&full), 2);
    assert!((area_and_volume(&full).1 / 8.0 - 1.0).abs() < 0.02);
    assert!(cube(|_| 1.0, 16).faces.is_empty());
    assert!(cube(|_| f32::NAN, 16).faces.is_empty());
}

#[test]
fn what_is_found_once_is_followed_to_its_end() {
    // A plate two cells thick, seen by the samples only where a ball sits on it.
    let plate = |[x, y, z]: [f32; 3]| {
        let slab = [x.abs() - 0.9, y.abs() - 0.9, (z - 0.055).abs() - 0.03];
        let ball = length(&[x - 0.5, y - 0.5, z]) - 0.2;
        slab.into_iter().fold(f32::MIN, f32::max).min(ball)
    };
    let followed = cube(plate, 64);
    let complete = mesh(plate, &Lattice::cube(64).unwrap(), Search::Sampled(1), 8);
    assert!(soup(&followed) == soup(&complete));
    assert_eq!(euler_characteristic(&followed), 2);
}

#[test]
fn impossible_lattices_are_refused() {
    for resolution in [0, 1, 4097] {
        assert_eq!(
            Lattice::cube(resolution),
            Err(LatticeError::Resolution(resolution))
        );
    }
    for high in [
        [-1.0, 1.0, 1.0],
        [1.0, f32::NAN, 1.0],
        [1.0, 1.0, f32::INFINITY],
    ] {
        assert!(Lattice::new([-1.0; 3], high, 8, true).is_err());
    }
}

fn view(colouring: Colouring) -> View {
    View {
        size: 96,
        colouring,
        occlusion: true,
        through_lattice: false,
    }
}

#[test]
fn pictures_show_the_surface_where_it_is() {
    // A ball as a distance and as a steep step, seen along −z.
    for steepness in [1.0, 60.0] {
        let ball = |[x, y, z]: [f32; 3]| (steepness * (length(&[x, y, z]) - 0.5)).tanh();
        let mut field = field(ball);
        let Ok(blocks) = Blocks::find(&mut field, &Lattice::cube(64).unwrap(), Search::Sampled(4));
        let camera = Camera::new(&blocks.outline(), UpAxis::Y, 0.0, 0.0);
        let Ok(picture) = preview(&mut field, &blocks, &camera, &view(Colouring::Normals));
        let at = |x: u32, y: u32| picture.get_pixel(x, y).0.map(i32::from);
        let near = |a: [i32; 3], b: [i32; 3]| (0..3).all(|i| (a[i] - b[i]).abs() <= 4);
        // (n + 1) / 2 of the normal [0, 0, 1] in the middle. To the right and above by half the radius, which is 0.94 · 48 pixels, the normal
        // has 0.5 along that axis, up to the small perspective.
        assert!(near(at(48, 48), [128, 128, 255]), "{:?}", at(48, 48));
        assert!((at(70, 48)[0] - 191).abs() < 8, "{:?}", at(70, 48));
        assert!((at(48, 25)[1] - 191).abs() < 8, "{:?}", at(48, 25));
        // Background in the corners, grey at the top and darker below.
        assert!(at(1, 1).iter().all(|c| (230..=250).contains(c)));
        assert!(at(1, 94)[0] < at(1, 1)[0]);
        // The disk fills its share of the width.
        let middle: Vec<bool> = (0..96)
            .map(|x| at(x, 48)[2] > at(x, 48)[1] + 20 || at(x, 48)[0] < 60)
            .collect();
        let width = middle.iter().filter(|on| **on).count();
        assert!((84..=94).contains(&width), "{width}");
    }
}

/// Away from its outline a picture through the lattice is that of the field; a spacing is three pixels here.
#[test]
fn a_fine_lattice_shows_what_the_field_does() {
    let mut field = field(torus);
    let Ok(blocks) = Blocks::find(&mut field, &Lattice::cube(32).unwrap(), Search::Sampled(2));
    let camera = Camera::new(&blocks.outline(), UpAxis::Z, 30.0, 20.0);
    let of_field = view(Colouring::Clay);
    let through_lattice = View {
        through_lattice: true,
        ..of_field
    };
    let [exact, fast] = [of_field, through_lattice].map(|view| {
        let Ok(picture) = preview(&mut field, &blocks, &camera, &view);
        picture
    });
    let differences = exact.iter().zip(fast.iter()).map(|(&a, &b)| a.abs_diff(b));
    let large = differences.clone().filter(|&d| d > 8).count();
    let mean = differences.map(f64::from).sum::<f64>() / exact.len() as f64;
    assert!(large * 100 < exact.len() && mean < 2.0, "{large} {mean}");
    assert!(exact != fast);
}

#[test]
fn pictures_do_not_depend_on_the_threads() {
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let mut field = field(torus);
            let Ok(blocks) = Blocks::find(
                &mut field,
                &Lattice::cube(48).unwrap(),
                Search::Lipschitz(1.0),
            );
            let camera = Camera::new(&blocks.outline(), UpAxis::Z, 30.0, 20.0);
            let Ok(picture) = preview(&mut field, &blocks, &camera, &view(Colouring::Clay));
            picture
        })
    };
    assert!(with(1) == with(3));
}

#[test]
fn a_turn_is_an_animation() {
    let mut field = field(torus);
    let Ok(blocks) = Blocks::find(&mut field, &Lattice::cube(32).unwrap(), Search::Sampled(2));
    let Ok(pictures) = orbit(&mut field, &blocks, UpAxis::Z, &view(Colouring::Clay));
    let file = encode_gif(&pictures).unwrap();
    let mut decoder = gif::DecodeOptions::new().read_info(&file[..]).unwrap();
    assert_eq!(decoder.repeat(), gif::Repeat::Infinite);
    let mut frames = 0;
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        assert_eq!((frame.width, frame.height, frame.delay), (96, 96, 9));
        frames += 1;
    }
    assert_eq!(frames, 24);
    let file = encode_png(pictures[7].clone()).unwrap();
    assert_eq!(
        image::load_from_memory(&file).unwrap().to_rgb8(),
        pictures[7]
    );
}

/// Linear functions are linear between the points; around the surface all values are held.
#[test]
fn a_plane_is_interpolated_exactly_near_its_surface() {
    let plane = |[x, y, z]: [f32; 3]| 0.6 * x - 0.48 * y + 0.64 * z - 0.1;
    let lattice = Lattice::new([-1.0; 3], [1.0; 3], 40, false).unwrap();
    let blocks = Blocks::find(&mut field(plane), &lattice, Search::Lipschitz(1.0)).unwrap();
    let mut interpolated = blocks.field::<Never>();
    let mut near = 0;
    for i in 0..20_000_u32 {
        let hash = |salt: u32| (i.wrapping_mul(2_654_435_761) ^ salt).wrapping_mul(2_246_822_519);
        let point = [1, 2, 3].map(|salt| 1.8 * (hash(salt) >> 8) as f32 / (1 << 24) as f32 - 0.9);
        let mut found = [f32::NAN];
        let Ok(()) = interpolated(&point, &mut found);
        let expected = plane(point);
        if expected.abs() < 0.02 {
            near += 1;
            assert!(
                (found[0] - expected).abs() < 1e-5,
                "{point:?}: {found:?} {expected}"
            );
        } else {
            assert_eq!(
                found[0] < 0.0,
                expected < 0.0 && found[0].is_finite(),
                "{point:?}"
            );
        }
    }
    assert!(near > 50, "{near}");
}

#[test]
fn a_flat_field_is_found_at_a_part_of_its_points() {
    // A network after its first step: the slope is 1/100 of what a distance has.
    let lattice = Lattice::cube(128).unwrap();
    let (mut evaluated, mut flat) = (0, field(|p| 0.01 * sphere(p)));
    let mut counted = |points: &[f32], values: &mut [f32]| {
        evaluated += values.len();
        flat(points, values)
    };
    let blocks = Blocks::find(&mut counted, &lattice, Search::Lipschitz(1.3)).unwrap();
    let mesh = extract(&mut counted, &blocks).unwrap();
    assert!(
        evaluated < 128 * 128 * 128 / 2,
        "{evaluated} of {} points",
        128 * 128 * 128
    );
    let whole = Blocks::find(
        &mut field(|p| 0.01 * sphere(p)),
        &lattice,
        Search::Sampled(1),
    );
    let whole = extract(&mut field(|p| 0.01 * sphere(p)), &whole.unwrap()).unwrap();
    assert_eq!(mesh.faces.len(), whole.faces.len());
}

#[test]
fn a_surface_that_fills_the_box_is_not_followed() {
    let noise = |p: [f32; 3]| (1e4 * p[0]).sin() * (1e4 * p[1]).sin() * (1e4 * p[2]).sin();
    let lattice = Lattice::cube(64).unwrap();
    for search in [Search::Sampled(2), Search::Lipschitz(1.3)] {
        let found = |f: fn([f32; 3]) -> f32| {
            Blocks::find_sparse(&mut field(f), &lattice, search)
                .unwrap()
                .is_some()
        };
        assert!(found(sphere) && !found(noise));
    }
}
