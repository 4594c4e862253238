//! Invitations into groups.
//!
//! **Invariant:** of a link only the hash is kept. An invitation stands with who has made it: once they do not
//! own the group any more, or are disabled, it is found by nothing here that would let anybody in.

use uuid::Uuid;

use crate::ids::{GroupId, TenantId, UserId};
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::sql::{Bind, binds};

/// Whom an invitation is for.
#[derive(Clone, Debug)]
pub(crate) enum Invited {
    /// Somebody who is there.
    User(UserId),
    /// Whoever has the link; the address that it was made for, and the hash of the link's secret.
    Address(String, [u8; 32]),
}

/// An invitation about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewInvitation {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) group: GroupId,
    pub(crate) invited: Invited,
    /// None: an operator or an application.
    pub(crate) by: Option<UserId>,
    /// Ticks.
    pub(crate) expires: i64,
}

/// An invitation that is still good.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) group: GroupId,
    pub(crate) group_name: String,
    pub(crate) address: Option<String>,
    /// Whether an operator or an application has made it.
    pub(crate) by_operator: bool,
}

/// Keeps an invitation; a second one of the same user into the same group is a duplicate.
pub(crate) async fn insert(tx: &mut Tx, it: &NewInvitation, now: i64) -> Result<(), Error> {
    let sql = "insert into group_invitations (id, tenant_id, group_id, user_id, address, hash, \
        created_by, created_at, expires_at, version) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1)";
    let (user, address, hash) = match &it.invited {
        Invited::User(user) => (Some(*user), None, None),
        Invited::Address(address, hash) => (None, Some(address.clone()), Some(hash)),
    };
    let hash = hash.map_or(Bind::Null, |it| Bind::Bytes(it.to_vec().into()));
    let (id, tenant, group, by, expires) = (it.id, it.tenant, it.group, it.by, it.expires);
    tx.execute(sql, binds![id, tenant, group, user, address, hash, by, now, expires]).await?;
    Ok(())
}

/// How many a group has.
pub(crate) async fn count(tx: &mut Tx, group: GroupId) -> Result<i64, Error> {
    let sql = "select count(*) from group_invitations where group_id = $1";
    Ok(tx.first(sql, binds![group], |row| row.int(0)).await?.unwrap_or(0))
}

const GOOD: &str = "select i.id, i.tenant_id, i.group_id, g.display_name, i.address, \
    i.created_by is null from group_invitations i join groups g on g.id = i.group_id \
    where g.deleted_at is null and (i.created_by is null or exists (select 1 from group_owners o \
    join users u on u.id = o.user_id where o.group_id = i.group_id and o.user_id = i.created_by \
    and not u.disabled)) and i.expires_at > $1";

fn read(row: &Row<'_>) -> Result<Invitation, Error> {
    Ok(Invitation {
        id: row.id(0)?,
        tenant: TenantId(row.id(1)?),
        group: GroupId(row.id(2)?),
        group_name: row.text(3)?.to_owned(),
        address: if row.is_null(4)? { None } else { Some(row.text(4)?.to_owned()) },
        by_operator: row.bool(5)?,
    })
}

/// The invitation of a user with this id, if it is still good.
pub(crate) async fn own(
    tx: &mut Tx,
    (tenant, user): (TenantId, UserId),
    id: Uuid,
    now: i64,
) -> Result<Option<Invitation>, Error> {
    let sql = format!("{GOOD} and i.tenant_id = $2 and i.user_id = $3 and i.id = $4");
    tx.first(&sql, binds![now, tenant, user, id], |row| read(&row)).await
}

/// The invitation whose link has this secret, if it is still good.
pub(crate) async fn by_secret(
    tx: &mut Tx,
    hash: &[u8; 32],
    now: i64,
) -> Result<Option<Invitation>, Error> {
    let sql = format!("{GOOD} and i.hash = $2");
    tx.first(&sql, binds![now, &hash[..]], |row| read(&row)).await
}

/// Removes an invitation; whether it was there.
pub(crate) async fn remove(tx: &mut Tx, group: GroupId, id: Uuid) -> Result<bool, Error> {
    let sql = "delete from group_invitations where group_id = $1 and id = $2";
    Ok(tx.execute(sql, binds![group, id]).await? > 0)
}

/// The invitations of a tenant that are too old: id and group, so many at most.
pub(crate) async fn expired(
    tx: &mut Tx,
    tenant: TenantId,
    now: i64,
) -> Result<Vec<(Uuid, GroupId)>, Error> {
    let sql = "select id, group_id from group_invitations \
        where tenant_id = $1 and expires_at <= $2 limit 1000";
    let mut found = Vec::new();
    tx.query(sql, binds![tenant, now], |row| {
        found.push((row.id(0)?, GroupId(row.id(1)?)));
        Ok(())
    })
    .await?;
    Ok(found)
}
