//! Bound paths to places in the store, with the caller's access on the way.
//!
//! **Invariant:** whatever a path leads through exists and is the caller's to see, in the order of
//! DECISIONS D2: the group (404), its content (403), then the item (404). What stands behind a private
//! group's door is refused before it is looked up.

use odata::bind::{Path, Step};
use odata::edm::{DerivedType, Navigation};
use uuid::Uuid;

use crate::access::Access;
use crate::ids::{self, GroupId};
use crate::model::{
    AUDIT, Entity, GROUP, HISTORY, INVITATIONS, MAILBOX, Source, context_of, entity_of,
};
use crate::service::{Ctx, Error};
use crate::store::plan::{Parent, Place};
use crate::store::{Tx, etag, groups, read, users};

/// Where a path leads.
#[derive(Debug)]
pub(crate) struct Target {
    /// What the caller may see there.
    pub(crate) access: Access,
    /// The type of what is there.
    pub(crate) entity: &'static Entity,
    /// The collection.
    pub(crate) place: Place,
    /// The entity in it, where the path names one.
    pub(crate) id: Option<Uuid>,
    /// Whether it is one entity: by a key, or by a navigation that leads to one.
    pub(crate) single: bool,
    /// What stands behind `$metadata#` in the context, for the collection.
    pub(crate) context: String,
    /// The address below the root, for links: `groups/…/threads/…`.
    pub(crate) url: String,
    /// The entity that the last navigation started from.
    pub(crate) parent: Option<Parent>,
    /// The last navigation.
    pub(crate) navigation: Option<&'static Navigation>,
}

impl Target {
    /// The group that all this is in.
    pub(crate) fn group(&self) -> Result<&crate::access::GroupFacts, Error> {
        self.access.group().ok_or(Error::ItemNotFound)
    }

    /// Whether the path ends in the group that the access is to, or at it.
    pub(crate) fn is_inside(&self) -> bool {
        self.entity.in_group || (self.entity.edm.name == "group" && self.access.group().is_some())
    }

    /// Refuses a group without a mailbox.
    pub(crate) fn mailbox(&self) -> Result<(), Error> {
        match self.access.group() {
            Some(group) if !group.has_mailbox => Err(Error::NoMailbox),
            _ => Ok(()),
        }
    }

    /// The key at the end of the path.
    pub(crate) fn id(&self) -> Result<Uuid, Error> {
        self.id.ok_or(Error::ItemNotFound)
    }

    /// The entity at the end of the path, as the parent of what hangs on it.
    fn as_parent(&self) -> Result<Parent, Error> {
        let group = self.access.group().map(|it| it.id.0).filter(|_| self.entity.in_group);
        Ok(Parent::new(self.entity, group, self.id()?))
    }
}

/// Resolves `path` up to a trailing action, `$ref`, `$count` or `$value`.
///
/// The last entity itself is not looked up: what is done with it finds out, in the same statement,
/// whether it is there. `must_exist` asks for the look-up, for commands.
pub(crate) async fn resolve(
    tx: &mut Tx,
    ctx: &Ctx,
    path: &Path,
    must_exist: bool,
) -> Result<Target, Error> {
    let mut at = start(ctx, path)?;
    // What begins with a group's id learns of its caller with the group, by one statement.
    let id = match path.steps.first() {
        Some(Step::Key(text)) => ids::parse(text),
        _ => None,
    };
    if id.is_none() || at.entity.edm.name != "group" {
        at.access = to_tenant(tx, ctx).await?;
    }
    for step in &path.steps {
        match step {
            Step::Key(text) => key(tx, ctx, &mut at, text).await?,
            Step::Navigation(navigation) => follow(tx, &mut at, navigation).await?,
            Step::Cast(entity) => {
                at.entity = entity_of(entity);
                if !at.entity.in_group {
                    at.context = format!("{}s", entity.name);
                }
            }
            Step::Narrow(derived) => narrow(&mut at, derived),
            Step::Property(_) | Step::Action(_) | Step::Count | Step::Value | Step::Ref => {}
        }
    }
    if must_exist && at.single {
        let id = exists(tx, &at).await?;
        at.id = Some(id);
    }
    Ok(at)
}

/// `path` with the ids of groups in place of their names, for a command: which group it changes must be
/// known before it begins.
pub(crate) async fn with_ids(ctx: &Ctx, mut path: Path) -> Result<Path, Error> {
    let mut entity = (path.root.entity)();
    let is_name = |key: &str| !ctx.strict && ids::parse(key).is_none();
    for step in &mut path.steps {
        match step {
            Step::Key(key) if entity.name == "group" && is_name(key) => {
                let found = ctx.store.read((ctx.clone(), key.clone()), |tx, (ctx, name)| {
                    Box::pin(async move {
                        let access = to_tenant(tx, ctx).await?;
                        let found = read::find_called(tx, &access, &GROUP, name).await?;
                        found.ok_or_else(|| Error::ResourceNotFound(name.clone()))
                    })
                });
                *key = found.await?.to_string();
            }
            Step::Navigation(navigation) => entity = (navigation.target)(),
            _ => {}
        }
    }
    Ok(path)
}

/// What the caller may see of the tenant.
pub(super) async fn to_tenant(tx: &mut Tx, ctx: &Ctx) -> Result<Access, Error> {
    let caller = ctx.caller.clone();
    let Some(user) = caller.user else { return Ok(Access::to_tenant(caller, false)) };
    let known = users::find(tx, caller.tenant, user).await?.filter(|it| !it.disabled);
    let is_guest = known.ok_or(Error::NoSuchUser)?.is_guest;
    Ok(Access::to_tenant(caller, is_guest))
}

