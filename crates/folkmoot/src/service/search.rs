//! What a `$search` of conversations, threads and posts asks for: its words as the index has them.
//!
//! **Invariant:** a word is looked for by the very tokens that it is indexed by; what cannot be looked
//! for is refused by name, or leaves the search where nothing of it could be in any text.

use odata::syntax::{Search, SearchOp, parse_search};
use odata::value::DateTimeOffset;

use crate::service::limits;
use crate::store::search::{Condition, Field, Sought, Words};
use crate::text;

/// The properties that words are looked for in, by Graph's names and by KQL's.
const FIELDS: [(&str, Field); 8] = [
    ("topic", Field::Topic),
    ("subject", Field::Topic),
    ("body", Field::Body),
    ("from", Field::Sender),
    ("sender", Field::Sender),
    ("participants", Field::Sender),
    ("attachment", Field::Attachment),
    ("attachments", Field::Attachment),
];
/// The properties that have a value and no words.
const HAS_ATTACHMENTS: &str = "hasAttachments";
const RECEIVED: &str = "received";

/// Ticks of a day.
const DAY: i64 = 24 * 3_600 * 10_000_000;

/// What the text of a `$search` asks for.
///
/// # Errors
/// Why it cannot be searched for, for the client.
pub(crate) fn sought(text: &str) -> Result<Sought, String> {
    let search = parse_search(text, &limits::SEARCH).map_err(|it| it.to_string())?;
    let items = match search {
        Search::And(items) => items,
        other => vec![other],
    };
    let mut conditions = Vec::new();
    let mut rest = Vec::new();
    for item in items {
        match condition(&item)? {
            Some(found) => conditions.push(found),
            None => rest.push(item),
        }
    }
    let mut tokens = 0;
    let words = all(&rest, !conditions.is_empty(), &mut tokens)?;
    if words.is_none() && conditions.is_empty() {
        return Err("$search has no word: it needs at least one letter or digit".to_owned());
    }
    Ok(Sought { words, conditions })
}

/// What all of these ask for. `alone`: whether those that say what is not wanted may stand alone, since
/// something else says what is.
fn all(items: &[Search], alone: bool, tokens: &mut usize) -> Result<Option<Words>, String> {
    let (mut of, mut but) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Search::Not(inner) => but.extend(words(inner, tokens)?),
            other => of.extend(words(other, tokens)?),
        }
    }
    if of.is_empty() && !but.is_empty() && !alone {
        let why = "$search only says what is not wanted: each NOT, and each '-', needs a word beside \
            it that is";
        return Err(why.to_owned());
    }
    Ok(match (of.len(), but.len()) {
        (0, 0) => None,
        (1, 0) => of.pop(),
        _ => Some(Words::All { of, but }),
    })
}

fn words(search: &Search, tokens: &mut usize) -> Result<Option<Words>, String> {
    match search {
        Search::And(items) => all(items, false, tokens),
        Search::Not(_) => all(std::slice::from_ref(search), false, tokens),
        Search::Or(items) => {
            let mut any = Vec::new();
            for item in items {
                any.extend(words(item, tokens)?);
            }
            Ok(if any.len() > 1 { Some(Words::Any(any)) } else { any.pop() })
        }
        Search::Term { property, text, quoted } => {
            let field = property.as_ref().map(field).transpose()?;
            if !quoted && text.ends_with('*') {
                let why = "$search does not find words by their beginning: write";
                return Err(format!("{why} the whole word in place of '{text}'"));
            }
            phrase(field, text, tokens)
        }
    }
}

/// The tokens of a word or a phrase, which stand one after another: none where it is made of signs alone.
fn phrase(field: Option<Field>, text: &str, count: &mut usize) -> Result<Option<Words>, String> {
    let tokens: Vec<_> = text::tokens(text).split_whitespace().map(str::to_owned).collect();
    *count += tokens.len();
    if *count > limits::SEARCH_TOKENS_MAX {
        let max = limits::SEARCH_TOKENS_MAX;
        return Err(format!("$search is too complex: it may have at most {max} words in all"));
    }
    if tokens.iter().any(|it| it.len() > limits::SEARCH_TOKEN_BYTES_MAX) {
        let max = limits::SEARCH_TOKEN_BYTES_MAX;
        return Err(format!("$search has a word of more than {max} bytes"));
    }
    Ok((!tokens.is_empty()).then_some(Words::Phrase { field, tokens }))
}

fn field((name, op): &(String, SearchOp)) -> Result<Field, String> {
    let known = FIELDS.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
    match (known, op) {
        (Some((_, field)), SearchOp::Has) => Ok(*field),
        (Some(_), _) => Err(format!("$search: {name} is looked at for words: write {name}:word")),
        (None, _) if is_valued(name) => Err(format!(
            "$search: {name} holds for the whole search: it stands outside of OR, NOT and parentheses"
        )),
        (None, _) => Err(format!(
            "$search: there is no property {name} to search in; there are topic, body, from, \
             attachment, hasAttachments and received, and text with a sign like this goes into quotes"
        )),
    }
}

fn is_valued(name: &str) -> bool {
    [HAS_ATTACHMENTS, RECEIVED].iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// The condition on a value that an item of the search is, where it is one.
fn condition(item: &Search) -> Result<Option<Condition>, String> {
    let (term, negated) = match item {
        Search::Not(inner) => (&**inner, true),
        other => (other, false),
    };
    let Search::Term { property: Some((name, op)), text, .. } = term else { return Ok(None) };
    if HAS_ATTACHMENTS.eq_ignore_ascii_case(name) {
        let value = match &*text.to_ascii_lowercase() {
            "true" | "yes" | "1" => true,
            "false" | "no" | "0" => false,
            _ => return Err(format!("$search: {name} is true or false, and not '{text}'")),
        };
        if *op != SearchOp::Has {
            return Err(format!("$search: {name} is asked for by {name}:true or {name}:false"));
        }
        return Ok(Some(Condition::HasAttachments(value != negated)));
    }
    if RECEIVED.eq_ignore_ascii_case(name) && !negated {
        return received(*op, text).map(Some);
    }
    Ok(None)
}

/// A day or a point in time, in UTC where it does not say; a day is all of it.
fn received(op: SearchOp, text: &str) -> Result<Condition, String> {
    let day = DateTimeOffset::parse(&format!("{text}T00:00:00Z"));
    let (from, length) = match (day, DateTimeOffset::parse(text)) {
        (Some(day), _) => (day.ticks, DAY),
        (None, Some(at)) => (at.ticks, 1),
        (None, None) => {
            return Err(format!(
                "$search: received is compared with a day or a time, such as received>=2020-01-31, and \
                 not with '{text}'"
            ));
        }
    };
    let end = from.saturating_add(length);
    let (from, before) = match op {
        SearchOp::Has => (Some(from), Some(end)),
        SearchOp::Lt => (None, Some(from)),
        SearchOp::Le => (None, Some(end)),
        SearchOp::Gt => (Some(end), None),
        SearchOp::Ge => (Some(from), None),
    };
    Ok(Condition::Received { from, before })
}
