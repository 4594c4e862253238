//! Posts.
//!
//! **Invariant:** a post, what hangs on it, the blobs that its attachments refer to and its row in the
//! index come and go in one transaction.

use odata::value::DateTimeOffset;

use crate::ids::{ConversationId, GroupId, PostId, ThreadId, UserId};
use crate::store::attachments::{self, NewAttachment};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::index::{self, Tokens};
use crate::store::post_children::{self, NewExtension, NewMention, NewProperty};
use crate::store::sql::binds;
use crate::text::{fold, twin};

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
    /// `low`, `normal` or `high`.
    pub(crate) importance: &'d str,
    pub(crate) attachments: &'d [NewAttachment],
    pub(crate) extensions: &'d [NewExtension],
    pub(crate) properties: &'d [NewProperty],
    pub(crate) mentions: &'d [NewMention],
    pub(crate) tokens: Tokens<'d>,
}

/// Adds a post, with its attachments.
pub(crate) async fn insert(tx: &mut Tx, it: &NewPost<'_>, now: i64) -> Result<(), Error> {
    let sql = "insert into posts (group_id, id, conversation_id, thread_id, in_reply_to, \
        message_id, created_at, modified_at, received_at, received_offset, has_attachments, \
        categories, categories_folded, body_type, body, from_name, from_name_folded, \
        from_address, from_address_folded, sender_name, sender_name_folded, sender_address, \
        sender_address_folded, new_participants, new_participants_folded, extra, author, app, \
        importance, body_folded, version) values ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, \
        $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, 1)";
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
            it.importance,
            twin(it.body),
        ],
    )
    .await?;
    index::add(tx, it.group, it.group_number, it.id, &it.tokens).await?;
    for attachment in it.attachments {
        attachments::insert(tx, it.group, it.id, attachment, now).await?;
    }
    for extension in it.extensions {
        post_children::insert_extension(tx, it.group, it.id, extension).await?;
    }
    for property in it.properties {
        post_children::insert_property(tx, it.group, it.id, property).await?;
    }
    for mention in it.mentions {
        let by = (&it.sender.name[..], &it.sender.address[..]);
        post_children::insert_mention(tx, it.group, it.id, mention, by, now).await?;
    }
    Ok(())
}

/// The posts of a thread, in their order.
pub(crate) async fn of_thread(
    tx: &mut Tx,
    group: GroupId,
    thread: ThreadId,
) -> Result<Vec<PostId>, Error> {
    let mut posts = Vec::new();
    let sql =
        "select id from posts where group_id = $1 and thread_id = $2 order by received_at, id";
    tx.query(sql, binds![group, thread], |row| {
        posts.push(PostId(row.id(0)?));
        Ok(())
    })
    .await?;
    Ok(posts)
}

/// Removes all posts of a thread; their ids.
pub(crate) async fn delete_of_thread(
    tx: &mut Tx,
    group: GroupId,
    thread: ThreadId,
) -> Result<Vec<PostId>, Error> {
    let posts = of_thread(tx, group, thread).await?;
    index::remove(tx, group, thread).await?;
    post_children::delete_of(tx, group, thread, None).await?;
    let sql = "delete from posts where group_id = $1 and thread_id = $2";
    tx.send(sql, binds![group, thread]).await?;
    Ok(posts)
}

/// Removes one post.
pub(crate) async fn delete(tx: &mut Tx, group: GroupId, post: &Post) -> Result<(), Error> {
    // Replies to it stay, as replies to something that is gone.
    let key = binds![group, post.id];
    index::remove_one(tx, group, post.id).await?;
    post_children::delete_of(tx, group, post.thread, Some(post.id)).await?;
    tx.send("delete from posts where group_id = $1 and id = $2", key).await
}

/// A post, as far as commands need one.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) id: PostId,
    pub(crate) conversation: ConversationId,
    pub(crate) thread: ThreadId,
    pub(crate) author: Option<UserId>,
    /// Undeclared properties, a JSON object.
    pub(crate) extra: Option<String>,
}

/// The post with this id.
pub(crate) async fn find(tx: &mut Tx, group: GroupId, id: PostId) -> Result<Option<Post>, Error> {
    let sql = "select conversation_id, thread_id, author, extra from posts \
        where group_id = $1 and id = $2";
    tx.first(sql, binds![group, id], |row| {
        Ok(Post {
            id,
            conversation: ConversationId(row.id(0)?),
            thread: ThreadId(row.id(1)?),
            author: if row.is_null(2)? { None } else { Some(UserId(row.id(2)?)) },
            extra: if row.is_null(3)? { None } else { Some(row.text(3)?.to_owned()) },
        })
    })
    .await
}

