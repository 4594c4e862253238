//! Passwords of users who have one.
//!
//! **Invariant:** of a password only the hash is kept, and a user who is disabled is found by none.

use std::collections::HashSet;

use crate::ids::{TenantId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;
use crate::text::fold;

/// The user of this user principal name, in any letter case, who has a password, and its hash. Whatever the
/// name, it is one statement.
pub(crate) async fn find_by_name(
    tx: &mut Tx,
    tenant: TenantId,
    name: &str,
) -> Result<Option<(UserId, String)>, Error> {
    let sql = "select u.id, p.hash from users u join passwords p on p.user_id = u.id \
        where u.tenant_id = $1 and u.user_principal_name_folded = $2 and not u.disabled";
    let folded = fold(name);
    tx.first(sql, binds![tenant, folded.as_ref()], |row| {
        Ok((UserId(row.id(0)?), row.text(1)?.to_owned()))
    })
    .await
}

/// The hash of a user's password.
pub(crate) async fn find(tx: &mut Tx, user: UserId) -> Result<Option<String>, Error> {
    let sql = "select p.hash from users u join passwords p on p.user_id = u.id \
        where u.id = $1 and not u.disabled";
    tx.first(sql, binds![user], |row| Ok(row.text(0)?.to_owned())).await
}

/// Whether anybody has one.
pub(crate) async fn any(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.first("select 1 from passwords limit 1", &[], |_| Ok(())).await?.is_some())
}

/// The users of a tenant who have one.
pub(crate) async fn of_tenant(tx: &mut Tx, tenant: TenantId) -> Result<HashSet<UserId>, Error> {
    let mut found = HashSet::new();
    let sql = "select p.user_id from passwords p join users u on u.id = p.user_id \
        where u.tenant_id = $1";
    tx.query(sql, binds![tenant], |row| {
        found.insert(UserId(row.id(0)?));
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Gives a user the password that has this hash.
pub(crate) async fn set(tx: &mut Tx, user: UserId, hash: &str, now: i64) -> Result<(), Error> {
    let sql = "insert into passwords (user_id, hash, changed_at) values ($1, $2, $3) \
        on conflict (user_id) do update set hash = $2, changed_at = $3";
    tx.execute(sql, binds![user, hash, now]).await?;
    Ok(())
}

/// Keeps the same password by another hash.
pub(crate) async fn rehash(tx: &mut Tx, user: UserId, hash: &str) -> Result<(), Error> {
    tx.execute("update passwords set hash = $1 where user_id = $2", binds![hash, user]).await?;
    Ok(())
}

/// Takes a user's password away.
pub(crate) async fn remove(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    tx.execute("delete from passwords where user_id = $1", binds![user]).await?;
    Ok(())
}
