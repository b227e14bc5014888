//! A bounding volume hierarchy over triangles: the closest point of a surface.
//!
//! A binary tree in one flat array, split by the surface area heuristic over bins (Wald 2007, "On fast construction of SAH-based bounding
//! volume hierarchies"). Boxes are tested in f32, triangles in f64.

use super::mesh::Mesh;
use super::vector::{Vector, add, dot, scale, sub, widen};

/// Bins along the axis of a split.
const BINS: usize = 16;
/// Most triangles of a leaf.
const LEAF: usize = 4;
/// From this depth on a node is cut into halves, so that no tree is deeper than this and the 32 bits of an index.
const UNBALANCED: usize = 64;
/// Room for one waiting sibling a level.
const STACK: usize = UNBALANCED + 32;

/// A box with either two children or triangles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    low: [f32; 3],
    /// The first of two adjacent children; of a leaf, its first triangle.
    pub first: u32,
    high: [f32; 3],
    /// Triangles of a leaf; 0 for a node with children.
    pub count: u32,
}

/// Triangles in boxes in boxes.
pub(super) struct Bvh {
    /// The root first; children behind their parents.
    pub nodes: Vec<Node>,
    /// Corners of the triangles in the order of the leaves.
    pub triangles: Vec<[[f32; 3]; 3]>,
    /// The face of the mesh that each triangle is.
    pub faces: Vec<u32>,
}

/// Where on a triangle a point lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feature {
    /// Within the face.
    Face,
    /// On the edge from this corner to the next.
    Edge(u8),
    /// At this corner.
    Corner(u8),
}

/// The point of a surface that is closest to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closest {
    /// The distance, squared.
    pub squared: f64,
    /// The point on the surface.
    pub point: Vector,
    /// The face of the mesh.
    pub face: u32,
    /// Where on the face.
    pub feature: Feature,
}

/// An axis-parallel box that grows.
#[derive(Clone, Copy)]
struct Bounds {
    low: [f32; 3],
    high: [f32; 3],
}

impl Bounds {
    const EMPTY: Self = Self {
        low: [f32::INFINITY; 3],
        high: [f32::NEG_INFINITY; 3],
    };

    fn include(&mut self, other: &Self) {
        for axis in 0..3 {
            self.low[axis] = self.low[axis].min(other.low[axis]);
            self.high[axis] = self.high[axis].max(other.high[axis]);
        }
    }

    fn of(points: &[[f32; 3]]) -> Self {
        points.iter().fold(Self::EMPTY, |mut bounds, &point| {
            bounds.include(&Self {
                low: point,
                high: point,
            });
            bounds
        })
    }

    /// Half the area of the surface; 0 for the empty box.
    fn half_area(&self) -> f32 {
        let [x, y, z] = std::array::from_fn(|axis| (self.high[axis] - self.low[axis]).max(0.0));
        x * y + y * z + z * x
    }

    /// Twice the centre.
    fn middle(&self, axis: usize) -> f32 {
        self.low[axis] + self.high[axis]
    }
}

impl Bvh {
    /// A tree over the faces of a mesh with at least one face.
    pub fn new(mesh: &Mesh) -> Self {
        let corners: Vec<[[f32; 3]; 3]> = mesh
            .faces
            .iter()
            .map(|face| face.map(|vertex| mesh.vertices[vertex as usize]))
            .collect();
        let boxes: Vec<Bounds> = corners.iter().map(|c| Bounds::of(c)).collect();
        let mut order: Vec<u32> = (0..corners.len() as u32).collect();
        let mut nodes = vec![Node {
            low: [0.0; 3],
            first: 0,
            high: [0.0; 3],
            count: 0,
        }];
        let mut open = vec![(0, 0..order.len(), 0)];
        while let Some((node, range, depth)) = open.pop() {
            let inside = &mut order[range.clone()];
            let mut bounds = Bounds::EMPTY;
            inside
                .iter()
                .for_each(|&face| bounds.include(&boxes[face as usize]));
            let (first, count) = match split(inside, &boxes, depth) {
                None => (range.start, range.len()),
                Some(left) => {
                    let children = nodes.len();
                    nodes.extend([nodes[0]; 2]);
                    let middle = range.start + left;
                    open.push((children + 1, middle..range.end, depth + 1));
                    open.push((children, range.start..middle, depth + 1));
                    (children, 0)
                }
            };
            nodes[node] = Node {
                low: bounds.low,
                first: first as u32,
                high: bounds.high,
                count: count as u32,
            };
        }
        Self {
            nodes,
            triangles: order.iter().map(|&face| corners[face as usize]).collect(),
            faces: order,
        }
    }