/// The last post of a thread, in their order.
pub(crate) async fn newest(
    tx: &mut Tx,
    group: GroupId,
    thread: ThreadId,
) -> Result<Option<Post>, Error> {
    let sql = "select id from posts where group_id = $1 and thread_id = $2 \
        order by received_at desc, id desc limit 1";
    match tx.first(sql, binds![group, thread], |row| row.id(0)).await? {
        Some(id) => find(tx, group, PostId(id)).await,
        None => Ok(None),
    }
}

/// Notes down that something that hangs on a post has changed, and whether it has attachments.
pub(crate) async fn touch(tx: &mut Tx, group: GroupId, id: PostId, now: i64) -> Result<(), Error> {
    let sql = "update posts set modified_at = $1, version = version + 1, has_attachments = \
        exists (select 1 from attachments a where a.group_id = $2 and a.post_id = $3) \
        where group_id = $2 and id = $3";
    tx.send(sql, binds![now, group, id]).await
}

/// What of a post is to be another; what is none stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edit<'d> {
    /// `text` or `html`.
    pub(crate) body_type: Option<&'static str>,
    pub(crate) body: Option<&'d str>,
    /// JSON array of strings.
    pub(crate) categories: Option<&'d str>,
    pub(crate) importance: Option<&'d str>,
    /// Undeclared properties, a JSON object; there may be none from now on.
    pub(crate) extra: Option<Option<String>>,
}

/// Edits a post; what it said before is kept under `version`, an id, where `by` has changed that.
pub(crate) async fn edit(
    tx: &mut Tx,
    group: GroupId,
    id: PostId,
    edit: &Edit<'_>,
    version: uuid::Uuid,
    by: Option<UserId>,
    now: i64,
) -> Result<(), Error> {
    let says = edit.body_type.is_some() || edit.body.is_some() || edit.categories.is_some();
    if says {
        let sql = "insert into post_versions (group_id, id, post_id, version, modified_at, \
            replaced_at, replaced_by, categories, categories_folded, body_type, body) \
            select group_id, $1, id, version, modified_at, $2, $3, categories, categories_folded, \
            body_type, body from posts where group_id = $4 and id = $5";
        tx.send(sql, binds![version, now, by, group, id]).await?;
    }
    let sql = "update posts set body_type = coalesce($1, body_type), body = coalesce($2, body), \
        categories = coalesce($3, categories), categories_folded = coalesce($4, categories_folded), \
        importance = coalesce($5, importance), extra = case when $6 then $7 else extra end, \
        edited_at = coalesce($8, edited_at), modified_at = $9, \
        body_folded = case when $10 then $11 else body_folded end, version = version + 1 \
        where group_id = $12 and id = $13";
    let folded = edit.categories.map(|it| fold(it).into_owned());
    tx.send(
        sql,
        binds![
            edit.body_type,
            edit.body,
            edit.categories,
            folded,
            edit.importance,
            edit.extra.is_some(),
            edit.extra.as_ref().and_then(Option::as_deref),
            says.then_some(now),
            now,
            edit.body.is_some(),
            edit.body.and_then(twin),
            group,
            id
        ],
    )
    .await
}

/// What the index and the summaries need of a post that is there.
#[derive(Debug)]
pub(crate) struct Said {
    /// `text` or `html`.
    pub(crate) body_type: String,
    pub(crate) body: String,
    pub(crate) from: Party,
    /// The names of its attachments.
    pub(crate) files: Vec<String>,
}

/// What a post says.
pub(crate) async fn said(tx: &mut Tx, group: GroupId, id: PostId) -> Result<Said, Error> {
    let sql = "select body_type, body, from_name, from_address from posts \
        where group_id = $1 and id = $2";
    let key = binds![group, id];
    let said = tx.first(sql, key, |row| {
        Ok(Said {
            body_type: row.text(0)?.to_owned(),
            body: row.text(1)?.to_owned(),
            from: Party { name: row.text(2)?.to_owned(), address: row.text(3)?.to_owned() },
            files: Vec::new(),
        })
    });
    let mut said = said.await?.ok_or(Error::Dangling)?;
    let sql = "select name from attachments where group_id = $1 and post_id = $2 order by id";
    tx.query(sql, key, |row| {
        said.files.push(row.text(0)?.to_owned());
        Ok(())
    })
    .await?;
    Ok(said)
}
