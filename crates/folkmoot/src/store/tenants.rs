//! Tenants: users and groups that know of each other.
//!
//! **Invariant:** exactly one is the default.

use crate::ids::TenantId;
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// A tenant.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    /// Its id.
    pub(crate) id: TenantId,
    /// The domain of its groups' mail addresses.
    pub(crate) domain: String,
    /// Whether it is used where none is named.
    pub(crate) is_default: bool,
}

/// All tenants, the default one first.
pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Tenant>, Error> {
    let mut tenants = Vec::new();
    let sql = "select id, domain, is_default from tenants order by is_default desc, id";
    tx.query(sql, &[], |row| {
        tenants.push(Tenant {
            id: TenantId(row.id(0)?),
            domain: row.text(1)?.to_owned(),
            is_default: row.bool(2)?,
        });
        Ok(())
    })
    .await?;
    Ok(tenants)
}

/// Adds a tenant, or gives the one that is there its domain.
pub(crate) async fn upsert(tx: &mut Tx, tenant: &Tenant, now: i64) -> Result<(), Error> {
    let sql = "insert into tenants (id, domain, is_default, created_at) values ($1, $2, $3, $4) \
        on conflict (id) do update set domain = $2";
    tx.execute(sql, binds![tenant.id, &tenant.domain, tenant.is_default, now]).await?;
    Ok(())
}

/// A tenant's domain.
pub(crate) async fn domain(tx: &mut Tx, tenant: TenantId) -> Result<Option<String>, Error> {
    let sql = "select domain from tenants where id = $1";
    tx.first(sql, binds![tenant], |row| Ok(row.text(0)?.to_owned())).await
}
