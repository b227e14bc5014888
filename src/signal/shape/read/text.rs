//! Lines of words.

use std::str::FromStr;

use super::Fault;

/// What editors of some systems put before the first word of a text: the byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text without its byte order mark.
pub(super) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// Lines that are not empty, without what follows `#`, with their numbers from 1.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &str)> {
    without_mark(bytes)
        .split(|&byte| byte == b'\n')
        .enumerate()
        .filter_map(|(number, line)| {
            let line = line.split(|&byte| byte == b'#').next()?.trim_ascii();
            // A line that is no text has no words that a reader could use.
            let line = str::from_utf8(line).unwrap_or("?");
            (!line.is_empty()).then_some((number + 1, line))
        })
}

/// Reads one word of a line.
pub(super) fn number<T: FromStr>(word: Option<&str>, line: usize, what: &str) -> Result<T, Fault> {
    match word.map(|word| (word, word.parse())) {
        Some((_, Ok(value))) => Ok(value),
        Some((word, Err(_))) => Fault::damaged(format!("line {line}: {what} is {word:?}")),
        None => Fault::damaged(format!("line {line}: {what} is missing")),
    }
}

/// Reads three words.
pub(super) fn vector<'a>(
    words: &mut impl Iterator<Item = &'a str>,
    line: usize,
    what: &str,
) -> Result<[f32; 3], Fault> {
    Ok([
        number(words.next(), line, what)?,
        number(words.next(), line, what)?,
        number(words.next(), line, what)?,
    ])
}
