//! Users and groups under one name, for what may refer to either.
//!
//! **Invariant:** every user and every group has its row here, made with it, and no two have the same id.

use uuid::Uuid;

use crate::ids::{GroupId, TenantId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// A user or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    User(UserId),
    Group(GroupId),
}

impl Principal {
    /// Its id.
    pub(crate) const fn id(self) -> Uuid {
        match self {
            Principal::User(id) => id.0,
            Principal::Group(id) => id.0,
        }
    }

    /// Its place among the types derived from `directoryObject`.
    const fn kind(self) -> i64 {
        match self {
            Principal::User(_) => 0,
            Principal::Group(_) => 1,
        }
    }
}

/// Adds the name of a user or a group that was just made.
pub(super) async fn insert(tx: &mut Tx, tenant: TenantId, it: Principal) -> Result<(), Error> {
    let sql = "insert into principals (id, tenant_id, kind) values ($1, $2, $3)";
    tx.send(sql, binds![it.id(), tenant, it.kind()]).await
}

/// The user or the group with this id; groups that were deleted are not found.
pub(crate) async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    id: Uuid,
) -> Result<Option<Principal>, Error> {
    let sql = "select kind from directory_objects \
        where id = $1 and tenant_id = $2 and deleted_at is null";
    let kind = tx.first(sql, binds![id, tenant], |row| row.int(0)).await?;
    Ok(kind.map(|kind| match kind {
        0 => Principal::User(UserId(id)),
        _ => Principal::Group(GroupId(id)),
    }))
}