    /// The closest point of the surface, which is known to be no further away than `reach`.
    pub fn closest(&self, query: [f32; 3], reach: f32) -> Closest {
        let precise = widen(query);
        let mut best = Closest {
            squared: f64::INFINITY,
            point: precise,
            face: 0,
            feature: Feature::Face,
        };
        let mut stack = [(0.0_f32, 0_u32); STACK];
        let mut depth = 1;
        // The bound in f32, widened by more than the rounding of a box's distance and of the places.
        let mut bound = (reach * 1.000_01 + 1e-6).powi(2);
        while depth > 0 {
            depth -= 1;
            let (distance, index) = stack[depth];
            if distance > bound {
                continue;
            }
            let mut node = &self.nodes[index as usize];
            while node.count == 0 {
                let first = node.first as usize;
                let (left, right) = (&self.nodes[first], &self.nodes[first + 1]);
                let (a, b) = (left.squared_distance(query), right.squared_distance(query));
                let (near, far, far_index) = match a <= b {
                    true => (left, b, first + 1),
                    false => (right, a, first),
                };
                if far <= bound {
                    stack[depth] = (far, far_index as u32);
                    depth += 1;
                }
                node = near;
                if a.min(b) > bound {
                    break;
                }
            }
            let leaf = node.first as usize..(node.first + node.count) as usize;
            for (triangle, &face) in self.triangles[leaf.clone()].iter().zip(&self.faces[leaf]) {
                let (point, feature) = closest_on_triangle(precise, triangle.map(widen));
                let offset = sub(precise, point);
                let squared = dot(offset, offset);
                if squared < best.squared || (squared == best.squared && face < best.face) {
                    best = Closest {
                        squared,
                        point,
                        face,
                        feature,
                    };
                    bound = (squared * 1.000_01) as f32;
                }
            }
        }
        best
    }

    /// The squared distance within which `count` triangles lie, at least one, or all where there are fewer.
    pub fn squared_reach(&self, query: [f32; 3], count: usize) -> f64 {
        let precise = widen(query);
        // The nearest so far, the farthest of them last.
        let mut nearest: Vec<f64> = Vec::with_capacity(count + 1);
        let mut open = vec![0_u32];
        while let Some(index) = open.pop() {
            let node = &self.nodes[index as usize];
            let full = nearest.len() == count;
            if full && f64::from(node.squared_distance(query)) > nearest[count - 1] {
                continue;
            }
            if node.count == 0 {
                let children = [node.first, node.first + 1];
                let [a, b] = children.map(|i| self.nodes[i as usize].squared_distance(query));
                // The nearer one is opened first.
                open.extend(if a <= b {
                    [children[1], children[0]]
                } else {
                    children
                });
                continue;
            }
            let leaf = node.first as usize..(node.first + node.count) as usize;
            for triangle in &self.triangles[leaf] {
                let offset = sub(precise, closest_on_triangle(precise, triangle.map(widen)).0);
                let squared = dot(offset, offset);
                let place = nearest.partition_point(|&other| other <= squared);
                nearest.insert(place, squared);
                nearest.truncate(count);
            }
        }
        nearest[nearest.len() - 1]
    }
}

impl Node {
    fn squared_distance(&self, query: [f32; 3]) -> f32 {
        (0..3)
            .map(|axis| {
                let outside = (self.low[axis] - query[axis]).max(query[axis] - self.high[axis]);
                let outside = outside.max(0.0);
                outside * outside
            })
            .sum()
    }
}

