//! Text that is safe within HTML, and files as text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// `text` as content or as the value of an attribute in quotes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// JSON as the content of a script element, which nothing but `<` could end.
pub(super) fn escape_json(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// The address of a file that is part of the page.
pub(super) fn data_uri(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", base64(bytes))
}

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `template` with `value(name)` in the place of every `{{name}}`; values are not looked at again.
pub(super) fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(&value(name));
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&#39;");
        assert_eq!(
            escape_json("\"</script><!--\""),
            "\"\\u003c/script>\\u003c!--\""
        );
        let value = |name: &str| format!("{{{{{name}}}}}");
        assert_eq!(fill("x {{a}} y {{b}} z", value), "x {{a}} y {{b}} z");
    }
}
