//! Records to what a client may set of a post: checked, cut out and prepared before the writer's
//! queue.
//!
//! **Invariant:** whatever can be refused without the store is refused here; a [`Draft`] can only fail
//! for what the group or the thread says.

use std::borrow::Cow;

use odata::decode::{Field, Record};
use odata::json::Json;
use odata::value::DateTimeOffset;

use crate::service::attachments::{self, AttachmentDraft};
use crate::service::extended_properties::{self, PropertyDraft};
use crate::service::extensions::{self, ExtensionDraft};
use crate::service::mentions::{self, MentionDraft};
use crate::service::{Error, limits};
use crate::store::groups::json_strings;
use crate::store::recipients::Recipient;
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
    pub(crate) new_participants: Vec<Recipient>,
    /// `low`, `normal` or `high`.
    pub(crate) importance: String,
    /// The address that `from` names, if it was sent.
    pub(crate) from: Option<String>,
    /// Undeclared properties, a JSON object.
    pub(crate) extra: Option<String>,
    /// What is attached.
    pub(crate) attachments: Vec<AttachmentDraft>,
    pub(crate) extensions: Vec<ExtensionDraft>,
    pub(crate) properties: Vec<PropertyDraft>,
    pub(crate) mentions: Vec<MentionDraft>,
    /// When it came, as an import may say.
    pub(crate) received: Option<DateTimeOffset>,
    /// How its text begins.
    pub(crate) preview: String,
    /// Search tokens of its text.
    pub(crate) body_tokens: String,
}

impl Draft {
    /// The draft that a post's record holds. `import`: the caller may say when it was received.
    pub(crate) fn new(mut record: Record, import: bool) -> Result<Draft, Error> {
        let (body_type, body) = body(record.take("body"));
        let received =
            record.take("receivedDateTime").and_then(|it| it.as_time()).filter(|_| import);
        let categories = strings(&mut record, "categories", limits::CATEGORIES_MAX)?;
        let new_participants = recipients(&mut record, "newParticipants")?;
        let from = record.take("from");
        let from = from.as_ref().and_then(|it| it.member("emailAddress"));
        let from = from.and_then(|it| email_address(it).address);
        let importance = record.take("importance").and_then(Field::into_string);
        let extra = extra(std::mem::take(&mut record.dynamic));
        let attachments = children(&mut record, "attachments", attachments::draft)?;
        let extensions = children(&mut record, "extensions", extensions::draft)?;
        let mut properties =
            children(&mut record, "singleValueExtendedProperties", extended_properties::draft)?;
        properties.extend(children(
            &mut record,
            "multiValueExtendedProperties",
            extended_properties::draft,
        )?);
        let mentions = children(&mut record, "mentions", mentions::draft)?;
        let text = plain_text(body_type, &body);
        Ok(Draft {
            body_type,
            categories: json_strings(categories.iter().map(String::as_str)),
            new_participants,
            importance: importance.unwrap_or_else(|| "normal".to_owned()),
            from,
            extra,
            attachments,
            extensions,
            properties,
            mentions,
            received,
            preview: text::preview(&text, limits::PREVIEW_CHARS_MADE),
            body_tokens: text::tokens(&text),
            body,
        })
    }
}

/// What a body says, without its markup.
pub(crate) fn plain_text<'b>(body_type: &str, body: &'b str) -> Cow<'b, str> {
    if body_type == "html" { text::html_to_text(body).into() } else { body.into() }
}

/// What of a collection is sent along, each item checked.
fn children<T>(
    record: &mut Record,
    name: &str,
    draft: impl Fn(Record) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let children = record.take_children(name).unwrap_or_default();
    count_at_most(record, name, children.len(), limits::POST_CHILDREN_MAX)?;
    children.into_iter().map(draft).collect()
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

/// Refuses more items than `max`.
pub(crate) fn count_at_most(
    record: &Record,
    name: &str,
    count: usize,
    max: usize,
) -> Result<(), Error> {
    if count > max {
        let problem = format!("has {count} items; the limit is {max}");
        return Err(Error::property(at(record, name), problem));
    }
    Ok(())
}

/// A collection of recipients, with its limits. One without any address is kept as it is, and gets
/// nothing; one with an empty address is a mistake.
pub(crate) fn recipients(record: &mut Record, name: &str) -> Result<Vec<Recipient>, Error> {
    let Some(Field::Collection(items)) = record.take(name) else { return Ok(Vec::new()) };
    count_at_most(record, name, items.len(), limits::RECIPIENTS_MAX)?;
    recipients_of(&items, &at(record, name))
}

/// The same from the items themselves; `property` is where they stand.
pub(crate) fn recipients_of(items: &[Field], property: &str) -> Result<Vec<Recipient>, Error> {
    let mut recipients = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let property = format!("{property}[{index}].emailAddress.address");
        let Some(address) = item.member("emailAddress").filter(|it| **it != Field::Null) else {
            recipients.push(Recipient::default());
            continue;
        };
        let recipient = email_address(address);
        let known = recipient.address.as_deref().filter(|it| !it.is_empty());
        let address = known.ok_or_else(|| Error::property(&property, "must be a mail address"))?;
        at_most(property.clone(), address, limits::NAME_CHARS_MAX)?;
        at_most(property, recipient.name.as_deref().unwrap_or_default(), limits::NAME_CHARS_MAX)?;
        recipients.push(recipient);
    }
    Ok(recipients)
}

/// A name and an address, each where it was sent.
pub(crate) fn email_address(field: &Field) -> Recipient {
    let text = |name| field.member(name).cloned().and_then(Field::into_string);
    Recipient { name: text("name"), address: text("address") }
}

/// The type and the content of a body.
pub(crate) fn body(field: Option<Field>) -> (&'static str, String) {
    let Some(field) = field else { return ("text", String::new()) };
    let text = |name| field.member(name).cloned().and_then(Field::into_string);
    let (content_type, content) = (text("contentType"), text("content").unwrap_or_default());
    let body_type = match content_type.as_deref() {
        Some("html") => "html",
        _ => "text",
    };
    (body_type, content)
}

/// Undeclared properties as a JSON object.
pub(crate) fn extra(dynamic: Vec<(String, Json)>) -> Option<String> {
    if dynamic.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    odata::json::write(&mut out, &Json::Object(dynamic));
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// The members of `there`, a JSON object, with those that were sent in their place; a
/// null takes one away.
pub(crate) fn merged(there: &str, sent: &[(String, Json)]) -> Vec<(String, Json)> {
    let Ok(Json::Object(mut members)) =
        odata::json::parse(there.as_bytes(), limits::JSON_DEPTH_MAX)
    else {
        return sent.to_vec();
    };
    members.retain(|(name, _)| !name.contains('@'));
    for (name, value) in sent {
        let at = members.iter().position(|(it, _)| it == name);
        match (at, value) {
            (Some(at), Json::Null) => drop(members.remove(at)),
            (Some(at), value) => members[at].1 = value.clone(),
            (None, Json::Null) => {}
            (None, value) => members.push((name.clone(), value.clone())),
        }
    }
    members
}
