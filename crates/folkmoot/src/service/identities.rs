//! Users whom other issuers know: made at first sight, and put into groups where the configuration says
//! that an issuer decides that.
//!
//! **Invariant:** two identities are two users, whatever names and addresses they share. An account that is
//! there is joined by nobody but whom an issuer vouches for that owns the account's domain, once and before
//! anybody else knows it, or by an operator. A claim takes nobody out of a group whom no claim has put there, and
//! no owner.

use std::collections::BTreeSet;

use quick_cache::sync::Cache;

use crate::auth::Person;
use crate::clock::Clock;
use crate::ids::{self, GroupId, TenantId, UserId};
use crate::service::audit::{Act, By, Whence};
use crate::service::groups::{Maker, changed};
use crate::service::{Error, Service, limits, members, users};
use crate::store::audit::Deed;
use crate::store::feed::{Actor, Kind, Op};
use crate::store::groups::Role;
use crate::store::identities::{self, Identity};
use crate::store::principals::{self, Principal};
use crate::store::users::User;
use crate::store::{self, Tx, groups, tenants};

/// Users who are remembered.
const REMEMBERED_MAX: usize = 10_000;
/// How often what another command has come before is tried again.
const TRIES_MAX: usize = 3;

/// Who was seen, by tenant and identity: the user, and when the newest token was made.
pub(super) struct Seen(Cache<[u8; 32], (UserId, i64)>);

impl Seen {
    pub(super) fn new() -> Seen {
        Seen(Cache::new(REMEMBERED_MAX))
    }
}

impl Service {
    /// The user of this tenant whom an issuer knows so: made if this is the first that is heard of
    /// them, changed if a token says something new.
    pub(crate) async fn known_as(
        &self,
        tenant: TenantId,
        it: &Person,
        whence: Whence,
    ) -> Result<UserId, Error> {
        let now = self.clock.unix_seconds();
        // A clock that is ahead must not keep later tokens from being the newer ones.
        let person = Person { issued_at: it.issued_at.min(now), ..it.clone() };
        let key = key(tenant, &person);
        if let Some((user, newest)) = self.seen.0.get(&key)
            && newest >= person.issued_at
        {
            return Ok(user);
        }
        let input = (tenant, person.clone());
        let known = self.store.read(input, |tx, (tenant, person)| {
            Box::pin(async move { Told::by(tx, *tenant, person).await })
        });
        let user = match known.await? {
            Told { user: Some(user), news: None, .. } => user.id,
            _ => {
                let act = Act { tenant, by: By::Issuer, ..whence.anonymous("TakeInUser") };
                self.acting(act).take_in(tenant, &person).await?
            }
        };
        self.seen.0.insert(key, (user, person.issued_at));
        Ok(user)
    }

    /// Forgets who was seen, after an operator has joined or parted somebody.
    pub(crate) fn forget_seen(&self) {
        self.seen.0.clear();
    }

    /// Stores what a token says of its user.
    async fn take_in(&self, tenant: TenantId, person: &Person) -> Result<UserId, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let input = (self.clock.clone(), tenant, person.clone());
            let done = self.store.write(tenant.0, input, |tx, (clock, tenant, person)| {
                Box::pin(async move {
                    let told = Told::by(tx, *tenant, person).await?;
                    let maker =
                        Maker { tenant: *tenant, actor: Actor::default(), now: clock.now().ticks };
                    take_in(tx, &maker, clock, person, told).await
                })
            });
            match done.await {
                // A command of the group was faster: now it is there.
                Err(Error::Fault(store::Error::Duplicate(_)) | Error::AlreadyThere(_))
                    if tries < TRIES_MAX => {}
                done => return done,
            }
        }
    }
}

fn key(tenant: TenantId, person: &Person) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    hash.update(tenant.0.as_bytes());
    for text in [&person.issuer, &person.tenant, person.claim, &person.subject] {
        // No text can hold the byte that ends it.
        hash.update(text.as_bytes()).update(&[0xff]);
    }
    *hash.finalize().as_bytes()
}

fn identity(person: &Person) -> Identity {
    Identity {
        issuer: person.issuer.clone(),
        tenant: person.tenant.clone(),
        claim: person.claim,
        subject: person.subject.clone(),
    }
}

/// What a token tells, beside what is known.
struct Told {
    /// Who it is; `None`: somebody new.
    user: Option<User>,
    /// Whether the identity is theirs already; else they are joined to it.
    is_known: bool,
    /// What is to be changed.
    news: Option<News>,
}

#[derive(Default)]
struct News {
    display_name: Option<String>,
    mail: Option<String>,
    join: Vec<GroupId>,
    leave: Vec<GroupId>,
}

