//! How people sign in: one-time links and sessions.
//!
//! **Invariant:** of links and sessions only the hashes are kept; one that has expired is found by
//! nothing here but what removes it.

use crate::ids::{TenantId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// Keeps a link; one without a user makes an account.
pub(crate) async fn add_link(
    tx: &mut Tx,
    hash: &[u8; 32],
    tenant: TenantId,
    user: Option<UserId>,
    expires: i64,
) -> Result<(), Error> {
    let sql = "insert into sign_in_links (hash, user_id, tenant_id, expires_at) \
        values ($1, $2, $3, $4)";
    tx.execute(sql, binds![&hash[..], user, tenant, expires]).await?;
    Ok(())
}

/// Uses a link up: its tenant, and its user where it has one.
pub(crate) async fn take_link(
    tx: &mut Tx,
    hash: &[u8; 32],
    now: i64,
) -> Result<Option<(TenantId, Option<UserId>)>, Error> {
    let sql = "select tenant_id, user_id from sign_in_links where hash = $1 and expires_at > $2";
    let found = tx
        .first(sql, binds![&hash[..], now], |row| {
            let user = if row.is_null(1)? { None } else { Some(UserId(row.id(1)?)) };
            Ok((TenantId(row.id(0)?), user))
        })
        .await?;
    // Of two that use it at once, one finds it gone here.
    let gone = tx.execute("delete from sign_in_links where hash = $1", binds![&hash[..]]).await?;
    Ok(found.filter(|_| gone == 1))
}

/// Whose link it is, expired or not; one that was used is gone.
pub(crate) async fn link_of(
    tx: &mut Tx,
    hash: &[u8; 32],
) -> Result<Option<(TenantId, UserId)>, Error> {
    let sql = "select tenant_id, user_id from sign_in_links \
        where hash = $1 and user_id is not null";
    let read = |row: crate::store::driver::Row<'_>| Ok((TenantId(row.id(0)?), UserId(row.id(1)?)));
    tx.first(sql, binds![&hash[..]], read).await
}

/// Keeps a session.
pub(crate) async fn add_session(
    tx: &mut Tx,
    hash: &[u8; 32],
    user: UserId,
    expires: i64,
) -> Result<(), Error> {
    let sql = "insert into sessions (hash, user_id, expires_at) values ($1, $2, $3)";
    tx.execute(sql, binds![&hash[..], user, expires]).await?;
    Ok(())
}

/// Whose session it is, and until when.
pub(crate) async fn session(
    tx: &mut Tx,
    hash: &[u8; 32],
    now: i64,
) -> Result<Option<(TenantId, UserId, i64)>, Error> {
    let sql = "select u.tenant_id, u.id, s.expires_at from sessions s join users u on u.id = s.user_id \
        where s.hash = $1 and s.expires_at > $2 and not u.disabled";
    tx.first(sql, binds![&hash[..], now], |row| {
        Ok((TenantId(row.id(0)?), UserId(row.id(1)?), row.int(2)?))
    })
    .await
}

/// Ends a session.
pub(crate) async fn end_session(tx: &mut Tx, hash: &[u8; 32]) -> Result<(), Error> {
    tx.execute("delete from sessions where hash = $1", binds![&hash[..]]).await?;
    Ok(())
}

/// Ends all that a user has: links and sessions.
pub(crate) async fn end_all(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    tx.execute("delete from sessions where user_id = $1", binds![user]).await?;
    tx.execute("delete from sign_in_links where user_id = $1", binds![user]).await?;
    Ok(())
}

/// Forgets what has expired.
pub(crate) async fn forget(tx: &mut Tx, now: i64) -> Result<(), Error> {
    tx.execute("delete from sessions where expires_at <= $1", binds![now]).await?;
    tx.execute("delete from sign_in_links where expires_at <= $1", binds![now]).await?;
    Ok(())
}
