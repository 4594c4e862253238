//! Who asks to be let into a group.
//!
//! **Invariant:** one user asks a group once at a time.

use uuid::Uuid;

use crate::ids::{GroupId, TenantId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JoinRequest {
    pub(crate) id: Uuid,
    pub(crate) group: GroupId,
    pub(crate) user: UserId,
}

/// Keeps a request; a second one of the same user is a duplicate.
pub(crate) async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    it: &JoinRequest,
    now: i64,
) -> Result<(), Error> {
    let sql = "insert into join_requests (id, tenant_id, group_id, user_id, created_at, version) \
        values ($1, $2, $3, $4, $5, 1)";
    tx.execute(sql, binds![it.id, tenant, it.group, it.user, now]).await?;
    Ok(())
}

/// How many a group has, and how many a user.
pub(crate) async fn counts(tx: &mut Tx, group: GroupId, user: UserId) -> Result<(i64, i64), Error> {
    let sql = "select (select count(*) from join_requests where group_id = $1), \
        (select count(*) from join_requests where user_id = $2)";
    let counts = tx.first(sql, binds![group, user], |row| Ok((row.int(0)?, row.int(1)?))).await?;
    Ok(counts.unwrap_or_default())
}

/// The request of a group with this id.
pub(crate) async fn find(
    tx: &mut Tx,
    group: GroupId,
    id: Uuid,
) -> Result<Option<JoinRequest>, Error> {
    let sql = "select user_id from join_requests where group_id = $1 and id = $2";
    let read = |row: crate::store::driver::Row<'_>| {
        Ok(JoinRequest { id, group, user: UserId(row.id(0)?) })
    };
    tx.first(sql, binds![group, id], read).await
}

/// The request of a user with this id.
pub(crate) async fn own(tx: &mut Tx, user: UserId, id: Uuid) -> Result<Option<JoinRequest>, Error> {
    let sql = "select group_id from join_requests where user_id = $1 and id = $2";
    let read = |row: crate::store::driver::Row<'_>| {
        Ok(JoinRequest { id, group: GroupId(row.id(0)?), user })
    };
    tx.first(sql, binds![user, id], read).await
}

/// The request of a user to a group.
pub(crate) async fn of(
    tx: &mut Tx,
    group: GroupId,
    user: UserId,
) -> Result<Option<JoinRequest>, Error> {
    let sql = "select id from join_requests where group_id = $1 and user_id = $2";
    let read = |row: crate::store::driver::Row<'_>| Ok(JoinRequest { id: row.id(0)?, group, user });
    tx.first(sql, binds![group, user], read).await
}

/// What a group is asked: whose request it is by name, and when it was made (ticks), the oldest first.
pub(crate) async fn all(tx: &mut Tx, group: GroupId) -> Result<Vec<(Uuid, String, i64)>, Error> {
    let sql = "select r.id, u.user_principal_name, r.created_at from join_requests r \
        join users u on u.id = r.user_id where r.group_id = $1 order by r.id";
    let mut found = Vec::new();
    tx.query(sql, binds![group], |row| {
        found.push((row.id(0)?, row.text(1)?.to_owned(), row.int(2)?));
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Removes a request; whether it was there.
pub(crate) async fn remove(tx: &mut Tx, group: GroupId, id: Uuid) -> Result<bool, Error> {
    let sql = "delete from join_requests where group_id = $1 and id = $2";
    Ok(tx.execute(sql, binds![group, id]).await? > 0)
}
