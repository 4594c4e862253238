//! Attachments: checked, added to a post that is there, removed.
//!
//! **Invariant:** what is attached to a post is its author's to change, an owner's or an application's.

use odata::bind::Path;
use odata::decode::{Field, Record};
use odata::json::Json;
use odata::value::Value;

use crate::ids::AttachmentId;
use crate::model::MODEL;
use crate::service::draft::{at, at_most};
use crate::service::files::Kept;
use crate::service::posts::{self, Touched};
use crate::service::{Created, Ctx, Error, limits, read, resolve};
use crate::store::attachments::{self, Content, NewAttachment, Reference};
use crate::store::blobs::Blob;
use crate::store::uploads;

/// An attachment as a client may send it.
#[derive(Clone, Debug)]
pub(crate) struct AttachmentDraft {
    name: String,
    content_type: Option<String>,
    is_inline: bool,
    content: Draft,
}

#[derive(Clone, Debug)]
enum Draft {
    File { bytes: Vec<u8>, content_id: Option<String> },
    Item(String),
    Reference(Reference),
}

impl AttachmentDraft {
    /// The attachment with an id of its own; its blob, where it has one, is not kept yet.
    pub(super) fn prepare(self, ctx: &Ctx) -> NewAttachment {
        NewAttachment {
            id: AttachmentId(ctx.clock.id()),
            name: self.name,
            content_type: self.content_type,
            is_inline: self.is_inline,
            content: match self.content {
                Draft::File { bytes, content_id } => {
                    Content::File { blob: Blob::new(bytes), content_id }
                }
                Draft::Item(json) => Content::Item(json),
                Draft::Reference(reference) => Content::Reference(reference),
            },
        }
    }
}

/// The attachment that a record holds. One of no concrete type, as the seed's pages send it, is kept as
/// a reference: what it says of itself, and no bytes.
pub(super) fn draft(mut record: Record) -> Result<AttachmentDraft, Error> {
    let named = at(&record, "name");
    let name = record
        .take("name")
        .and_then(Field::into_string)
        .filter(|it| !it.is_empty())
        .ok_or_else(|| Error::property(&named, "is required for an attachment"))?;
    at_most(named, &name, limits::NAME_CHARS_MAX)?;
    let sent = text(&mut record, "contentType")?.filter(|it| !it.is_empty());
    let is_inline = record.take("isInline").and_then(|it| it.as_bool()).unwrap_or(false);
    let (content, content_type) = match record.derived.map(|it| it.name) {
        Some("fileAttachment") => (file(&mut record)?, media_type(&name, sent)),
        Some("itemAttachment") => (item(&mut record)?, sent),
        _ => (reference(&mut record)?, sent),
    };
    Ok(AttachmentDraft { name, content_type, is_inline, content })
}

/// The media type of a file: the one that was sent or, without it, what the file's name says.
pub(super) fn media_type(name: &str, sent: Option<String>) -> Option<String> {
    let sent = sent.filter(|it| !it.is_empty());
    sent.or_else(|| mime_guess::from_path(name).first_raw().map(str::to_owned))
}

/// A text property of at most a name's length.
fn text(record: &mut Record, name: &str) -> Result<Option<String>, Error> {
    let text = record.take(name).and_then(Field::into_string);
    if let Some(text) = &text {
        at_most(at(record, name), text, limits::NAME_CHARS_MAX)?;
    }
    Ok(text)
}

fn file(record: &mut Record) -> Result<Draft, Error> {
    let property = at(record, "contentBytes");
    let bytes = match record.take("contentBytes") {
        Some(Field::Value(Value::Binary(bytes))) => bytes,
        _ => return Err(Error::property(property, "is required for a file attachment")),
    };
    if bytes.len() > limits::ATTACHMENT_BYTES_MAX {
        let max = limits::ATTACHMENT_BYTES_MAX;
        let problem = format!("has {} bytes; the limit inside a request is {max}", bytes.len());
        return Err(Error::property(property, problem));
    }
    Ok(Draft::File { bytes, content_id: text(record, "contentId")? })
}

