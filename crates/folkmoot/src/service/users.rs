//! Users, as doors other than Graph's make them.
//!
//! **Invariant:** who is named by a user principal name exists from then on, once.

use crate::clock::Clock;
use crate::ids::{self, TenantId, UserId};
use crate::service::draft::at_most;
use crate::service::{Error, Service, limits};
use crate::store::feed::{Actor, Change, Kind, Op, Place};
use crate::store::users::{self, User};
use crate::store::{Tx, grants, groups, passwords, sign_in};

/// The user with this user principal name or id; made where the name is new.
pub(crate) async fn find_or_make(
    tx: &mut Tx,
    clock: &Clock,
    tenant: TenantId,
    name: &str,
) -> Result<User, Error> {
    if ids::parse(name).is_some() {
        return named(tx, tenant, name).await;
    }
    check_name(name)?;
    if let Some(user) = users::find_by_name(tx, tenant, name).await? {
        return Ok(user);
    }
    make(tx, clock, tenant, name, None, false).await
}

/// The user with this user principal name or id.
pub(crate) async fn named(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<User, Error> {
    let user = match ids::parse(name) {
        Some(id) => users::find(tx, tenant, UserId(id)).await?,
        None => users::find_by_name(tx, tenant, name).await?,
    };
    user.ok_or_else(|| Error::ResourceNotFound(name.to_owned()))
}

/// Makes a user of a name that is new.
pub(crate) async fn add(
    tx: &mut Tx,
    clock: &Clock,
    tenant: TenantId,
    name: &str,
    display_name: Option<&str>,
    is_guest: bool,
) -> Result<User, Error> {
    check_name(name)?;
    if let Some(display_name) = display_name {
        at_most("displayName".into(), display_name, limits::NAME_CHARS_MAX)?;
    }
    if users::find_by_name(tx, tenant, name).await?.is_some() {
        return Err(Error::Taken("userPrincipalName"));
    }
    make(tx, clock, tenant, name, display_name, is_guest).await
}

/// Lets a user do nothing any more, or again; what they had from signing in is gone. Told are the nicknames of
/// the groups that nobody is left to manage.
pub(crate) async fn set_disabled(
    tx: &mut Tx,
    clock: &Clock,
    tenant: TenantId,
    name: &str,
    disabled: bool,
) -> Result<(User, Vec<String>), Error> {
    let user = named(tx, tenant, name).await?;
    users::set_disabled(tx, user.id, disabled).await?;
    let mut abandoned = Vec::new();
    if disabled {
        abandoned = groups::abandoned(tx, user.id).await?;
        sign_in::end_all(tx, user.id).await?;
        grants::end_all(tx, user.id).await?;
    }
    changed(tx, clock.now().ticks, tenant, user.id, Op::Updated);
    Ok((user, abandoned))
}

/// Makes a user a guest, or no guest any more.
pub(crate) async fn set_guest(
    tx: &mut Tx,
    clock: &Clock,
    tenant: TenantId,
    name: &str,
    is_guest: bool,
) -> Result<User, Error> {
    let user = named(tx, tenant, name).await?;
    users::set_guest(tx, user.id, is_guest).await?;
    changed(tx, clock.now().ticks, tenant, user.id, Op::Updated);
    Ok(user)
}

impl Service {
    /// The users of a tenant, by name, each with whether they have a password.
    pub(crate) async fn users(&self, tenant: TenantId) -> Result<Vec<(User, bool)>, Error> {
        self.store
            .read((), move |tx, ()| {
                Box::pin(async move {
                    let have = passwords::of_tenant(tx, tenant).await?;
                    let users = users::all(tx, tenant).await?;
                    let has = |it: &User| have.contains(&it.id);
                    Ok(users.into_iter().map(|it| (it.clone(), has(&it))).collect())
                })
            })
            .await
    }
}

async fn make(
    tx: &mut Tx,
    clock: &Clock,
    tenant: TenantId,
    name: &str,
    display_name: Option<&str>,
    is_guest: bool,
) -> Result<User, Error> {
    let display_name = display_name.or(name.split('@').next()).unwrap_or(name).to_owned();
    let user = User {
        id: UserId(clock.id()),
        principal_name: name.to_owned(),
        display_name,
        mail: name.to_owned(),
        disabled: false,
        is_guest,
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
    changed(tx, now, tenant, user.id, Op::Created);
    Ok(())
}

/// Tells the tenant of a change of a user.
pub(super) fn changed(tx: &mut Tx, now: i64, tenant: TenantId, user: UserId, op: Op) {
    tx.changed(Change {
        place: Place::Tenant { tenant, group: None },
        at: now,
        actor: Actor::default(),
        kind: Kind::User,
        op,
        entity: user.0,
        part: None,
    });
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
