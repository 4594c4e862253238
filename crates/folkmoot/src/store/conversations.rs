//! Conversations, and the summary that they and threads show of their posts.
//!
//! **Invariant:** once there is a post, the summary is that of the posts: the newest one's time and
//! preview, whether any has an attachment, and the names that sent them.

use odata::value::DateTimeOffset;
use uuid::Uuid;

use crate::ids::{ConversationId, GroupId, ThreadId, UserId};
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::groups::json_strings;
use crate::store::sql::{Bind, binds};
use crate::text::{self, fold};

/// Names shown in `uniqueSenders` at most.
pub(super) const SENDERS_SHOWN_MAX: usize = 100;

/// What a conversation or a thread shows of its posts.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// Whether any post has an attachment.
    pub(crate) has_attachments: bool,
    /// When the newest post came.
    pub(crate) last_delivered: DateTimeOffset,
    /// Who sent posts, each name once.
    pub(crate) unique_senders: Vec<String>,
    /// How the newest post begins.
    pub(crate) preview: String,
    /// How many posts there are.
    pub(crate) posts: i64,
}

/// What has a summary.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner {
    Conversation(ConversationId),
    Thread(ThreadId),
}

impl Owner {
    pub(super) const fn id(self) -> Uuid {
        match self {
            Owner::Conversation(id) => id.0,
            Owner::Thread(id) => id.0,
        }
    }

    const fn table(self) -> &'static str {
        match self {
            Owner::Conversation(_) => "conversations",
            Owner::Thread(_) => "threads",
        }
    }
}

/// A conversation about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewConversation {
    pub(crate) group: GroupId,
    pub(crate) id: ConversationId,
    pub(crate) topic: String,
    pub(crate) summary: Summary,
    pub(crate) created_by: Option<UserId>,
    pub(crate) created_app: Option<String>,
}

/// Adds a conversation.
pub(crate) async fn insert(tx: &mut Tx, it: &NewConversation, now: i64) -> Result<(), Error> {
    let sql = "insert into conversations (group_id, id, topic, topic_folded, has_attachments, \
        last_delivered_at, last_delivered_offset, unique_senders, unique_senders_folded, preview, \
        preview_folded, posts, created_at, created_by, created_app, version) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1)";
    let summary = &it.summary;
    let senders = json_strings(summary.unique_senders.iter().map(String::as_str));
    tx.send(
        sql,
        binds![
            it.group,
            it.id,
            &it.topic,
            fold(&it.topic).as_ref(),
            summary.has_attachments,
            summary.last_delivered.ticks,
            summary.last_delivered.offset_minutes,
            &senders,
            fold(&senders).as_ref(),
            &summary.preview,
            fold(&summary.preview).as_ref(),
            summary.posts,
            now,
            it.created_by,
            it.created_app.as_deref(),
        ],
    )
    .await?;
    Ok(())
}

impl NewConversation {
    /// The columns of its row that answers show, as [`insert`] writes them.
    pub(crate) fn shown(&self) -> Vec<(&'static str, Bind<'_>)> {
        let summary = &self.summary;
        let senders = json_strings(summary.unique_senders.iter().map(String::as_str));
        vec![
            ("group_id", self.group.into()),
            ("id", self.id.into()),
            ("topic", (&self.topic).into()),
            ("has_attachments", summary.has_attachments.into()),
            ("last_delivered_at", summary.last_delivered.ticks.into()),
            ("last_delivered_offset", summary.last_delivered.offset_minutes.into()),
            ("unique_senders", senders.into()),
            ("preview", (&summary.preview).into()),
            ("version", 1_i64.into()),
        ]
    }
}

/// The topic of a conversation, if it is there.
pub(crate) async fn topic(
    tx: &mut Tx,
    group: GroupId,
    id: ConversationId,
) -> Result<Option<String>, Error> {
    let sql = "select topic from conversations where group_id = $1 and id = $2";
    tx.first(sql, binds![group, id], |row| Ok(row.text(0)?.to_owned())).await
}

/// Whether a conversation is there.
pub(crate) async fn exists(tx: &mut Tx, group: GroupId, id: ConversationId) -> Result<bool, Error> {
    let sql = "select 1 from conversations where group_id = $1 and id = $2";
    Ok(tx.first(sql, binds![group, id], |_| Ok(())).await?.is_some())
}

