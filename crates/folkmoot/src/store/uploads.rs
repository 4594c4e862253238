//! Upload sessions: what is to come, and which bytes of it are there.
//!
//! **Invariant:** a range is recorded after its bytes are on the disk. A session that has expired, or
//! whose group is deleted, is found by nothing here but what removes it.

use crate::access::Caller;
use crate::auth::Scopes;
use crate::ids::{GroupId, PostId, TenantId, UploadId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::ranges::Ranges;
use crate::store::sql::{Bind, binds};

/// A session.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) tenant: TenantId,
    pub(crate) group: GroupId,
    pub(crate) id: UploadId,
    pub(crate) post: PostId,
    /// BLAKE3 of the secret that whoever uploads must know.
    pub(crate) token_hash: [u8; 32],
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
    pub(crate) content_id: Option<String>,
    pub(crate) is_inline: bool,
    /// Bytes of the whole.
    pub(crate) size: i64,
    pub(crate) received: Ranges,
    pub(crate) author: Option<UserId>,
    pub(crate) app: Option<String>,
    /// Ticks.
    pub(crate) expires: i64,
}

impl Session {
    /// Who asked for it. Where nobody is known, it is somebody of its own.
    pub(crate) fn caller(&self) -> Caller {
        let (tenant, user, mut app) = (self.tenant, self.author, self.app.clone());
        if user.is_none() && app.is_none() {
            app = Some(format!("upload {}", self.id));
        }
        Caller { tenant, user, app, scopes: Scopes::default() }
    }

    /// Whether every byte is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.received.missing(self.size.unsigned_abs()).is_empty()
    }
}

/// Adds a session.
pub(crate) async fn insert(tx: &mut Tx, it: &Session) -> Result<(), Error> {
    let sql = "insert into upload_sessions (group_id, id, post_id, token_hash, name, content_type, \
        content_id, is_inline, size, received, author, app, expires_at, promised) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    tx.hold(it.group, it.size);
    tx.send(
        sql,
        binds![
            it.group,
            it.id,
            it.post,
            &it.token_hash[..],
            &it.name,
            it.content_type.as_deref(),
            it.content_id.as_deref(),
            it.is_inline,
            it.size,
            it.received.to_string(),
            it.author,
            it.app.as_deref(),
            it.expires,
            it.size,
        ],
    )
    .await
}

/// The session with this id, at a time (ticks).
pub(crate) async fn find(tx: &mut Tx, id: UploadId, now: i64) -> Result<Option<Session>, Error> {
    let sql = "select g.tenant_id, u.group_id, u.post_id, u.token_hash, u.name, u.content_type, \
        u.content_id, u.is_inline, u.size, u.received, u.author, u.app, u.expires_at \
        from upload_sessions u join groups g on g.id = u.group_id \
        where u.id = $1 and u.expires_at > $2 and g.deleted_at is null";
    tx.first(sql, binds![id, now], |row| {
        let bad = |what: &str| Error::Defect(format!("the upload session {id} has a bad {what}"));
        let text = |at| -> Result<Option<String>, Error> {
            Ok(if row.is_null(at)? { None } else { Some(row.text(at)?.to_owned()) })
        };
        Ok(Session {
            tenant: TenantId(row.id(0)?),
            group: GroupId(row.id(1)?),
            id,
            post: PostId(row.id(2)?),
            token_hash: row.bytes(3)?.try_into().map_err(|_| bad("token_hash"))?,
            name: row.text(4)?.to_owned(),
            content_type: text(5)?,
            content_id: text(6)?,
            is_inline: row.bool(7)?,
            size: row.int(8)?,
            received: Ranges::parse(row.text(9)?).ok_or_else(|| bad("received"))?,
            author: if row.is_null(10)? { None } else { Some(UserId(row.id(10)?)) },
            app: text(11)?,
            expires: row.int(12)?,
        })
    })
    .await
}

/// Records which bytes of a session are on the disk.
pub(crate) async fn set_received(
    tx: &mut Tx,
    group: GroupId,
    id: UploadId,
    received: &Ranges,
) -> Result<(), Error> {
    let sql = "update upload_sessions set received = $1 where group_id = $2 and id = $3";
    tx.send(sql, binds![received.to_string(), group, id]).await
}

/// Removes a session. Its files stay, for whoever calls to remove them after the commit.
pub(crate) async fn delete(tx: &mut Tx, group: GroupId, id: UploadId) -> Result<(), Error> {
    end(tx, group, "id = $2", binds![group, id]).await
}

/// Removes the sessions of a group that are so, whose values `binds` has, after the group; what they have
/// kept free is given back.
pub(super) async fn end(
    tx: &mut Tx,
    group: GroupId,
    which: &str,
    binds: &[Bind<'_>],
) -> Result<(), Error> {
    let sql =
        format!("delete from upload_sessions where group_id = $1 and {which} returning promised");
    let mut promised = 0;
    tx.query(&sql, binds, |row| {
        promised += row.int(0)?;
        Ok(())
    })
    .await?;
    tx.hold(group, -promised);
    Ok(())
}

/// Says that a blob has the bytes of a session now: it keeps nothing free any more.
pub(crate) async fn fulfil(tx: &mut Tx, group: GroupId, id: UploadId) -> Result<(), Error> {
    let sql = "select promised from upload_sessions where group_id = $1 and id = $2";
    let promised = tx.first(sql, binds![group, id], |row| row.int(0)).await?.unwrap_or(0);
    let sql = "update upload_sessions set promised = 0 where group_id = $1 and id = $2";
    tx.send(sql, binds![group, id]).await?;
    tx.hold(group, -promised);
    Ok(())
}

/// How many attachments a post has, and will have by its sessions at a time (ticks).
pub(crate) async fn attachments_to_be(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
    now: i64,
) -> Result<usize, Error> {
    let sql = "select (select count(*) from attachments where group_id = $1 and post_id = $2) \
        + (select count(*) from upload_sessions where group_id = $1 and post_id = $2 \
        and expires_at > $3)";
    let count = tx.first(sql, binds![group, post, now], |row| row.int(0)).await?;
    Ok(usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX))
}

/// Sessions that have expired by a time (ticks); some of them.
pub(crate) async fn expired(tx: &mut Tx, now: i64) -> Result<Vec<(GroupId, UploadId)>, Error> {
    let mut expired = Vec::new();
    let sql = "select group_id, id from upload_sessions where expires_at <= $1 limit 100";
    tx.query(sql, binds![now], |row| {
        expired.push((GroupId(row.id(0)?), UploadId(row.id(1)?)));
        Ok(())
    })
    .await?;
    Ok(expired)
}

/// Whether a session is there, expired or not.
pub(crate) async fn exists(tx: &mut Tx, id: UploadId) -> Result<bool, Error> {
    let sql = "select 1 from upload_sessions where id = $1";
    Ok(tx.first(sql, binds![id], |_| Ok(())).await?.is_some())
}
