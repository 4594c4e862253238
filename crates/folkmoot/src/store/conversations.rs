//! Conversations, and the summary that they and threads show of their posts.
//!
//! **Invariant:** once there is a post, the summary is that of the posts: the newest one's time and
//! preview, whether any has an attachment, and the names that sent them.

use odata::value::DateTimeOffset;
use uuid::Uuid;

use crate::ids::{ConversationId, GroupId, UserId};
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::groups::json_strings;
use crate::store::sql::binds;
use crate::text::fold;

/// Names shown in `uniqueSenders` at most.
const SENDERS_SHOWN_MAX: usize = 100;

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
    Thread(crate::ids::ThreadId),
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

    /// The column of `posts` that refers to it.
    const fn column(self) -> &'static str {
        match self {
            Owner::Conversation(_) => "conversation_id",
            Owner::Thread(_) => "thread_id",
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
    tx.execute(
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
    forget_senders(tx, group, Owner::Conversation(id)).await?;
    let sql = "delete from conversations where group_id = $1 and id = $2";
    tx.execute(sql, binds![group, id]).await?;
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

/// Counts one more post of `sender`; whether it is the first of that name.
pub(crate) async fn count_sender(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
    sender: &str,
) -> Result<bool, Error> {
    let sql = "insert into senders (group_id, owner_id, name, posts) values ($1, $2, $3, 1) \
        on conflict (group_id, owner_id, name) do update set posts = senders.posts + 1 \
        returning posts";
    let posts = tx.first(sql, binds![group, owner.id(), sender], |row| row.int(0)).await?;
    Ok(posts == Some(1))
}

async fn forget_senders(tx: &mut Tx, group: GroupId, owner: Owner) -> Result<(), Error> {
    let sql = "delete from senders where group_id = $1 and owner_id = $2";
    tx.execute(sql, binds![group, owner.id()]).await?;
    Ok(())
}

/// Takes one more post into the summary of what it belongs to.
pub(crate) async fn add_to_summary(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
    post: &Summary,
) -> Result<(), Error> {
    let sql = format!(
        "select has_attachments, last_delivered_at, last_delivered_offset, unique_senders, \
         preview, posts from {} where group_id = $1 and id = $2",
        owner.table()
    );
    let Some(old) = tx.first(&sql, binds![group, owner.id()], |row| read_summary(&row)).await?
    else {
        return Err(Error::Dangling);
    };
    let mut new = post.clone();
    for sender in &post.unique_senders {
        count_sender(tx, group, owner, sender).await?;
    }
    // What was declared of a conversation without posts ends with the first one.
    if old.posts > 0 {
        let added = std::mem::replace(&mut new.unique_senders, old.unique_senders);
        for sender in added {
            let known = new.unique_senders.contains(&sender);
            if !known && new.unique_senders.len() < SENDERS_SHOWN_MAX {
                new.unique_senders.push(sender);
            }
        }
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
    tx.execute(
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

/// Makes the summary of a conversation anew from the posts that are left.
pub(crate) async fn recompute_summary(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
) -> Result<(), Error> {
    let (key, column) = (binds![group, owner.id()], owner.column());
    let sql = format!(
        "select count(*), coalesce(max(has_attachments), 0) from posts \
         where group_id = $1 and {column} = $2"
    );
    let counted = tx.first(&sql, key, |row| Ok((row.int(0)?, row.bool(1)?))).await?;
    let (posts, has_attachments) = counted.unwrap_or_default();
    // The threads know their newest post; a conversation's is the newest of theirs.
    let sql = "select last_delivered_at, last_delivered_offset, preview from threads \
        where group_id = $1 and conversation_id = $2 \
        order by last_delivered_at desc, id desc";
    let newest = tx
        .first(sql, key, |row| {
            let offset_minutes = i16::try_from(row.int(1)?).unwrap_or(0);
            let last_delivered = DateTimeOffset { ticks: row.int(0)?, offset_minutes };
            Ok((last_delivered, row.text(2)?.to_owned()))
        })
        .await?;
    let Some((last_delivered, preview)) = newest else { return Ok(()) };
    let sql = format!(
        "insert into senders (group_id, owner_id, name, posts) \
         select group_id, $1, from_name, count(*) from posts \
         where {column} = $1 and group_id = $2 group by group_id, from_name"
    );
    forget_senders(tx, group, owner).await?;
    tx.execute(&sql, binds![owner.id(), group]).await?;
    let mut unique_senders = Vec::new();
    let sql = "select name from senders where group_id = $1 and owner_id = $2 \
        order by name limit 100";
    tx.query(sql, key, |row| {
        unique_senders.push(row.text(0)?.to_owned());
        Ok(())
    })
    .await?;
    let summary = Summary { has_attachments, last_delivered, unique_senders, preview, posts };
    write_summary(tx, group, owner, &summary).await
}

/// Whether every post of it, and the conversation itself, was written by `user`.
pub(crate) async fn all_by(
    tx: &mut Tx,
    group: GroupId,
    owner: Owner,
    user: Option<UserId>,
) -> Result<bool, Error> {
    let column = owner.column();
    let sql = match owner {
        Owner::Thread(_) => format!(
            "select not exists (select 1 from posts where group_id = $1 and {column} = $2 \
             and author is distinct from $3)"
        ),
        Owner::Conversation(_) => format!(
            "select not exists (select 1 from posts where group_id = $1 and {column} = $2 \
             and author is distinct from $3) \
             and exists (select 1 from conversations where group_id = $1 and id = $2 \
             and created_by = $3)"
        ),
    };
    let all = tx.first(&sql, binds![group, owner.id(), user], |row| row.bool(0)).await?;
    Ok(all.unwrap_or(false))
}
