//! Members and owners of groups: added, bound, removed.
//!
//! **Invariant:** a group that a person made has an owner who is not disabled at all times: the last one cannot
//! leave. What an operator does about accounts is not held to it.

use odata::bind::Path;
use odata::decode::Record;

use crate::access::{Access, Denied, Visibility};
use crate::ids::{GroupId, UserId};
use crate::service::draft::at;
use crate::service::groups::{Maker, changed, kind, maker};
use crate::service::references::referenced_user;
use crate::service::resolve::{self, Target};
use crate::service::{Ctx, Error, join_requests, limits};
use crate::store::feed::Op;
use crate::store::groups::{self, Role};
use crate::store::{self, Tx, unseen};

/// Adds the user that `reference` names to the list that `path` leads to. Owners and applications
/// add anybody; others themselves, to the members of a public group.
pub(crate) async fn add(ctx: &Ctx, path: Path, reference: String) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path, reference), |tx, (ctx, path, reference)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, false).await?;
                let (role, group, public) = list(&at)?;
                let user = referenced_user(tx, &at.access, reference).await;
                let oneself = user.as_ref().is_ok_and(|it| Some(*it) == ctx.caller.user);
                if !(role == Role::Member && public && oneself) {
                    at.access.may_manage()?;
                }
                let user = user?;
                join(tx, &maker(ctx), group, role, user).await
            })
        })
        .await
}

/// Puts a user on a list of the group; that they are there is an error.
pub(super) async fn join(
    tx: &mut Tx,
    maker: &Maker,
    group: GroupId,
    role: Role,
    user: UserId,
) -> Result<(), Error> {
    groups::add(tx, role, group, user, maker.now).await.map_err(|error| match error {
        store::Error::Duplicate(_) => Error::AlreadyThere(role.list()),
        other => other.into(),
    })?;
    if role == Role::Member {
        join_requests::forget(tx, maker, group, user).await?;
        // What was said before they came is not news to them.
        unseen::seen(tx, group, user).await?;
    }
    changed(tx, maker, group, kind(role), Op::Created, user.0);
    Ok(())
}

/// Takes a user off the list that `path` leads to: the one at the end of the path, or the one that
/// `reference` (`$id`) names. Owners and applications remove anybody; others leave.
pub(crate) async fn remove(ctx: &Ctx, path: Path, reference: Option<String>) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path, reference), |tx, (ctx, path, reference)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, false).await?;
                let (role, group, _) = list(&at)?;
                let user = match (at.id, reference) {
                    (Some(id), _) => UserId(id),
                    (None, Some(reference)) => {
                        match referenced_user(tx, &at.access, reference).await {
                            Ok(user) => user,
                            Err(error) => {
                                return Err(at.access.may_manage().err().map_or(error, Into::into));
                            }
                        }
                    }
                    (None, None) => return Err(nobody_named()),
                };
                if ctx.caller.user != Some(user) {
                    at.access.may_manage()?;
                }
                if role == Role::Owner && is_last_owner(tx, ctx, group, user).await? {
                    let why = "The group must have at least one owner, hence this owner cannot be \
                        removed.";
                    return Err(Error::Request(why.into()));
                }
                if !groups::remove(tx, role, group, user).await? {
                    return Err(Error::ResourceNotFound(user.to_string()));
                }
                changed(tx, &maker(ctx), group, kind(role), Op::Deleted, user.0);
                Ok(())
            })
        })
        .await
}

/// Whether a group would be left without an owner who can do anything, were this one none. Who is disabled
/// goes while anybody else is an owner.
async fn is_last_owner(
    tx: &mut Tx,
    ctx: &Ctx,
    group: GroupId,
    user: UserId,
) -> Result<bool, Error> {
    if !groups::is_on(tx, Role::Owner, group, user).await? {
        return Ok(false);
    }
    let (owned, active) = groups::owned_without(tx, group, user).await?;
    let known = store::users::find(tx, ctx.caller.tenant, user).await?;
    Ok(!owned || !active && known.is_some_and(|it| !it.disabled))
}

/// A removal that does not say of whom.
pub(super) fn nobody_named() -> Error {
    let why = "name whom to remove: DELETE .../{id}/$ref, or ...$ref?$id={url}";
    Error::Request(why.into())
}

/// The list of people that a path leads to, its group, and whether that is public.
fn list(at: &Target) -> Result<(Role, GroupId, bool), Error> {
    let facts = at.group()?;
    let public = facts.visibility == Visibility::Public;
    match at.navigation.map(|it| it.name) {
        Some("members") => Ok((Role::Member, facts.id, public)),
        Some("owners") => Ok((Role::Owner, facts.id, public)),
        _ => Err(Denied::NotOwner.into()),
    }
}

/// The owners and members that a record binds.
pub(super) fn binds(record: &mut Record) -> Result<Vec<(Role, String)>, Error> {
    let mut people = Vec::new();
    for (navigation, references) in std::mem::take(&mut record.binds) {
        let role = match navigation.name {
            "owners" => Role::Owner,
            "members" => Role::Member,
            name => {
                let property = at(record, &format!("{name}@odata.bind"));
                return Err(Error::property(property, "cannot be bound"));
            }
        };
        people.extend(references.into_iter().map(|it| (role, it)));
    }
    if people.len() > limits::BINDS_MAX {
        let max = limits::BINDS_MAX;
        let problem = format!("and owners@odata.bind may name {max} users together");
        return Err(Error::property("members@odata.bind", problem));
    }
    Ok(people)
}

/// The people whom references name, each with its role.
pub(super) async fn people(
    tx: &mut Tx,
    access: &Access,
    references: &[(Role, String)],
) -> Result<Vec<(Role, UserId)>, Error> {
    let mut people = Vec::with_capacity(references.len());
    for (role, reference) in references {
        people.push((*role, referenced_user(tx, access, reference).await?));
    }
    Ok(people)
}
