//! What is fitted: a file decoded into samples on a grid, the map from grid to coordinates, and the range of its values.
//!
//! A [`Signal`] hands out pairs (coordinate, target) by sample index and nothing else, so that the trainer need not know
//! whether it fits a picture or a sound. Its [`Layout`] is the part that outlives the data: it is stored in the model file, and
//! with it a model can be rendered without the original.
//!
//! Coordinates are the same for every kind: each axis spans [-1, 1] and samples sit at cell centres ([`cell_centre`]). Targets
//! are mapped linearly from the range of the file to [-1, 1].
//!
//! A new kind of signal is one file with a `KIND` record, one line in `KINDS` and one variant of [`Layout`].

pub mod image;
pub mod shape;
pub mod sound;

mod error;
mod footprint;
mod holdout;
mod source;
mod spectrum;

use std::any::Any;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

pub use error::SignalError;
pub use footprint::Footprint;
pub use holdout::{HeldOut, ReducedBy, Reduction};
pub use image::{BitDepth, Channels, Image, ImageLayout, Samples};
pub use shape::{DistanceTarget, Mesh, Shape, ShapeLayout};
pub use sound::{SampleFormat, Sound, SoundLayout};

use source::Source;

/// Samples with coordinates and targets, ready to be fitted.
///
/// `Any` is a supertrait so that whoever loaded a file can go back to the concrete type and compare it with a reconstruction:
/// `(signal.as_ref() as &dyn Any).downcast_ref::<Image>()`.
pub trait Signal: Any + Send + Sync {
    /// What the file holds; stored in the model file.
    fn layout(&self) -> Layout;

    /// The number of samples n (pixels of a picture); sample indices are 0..n.
    fn samples(&self) -> usize;

    /// Writes the coordinates `[indices.len(), d_in]` and the targets `[indices.len(), d_out]` of the given samples, both
    /// row-major and within [-1, 1].
    ///
    /// # Panics
    /// If an index is not below [`Signal::samples`] or a slice has another length.
    fn gather(&self, indices: &[u32], coordinates: &mut [f64], targets: &mut [f32]);

    /// As [`Signal::gather`], at places moved by `offset` `[d_in]`, in cells from −1/2 to 1/2; the targets are the values there of the
    /// signal whose means over the cells are the samples ([`Footprint::Area`]).
    ///
    /// # Panics
    /// As [`Signal::gather`], or if the length of `offset` is not d_in.
    fn gather_within(
        &self,
        offset: &[f64],
        indices: &[u32],
        coordinates: &mut [f64],
        targets: &mut [f32],
    );

    /// How far beyond −1 and 1 a network may go, at the samples whose targets these are, without being wrong: rendering clips it. At 0 there is no
    /// range that values end at.
    fn slack(&self, _footprint: Footprint) -> f32 {
        0.0
    }

    /// How many dB the PSNR of the values of the file lies above that of the targets, whose peak is 2.
    fn psnr_above_targets_db(&self) -> f64 {
        0.0
    }

    /// Tells that epoch number `epoch`, from 0, begins: a signal of more samples than it holds at a time draws some of them anew. Which
    /// ones there are then follows from the number alone.
    fn refresh(&self, _epoch: u64) {}

    /// Whether samples have normals, see [`Signal::gather_normals`].
    fn has_normals(&self) -> bool {
        false
    }

    /// Writes the unit normals `[indices.len(), d_in]` of the surface at the given samples, zeros for a sample that is not on it. Without
    /// a surface they are all zeros.
    ///
    /// # Panics
    /// As [`Signal::gather`].
    fn gather_normals(&self, _indices: &[u32], normals: &mut [f32]) {
        normals.fill(0.0);
    }

    /// The same signal with targets that are what `target` says of its distances; none when it has no distances and none are asked for.
    ///
    /// # Errors
    /// [`SignalError::Target`] when it has no distances, or not those.
    fn with_target(
        &self,
        target: Option<DistanceTarget>,
    ) -> Result<Option<Box<dyn Signal>>, SignalError> {
        match target {
            None => Ok(None),
            Some(_) => Err(SignalError::Target(format!(
                "{} has no distances to learn; leave it out",
                self.layout().article()
            ))),
        }
    }

