//! What consumers of the feed have to do, and how far they have come.
//!
//! **Invariant:** a consumer's cursor moves in the transaction that holds what it has done, and only
//! while its lease is its own: what a killed one had begun is done again by another, and nothing twice.

use uuid::Uuid;

use crate::ids::{ConversationId, GroupId, TenantId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::feed::{Kind, Op};
use crate::store::sql::binds;

/// One row of a group's feed, as far as consumers need it.
#[derive(Clone, Debug)]
pub(crate) struct FeedRow {
    pub(crate) seq: i64,
    pub(crate) kind: Kind,
    pub(crate) op: Op,
    /// The user who did it, if there is one.
    pub(crate) actor: Option<Uuid>,
    pub(crate) conversation: Option<ConversationId>,
}

/// Says that a consumer is interested in a group, from its first change on.
pub(crate) async fn interest(tx: &mut Tx, group: GroupId, consumer: &str) -> Result<(), Error> {
    let sql = "insert into feed_work (group_id, consumer, cursor, head) values ($1, $2, 0, 0)";
    tx.send(sql, binds![group, consumer]).await
}

/// Makes work due for everybody who is interested in a group that has changed: after its head was
/// raised.
pub(super) async fn make_due(tx: &mut Tx, group: Uuid) -> Result<(), Error> {
    let sql = "update feed_work set head = (select h.seq from feed_heads h where h.group_id = $1) \
        where group_id = $1";
    tx.send(sql, binds![group]).await
}

/// Whether a consumer has work that is nobody's now.
pub(crate) async fn any_due(tx: &mut Tx, consumer: &str, now: i64) -> Result<bool, Error> {
    let sql = "select 1 from feed_work where consumer = $1 and head > cursor \
        and (lease_until is null or lease_until <= $2) limit 1";
    Ok(tx.first(sql, binds![consumer, now], |_| Ok(())).await?.is_some())
}

/// Leases due work of a consumer; the groups. Times are ticks.
pub(crate) async fn claim(
    tx: &mut Tx,
    consumer: &str,
    owner: Uuid,
    now: i64,
    until: i64,
) -> Result<Vec<GroupId>, Error> {
    let sql = format!(
        "select group_id from feed_work where consumer = $1 and head > cursor \
         and (lease_until is null or lease_until <= $2) order by group_id limit 64{}",
        tx.db().skip_locked()
    );
    let mut groups = Vec::new();
    tx.query(&sql, binds![consumer, now], |row| {
        groups.push(GroupId(row.id(0)?));
        Ok(())
    })
    .await?;
    let sql = "update feed_work set lease_owner = $1, lease_until = $2 \
        where group_id = $3 and consumer = $4";
    for group in &groups {
        tx.send(sql, binds![owner, until, *group, consumer]).await?;
    }
    tx.unshown();
    Ok(groups)
}

/// How far a consumer has come in a group, while its lease is `owner`'s.
pub(crate) async fn cursor(
    tx: &mut Tx,
    consumer: &str,
    owner: Uuid,
    group: GroupId,
) -> Result<Option<i64>, Error> {
    let sql = "select cursor from feed_work where group_id = $1 and consumer = $2 \
        and lease_owner = $3";
    tx.first(sql, binds![group, consumer, owner], |row| row.int(0)).await
}

/// Moves a consumer's cursor and gives its lease back.
pub(crate) async fn advance(
    tx: &mut Tx,
    consumer: &str,
    group: GroupId,
    cursor: i64,
) -> Result<(), Error> {
    let sql = "update feed_work set cursor = $1, lease_owner = null, lease_until = null \
        where group_id = $2 and consumer = $3";
    tx.send(sql, binds![cursor, group, consumer]).await
}

/// The rows of a group's feed after `after`, in order; `limit` of them at most.
pub(crate) async fn rows(
    tx: &mut Tx,
    group: GroupId,
    after: i64,
    limit: i64,
) -> Result<Vec<FeedRow>, Error> {
    let sql = "select seq, kind, op, actor, conversation_id from feed \
        where group_id = $1 and seq > $2 order by seq limit $3";
    let mut rows = Vec::new();
    tx.query(sql, binds![group, after, limit], |row| {
        let id = |column| if row.is_null(column)? { Ok(None) } else { row.id(column).map(Some) };
        let unknown = |what: &str| Error::Defect(format!("a feed row of an unknown {what}"));
        rows.push(FeedRow {
            seq: row.int(0)?,
            kind: Kind::of(row.int(1)?).ok_or_else(|| unknown("kind"))?,
            op: Op::of(row.int(2)?).ok_or_else(|| unknown("operation"))?,
            actor: id(3)?,
            conversation: id(4)?.map(ConversationId),
        });
        Ok(())
    })
    .await?;
    Ok(rows)
}

/// Groups whose feed begins with a row from before `before` (ticks); some of them.
pub(crate) async fn old(tx: &mut Tx, before: i64) -> Result<Vec<GroupId>, Error> {
    let sql = "select h.group_id from feed_heads h where (select f.at from feed f \
        where f.group_id = h.group_id and f.seq < h.seq order by f.seq limit 1) < $1 limit 100";
    let mut groups = Vec::new();
    tx.query(sql, binds![before], |row| {
        groups.push(GroupId(row.id(0)?));
        Ok(())
    })
    .await?;
    Ok(groups)
}

/// Removes rows from before `before` at the start of a group's feed, a portion at a time; how many. The
/// newest row stays, and so does what a consumer has not come to.
pub(crate) async fn forget(tx: &mut Tx, group: GroupId, before: i64) -> Result<u64, Error> {
    let sql = "delete from feed where group_id = $1 and at < $2 \
        and seq < (select min(f.seq) + 1000 from feed f where f.group_id = $1) \
        and seq < (select h.seq from feed_heads h where h.group_id = $1) \
        and seq <= coalesce((select min(w.cursor) from feed_work w where w.group_id = $1), seq)";
    let removed = tx.execute(sql, binds![group, before]).await?;
    tx.unshown();
    Ok(removed)
}

/// The same of a tenant's feed, which has no consumers.
pub(crate) async fn forget_of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    before: i64,
) -> Result<u64, Error> {
    let sql = "delete from tenant_feed where tenant_id = $1 and at < $2 \
        and seq < (select min(f.seq) + 1000 from tenant_feed f where f.tenant_id = $1) \
        and seq < (select h.seq from tenant_feed_heads h where h.tenant_id = $1)";
    let removed = tx.execute(sql, binds![tenant, before]).await?;
    tx.unshown();
    Ok(removed)
}
