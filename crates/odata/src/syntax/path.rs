//! Resource paths (part 2, section 4) and percent-decoding.
//!
//! **Invariant:** the raw text is split at slashes first and decoded after, so an encoded slash is part
//! of a key and never a separator.

use percent_encoding::percent_decode_str;

use super::{Limits, Segment, SyntaxError};

/// Percent-decodes a part of a path.
pub fn decode(text: &str) -> Result<String, SyntaxError> {
    let bad = || SyntaxError::Encoding(text.to_owned());
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.as_bytes().get(..2).ok_or_else(bad)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(bad());
        }
        rest = after;
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| bad())?;
    Ok(decoded.into_owned())
}

/// Parses the raw, percent-encoded path below the service root, such as
/// `/groups('id')/conversations/$ref`. Empty segments are skipped.
pub fn parse_path(raw: &str, limits: &Limits) -> Result<Vec<Segment>, SyntaxError> {
    let mut segments = Vec::new();
    for text in split(raw) {
        if text.is_empty() {
            continue;
        }
        if segments.len() == limits.segments {
            let part = "the path".to_owned();
            return Err(SyntaxError::TooComplex { part, max: limits.segments, of: "segments" });
        }
        segments.push(segment(&decode(text)?));
    }
    Ok(segments)
}

/// Splits at slashes that are not inside a quoted key. Only a quote directly after an opening
/// parenthesis (or after `id=` there) opens a string, and only where it is closed before a closing
/// one: elsewhere it is part of a key such as `o'hara@example.org`. Who encodes the quotes encodes
/// the slashes between them too.
fn split(raw: &str) -> Vec<&str> {
    let (bytes, mut parts, mut start, mut at) = (raw.as_bytes(), Vec::new(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        if *byte == b'/' {
            parts.push(&raw[start..at - 1]);
            start = at;
        } else if *byte == b'(' {
            at = quoted_end(bytes, at).unwrap_or(at);
        }
    }
    parts.push(&raw[start..]);
    parts
}

/// The end of a quoted key that begins at `at`, after its parenthesis.
fn quoted_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    while bytes.get(at).is_some_and(|it| it.is_ascii_alphanumeric() || *it == b'=') {
        at += 1;
    }
    if bytes.get(at) != Some(&b'\'') {
        return None;
    }
    loop {
        at += 1;
        if bytes.get(at)? == &b'\'' {
            at += 1;
            match bytes.get(at)? {
                b'\'' => {}
                b')' => return Some(at + 1),
                _ => return None,
            }
        }
    }
}

fn segment(text: &str) -> Segment {
    let plain = || Segment { name: text.to_owned(), key: None, parentheses: false };
    let Some((name, inner)) = text.strip_suffix(')').and_then(|it| it.split_once('(')) else {
        return plain();
    };
    let is_name = !name.is_empty()
        && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_.$".contains(&it));
    if !is_name {
        return plain();
    }
    let named = Segment { name: name.to_owned(), key: None, parentheses: true };
    if inner.is_empty() {
        return named;
    }
    let value = match inner.split_once('=') {
        Some((property, value)) if property.trim().eq_ignore_ascii_case("id") => value.trim(),
        _ => inner,
    };
    match key(value) {
        Some(key) => Segment { key: Some(key), ..named },
        None => plain(),
    }
}

/// A key: a quoted string, in which a doubled quote is one, or a bare word.
fn key(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')) {
        let without = inner.replace("''", "");
        return (!without.contains('\'')).then(|| inner.replace("''", "'"));
    }
    let bare = !text.is_empty()
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it));
    bare.then(|| text.to_owned())
}
