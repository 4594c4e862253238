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
    /// What it may do as itself.
    pub(crate) roles: Scopes,
    /// What it may do for a user.
    pub(crate) scopes: Scopes,
    /// Where a sign-in may end.
    pub(crate) redirects: Vec<String>,
}

const COLUMNS: &str = "select id, tenant_id, name, secret_hash, roles, scopes, redirects from apps";

fn read(row: &Row<'_>) -> Result<App, Error> {
    let id = row.id(0)?;
    let hash = if row.is_null(3)? { None } else { Some(row.bytes(3)?) };
    let hash = hash.map(<[u8; 32]>::try_from).transpose();
    Ok(App {
        id,
        tenant: TenantId(row.id(1)?),
        name: row.text(2)?.to_owned(),
        secret_hash: hash.map_err(|_| Error::Defect(format!("the app {id} has a bad hash")))?,
        roles: Scopes::parse(row.text(4)?.split(' ')),
        scopes: Scopes::parse(row.text(5)?.split(' ')),
        redirects: row.text(6)?.split_whitespace().map(str::to_owned).collect(),
    })
}

/// The application with this id, of whatever tenant.
pub(crate) async fn find(tx: &mut Tx, id: Uuid) -> Result<Option<App>, Error> {
    tx.first(&format!("{COLUMNS} where id = $1"), binds![id], |row| read(&row)).await
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
    let names = |scopes: Scopes| scopes.names().collect::<Vec<_>>().join(" ");
    tx.execute(
        sql,
        binds![
            app.id,
            app.tenant,
            &app.name,
            app.secret_hash.as_ref().map(|it| &it[..]),
            names(app.roles),
            names(app.scopes),
            app.redirects.join(" "),
            now,
        ],
    )
    .await?;
    Ok(())
}
