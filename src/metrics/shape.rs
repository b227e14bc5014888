//! How far two shapes are from each other: volumes, surfaces, distance fields.
//!
//! Definitions of IoU, Chamfer-L1 and normal consistency as in "Occupancy Networks" (Mescheder et al. 2019).

use rayon::prelude::*;

use super::nearest::Nearest;

/// Values summed by one task; fixed, so that the order of additions is.
const CHUNK: usize = 1 << 14;

/// Points sampled from a surface, evenly by area, and the unit normals there.
#[derive(Debug, Clone, Copy)]
pub struct SurfaceSamples<'a> {
    /// Places `[n]`.
    pub points: &'a [[f32; 3]],
    /// Unit normals `[n]`.
    pub normals: &'a [[f32; 3]],
}

/// How far two surfaces are from each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurfaceDistance {
    /// The mean distance to the nearest point of the other surface, averaged over both directions; in bounding-box diagonals.
    pub chamfer_l1: f64,
    /// The same of squared distances; in squared bounding-box diagonals.
    pub chamfer_l2: f64,
    /// The mean |cosine| between a normal and that of the nearest point, averaged over both directions; 1 for equal surfaces.
    pub normal_consistency: f64,
}

/// The intersection over union |A ∩ B| / |A ∪ B| of two volumes, given as inside or not at the same points; NaN when both are empty.
///
/// # Panics
/// If the slices differ in length.
pub fn iou(a: &[bool], b: &[bool]) -> f64 {
    assert_eq!(
        a.len(),
        b.len(),
        "both volumes must be asked at the same points"
    );
    let (both, either) = a
        .iter()
        .zip(b)
        .fold((0_u64, 0_u64), |(both, either), (a, b)| {
            (both + u64::from(a & b), either + u64::from(a | b))
        });
    both as f64 / either as f64
}

/// Compares two surfaces by their samples; `diagonal` is that of the bounding box of the original, in the units of the points.
///
/// Distances are those between samples: two samplings of one surface are about half the distance of neighbouring samples apart. A surface
/// without samples is infinitely far away, with normal consistency 0.
///
/// # Panics
/// If a surface has not as many normals as points.
pub fn surface_distance(a: SurfaceSamples, b: SurfaceSamples, diagonal: f64) -> SurfaceDistance {
    for samples in [a, b] {
        assert_eq!(
            samples.points.len(),
            samples.normals.len(),
            "one normal a point"
        );
    }
    if a.points.is_empty() || b.points.is_empty() {
        return SurfaceDistance {
            chamfer_l1: f64::INFINITY,
            chamfer_l2: f64::INFINITY,
            normal_consistency: 0.0,
        };
    }
    let [there, back] = [(a, b), (b, a)].map(|(from, to)| one_way(from, to));
    let mean = |i: usize| f64::midpoint(there[i], back[i]);
    SurfaceDistance {
        chamfer_l1: mean(0) / diagonal,
        chamfer_l2: mean(1) / (diagonal * diagonal),
        normal_consistency: mean(2),
    }
}

/// The means of distance, squared distance and |cosine of the normals| from each sample to the nearest of the other surface.
fn one_way(from: SurfaceSamples, to: SurfaceSamples) -> [f64; 3] {
    let nearest = Nearest::new(to.points).of(from.points);
    let cosine = |i: usize, j: usize| {
        (0..3)
            .map(|axis| f64::from(from.normals[i][axis]) * f64::from(to.normals[j][axis]))
            .sum::<f64>()
            .abs()
    };
    let of = |term: &(dyn Fn(usize) -> f64 + Sync)| mean(nearest.len(), term);
    [
        of(&|i| nearest[i].1.sqrt()),
        of(&|i| nearest[i].1),
        of(&|i| cosine(i, nearest[i].0)),
    ]
}

/// The mean absolute error of a distance field near the surface: over the points where `truth` is within `band` of 0; NaN without such
/// points. In the units of the values.
///
/// # Panics
/// If the slices differ in length.
pub fn sdf_mae(values: &[f32], truth: &[f32], band: f32) -> f64 {
    assert_eq!(
        values.len(),
        truth.len(),
        "both fields must be asked at the same points"
    );
    let near: Vec<f64> = values
        .iter()
        .zip(truth)
        .filter(|(_, truth)| truth.abs() <= band)
        .map(|(value, truth)| (f64::from(*value) - f64::from(*truth)).abs())
        .collect();
    mean(near.len(), &|i| near[i])
}

/// The share of gradients whose length is within 5 % of 1, as that of a distance field is (eikonal equation |∇f| = 1); NaN without any.
pub fn eikonal_share(gradients: &[[f32; 3]]) -> f64 {
    mean(gradients.len(), &|i| {
        let square: f64 = gradients[i]
            .iter()
            .map(|&x| f64::from(x) * f64::from(x))
            .sum();
        f64::from(u8::from((square.sqrt() - 1.0).abs() <= 0.05))
    })
}

fn mean(n: usize, term: &(dyn Fn(usize) -> f64 + Sync)) -> f64 {
    let partial: Vec<f64> = (0..n.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| (chunk * CHUNK..n.min((chunk + 1) * CHUNK)).map(term).sum())
        .collect();
    partial.iter().sum::<f64>() / n as f64
}

#[cfg(test)]
mod tests {
    use super::super::nearest::squared_distance;
    use super::*;

