//! Records to what a client may set of a post: checked, cut out and prepared before the writer's
//! queue.
//!
//! **Invariant:** whatever can be refused without the store is refused here; a [`Draft`] can only fail
//! for what the group or the thread says.

use std::borrow::Cow;

use odata::decode::{Field, Record};
use odata::json::Json;
use odata::value::{DateTimeOffset, Value};

use crate::service::{Error, limits};
use crate::store::groups::json_strings;
use crate::store::posts::Party;
use crate::text;

/// A post as a client may write it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// `text` or `html`.
    pub(crate) body_type: &'static str,
    /// As it was sent.
    pub(crate) body: String,
    /// JSON array of strings.
    pub(crate) categories: String,
    /// People added to the thread.
    pub(crate) new_participants: Vec<Party>,
    /// The address that `from` names, if it was sent.
    pub(crate) from: Option<String>,
    /// Undeclared properties, a JSON object.
    pub(crate) extra: Option<String>,
    /// Files.
    pub(crate) attachments: Vec<DraftAttachment>,
    /// When it came, as an import may say.
    pub(crate) received: Option<DateTimeOffset>,
    /// How its text begins.
    pub(crate) preview: String,
    /// Search tokens of its text.
    pub(crate) body_tokens: String,
}

/// A file as a client may attach it.
#[derive(Clone, Debug)]
pub(crate) struct DraftAttachment {
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
    pub(crate) content_id: Option<String>,
    pub(crate) is_inline: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Draft {
    /// The draft that a post's record holds. `import`: the caller may say when it was received.
    pub(crate) fn new(mut record: Record, import: bool) -> Result<Draft, Error> {
        let (body_type, body) = body(record.take("body"));
        let received =
            record.take("receivedDateTime").and_then(|it| it.as_time()).filter(|_| import);
        let categories = strings(&mut record, "categories", limits::CATEGORIES_MAX)?;
        let new_participants = recipients(&mut record, "newParticipants")?;
        let from = record.take("from").as_ref().and_then(party).map(|it| it.address);
        let extra = extra(std::mem::take(&mut record.dynamic));
        let attachments = attachments(&mut record)?;
        let text = text_of(body_type, &body);
        Ok(Draft {
            body_type,
            categories: json_strings(categories.iter().map(String::as_str)),
            new_participants,
            from,
            extra,
            attachments,
            received,
            preview: text::preview(&text, limits::PREVIEW_CHARS_MADE),
            body_tokens: text::tokens(&text),
            body,
        })
    }
}

/// What a reader sees of a body.
pub(crate) fn text_of<'b>(body_type: &str, body: &'b str) -> Cow<'b, str> {
    if body_type == "html" { text::html_to_text(body).into() } else { body.into() }
}

/// The name of a property of a record, with where the record stands.
pub(crate) fn at(record: &Record, name: &str) -> String {
    if record.at.is_empty() { name.to_owned() } else { format!("{}.{name}", record.at) }
}

/// Refuses a text of more than `max` code points.
pub(crate) fn at_most(property: String, text: &str, max: usize) -> Result<(), Error> {
    // A text of no more bytes cannot have more code points.
    let chars = if text.len() <= max { 0 } else { text.chars().count() };
    if chars > max {
        let problem = format!("has {chars} characters; the limit is {max}");
        return Err(Error::property(property, problem));
    }
    Ok(())
}

/// A collection of strings, with its limits.
pub(crate) fn strings(
    record: &mut Record,
    name: &str,
    items_max: usize,
) -> Result<Vec<String>, Error> {
    let Some(Field::Collection(items)) = record.take(name) else { return Ok(Vec::new()) };
    count_at_most(record, name, items.len(), items_max)?;
    let items: Vec<String> = items.into_iter().filter_map(Field::into_string).collect();
    for (index, item) in items.iter().enumerate() {
        at_most(format!("{}[{index}]", at(record, name)), item, limits::NAME_CHARS_MAX)?;
    }
    Ok(items)
}

fn count_at_most(record: &Record, name: &str, count: usize, max: usize) -> Result<(), Error> {
    if count > max {
        let problem = format!("has {count} items; the limit is {max}");
        return Err(Error::property(at(record, name), problem));
    }
    Ok(())
}

fn recipients(record: &mut Record, name: &str) -> Result<Vec<Party>, Error> {
    let Some(Field::Collection(items)) = record.take(name) else { return Ok(Vec::new()) };
    count_at_most(record, name, items.len(), limits::RECIPIENTS_MAX)?;
    let mut parties = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let property = format!("{}[{index}].emailAddress.address", at(record, name));
        let party = party(item).filter(|it| !it.address.is_empty());
        let party = party.ok_or_else(|| Error::property(&property, "must be a mail address"))?;
        at_most(property.clone(), &party.address, limits::NAME_CHARS_MAX)?;
        at_most(property, &party.name, limits::NAME_CHARS_MAX)?;
        parties.push(party);
    }
    Ok(parties)
}