/// Partitions faces so that the cost of both halves is the least; the size of the left half, or none for a leaf.
fn split(faces: &mut [u32], boxes: &[Bounds], depth: usize) -> Option<usize> {
    if faces.len() <= LEAF {
        return None;
    }
    if depth >= UNBALANCED {
        return Some(faces.len() / 2);
    }
    let mut middles = Bounds::EMPTY;
    for &face in &*faces {
        let middle = std::array::from_fn(|axis| boxes[face as usize].middle(axis));
        middles.include(&Bounds {
            low: middle,
            high: middle,
        });
    }
    let mut best: Option<(f32, usize, usize)> = None;
    for axis in 0..3 {
        let Some(bin) = binning(&middles, axis) else {
            continue;
        };
        let mut bins = [(Bounds::EMPTY, 0_usize); BINS];
        for &face in &*faces {
            let (of_bin, count) = &mut bins[bin(&boxes[face as usize])];
            of_bin.include(&boxes[face as usize]);
            *count += 1;
        }
        let mut right_costs = [0.0; BINS];
        let (mut grown, mut count) = (Bounds::EMPTY, 0);
        for i in (1..BINS).rev() {
            grown.include(&bins[i].0);
            count += bins[i].1;
            right_costs[i] = grown.half_area() * count as f32;
        }
        let (mut grown, mut count) = (Bounds::EMPTY, 0);
        for i in 1..BINS {
            grown.include(&bins[i - 1].0);
            count += bins[i - 1].1;
            let cost = grown.half_area() * count as f32 + right_costs[i];
            if count > 0 && count < faces.len() && best.is_none_or(|(least, ..)| cost < least) {
                best = Some((cost, axis, i));
            }
        }
    }
    let Some((_, axis, first_right)) = best else {
        // All centres are at one place: any halves are as good.
        return Some(faces.len() / 2);
    };
    let bin = binning(&middles, axis)?;
    let mut left = 0;
    for i in 0..faces.len() {
        if bin(&boxes[faces[i] as usize]) < first_right {
            faces.swap(i, left);
            left += 1;
        }
    }
    Some(left)
}

/// Which bin of an axis a box falls into by its centre; none if all centres are the same there.
fn binning(middles: &Bounds, axis: usize) -> Option<impl Fn(&Bounds) -> usize> {
    let low = middles.low[axis];
    let factor = BINS as f32 / (middles.high[axis] - low);
    factor.is_finite().then_some(move |bounds: &Bounds| {
        (((bounds.middle(axis) - low) * factor) as usize).min(BINS - 1)
    })
}

/// The closest point of a triangle by the regions of Voronoi (Ericson 2004, "Real-time collision detection", 5.1.5).
pub(super) fn closest_on_triangle(p: Vector, [a, b, c]: [Vector; 3]) -> (Vector, Feature) {
    let (ab, ac, ap) = (sub(b, a), sub(c, a), sub(p, a));
    let (d1, d2) = (dot(ab, ap), dot(ac, ap));
    if d1 <= 0.0 && d2 <= 0.0 {
        return (a, Feature::Corner(0));
    }
    let bp = sub(p, b);
    let (d3, d4) = (dot(ab, bp), dot(ac, bp));
    if d3 >= 0.0 && d4 <= d3 {
        return (b, Feature::Corner(1));
    }
    let vc = d1 * d4 - d3 * d2;
    if vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0 {
        return (add(a, scale(ab, d1 / (d1 - d3))), Feature::Edge(0));
    }
    let cp = sub(p, c);
    let (d5, d6) = (dot(ab, cp), dot(ac, cp));
    if d6 >= 0.0 && d5 <= d6 {
        return (c, Feature::Corner(2));
    }
    let vb = d5 * d2 - d1 * d6;
    if vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0 {
        return (add(a, scale(ac, d2 / (d2 - d6))), Feature::Edge(2));
    }
    let va = d3 * d6 - d5 * d4;
    if va <= 0.0 && d4 - d3 >= 0.0 && d5 - d6 >= 0.0 {
        let along = (d4 - d3) / ((d4 - d3) + (d5 - d6));
        return (add(b, scale(sub(c, b), along)), Feature::Edge(1));
    }
    let total = va + vb + vc;
    let point = add(a, add(scale(ab, vb / total), scale(ac, vc / total)));
    (point, Feature::Face)
}
