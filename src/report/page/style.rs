//! How the models of a page are told apart in charts: a colour each, a dash pattern where there are more models than colours, and another width by a recipe
//! of others.

use plotters::style::RGBColor;
use serde_json::{Value, json};

use super::rows;
use crate::report::compare::{CompareReport, distinct};
use crate::report::curves::{COLOURS, LineStyle};

/// The lengths of strokes and gaps, in pixels; the first is a line.
const DASHES: [&str; 4] = ["", "6 4", "2 3", "9 3 2 3"];

/// The styles of all models.
pub(super) struct Styles<'a> {
    models: Vec<&'a str>,
    seeds: &'a [u64],
}

impl<'a> Styles<'a> {
    pub fn of(report: &'a CompareReport) -> Self {
        Self {
            models: distinct(rows(report).map(|row| &*row.model)),
            seeds: &report.seeds,
        }
    }

    /// Colour, strokes and width.
    fn style(&self, model: &str) -> (String, &'static str, f64) {
        let line = LineStyle::of(model, &self.models);
        let RGBColor(r, g, b) = COLOURS[line.colour];
        let colour = match (r, g, b) {
            // Black is the ink of the page, which is light on dark.
            (0, 0, 0) => "currentColor".to_string(),
            _ => format!("#{r:02X}{g:02X}{b:02X}"),
        };
        (colour, DASHES[line.round % DASHES.len()], line.width)
    }

    /// The line of a model, of which there is one for every seed.
    pub fn line(&self, model: &str, seed: Option<u64>) -> Value {
        let (colour, dash, width) = self.style(model);
        // The lines of other seeds are paler.
        let is_first = seed.is_none() || self.seeds.first().copied() == seed;
        let opacity = if is_first { 1.0 } else { 0.45 };
        json!({ "colour": colour, "dash": dash, "width": width, "opacity": opacity })
    }

    /// A piece of the line of a model, to stand before its name.
    pub fn swatch(&self, model: &str) -> String {
        let (colour, dash, width) = self.style(model);
        format!(
            "<svg class=\"swatch\" width=\"22\" height=\"8\" aria-hidden=\"true\"><line x1=\"0\" y1=\"4\" x2=\"22\" y2=\"4\" stroke=\"{colour}\" stroke-dasharray=\"{dash}\" stroke-width=\"{width}\"/></svg>"
        )
    }
}
