//! Invitations into groups: by an owner or an operator, of somebody who is there or of whoever has a link.
//!
//! **Invariant:** a link opens no account that is there: who has one signs in first, and else it makes a new one,
//! a guest's. Only an operator's makes a member of the tenant, for an address of the tenant's own. So an owner,
//! who sees the link, gets nothing by it, and learns of no address whether anybody here has it.

use odata::bind::Path;
use odata::decode::{Field, Record};
use odata::json::write_string;
use uuid::Uuid;

use crate::access::Denied;
use crate::auth::hash_secret;
use crate::clock::Clock;
use crate::ids::{GroupId, TenantId, UserId};
use crate::service::groups::{Maker, changed, maker};
use crate::service::sign_in::{NotSignedIn, SignedIn, begin_session, secret};
use crate::service::{
    Created, Ctx, Error, Service, groups, limits, members, read, references, resolve, users,
};
use crate::store::feed::{Actor, Kind, Op};
use crate::store::groups::Role;
pub(crate) use crate::store::invitations::Invitation;
use crate::store::invitations::{self, Invited, NewInvitation};
use crate::store::users::User;
use crate::store::{self, Tx, tenants};
use crate::text::fold;

/// Whom somebody wants to invite.
#[derive(Clone, Debug)]
enum Wanted {
    /// By id or user principal name.
    User(String),
    Address(String),
}

impl Wanted {
    fn new(record: &mut Record) -> Result<Wanted, Error> {
        let mut text = |name: &str| record.take(name).and_then(Field::into_string);
        match (text("invitedUserId"), text("invitedUserEmailAddress")) {
            (Some(user), None) => Ok(Wanted::User(user)),
            (None, Some(address)) => {
                check_address(&address)?;
                Ok(Wanted::Address(address))
            }
            _ => {
                let why = "Say whom to invite: invitedUserId, or invitedUserEmailAddress.";
                Err(Error::Request(why.into()))
            }
        }
    }
}

const ADDRESS: &str = "invitedUserEmailAddress";

fn check_address(address: &str) -> Result<(), Error> {
    users::check_name(address)
        .map_err(|_| Error::property(ADDRESS, "must look like name@domain, and not be too long"))
}

/// Whether an address is of the tenant's own domain.
async fn is_own(tx: &mut Tx, tenant: TenantId, address: &str) -> Result<bool, store::Error> {
    let own = tenants::domain(tx, tenant).await?.unwrap_or_default();
    Ok(address.rsplit('@').next().is_some_and(|it| fold(it) == fold(&own)))
}

/// Invites somebody into the group that `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let type_sent = record.type_sent.take();
    let wanted = Wanted::new(&mut record)?;
    let (secret, hash) = secret()?;
    let link = matches!(wanted, Wanted::Address(_)).then(|| link(ctx.origin(), &secret));
    let input = (ctx.clone(), path, wanted, type_sent);
    let mut created = ctx
        .store
        .write(ctx.scope(&input.1), input, move |tx, (ctx, path, wanted, type_sent)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, false).await?;
                at.access.may_manage()?;
                let group = at.group()?.id;
                let invited = match wanted {
                    Wanted::Address(address) => {
                        if is_own(tx, ctx.caller.tenant, address).await? {
                            let why = "is of this organization: say who it is by invitedUserId";
                            return Err(Error::property(ADDRESS, why));
                        }
                        Invited::Address(address.clone(), hash)
                    }
                    Wanted::User(key) => {
                        Invited::User(references::user_called(tx, &at.access, key).await?)
                    }
                };
                let id = keep(tx, &ctx.clock, &maker(ctx), group, invited).await?;
                let key = (id, &id.hyphenated().to_string()[..]);
                read::created(tx, ctx, at, key, type_sent.as_deref()).await
            })
        })
        .await?;
    if let (Some(link), Some(b'}')) = (link, created.body.last()) {
        created.body.pop();
        created.body.extend_from_slice(b",\"inviteRedeemUrl\":");
        write_string(&mut created.body, &link);
        created.body.push(b'}');
    }
    Ok(created)
}

