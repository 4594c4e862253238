//! The types that a client names of the parts of what it writes, given back in the answer to that.
//!
//! **Invariant:** an echo adds `@odata.type` to objects that the answer has anyway, and nothing else
//! (DECISIONS D4: a sent type is echoed in that answer alone).

use odata::json::{self, Json};

use crate::service::limits;

const TYPE: &str = "@odata.type";

/// The types inside `sent`, in its own shape: objects with a type and members that hold one, arrays with
/// null where an item has none. `None` where only the whole itself, or nothing, has a type.
pub(super) fn inside(sent: &Json) -> Option<Json> {
    let Json::Object(members) = sent else { return None };
    let inner: Vec<_> =
        members.iter().filter_map(|(name, value)| Some((name.clone(), types(value)?))).collect();
    (!inner.is_empty()).then_some(Json::Object(inner))
}

fn types(sent: &Json) -> Option<Json> {
    match sent {
        Json::Object(members) => {
            let own = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(TYPE));
            let own = own.map(|(_, ty)| (TYPE.to_owned(), ty.clone()));
            let inner = inside(sent).and_then(|it| match it {
                Json::Object(inner) => Some(inner),
                _ => None,
            });
            let all: Vec<_> = own.into_iter().chain(inner.into_iter().flatten()).collect();
            (!all.is_empty()).then_some(Json::Object(all))
        }
        Json::Array(items) => {
            let all: Vec<_> = items.iter().map(|it| types(it).unwrap_or(Json::Null)).collect();
            all.iter().any(|it| *it != Json::Null).then_some(Json::Array(all))
        }
        _ => None,
    }
}

/// An answer, a JSON object, with the types that [`inside`] found.
pub(super) fn add(types: &Json, answer: Vec<u8>) -> Vec<u8> {
    // An answer is as deep as what was sent, and its own braces.
    let Ok(mut shown) = json::parse(&answer, limits::JSON_DEPTH_MAX + 8) else { return answer };
    put(types, &mut shown);
    let mut out = Vec::with_capacity(answer.len() + 256);
    json::write(&mut out, &shown);
    out
}

fn put(types: &Json, shown: &mut Json) {
    match (types, shown) {
        (Json::Object(types), Json::Object(shown)) => {
            for (name, value) in types {
                if name == TYPE {
                    if !shown.iter().any(|(it, _)| it == TYPE) {
                        shown.insert(0, (name.clone(), value.clone()));
                    }
                } else if let Some((_, inner)) =
                    shown.iter_mut().find(|(it, _)| it.eq_ignore_ascii_case(name))
                {
                    put(value, inner);
                }
            }
        }
        (Json::Array(types), Json::Array(shown)) => {
            types.iter().zip(shown).for_each(|(types, shown)| put(types, shown));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(sent: &str, answer: &str) -> Option<String> {
        let types = inside(&json::parse(sent.as_bytes(), 20).unwrap())?;
        Some(String::from_utf8(add(&types, answer.as_bytes().to_vec())).unwrap())
    }

    #[test]
    fn types_come_back_where_they_were_sent() {
        let sent = r##"{"@odata.type":"#a","Body":{"@odata.type":"b","content":"x"},
            "list":[{"n":1},{"@odata.type":"c","inner":{"@odata.type":"d"}}],"gone":{"@odata.type":"e"}}"##;
        let answer = r#"{"body":{"content":"x"},"list":[{"n":1},{"inner":null}],"n":2}"#;
        let expected = r#"{"body":{"@odata.type":"b","content":"x"},"list":[{"n":1},{"@odata.type":"c","inner":null}],"n":2}"#;
        assert_eq!(echo(sent, answer).as_deref(), Some(expected));
    }

    #[test]
    fn without_types_inside_there_is_nothing_to_do() {
        for sent in [r##"{"@odata.type":"#a","n":[1,{"b":{}}]}"##, "{}", "[]", "1"] {
            assert_eq!(echo(sent, "{}"), None, "{sent}");
        }
    }
}