impl Told {
    async fn by(tx: &mut Tx, tenant: TenantId, person: &Person) -> Result<Told, Error> {
        let found = identities::find(tx, tenant, &identity(person)).await?;
        let is_known = found.is_some();
        let user = match found {
            Some((id, newest)) => {
                let user = store::users::find(tx, tenant, id).await?.ok_or(Error::NoSuchUser)?;
                // An older token tells nothing, and nothing is done for who may do nothing.
                if newest >= person.issued_at || user.disabled {
                    return Ok(Told { user: Some(user), is_known, news: None });
                }
                user
            }
            None => match account(tx, tenant, person).await? {
                Some(user) => user,
                None => {
                    let groups = person.groups.as_deref().unwrap_or_default();
                    let join = wanted(tx, tenant, groups).await?.into_iter().collect();
                    let news = Some(News { join, ..News::default() });
                    return Ok(Told { user: None, is_known, news });
                }
            },
        };
        let id = user.id;
        let mut news = News {
            display_name: shown(&person.display_name).filter(|it| *it != user.display_name),
            mail: address(&person.mail).filter(|it| *it != user.mail),
            ..News::default()
        };
        if let Some(groups) = &person.groups {
            let wanted = wanted(tx, tenant, groups).await?;
            for group in &wanted {
                if !store::groups::is_on(tx, Role::Member, *group, id).await? {
                    news.join.push(*group);
                }
            }
            for group in identities::claimed(tx, id).await? {
                let stays = wanted.contains(&group)
                    || store::groups::is_on(tx, Role::Owner, group, id).await?;
                if !stays {
                    news.leave.push(group);
                }
            }
        }
        let nothing = is_known
            && news.display_name.is_none()
            && news.mail.is_none()
            && news.join.is_empty()
            && news.leave.is_empty();
        Ok(Told { user: Some(user), is_known, news: (!nothing).then_some(news) })
    }
}

/// The account that somebody new is joined to: the one with the address that their issuer vouches for, to the
/// letter but for its case, if no issuer has known it so far and no operator has parted them.
async fn account(tx: &mut Tx, tenant: TenantId, person: &Person) -> Result<Option<User>, Error> {
    let Some(address) = address(&person.address) else { return Ok(None) };
    let found = store::users::find_by_name(tx, tenant, &address).await?;
    // Names that are folded alike are not always the same: `ſ` is an `s` then.
    let found = found.filter(|it| it.principal_name.eq_ignore_ascii_case(&address));
    let Some(user) = found else { return Ok(None) };
    if identities::any(tx, user.id).await?
        || identities::is_parted(tx, user.id, &person.issuer).await?
    {
        return Ok(None);
    }
    // Who was shut out does not come in again as somebody new.
    if user.disabled { Err(Error::NoSuchUser) } else { Ok(Some(user)) }
}

/// The groups of a tenant that have these ids or nicknames; others are left out.
async fn wanted(
    tx: &mut Tx,
    tenant: TenantId,
    names: &[String],
) -> Result<BTreeSet<GroupId>, Error> {
    let mut wanted = BTreeSet::new();
    for name in names {
        let found = match ids::parse(name) {
            Some(id) => match principals::find(tx, tenant, id).await? {
                Some(Principal::Group(group)) => Some(group),
                _ => None,
            },
            None => groups::find_by_name(tx, tenant, name).await?,
        };
        wanted.extend(found);
    }
    Ok(wanted)
}

async fn take_in(
    tx: &mut Tx,
    maker: &Maker,
    clock: &Clock,
    person: &Person,
    told: Told,
) -> Result<UserId, Error> {
    let news = match (&told.user, told.news) {
        (Some(user), None) => return Ok(user.id),
        (_, news) => news.unwrap_or_default(),
    };
    let identity = identity(person);
    let user = match told.user {
        None => {
            let user = newcomer(tx, maker.tenant, UserId(clock.id()), person).await?;
            users::insert(tx, maker.tenant, &user, maker.now).await?;
            identities::insert(tx, maker.tenant, &identity, user.id, person.issued_at).await?;
            user.id
        }
        Some(user) => {
            if told.is_known {
                identities::told(tx, maker.tenant, &identity, person.issued_at).await?;
            } else {
                identities::insert(tx, maker.tenant, &identity, user.id, person.issued_at).await?;
                let deed = Deed::in_tenant(maker.tenant, "joined", "user", Some(user.id.0));
                tx.done(Deed { detail: Some(identity.issuer.clone()), ..deed });
                tracing::info!(user = %user.id, issuer = %identity.issuer, "an account was joined");
            }
            if news.display_name.is_some() || news.mail.is_some() {
                let display_name = news.display_name.unwrap_or(user.display_name);
                let mail = news.mail.unwrap_or(user.mail);
                store::users::rename(tx, user.id, &display_name, &mail).await?;
                users::changed(tx, maker.now, maker.tenant, user.id, Op::Updated);
            }
            user.id
        }
    };
    for group in news.join {
        // What was claimed before, and undone by hand since, is claimed anew.
        identities::disclaim(tx, group, user).await?;
        identities::claim(tx, group, user).await?;
        members::join(tx, maker, group, Role::Member, user).await?;
    }
    for group in news.leave {
        if groups::remove(tx, Role::Member, group, user).await? {
            changed(tx, maker, group, Kind::Member, Op::Deleted, user.0);
        }
    }
    Ok(user)
}