/// Where an invitation's link leads.
pub(crate) fn link(origin: &str, secret: &str) -> String {
    format!("{origin}/invitation?code={secret}")
}

/// Keeps an invitation; its id.
async fn keep(
    tx: &mut Tx,
    clock: &Clock,
    maker: &Maker,
    group: GroupId,
    invited: Invited,
) -> Result<Uuid, Error> {
    if let Invited::User(user) = invited
        && store::groups::is_on(tx, Role::Member, group, user).await?
    {
        return Err(Error::AlreadyThere("members"));
    }
    if invitations::count(tx, group).await? >= limits::INVITATIONS_MAX {
        let max = limits::INVITATIONS_MAX;
        return Err(Error::Request(format!("A group has {max} open invitations at most.")));
    }
    let (id, tenant, by) = (clock.id(), maker.tenant, maker.actor.user);
    let good = i64::try_from(limits::INVITATION_GOOD.as_nanos() / 100).unwrap_or(i64::MAX);
    let expires = maker.now + good;
    let new = NewInvitation { id, tenant, group, invited, by, expires };
    invitations::insert(tx, &new, maker.now).await.map_err(|error| match error {
        store::Error::Duplicate(_) => Error::Taken("invitedUserId"),
        other => other.into(),
    })?;
    changed(tx, maker, group, Kind::Invitation, Op::Created, id);
    Ok(id)
}

/// Accepts the invitation that `path` leads to, of the calling user, or declines it.
pub(crate) async fn answer(ctx: &Ctx, path: Path, accepts: bool) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), move |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let (user, maker) = (ctx.caller.user.ok_or(Error::MeForApp)?, maker(ctx));
                let own = (maker.tenant, user);
                let it = invitations::own(tx, own, at.id()?, maker.now).await?;
                let it = match (it, at.access.group()) {
                    (Some(it), _) => it,
                    (None, Some(_)) => return Err(Denied::NotOneself.into()),
                    (None, None) => return Err(resolve::missing(&at)),
                };
                settle(tx, &maker, (it.id, it.group), accepts.then_some(user)).await
            })
        })
        .await
}

/// Takes the invitation back that `path` leads to.
pub(crate) async fn revoke(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                at.access.may_manage()?;
                settle(tx, &maker(ctx), (at.id()?, at.group()?.id), None).await
            })
        })
        .await
}

/// Ends an invitation, and lets somebody in by it.
async fn settle(
    tx: &mut Tx,
    maker: &Maker,
    (id, group): (Uuid, GroupId),
    joins: Option<UserId>,
) -> Result<(), Error> {
    // Of two who use it at once, one finds it gone here.
    if !invitations::remove(tx, group, id).await? {
        return Err(Error::ResourceNotFound(id.to_string()));
    }
    changed(tx, maker, group, Kind::Invitation, Op::Deleted, id);
    if let Some(user) = joins
        && !store::groups::is_on(tx, Role::Member, group, user).await?
    {
        members::join(tx, maker, group, Role::Member, user).await?;
    }
    Ok(())
}

/// What an operator's invitation came to.
#[derive(Debug)]
pub(crate) enum Made {
    /// A link with this secret.
    Link(String),
    /// An invitation with this id, of a user who is there.
    OfUser(Uuid),
}

impl Service {
    /// Invites an address into a group, for an operator; who is called so here is invited as the user that they
    /// are.
    pub(crate) async fn invite(
        &self,
        tenant: TenantId,
        group: String,
        address: String,
    ) -> Result<Made, Error> {
        check_address(&address)?;
        let (secret, hash) = secret()?;
        let input = (self.clock.clone(), group, address);
        let of_user = self
            .store
            .write(tenant.0, input, move |tx, (clock, group, address)| {
                Box::pin(async move {
                    let group = groups::named(tx, tenant, group).await?;
                    let user = store::users::find_by_name(tx, tenant, address).await?;
                    let invited = match &user {
                        Some(user) => Invited::User(user.id),
                        None => Invited::Address(address.clone(), hash),
                    };
                    let now = clock.now().ticks;
                    let maker = Maker { tenant, actor: Actor::default(), now };
                    let id = keep(tx, clock, &maker, group, invited).await?;
                    Ok::<_, Error>(user.map(|_| id))
                })
            })
            .await?;
        Ok(of_user.map_or(Made::Link(secret), Made::OfUser))
    }