    /// What was assumed of the file or left out of it, a sentence each.
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// How fast the signal varies along each axis; frequencies of a network are derived from it.
    fn spectrum(&self) -> Spectrum;

    /// The smallest and the largest target; [-1, 1], the ends of the range, of a kind that does not look for them.
    fn values(&self) -> [f32; 2] {
        [-1.0, 1.0]
    }

    /// CRC-32 of what there is to learn, whatever the target is: of the targets of at most 2²⁰ samples spread evenly. Another one tells that
    /// a file is not the one that was fitted.
    fn checksum(&self) -> u32 {
        let (samples, layout) = (self.samples(), self.layout());
        let count = samples.min(CHECKED);
        let mut coordinates = vec![0.0; CHECKED_AT_ONCE * layout.d_in()];
        let mut targets = vec![0.0; CHECKED_AT_ONCE * layout.d_out()];
        let mut hasher = crc32fast::Hasher::new();
        for first in (0..count).step_by(CHECKED_AT_ONCE) {
            let these = first..count.min(first + CHECKED_AT_ONCE);
            let indices = these.map(|i| (i as u64 * samples as u64 / count as u64) as u32);
            let indices: Vec<u32> = indices.collect();
            let coordinates = &mut coordinates[..indices.len() * layout.d_in()];
            let targets = &mut targets[..indices.len() * layout.d_out()];
            self.gather(&indices, coordinates, targets);
            check(&mut hasher, targets);
        }
        hasher.finalize()
    }

    /// The signal reduced, and what it is to be compared with.
    ///
    /// # Errors
    /// [`SignalError::TooSmall`] when an axis has fewer samples than the factor; a kind that cannot be reduced says so.
    fn hold_out(self: Box<Self>, reduction: Reduction) -> Result<HeldOut, SignalError>;
}

/// Most samples of a checksum, and how many of them are gathered at a time.
const CHECKED: usize = 1 << 20;
const CHECKED_AT_ONCE: usize = 1 << 12;

/// Adds numbers to a checksum.
fn check(hasher: &mut crc32fast::Hasher, values: &[f32]) {
    for value in values {
        hasher.update(&value.to_le_bytes());
    }
}

/// The shape and meaning of a signal without its samples, one variant a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Layout {
    /// A picture.
    Image(ImageLayout),
    /// A sound.
    Sound(SoundLayout),
    /// A shape.
    Shape(ShapeLayout),
}

impl Layout {
    /// The number of coordinates of a sample: 2 for a picture, 1 for a sound, 3 for a shape.
    pub fn d_in(&self) -> usize {
        match self {
            Layout::Image(_) => 2,
            Layout::Sound(_) => 1,
            Layout::Shape(_) => 3,
        }
    }

    /// The number of values of a sample: the channels of a picture or a sound, 1 for a shape.
    pub fn d_out(&self) -> usize {
        match self {
            Layout::Image(layout) => layout.channels.count(),
            Layout::Sound(layout) => layout.channels.into(),
            Layout::Shape(_) => 1,
        }
    }

    /// The same layout with samples that are what `footprint` says.
    #[must_use]
    pub fn with_footprint(self, footprint: Footprint) -> Self {
        match self {
            Layout::Image(layout) => Layout::Image(ImageLayout {
                footprint,
                ..layout
            }),
            Layout::Sound(layout) => Layout::Sound(SoundLayout {
                footprint,
                ..layout
            }),
            // Distances are no means over cells.
            Layout::Shape(layout) => Layout::Shape(layout),
        }
    }

    /// The names of the kinds.
    pub const KINDS: [&str; 3] = ["image", "sound", "shape"];

