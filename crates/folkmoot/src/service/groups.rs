//! Groups: made, removed, joined and left.
//!
//! **Invariant:** a group that a person made has an owner at all times: the last one cannot leave.

use odata::bind::Path;
use odata::decode::{Field, Record};

use crate::access::{Denied, Visibility};
use crate::ids::{GroupId, TenantId, UserId};
use crate::model::GROUP;
use crate::service::draft::{at, at_most, strings};
use crate::service::resolve::{self, Target};
use crate::service::{Created, Ctx, Error, consumers, limits, read, users};
use crate::store::feed::{Actor, Change, Kind, Op, Place};
use crate::store::groups::{self, NewGroup, Role};
use crate::store::{self, Tx, tenants, unseen, work};

/// A group as a client or an operator may write it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) display_name: String,
    pub(crate) nickname: String,
    pub(crate) description: Option<String>,
    pub(crate) visibility: Visibility,
    pub(crate) security_enabled: bool,
    pub(crate) behavior: Vec<String>,
}

/// Characters that a mail nickname cannot have (Graph's list, and controls).
const NICKNAME_REFUSED: &str = "@()\\[]\";:.<>, ";

impl Draft {
    /// Checks what both doors accept of a group.
    pub(crate) fn check(&self) -> Result<(), Error> {
        at_most("displayName".into(), &self.display_name, limits::NAME_CHARS_MAX)?;
        if self.display_name.trim().is_empty() {
            return Err(Error::property("displayName", "must not be empty"));
        }
        at_most("mailNickname".into(), &self.nickname, 64)?;
        let bad = |c: char| NICKNAME_REFUSED.contains(c) || c.is_control() || !c.is_ascii();
        if self.nickname.is_empty() || self.nickname.contains(bad) {
            let problem = format!(
                "must be 1 to 64 ASCII characters without spaces and none of {}",
                NICKNAME_REFUSED.trim()
            );
            return Err(Error::property("mailNickname", problem));
        }
        let description = self.description.as_deref().unwrap_or_default();
        at_most("description".into(), description, limits::DESCRIPTION_CHARS_MAX)
    }

    fn new(mut record: Record) -> Result<Draft, Error> {
        let mut required = |name: &str| {
            record
                .take(name)
                .and_then(Field::into_string)
                .ok_or_else(|| Error::property(name, "is required"))
        };
        let (display_name, nickname) = (required("displayName")?, required("mailNickname")?);
        let types = strings(&mut record, "groupTypes", 8)?;
        if !types.iter().any(|it| it.eq_ignore_ascii_case("Unified")) {
            let problem = "must hold \"Unified\": only groups with a mailbox have conversations";
            return Err(Error::property("groupTypes", problem));
        }
        if record.take("mailEnabled").and_then(|it| it.as_bool()) == Some(false) {
            return Err(Error::property("mailEnabled", "must be true for a Unified group"));
        }
        let visibility = match record.take("visibility").and_then(Field::into_string) {
            None => Visibility::Public,
            Some(name) => Visibility::parse(&name).ok_or_else(|| {
                Error::property("visibility", "must be Public, Private or HiddenMembership")
            })?,
        };
        let draft = Draft {
            display_name,
            nickname,
            description: record.take("description").and_then(Field::into_string),
            visibility,
            security_enabled: record
                .take("securityEnabled")
                .and_then(|it| it.as_bool())
                .unwrap_or(false),
            behavior: strings(&mut record, "resourceBehaviorOptions", 20)?,
        };
        draft.check()?;
        Ok(draft)
    }
}

/// Makes a group; a user who does becomes its owner and member.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let type_sent = record.type_sent.take();
    let (mut owners, mut members) = (Vec::new(), Vec::new());
    for (navigation, references) in std::mem::take(&mut record.binds) {
        match navigation.name {
            "owners" => owners.extend(references),
            "members" => members.extend(references),
            name => {
                let property = at(&record, &format!("{name}@odata.bind"));
                return Err(Error::property(property, "cannot be bound"));
            }
        }
    }
    if owners.len() + members.len() > limits::BINDS_MAX {
        let max = limits::BINDS_MAX;
        let problem = format!("and owners@odata.bind may name {max} users together");
        return Err(Error::property("members@odata.bind", problem));
    }
    let draft = Draft::new(record)?;
    let scope = ctx.scope(&path);
    let input = (ctx.clone(), path, draft, owners, members, type_sent);
    ctx.store
        .write(scope, input, |tx, (ctx, path, draft, owners, members, type_sent)| {
            Box::pin(async move {
                let mut at = resolve::resolve(tx, ctx, path, false).await?;
                let mut people = Vec::new();
                for (role, references) in [(Role::Owner, owners), (Role::Member, members)] {
                    for reference in references {
                        let user = resolve::referenced_user(tx, ctx, reference).await?;
                        people.push((role, user));
                    }
                }
                if let Some(user) = ctx.caller.user {
                    people.extend([(Role::Owner, user), (Role::Member, user)]);
                }
                let (id, maker) = (GroupId(ctx.clock.id()), maker(ctx));
                insert(tx, &maker, id, draft, &people).await?;
                at.id = Some(id.0);
                at.single = true;
                at.url = format!("groups/{id}");
                let (query, ty) = (read::whole(&GROUP), type_sent.as_deref());
                let (mut body, etag) = read::written(tx, ctx, &at, &query, ty).await?;
                body.push(b'}');
                let location = format!("{}/{}", ctx.root, at.url);
                Ok(Created { body, etag, location })
            })
        })
        .await
}

/// Who makes a group: a caller, or an operator at the command line.
pub(crate) struct Maker {
    pub(crate) tenant: TenantId,
    pub(crate) actor: Actor,
    /// Ticks.
    pub(crate) now: i64,
}

