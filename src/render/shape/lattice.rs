//! The points at which a field is sampled to find its surface.

/// Why a surface cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum LatticeError {
    /// Too few points for a surface between them, or more than can be indexed.
    #[error("--resolution is {0}; use 2 to {MAX_RESOLUTION} points along the longest side")]
    Resolution(u32),
    /// The box is empty or infinite.
    #[error(
        "the box from {low:?} to {high:?} has no volume; each side must be positive and finite"
    )]
    Box { low: [f32; 3], high: [f32; 3] },
}

/// Beyond it a mesh is larger than the memory of most machines.
const MAX_RESOLUTION: u32 = 4096;

/// Points at the centres of the cells of a box: xᵢ = low + (i + ½) · spacing along each axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Lattice {
    low: [f64; 3],
    spacing: [f64; 3],
    /// Points an axis, those of the cap included.
    pub(super) counts: [usize; 3],
    /// Layers around the box that lie outside by definition: 1 with a cap, else 0.
    cap: usize,
}

impl Lattice {
    /// `resolution` points along the longest side of the box from `low` to `high`, and as many along the others as keep cells nearest to
    /// cubes, but at least 2.
    ///
    /// With `capped`, everything beyond the box counts as outside, so that a body that reaches it is closed there by a flat face and every
    /// surface is watertight; otherwise the surface ends at the outermost points.
    ///
    /// # Errors
    /// [`LatticeError`] when resolution or box are impossible.
    pub fn new(
        low: [f32; 3],
        high: [f32; 3],
        resolution: u32,
        capped: bool,
    ) -> Result<Self, LatticeError> {
        if !(2..=MAX_RESOLUTION).contains(&resolution) {
            return Err(LatticeError::Resolution(resolution));
        }
        let sides = [0, 1, 2].map(|axis| f64::from(high[axis]) - f64::from(low[axis]));
        if !sides.iter().all(|side| side.is_finite() && *side > 0.0) {
            return Err(LatticeError::Box { low, high });
        }
        let cell = sides.iter().fold(0.0, |a: f64, &b| a.max(b)) / f64::from(resolution);
        let cells = sides.map(|side| ((side / cell).round() as usize).max(2));
        let cap = usize::from(capped);
        Ok(Self {
            low: low.map(f64::from),
            spacing: [0, 1, 2].map(|axis| sides[axis] / cells[axis] as f64),
            counts: cells.map(|n| n + 2 * cap),
            cap,
        })
    }

    /// As [`Lattice::new`] for the cube [-1, 1]³, capped.
    ///
    /// # Errors
    /// [`LatticeError::Resolution`].
    pub fn cube(resolution: u32) -> Result<Self, LatticeError> {
        Self::new([-1.0; 3], [1.0; 3], resolution, true)
    }

    /// The distance of neighbouring points along each axis.
    pub fn spacing(&self) -> [f32; 3] {
        self.spacing.map(|spacing| spacing as f32)
    }

    /// The step of central differences for normals: an eighth of a spacing, so that steep fields such as occupancy do not saturate within it.
    pub(super) fn normal_step(&self) -> f32 {
        self.smallest_spacing() / 8.0
    }

    pub(super) fn smallest_spacing(&self) -> f32 {
        self.spacing().into_iter().fold(f32::INFINITY, f32::min)
    }

    /// The box, low and high corner.
    pub fn bounds(&self) -> [[f32; 3]; 2] {
        let high = |axis: usize| {
            self.low[axis] + self.spacing[axis] * (self.counts[axis] - 2 * self.cap) as f64
        };
        [
            self.low.map(|x| x as f32),
            [0, 1, 2].map(|axis| high(axis) as f32),
        ]
    }

    /// The place of a point; `index` may have a fraction.
    pub(super) fn position(&self, index: [f64; 3]) -> [f32; 3] {
        [0, 1, 2].map(|axis| {
            let cells = index[axis] - self.cap as f64 + 0.5;
            (self.low[axis] + cells * self.spacing[axis]) as f32
        })
    }

    /// The point whose cell holds a place, plus a fraction: the inverse of [`Lattice::position`], half a cell on.
    pub(super) fn index_at(&self, place: [f32; 3]) -> [f32; 3] {
        [0, 1, 2].map(|axis| {
            let cells = (f64::from(place[axis]) - self.low[axis]) / self.spacing[axis];
            (cells + self.cap as f64) as f32
        })
    }

    pub(super) fn point(&self, index: [usize; 3]) -> [f32; 3] {
        self.position(index.map(|i| i as f64))
    }

    /// Whether a point belongs to the cap.
    pub(super) fn is_cap(&self, index: [usize; 3]) -> bool {
        (0..3).any(|axis| index[axis] < self.cap || index[axis] >= self.counts[axis] - self.cap)
    }
}
