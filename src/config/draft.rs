//! One recipe out of preset, purpose, the recipe of others, file and flags, before the signal is measured.

use std::path::PathBuf;

use toml::{Table, Value};

use super::ConfigError;
use super::preset::{DEFAULT_PRESET, Preset};
use super::purpose::{DEFAULT_PURPOSE, DEFAULT_RECIPE, Purposes};
use super::recipe::{ENDS, Recipe};
use super::resolve::Request;
use super::table::{get, merge, nearest, set};
use crate::model::LayerConfig;

/// The name in `model.preset` of a recipe that starts from no preset.
pub const CUSTOM: &str = "custom";

/// Fields that have flags of their own, which choose more than the field.
const WITH_FLAGS: [(&str, &str); 2] =
    [("model.preset", "--model"), ("training.recipe", "--recipe")];

/// A recipe before the signal is known but for its kind.
pub(super) struct Draft {
    pub recipe: Recipe,
    /// Whether the user said when to stop.
    pub names_an_end: bool,
}

/// Lays preset, purpose, recipe, file and settings over each other.
///
/// # Errors
/// [`ConfigError`], one sentence with the field, file or name.
pub(super) fn draft(request: &Request, kind: &str) -> Result<Draft, ConfigError> {
    let purpose = request.purpose.as_deref().unwrap_or(DEFAULT_PURPOSE);
    let whose = request.recipe.as_deref().unwrap_or(DEFAULT_RECIPE);
    let mut file = request
        .file
        .as_ref()
        .map(read)
        .transpose()?
        .unwrap_or_default();
    let purposes_of_file = Purposes::take(Purposes::FOR, &mut file)?;
    let kinds_of_file = Purposes::take(Purposes::ON, &mut file)?;
    let recipes_of_file = Purposes::take_recipes(kind, &mut file)?;
    let model_of_file = file.get("model").and_then(Value::as_table);
    let preset_of_file = model_of_file
        .and_then(|m| m.get("preset"))
        .and_then(Value::as_str);
    let has_own_layers = model_of_file.is_some_and(|m| m.contains_key("layers"));
    let name = match (&request.model, preset_of_file) {
        (Some(name), _) => name.as_str(),
        (None, Some(name)) => name,
        (None, None) if has_own_layers => CUSTOM,
        (None, None) => DEFAULT_PRESET,
    };

    let mut table = if name == CUSTOM {
        Table::new()
    } else {
        Preset::find(name)?.table()
    };
    let purposes = Purposes::take(Purposes::FOR, &mut table)?;
    Purposes::take(Purposes::ON, &mut table)?.apply(kind, &mut table)?;
    let recipes = Purposes::take_recipes(kind, &mut table)?;
    let both = [&purposes, &purposes_of_file];
    Purposes::check(both, purpose, DEFAULT_PURPOSE, name)?;
    Purposes::check([&recipes, &recipes_of_file], whose, DEFAULT_RECIPE, name)?;
    purposes.apply(purpose, &mut table)?;
    recipes.apply(whose, &mut table)?;
    if let Some(source) = request.file.as_deref().filter(|_| is_whole(&file)) {
        // Laid over them, it would undo them without a word.
        let flags = &request.settings;
        if !purposes_of_file.has(purpose) {
            purposes.check_kept(purpose, &file, source, flags)?;
        }
        let own = recipe_name(&file);
        if own.unwrap_or(DEFAULT_RECIPE) != whose && !recipes_of_file.has(whose) {
            recipes.check_kept(whose, &file, source, flags)?;
            if let (Some(own), Some(_)) = (own, &request.recipe) {
                return Err(ConfigError::Field(format!(
                    "--recipe {whose}: {}, a whole recipe, is the one called {own}; leave --recipe out, or start another run without that recipe",
                    source.display()
                )));
            }
        }
    }
    let model_of_preset = table.get("model").cloned();
    lay_over(&mut table, file.clone());
    kinds_of_file.apply(kind, &mut table)?;
    purposes_of_file.apply(purpose, &mut table)?;
    recipes_of_file.apply(whose, &mut table)?;
    if let Some(name) = &request.model
        && has_own_layers
        && preset_of_file != Some(name)
        && let Some(model) = model_of_preset
    {
        // A model named on the command line replaces the layers of the file, which is then nobody's recipe.
        table.insert("model".into(), model);
        if let Some(Value::Table(training)) = table.get_mut("training") {
            training.remove("recipe");
        }
    }
    let mut flags = Table::new();
    let (layer_settings, settings): (Vec<_>, Vec<_>) = request
        .settings
        .iter()
        .partition(|(path, _)| is_of_layer(path));
    for (path, value) in settings {
        let mut with_flags = WITH_FLAGS.iter();
        if let Some((_, flag)) = with_flags.find(|(name, _)| path == name) {
            let name = value.as_str().unwrap_or("NAME");
            return Err(ConfigError::Field(format!(
                "{path} cannot be set here; give {flag} {name} instead"
            )));
        }
        set(&mut flags, path, value.clone()).map_err(ConfigError::Field)?;
    }
    let names_an_end = names_an_end(&file) || names_an_end(&flags);
    lay_over(&mut table, flags);
    for (path, value) in layer_settings {
        set(&mut table, path, value.clone()).map_err(ConfigError::Field)?;
    }
    if whose != DEFAULT_RECIPE && (!has_own_layers || recipes_of_file.has(whose)) {
        let whose = Value::String(whose.to_string());
        set(&mut table, "training.recipe", whose).map_err(ConfigError::Field)?;
    }
    set(&mut table, "model.preset", Value::String(name.to_string())).map_err(ConfigError::Field)?;

    let recipe = parse(&table).map_err(|wrong| wrong.told(request, &file))?;
    recipe.training.check().map_err(ConfigError::Field)?;
    Ok(Draft {
        recipe,
        names_an_end,
    })
}

