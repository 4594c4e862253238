//! Users, as doors other than Graph's make them.
//!
//! **Invariant:** who is named by a user principal name exists from then on, once.

use crate::clock::Clock;
use crate::ids::{self, TenantId, UserId};
use crate::service::draft::at_most;
use crate::service::{Error, limits};
use crate::store::Tx;
use crate::store::feed::{Actor, Change, Kind, Op, Place};
use crate::store::users::{self, User};

/// The user with this user principal name or id; made where the name is new.
pub(crate) async fn find_or_make(
    tx: &mut Tx,
    clock: &Clock,
    tenant: TenantId,
    name: &str,
) -> Result<User, Error> {
    if let Some(id) = ids::parse(name) {
        let user = users::find(tx, tenant, UserId(id)).await?;
        return user.ok_or_else(|| Error::ResourceNotFound(name.to_owned()));
    }
    check_name(name)?;
    if let Some(user) = users::find_by_name(tx, tenant, name).await? {
        return Ok(user);
    }
    let display_name = name.split('@').next().unwrap_or(name).to_owned();
    let user = User {
        id: UserId(clock.id()),
        principal_name: name.to_owned(),
        display_name,
        mail: name.to_owned(),
        disabled: false,
    };
    insert(tx, tenant, &user, clock.now().ticks).await?;
    Ok(user)
}

/// Adds a user, and tells of them.
pub(super) async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    user: &User,
    now: i64,
) -> Result<(), Error> {
    users::insert(tx, tenant, user, now).await?;
    tx.changed(Change {
        place: Place::Tenant { tenant, group: None },
        at: now,
        actor: Actor::default(),
        kind: Kind::User,
        op: Op::Created,
        entity: user.id.0,
    });
    Ok(())
}

/// A user principal name looks like a mail address: one `@`, something on each side, nothing that an
/// address or a URL's key cannot hold.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    at_most("userPrincipalName".into(), name, limits::NAME_CHARS_MAX)?;
    let bad = |c: char| c.is_whitespace() || c.is_control() || "/\\,;<>()\"".contains(c);
    match name.split_once('@') {
        Some((local, domain))
            if !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !name.contains(bad) =>
        {
            Ok(())
        }
        _ => {
            let problem = format!("must look like name@domain, which '{name}' does not");
            Err(Error::property("userPrincipalName", problem))
        }
    }
}
