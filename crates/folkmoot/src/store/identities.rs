//! By what other issuers know users, and the memberships that they have claimed for them.
//!
//! **Invariant:** one identity is one user for ever; a name or an address is none.

use crate::ids::{GroupId, TenantId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// By what an issuer knows somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The issuer.
    pub(crate) issuer: String,
    /// The tenant there; empty where there is none.
    pub(crate) tenant: String,
    /// `oid` or `sub`.
    pub(crate) claim: &'static str,
    /// What it says.
    pub(crate) subject: String,
}

/// The user with an identity, and when the newest token was made that told of them.
pub(crate) async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    it: &Identity,
) -> Result<Option<(UserId, i64)>, Error> {
    let sql = "select user_id, issued_at from identities where tenant_id = $1 and issuer = $2 \
        and tenant = $3 and claim = $4 and subject = $5";
    let binds = binds![tenant, &it.issuer, &it.tenant, it.claim, &it.subject];
    tx.first(sql, binds, |row| Ok((UserId(row.id(0)?), row.int(1)?))).await
}

/// Gives a user an identity that nobody has.
pub(crate) async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    it: &Identity,
    user: UserId,
    issued_at: i64,
) -> Result<(), Error> {
    let sql = "insert into identities (tenant_id, issuer, tenant, claim, subject, user_id, issued_at) \
        values ($1, $2, $3, $4, $5, $6, $7)";
    let binds = binds![tenant, &it.issuer, &it.tenant, it.claim, &it.subject, user, issued_at];
    tx.execute(sql, binds).await?;
    Ok(())
}

/// Says that a newer token has told of an identity.
pub(crate) async fn told(
    tx: &mut Tx,
    tenant: TenantId,
    it: &Identity,
    issued_at: i64,
) -> Result<(), Error> {
    let sql = "update identities set issued_at = $1 where tenant_id = $2 and issuer = $3 \
        and tenant = $4 and claim = $5 and subject = $6";
    let binds = binds![issued_at, tenant, &it.issuer, &it.tenant, it.claim, &it.subject];
    tx.execute(sql, binds).await?;
    Ok(())
}

/// Whether any issuer knows a user.
pub(crate) async fn any(tx: &mut Tx, user: UserId) -> Result<bool, Error> {
    let sql = "select 1 from identities where user_id = $1 limit 1";
    Ok(tx.first(sql, binds![user], |_| Ok(())).await?.is_some())
}

/// Whether a user was parted from an issuer.
pub(crate) async fn is_parted(tx: &mut Tx, user: UserId, issuer: &str) -> Result<bool, Error> {
    let sql = "select 1 from parted_users where user_id = $1 and issuer = $2";
    Ok(tx.first(sql, binds![user, issuer], |_| Ok(())).await?.is_some())
}

/// Takes from a user the identities of an issuer, or the one with this subject, and parts the two; how many.
pub(crate) async fn part(
    tx: &mut Tx,
    user: UserId,
    issuer: &str,
    subject: Option<&str>,
) -> Result<u64, Error> {
    let sql = "delete from identities where user_id = $1 and issuer = $2 and subject = coalesce($3, subject)";
    let parted = tx.execute(sql, binds![user, issuer, subject]).await?;
    let sql = "insert into parted_users (user_id, issuer) values ($1, $2) on conflict do nothing";
    tx.execute(sql, binds![user, issuer]).await?;
    Ok(parted)
}

/// The groups that a claim has put a user into.
pub(crate) async fn claimed(tx: &mut Tx, user: UserId) -> Result<Vec<GroupId>, Error> {
    let mut groups = Vec::new();
    let sql = "select group_id from claimed_members where user_id = $1 order by group_id";
    tx.query(sql, binds![user], |row| {
        groups.push(GroupId(row.id(0)?));
        Ok(())
    })
    .await?;
    Ok(groups)
}

/// Says that a claim has put a user into a group.
pub(crate) async fn claim(tx: &mut Tx, group: GroupId, user: UserId) -> Result<(), Error> {
    let sql = "insert into claimed_members (group_id, user_id) values ($1, $2)";
    tx.execute(sql, binds![group, user]).await?;
    Ok(())
}

/// Says that no claim keeps a user in a group.
pub(crate) async fn disclaim(tx: &mut Tx, group: GroupId, user: UserId) -> Result<(), Error> {
    let sql = "delete from claimed_members where group_id = $1 and user_id = $2";
    tx.send(sql, binds![group, user]).await
}