/// Whether a file says all that a training needs, as the recipe of a run does.
fn is_whole(file: &Table) -> bool {
    let has = |table: &str, field: &str| file.get(table).is_some_and(|t| t.get(field).is_some());
    has("model", "layers") && has("training", "optimizer")
}

/// Whose recipe a file says that it is.
fn recipe_name(file: &Table) -> Option<&str> {
    file.get("training")?.get("recipe")?.as_str()
}

/// Merges `over`; when it names an end of the run, the ends known so far are dropped, for `--time 10m` does not mean "but at most
/// the preset's steps".
fn lay_over(table: &mut Table, over: Table) {
    if names_an_end(&over)
        && let Some(Value::Table(training)) = table.get_mut("training")
    {
        for end in ENDS {
            training.remove(end);
        }
    }
    let names_layers = over
        .get("model")
        .and_then(Value::as_table)
        .is_some_and(|m| m.contains_key("layers"));
    if names_layers && let Some(Value::Table(model)) = table.get_mut("model") {
        // Layers of one's own have widths of their own.
        model.remove("parameters");
    }
    merge(table, over);
}

fn names_an_end(table: &Table) -> bool {
    let training = table.get("training").and_then(Value::as_table);
    training.is_some_and(|t| ENDS.iter().any(|end| t.contains_key(*end)))
}

fn read(path: &PathBuf) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.clone(),
        source,
    })?;
    let mut table: Table = text
        .parse()
        .map_err(|e: toml::de::Error| ConfigError::Syntax {
            path: path.clone(),
            message: located(&e, &text),
        })?;
    table.remove("about");
    Ok(table)
}

/// The parser's message without its drawing of the line: `line 3, column 5: ...`.
fn located(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let message = error.message().replace('\n', ", ");
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
            format!("line {line}, column {column}: {message}")
        }
        None => message,
    }
}