/// Removes a conversation that has no threads left.
pub(crate) async fn delete(tx: &mut Tx, group: GroupId, id: ConversationId) -> Result<(), Error> {
    let sql = "delete from conversation_reads where group_id = $1 and conversation_id = $2";
    tx.send(sql, binds![group, id]).await?;
    let sql = "delete from conversations where group_id = $1 and id = $2";
    tx.send(sql, binds![group, id]).await?;
    Ok(())
}

fn read_summary(row: &Row<'_>) -> Result<Summary, Error> {
    let senders = serde_json::from_str(row.text(3)?)
        .map_err(|error| Error::Defect(format!("unique_senders: {error}")))?;
    Ok(Summary {
        has_attachments: row.bool(0)?,
        last_delivered: DateTimeOffset {
            ticks: row.int(1)?,
            offset_minutes: i16::try_from(row.int(2)?).unwrap_or(0),
        },
        unique_senders: senders,
        preview: row.text(4)?.to_owned(),
        posts: row.int(5)?,
    })
}

/// Takes one more post into the summary of what it belongs to.
pub(crate) async fn add_to_summary(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
    post: &Summary,
) -> Result<(), Error> {
    let old = summary(tx, group, owner).await?.ok_or(Error::Dangling)?;
    let mut new = post.clone();
    // What was declared of a conversation without posts ends with the first one.
    if old.posts > 0 {
        let added = std::mem::replace(&mut new.unique_senders, old.unique_senders);
        add_senders(&mut new.unique_senders, added);
        new.has_attachments |= old.has_attachments;
        new.posts += old.posts;
        if old.last_delivered.ticks > post.last_delivered.ticks {
            new.last_delivered = old.last_delivered;
            new.preview = old.preview;
        }
    }
    write_summary(tx, group, owner, &new).await
}

async fn write_summary(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
    summary: &Summary,
) -> Result<(), Error> {
    let sql = format!(
        "update {} set has_attachments = $1, last_delivered_at = $2, last_delivered_offset = $3, \
         unique_senders = $4, unique_senders_folded = $5, preview = $6, preview_folded = $7, \
         posts = $8, version = version + 1 where group_id = $9 and id = $10",
        owner.table()
    );
    let senders = json_strings(summary.unique_senders.iter().map(String::as_str));
    tx.send(
        &sql,
        binds![
            summary.has_attachments,
            summary.last_delivered.ticks,
            summary.last_delivered.offset_minutes,
            &senders,
            fold(&senders).as_ref(),
            &summary.preview,
            fold(&summary.preview).as_ref(),
            summary.posts,
            group,
            owner.id(),
        ],
    )
    .await?;
    Ok(())
}

/// Gives a conversation without posts what a client declares of it.
pub(crate) async fn declare(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
    summary: &Summary,
) -> Result<(), Error> {
    write_summary(tx, group, owner, summary).await
}

/// The summary of what has one, as it is.
pub(crate) async fn summary(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
) -> Result<Option<Summary>, Error> {
    let sql = format!(
        "select has_attachments, last_delivered_at, last_delivered_offset, unique_senders, \
         preview, posts from {} where group_id = $1 and id = $2",
        owner.table()
    );
    tx.first(&sql, binds![group, owner.id()], |row| read_summary(&row)).await
}

/// Gives a conversation, or a thread, another topic.
pub(crate) async fn set_topic(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
    topic: &str,
) -> Result<(), Error> {
    let sql = format!(
        "update {} set topic = $1, topic_folded = $2, version = version + 1 \
         where group_id = $3 and id = $4",
        owner.table()
    );
    tx.send(&sql, binds![topic, fold(topic).as_ref(), group, owner.id()]).await
}

