//! Groups: made and removed.
//!
//! **Invariant:** whoever makes a group is its first owner and member.

use odata::bind::Path;
use odata::decode::{Field, Record};

use crate::access::Visibility;
use crate::ids::{self, GroupId, TenantId, UserId};
use crate::model::GROUP;
use crate::service::draft::{at_most, strings};
use crate::service::{Created, Ctx, Error, consumers, limits, members, read, resolve, users};
use crate::store::feed::{Actor, Change, Kind, Op, Place};
use crate::store::groups::{self, NewGroup, Role};
use crate::store::principals::{self, Principal};
use crate::store::{self, Tx, tenants, unseen, work};

/// A group as a client or an operator may write it.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) display_name: String,
    pub(crate) nickname: String,
    pub(crate) description: Option<String>,
    pub(crate) visibility: Visibility,
    /// Whether it has a mailbox and conversations.
    pub(crate) is_unified: bool,
    pub(crate) security_enabled: bool,
    pub(crate) behavior: Vec<String>,
}

/// Characters that a mail nickname cannot have (Graph's list, and controls).
const NICKNAME_REFUSED: &str = "@()\\[]\";:.<>, ";

impl Draft {
    /// Checks what both doors accept of a group.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_display_name(&self.display_name)?;
        check_nickname(&self.nickname)?;
        check_description(self.description.as_deref().unwrap_or_default())
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
        if let Some(other) = types.iter().find(|it| !it.eq_ignore_ascii_case("Unified")) {
            let problem = format!("may hold \"Unified\" or nothing, not \"{other}\"");
            return Err(Error::property("groupTypes", problem));
        }
        let is_unified = !types.is_empty();
        let mut flag = |name: &str| record.take(name).and_then(|it| it.as_bool());
        let mail_enabled = flag("mailEnabled").unwrap_or(is_unified);
        let security_enabled = flag("securityEnabled").unwrap_or(false);
        match (is_unified, mail_enabled) {
            (true, false) => {
                return Err(Error::property("mailEnabled", "must be true for a Unified group"));
            }
            (false, true) => {
                let problem = "must hold \"Unified\" where mailEnabled is true";
                return Err(Error::property("groupTypes", problem));
            }
            (false, false) if !security_enabled => {
                let problem = "must be true for a group without \"Unified\" in groupTypes";
                return Err(Error::property("securityEnabled", problem));
            }
            _ => {}
        }
        let visibility = match record.take("visibility").and_then(Field::into_string) {
            None => Visibility::Public,
            Some(name) => visibility(&name)?,
        };
        let draft = Draft {
            display_name,
            nickname,
            description: record.take("description").and_then(Field::into_string),
            visibility,
            is_unified,
            security_enabled,
            behavior: behavior(&mut record)?.unwrap_or_default(),
        };
        draft.check()?;
        Ok(draft)
    }
}

pub(super) fn check_display_name(name: &str) -> Result<(), Error> {
    at_most("displayName".into(), name, limits::NAME_CHARS_MAX)?;
    if name.trim().is_empty() {
        return Err(Error::property("displayName", "must not be empty"));
    }
    Ok(())
}

pub(super) fn check_nickname(nickname: &str) -> Result<(), Error> {
    at_most("mailNickname".into(), nickname, 64)?;
    let bad = |c: char| NICKNAME_REFUSED.contains(c) || c.is_control() || !c.is_ascii();
    if nickname.is_empty() || nickname.contains(bad) {
        let problem = format!(
            "must be 1 to 64 ASCII characters without spaces and none of {}",
            NICKNAME_REFUSED.trim()
        );
        return Err(Error::property("mailNickname", problem));
    }
    Ok(())
}

pub(super) fn check_description(description: &str) -> Result<(), Error> {
    at_most("description".into(), description, limits::DESCRIPTION_CHARS_MAX)
}

pub(super) fn visibility(name: &str) -> Result<Visibility, Error> {
    Visibility::parse(name)
        .ok_or_else(|| Error::property("visibility", "must be Public, Private or HiddenMembership"))
}

/// The option that only members may post.
const MEMBERS_POST: &str = "AllowOnlyMembersToPost";
/// Graph's `resourceBehaviorOptions`. The first has an effect here; all are kept.
const BEHAVIOR: [&str; 7] = [
    MEMBERS_POST,
    "HideGroupInOutlook",
    "SubscribeNewGroupMembers",
    "WelcomeEmailDisabled",
    "CalendarMemberReadOnly",
    "ConnectorsDisabled",
    "SubscribeMembersToCalendarEventsDisabled",
];

