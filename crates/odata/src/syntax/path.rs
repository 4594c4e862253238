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
/// one: elsewhere it is part of a key such as `o'hara@example.org`.
fn split(raw: &str) -> Vec<&str> {
    let (bytes, mut parts, mut start, mut at) = (raw.as_bytes(), Vec::new(), 0, 0);
    while let Some((byte, width)) = unit(bytes, at) {
        if byte == b'/' {
            parts.push(&raw[start..at]);
            start = at + 1;
        } else if byte == b'('
            && let Some(end) = quoted_end(bytes, at + width)
        {
            at = end;
            continue;
        }
        at += width;
    }
    parts.push(&raw[start..]);
    parts
}

/// The byte at a position and how wide it is written; of encoded ones, quotes and parentheses only.
fn unit(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    match bytes.get(at..)? {
        [b'%', b'2', digit @ b'7'..=b'9', ..] => Some((0x20 + (digit - b'0'), 3)),
        [byte, ..] => Some((*byte, 1)),
        [] => None,
    }
}

/// The end of a quoted key that begins at `at`, after its parenthesis.
fn quoted_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some((byte, width)) = unit(bytes, at)
        && (byte.is_ascii_alphanumeric() || byte == b'=')
    {
        at += width;
    }
    let (b'\'', width) = unit(bytes, at)? else { return None };
    at += width;
    loop {
        let (byte, width) = unit(bytes, at)?;
        at += width;
        if byte == b'\'' {
            match unit(bytes, at)? {
                (b'\'', width) => at += width,
                (b')', _) => return Some(at),
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
