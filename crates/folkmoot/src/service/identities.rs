//! Users whom other issuers know: made at first sight, and put into groups where the configuration says
//! that an issuer decides that.
//!
//! **Invariant:** two identities are two users, whatever names and addresses they share. A claim takes
//! nobody out of a group whom no claim has put there, and no owner.

use std::collections::BTreeSet;

use quick_cache::sync::Cache;

use crate::auth::Person;
use crate::ids::{self, GroupId, TenantId, UserId};
use crate::service::groups::{Maker, changed};
use crate::service::{Error, Service, limits, members, users};
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
    pub(crate) async fn known_as(&self, tenant: TenantId, it: &Person) -> Result<UserId, Error> {
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
            Told { user: Some(user), news: None } => user.id,
            _ => self.take_in(tenant, &person).await?,
        };
        self.seen.0.insert(key, (user, person.issued_at));
        Ok(user)
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
        let Some((id, newest)) = found else {
            let join = wanted(tx, tenant, person.groups.as_deref().unwrap_or_default()).await?;
            let news = News { join: join.into_iter().collect(), ..News::default() };
            return Ok(Told { user: None, news: Some(news) });
        };
        let user = store::users::find(tx, tenant, id).await?.ok_or(Error::NoSuchUser)?;
        // An older token tells nothing, and nothing is done for who may do nothing.
        if newest >= person.issued_at || user.disabled {
            return Ok(Told { user: Some(user), news: None });
        }
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
        let nothing = news.display_name.is_none()
            && news.mail.is_none()
            && news.join.is_empty()
            && news.leave.is_empty();
        Ok(Told { user: Some(user), news: (!nothing).then_some(news) })
    }
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
    clock: &crate::clock::Clock,
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
            identities::told(tx, maker.tenant, &identity, person.issued_at).await?;
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

/// A user for somebody new, by names that are shown and prove nothing.
async fn newcomer(
    tx: &mut Tx,
    tenant: TenantId,
    id: UserId,
    person: &Person,
) -> Result<User, Error> {
    let claimed = shown(&person.principal_name).unwrap_or_default();
    let own = id.0.simple().to_string().split_off(20);
    let base = match address(&Some(claimed.clone())) {
        Some(name) => name,
        None => {
            let domain = tenants::domain(tx, tenant).await?.unwrap_or_default();
            let local: String =
                claimed.chars().filter(|c| c.is_alphanumeric() || "._-".contains(*c)).collect();
            let local = if local.is_empty() { format!("user.{own}") } else { local };
            format!("{local}@{domain}")
        }
    };
    let (local, domain) = base.split_once('@').unwrap_or((&base, ""));
    // A name that is taken, or too long with its domain, gets a mark of its own.
    let taken = store::users::find_by_name(tx, tenant, &base).await?.is_some();
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
