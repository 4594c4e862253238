//! Who may send to a group: those who are accepted, where there are any, and nobody who is rejected.
//!
//! **Invariant:** nobody is accepted and rejected at once; `senders_restricted` of a group says whether it
//! has either list, so that posting to one that has none asks nothing here.

use uuid::Uuid;

use crate::access::Sender;
use crate::ids::{GroupId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// What the lists say of a user. A group counts by its members while it is not deleted; it stands on its
/// list until it is taken off, so that a list does not open to all when a group goes.
pub(super) async fn of(tx: &mut Tx, group: GroupId, user: UserId) -> Result<Sender, Error> {
    let sql = "select s.accepted, s.principal_id = $1 or exists (select 1 from group_members m \
        join groups g on g.id = m.group_id where m.group_id = s.principal_id and m.user_id = $1 \
        and g.deleted_at is null) from group_senders s where s.group_id = $2";
    let (mut others, mut accepted, mut rejected) = (false, false, false);
    tx.query(sql, binds![user, group], |row| {
        match (row.bool(0)?, row.bool(1)?) {
            (true, true) => accepted = true,
            (true, false) => others = true,
            (false, is) => rejected |= is,
        }
        Ok(())
    })
    .await?;
    Ok(match (rejected, accepted, others) {
        (true, _, _) => Sender::Rejected,
        (false, false, true) => Sender::NotAccepted,
        _ => Sender::Accepted,
    })
}

/// Whether a user or group is on a list, and then whether on that of the accepted.
pub(crate) async fn is_accepted(
    tx: &mut Tx,
    group: GroupId,
    principal: Uuid,
) -> Result<Option<bool>, Error> {
    let sql = "select accepted from group_senders where group_id = $1 and principal_id = $2";
    tx.first(sql, binds![group, principal], |row| row.bool(0)).await
}

/// How many a group's lists name together.
pub(crate) async fn count(tx: &mut Tx, group: GroupId) -> Result<i64, Error> {
    let sql = "select count(*) from group_senders where group_id = $1";
    Ok(tx.first(sql, binds![group], |row| row.int(0)).await?.unwrap_or(0))
}

/// Puts a user or group on one of the lists; a duplicate is an error.
pub(crate) async fn add(
    tx: &mut Tx,
    group: GroupId,
    principal: Uuid,
    accepted: bool,
    now: i64,
) -> Result<(), Error> {
    let sql = "insert into group_senders (group_id, principal_id, accepted, added_at) \
        values ($1, $2, $3, $4)";
    tx.execute(sql, binds![group, principal, accepted, now]).await?;
    mark(tx, group).await
}

/// Takes a user or group off one of the lists; whether it was there.
pub(crate) async fn remove(
    tx: &mut Tx,
    group: GroupId,
    principal: Uuid,
    accepted: bool,
) -> Result<bool, Error> {
    let sql = "delete from group_senders \
        where group_id = $1 and principal_id = $2 and accepted = $3";
    let there = tx.execute(sql, binds![group, principal, accepted]).await? > 0;
    mark(tx, group).await?;
    Ok(there)
}

async fn mark(tx: &mut Tx, group: GroupId) -> Result<(), Error> {
    let sql = "update groups set senders_restricted = \
        exists (select 1 from group_senders s where s.group_id = $1) where id = $1";
    tx.send(sql, binds![group]).await
}