fn item(record: &mut Record) -> Result<Draft, Error> {
    let property = at(record, "item");
    let Some(Field::Document(name, Json::Object(mut members))) = record.take("item") else {
        return Err(Error::property(property, "is required for an item attachment"));
    };
    // Its type in the one spelling that answers have, first.
    let is_type = |it: &str| ["@odata.type", "@type"].iter().any(|ty| it.eq_ignore_ascii_case(ty));
    members.retain(|(name, _)| !is_type(name));
    let ty = Json::String(format!("#{}.{name}", MODEL.namespace));
    members.insert(0, ("@odata.type".to_owned(), ty));
    let mut out = Vec::new();
    odata::json::write(&mut out, &Json::Object(members));
    if out.len() > limits::DOCUMENT_BYTES_MAX {
        let max = limits::DOCUMENT_BYTES_MAX;
        let problem = format!("has {} bytes of JSON; the limit is {max}", out.len());
        return Err(Error::property(property, problem));
    }
    Ok(Draft::Item(String::from_utf8_lossy(&out).into_owned()))
}

fn reference(record: &mut Record) -> Result<Draft, Error> {
    let size = match record.take("size") {
        Some(Field::Value(Value::Int(size))) if size >= 0 => size,
        None | Some(Field::Null) => 0,
        Some(_) => return Err(Error::property(at(record, "size"), "must not be negative")),
    };
    if record.derived.is_none() {
        return Ok(Draft::Reference(Reference { size, ..Reference::default() }));
    }
    let mut url = |name: &str| {
        let text = record.take(name).and_then(Field::into_string);
        if let Some(text) = &text {
            at_most(at(record, name), text, limits::VALUE_CHARS_MAX)?;
        }
        Ok::<_, Error>(text)
    };
    Ok(Draft::Reference(Reference {
        size,
        source_url: url("sourceUrl")?,
        provider_type: url("providerType")?,
        thumbnail_url: url("thumbnailUrl")?,
        preview_url: url("previewUrl")?,
        permission: url("permission")?,
        is_folder: record.take("isFolder").and_then(|it| it.as_bool()),
    }))
}

/// Adds an attachment to the post whose `attachments` `path` leads to.
///
/// The answer says its concrete type, whatever was sent: an `@odata.type` of the request is not echoed.
pub(crate) async fn create(ctx: &Ctx, path: Path, record: Record) -> Result<Created, Error> {
    let attachment = draft(record)?.prepare(ctx);
    let kept = Kept::keep(ctx, &path, std::slice::from_ref(&attachment)).await?;
    let scope = ctx.scope(&path);
    kept.store(ctx, scope, (ctx.clone(), path, attachment), |tx, (ctx, path, attachment)| {
        Box::pin(async move {
            let at = resolve::resolve(tx, ctx, path, true).await?;
            let post = posts::on_post(tx, &at).await?;
            posts::may_change(tx, &at.access, &post).await?;
            let group = at.group()?.id;
            let now = ctx.now().ticks;
            let there = uploads::attachments_to_be(tx, group, post.id, now).await?;
            posts::room_for_one(there, "attachments")?;
            attachments::insert(tx, group, post.id, attachment, now).await?;
            posts::after(tx, ctx, &at.access, &post, Touched::Attachment(attachment.id.0)).await?;
            let key = (attachment.id.0, &attachment.id.to_string()[..]);
            read::created(tx, ctx, at, key, None).await
        })
    })
    .await
}

/// Removes the attachment that `path` leads to.
pub(crate) async fn delete(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = posts::on_post(tx, &at).await?;
                posts::may_change(tx, &at.access, &post).await?;
                resolve::check_if_match(tx, ctx, &at).await?;
                attachments::delete(tx, at.group()?.id, at.id()?).await?;
                posts::after(tx, ctx, &at.access, &post, Touched::Attachment(at.id()?)).await
            })
        })
        .await
}
