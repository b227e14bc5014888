//! The generalized winding number (Jacobson et al. 2013): how often a surface goes round a point, 1 inside a closed one, 0 outside, and
//! something between where the surface has holes.
//!
//! It is the sum over faces of the solid angle divided by 4π. Far groups of faces are taken as one dipole and its two next derivatives
//! (Barill et al. 2018, "Fast winding numbers for soups and clouds", eqs. 14 to 16).

use std::f64::consts::PI;

use super::bvh::Bvh;
use super::vector::{Vector, add, cross, dot, norm, scale, sub, widen};

/// A group is far when its distance is more than so many times its radius (Barill et al. 2018 use 2 with the same order).
const FAR: f64 = 2.0;

/// The moments of the faces of a node about their centre.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    /// The mean of the centres of the faces, by area.
    centre: Vector,
    /// The farthest corner from the centre.
    radius: f64,
    /// Area times normal, summed.
    dipole: Vector,
    /// Sum over faces of (centre of the face − centre) ⊗ area · normal.
    first: [Vector; 3],
    /// Half the sum over faces of the integral of (x − centre) ⊗ (x − centre), one row a pair (xx, yy, zz, xy, yz, zx), ⊗ normal.
    second: [Vector; 6],
}

/// Moments for every node of a hierarchy.
pub(super) struct Winding {
    nodes: Vec<Moments>,
}

/// The six different products of two components, in the order of [`Moments::second`].
const PAIRS: [(usize, usize); 6] = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0)];

/// A face as the moments see it.
struct Part {
    corners: [Vector; 3],
    centre: Vector,
    /// Area times normal.
    normal: Vector,
    area: f64,
}

impl Winding {
    /// Moments of a hierarchy.
    pub fn new(bvh: &Bvh) -> Self {
        let parts: Vec<Part> = bvh
            .triangles
            .iter()
            .map(|&t| Part::new(t.map(widen)))
            .collect();
        let mut nodes = vec![Moments::default(); bvh.nodes.len()];
        // The triangles of a node lie side by side: those of its first leaf to those of its last.
        let mut ranges = vec![0..0; bvh.nodes.len()];
        for (index, node) in bvh.nodes.iter().enumerate().rev() {
            let first = node.first as usize;
            ranges[index] = match node.count {
                0 => ranges[first].start..ranges[first + 1].end,
                count => first..first + count as usize,
            };
        }
        for (moments, range) in nodes.iter_mut().zip(ranges) {
            *moments = Moments::new(&parts[range]);
        }
        Self { nodes }
    }

    /// The winding number of a point.
    pub fn number(&self, bvh: &Bvh, query: [f32; 3]) -> f64 {
        let query = widen(query);
        let mut open = vec![0_u32];
        let mut sum = 0.0;
        while let Some(index) = open.pop() {
            let moments = &self.nodes[index as usize];
            let node = &bvh.nodes[index as usize];
            let to_centre = sub(moments.centre, query);
            let reach = FAR * moments.radius;
            if dot(to_centre, to_centre) > reach * reach {
                sum += moments.solid_angle(to_centre);
            } else if node.count == 0 {
                open.extend([node.first, node.first + 1]);
            } else {
                let leaf = node.first as usize..(node.first + node.count) as usize;
                sum += bvh.triangles[leaf]
                    .iter()
                    .map(|t| solid_angle(t.map(|corner| sub(widen(corner), query))))
                    .sum::<f64>();
            }
        }
        sum / (4.0 * PI)
    }
}

impl Part {
    fn new(corners: [Vector; 3]) -> Self {
        let [a, b, c] = corners;
        let normal = scale(cross(sub(b, a), sub(c, a)), 0.5);
        Self {
            corners,
            centre: scale(add(a, add(b, c)), 1.0 / 3.0),
            normal,
            area: norm(normal),
        }
    }
}

impl Moments {
    fn new(parts: &[Part]) -> Self {
        let mut moments = Self::default();
        let area: f64 = parts.iter().map(|part| part.area).sum();
        for part in parts {
            moments.centre = add(moments.centre, scale(part.centre, part.area / area));
            moments.dipole = add(moments.dipole, part.normal);
        }
        let mut squared: f64 = 0.0;
        for part in parts {
            let corners = part.corners.map(|corner| sub(corner, moments.centre));
            let middle = sub(part.centre, moments.centre);
            for (first, middle) in moments.first.iter_mut().zip(middle) {
                *first = add(*first, scale(part.normal, middle));
            }
            // The rule of the three midpoints of the edges is exact for squares.
            let midpoints = [0, 1, 2].map(|k| scale(add(corners[k], corners[(k + 1) % 3]), 0.5));
            for (row, (i, j)) in moments.second.iter_mut().zip(PAIRS) {
                let mean = midpoints.iter().map(|m| m[i] * m[j]).sum::<f64>() / 3.0;
                *row = add(*row, scale(part.normal, 0.5 * mean));
            }
            squared = corners.iter().map(|&c| dot(c, c)).fold(squared, f64::max);
        }
        moments.radius = squared.sqrt();
        moments
    }

    /// The solid angle of the group, whose centre lies at `r` from the point: the Taylor series about the centre of the dipole's
    /// g = ∇G with G = −1/|r|, that is g = r/|r|³.
    fn solid_angle(&self, r: Vector) -> f64 {
        let squared = dot(r, r);
        let inverse = 1.0 / squared.sqrt();
        let inverse3 = inverse / squared;
        let inverse5 = inverse3 / squared;
        let inverse7 = inverse5 / squared;
        let mut sum = dot(r, self.dipole) * inverse3;
        // ∂g_j/∂x_i = δ_ij/|r|³ − 3 r_i r_j/|r|⁵
        for i in 0..3 {
            sum += self.first[i][i] * inverse3 - 3.0 * r[i] * dot(r, self.first[i]) * inverse5;
        }
        // ∂²g_k/∂x_i∂x_j = −3 (r_i δ_jk + r_j δ_ik + r_k δ_ij)/|r|⁵ + 15 r_i r_j r_k/|r|⁷
        for (row, (i, j)) in self.second.iter().zip(PAIRS) {
            let along = dot(r, *row);
            let same = f64::from(u8::from(i == j));
            let value = -3.0 * (r[i] * row[j] + r[j] * row[i] + same * along) * inverse5
                + 15.0 * r[i] * r[j] * along * inverse7;
            // Unequal pairs stand for both of their orders.
            sum += value * (2.0 - same);
        }
        sum
    }
}

/// The solid angle of a triangle seen from the origin, positive if its front is turned away (van Oosterom and Strackee 1983, eq. 8).
fn solid_angle([a, b, c]: [Vector; 3]) -> f64 {
    let (la, lb, lc) = (norm(a), norm(b), norm(c));
    let numerator = dot(a, cross(b, c));
    let denominator = la * lb * lc + dot(a, b) * lc + dot(b, c) * la + dot(c, a) * lb;
    2.0 * numerator.atan2(denominator)
}