/// Makes the summary of a thread anew from the posts that are left, at least one; `preview_chars`: how
/// many code points of the newest are shown.
pub(crate) async fn recompute_thread(
    tx: &mut Tx,
    group: GroupId,
    id: ThreadId,
    preview_chars: usize,
) -> Result<(), Error> {
    let key = binds![group, id];
    let sql = "select count(*), count(case when has_attachments then 1 end) from posts \
        where group_id = $1 and thread_id = $2";
    let counts = tx.first(sql, key, |row| Ok((row.int(0)?, row.int(1)?))).await?;
    let (posts, attached) = counts.unwrap_or_default();
    let mut unique_senders = Vec::new();
    let sql = "select from_name from posts where group_id = $1 and thread_id = $2 \
        group by from_name order by min(received_at), from_name limit 100";
    tx.query(sql, key, |row| {
        unique_senders.push(row.text(0)?.to_owned());
        Ok(())
    })
    .await?;
    let sql = "select received_at, received_offset, body_type, body from posts \
        where group_id = $1 and thread_id = $2 order by received_at desc, id desc limit 1";
    let newest = tx.first(sql, key, |row| {
        let text = match row.text(2)? {
            "html" => text::html_to_text(row.text(3)?),
            _ => row.text(3)?.to_owned(),
        };
        let last_delivered = DateTimeOffset {
            ticks: row.int(0)?,
            offset_minutes: i16::try_from(row.int(1)?).unwrap_or(0),
        };
        Ok((last_delivered, text::preview(&text, preview_chars)))
    });
    let Some((last_delivered, preview)) = newest.await? else { return Ok(()) };
    let has_attachments = attached > 0;
    let summary = Summary { has_attachments, last_delivered, unique_senders, preview, posts };
    write_summary(tx, group, Owner::Thread(id), &summary).await
}

/// Makes the summary of a conversation anew from the threads that are left; where none has a post, there is
/// nothing to show but when the last one came.
pub(crate) async fn recompute_summary(
    tx: &mut Tx,
    group: GroupId,
    id: ConversationId,
) -> Result<(), Error> {
    let mut summary: Option<Summary> = None;
    let sql = "select has_attachments, last_delivered_at, last_delivered_offset, unique_senders, \
        preview, posts from threads where group_id = $1 and conversation_id = $2 and posts > 0 \
        order by last_delivered_at desc, id desc";
    tx.query(sql, binds![group, id], |row| {
        let thread = read_summary(&row)?;
        match &mut summary {
            None => summary = Some(thread),
            Some(summary) => {
                summary.has_attachments |= thread.has_attachments;
                summary.posts += thread.posts;
                add_senders(&mut summary.unique_senders, thread.unique_senders);
            }
        }
        Ok(())
    })
    .await?;
    let owner = Owner::Conversation(id);
    let summary = match summary {
        Some(summary) => summary,
        None => {
            let old = self::summary(tx, group, owner).await?.ok_or(Error::Dangling)?;
            let (unique_senders, preview) = (Vec::new(), String::new());
            Summary { has_attachments: false, unique_senders, preview, posts: 0, ..old }
        }
    };
    write_summary(tx, group, owner, &summary).await
}

fn add_senders(shown: &mut Vec<String>, more: Vec<String>) {
    for sender in more {
        if shown.len() < SENDERS_SHOWN_MAX && !shown.contains(&sender) {
            shown.push(sender);
        }
    }
}

/// Whether `user` has written every post of it, and made it or, of a thread from before that was kept,
/// written any; and it is not locked, nor any thread of it.
pub(crate) async fn all_by(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
    user: Option<UserId>,
) -> Result<bool, Error> {
    let sql = match owner {
        Owner::Thread(_) => {
            "select not exists (select 1 from posts where group_id = $1 and thread_id = $2 \
             and author is distinct from $3) and exists (select 1 from threads t \
             where t.group_id = $1 and t.id = $2 and not t.is_locked \
             and (t.created_by = $3 or (t.created_by is null and t.posts > 0)))"
        }
        Owner::Conversation(_) => {
            "select not exists (select 1 from threads t join posts p \
             on p.group_id = t.group_id and p.thread_id = t.id \
             where t.group_id = $1 and t.conversation_id = $2 and p.author is distinct from $3) \
             and exists (select 1 from conversations where group_id = $1 and id = $2 \
             and created_by = $3) and not exists (select 1 from threads t \
             where t.group_id = $1 and t.conversation_id = $2 and t.is_locked)"
        }
    };
    let all = tx.first(sql, binds![group, owner.id(), user], |row| row.bool(0)).await?;
    Ok(all.unwrap_or(false))
}
