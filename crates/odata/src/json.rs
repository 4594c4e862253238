//! JSON as OData bodies use it: read strictly into a tree, written in pieces.
//!
//! **Invariant:** reading accepts only what can be stored and given back unchanged: no duplicate
//! member, no lone surrogate, no U+0000, no nesting past the limit.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// The deepest nesting that [`parse`] follows, whatever its limit: serde_json opens 127 levels itself,
/// and one more than are allowed must be seen to be named.
pub const DEPTH_MAX: usize = 126;

/// Objects with more members than this look for duplicates in a set and not by going through all.
const MEMBERS_SCANNED: usize = 16;

/// A JSON value as it was sent; members keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as serde_json keeps it
    Number(Number),
    /// A string
    String(String),
    /// An array
    Array(Vec<Json>),
    /// An object
    Object(Vec<(String, Json)>),
}

impl Json {
    /// What it is, with its article, for use in error texts: `a string`, `null`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "an array",
            Json::Object(_) => "an object",
        }
    }

    /// The member of this name in any letter case; `None` too for everything but an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => {
                members.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Why a body cannot be read, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", Where(at))]
pub struct JsonError {
    /// The value at fault, such as `threads[0].posts[1].body.content`; empty at the top.
    pub at: String,
    /// What is wrong with it.
    pub problem: JsonProblem,
}

/// What can be wrong with a JSON text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    /// There is nothing.
    #[error("the body is empty; a JSON object was expected")]
    Empty,
    /// Not JSON (RFC 8259); the text ends in line and column.
    #[error("the body is not valid JSON: {0}")]
    Syntax(String),
    /// Two members of one object have one name, letter case aside.
    #[error("the member '{0}' is given twice")]
    Duplicate(String),
    /// A string or member name holds U+0000.
    #[error("the character U+0000 cannot be stored")]
    Nul,
    /// An escape such as `\ud83d` that is half of a character.
    #[error("a \\u escape is half of a surrogate pair and no character")]
    LoneSurrogate,
    /// Arrays and objects stand in one another too deep.
    #[error("arrays and objects are nested more than {0} deep")]
    TooDeep(usize),
    /// RFC 8259, section 8.1: JSON is UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
}

/// The place as a prefix of an error text.
struct Where<'a>(&'a str);

impl fmt::Display for Where<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "at '{}': ", self.0) }
    }
}

/// Reads one JSON text (RFC 8259) with nothing after it; a byte order mark before it is passed over.
///
/// `depth_max` is how deep arrays and objects may stand in one another, at most [`DEPTH_MAX`]; a
/// scalar has depth 0, `{}` depth 1.
///
/// # Errors
/// Whatever [`JsonProblem`] lists, at the first place where it is found.
pub fn parse(bytes: &[u8], depth_max: usize) -> Result<Json, JsonError> {
    let at_top = |problem| JsonError { at: String::new(), problem };
    let text = std::str::from_utf8(bytes).map_err(|_| at_top(JsonProblem::NotUtf8))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(at_top(JsonProblem::Empty));
    }
    let fault = RefCell::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Reader { depth: 0, depth_max: depth_max.min(DEPTH_MAX), fault: &fault };
    let read = seed.deserialize(&mut deserializer);
    read.and_then(|json| deserializer.end().map(|()| json)).map_err(|error| {
        let Fault { mut at, problem } = fault.take();
        // Places are noted from the inside outwards.
        at.reverse();
        let at = at.concat();
        let at = at.strip_prefix('.').unwrap_or(&at).to_owned();
        JsonError { at, problem: problem.unwrap_or_else(|| JsonProblem::from(error)) }
    })
}

impl From<serde_json::Error> for JsonProblem {
    fn from(error: serde_json::Error) -> JsonProblem {
        let text = error.to_string();
        // serde_json tells its errors apart by text alone. A high surrogate that no escape follows
        // is an unexpected end, one that another character's escape follows is a lone one.
        let surrogate = ["lone leading surrogate", "unexpected end of hex escape"];
        if surrogate.iter().any(|it| text.starts_with(it)) {
            JsonProblem::LoneSurrogate
        } else {
            JsonProblem::Syntax(text)
        }
    }
}

/// What went wrong, noted on the way out of the recursion.
#[derive(Default)]
struct Fault {
    /// Pieces of the place, innermost first: `.name` or `[0]`.
    at: Vec<String>,
    /// Absent for errors of serde_json itself.
    problem: Option<JsonProblem>,
}

/// Reads one value that stands inside `depth` others.
#[derive(Clone, Copy)]
struct Reader<'a> {
    depth: usize,
    depth_max: usize,
    fault: &'a RefCell<Fault>,
}

impl Reader<'_> {
    fn fail<E: serde::de::Error>(self, problem: JsonProblem) -> E {
        let error = E::custom(&problem);
        self.fault.borrow_mut().problem = Some(problem);
        error
    }

    /// Notes that the error arose inside `piece`.
    fn within<E>(self, piece: impl FnOnce() -> String) -> impl FnOnce(E) -> E {
        move |error| {
            self.fault.borrow_mut().at.push(piece());
            error
        }
    }

    fn text<E: serde::de::Error>(self, text: String) -> Result<String, E> {
        if text.contains('\0') { Err(self.fail(JsonProblem::Nul)) } else { Ok(text) }
    }

    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == self.depth_max {
            return Err(self.fail(JsonProblem::TooDeep(self.depth_max)));
        }
        Ok(Reader { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(Json::Number(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Json, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Json, E> {
        self.text(text).map(Json::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut array = Vec::new();
        loop {
            let index = array.len();
            let item = items.next_element_seed(inner);
            match item.map_err(self.within(|| format!("[{index}]")))? {
                Some(item) => array.push(item),
                None => return Ok(Json::Array(array)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut object: Vec<(String, Json)> = Vec::new();
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            let name = self.text(name)?;
            if object.len() == MEMBERS_SCANNED {
                seen.extend(object.iter().map(|(it, _)| it.to_ascii_lowercase()));
            }
            let twice = if object.len() < MEMBERS_SCANNED {
                object.iter().any(|(it, _)| it.eq_ignore_ascii_case(&name))
            } else {
                !seen.insert(name.to_ascii_lowercase())
            };
            if twice {
                return Err(self.fail(JsonProblem::Duplicate(name)));
            }
            let value = members.next_value_seed(inner);
            let value = value.map_err(self.within(|| format!(".{name}")))?;
            object.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

/// Appends `text` as a JSON string with its quotes; only what RFC 8259, section 7, demands is escaped.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut written = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[written..index]);
        written = index + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

/// Appends `json` without white space. It recurses as deep as the tree is, which [`parse`] bounds.
pub fn write(out: &mut Vec<u8>, json: &Json) {
    match json {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Json::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Json::String(text) => write_string(out, text),
        Json::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(out, item);
            }
            out.push(b']');
        }
        Json::Object(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(out, name);
                out.push(b':');
                write(out, value);
            }
            out.push(b'}');
        }
    }
}