    /// The name of the kind by which presets go.
    pub fn kind(&self) -> &'static str {
        let [image, sound, shape] = Self::KINDS;
        match self {
            Layout::Image(_) => image,
            Layout::Sound(_) => sound,
            Layout::Shape(_) => shape,
        }
    }

    /// The kind in words: `a picture`.
    pub fn article(&self) -> &'static str {
        match self {
            Layout::Image(_) => "a picture",
            Layout::Sound(_) => "a sound",
            Layout::Shape(_) => "a shape",
        }
    }

    /// The number of samples that the file holds; none of a shape, whose places are drawn.
    pub fn stored_samples(&self) -> Option<usize> {
        match self {
            Layout::Image(_) | Layout::Sound(_) => Some(self.samples()),
            Layout::Shape(_) => None,
        }
    }

    /// The number of samples n: the pixels of a picture, the frames of a sound, places in and around a shape.
    pub fn samples(&self) -> usize {
        match self {
            Layout::Image(layout) => layout.pixels(),
            Layout::Sound(layout) => layout.frames as usize,
            Layout::Shape(_) => shape::SAMPLES,
        }
    }

    /// How long it lasts, in seconds; none without a time axis.
    pub fn seconds(&self) -> Option<f64> {
        match self {
            Layout::Sound(layout) => Some(layout.seconds()),
            Layout::Image(_) | Layout::Shape(_) => None,
        }
    }

    /// The bytes of the decoded samples.
    pub fn bytes(&self) -> u64 {
        match self {
            Layout::Image(layout) => {
                layout.values() as u64 * u64::from(layout.bit_depth.bits()) / 8
            }
            Layout::Sound(layout) => layout.values() as u64 * 4,
            // Three coordinates and a distance.
            Layout::Shape(_) => shape::SAMPLES as u64 * 16,
        }
    }

    /// The layout in words, such as `768 x 512, RGB, 8 bit`.
    pub fn describe(&self) -> String {
        match self {
            Layout::Image(layout) => layout.describe(),
            Layout::Sound(layout) => layout.describe(),
            Layout::Shape(layout) => layout.describe(),
        }
    }
}

/// How fast a signal varies along each of its d_in axes, in cycles across the whole axis [-1, 1].
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// The highest frequency that the grid can hold, n / 2 for n samples, `[d_in]`.
    pub nyquist: Vec<f32>,
    /// The root mean square frequency, weighted by energy and without the mean value, `[d_in]`; 0 along an axis without change.
    pub rms_frequency: Vec<f32>,
}

/// The coordinate of sample `index` on an axis of `count` samples: the centre of its cell, (2 index + 1) / count − 1.
///
/// The map does not depend on the resolution: the mean of the two cells that a ×2 grid puts into one cell is the centre of
/// that cell. An axis with one sample has the coordinate 0.
pub fn cell_centre(index: usize, count: usize) -> f64 {
    (2 * index + 1) as f64 / count as f64 - 1.0
}

/// What one kind of signal can do with a file.
struct Kind {
    /// Whether the content (or, where content says nothing, this extension) is of this kind.
    recognises: fn(&Source, &str) -> bool,
    load: fn(Source) -> Result<Box<dyn Signal>, SignalError>,
    probe: fn(Source) -> Result<Layout, SignalError>,
}

/// Every kind of signal, asked in this order, of content first and of names after that.
static KINDS: &[Kind] = &[sound::KIND, image::KIND, shape::KIND];

/// Decodes a file into a signal whose kind is told by its content; a name such as `sdf:torus(0.5,0.2)` is a shape by formula.
///
/// # Errors
/// See [`SignalError`]; every text names the file.
pub fn load(path: &Path) -> Result<Box<dyn Signal>, SignalError> {
    if let Some(formula) = shape::formula(path) {
        return Ok(Box::new(Shape::by_formula(formula)?));
    }
    let (kind, source) = open(path)?;
    (kind.load)(source)
}

/// Reads the layout of a file from its header, so that memory can be estimated before anything is decoded.
///
/// The layout equals that of the loaded signal except for the range of float pictures, which only the samples can tell: it is
/// [0, 1] here.
///
/// # Errors
/// As [`load`], except for faults behind the header.
pub fn probe(path: &Path) -> Result<Layout, SignalError> {
    if let Some(formula) = shape::formula(path) {
        return Ok(Shape::by_formula(formula)?.layout());
    }
    let (kind, source) = open(path)?;
    (kind.probe)(source)
}

/// What to call results of the signal at `path`: the name of the file without its ending, or the words of a formula.
pub fn name(path: &Path) -> String {
    match shape::formula(path) {
        Some(formula) => {
            let words = formula.split(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '_'));
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            words.join("-")
        }
        None => path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into(),
    }
}