    /// The invitation whose link has this secret, if it is still good.
    pub(crate) async fn invitation(
        &self,
        secret: &str,
    ) -> Result<Option<Invitation>, store::Error> {
        let (hash, now) = (hash_secret(secret), self.now_ticks());
        let read = self.store.read((), move |tx, ()| {
            Box::pin(async move { invitations::by_secret(tx, &hash, now).await })
        });
        read.await
    }

    /// Lets somebody in by the secret of a link: who has signed in, or else an account that is made for them; that
    /// account's session.
    pub(crate) async fn redeem_invitation(
        &self,
        secret: &str,
        by: Option<&SignedIn>,
    ) -> Result<Option<String>, NotSignedIn> {
        let link = hash_secret(secret);
        let (session, hash) = self::secret()?;
        let by = by.map(|it| (it.tenant, it.user.id));
        self.store
            .write(uuid::Uuid::nil(), self.clock.clone(), move |tx, clock| {
                Box::pin(redeem(tx, clock, link, hash, by))
            })
            .await?;
        Ok(by.is_none().then_some(session))
    }

    /// Forgets invitations that are too old.
    pub(crate) async fn forget_invitations(&self) -> Result<(), Error> {
        for tenant in self.store.read((), |tx, ()| Box::pin(tenants::all(tx))).await? {
            let (tenant, now) = (tenant.id, self.now_ticks());
            self.store
                .write(tenant.0, (), move |tx, ()| {
                    Box::pin(async move {
                        let maker = Maker { tenant, actor: Actor::default(), now };
                        for expired in invitations::expired(tx, tenant, now).await? {
                            settle(tx, &maker, expired, None).await?;
                        }
                        Ok::<_, Error>(())
                    })
                })
                .await?;
        }
        Ok(())
    }
}

async fn redeem(
    tx: &mut Tx,
    clock: &Clock,
    link: [u8; 32],
    session: [u8; 32],
    by: Option<(TenantId, UserId)>,
) -> Result<(), NotSignedIn> {
    let now = clock.now().ticks;
    let it = invitations::by_secret(tx, &link, now).await?.ok_or(NotSignedIn::Invitation)?;
    let user = match by {
        Some((tenant, user)) if tenant == it.tenant => user,
        Some(_) => return Err(NotSignedIn::Invitation),
        None => {
            let user = newcomer(tx, &it, UserId(clock.id())).await?;
            users::insert(tx, it.tenant, &user, now).await?;
            begin_session(tx, session, user.id, now).await?;
            user.id
        }
    };
    let actor = Actor { user: Some(user), app: None };
    let maker = Maker { tenant: it.tenant, actor, now };
    settle(tx, &maker, (it.id, it.group), Some(user)).await?;
    Ok(())
}

/// A user for somebody whom an address was invited for. Their name says that nobody has proven the address.
async fn newcomer(tx: &mut Tx, it: &Invitation, id: UserId) -> Result<User, NotSignedIn> {
    let address = it.address.clone().unwrap_or_default();
    let (local, domain) = address.split_once('@').unwrap_or((&address, ""));
    let is_guest = !(it.by_operator && is_own(tx, it.tenant, &address).await?);
    let mark = id.0.simple().to_string().split_off(20);
    let principal_name = match is_guest {
        false if store::users::find_by_name(tx, it.tenant, &address).await?.is_some() => {
            return Err(Error::Taken("userPrincipalName").into());
        }
        false => address.clone(),
        true => format!("{}.{mark}@{domain}", local.chars().take(64).collect::<String>()),
    };
    users::check_name(&principal_name)?;
    let display_name = local.to_owned();
    Ok(User { id, principal_name, display_name, mail: address, disabled: false, is_guest })
}