fn start(ctx: &Ctx, path: &Path) -> Result<Target, Error> {
    let entity = entity_of((path.root.entity)());
    let id =
        if path.root.singleton { Some(ctx.caller.user.ok_or(Error::MeForApp)?.0) } else { None };
    Ok(Target {
        // As if of a guest, until it is known better.
        access: Access::to_tenant(ctx.caller.clone(), true),
        entity,
        place: Place::Set,
        id,
        single: path.root.singleton,
        context: if path.root.singleton { "users".into() } else { path.root.name.into() },
        url: path.root.name.into(),
        parent: None,
        navigation: None,
    })
}

async fn key(tx: &mut Tx, ctx: &Ctx, at: &mut Target, text: &str) -> Result<(), Error> {
    let unknown = || Error::ResourceNotFound(text.to_owned());
    let id = match (ids::parse(text), at.entity.edm.name) {
        _ if matches!(at.entity.sources[0], Source::Name { .. }) => {
            let named = read::find_named(tx, &at.access, at.entity, at.place, text).await?;
            let id = named.ok_or(Error::ItemNotFound)?;
            at.id = Some(id);
            at.single = true;
            at.url = format!("{}/{}", at.url, encoded(text));
            return Ok(());
        }
        (Some(id), _) => id,
        (None, "group") if ctx.strict => return Err(unknown()),
        (None, "user" | "group") => {
            let found = read::find_called(tx, &at.access, at.entity, text).await?;
            found.ok_or_else(unknown)?
        }
        (None, "directoryObject") => return Err(unknown()),
        (None, _) => return Err(Error::ItemNotFound),
    };
    at.id = Some(id);
    at.single = true;
    at.url = format!("{}/{}", at.url, id.hyphenated());
    if at.entity.edm.name == "group" {
        // A group that is reached through a user's list must be on it.
        if matches!(at.place, Place::Under(..)) {
            let on_list = read::find(tx, &at.access, at.entity, at.place, Some(id)).await?;
            on_list.ok_or_else(unknown)?;
        }
        at.access = access(tx, ctx, GroupId(id)).await?;
        at.place = Place::Set;
        at.context = "groups".into();
        at.url = format!("groups/{}", id.hyphenated());
    }
    Ok(())
}

/// A key as a segment of a link.
pub(super) fn encoded(key: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(key, KEPT).to_string()
}

/// Leaves of a collection what is of one derived type.
fn narrow(at: &mut Target, derived: &'static DerivedType) {
    let kind = at.entity.edm.derived.iter().position(|it| std::ptr::eq(it, derived));
    let Some(kind) = kind.and_then(|it| i64::try_from(it).ok()) else { return };
    match &mut at.place {
        Place::Under(_, _, narrowed) => *narrowed = Some(kind),
        set => *set = Place::OfKind(kind),
    }
}

/// What the caller may do in a group.
pub(crate) async fn access(tx: &mut Tx, ctx: &Ctx, group: GroupId) -> Result<Access, Error> {
    let caller = ctx.caller.clone();
    let facts = groups::facts(tx, caller.tenant, group, caller.user).await?;
    let facts = facts.ok_or_else(|| Error::ResourceNotFound(group.to_string()))?;
    if caller.user.is_some() && facts.caller.is_none() {
        return Err(Error::NoSuchUser);
    }
    Ok(Access::to_group(caller, facts))
}

async fn follow(
    tx: &mut Tx,
    at: &mut Target,
    navigation: &'static Navigation,
) -> Result<(), Error> {
    let target = entity_of((navigation.target)());
    if at.entity.edm.name == "group" && MAILBOX.contains(&navigation.name) {
        at.mailbox()?;
    }
    if target.in_group {
        at.access.may_read()?;
    }
    if [AUDIT, HISTORY, INVITATIONS].contains(&navigation.name) && at.entity.edm.name != "user" {
        at.access.may_manage()?;
    }
    // A group was looked up for the caller's access, and /me is there while its user is.
    if at.entity.in_group || at.entity.edm.name == "user" {
        at.id = Some(exists(tx, at).await?);
    }
    let parent = at.as_parent()?;
    let link = at.entity.link(navigation).ok_or(Error::ItemNotFound)?;
    let id = parent.id.hyphenated();
    at.context = context_of(navigation, &format!("{}('{id}')", at.context));
    at.url = format!("{}/{}", at.url, navigation.name);
    at.place = Place::Under(parent, link, None);
    at.entity = target;
    at.id = None;
    at.single = !navigation.collection;
    at.parent = Some(parent);
    at.navigation = Some(navigation);
    Ok(())
}

/// The id of the one entity that `at` leads to, looked up.
pub(super) async fn exists(tx: &mut Tx, at: &Target) -> Result<Uuid, Error> {
    let found = read::find(tx, &at.access, at.entity, at.place, at.id).await?;
    found.ok_or_else(|| missing(at))
}

/// Refuses where the entity that `at` leads to has changed since the caller looked (`If-Match`).
pub(crate) async fn check_if_match(tx: &mut Tx, ctx: &Ctx, at: &Target) -> Result<(), Error> {
    if ctx.if_match.is_empty() {
        return Ok(());
    }
    let version = read::version(tx, &at.access, at.entity, at.place, at.id()?).await?;
    let etag = etag(version.ok_or_else(|| missing(at))?);
    if ctx.if_match.contains(&etag) { Ok(()) } else { Err(Error::Changed) }
}

/// The error for an entity that is not there.
pub(crate) fn missing(at: &Target) -> Error {
    match (at.entity.in_group, at.id) {
        (false, Some(id)) => Error::ResourceNotFound(id.hyphenated().to_string()),
        _ => Error::ItemNotFound,
    }
}
