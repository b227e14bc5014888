//! Commands as text that a shell takes back.

/// Flags that change no result, that concern only files already on this machine, or that delete them.
const LEFT_OUT: [&str; 7] = [
    "--force",
    "--resume",
    "-q",
    "--quiet",
    "-v",
    "--verbose",
    "--json",
];

/// This process's own command, under the program's name, as somebody else may repeat it.
pub(super) fn of_this_process() -> String {
    let arguments = std::env::args_os().skip(1);
    to_repeat(arguments.map(|argument| argument.to_string_lossy().into_owned()))
}

fn to_repeat(arguments: impl Iterator<Item = String>) -> String {
    let kept = arguments.filter(|argument| !LEFT_OUT.contains(&&**argument));
    let words = kept.map(|argument| quoted(&argument));
    std::iter::once("inr".to_string())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word of a command line, in quotes where a shell would take it for something else.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:,=+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The path of a file as a word that is not taken for a flag.
pub(super) fn quoted_path(path: &str) -> String {
    match path.starts_with('-') {
        true => quoted(&format!("./{path}")),
        false => quoted(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_without_what_others_do_not_need() {
        let line = "compare a.png --force --out b -q --json --resume";
        let told = to_repeat(line.split(' ').map(String::from));
        assert_eq!(told, "inr compare a.png --out b");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_split_them() {
        assert_eq!(quoted("out/a-siren/recipe.toml"), "out/a-siren/recipe.toml");
        assert_eq!(quoted("my photo.png"), "'my photo.png'");
        assert_eq!(quoted_path("-a b.png"), "'./-a b.png'");
        assert_eq!(quoted_path("a-b.png"), "a-b.png");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("sdf:torus(0.5,0.2)"), "'sdf:torus(0.5,0.2)'");
    }
}
