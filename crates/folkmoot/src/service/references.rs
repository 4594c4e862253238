//! References to users and groups, as `@odata.id`, `@odata.bind` and `$id` hold them.
//!
//! **Invariant:** of an address only its last set and key count: which server or version it names is not
//! looked at, and nothing is fetched. Who may not be seen is not found.

use uuid::Uuid;

use crate::access::Access;
use crate::ids::{self, UserId};
use crate::model::{DIRECTORY_OBJECT, Entity, GROUP, USER};
use crate::service::Error;
use crate::store::plan::Place;
use crate::store::{Tx, read};

/// The user that a reference such as `https://host/v1.0/users/{id}` or `…/directoryObjects/{id}`
/// names.
pub(crate) async fn referenced_user(
    tx: &mut Tx,
    access: &Access,
    reference: &str,
) -> Result<UserId, Error> {
    let (_, key) = reference_key(reference, &["users", "directoryObjects"])?;
    user_called(tx, access, &key).await
}

/// The user with this id or user principal name.
pub(crate) async fn user_called(tx: &mut Tx, access: &Access, key: &str) -> Result<UserId, Error> {
    let found = match ids::parse(key) {
        Some(id) => read::find(tx, access, &USER, Place::Set, Some(id)).await?,
        None => read::find_called(tx, access, &USER, key).await?,
    };
    found.map(UserId).ok_or_else(|| Error::ResourceNotFound(key.to_owned()))
}

/// What a reference to a user or a group may name it in.
pub(crate) const PRINCIPALS: [&str; 3] = ["users", "groups", "directoryObjects"];

/// The user or the group that a reference names.
pub(crate) async fn referenced_principal(
    tx: &mut Tx,
    access: &Access,
    reference: &str,
) -> Result<Uuid, Error> {
    let (set, key) = reference_key(reference, &PRINCIPALS)?;
    let entity: &Entity = match set {
        "users" => return Ok(user_called(tx, access, &key).await?.0),
        "groups" => &GROUP,
        _ => &DIRECTORY_OBJECT,
    };
    let found = match ids::parse(&key) {
        Some(id) => read::find(tx, access, entity, Place::Set, Some(id)).await?,
        None => None,
    };
    found.ok_or(Error::ResourceNotFound(key))
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
