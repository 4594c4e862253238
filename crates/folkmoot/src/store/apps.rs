//! Applications that sign in by themselves, or their users.
//!
//! **Invariant:** of an application's secret only the hash is kept.

use uuid::Uuid;

use crate::auth::Scopes;
use crate::ids::TenantId;
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::sql::binds;

/// An application.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    /// Of its secret; none for a program that can keep none.
    pub(crate) secret_hash: Option<[u8; 32]>,
    /// Of the secret before it, and until when that is good (ticks).
    pub(crate) old_secret: Option<([u8; 32], i64)>,
    /// What it may do as itself.
    pub(crate) roles: Scopes,
    /// What it may do for a user.
    pub(crate) scopes: Scopes,
    /// Where a sign-in may end.
    pub(crate) redirects: Vec<String>,
}

const COLUMNS: &str = "select id, tenant_id, name, secret_hash, roles, scopes, redirects, \
    old_secret_hash, old_secret_until from apps";

fn read(row: &Row<'_>) -> Result<App, Error> {
    let id = row.id(0)?;
    let hash = |at| -> Result<Option<[u8; 32]>, Error> {
        if row.is_null(at)? {
            return Ok(None);
        }
        let hash = <[u8; 32]>::try_from(row.bytes(at)?);
        hash.map(Some).map_err(|_| Error::Defect(format!("the app {id} has a bad hash")))
    };
    let until = row.int(8)?;
    Ok(App {
        id,
        tenant: TenantId(row.id(1)?),
        name: row.text(2)?.to_owned(),
        secret_hash: hash(3)?,
        old_secret: hash(7)?.map(|it| (it, until)),
        roles: Scopes::parse(row.text(4)?.split(' ')),
        scopes: Scopes::parse(row.text(5)?.split(' ')),
        redirects: row.text(6)?.split_whitespace().map(str::to_owned).collect(),
    })
}

/// The application with this id, of whatever tenant.
pub(crate) async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<App>, Error> {
    tx.first(&format!("{COLUMNS} where id = $1"), binds![id], |row| read(&row)).await
}

/// The application of this name.
pub(crate) async fn find_by_name(
    tx: &mut Tx,
    tenant: TenantId,
    name: &str,
) -> Result<Option<App>, Error> {
    let sql = format!("{COLUMNS} where tenant_id = $1 and name = $2");
    tx.first(&sql, binds![tenant, name], |row| read(&row)).await
}

/// All applications of a tenant, by name.
pub(crate) async fn all(tx: &mut Tx, tenant: TenantId) -> Result<Vec<App>, Error> {
    let mut found = Vec::new();
    let sql = format!("{COLUMNS} where tenant_id = $1 order by name");
    tx.query(&sql, binds![tenant], |row| {
        found.push(read(&row)?);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Adds an application.
pub(crate) async fn insert(tx: &mut Tx, app: &App, now: i64) -> Result<(), Error> {
    let sql = "insert into apps (id, tenant_id, name, secret_hash, roles, scopes, redirects, \
        created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    tx.execute(
        sql,
        binds![
            app.id,
            app.tenant,
            &app.name,
            app.secret_hash.as_ref().map(|it| &it[..]),
            words(app.roles),
            words(app.scopes),
            app.redirects.join(" "),
            now,
        ],
    )
    .await?;
    Ok(())
}

/// Keeps what an application has now: secrets, permissions, addresses.
pub(crate) async fn update(tx: &mut Tx, app: &App) -> Result<(), Error> {
    let sql = "update apps set secret_hash = $1, old_secret_hash = $2, old_secret_until = $3, \
        roles = $4, scopes = $5, redirects = $6 where id = $7";
    let (old, until) = app.old_secret.unzip();
    tx.execute(
        sql,
        binds![
            app.secret_hash.as_ref().map(|it| &it[..]),
            old.as_ref().map(|it| &it[..]),
            until.unwrap_or_default(),
            words(app.roles),
            words(app.scopes),
            app.redirects.join(" "),
            app.id,
        ],
    )
    .await?;
    Ok(())
}

/// Removes an application, which nothing is granted to any more; its id stays known.
pub(crate) async fn remove(tx: &mut Tx, id: Uuid, now: i64) -> Result<(), Error> {
    tx.execute("delete from apps where id = $1", binds![id]).await?;
    let sql = "insert into removed_apps (id, removed_at) values ($1, $2)";
    tx.execute(sql, binds![id, now]).await?;
    Ok(())
}

/// The ids of applications that were removed.
pub(crate) async fn removed(tx: &mut Tx) -> Result<Vec<Uuid>, Error> {
    let mut found = Vec::new();
    tx.query("select id from removed_apps", &[], |row| {
        found.push(row.id(0)?);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Forgets applications that were removed before a time (ticks).
pub(crate) async fn forget_removed(tx: &mut Tx, before: i64) -> Result<(), Error> {
    tx.execute("delete from removed_apps where removed_at < $1", binds![before]).await?;
    Ok(())
}

/// Permissions, between spaces.
fn words(scopes: Scopes) -> String {
    scopes.names().collect::<Vec<_>>().join(" ")
}
