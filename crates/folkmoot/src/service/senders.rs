//! Who may send to a group: its lists of accepted and of rejected senders.
//!
//! **Invariant:** owners and applications manage both; what they mean for a caller who posts is decided in
//! `access.rs`.

use odata::bind::Path;
use uuid::Uuid;

use crate::access::{Access, Denied};
use crate::ids::{self, GroupId};
use crate::service::resolve::{self, Target};
use crate::service::{Ctx, Error, limits, members, references};
use crate::store::feed::{Change, Kind, Op, Place};
use crate::store::{self, Tx, senders};

const ACCEPTED: &str = "acceptedSenders";
const REJECTED: &str = "rejectedSenders";

/// Adds the user or group that `reference` names to the list that `path` leads to.
pub(crate) async fn add(ctx: &Ctx, path: Path, reference: String) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path, reference), |tx, (ctx, path, reference)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, false).await?;
                let (group, list) = list(&at)?;
                at.access.may_manage()?;
                let sender = references::referenced_principal(tx, &at.access, reference).await?;
                let accepted = list == ACCEPTED;
                match senders::is_accepted(tx, group, sender).await? {
                    Some(there) if there == accepted => return Err(Error::AlreadyThere(list)),
                    Some(_) => {
                        let other = if accepted { REJECTED } else { ACCEPTED };
                        let why = format!(
                            "'{sender}' is among the {other} of this group: nobody is in both lists"
                        );
                        return Err(Error::Request(why));
                    }
                    None => {}
                }
                if senders::count(tx, group).await? >= limits::GROUP_SENDERS_MAX {
                    let max = limits::GROUP_SENDERS_MAX;
                    let why = format!("a group's lists of senders name {max} together at most");
                    return Err(Error::Request(why));
                }
                let now = ctx.now().ticks;
                senders::add(tx, group, sender, accepted, now).await.map_err(
                    |error| match error {
                        store::Error::Duplicate(_) => Error::AlreadyThere(list),
                        other => other.into(),
                    },
                )?;
                tell(tx, ctx, group, sender);
                Ok(())
            })
        })
        .await
}

/// Takes a user or a group off the list that `path` leads to: the one at the end of the path, or the one
/// that `reference` (`$id`) names.
pub(crate) async fn remove(ctx: &Ctx, path: Path, reference: Option<String>) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path, reference), |tx, (ctx, path, reference)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, false).await?;
                let (group, list) = list(&at)?;
                at.access.may_manage()?;
                let sender = match (at.id, reference) {
                    (Some(id), _) => id,
                    (None, Some(reference)) => named(tx, &at.access, reference).await?,
                    (None, None) => return Err(members::nobody_named()),
                };
                if !senders::remove(tx, group, sender, list == ACCEPTED).await? {
                    return Err(Error::ResourceNotFound(sender.to_string()));
                }
                tell(tx, ctx, group, sender);
                Ok(())
            })
        })
        .await
}

/// Whom a reference names. An id need not be anybody's: a group that was deleted is still on its list.
async fn named(tx: &mut Tx, access: &Access, reference: &str) -> Result<Uuid, Error> {
    let (_, key) = references::reference_key(reference, &references::PRINCIPALS)?;
    match ids::parse(&key) {
        Some(id) => Ok(id),
        None => references::referenced_principal(tx, access, reference).await,
    }
}

/// The group and the name of the list that a path leads to.
fn list(at: &Target) -> Result<(GroupId, &'static str), Error> {
    match at.navigation.map(|it| it.name) {
        Some(name @ (ACCEPTED | REJECTED)) => Ok((at.group()?.id, name)),
        _ => Err(Denied::NotOwner.into()),
    }
}

/// Who may post is a part of the group.
fn tell(tx: &mut Tx, ctx: &Ctx, group: GroupId, sender: Uuid) {
    tx.changed(Change {
        place: Place::Tenant { tenant: ctx.caller.tenant, group: Some(group) },
        at: ctx.now().ticks,
        actor: ctx.actor(),
        kind: Kind::Group,
        op: Op::Updated,
        entity: group.0,
        part: Some(sender),
    });
}