/// The name and address of a recipient.
fn party(recipient: &Field) -> Option<Party> {
    let address = recipient.member("emailAddress")?;
    let text =
        |name| address.member(name).cloned().and_then(Field::into_string).unwrap_or_default();
    Some(Party { name: text("name"), address: text("address") })
}

fn body(field: Option<Field>) -> (&'static str, String) {
    let Some(field) = field else { return ("text", String::new()) };
    let text = |name| field.member(name).cloned().and_then(Field::into_string);
    let (content_type, content) = (text("contentType"), text("content").unwrap_or_default());
    let body_type = match content_type.as_deref() {
        Some("html") => "html",
        _ => "text",
    };
    (body_type, content)
}

fn extra(dynamic: Vec<(String, Json)>) -> Option<String> {
    if dynamic.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    odata::json::write(&mut out, &Json::Object(dynamic));
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn attachments(record: &mut Record) -> Result<Vec<DraftAttachment>, Error> {
    let children = record.take_children("attachments").unwrap_or_default();
    if let Some((navigation, _)) = record.children.first() {
        let problem = "cannot be sent with a post";
        return Err(Error::property(at(record, navigation.name), problem));
    }
    count_at_most(record, "attachments", children.len(), limits::ATTACHMENTS_MAX)?;
    children.into_iter().map(attachment).collect()
}

fn attachment(mut record: Record) -> Result<DraftAttachment, Error> {
    let property = at(&record, "contentBytes");
    let bytes = match record.take("contentBytes") {
        Some(Field::Value(Value::Binary(bytes))) => bytes,
        _ => return Err(Error::property(property, "is required for a file attachment")),
    };
    if bytes.len() > limits::ATTACHMENT_BYTES_MAX {
        let max = limits::ATTACHMENT_BYTES_MAX;
        let problem = format!("has {} bytes; the limit inside a request is {max}", bytes.len());
        return Err(Error::property(property, problem));
    }
    let named = at(&record, "name");
    let name = record
        .take("name")
        .and_then(Field::into_string)
        .filter(|it| !it.is_empty())
        .ok_or_else(|| Error::property(&named, "is required for a file attachment"))?;
    at_most(named, &name, limits::NAME_CHARS_MAX)?;
    let content_type = record.take("contentType").and_then(Field::into_string);
    let content_type = media_type(at(&record, "contentType"), &name, content_type)?;
    let content_id = record.take("contentId").and_then(Field::into_string);
    if let Some(content_id) = &content_id {
        at_most(at(&record, "contentId"), content_id, limits::NAME_CHARS_MAX)?;
    }
    let is_inline = record.take("isInline").and_then(|it| it.as_bool()).unwrap_or(false);
    Ok(DraftAttachment { name, content_type, content_id, is_inline, bytes })
}

/// The media type of a file: the one that was sent or, without it, what the file's name says.
pub(crate) fn media_type(
    property: String,
    name: &str,
    sent: Option<String>,
) -> Result<Option<String>, Error> {
    let sent = sent.filter(|it| !it.is_empty());
    let known = sent.or_else(|| mime_guess::from_path(name).first_raw().map(str::to_owned));
    if let Some(content_type) = &known {
        at_most(property, content_type, limits::NAME_CHARS_MAX)?;
    }
    Ok(known)
}

/// A JSON array of recipients.
pub(crate) fn recipients_json(parties: &[Party]) -> String {
    let mut out = b"[".to_vec();
    for (index, party) in parties.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b"," } else { b"" });
        out.extend_from_slice(b"{\"emailAddress\":{\"name\":");
        odata::json::write_string(&mut out, &party.name);
        out.extend_from_slice(b",\"address\":");
        odata::json::write_string(&mut out, &party.address);
        out.extend_from_slice(b"}}");
    }
    out.push(b']');
    String::from_utf8_lossy(&out).into_owned()
}

/// The recipients that [`recipients_json`] wrote.
pub(crate) fn recipients_of(json: &str) -> Vec<Party> {
    let Ok(serde_json::Value::Array(items)) = serde_json::from_str(json) else {
        return Vec::new();
    };
    let text = |item: &serde_json::Value, name: &str| {
        item["emailAddress"][name].as_str().unwrap_or_default().to_owned()
    };
    items
        .iter()
        .map(|item| Party { name: text(item, "name"), address: text(item, "address") })
        .collect()
}
