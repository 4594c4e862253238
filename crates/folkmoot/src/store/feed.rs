//! The feed: every change of a group, and of a tenant, in the order of commits.
//!
//! **Invariant:** the numbers of a stream have no gaps, and their order is the order of commits: the
//! head is raised by the last statements of the transaction and held to the commit, so a reader sees
//! a prefix and a rolled-back command leaves nothing (DECISIONS D9).

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::ids::{ConversationId, GroupId, TenantId, ThreadId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::{Statement, binds};
use crate::store::work;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Group = 1,
    User = 2,
    Member = 3,
    Owner = 4,
    Conversation = 5,
    Thread = 6,
    Post = 7,
    /// A post is to be sent to people outside its thread.
    Forward = 8,
    /// Somebody is invited into a group.
    Invitation = 9,
    /// Somebody asks to be let into a group.
    JoinRequest = 10,
}

impl Kind {
    /// The one with this number.
    pub(crate) fn of(number: i64) -> Option<Kind> {
        use Kind::{Conversation, Forward, Group, Invitation, JoinRequest, Member, Owner};
        use Kind::{Post, Thread, User};
        [Group, User, Member, Owner, Conversation, Thread, Post, Forward, Invitation, JoinRequest]
            .into_iter()
            .find(|it| *it as i64 == number)
    }
}

/// How it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Created = 1,
    Updated = 2,
    Deleted = 3,
}

impl Op {
    /// The one with this number.
    pub(crate) fn of(number: i64) -> Option<Op> {
        use Op::{Created, Deleted, Updated};
        [Created, Updated, Deleted].into_iter().find(|it| *it as i64 == number)
    }
}

/// Which stream tells of it, and what else the row says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// Inside a group.
    Group { group: GroupId, conversation: Option<ConversationId>, thread: Option<ThreadId> },
    /// A group, a user or a membership of a tenant.
    Tenant { tenant: TenantId, group: Option<GroupId> },
}

/// Who did it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actor {
    /// The user, if there is one.
    pub(crate) user: Option<UserId>,
    /// The application that called, if it said.
    pub(crate) app: Option<String>,
}

/// One changed entity.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The stream.
    pub(crate) place: Place,
    /// Ticks.
    pub(crate) at: i64,
    /// Who.
    pub(crate) actor: Actor,
    /// What.
    pub(crate) kind: Kind,
    /// How.
    pub(crate) op: Op,
    /// Its id.
    pub(crate) entity: Uuid,
    /// What of it, where that has an id of its own: an attachment of a post; of a forward, its post. The audit
    /// alone says it.
    pub(crate) part: Option<Uuid>,
}

impl Change {
    /// Whether the tenant's stream tells of it.
    pub(super) fn is_of_tenant(&self) -> bool {
        matches!(self.place, Place::Tenant { .. })
    }
}

const RAISE_GROUP: &str = "insert into feed_heads (group_id, seq) values ($1, $2) \
    on conflict (group_id) do update set seq = feed_heads.seq + $2";
const RAISE_TENANT: &str = "insert into tenant_feed_heads (tenant_id, seq) values ($1, $2) \
    on conflict (tenant_id) do update set seq = tenant_feed_heads.seq + $2";
/// Rows of one `insert` at most.
const ROWS_MAX: usize = 16;

/// Writes the changes of a transaction; the last thing before its commit. Returns the ids of the
/// streams that they are in.
pub(super) async fn write(tx: &mut Tx, changes: Vec<Change>) -> Result<Vec<Uuid>, Error> {
    let mut streams: BTreeMap<Uuid, Vec<Change>> = BTreeMap::new();
    for change in changes {
        let stream = match change.place {
            Place::Group { group, .. } => group.0,
            Place::Tenant { tenant, .. } => tenant.0,
        };
        streams.entry(stream).or_default().push(change);
    }
    // Ascending ids (the map's order): two transactions never wait for each other in a circle.
    for (&stream, changes) in &streams {
        let in_group = matches!(changes[0].place, Place::Group { .. });
        let raise = if in_group { RAISE_GROUP } else { RAISE_TENANT };
        tx.send(raise, binds![stream, changes.len() as i64]).await?;
        if in_group {
            work::make_due(tx, stream).await?;
        }
        for (at, chunk) in changes.chunks(ROWS_MAX).enumerate() {
            insert(tx, stream, changes.len() - at * ROWS_MAX, chunk).await?;
        }
    }
    Ok(streams.into_keys().collect())
}

/// Inserts the rows of one stream, the first `left - 1` numbers below its head.
async fn insert(tx: &mut Tx, stream: Uuid, left: usize, changes: &[Change]) -> Result<(), Error> {
    let in_group = matches!(changes[0].place, Place::Group { .. });
    let mut sql = Statement::new(tx.db());
    sql.push(if in_group {
        "insert into feed (group_id, at, kind, op, entity_id, changed, actor, app, \
         conversation_id, thread_id, seq) values "
    } else {
        "insert into tenant_feed (tenant_id, at, kind, op, entity_id, changed, actor, app, \
         group_id, seq) values "
    });
    for (at, change) in changes.iter().enumerate() {
        sql.push(if at > 0 { ", (" } else { "(" }).bind(stream);
        sql.push(", ").bind(change.at).push(", ").bind(change.kind as i64);
        sql.push(", ").bind(change.op as i64).push(", ").bind(change.entity).push(", 0, ");
        sql.bind(change.actor.user).push(", ").bind(change.actor.app.clone()).push(", ");
        let head = match change.place {
            Place::Group { conversation, thread, .. } => {
                sql.bind(conversation).push(", ").bind(thread);
                "feed_heads where group_id = "
            }
            Place::Tenant { group, .. } => {
                sql.bind(group);
                "tenant_feed_heads where tenant_id = "
            }
        };
        sql.push(", (select seq from ").push(head).bind(stream).push(") - ");
        sql.bind((left - at - 1) as i64).push(")");
    }
    tx.send(&sql.sql, &sql.binds).await
}
