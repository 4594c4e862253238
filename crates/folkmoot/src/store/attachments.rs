//! Attachments: files, items and references.
//!
//! **Invariant:** a file has a blob of its group and nothing else has one; `has_attachments` of a post is
//! true exactly while it has any.

use odata::value::DateTimeOffset;
use uuid::Uuid;

use crate::ids::{AttachmentId, GroupId, PostId};
use crate::store::blobs::Blob;
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;
use crate::text::{fold, twin};

/// An attachment about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewAttachment {
    pub(crate) id: AttachmentId,
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
    pub(crate) is_inline: bool,
    pub(crate) content: Content,
}

/// What is attached; in the order of the model's derived types.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Bytes; the id by which an HTML body may refer to them.
    File { blob: Blob, content_id: Option<String> },
    /// A document as it was sent, a JSON object.
    Item(String),
    /// What stands elsewhere.
    Reference(Reference),
}

/// What a reference says of what it refers to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reference {
    pub(crate) size: i64,
    pub(crate) source_url: Option<String>,
    pub(crate) provider_type: Option<String>,
    pub(crate) thumbnail_url: Option<String>,
    pub(crate) preview_url: Option<String>,
    pub(crate) permission: Option<String>,
    pub(crate) is_folder: Option<bool>,
}

impl NewAttachment {
    /// Its blob, where it has one.
    pub(crate) fn blob(&self) -> Option<&Blob> {
        match &self.content {
            Content::File { blob, .. } => Some(blob),
            Content::Item(_) | Content::Reference(_) => None,
        }
    }
}

/// Adds an attachment to a post; `has_attachments` is the caller's.
pub(crate) async fn insert(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
    it: &NewAttachment,
    now: i64,
) -> Result<(), Error> {
    let nothing = Reference::default();
    let (kind, size, hash, content_id, item, reference) = match &it.content {
        Content::File { blob, content_id } => {
            blob.refer(tx, group, now).await?;
            (0_i64, blob.size, Some(&blob.hash[..]), content_id.as_deref(), None, &nothing)
        }
        Content::Item(json) => (1, json.len() as i64, None, None, Some(json.as_str()), &nothing),
        Content::Reference(reference) => (2, reference.size, None, None, None, reference),
    };
    let sql = "insert into attachments (group_id, id, post_id, name, name_folded, content_type, \
        content_type_folded, content_id, is_inline, size, hash, modified_at, kind, item, source_url, \
        provider_type, thumbnail_url, preview_url, permission, is_folder, content_id_folded, \
        source_url_folded, thumbnail_url_folded, preview_url_folded, version) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
        $20, $21, $22, $23, $24, 1)";
    tx.send(
        sql,
        binds![
            group,
            it.id,
            post,
            &it.name,
            fold(&it.name).as_ref(),
            it.content_type.as_deref(),
            it.content_type.as_deref().map(|it| fold(it).into_owned()),
            content_id,
            it.is_inline,
            size,
            hash,
            now,
            kind,
            item,
            reference.source_url.as_deref(),
            reference.provider_type.as_deref(),
            reference.thumbnail_url.as_deref(),
            reference.preview_url.as_deref(),
            reference.permission.as_deref(),
            reference.is_folder,
            content_id.and_then(twin),
            reference.source_url.as_deref().and_then(twin),
            reference.thumbnail_url.as_deref().and_then(twin),
            reference.preview_url.as_deref().and_then(twin),
        ],
    )
    .await
}

/// Removes an attachment; its blob is the collector's.
pub(crate) async fn delete(tx: &mut Tx, group: GroupId, id: Uuid) -> Result<(), Error> {
    tx.send("delete from attachments where group_id = $1 and id = $2", binds![group, id]).await
}

/// An item as it was attached.
#[derive(Debug)]
pub(crate) struct Item {
    /// The attachment's own id.
    pub(crate) id: AttachmentId,
    /// The attachment's name.
    pub(crate) name: String,
    /// When it was attached.
    pub(crate) modified: DateTimeOffset,
    /// A JSON object, `@odata.type` first.
    pub(crate) json: String,
}

/// The item that an attachment holds; `None` where it holds none.
pub(crate) async fn item(tx: &mut Tx, group: GroupId, id: Uuid) -> Result<Option<Item>, Error> {
    let sql = "select name, modified_at, item from attachments \
        where group_id = $1 and id = $2 and item is not null";
    tx.first(sql, binds![group, id], |row| {
        Ok(Item {
            id: AttachmentId(id),
            name: row.text(0)?.to_owned(),
            modified: DateTimeOffset::utc(row.int(1)?),
            json: row.text(2)?.to_owned(),
        })
    })
    .await
}
