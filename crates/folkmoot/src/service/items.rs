//! Items that came with a post, as the files that mail programs, calendars and address books read.
//!
//! **Invariant:** an item makes the same bytes every time, and nothing that it holds begins a line of its
//! own in them: libraries write the lines, and what they take unquoted is quoted here.

mod contact;
mod event;
mod message;

use std::borrow::Cow;

use ics::components::{Parameter, Property};
use odata::json::{self, Json};
use odata::value::DateTimeOffset;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use crate::service::{draft, limits};
use crate::store::attachments::Item;
use crate::store::blobs::{Download, Stored};

/// The file of an item, of whichever of the three types it is: under the attachment's name, with the
/// ending of its type. `None` for what is no item, which is a defect of the store.
pub(super) fn file(item: &Item) -> Option<Download> {
    let document = json::parse(item.json.as_bytes(), limits::JSON_DEPTH_MAX).ok()?;
    let ty = document.get("@odata.type")?.as_str()?;
    let (content_type, ending, bytes) = match ty.rsplit('.').next()? {
        "message" => ("message/rfc822", ".eml", message::write(item, &document)),
        "event" => ("text/calendar; charset=utf-8", ".ics", event::write(item, &document)),
        "contact" => ("text/vcard; charset=utf-8", ".vcf", contact::write(item, &document)),
        _ => return None,
    };
    let has_ending = item.name.to_ascii_lowercase().ends_with(ending);
    let name = if has_ending { item.name.clone() } else { format!("{}{ending}", item.name) };
    Some(Download { content_type: Some(content_type.into()), name, bytes: Stored::Bytes(bytes) })
}

/// The text at the end of a way through objects, where there is one and it is not empty.
fn text<'d>(document: &'d Json, way: &[&str]) -> Option<&'d str> {
    let end = way.iter().try_fold(document, |at, name| at.get(name))?;
    end.as_str().filter(|it| !it.is_empty())
}

/// The items of an array.
fn list<'d>(document: &'d Json, name: &str) -> &'d [Json] {
    match document.get(name) {
        Some(Json::Array(items)) => items,
        _ => &[],
    }
}

/// The first of these times that is there and can be read.
fn time(document: &Json, names: &[&str]) -> Option<DateTimeOffset> {
    names.iter().find_map(|name| DateTimeOffset::parse(text(document, &[name])?))
}

/// The name and the address of an `emailAddress` that `it` holds; `None` without an address.
fn mailbox(it: &Json) -> Option<(Option<&str>, &str)> {
    let address = text(it, &["emailAddress", "address"])?;
    Some((text(it, &["emailAddress", "name"]).filter(|it| *it != address), address))
}

/// The type and the content of the body, where it is not empty.
fn body(document: &Json) -> Option<(&'static str, &str)> {
    let content = text(document, &["body", "content"])?;
    let is_html =
        text(document, &["body", "contentType"]).is_some_and(|it| it.eq_ignore_ascii_case("html"));
    Some((if is_html { "html" } else { "text" }, content))
}

/// The body without markup; where there is none, how it is said to begin.
fn plain_body(document: &Json) -> Option<Cow<'_, str>> {
    match body(document) {
        Some((ty, content)) => Some(draft::plain_text(ty, content)),
        None => text(document, &["bodyPreview"]).map(Cow::from),
    }
}

/// A text as the value of a content line (RFC 5545, section 3.3.11; RFC 2426, section 4).
fn value(text: &str) -> Cow<'static, str> {
    let printable = |it: &char| !it.is_control() || matches!(it, '\t' | '\r' | '\n');
    ics::escape_text(text.chars().filter(printable).collect::<String>())
}

/// A line whose value is a text.
fn line(name: &'static str, text: &str) -> Property<'static> {
    Property::new(name, value(text))
}

/// A parameter whose value may hold anything: quoted, without what no quoted string can hold (RFC 5545,
/// section 3.2).
fn quoted(name: &'static str, text: &str) -> Parameter<'static> {
    let safe = |it: char| if it == '"' { '\'' } else { it };
    let kept: String = text.chars().filter(|it| !it.is_control()).map(safe).collect();
    Parameter::new(name, format!("\"{kept}\""))
}

/// What a mail address is made a URI with (RFC 6068, section 2).
fn mailto(address: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'@')
        .remove(b'.')
        .remove(b'-')
        .remove(b'_')
        .remove(b'~')
        .remove(b'+');
    format!("mailto:{}", percent_encoding::utf8_percent_encode(address, KEPT))
}
