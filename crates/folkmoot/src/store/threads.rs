//! Threads.
//!
//! **Invariant:** the recipients of a thread with posts are the group and everybody whom a post of it has
//! added, beside what was declared.

use crate::ids::{ConversationId, GroupId, ThreadId, UserId};
use crate::store::conversations::Summary;
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::groups::json_strings;
use crate::store::sql::binds;
use crate::text::fold;

/// A thread about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewThread {
    pub(crate) group: GroupId,
    pub(crate) id: ThreadId,
    pub(crate) conversation: ConversationId,
    pub(crate) topic: String,
    pub(crate) summary: Summary,
    /// JSON array of recipients.
    pub(crate) to_recipients: String,
    /// The same, as it was declared.
    pub(crate) cc_recipients: String,
    pub(crate) is_locked: bool,
    pub(crate) created_by: Option<UserId>,
}

/// A thread, as far as commands need one.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) conversation: ConversationId,
    pub(crate) topic: String,
    pub(crate) is_locked: bool,
    /// JSON array of recipients.
    pub(crate) to_recipients: String,
    pub(crate) posts: i64,
}

/// Adds a thread.
pub(crate) async fn insert(tx: &mut Tx, it: &NewThread) -> Result<(), Error> {
    let sql = "insert into threads (group_id, id, conversation_id, topic, topic_folded, \
        has_attachments, last_delivered_at, last_delivered_offset, unique_senders, \
        unique_senders_folded, preview, preview_folded, is_locked, to_recipients, \
        to_recipients_folded, cc_recipients, cc_recipients_folded, posts, created_by, version) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 1)";
    let summary = &it.summary;
    let senders = json_strings(summary.unique_senders.iter().map(String::as_str));
    tx.send(
        sql,
        binds![
            it.group,
            it.id,
            it.conversation,
            &it.topic,
            fold(&it.topic).as_ref(),
            summary.has_attachments,
            summary.last_delivered.ticks,
            summary.last_delivered.offset_minutes,
            &senders,
            fold(&senders).as_ref(),
            &summary.preview,
            fold(&summary.preview).as_ref(),
            it.is_locked,
            &it.to_recipients,
            fold(&it.to_recipients).as_ref(),
            &it.cc_recipients,
            fold(&it.cc_recipients).as_ref(),
            summary.posts,
            it.created_by,
        ],
    )
    .await?;
    Ok(())
}

/// The thread with this id.
pub(crate) async fn find(
    tx: &mut Tx,
    group: GroupId,
    id: ThreadId,
) -> Result<Option<Thread>, Error> {
    let sql = "select conversation_id, topic, is_locked, to_recipients, posts from threads \
        where group_id = $1 and id = $2";
    tx.first(sql, binds![group, id], |row| {
        Ok(Thread {
            conversation: ConversationId(row.id(0)?),
            topic: row.text(1)?.to_owned(),
            is_locked: row.bool(2)?,
            to_recipients: row.text(3)?.to_owned(),
            posts: row.int(4)?,
        })
    })
    .await
}

/// The threads of a conversation.
pub(crate) async fn of_conversation(
    tx: &mut Tx,
    group: GroupId,
    conversation: ConversationId,
) -> Result<Vec<ThreadId>, Error> {
    let mut threads = Vec::new();
    let sql = "select id from threads where group_id = $1 and conversation_id = $2 order by id";
    tx.query(sql, binds![group, conversation], |row| {
        threads.push(ThreadId(row.id(0)?));
        Ok(())
    })
    .await?;
    Ok(threads)
}

/// Gives a thread its recipients, a JSON array.
pub(crate) async fn set_recipients(
    tx: &mut Tx,
    group: GroupId,
    id: ThreadId,
    recipients: &str,
) -> Result<(), Error> {
    let sql = "update threads set to_recipients = $1, to_recipients_folded = $2 \
        where group_id = $3 and id = $4";
    tx.send(sql, binds![recipients, fold(recipients).as_ref(), group, id]).await?;
    Ok(())
}

/// Gives a thread without posts the other recipients that a client declares, a JSON array.
pub(crate) async fn set_cc_recipients(
    tx: &mut Tx,
    group: GroupId,
    id: ThreadId,
    recipients: &str,
) -> Result<(), Error> {
    let sql = "update threads set cc_recipients = $1, cc_recipients_folded = $2 \
        where group_id = $3 and id = $4";
    tx.send(sql, binds![recipients, fold(recipients).as_ref(), group, id]).await
}

/// Locks a thread, or lets it take replies again.
pub(crate) async fn set_locked(
    tx: &mut Tx,
    group: GroupId,
    id: ThreadId,
    locked: bool,
) -> Result<(), Error> {
    let sql = "update threads set is_locked = $1, version = version + 1 \
        where group_id = $2 and id = $3";
    tx.send(sql, binds![locked, group, id]).await
}

/// Removes a thread that has no posts left.
pub(crate) async fn delete(tx: &mut Tx, group: GroupId, id: ThreadId) -> Result<(), Error> {
    tx.send("delete from threads where group_id = $1 and id = $2", binds![group, id]).await?;
    Ok(())
}
