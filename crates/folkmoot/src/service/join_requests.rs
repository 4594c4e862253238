//! People ask to be let into a group, and its owners answer.
//!
//! **Invariant:** whoever asks becomes a member by an owner's word alone. An answered request is gone.

use odata::bind::Path;
use odata::decode::Record;
use odata::value::DateTimeOffset;
use uuid::Uuid;

use crate::access::{Denied, Visibility};
use crate::ids::{GroupId, TenantId, UserId};
use crate::service::groups::{Maker, changed, maker};
use crate::service::{Created, Ctx, Error, Service, groups, limits, members, read, resolve, users};
use crate::store::feed::{Actor, Kind, Op};
use crate::store::groups::Role;
use crate::store::join_requests::{self, JoinRequest};
use crate::store::{self, Tx};

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Who has asked becomes a member.
    Approved,
    Rejected,
}

/// Asks for the calling user to be let into the group that `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let type_sent = record.type_sent.take();
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path, type_sent), |tx, (ctx, path, type_sent)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, false).await?;
                let user = ctx.caller.user.ok_or(Error::MeForApp)?;
                let facts = at.group()?;
                if facts.visibility == Visibility::Public {
                    let why = "The group is public: join it by adding yourself to its members, \
                        POST .../members/$ref.";
                    return Err(Error::Request(why.into()));
                }
                if facts.is_member {
                    return Err(Error::AlreadyThere("members"));
                }
                let group = facts.id;
                check_room(tx, group, user).await?;
                let (request, maker) =
                    (JoinRequest { id: ctx.clock.id(), group, user }, maker(ctx));
                join_requests::insert(tx, maker.tenant, &request, maker.now).await.map_err(
                    |error| match error {
                        store::Error::Duplicate(_) => Error::Taken("userId"),
                        other => other.into(),
                    },
                )?;
                changed(tx, &maker, group, Kind::JoinRequest, Op::Created, request.id);
                let key = (request.id, &request.id.hyphenated().to_string()[..]);
                read::created(tx, ctx, at, key, type_sent.as_deref()).await
            })
        })
        .await
}

async fn check_room(tx: &mut Tx, group: GroupId, user: UserId) -> Result<(), Error> {
    if join_requests::of(tx, group, user).await?.is_some() {
        return Err(Error::Taken("userId"));
    }
    let (of_group, of_user) = join_requests::counts(tx, group, user).await?;
    let refuse = |who: &str, max| Error::Request(format!("{who} {max} open requests at most."));
    if of_user >= limits::JOIN_REQUESTS_PER_USER_MAX {
        return Err(refuse("A user has", limits::JOIN_REQUESTS_PER_USER_MAX));
    }
    if of_group >= limits::JOIN_REQUESTS_PER_GROUP_MAX {
        return Err(refuse("A group has", limits::JOIN_REQUESTS_PER_GROUP_MAX));
    }
    Ok(())
}

/// Answers the request that `path` leads to.
pub(crate) async fn answer(ctx: &Ctx, path: Path, verdict: Verdict) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), move |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, false).await?;
                at.access.may_manage()?;
                let id = resolve::exists(tx, &at).await?;
                let request = join_requests::find(tx, at.group()?.id, id).await?;
                let request = request.ok_or(Error::ItemNotFound)?;
                settle(tx, &maker(ctx), &request, verdict).await
            })
        })
        .await
}

/// Takes the request back that `path` leads to, the calling user's own.
pub(crate) async fn withdraw(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let user = ctx.caller.user.ok_or(Error::MeForApp)?;
                let request = join_requests::own(tx, user, at.id()?).await?;
                let request = request.ok_or(Denied::NotOneself)?;
                settle(tx, &maker(ctx), &request, Verdict::Rejected).await
            })
        })
        .await
}

async fn settle(
    tx: &mut Tx,
    maker: &Maker,
    request: &JoinRequest,
    verdict: Verdict,
) -> Result<(), Error> {
    let JoinRequest { id, group, user } = *request;
    if !join_requests::remove(tx, group, id).await? {
        return Err(Error::ResourceNotFound(id.to_string()));
    }
    changed(tx, maker, group, Kind::JoinRequest, Op::Deleted, id);
    if verdict == Verdict::Approved {
        let there = store::groups::is_on(tx, Role::Member, group, user).await?;
        if !there {
            members::join(tx, maker, group, Role::Member, user).await?;
        }
    }
    Ok(())
}

/// Forgets the request of a user who has come in otherwise.
pub(super) async fn forget(
    tx: &mut Tx,
    maker: &Maker,
    group: GroupId,
    user: UserId,
) -> Result<(), Error> {
    if let Some(request) = join_requests::of(tx, group, user).await? {
        join_requests::remove(tx, group, request.id).await?;
        changed(tx, maker, group, Kind::JoinRequest, Op::Deleted, request.id);
    }
    Ok(())
}

impl Service {
    /// Who asks a group, named by id, nickname or address, to be let in: the request, whose by name, since when.
    pub(crate) async fn join_requests(
        &self,
        tenant: TenantId,
        group: String,
    ) -> Result<Vec<(Uuid, String, DateTimeOffset)>, Error> {
        let found = self.store.read(group, move |tx, group| {
            Box::pin(async move {
                let group = groups::named(tx, tenant, group).await?;
                Ok::<_, Error>(join_requests::all(tx, group).await?)
            })
        });
        let shown = |(id, name, ticks)| (id, name, DateTimeOffset { ticks, offset_minutes: 0 });
        Ok(found.await?.into_iter().map(shown).collect())
    }

    /// Answers the request of a user, named by user principal name or id, for an operator; the user.
    pub(crate) async fn answer_request(
        &self,
        tenant: TenantId,
        group: String,
        user: String,
        verdict: Verdict,
    ) -> Result<UserId, Error> {
        self.store
            .write(tenant.0, (self.clock.clone(), group, user), move |tx, (clock, group, user)| {
                Box::pin(async move {
                    let group = groups::named(tx, tenant, group).await?;
                    let user = users::named(tx, tenant, user).await?;
                    let request =
                        join_requests::of(tx, group, user.id).await?.ok_or_else(|| {
                            let name = &user.principal_name;
                            Error::Request(format!("'{name}' does not ask to be let in."))
                        })?;
                    let now = clock.now().ticks;
                    let maker = Maker { tenant, actor: Actor::default(), now };
                    settle(tx, &maker, &request, verdict).await?;
                    Ok(user.id)
                })
            })
            .await
    }
}
