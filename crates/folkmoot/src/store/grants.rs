//! What applications hold for users: grants, with the codes and refresh tokens that carry them.
//!
//! **Invariant:** a code or refresh token is used once. Used ones are kept until they expire, so that one
//! that comes again is known; with its grant all of its tokens go.

use uuid::Uuid;

use crate::ids::UserId;
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::sql::binds;

/// What an application may do for a user.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: Uuid,
    pub(crate) app: Uuid,
    pub(crate) user: UserId,
    /// As they are told to the application, between spaces.
    pub(crate) scopes: String,
    /// Where its code was sent to.
    pub(crate) redirect: String,
    /// RFC 7636's, of its code.
    pub(crate) challenge: Option<String>,
    /// What the identity token of its code repeats.
    pub(crate) nonce: Option<String>,
}

/// A code or a refresh token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) hash: [u8; 32],
    pub(crate) is_code: bool,
    /// Ticks.
    pub(crate) expires: i64,
}

/// Adds a grant.
pub(crate) async fn insert(tx: &mut Tx, it: &Grant, now: i64) -> Result<(), Error> {
    let sql = "insert into grants (id, app_id, user_id, scopes, redirect, challenge, nonce, \
        created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (challenge, nonce) = (it.challenge.as_deref(), it.nonce.as_deref());
    let binds = binds![it.id, it.app, it.user, &it.scopes, &it.redirect, challenge, nonce, now];
    tx.execute(sql, binds).await?;
    Ok(())
}

/// Adds a token to a grant.
pub(crate) async fn add_token(tx: &mut Tx, grant: Uuid, it: &Token) -> Result<(), Error> {
    let sql = "insert into grant_tokens (hash, grant_id, is_code, used, expires_at) \
        values ($1, $2, $3, $4, $5)";
    tx.execute(sql, binds![&it.hash[..], grant, it.is_code, false, it.expires]).await?;
    Ok(())
}

/// The grant of a code or a refresh token, used or expired or not, and when that expires.
pub(crate) async fn find(
    tx: &mut Tx,
    hash: &[u8; 32],
    is_code: bool,
) -> Result<Option<(Grant, i64)>, Error> {
    let sql = "select g.id, g.app_id, g.user_id, g.scopes, g.redirect, g.challenge, g.nonce, \
        t.expires_at from grant_tokens t join grants g on g.id = t.grant_id \
        where t.hash = $1 and t.is_code = $2";
    tx.first(sql, binds![&hash[..], is_code], |row: Row<'_>| {
        let text = |at| -> Result<Option<String>, Error> {
            Ok(if row.is_null(at)? { None } else { Some(row.text(at)?.to_owned()) })
        };
        let grant = Grant {
            id: row.id(0)?,
            app: row.id(1)?,
            user: UserId(row.id(2)?),
            scopes: row.text(3)?.to_owned(),
            redirect: row.text(4)?.to_owned(),
            challenge: text(5)?,
            nonce: text(6)?,
        };
        Ok((grant, row.int(7)?))
    })
    .await
}

/// Uses a token up; whether it was not used before.
pub(crate) async fn take(tx: &mut Tx, hash: &[u8; 32]) -> Result<bool, Error> {
    let sql = "update grant_tokens set used = $1 where hash = $2 and used = $3";
    Ok(tx.execute(sql, binds![true, &hash[..], false]).await? == 1)
}

/// Ends a grant.
pub(crate) async fn end(tx: &mut Tx, grant: Uuid) -> Result<(), Error> {
    tx.execute("delete from grant_tokens where grant_id = $1", binds![grant]).await?;
    tx.execute("delete from grants where id = $1", binds![grant]).await?;
    Ok(())
}

/// Ends all that applications hold for a user.
pub(crate) async fn end_all(tx: &mut Tx, user: UserId) -> Result<(), Error> {
    let sql =
        "delete from grant_tokens where grant_id in (select id from grants where user_id = $1)";
    tx.execute(sql, binds![user]).await?;
    tx.execute("delete from grants where user_id = $1", binds![user]).await?;
    Ok(())
}

/// Ends all that an application holds.
pub(crate) async fn end_of_app(tx: &mut Tx, app: Uuid) -> Result<(), Error> {
    let sql =
        "delete from grant_tokens where grant_id in (select id from grants where app_id = $1)";
    tx.execute(sql, binds![app]).await?;
    tx.execute("delete from grants where app_id = $1", binds![app]).await?;
    Ok(())
}

/// Forgets tokens that have expired, and the grants that have no other.
pub(crate) async fn forget(tx: &mut Tx, now: i64) -> Result<(), Error> {
    tx.execute("delete from grant_tokens where expires_at <= $1", binds![now]).await?;
    let sql = "delete from grants where not exists \
        (select 1 from grant_tokens t where t.grant_id = grants.id)";
    tx.execute(sql, &[]).await?;
    Ok(())
}
