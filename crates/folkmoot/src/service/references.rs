//! References to users and groups, as `@odata.id`, `@odata.bind` and `$id` hold them.
//!
//! **Invariant:** of an address only its last set and key count: which server or version it names is not
//! looked at, and nothing is fetched.

use crate::ids::{self, UserId};
use crate::service::{Ctx, Error};
use crate::store::principals::{self, Principal};
use crate::store::{Tx, users};

/// The user that a reference such as `https://host/v1.0/users/{id}` or `…/directoryObjects/{id}`
/// names.
pub(crate) async fn referenced_user(
    tx: &mut Tx,
    ctx: &Ctx,
    reference: &str,
) -> Result<UserId, Error> {
    let (_, key) = reference_key(reference, &["users", "directoryObjects"])?;
    user_of(tx, ctx, key).await
}

async fn user_of(tx: &mut Tx, ctx: &Ctx, key: String) -> Result<UserId, Error> {
    let tenant = ctx.caller.tenant;
    let user = match ids::parse(&key) {
        Some(id) => users::find(tx, tenant, UserId(id)).await?,
        None => users::find_by_name(tx, tenant, &key).await?,
    };
    Ok(user.ok_or(Error::ResourceNotFound(key))?.id)
}

/// What a reference to a user or a group may name it in.
pub(crate) const PRINCIPALS: [&str; 3] = ["users", "groups", "directoryObjects"];

/// The user or the group that a reference names.
pub(crate) async fn referenced_principal(
    tx: &mut Tx,
    ctx: &Ctx,
    reference: &str,
) -> Result<Principal, Error> {
    let (set, key) = reference_key(reference, &PRINCIPALS)?;
    if set == "users" {
        return Ok(Principal::User(user_of(tx, ctx, key).await?));
    }
    let found = match ids::parse(&key) {
        Some(id) => principals::find(tx, ctx.caller.tenant, id).await?,
        None => None,
    };
    let fits = |it: &Principal| set != "groups" || matches!(it, Principal::Group(_));
    found.filter(fits).ok_or(Error::ResourceNotFound(key))
}

/// The set, one of `sets`, and the key that a reference ends in.
pub(crate) fn reference_key(
    reference: &str,
    sets: &[&'static str],
) -> Result<(&'static str, String), Error> {
    let bad = || {
        let ends: Vec<_> = sets.iter().map(|it| format!("{it}/{{id}}")).collect();
        let ends = ends.join(" or ");
        Error::Request(format!(
            "'{reference}' names nothing of use here: a reference ends in {ends}"
        ))
    };
    let path = reference.split_once("://").map_or(reference, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segments = odata::syntax::parse_path(path, &super::limits::URL).map_err(|_| bad())?;
    let mut from_end = segments.iter().rev();
    let last = from_end.next().ok_or_else(bad)?;
    let (set, key) = match &last.key {
        Some(key) => (&last.name, key),
        None => (&from_end.next().ok_or_else(bad)?.name, &last.name),
    };
    let known = sets.iter().find(|it| set.eq_ignore_ascii_case(it)).ok_or_else(bad)?;
    Ok((known, key.clone()))
}
