//! Recipients of posts and threads, as columns hold them: JSON arrays.
//!
//! **Invariant:** [`to_json`] and [`from_json`] are each other's inverse.

use odata::json::write_string;

use crate::store::posts::Party;

/// Somebody whom a post or a thread goes to. Without an address they are shown and get nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recipient {
    pub(crate) name: Option<String>,
    pub(crate) address: Option<String>,
}

impl From<Party> for Recipient {
    fn from(party: Party) -> Recipient {
        Recipient { name: Some(party.name), address: Some(party.address) }
    }
}

/// A JSON array of recipients; one that has neither name nor address has a null address.
pub(crate) fn to_json(recipients: &[Recipient]) -> String {
    let mut out = b"[".to_vec();
    let text = |out: &mut Vec<u8>, text: Option<&str>| match text {
        Some(text) => write_string(out, text),
        None => out.extend_from_slice(b"null"),
    };
    for (index, it) in recipients.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b"," } else { b"" });
        if *it == Recipient::default() {
            out.extend_from_slice(b"{\"emailAddress\":null}");
            continue;
        }
        out.extend_from_slice(b"{\"emailAddress\":{\"name\":");
        text(&mut out, it.name.as_deref());
        out.extend_from_slice(b",\"address\":");
        text(&mut out, it.address.as_deref());
        out.extend_from_slice(b"}}");
    }
    out.push(b']');
    String::from_utf8_lossy(&out).into_owned()
}

/// The recipients that [`to_json`] wrote.
pub(crate) fn from_json(json: &str) -> Vec<Recipient> {
    let Ok(serde_json::Value::Array(items)) = serde_json::from_str(json) else {
        return Vec::new();
    };
    let text = |item: &serde_json::Value, name: &str| {
        item["emailAddress"][name].as_str().map(str::to_owned)
    };
    items
        .iter()
        .map(|item| Recipient { name: text(item, "name"), address: text(item, "address") })
        .collect()
}