/// What is wrong with a merged table, and where.
struct Wrong {
    /// Keys and list positions joined by dots; empty for the whole table.
    path: String,
    message: String,
}

/// Reads the merged table.
fn parse(table: &Table) -> Result<Recipe, Wrong> {
    let wrong = |error: &toml::de::Error| {
        let text = error.to_string();
        // The last line says where it was, without positions in lists.
        let (message, path) = match text.trim().rsplit_once("\nin `") {
            Some((message, path)) => (message, path.trim_end_matches('`')),
            None => (text.trim(), ""),
        };
        Wrong {
            path: path.to_string(),
            message: message.lines().collect::<Vec<_>>().join(", "),
        }
    };
    let model = table.get("model").and_then(|model| model.get("layers"));
    let layers = model.and_then(Value::as_array);
    for (index, layer) in layers.into_iter().flatten().enumerate() {
        layer.clone().try_into::<LayerConfig>().map_err(|error| {
            let Wrong { path, message } = wrong(&error);
            let place = format!("model.layers.{index}.{path}");
            let path = place.trim_end_matches('.').to_string();
            Wrong { path, message }
        })?;
    }
    let recipe = Value::Table(table.clone()).try_into();
    recipe.map_err(|error| wrong(&error))
}

impl Wrong {
    /// The sentence for people, which begins with the flag or file that it came from, if that is certain; an unknown name is answered with the
    /// nearest known one.
    fn told(self, request: &Request, file: &Table) -> ConfigError {
        let Self { mut path, message } = self;
        // As serde lists them in "unknown field `x`, expected one of `a`, `b`".
        let mut names = message.split('`').skip(1).step_by(2);
        let unknown = names.next().filter(|_| message.starts_with("unknown"));
        let is_field = message.starts_with("unknown field");
        if let Some(field) = unknown.filter(|_| is_field) {
            path = [&*path, field].join(".");
            path = path.trim_start_matches('.').to_string();
        }
        let is_at_fault = |(flag, value): &&(String, Value)| match below(&path, flag) {
            Some(rest) => rest.is_empty() || get(value, rest).is_some(),
            // What is wrong in a layer is told without the field, but with the value.
            None => below(flag, &path).is_some() && (is_field || message.contains(&shown(value))),
        };
        // Settings of layers are laid over all others.
        let (of_layers, others): (Vec<_>, Vec<_>) = request
            .settings
            .iter()
            .partition(|(path, _)| is_of_layer(path));
        let flag = of_layers
            .into_iter()
            .rev()
            .chain(others.into_iter().rev())
            .find(is_at_fault);
        let source = match (flag, &request.file) {
            (Some((flag, _)), _) => match below(&path, flag) {
                Some(rest) if !rest.is_empty() => format!("--set {flag}: {path}"),
                _ => format!("--set {flag}"),
            },
            (None, Some(source)) if get(&Value::Table(file.clone()), &path).is_some() => {
                format!("{}: {path}", source.display())
            }
            _ if path.is_empty() => "the recipe is wrong".into(),
            _ => format!("the recipe is wrong: {path}"),
        };
        let suggestion = unknown.and_then(|unknown| nearest(unknown, names));
        let suggestion = suggestion.map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
        ConfigError::Field(format!("{source}: {}{suggestion}", in_words(&message)))
    }
}

/// Whether a setting is for a layer that is there, whoever put it there.
fn is_of_layer(path: &str) -> bool {
    path.starts_with("model.layers.")
}

/// The way from `outer` to `inner`, if it leads there; both are keys and list positions joined by dots.
fn below<'a>(inner: &'a str, outer: &str) -> Option<&'a str> {
    match inner.strip_prefix(outer)? {
        rest if rest.is_empty() || outer.is_empty() => Some(rest),
        rest => rest.strip_prefix('.'),
    }
}

/// How serde shows a value that it did not expect.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("string {text:?}"),
        Value::Array(_) => "type: sequence".into(),
        Value::Table(_) => "type: map".into(),
        value => format!("`{value}`"),
    }
}

