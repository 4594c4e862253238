//! Posts and their attachments.
//!
//! **Invariant:** a post, its attachments, the blobs that they refer to and its row in the index come
//! and go in one transaction.

use odata::value::DateTimeOffset;

use crate::ids::{AttachmentId, ConversationId, GroupId, PostId, ThreadId, UserId};
use crate::store::blobs::Blob;
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::index::{self, Tokens};
use crate::store::sql::binds;
use crate::text::fold;

/// A name and a mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) address: String,
}

/// A post about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewPost<'d> {
    pub(crate) group: GroupId,
    /// The short number of the group.
    pub(crate) group_number: i64,
    pub(crate) id: PostId,
    pub(crate) conversation: ConversationId,
    pub(crate) thread: ThreadId,
    pub(crate) in_reply_to: Option<PostId>,
    /// RFC 5322 Message-ID, without angle brackets.
    pub(crate) message_id: String,
    pub(crate) received: DateTimeOffset,
    /// JSON array of strings.
    pub(crate) categories: &'d str,
    /// `text` or `html`.
    pub(crate) body_type: &'static str,
    pub(crate) body: &'d str,
    pub(crate) from: Party,
    pub(crate) sender: Party,
    /// JSON array of recipients.
    pub(crate) new_participants: String,
    /// Undeclared properties, a JSON object.
    pub(crate) extra: Option<&'d str>,
    pub(crate) author: Option<UserId>,
    pub(crate) app: Option<String>,
    pub(crate) attachments: &'d [NewAttachment],
    pub(crate) tokens: Tokens<'d>,
}

/// An attachment about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewAttachment {
    pub(crate) id: AttachmentId,
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
    pub(crate) content_id: Option<String>,
    pub(crate) is_inline: bool,
    pub(crate) blob: Blob,
}

/// Adds a post, with its attachments.
pub(crate) async fn insert(tx: &mut Tx, it: &NewPost<'_>, now: i64) -> Result<(), Error> {
    let sql = "insert into posts (group_id, id, conversation_id, thread_id, in_reply_to, \
        message_id, created_at, modified_at, received_at, received_offset, has_attachments, \
        categories, categories_folded, body_type, body, from_name, from_name_folded, \
        from_address, from_address_folded, sender_name, sender_name_folded, sender_address, \
        sender_address_folded, new_participants, new_participants_folded, extra, author, app, \
        version) values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
        $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, 1)";
    tx.send(
        sql,
        binds![
            it.group,
            it.id,
            it.conversation,
            it.thread,
            it.in_reply_to,
            &it.message_id,
            now,
            it.received.ticks,
            it.received.offset_minutes,
            !it.attachments.is_empty(),
            it.categories,
            fold(it.categories).as_ref(),
            it.body_type,
            it.body,
            &it.from.name,
            fold(&it.from.name).as_ref(),
            &it.from.address,
            fold(&it.from.address).as_ref(),
            &it.sender.name,
            fold(&it.sender.name).as_ref(),
            &it.sender.address,
            fold(&it.sender.address).as_ref(),
            &it.new_participants,
            fold(&it.new_participants).as_ref(),
            it.extra,
            it.author,
            it.app.as_deref(),
        ],
    )
    .await?;
    index::add(tx, it.group, it.group_number, it.id, &it.tokens).await?;
    for attachment in it.attachments {
        insert_attachment(tx, it.group, it.id, attachment, now).await?;
    }
    Ok(())
}

/// Adds an attachment to a post.
pub(crate) async fn insert_attachment(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
    it: &NewAttachment,
    now: i64,
) -> Result<(), Error> {
    it.blob.refer(tx, group, now).await?;
    let sql = "insert into attachments (group_id, id, post_id, name, name_folded, content_type, \
        content_type_folded, content_id, is_inline, size, hash, modified_at, version) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)";
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
            it.content_id.as_deref(),
            it.is_inline,
            it.blob.size,
            &it.blob.hash[..],
            now,
        ],
    )
    .await?;
    Ok(())
}

/// Removes all posts of a thread; their ids.
pub(crate) async fn delete_of_thread(
    tx: &mut Tx,
    group: GroupId,
    thread: ThreadId,
) -> Result<Vec<PostId>, Error> {
    let key = binds![group, thread];
    let mut posts = Vec::new();
    let sql =
        "select id from posts where group_id = $1 and thread_id = $2 order by received_at, id";
    tx.query(sql, key, |row| {
        posts.push(PostId(row.id(0)?));
        Ok(())
    })
    .await?;
    index::remove(tx, group, thread).await?;
    let sql = "delete from upload_sessions where group_id = $1 and post_id in \
        (select id from posts where group_id = $1 and thread_id = $2)";
    tx.send(sql, key).await?;
    let sql = "delete from attachments where group_id = $1 and post_id in \
        (select id from posts where group_id = $1 and thread_id = $2)";
    tx.send(sql, key).await?;
    tx.send("delete from posts where group_id = $1 and thread_id = $2", key).await?;
    Ok(posts)
}

/// The thread of a post.
pub(crate) async fn thread_of(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
) -> Result<Option<ThreadId>, Error> {
    let sql = "select thread_id from posts where group_id = $1 and id = $2";
    tx.first(sql, binds![group, post], |row| Ok(ThreadId(row.id(0)?))).await
}

/// A post as an upload needs it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) thread: ThreadId,
    /// `text` or `html`.
    pub(crate) body_type: String,
    pub(crate) body: String,
    pub(crate) from: Party,
    pub(crate) author: Option<UserId>,
}

/// The post with this id.
pub(crate) async fn find(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
) -> Result<Option<Written>, Error> {
    let sql = "select thread_id, body_type, body, from_name, from_address, author from posts \
        where group_id = $1 and id = $2";
    tx.first(sql, binds![group, post], |row| {
        Ok(Written {
            thread: ThreadId(row.id(0)?),
            body_type: row.text(1)?.to_owned(),
            body: row.text(2)?.to_owned(),
            from: Party { name: row.text(3)?.to_owned(), address: row.text(4)?.to_owned() },
            author: if row.is_null(5)? { None } else { Some(UserId(row.id(5)?)) },
        })
    })
    .await
}

/// The names of a post's attachments, in their order.
pub(crate) async fn attachment_names(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    let sql = "select name from attachments where group_id = $1 and post_id = $2 order by id";
    tx.query(sql, binds![group, post], |row| {
        names.push(row.text(0)?.to_owned());
        Ok(())
    })
    .await?;
    Ok(names)
}

/// Says of a post that an attachment was added, and what the index is to find it by.
pub(crate) async fn attached(
    tx: &mut Tx,
    group: (GroupId, i64),
    post: PostId,
    tokens: &Tokens<'_>,
    now: i64,
) -> Result<(), Error> {
    let (group, number) = group;
    let sql = "update posts set has_attachments = $1, modified_at = $2, version = version + 1 \
        where group_id = $3 and id = $4";
    tx.send(sql, binds![true, now, group, post]).await?;
    index::replace(tx, group, number, post, tokens).await
}
