//! README and docs against the program and the files: links lead somewhere, commands and their settings are understood.

use std::path::{Path, PathBuf};

use inr::config::{Request, check};

use super::program::{Place, repository};

/// README and every page in `docs`, with their text.
fn documents() -> Vec<(PathBuf, String)> {
    let pages = std::fs::read_dir(repository().join("docs")).unwrap();
    let pages = pages.map(|entry| entry.unwrap().path());
    std::iter::once(repository().join("README.md"))
        .chain(pages.filter(|path| path.extension().is_some_and(|ending| ending == "md")))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

/// What stands between `open` and the next `close`, everywhere in the text.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    text.split(open)
        .skip(1)
        .filter_map(move |rest| rest.split_once(close))
        .map(|(inside, _)| inside)
}

/// The name by which a heading is linked to, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim_start_matches('#')
        .trim()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            _ if c.is_alphanumeric() || "-_".contains(c) => Some(c),
            _ => None,
        });
    kept.collect::<String>().to_lowercase()
}

fn has_anchor(path: &Path, name: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .any(|line| line.starts_with('#') && anchor(line) == name)
}

#[test]
fn links_between_documents_lead_to_a_file_and_a_heading() {
    let mut links = 0;
    for (path, text) in documents() {
        for link in between(&text, "](", ')').filter(|link| !link.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                _ => path.with_file_name(file),
            };
            assert!(target.exists(), "{}: {link} is not there", path.display());
            assert!(
                heading.is_empty() || has_anchor(&target, heading),
                "{}: {link} has no such heading",
                path.display()
            );
            links += 1;
        }
    }
    assert!(links > 50, "{links} links were found");
}

/// The words of a command line; those in quotes are one.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ' ' | '\n') => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words
}

/// Commands in backticks that could be run, without those that list what may follow in brackets.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    between(text, "`inr ", '`').filter(|line| !line.contains(" [") && !line.ends_with(" SHELL"))
}

/// The values of a flag among the words.
fn values<'a>(words: &'a [String], flag: &'a str) -> impl Iterator<Item = &'a str> {
    let pairs = words.iter().zip(&words[1..]);
    pairs
        .filter(move |(word, _)| *word == flag)
        .map(|(_, value)| value.as_str())
}

#[test]
fn commands_in_the_documents_are_understood() {
    let place = Place::new();
    let mut seen = 0;
    for (_, text) in documents() {
        for line in commands(&text) {
            // Flags and their values are read before help is given.
            let ended = place.end(line, place.command("").args(words(line)).arg("--help"));
            ended.done();
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen} commands were found");
}

/// The kind of signal that the first file of a command is of.
fn kind(words: &[String]) -> &'static str {
    match words.get(1).and_then(|input| input.rsplit('.').next()) {
        Some("wav") => "sound",
        Some("obj" | "ply" | "stl" | "xyz") => "shape",
        _ => "image",
    }
}

#[test]
fn models_and_settings_in_the_documents_are_there() {
    let mut settings = 0;
    for (path, text) in documents() {
        for line in
            commands(&text).filter(|line| !line.contains("--config") && !line.contains("a,b,c"))
        {
            let words = words(line);
            let named = values(&words, "--models").chain(values(&words, "--model"));
            let models: Vec<&str> = named.flat_map(|list| list.split(',')).collect();
            for name in if models.is_empty() { vec![""] } else { models } {
                let (model, recipe) = match name.split_once(':') {
                    Some((model, recipe)) => (model, Some(recipe)),
                    None => (name, values(&words, "--recipe").next()),
                };
                let mut request = Request {
                    model: (!["", "all"].contains(&model)).then(|| model.to_string()),
                    purpose: values(&words, "--for").next().map(String::from),
                    recipe: recipe.map(String::from),
                    ..Request::default()
                };
                for pair in values(&words, "--set") {
                    request.set_pair(pair).unwrap();
                    settings += 1;
                }
                if let Err(e) = check(&request, kind(&words)) {
                    panic!("{}: `inr {line}`: {e}", path.display());
                }
            }
        }
    }
    assert!(settings > 20, "{settings} settings were found");
}
