//! How many bytes attachments have: of each group, and of a tenant that may have so many and no more.
//!
//! **Invariant:** a transaction that keeps bytes, promises or gives them back changes the counter of their
//! group with them, and that of a tenant with a quota; one that would go beyond the quota is not committed.
//!
//! Whoever changes blobs or sessions says so ([`Tx::hold`]), and the driver settles it: once a command
//! ([`settle`]), then for the tenants as the last thing before the commit ([`write`]), since all groups of
//! a tenant with a quota wait for that row until then. Tenants without one have nothing to wait for.

use std::collections::BTreeMap;

use crate::ids::{GroupId, TenantId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// Counts what the command that has just run holds more or less: bytes, by group. `before`: what earlier
/// commands of the transaction have added to tenants with a quota; this one's is added to it.
///
/// # Errors
/// [`Error::Quota`] where it does not fit.
pub(super) async fn settle(
    tx: &mut Tx,
    held: Vec<(GroupId, i64)>,
    before: &mut BTreeMap<TenantId, i64>,
) -> Result<(), Error> {
    let mut groups: BTreeMap<GroupId, i64> = BTreeMap::new();
    for (group, bytes) in held {
        *groups.entry(group).or_default() += bytes;
    }
    for (group, bytes) in groups.into_iter().filter(|(_, bytes)| *bytes != 0) {
        let sql = "insert into attachment_use (group_id, bytes) values ($1, $2) \
            on conflict (group_id) do update set bytes = attachment_use.bytes + $2";
        tx.send(sql, binds![group, bytes]).await?;
        let sql = "select t.id, t.attachment_bytes, t.attachment_bytes_max from groups g \
            join tenants t on t.id = g.tenant_id where g.id = $1 and t.attachment_bytes_max > 0";
        let limited = tx
            .first(sql, binds![group], |row| Ok((TenantId(row.id(0)?), row.int(1)?, row.int(2)?)))
            .await?;
        let Some((tenant, there, max)) = limited else { continue };
        let added = before.entry(tenant).or_default();
        *added += bytes;
        if bytes > 0 && there.saturating_add(*added) > max {
            return Err(Error::Quota { bytes, max });
        }
    }
    Ok(())
}

/// Counts what a transaction has added to tenants with a quota, or taken from them. Where others have
/// filled one meanwhile, the transaction fails and runs again.
pub(super) async fn write(tx: &mut Tx, added: BTreeMap<TenantId, i64>) -> Result<(), Error> {
    // Ascending ids (the map's order): two transactions never wait for each other in a circle.
    for (tenant, bytes) in added.into_iter().filter(|(_, bytes)| *bytes != 0) {
        let sql = "update tenants set attachment_bytes = attachment_bytes + $1 \
            where id = $2 and attachment_bytes_max > 0";
        tx.send(sql, binds![bytes, tenant]).await?;
        if bytes > 0 {
            tx.expect_room(tenant).await?;
        }
    }
    Ok(())
}

/// What a tenant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// Bytes.
    pub(crate) bytes: i64,
    /// Bytes at most; 0 for any number.
    pub(crate) bytes_max: i64,
}

/// Lets the attachments of a tenant have so many bytes; 0 for any number.
pub(crate) async fn set_max(tx: &mut Tx, tenant: TenantId, bytes_max: i64) -> Result<(), Error> {
    let mut bytes = 0;
    if bytes_max > 0 {
        // Nobody counts while the sum is made, which was perhaps not kept so far.
        if let Some(sql) = tx.db().lock_counters() {
            tx.batch(sql).await?;
        }
        bytes = of_tenant(tx, tenant).await?.bytes;
    }
    let sql = "update tenants set attachment_bytes = $1, attachment_bytes_max = $2 where id = $3";
    tx.execute(sql, binds![bytes, bytes_max, tenant]).await?;
    Ok(())
}

/// How many bytes the attachments of a tenant have, counted from its groups, and how many they may.
pub(crate) async fn of_tenant(tx: &mut Tx, tenant: TenantId) -> Result<Use, Error> {
    let sql = "select t.attachment_bytes_max, (select cast(coalesce(sum(u.bytes), 0) as bigint) \
        from attachment_use u join groups g on g.id = u.group_id where g.tenant_id = t.id) from tenants t where t.id = $1";
    let found = tx
        .first(sql, binds![tenant], |row| Ok(Use { bytes_max: row.int(0)?, bytes: row.int(1)? }))
        .await?;
    Ok(found.unwrap_or(Use { bytes: 0, bytes_max: 0 }))
}
