//! One recipe out of preset, purpose, the recipe of others, file and flags, before the signal is measured.

use std::path::PathBuf;

use toml::{Table, Value};

use super::ConfigError;
use super::preset::{DEFAULT_PRESET, Preset};
use super::purpose::{DEFAULT_PURPOSE, DEFAULT_RECIPE, Purposes};
use super::recipe::{ENDS, Recipe};
use super::resolve::Request;
use super::table::{merge, nearest, set};

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
        .partition(|(path, _)| path.starts_with("model.layers."));
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

    let recipe = parse(table)?;
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

/// Reads the merged table; an unknown field is answered with the nearest known one.
fn parse(table: Table) -> Result<Recipe, ConfigError> {
    Value::Table(table).try_into::<Recipe>().map_err(|error| {
        let message = error.to_string();
        let message = message.trim().lines().collect::<Vec<_>>().join(", ");
        ConfigError::Field(with_suggestion(&message))
    })
}

/// Adds the nearest of the names that serde lists in "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let (Some(unknown), true) = (names.next(), message.contains("unknown")) else {
        return format!("the recipe is wrong: {message}");
    };
    match nearest(unknown, names) {
        Some(name) => format!("the recipe is wrong: {message}; did you mean `{name}`?"),
        None => format!("the recipe is wrong: {message}"),
    }
}
