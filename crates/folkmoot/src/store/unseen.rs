//! What a person has not seen yet of a group: by conversation, and how far they have come.
//!
//! **Invariant:** `activity` says of each conversation with posts where in the feed its last one
//! stands, as far as the feed's consumer has come; nobody else writes it.

use crate::ids::{ConversationId, GroupId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::feed::{Kind, Op};
use crate::store::sql::binds;
use crate::store::work::FeedRow;

/// Takes rows of a group's feed in.
pub(crate) async fn apply(tx: &mut Tx, group: GroupId, rows: &[FeedRow]) -> Result<(), Error> {
    for row in rows {
        let Some(conversation) = row.conversation else { continue };
        match (row.kind, row.op) {
            (Kind::Post, Op::Created) => {
                let sql = "insert into activity (group_id, conversation_id, seq, author) \
                    values ($1, $2, $3, $4) on conflict (group_id, conversation_id) \
                    do update set seq = $3, author = $4";
                tx.send(sql, binds![group, conversation, row.seq, row.actor]).await?;
            }
            (Kind::Conversation, Op::Deleted) => forget(tx, group, conversation).await?,
            _ => {}
        }
    }
    Ok(())
}

async fn forget(tx: &mut Tx, group: GroupId, it: ConversationId) -> Result<(), Error> {
    let sql = "delete from activity where group_id = $1 and conversation_id = $2";
    tx.send(sql, binds![group, it]).await
}

/// Says that a user has seen all that a group has said so far.
pub(crate) async fn seen(tx: &mut Tx, group: GroupId, user: UserId) -> Result<(), Error> {
    let sql = "insert into group_reads (group_id, user_id, seq) values ($1, $2, \
        coalesce((select seq from feed_heads where group_id = $1), 0)) \
        on conflict (group_id, user_id) do update set seq = excluded.seq";
    tx.execute(sql, binds![group, user]).await?;
    let sql = "delete from conversation_reads where group_id = $1 and user_id = $2";
    tx.send(sql, binds![group, user]).await
}

/// Says that a user has read a conversation so far, or has not.
pub(crate) async fn mark(
    tx: &mut Tx,
    group: GroupId,
    user: UserId,
    conversation: ConversationId,
    read: bool,
) -> Result<(), Error> {
    let sql = "insert into conversation_reads (group_id, user_id, conversation_id, seq) \
        values ($1, $2, $3, case when $4 then \
        coalesce((select seq from feed_heads where group_id = $1), 0) else 0 end) \
        on conflict (group_id, user_id, conversation_id) do update set seq = excluded.seq";
    tx.execute(sql, binds![group, user, conversation, read]).await?;
    Ok(())
}