/// A message of serde without the names of types.
fn in_words(message: &str) -> String {
    let Some((before, expected)) = message.split_once(", expected ") else {
        return message.to_string();
    };
    let words = match expected {
        "usize" | "u64" | "u32" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        expected if expected.starts_with("struct ") || expected.contains("enum ") => "a table",
        expected => expected,
    };
    format!("{before}, expected {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(request: &Request) -> String {
        let refused = draft(request, "image").err().unwrap();
        refused.to_string()
    }

    #[test]
    fn what_is_wrong_is_told_with_the_flag_that_it_came_from() {
        for (pair, told) in [
            (
                "model.layers.1.width=-3",
                "--set model.layers.1.width: invalid value: integer `-3`, expected a whole number",
            ),
            (
                "model.layers.1.kind=sime",
                "--set model.layers.1.kind: unknown variant `sime`, expected one of",
            ),
            (
                "model.layers.1.omega=3",
                "--set model.layers.1.omega: unknown field `omega`, expected one of",
            ),
            (
                "training.batchsize=4",
                "--set training.batchsize: unknown field `batchsize`, expected one of",
            ),
            (
                "trainning.seed=4",
                "--set trainning.seed: unknown field `trainning`, expected",
            ),
            (
                "training.optimizer.kind=adm",
                "--set training.optimizer.kind: unknown variant `adm`, expected one of",
            ),
        ] {
            let mut request = Request {
                model: Some("siren".into()),
                ..Request::default()
            };
            request.set_pair(pair).unwrap();
            // Others beside it are not at fault.
            request.set("training.steps", 5);
            request.set("model.layers.1.omega_0", 20.0);
            let error = error(&request);
            assert!(error.starts_with(told), "{pair}: {error}");
        }
    }

    /// Of several settings that lie near, that with the value is named, or the last that was laid over the others.
    #[test]
    fn settings_that_are_right_are_not_blamed() {
        for (pairs, told) in [
            (
                &["model.layers.1.width=20.5", "model.layers.1.omega_0=2"][..],
                "--set model.layers.1.width: invalid type: floating point `20.5`",
            ),
            (
                &[
                    "model.layers.1.width=-3",
                    "model.layers=[{kind=\"sine\", width=8}, {kind=\"sine\", width=8}]",
                ],
                "--set model.layers.1.width: invalid value: integer `-3`",
            ),
            (
                &["model.layers=[{kind=\"sine\", width=8}, {kind=\"sine\", width=\"x\"}]"],
                "--set model.layers: model.layers.1: invalid type: string \"x\"",
            ),
            (
                &["training={seed=3}", "training.batchsize=4"],
                "--set training.batchsize: unknown field `batchsize`",
            ),
            (
                &["training=3"],
                "--set training: invalid type: integer `3`, expected a table",
            ),
        ] {
            let mut request = Request {
                model: Some("siren".into()),
                ..Request::default()
            };
            for pair in pairs {
                request.set_pair(pair).unwrap();
            }
            let error = error(&request);
            assert!(error.starts_with(told), "{pairs:?}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_with_its_name_and_the_layer() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.toml");
        let layers = "[[model.layers]]\nkind = \"sine\"\nwidth = 8\n";
        let text = format!("{layers}{}", layers.replace("8", "\"wide\""));
        std::fs::write(&file, text).unwrap();
        let request = Request {
            file: Some(file.clone()),
            ..Request::default()
        };
        let told = format!(
            "{}: model.layers.1: invalid type: string \"wide\"",
            file.display()
        );
        assert!(error(&request).starts_with(&told), "{}", error(&request));
        // A flag that has nothing to do with it, whatever it has in common with the sentence.
        let mut request = request;
        request.set("model.layers.1.omega_0", 64.0);
        request.set("model.layers.0.width", 64);
        assert!(error(&request).starts_with(&told), "{}", error(&request));
    }
}