    /// Numbers in [-1, 1) from their index.
    fn random(i: usize) -> f32 {
        let mut h = (i as u32).wrapping_mul(0x9E37_79B1);
        h = (h ^ h >> 15).wrapping_mul(0x85EB_CA77);
        h = (h ^ h >> 13).wrapping_mul(0xC2B2_AE3D);
        (h >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    fn cloud(n: usize, seed: usize) -> Vec<[f32; 3]> {
        let number = |i: usize| random(seed * 1_000_003 + i);
        (0..n)
            .map(|i| [number(3 * i), number(3 * i + 1), number(3 * i + 2)])
            .collect()
    }

    fn sphere(n: usize, radius: f32, seed: usize) -> (Vec<[f32; 3]>, Vec<[f32; 3]>) {
        // Archimedes: height and angle are even on a sphere.
        let normals: Vec<[f32; 3]> = (0..n)
            .map(|i| {
                let z = random(seed * 1_000_003 + 2 * i);
                let angle = std::f32::consts::PI * random(seed * 1_000_003 + 2 * i + 1);
                let r = (1.0 - z * z).sqrt();
                [r * angle.cos(), r * angle.sin(), z]
            })
            .collect();
        (
            normals.iter().map(|n| n.map(|x| x * radius)).collect(),
            normals,
        )
    }

    #[test]
    fn the_tree_finds_what_brute_force_finds() {
        for n in [1, 2, 8, 9, 17, 1000] {
            let (mut points, queries) = (cloud(n, 1), cloud(500, 2));
            // Equal points and a plane, on which cuts are ties.
            points.extend(points.clone());
            points.extend(
                cloud(n, 3)
                    .iter()
                    .map(|p| [p[0], 0.5, (p[2] * 4.0).round() / 4.0]),
            );
            let found = Nearest::new(&points).of(&queries);
            for (query, found) in queries.iter().zip(found) {
                let best = (0..points.len())
                    .map(|i| (i, squared_distance(query, &points[i])))
                    .reduce(|a, b| if b.1 < a.1 { b } else { a });
                assert_eq!(Some(found), best);
            }
        }
        assert!(Nearest::new(&[]).of(&cloud(3, 1)).is_empty());
    }

    #[test]
    fn iou_of_known_volumes() {
        let [t, f] = [true, false];
        assert_eq!(iou(&[t, t, f, f, t], &[t, f, f, t, t]), 0.5);
        assert_eq!(iou(&[t, f], &[f, t]), 0.0);
        assert!(iou(&[f, f], &[f, f]).is_nan());
        // Concentric spheres: (r/R)³, here 0.9³ = 0.729.
        let points = cloud(200_000, 5);
        let inside = |radius: f32| -> Vec<bool> {
            points
                .iter()
                .map(|p| p.iter().map(|x| x * x).sum::<f32>() < radius * radius)
                .collect()
        };
        assert!((iou(&inside(0.9), &inside(1.0)) - 0.729).abs() < 0.005);
    }

    #[test]
    fn distances_of_known_surfaces() {
        let (points, normals) = sphere(40_000, 1.0, 1);
        let one = SurfaceSamples {
            points: &points,
            normals: &normals,
        };
        let diagonal = 12_f64.sqrt();
        let same = surface_distance(one, one, diagonal);
        assert!(same.chamfer_l1 == 0.0 && same.chamfer_l2 == 0.0);
        assert!((same.normal_consistency - 1.0).abs() < 1e-6);
        // Concentric spheres are R − r = 0.1 apart everywhere; the spread of samples, about 1/√(4π/40000)/2 = 0.009, adds half its square
        // over 0.1. Reversed normals are as consistent.
        let (points, normals) = sphere(40_000, 1.1, 2);
        let reversed: Vec<[f32; 3]> = normals.iter().map(|n| n.map(|x| -x)).collect();
        let other = SurfaceSamples {
            points: &points,
            normals: &reversed,
        };
        let apart = surface_distance(one, other, diagonal);
        assert!(
            (apart.chamfer_l1 * diagonal - 0.1).abs() < 0.001,
            "{apart:?}"
        );
        assert!((apart.chamfer_l2 * 12.0 - 0.01).abs() < 0.0002, "{apart:?}");
        assert!(apart.normal_consistency > 0.999, "{apart:?}");
        let swapped = surface_distance(other, one, diagonal);
        assert_eq!(apart, swapped);
        // Two points against one: (0 + (0 + 3) / 2) / 2 and (0 + (0 + 9) / 2) / 2; normals at right angles in one of three pairs.
        let (x, y) = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]);
        let two = surface_distance(
            SurfaceSamples {
                points: &[[0.0; 3]],
                normals: &[x],
            },
            SurfaceSamples {
                points: &[[0.0; 3], [0.0, 0.0, 3.0]],
                normals: &[x, y],
            },
            1.0,
        );
        assert_eq!(
            (two.chamfer_l1, two.chamfer_l2, two.normal_consistency),
            (0.75, 2.25, 0.75)
        );
        let nothing = SurfaceSamples {
            points: &[],
            normals: &[],
        };
        assert_eq!(
            surface_distance(one, nothing, 1.0).chamfer_l1,
            f64::INFINITY
        );
    }

    #[test]
    fn errors_of_distance_fields() {
        // Of 0.5, −0.25, 0 and 2 the last is beyond the band: (0.25 + 0 + 0.5) / 3.
        assert_eq!(
            sdf_mae(&[0.75, -0.25, 0.5, 9.0], &[0.5, -0.25, 0.0, 2.0], 0.5),
            0.25
        );
        assert!(sdf_mae(&[1.0], &[1.0], 0.5).is_nan());
        let gradients = [
            [0.96, 0.0, 0.0],
            [0.6, 0.8, 0.0],
            [0.0, 1.06, 0.0],
            [0.0, 0.0, -0.94],
        ];
        assert_eq!(eikonal_share(&gradients), 0.5);
    }
}
