//! Headers that hold lists (RFC 9110, section 5.6).
//!
//! **Invariant:** a comma or a semicolon inside quotes separates nothing.

use http::{HeaderMap, HeaderName};

/// The elements of a list, over all lines of the header, trimmed and not empty. A line that is not
/// visible ASCII holds none.
pub(super) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|it| it.to_str().ok());
    lines.flat_map(|line| split(line, b',')).filter(|it| !it.is_empty())
}

/// The parts of `text` between separators outside quotes, trimmed.
pub(super) fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ => return byte == separator && !quoted,
            }
            false
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(text[..end.unwrap_or(text.len())].trim())
    })
}

/// `name=value` as its two sides, the value without quotes; a name alone has an empty value.
pub(super) fn pair(text: &str) -> (&str, &str) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let value = value.trim();
    let bare = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    (name.trim(), bare.unwrap_or(value))
}

/// Whether one of the entity tags in a header is `etag`, compared weakly (section 8.8.3.2), or the
/// header is `*`.
pub(super) fn names_etag(headers: &HeaderMap, name: HeaderName, etag: &str) -> bool {
    elements(headers, name).any(|it| it == "*" || opaque(it) == opaque(etag))
}

/// An entity tag without the mark of a weak one.
pub(super) fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_quotes() {
        let parts = |text| split(text, b',').collect::<Vec<_>>();
        assert_eq!(parts("a, b ,c"), ["a", "b", "c"]);
        assert_eq!(parts(r#"W/"a,b", "c\",d""#), [r#"W/"a,b""#, r#""c\",d""#]);
        assert_eq!(parts(r#""open, and"#), [r#""open, and"#]);
        assert_eq!(parts(""), [""]);
        assert_eq!(pair(r#" a = "b" "#), ("a", "b"));
        assert_eq!(pair("a"), ("a", ""));
        assert_eq!(pair(r#"a=""#), ("a", "\""));
    }
}
