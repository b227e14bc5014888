//! `inr render`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::flags::FileFlags;
use super::folder::{check_file, write_file};
use super::load::{load_model, model_path};
use super::talk::Talk;
use super::{CliError, Outcome, print};
use crate::device;
use crate::render::{self, Colouring, Drawing, Field, Scene, Slice};
use crate::report::to_json;

/// Draw a fitted shape: its surface, its normals, or the field in a plane
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  inr render out/knot-hash-kan
  inr render out/knot-hash-kan --normals --from 120,30 --size 1024
  inr render out/knot-hash-kan --slice z=0 -o cut.png

The PNG file goes into the run's folder unless -o is given; its path is printed. In a slice the
surface is a black line, blue is inside and orange outside, in bands of equal value.")]
pub(super) struct Render {
    /// The folder of a run on a shape, or its model file
    model: PathBuf,
    /// The field in the plane through a place of an axis, in coordinates from -1 to 1
    #[arg(long, value_name = "AXIS=PLACE", conflicts_with_all = ["normals", "from"])]
    slice: Option<Slice>,
    /// Colour the surface by its normals
    #[arg(long)]
    normals: bool,
    /// Whence the surface is seen: degrees around the upright axis, and above the horizon; 30,18 unless given
    #[arg(long, value_name = "AZIMUTH,ELEVATION", value_parser = parse_viewpoint, allow_hyphen_values = true)]
    from: Option<[f32; 2]>,
    /// Pixels along the longer side
    #[arg(long, value_name = "PIXELS", default_value_t = 640, value_parser = clap::value_parser!(u32).range(16..=8192))]
    size: u32,
    #[command(flatten)]
    file: FileFlags,
}

impl Render {
    pub fn run(self) -> Result<Outcome, CliError> {
        let talk = Talk::new(self.file.talk);
        let (model, layout) = load_model(&self.model)?;
        let path = self.file.output.clone().unwrap_or_else(|| {
            let folder = model_path(&self.model);
            folder.parent().unwrap_or(Path::new("")).join(self.name())
        });
        let ending = path.extension().unwrap_or_default();
        if !ending.eq_ignore_ascii_case("png") {
            return Err(CliError::Usage(format!(
                "{} does not end in .png, the format in which shapes are drawn",
                path.display()
            )));
        }
        check_file(&path, self.file.force)?;
        let device = device::choose(self.file.device)?;
        talk.say(&format!("drawing on {} ({})", device.name, device.reason));
        let field = Field {
            network: &model.network,
            parameters: &model.parameters,
            layout: &layout,
        };
        let drawing = Drawing {
            scene: self.scene(),
            size: self.size,
        };
        let picture = render::draw(field, &drawing, device.engine().as_mut())?;
        write_file(&path, &picture, self.file.force)?;
        let path = path.display().to_string();
        if self.file.talk.json {
            print(&to_json(&serde_json::json!({ "file": path })))?;
        } else {
            print(&format!("{path}\n"))?;
        }
        Ok(Outcome::Done)
    }

    fn scene(&self) -> Scene {
        let [azimuth, elevation] = self.from.unwrap_or(Scene::VIEWPOINT);
        match self.slice {
            Some(slice) => Scene::Slice(slice),
            None => Scene::Surface {
                colouring: match self.normals {
                    true => Colouring::Normals,
                    false => Colouring::Clay,
                },
                azimuth,
                elevation,
            },
        }
    }

    fn name(&self) -> String {
        let [azimuth, elevation] = self.from.unwrap_or(Scene::VIEWPOINT);
        match self.slice {
            Some(slice) => format!("slice-{slice}.png"),
            None if self.normals => format!("normals-{azimuth},{elevation}.png"),
            None => format!("surface-{azimuth},{elevation}.png"),
        }
    }
}

fn parse_viewpoint(text: &str) -> Result<[f32; 2], String> {
    let angles = text
        .split_once(',')
        .and_then(|(a, e)| Some([a.trim().parse().ok()?, e.trim().parse().ok()?]));
    angles
        .filter(|[azimuth, elevation]: &[f32; 2]| azimuth.is_finite() && elevation.abs() <= 90.0)
        .ok_or_else(|| {
            format!("{text:?} is not a viewpoint; write azimuth,elevation in degrees, for instance 30,18, the second from -90 to 90")
        })
}
