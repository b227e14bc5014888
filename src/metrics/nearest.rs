//! Nearest points by a k-d tree.

use rayon::prelude::*;

/// Points that are searched one by one at the end of a branch.
const LEAF: usize = 8;

/// Points in an order in which the middle of every range parts it along the axis of its greatest extent (Bentley 1975).
pub(super) struct Nearest {
    points: Vec<([f32; 3], u32)>,
    /// By place of a middle: the axis of its cut.
    axes: Vec<u8>,
}

impl Nearest {
    pub(super) fn new(points: &[[f32; 3]]) -> Self {
        let mut tree = Self {
            points: (0..).zip(points).map(|(i, &p)| (p, i)).collect(),
            axes: vec![0; points.len()],
        };
        cut(&mut tree.points, &mut tree.axes);
        tree
    }

    /// The index of the point nearest to each query and the squared distance to it, the smaller index of two equally near; nothing
    /// without points.
    pub(super) fn of(&self, queries: &[[f32; 3]]) -> Vec<(usize, f64)> {
        if self.points.is_empty() {
            return Vec::new();
        }
        queries
            .par_iter()
            .map(|query| {
                let mut best = (f64::INFINITY, u32::MAX);
                self.search(query, 0, self.points.len(), &mut best);
                (best.1 as usize, best.0)
            })
            .collect()
    }

    fn search(&self, query: &[f32; 3], start: usize, end: usize, best: &mut (f64, u32)) {
        let mut consider = |(point, index): &([f32; 3], u32)| {
            let found = (squared_distance(query, point), *index);
            if found < *best {
                *best = found;
            }
        };
        if end - start <= LEAF {
            return self.points[start..end].iter().for_each(consider);
        }
        let middle = usize::midpoint(start, end);
        consider(&self.points[middle]);
        let axis = usize::from(self.axes[middle]);
        let beyond = f64::from(query[axis]) - f64::from(self.points[middle].0[axis]);
        let (low, high) = ((start, middle), (middle + 1, end));
        let (near, far) = if beyond < 0.0 {
            (low, high)
        } else {
            (high, low)
        };
        self.search(query, near.0, near.1, best);
        if beyond * beyond <= best.0 {
            self.search(query, far.0, far.1, best);
        }
    }
}

fn cut(points: &mut [([f32; 3], u32)], axes: &mut [u8]) {
    if points.len() <= LEAF {
        return;
    }
    let extent = |axis: usize| {
        let values = points.iter().map(|(point, _)| point[axis]);
        let (low, high) = values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        });
        high - low
    };
    let extents = [0, 1, 2].map(extent);
    let axis = (1..3).fold(0, |a, b| if extents[b] > extents[a] { b } else { a });
    let middle = points.len() / 2;
    points.select_nth_unstable_by(middle, |a, b| a.0[axis].total_cmp(&b.0[axis]));
    axes[middle] = axis as u8;
    let (low, high) = points.split_at_mut(middle);
    let (low_axes, high_axes) = axes.split_at_mut(middle);
    rayon::join(
        || cut(low, low_axes),
        || cut(&mut high[1..], &mut high_axes[1..]),
    );
}

pub(super) fn squared_distance(a: &[f32; 3], b: &[f32; 3]) -> f64 {
    (0..3)
        .map(|axis| f64::from(a[axis]) - f64::from(b[axis]))
        .map(|difference| difference * difference)
        .sum()
}
