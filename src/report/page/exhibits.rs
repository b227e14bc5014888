//! What is seen and heard of an input: the stage, the slider, crops, players, meshes, recipes.

use super::PageInput;
use super::html::{data_uri, escape};
use super::style::Styles;
use super::table;
use crate::render::{Exhibit, Metric, Picture};
use crate::report::compare::ComparedInput;
use crate::report::{TrainingReport, format_metric};

/// The original and everything that was made of it, each with its name and its leading metric in words.
fn all<'a>(
    input: &'a ComparedInput,
    shown: &'a PageInput,
) -> Vec<(&'a str, Option<String>, &'a Exhibit)> {
    let words = |(name, value): &Metric| {
        let unit = if name.ends_with("_db") { " dB" } else { "" };
        format!("{}{unit}", format_metric(name, *value))
    };
    let made = shown
        .exhibited
        .iter()
        .zip(&shown.exhibition.made)
        .map(|(&row, exhibit)| {
            let model = &input.models[row];
            (&*model.model, model.metrics.0.first().map(words), exhibit)
        });
    let original = shown.exhibition.original.iter();
    original
        .map(|exhibit| ("original", None, exhibit))
        .chain(made)
        .collect()
}

fn caption(name: &str, metric: Option<&String>) -> String {
    let metric = metric.map(|text| format!(" <span class=\"metric\">{text}</span>"));
    format!(
        "<figcaption>{}{}</figcaption>\n",
        escape(name),
        metric.unwrap_or_default()
    )
}

fn img(picture: &Picture, alt: &str) -> String {
    format!(
        "<img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{}\" draggable=\"false\">",
        data_uri("image/png", &picture.png),
        picture.width,
        picture.height,
        escape(alt)
    )
}

/// A picture that is zoomed with all others.
fn view(picture: &Picture, alt: &str, class: &str, [width, height]: [u32; 2]) -> String {
    format!(
        "<div class=\"view {class}\" tabindex=\"0\" style=\"aspect-ratio: {width} / {height}\">{}</div>\n",
        img(picture, alt)
    )
}

/// Width and height at which a picture is shown, at least as a ratio.
fn shape(picture: &Picture, shown: &PageInput) -> [u32; 2] {
    let stretched = shown.exhibition.stretched;
    stretched.unwrap_or([picture.width, picture.height])
}

/// All pictures and their errors beside each other; `subject`: the name of the input.
pub(super) fn stage(subject: &str, input: &ComparedInput, shown: &PageInput) -> String {
    let figures: String = all(input, shown)
        .iter()
        .filter_map(|(name, metric, exhibit)| {
            let picture = exhibit.picture.as_ref()?;
            let seen = view(
                picture,
                &format!("{subject}: {name}"),
                "seen",
                shape(picture, shown),
            );
            let error = exhibit.error.as_ref().map(|error| {
                view(
                    error,
                    &format!("{subject}: error of {name}"),
                    "error",
                    shape(error, shown),
                )
            });
            Some(format!(
                "<figure class=\"exhibit\" data-name=\"{}\">\n{}{seen}{}</figure>\n",
                escape(name),
                caption(name, metric.as_ref()),
                error.unwrap_or_default()
            ))
        })
        .collect();
    if figures.is_empty() {
        return String::new();
    }
    let mut pictures = all(input, shown).into_iter().map(|(_, _, exhibit)| exhibit);
    let has_errors = pictures.any(|exhibit| exhibit.error.is_some());
    let errors = match shown.exhibition.errors {
        "" => String::new(),
        _ if !has_errors => String::new(),
        text => format!("<p class=\"note\">Below each: {}.</p>\n", escape(text)),
    };
    format!(
        "<h3>{}</h3>\n<p class=\"hint\">Wheel or pinch zooms all at once, drag moves, double click or 0 resets; keys: + − and arrows.</p>\n<div class=\"stage\">\n{figures}</div>\n{errors}",
        shown.exhibition.pictures
    )
}

/// Two pictures in one place, with a line between them that moves; filled in by the script from the pictures of the stage.
pub(super) fn slider(input: &ComparedInput, shown: &PageInput) -> String {
    let all = all(input, shown);
    let pictures: Vec<(&str, &Picture)> = all
        .iter()
        .filter_map(|(name, _, exhibit)| Some((*name, exhibit.picture.as_ref()?)))
        .collect();
    let [(_, first), _, ..] = &pictures[..] else {
        return String::new();
    };
    let [width, height] = shape(first, shown);
    let best = table::best(input);
    let best = pictures.iter().position(|(name, _)| Some(*name) == best);
    let best = best.filter(|best| *best > 0).unwrap_or(1);
    let choice = |label: &str, class: &str, chosen: usize| {
        let option = |(index, (name, _)): (usize, &(&str, &Picture))| {
            let selected = if index == chosen { " selected" } else { "" };
            format!(
                "<option value=\"{index}\"{selected}>{}</option>",
                escape(name)
            )
        };
        let options: String = pictures.iter().enumerate().map(option).collect();
        format!("<label>{label} <select class=\"{class}\">{options}</select></label>\n")
    };
    format!(
        "<div class=\"slider\" hidden>\n<h3>Side by side in one place</h3>\n<div class=\"controls\">\n{}{}</div>\n<div class=\"view both\" tabindex=\"0\" style=\"aspect-ratio: {} / {}; max-width: {}px\"><img class=\"under\" alt=\"\" draggable=\"false\"><div class=\"cut\"><img class=\"over\" alt=\"\" draggable=\"false\"></div><div class=\"line\"></div></div>\n<input type=\"range\" min=\"0\" max=\"100\" step=\"0.1\" value=\"50\" aria-label=\"Where the left picture ends\">\n</div>\n",
        choice("Left", "left", 0),
        choice("Right", "right", best),
        width,
        height,
        first.width.max(640)
    )
}