/// What a record says in `resourceBehaviorOptions`, as Graph spells it; `None` where it does not have it.
pub(super) fn behavior(record: &mut Record) -> Result<Option<Vec<String>>, Error> {
    const NAME: &str = "resourceBehaviorOptions";
    if !record.properties.iter().any(|(it, _)| it.name == NAME) {
        return Ok(None);
    }
    let known = |option: String| {
        let found = BEHAVIOR.iter().find(|it| it.eq_ignore_ascii_case(&option));
        found.map(|it| (*it).to_owned()).ok_or_else(|| {
            let problem = format!("has \"{option}\"; known are {}", BEHAVIOR.join(", "));
            Error::property(NAME, problem)
        })
    };
    strings(record, NAME, 20)?.into_iter().map(known).collect::<Result<_, _>>().map(Some)
}

/// Whether these options say that only members may post.
pub(super) fn members_only(behavior: &[String]) -> bool {
    behavior.iter().any(|it| it == MEMBERS_POST)
}

/// A group's mail address.
pub(super) async fn address(
    tx: &mut Tx,
    tenant: TenantId,
    nickname: &str,
) -> Result<String, Error> {
    let domain = tenants::domain(tx, tenant).await?.unwrap_or_else(|| "localhost".into());
    Ok(format!("{nickname}@{domain}"))
}

/// Makes a group; a user who does becomes its owner and member.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let type_sent = record.type_sent.take();
    let bound = members::binds(&mut record)?;
    let draft = Draft::new(record)?;
    let scope = ctx.scope(&path);
    let input = (ctx.clone(), path, draft, bound, type_sent);
    ctx.store
        .write(scope, input, |tx, (ctx, path, draft, bound, type_sent)| {
            Box::pin(async move {
                let mut at = resolve::resolve(tx, ctx, path, false).await?;
                at.access.may_make_groups()?;
                let mut people = members::people(tx, &at.access, bound).await?;
                if let Some(user) = ctx.caller.user {
                    people.extend([(Role::Owner, user), (Role::Member, user)]);
                }
                let (id, maker) = (GroupId(ctx.clock.id()), maker(ctx));
                insert(tx, &maker, id, draft, &people).await?;
                at.id = Some(id.0);
                at.single = true;
                at.url = format!("groups/{id}");
                let (query, ty) = (read::whole(&GROUP), type_sent.as_deref());
                read::answered(tx, ctx, &at, &query, ty).await
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
    let group = NewGroup {
        id,
        tenant: maker.tenant,
        mail: address(tx, maker.tenant, &draft.nickname).await?,
        display_name: draft.display_name.clone(),
        description: draft.description.clone(),
        mail_nickname: draft.nickname.clone(),
        visibility: draft.visibility,
        is_unified: draft.is_unified,
        security_enabled: draft.security_enabled,
        resource_behavior_options: draft.behavior.clone(),
        members_only_posting: members_only(&draft.behavior),
    };
    groups::insert(tx, &group, maker.now).await.map_err(taken)?;
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

/// What a failed change of a group's name means.
pub(super) fn taken(error: store::Error) -> Error {
    match error {
        store::Error::Duplicate("groups_nickname_key") => Error::Taken("mailNickname"),
        other => other.into(),
    }
}

pub(super) const fn kind(role: Role) -> Kind {
    match role {
        Role::Member => Kind::Member,
        Role::Owner => Kind::Owner,
    }
}

pub(super) fn changed(
    tx: &mut Tx,
    maker: &Maker,
    group: GroupId,
    kind: Kind,
    op: Op,
    entity: uuid::Uuid,
) {
    let place = Place::Tenant { tenant: maker.tenant, group: Some(group) };
    tx.changed(Change {
        place,
        at: maker.now,
        actor: maker.actor.clone(),
        kind,
        op,
        entity,
        part: None,
    });
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

/// The group with this id, mail nickname or mail address.
pub(crate) async fn named(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<GroupId, Error> {
    let group = match ids::parse(name) {
        Some(id) => match principals::find(tx, tenant, id).await? {
            Some(Principal::Group(group)) => Some(group),
            _ => None,
        },
        None => groups::find_by_name(tx, tenant, name).await?,
    };
    group.ok_or_else(|| Error::ResourceNotFound(name.to_owned()))
}

pub(super) fn maker(ctx: &Ctx) -> Maker {
    Maker { tenant: ctx.caller.tenant, actor: ctx.actor(), now: ctx.now().ticks }
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