/// What to call the results of several signals: their names, with those of the folders around them before these where they would be the
/// same (`a/00.png` and `b/00.png`: `a-00` and `b-00`). The same path
/// has the same name.
pub fn names<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<String> {
    let folders = |path: &'a Path| {
        let folders = path.parent().into_iter().flat_map(Path::components).rev();
        let names = folders.filter_map(|folder| match folder {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        });
        match shape::formula(path) {
            Some(_) => Vec::new(),
            None => names.collect(),
        }
    };
    let mut rest: Vec<(String, std::vec::IntoIter<String>)> = paths
        .into_iter()
        .map(|path| (name(path), folders(path).into_iter()))
        .collect();
    loop {
        let names: Vec<String> = rest.iter().map(|(name, _)| name.clone()).collect();
        let is_shared = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
        let mut is_longer = false;
        for (name, folders) in rest.iter_mut().filter(|(name, _)| is_shared(name)) {
            if let Some(folder) = folders.next() {
                *name = format!("{folder}-{name}");
                is_longer = true;
            }
        }
        if !is_longer {
            return names;
        }
    }
}

fn open(path: &Path) -> Result<(&'static Kind, Source), SignalError> {
    let source = Source::open(path)?;
    let extension = source.extension();
    let kind_by = |name| KINDS.iter().find(|kind| (kind.recognises)(&source, name));
    match kind_by("").or_else(|| kind_by(&extension)) {
        Some(kind) => Ok((kind, source)),
        None => Err(SignalError::Unknown { path: path.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cell_centres_lie_inside_and_are_symmetric() {
        assert_eq!(cell_centre(0, 1), 0.0);
        assert_eq!(cell_centre(0, 4), -0.75);
        assert_eq!(cell_centre(3, 4), 0.75);
        for n in [2, 3, 7, 1000] {
            for i in 0..n {
                let x = cell_centre(i, n);
                assert!(x > -1.0 && x < 1.0);
                assert!((x + cell_centre(n - 1 - i, n)).abs() < 1e-15);
            }
        }
    }

    #[test]
    fn signals_of_one_name_go_by_their_folders_too() {
        for (paths, expected) in [
            (&["a/x.png", "b/y.png"][..], &["x", "y"][..]),
            (&["a/x.png", "b/x.jpg", "z.png"], &["a-x", "b-x", "z"]),
            (&["x.png", "./b/x.png"], &["x", "b-x"]),
            (&["a/c/x.png", "b/c/x.png"], &["a-c-x", "b-c-x"]),
            (&["/x.png", "./x.png"], &["x", "x"]),
            (
                &["sdf:sphere(0.5)", "sdf:sphere(0.5)"],
                &["sphere-0.5", "sphere-0.5"],
            ),
        ] {
            assert_eq!(names(paths.iter().map(Path::new)), expected);
        }
    }

    #[test]
    fn layout_is_stored_as_tagged_json() {
        let layout = Layout::Image(ImageLayout::new(768, 512, Channels::Rgb, BitDepth::U8));
        let json = serde_json::to_string(&layout).unwrap();
        assert_eq!(
            json,
            r#"{"kind":"image","width":768,"height":512,"channels":"rgb","bit_depth":8,"range":[0.0,255.0]}"#
        );
        assert_eq!(serde_json::from_str::<Layout>(&json).unwrap(), layout);
        assert_eq!(
            (layout.d_in(), layout.d_out(), layout.samples()),
            (2, 3, 393_216)
        );
        assert_eq!(layout.kind(), "image");
        assert_eq!(layout.describe(), "768 x 512, RGB, 8 bit");
    }

    #[test]
    fn layout_with_unknown_content_is_refused() {
        for json in [
            r#"{"kind":"image","width":1,"height":1,"channels":"rgb","bit_depth":12,"range":[0,1]}"#,
            r#"{"kind":"image","width":1,"height":1,"channels":"cmyk","bit_depth":8,"range":[0,1]}"#,
            r#"{"kind":"image","width":1,"height":1,"channels":"rgb","bit_depth":8,"range":[0,1],"gamma":2}"#,
            r#"{"kind":"smell","width":1}"#,
        ] {
            assert!(serde_json::from_str::<Layout>(json).is_err(), "{json}");
        }
    }
}