/// By what an operator knows that an issuer knows somebody.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// `iss` of the tokens.
    pub(crate) issuer: String,
    /// `tid`, where they have one: then the subject is their `oid`, and else `sub`.
    pub(crate) tenant: Option<String>,
    pub(crate) subject: String,
}

/// Lets an identity be the user with this name or id.
pub(crate) async fn join(
    tx: &mut Tx,
    clock: &Clock,
    tenant: TenantId,
    name: &str,
    known: &Known,
) -> Result<User, Error> {
    let user = users::named(tx, tenant, name).await?;
    let Known { issuer, tenant: tid, subject } = known.clone();
    let claim = if tid.is_some() { "oid" } else { "sub" };
    let identity = Identity { issuer, tenant: tid.unwrap_or_default(), claim, subject };
    if let Some((other, _)) = identities::find(tx, tenant, &identity).await? {
        let why =
            format!("That is the user {other} already: part the two first (folkmoot user unjoin).");
        return Err(Error::Request(why));
    }
    identities::insert(tx, tenant, &identity, user.id, 0).await?;
    users::changed(tx, clock.now().ticks, tenant, user.id, Op::Updated);
    Ok(user)
}

/// Parts a user from an issuer, or from the one identity of it with this subject: by itself it does not join
/// them again.
pub(crate) async fn part(
    tx: &mut Tx,
    clock: &Clock,
    tenant: TenantId,
    name: &str,
    (issuer, subject): (&str, Option<&str>),
) -> Result<User, Error> {
    let user = users::named(tx, tenant, name).await?;
    if identities::part(tx, user.id, issuer, subject).await? == 0 {
        return Err(Error::Request(format!("'{issuer}' does not know the user '{name}' so.")));
    }
    users::changed(tx, clock.now().ticks, tenant, user.id, Op::Updated);
    Ok(user)
}

/// A user for somebody new, by names that are shown and prove nothing.
async fn newcomer(
    tx: &mut Tx,
    tenant: TenantId,
    id: UserId,
    person: &Person,
) -> Result<User, Error> {
    let claimed = shown(&person.principal_name).unwrap_or_default();
    let own = id.0.simple().to_string().split_off(20);
    let named = address(&Some(claimed.clone()));
    let is_owned = |it: &String| person.is_owned(it.split_once('@').map_or("", |(_, it)| it));
    let in_owned = named.as_ref().is_some_and(is_owned);
    // The name, and whether it may be had without a mark.
    let (base, is_free) = match (address(&person.address), named.filter(|_| !in_owned)) {
        (Some(address), _) => (address, true),
        (None, Some(name)) => (name, !person.at_home),
        (None, None) => {
            let domain = tenants::domain(tx, tenant).await?.unwrap_or_default();
            let claimed =
                if in_owned { claimed.split('@').next().unwrap_or_default() } else { &claimed };
            let local: String =
                claimed.chars().filter(|c| c.is_alphanumeric() || "._-".contains(*c)).collect();
            let local = if local.is_empty() { format!("user.{own}") } else { local };
            let is_free = !in_owned && !person.at_home && !person.is_owned(&domain);
            (format!("{local}@{domain}"), is_free)
        }
    };
    let (local, domain) = base.split_once('@').unwrap_or((&base, ""));
    // A name that is taken, or too long with its domain, gets a mark of its own.
    let taken = !is_free || store::users::find_by_name(tx, tenant, &base).await?.is_some();
    let principal_name = match taken || users::check_name(&base).is_err() {
        false => base.clone(),
        true => format!("{}.{own}@{domain}", local.chars().take(64).collect::<String>()),
    };
    Ok(User {
        id,
        display_name: shown(&person.display_name).unwrap_or_else(|| local.to_owned()),
        mail: address(&person.mail).unwrap_or_else(|| principal_name.clone()),
        principal_name,
        disabled: false,
        is_guest: person.is_guest,
    })
}

/// A name as it can be shown: on one line, not too long; `None` where nothing is left of it.
fn shown(name: &Option<String>) -> Option<String> {
    let text = name.as_deref()?.replace(char::is_control, " ");
    let text: String = text.trim().chars().take(limits::NAME_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

/// A text that looks like an address.
fn address(text: &Option<String>) -> Option<String> {
    text.clone().filter(|it| users::check_name(it).is_ok())
}