/// Stores a group with its people; who is named twice is there once.
pub(crate) async fn insert(
    tx: &mut Tx,
    maker: &Maker,
    id: GroupId,
    draft: &Draft,
    people: &[(Role, UserId)],
) -> Result<(), Error> {
    let domain = tenants::domain(tx, maker.tenant).await?.unwrap_or_else(|| "localhost".into());
    let members_only =
        draft.behavior.iter().any(|it| it.eq_ignore_ascii_case("AllowOnlyMembersToPost"));
    let group = NewGroup {
        id,
        tenant: maker.tenant,
        mail: format!("{}@{domain}", draft.nickname),
        display_name: draft.display_name.clone(),
        description: draft.description.clone(),
        mail_nickname: draft.nickname.clone(),
        visibility: draft.visibility,
        security_enabled: draft.security_enabled,
        resource_behavior_options: draft.behavior.clone(),
        members_only_posting: members_only,
    };
    groups::insert(tx, &group, maker.now).await.map_err(|error| match error {
        store::Error::Duplicate("groups_nickname_key") => Error::Taken("mailNickname"),
        other => other.into(),
    })?;
    work::interest(tx, id, consumers::UNSEEN).await?;
    changed(tx, maker, id, Kind::Group, Op::Created, id.0);
    let mut done = Vec::new();
    for (role, user) in people {
        if !done.contains(&(*role, *user)) {
            groups::add(tx, *role, id, *user, maker.now).await?;
            if *role == Role::Member {
                unseen::seen(tx, id, *user).await?;
            }
            changed(tx, maker, id, kind(*role), Op::Created, user.0);
            done.push((*role, *user));
        }
    }
    Ok(())
}

const fn kind(role: Role) -> Kind {
    match role {
        Role::Member => Kind::Member,
        Role::Owner => Kind::Owner,
    }
}

fn changed(tx: &mut Tx, maker: &Maker, group: GroupId, kind: Kind, op: Op, entity: uuid::Uuid) {
    let place = Place::Tenant { tenant: maker.tenant, group: Some(group) };
    tx.changed(Change { place, at: maker.now, actor: maker.actor.clone(), kind, op, entity });
}

/// Removes a group; it is kept, unseen, for as long as retention says.
pub(crate) async fn delete(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                at.access.may_manage()?;
                let (id, maker) = (at.group()?.id, maker(ctx));
                resolve::check_if_match(tx, ctx, &at).await?;
                groups::delete(tx, id, maker.now).await?;
                changed(tx, &maker, id, Kind::Group, Op::Deleted, id.0);
                Ok(())
            })
        })
        .await
}

/// Says that the calling user has seen all that the group has said so far.
pub(crate) async fn reset_unseen_count(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                at.access.may_read()?;
                let user = ctx.caller.user.ok_or(Error::MeForApp)?;
                let group = at.group()?.id;
                unseen::seen(tx, group, user).await?;
                tx.unshown();
                Ok(())
            })
        })
        .await
}

fn maker(ctx: &Ctx) -> Maker {
    Maker { tenant: ctx.caller.tenant, actor: ctx.actor(), now: ctx.now().ticks }
}

/// Adds the user that `reference` names to the list that `path` leads to. Owners and applications
/// add anybody; others themselves, to the members of a public group.
pub(crate) async fn add(ctx: &Ctx, path: Path, reference: String) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path, reference), |tx, (ctx, path, reference)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, false).await?;
                let (role, group, public) = list(&at)?;
                let user = resolve::referenced_user(tx, ctx, reference).await?;
                let joins = role == Role::Member && public && ctx.caller.user == Some(user);
                if !joins {
                    at.access.may_manage()?;
                }
                let maker = maker(ctx);
                groups::add(tx, role, group, user, maker.now).await.map_err(
                    |error| match error {
                        store::Error::Duplicate(_) => Error::AlreadyThere(role.list()),
                        other => other.into(),
                    },
                )?;
                if role == Role::Member {
                    // What was said before they came is not news to them.
                    unseen::seen(tx, group, user).await?;
                }
                changed(tx, &maker, group, kind(role), Op::Created, user.0);
                Ok(())
            })
        })
        .await
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
                    (None, Some(reference)) => resolve::referenced_user(tx, ctx, reference).await?,
                    (None, None) => {
                        let why = "name whom to remove: DELETE .../{id}/$ref, or ...$ref?$id={url}";
                        return Err(Error::Request(why.into()));
                    }
                };
                if ctx.caller.user != Some(user) {
                    at.access.may_manage()?;
                }
                let there = groups::is_on(tx, role, group, user).await?;
                if there && role == Role::Owner && groups::owners(tx, group).await? == 1 {
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

/// Makes a group for an operator; the people are made where they do not exist. An owner is a member
/// too, as whoever makes a group by the API is.
pub(crate) async fn add_by_operator(
    tx: &mut Tx,
    clock: &crate::clock::Clock,
    tenant: TenantId,
    draft: &Draft,
    owners: &[String],
    members: &[String],
) -> Result<GroupId, Error> {
    draft.check()?;
    let maker = Maker { tenant, actor: Actor::default(), now: clock.now().ticks };
    let mut people = Vec::new();
    for (role, names) in [(Role::Owner, owners), (Role::Member, members)] {
        for name in names {
            let user = users::find_or_make(tx, clock, tenant, name).await?;
            people.extend([(role, user.id), (Role::Member, user.id)]);
        }
    }
    let id = GroupId(clock.id());
    insert(tx, &maker, id, draft, &people).await?;
    Ok(id)
}
