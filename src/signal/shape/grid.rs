//! Shapes given by values on a grid.

use super::vector::{Vector, norm};

/// Signed distances on a grid that fills the box from −`half` to `half`, samples at cell centres, trilinear between them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    /// Cells along x, y and z.
    sizes: [usize; 3],
    /// Distances in cells `[nx, ny, nz]`, negative inside.
    values: Vec<f32>,
}

/// How far from 0 or 1 an occupancy may be and still say clearly what is inside.
const CERTAIN: f32 = 0.05;

impl Grid {
    /// A grid of distances (negative inside) or of occupancies (0 outside, 1 inside), told apart by whether there are negative values.
    ///
    /// Distances may be in any unit: they are scaled so that their slope at the surface is one cell a cell.
    ///
    /// # Errors
    /// What is wrong in words.
    pub fn new(sizes: [usize; 3], values: Vec<f32>) -> Result<Self, String> {
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(format!(
                "value {index} (counted from 0) is {}; every value must be a finite number",
                values[index]
            ));
        }
        if sizes.iter().any(|&n| n < 2) {
            return Err(format!(
                "its shape is {sizes:?}; every axis needs at least 2 samples"
            ));
        }
        let occupancy = values.iter().all(|&v| v >= 0.0);
        let certain = values.iter().filter(|v| v.min((*v - 1.0).abs()) < CERTAIN);
        if occupancy && 2 * certain.count() < values.len() {
            return Err(
                "none of its values is negative, but most are neither 0 nor 1; give distances that are negative inside, or occupancies"
                    .into(),
            );
        }
        let level = if occupancy { 0.5 } else { 0.0 };
        let inside = |v: f32| if occupancy { v > level } else { v < level };
        let count = values.iter().filter(|&&v| inside(v)).count();
        if count == 0 || count == values.len() {
            let all = if count == 0 { "outside" } else { "inside" };
            return Err(format!(
                "all of its samples are {all}: there is no surface between them"
            ));
        }
        let mut grid = Self { sizes, values };
        if occupancy {
            let inside: Vec<bool> = grid.values.iter().map(|&v| inside(v)).collect();
            grid.values = signed_transform(sizes, &inside);
        } else {
            let slope = grid.slope();
            grid.values.iter_mut().for_each(|v| *v /= slope);
        }
        Ok(grid)
    }

    /// Half the sides of the box in cells.
    pub fn half(&self) -> [f32; 3] {
        self.sizes.map(|n| n as f32 / 2.0)
    }

    fn at(&self, [x, y, z]: [usize; 3]) -> f32 {
        self.values[(x * self.sizes[1] + y) * self.sizes[2] + z]
    }

    /// The mean length of the gradient where the sign changes, in values a cell.
    fn slope(&self) -> f32 {
        let (mut sum, mut count) = (0.0, 0_usize);
        for x in 0..self.sizes[0] - 1 {
            for y in 0..self.sizes[1] - 1 {
                for z in 0..self.sizes[2] - 1 {
                    let here = self.at([x, y, z]);
                    let next = [[x + 1, y, z], [x, y + 1, z], [x, y, z + 1]].map(|p| self.at(p));
                    if next.iter().any(|&v| (v < 0.0) != (here < 0.0)) {
                        sum += norm(next.map(|v| f64::from(v - here)));
                        count += 1;
                    }
                }
            }
        }
        match count {
            0 => 1.0,
            _ => (sum / count as f64) as f32,
        }
    }

    /// The distance at a point, in cells; beyond the outermost samples, that at their border and the way to it. A body that reaches the border of the
    /// box ends there.
    pub fn distance(&self, point: Vector) -> f64 {
        let mut cell = [0; 3];
        let mut along = [0.0; 3];
        let mut beyond = [0.0; 3];
        for axis in 0..3 {
            let last = self.sizes[axis] - 1;
            let wanted = point[axis] + self.sizes[axis] as f64 / 2.0 - 0.5;
            let position = wanted.clamp(0.0, last as f64);
            cell[axis] = (position as usize).min(last - 1);
            along[axis] = position - cell[axis] as f64;
            beyond[axis] = wanted - position;
        }
        let mut value = 0.0;
        for corner in 0..8 {
            let mut place = cell;
            let mut weight = 1.0;
            for axis in 0..3 {
                let up = corner >> axis & 1;
                place[axis] += up;
                weight *= match up {
                    0 => 1.0 - along[axis],
                    _ => along[axis],
                };
            }
            value += weight * f64::from(self.at(place));
        }
        let past = [0, 1, 2].map(|axis| point[axis].abs() - self.sizes[axis] as f64 / 2.0);
        let to_box = match past.iter().copied().fold(f64::NEG_INFINITY, f64::max) {
            within if within <= 0.0 => within,
            _ => norm(past.map(|way| way.max(0.0))),
        };
        (value + norm(beyond)).max(to_box)
    }
}

/// Signed distances in cells from whether each sample is inside, the surface taken half way between samples of both sorts.
fn signed_transform(sizes: [usize; 3], inside: &[bool]) -> Vec<f32> {
    let to = |wanted: bool| squared_transform(sizes, inside.iter().map(|&is| is == wanted));
    to(true)
        .into_iter()
        .zip(to(false))
        .map(|(to_inside, to_outside)| match to_inside == 0.0 {
            true => 0.5 - to_outside.sqrt(),
            false => to_inside.sqrt() - 0.5,
        })
        .collect()
}

/// The squared distance to the nearest sample that is wanted, axis by axis as the lower envelope of parabolas (Felzenszwalb and
/// Huttenlocher 2012).
fn squared_transform(sizes: [usize; 3], wanted: impl Iterator<Item = bool>) -> Vec<f32> {
    // Larger than any distance on the grid, and finite, so that differences stay numbers.
    let far = sizes.iter().map(|&n| (n * n) as f32).sum::<f32>() * 4.0;
    let mut values: Vec<f32> = wanted.map(|is| if is { 0.0 } else { far }).collect();
    let strides = [sizes[1] * sizes[2], sizes[2], 1];
    for axis in 0..3 {
        let (n, stride) = (sizes[axis], strides[axis]);
        let mut line = vec![0.0_f32; n];
        let mut roots: Vec<(usize, f32)> = Vec::new();
        for start in (0..values.len()).filter(|i| i / stride % n == 0) {
            for (i, value) in line.iter_mut().enumerate() {
                *value = values[start + i * stride];
            }
            roots.clear();
            for i in 0..n {
                let begins = loop {
                    let Some(&(root, begins)) = roots.last() else {
                        break f32::NEG_INFINITY;
                    };
                    let rise = line[i] - line[root] + (i * i) as f32 - (root * root) as f32;
                    let meets = rise / (2 * (i - root)) as f32;
                    if meets > begins {
                        break meets;
                    }
                    roots.pop();
                };
                roots.push((i, begins));
            }
            let mut current = 0;
            for i in 0..n {
                while roots.get(current + 1).is_some_and(|next| next.1 < i as f32) {
                    current += 1;
                }
                let root = roots[current].0;
                let offset = i as f32 - root as f32;
                values[start + i * stride] = line[root] + offset * offset;
            }
        }
    }
    values
}