/// The parts in which the pictures differ most, pixel by pixel.
pub(super) fn crops(input: &ComparedInput, shown: &PageInput) -> String {
    let places = &shown.exhibition.places;
    let all = all(input, shown);
    let rows = places.iter().enumerate().map(|(index, place)| {
        let [x, y] = place.corner;
        let [width, height] = place.of;
        let where_it_is = format!("x {x} to {}, y {y} to {}", x + place.side, y + place.side);
        let figures = all.iter().filter_map(|(name, _, exhibit)| {
            let crop = exhibit.crops.get(index)?;
            let alt = format!("{name} at {where_it_is}");
            Some(format!("<figure>{}{}</figure>\n", img(crop, &alt), caption(name, None)))
        });
        format!(
            "<div class=\"crop\">\n<button type=\"button\" class=\"place\" data-place=\"{} {} {} {}\">{where_it_is}</button>\n<div class=\"row\">\n{}</div>\n</div>\n",
            x as f64 / width as f64,
            y as f64 / height as f64,
            place.side as f64 / width as f64,
            place.side as f64 / height as f64,
            figures.collect::<String>()
        )
    });
    let rows: String = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let heading = match shown.exhibition.made.len() {
        1 => "Where the error is largest",
        _ => "Where they differ most",
    };
    format!("<div class=\"crops\">\n<h3>{heading}</h3>\n{rows}</div>\n")
}

pub(super) fn players(input: &ComparedInput, shown: &PageInput) -> String {
    let players = all(input, shown).into_iter().filter_map(|(name, metric, exhibit)| {
        let sound = exhibit.sound.as_ref()?;
        Some(format!(
            "<figure>{}<audio controls preload=\"metadata\" aria-label=\"{}\" src=\"{}\"></audio></figure>\n",
            caption(name, metric.as_ref()),
            escape(name),
            data_uri("audio/wav", sound)
        ))
    });
    let players: String = players.collect();
    match players.is_empty() {
        true => players,
        false => format!("<h3>Sounds</h3>\n<div class=\"players\">\n{players}</div>\n"),
    }
}

/// The places of meshes that can be turned; without WebGL the script shows the previews there.
pub(super) fn meshes(input: &ComparedInput, shown: &PageInput) -> String {
    let figures: String = all(input, shown)
        .iter()
        .enumerate()
        .filter(|(_, (_, _, exhibit))| exhibit.mesh.is_some())
        .map(|(index, (name, metric, _))| {
            format!(
                "<figure data-name=\"{}\">{}<canvas class=\"mesh\" data-mesh=\"{index}\" width=\"640\" height=\"640\" tabindex=\"0\" role=\"img\" aria-label=\"{} as a mesh; arrows turn it\"></canvas></figure>\n",
                escape(name),
                caption(name, metric.as_ref()),
                escape(name)
            )
        })
        .collect();
    match figures.is_empty() {
        true => figures,
        false => format!(
            "<div class=\"meshes\" hidden>\n<h3>Meshes</h3>\n<p class=\"hint\">Drag turns all at once (to the sides with one finger, up and down with two), wheel or pinch zooms, double click or 0 resets.</p>\n<div class=\"stage\">\n{figures}</div>\n</div>\n"
        ),
    }
}

/// Lines for a shell, with a button that copies them.
fn command(lines: &str) -> String {
    format!(
        "<div class=\"command\"><code>{}</code><button type=\"button\" class=\"copy\">Copy</button></div>\n",
        escape(lines)
    )
}

/// What of a recipe of others is not as they have it.
fn deviations(training: &TrainingReport) -> String {
    let Some(recipe) = &training.recipe else {
        return String::new();
    };
    let changes = &training.recipe_changes;
    let changes = (!changes.is_empty()).then(|| format!("changed: {}", changes.join(", ")));
    let own = training.deviations.clone();
    let sentences: Vec<String> = changes.into_iter().chain(own).collect();
    match sentences.is_empty() {
        true => String::new(),
        false => format!(
            "<p class=\"note\">Not as theirs in {}: {}.</p>\n",
            escape(recipe),
            escape(&sentences.join("; "))
        ),
    }
}

/// How every fit was made, and the command that repeats it.
pub(super) fn recipes(input: &ComparedInput, shown: &PageInput, styles: &Styles) -> String {
    let several = input.models.iter().zip(&shown.runs).map(|(model, run)| {
        let Some(run) = run.as_ref().filter(|run| !run.command.is_empty()) else {
            return String::new();
        };
        format!(
            "<details>\n<summary>{}{} <span class=\"seed\">seed {}</span></summary>\n{}{}<pre>{}</pre>\n</details>\n",
            styles.swatch(&model.model),
            escape(&model.model),
            run.report.seed,
            deviations(&run.report.training),
            command(&run.command),
            escape(&run.recipe)
        )
    });
    let mut recipes: String = several.collect();
    if !shown.commands.is_empty() {
        recipes += &format!(
            "<details>\n<summary>All of them</summary>\n{}</details>\n",
            command(&shown.commands)
        );
    }
    match recipes.is_empty() {
        true => recipes,
        false => format!(
            "<div class=\"recipes\">\n<h3>Recipes and the commands that repeat them</h3>\n{recipes}</div>\n"
        ),
    }
}
