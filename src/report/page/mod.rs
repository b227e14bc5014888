//! `report.html`: a comparison or a run as one page that needs nothing else, neither files nor a network.
//!
//! What is text or a table is written here, so that it can be read without a script; charts, zoom and everything else that moves is made by
//! the scripts from the JSON that `data.rs` puts into the page.

mod data;
mod exhibits;
mod html;
mod style;
mod table;

use super::compare::{CompareReport, ComparedInput, ComparedModel, distinct};
use super::run::RunReport;
use crate::render::Exhibition;

use html::{escape, fill};

/// A comparison, or a single run as a comparison of one, and what belongs to its inputs.
#[derive(Debug)]
pub struct Page<'a> {
    /// The figures.
    pub report: &'a CompareReport,
    /// What is shown of every input of `report`, in its order.
    pub inputs: &'a [PageInput],
}

/// What is shown of an input beside its figures.
#[derive(Debug, Default)]
pub struct PageInput {
    /// The signal in words, such as `768 x 512, RGB, 8 bit`.
    pub description: String,
    /// Pictures, sounds and meshes of the first fit of every model and of every filter.
    pub exhibition: Exhibition,
    /// The indices of the models of the input that `exhibition` shows, in its order.
    pub exhibited: Vec<usize>,
    /// What the runs say of themselves, one for each model of the input; none for a filter, or when it is lost.
    pub runs: Vec<Option<PageRun>>,
    /// The commands that repeat all runs and make a page of them, one a line; empty when there are not several.
    pub commands: String,
}

/// A run as its folder holds it.
#[derive(Debug)]
pub struct PageRun {
    /// Its `report.json`.
    pub report: RunReport,
    /// The text of its `recipe.toml`; empty when it is lost.
    pub recipe: String,
    /// The command that repeats it; empty without a recipe.
    pub command: String,
}

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// Everything on the page that moves. Nothing is loaded; without it tables, pictures and recipes are all there.
const SCRIPT: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("elements.js"),
    include_str!("charts.js"),
    include_str!("pictures.js"),
    include_str!("meshes.js"),
    include_str!("page.js"),
    "})();\n"
);

/// The page as HTML.
pub fn page(page: &Page) -> String {
    let styles = style::Styles::of(page.report);
    let title = title(page.report);
    let sections: String = begun(page.report)
        .map(|(index, _)| section(page, &styles, index))
        .collect();
    fill(TEMPLATE, |name| match name {
        "title" => escape(&title),
        "facts" => facts(page.report),
        "means" => table::means(page.report, &styles),
        "chooser" => chooser(page.report),
        "sections" => sections.clone(),
        "version" => env!("CARGO_PKG_VERSION").into(),
        "style" => STYLE.into(),
        "script" => SCRIPT.into(),
        "data" => data::json(page, &styles),
        _ => String::new(),
    })
}

/// The inputs that there is something to say of, with their indices.
fn begun(report: &CompareReport) -> impl Iterator<Item = (usize, &ComparedInput)> + Clone {
    let inputs = report.inputs.iter().enumerate();
    inputs.filter(|(_, input)| !(input.models.is_empty() && input.failures.is_empty()))
}

/// The rows of all inputs.
fn rows(report: &CompareReport) -> impl Iterator<Item = &ComparedModel> {
    report.inputs.iter().flat_map(|input| &input.models)
}

fn title(report: &CompareReport) -> String {
    let fitted = rows(report).filter(|row| row.fit.is_some());
    let failures = report.inputs.iter().flat_map(|input| &input.failures);
    let failed = failures.map(|failure| &*failure.model);
    let names = distinct(fitted.map(|row| &*row.model).chain(failed));
    let models = match names.len() {
        0 => "Nothing yet".to_string(),
        1..=4 => list(&names),
        count => format!("{count} models"),
    };
    let mut inputs = begun(report).map(|(index, _)| index);
    match (inputs.next(), inputs.count()) {
        (None, _) => models,
        (Some(input), 0) => format!("{models} on {}", report.names()[input]),
        (Some(_), others) => format!("{models} on {} inputs", others + 1),
    }
}

fn list(names: &[&str]) -> String {
    match names {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

fn facts(report: &CompareReport) -> String {
    let mut facts = vec![("Device", report.device.clone())];
    let seeds: Vec<String> = report.seeds.iter().map(u64::to_string).collect();
    let seed = if seeds.len() == 1 { "Seed" } else { "Seeds" };
    facts.push((seed, seeds.join(", ")));
    if let Some(recipe) = &report.recipe {
        facts.push(("Recipe", recipe.clone()));
    }
    if let Some(reduction) = report.holdout {
        let by = serde_json::to_value(reduction.by()).unwrap_or_default();
        let text = format!(
            "fitted to the input reduced by {} ({}), measured at full size",
            reduction.factor(),
            by.as_str().unwrap_or_default()
        );
        facts.push(("Held out", text));
    }
    let failures = report.failures();
    if !failures.is_empty() {
        facts.push(("Failed", failures.join("; ")));
    }
    if !report.command.is_empty() {
        facts.push(("Command", report.command.clone()));
    }
    let item = |(name, value): &(&str, String)| {
        format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", escape(value))
    };
    facts.iter().map(item).collect()
}

fn chooser(report: &CompareReport) -> String {
    if begun(report).count() < 2 {
        return String::new();
    }
    let names = report.names();
    let option = |(index, _): (usize, &ComparedInput)| {
        format!(
            "<option value=\"{index}\">{}</option>\n",
            escape(&names[index])
        )
    };
    let options: String = begun(report).map(option).collect();
    format!(
        "<nav class=\"chooser\"><label>Input <select id=\"input\">\n<option value=\"all\">all</option>\n{options}</select></label></nav>\n"
    )
}

fn section(page: &Page, styles: &style::Styles, index: usize) -> String {
    let (input, shown) = (&page.report.inputs[index], &page.inputs[index]);
    let name = &page.report.names()[index];
    let description = match shown.description.is_empty() {
        true => String::new(),
        false => format!(" · {}", escape(&shown.description)),
    };
    let notes = shown.exhibition.notes.iter();
    let notes: String = notes
        .map(|note| format!("<p class=\"note\">{}</p>\n", escape(note)))
        .collect();
    [
        format!("<section class=\"input\" data-input=\"{index}\" aria-label=\"{}\">\n", escape(name)),
        format!("<h2>{}</h2>\n<p class=\"facts\">{}{description}</p>\n", escape(name), escape(&input.input.path)),
        table::ranking(input, page.report, styles),
        "<div class=\"charts\">\n<div class=\"chart\" data-chart=\"curves\"></div>\n<div class=\"chart\" data-chart=\"spectra\"></div>\n</div>\n".into(),
        notes,
        exhibits::players(input, shown),
        exhibits::stage(name, input, shown),
        exhibits::slider(input, shown),
        exhibits::crops(input, shown),
        exhibits::meshes(input, shown),
        exhibits::recipes(input, shown, styles),
        "</section>\n".into(),
    ]
    .concat()
}
