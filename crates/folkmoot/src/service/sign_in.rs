//! How people sign in: one-time links that the operator hands out, passwords, and the sessions that follow.
//!
//! **Invariant:** a link is good once and not for long. Whoever is disabled has no session, and what
//! applications held for them is gone.

use crate::auth::{hash_secret, new_secret};
use crate::clock::Clock;
use crate::ids::{TenantId, UserId};
use crate::service::{Error, Service, passwords, users};
use crate::store::audit::Deed;
use crate::store::users::User;
use crate::store::{self, Tx, apps, grants, sign_in};

pub(super) const MINUTE: i64 = 60 * 10_000_000;
/// How long a link is good, in ticks.
const LINK_TICKS: i64 = 15 * MINUTE;
/// How long a session is.
pub(crate) const SESSION_SECONDS: i64 = 24 * 3_600;

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    pub(crate) tenant: TenantId,
    pub(crate) user: User,
    /// When they did; ticks.
    pub(crate) since: i64,
}

/// A sign-in that was not one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSignedIn {
    /// The link is not one, has been used, or is too old.
    #[error("This sign-in link is not good any more: each is good once, for 15 minutes.")]
    Link,
    /// The link is no invitation's, or not any more.
    #[error(
        "This invitation is not good any more: each is good once, for 14 days, and while who has made it manages the group."
    )]
    Invitation,
    /// The link makes an account, whose name must be said.
    #[error("This link makes an account: say the user name that it is to have.")]
    Name,
    /// That name cannot be taken.
    #[error("{0}")]
    Account(Error),
    /// The account is disabled.
    #[error("This account is disabled.")]
    Disabled,
    /// There is no user of this name who has this password and may sign in by it.
    #[error("User name or password is not right.")]
    Password,
    /// Wrong passwords of this account, or from this address, came too often; seconds to wait.
    #[error(
        "Wrong passwords came too often: try again in {} minutes, or sign in by a link.",
        passwords::minutes(*.0)
    )]
    TooOften(i64),
    /// The store did not answer, or there is a defect.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Error> for NotSignedIn {
    fn from(error: Error) -> NotSignedIn {
        match error {
            Error::Later(error) | Error::Fault(error) | Error::Inefficient(error) => {
                NotSignedIn::Store(error)
            }
            other => NotSignedIn::Account(other),
        }
    }
}

pub(super) fn secret() -> Result<(String, [u8; 32]), store::Error> {
    new_secret().map_err(|_| store::Error::Defect("no random bytes for a secret".into()))
}

impl Service {
    /// Makes a sign-in link for a user of this name or id, or for an account to be; its secret.
    pub(crate) async fn add_link(
        &self,
        tenant: TenantId,
        user: Option<String>,
    ) -> Result<String, Error> {
        let (secret, hash) = secret()?;
        let expires = self.now_ticks() + LINK_TICKS;
        self.store
            .write(tenant.0, user, move |tx, user| {
                Box::pin(async move {
                    tx.unshown();
                    let user = match user {
                        Some(name) => Some(users::named(tx, tenant, name).await?.id),
                        None => None,
                    };
                    let whose = user.map(|it| it.0);
                    tx.done(Deed::in_tenant(tenant, "issued", "signInLink", whose));
                    sign_in::add_link(tx, &hash, tenant, user, expires).await?;
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(secret)
    }

    /// Signs in by a link's secret; the session's secret. `name` is that of an account to be made.
    pub(crate) async fn sign_in_by_link(
        &self,
        secret: &str,
        name: Option<String>,
    ) -> Result<String, NotSignedIn> {
        let link = hash_secret(secret);
        let (session, hash) = self::secret()?;
        let signed_in = self
            .store
            .write(uuid::Uuid::nil(), (self.clock.clone(), name), move |tx, (clock, name)| {
                Box::pin(use_link(tx, clock, link, hash, name.as_deref()))
            })
            .await;
        if let Err(NotSignedIn::Link | NotSignedIn::Disabled) = &signed_in {
            // Of a link that nobody has made, nobody is known: what anybody may send is no row.
            let whose =
                self.store.read(link, |tx, link| Box::pin(sign_in::link_of(tx, link))).await?;
            if let Some((tenant, user)) = whose {
                self.sign_in_refused(tenant, user).await?;
            }
        }
        signed_in.map(|()| session)
    }

    /// Signs in whoever is named, made where they are new: of an ephemeral server, which asks nobody to prove
    /// who they are.
    pub(crate) async fn sign_in_anybody(
        &self,
        tenant: TenantId,
        name: String,
    ) -> Result<SignedIn, Error> {
        let user =
            self.store.write(tenant.0, (self.clock.clone(), name), move |tx, (clock, name)| {
                Box::pin(users::find_or_make(tx, clock, tenant, name))
            });
        Ok(SignedIn { tenant, user: user.await?, since: self.now_ticks() })
    }

    /// Who has the session with this secret.
    pub(crate) async fn session(&self, secret: &str) -> Result<Option<SignedIn>, store::Error> {
        let (hash, now) = (hash_secret(secret), self.now_ticks());
        self.store
            .read((), move |tx, ()| {
                Box::pin(async move {
                    let Some((tenant, id, until)) = sign_in::session(tx, &hash, now).await? else {
                        return Ok(None);
                    };
                    let user = store::users::find(tx, tenant, id).await?;
                    let since = until - SESSION_SECONDS * 10_000_000;
                    Ok(user.map(|user| SignedIn { tenant, user, since }))
                })
            })
            .await
    }

    /// Ends the session with this secret.
    pub(crate) async fn sign_out(&self, secret: &str) -> Result<(), store::Error> {
        let hash = hash_secret(secret);
        self.store
            .write(uuid::Uuid::nil(), (), move |tx, ()| {
                Box::pin(async move {
                    tx.unshown();
                    sign_in::end_session(tx, &hash).await
                })
            })
            .await
    }

    /// Forgets links, sessions and grants that have expired; codes and refresh tokens a day later, so that
    /// whoever comes too late hears that.
    pub(crate) async fn forget_sign_ins(&self) -> Result<(), store::Error> {
        let now = self.now_ticks();
        self.store
            .write(uuid::Uuid::nil(), (), move |tx, ()| {
                Box::pin(async move {
                    tx.unshown();
                    sign_in::forget(tx, now).await?;
                    grants::forget(tx, now - 24 * 60 * MINUTE).await?;
                    // Longer than the longest token is good.
                    apps::forget_removed(tx, now - 367 * 24 * 60 * MINUTE).await
                })
            })
            .await
    }
}

async fn use_link(
    tx: &mut Tx,
    clock: &Clock,
    link: [u8; 32],
    session: [u8; 32],
    name: Option<&str>,
) -> Result<(), NotSignedIn> {
    let now = clock.now().ticks;
    let taken = sign_in::take_link(tx, &link, now).await?;
    let (tenant, user) = taken.ok_or(NotSignedIn::Link)?;
    let user = match (user, name) {
        (Some(id), _) => store::users::find(tx, tenant, id).await?.ok_or(NotSignedIn::Link)?,
        (None, Some(name)) => users::add(tx, clock, tenant, name, None, false).await?,
        // What fails leaves the link as it was.
        (None, None) => return Err(NotSignedIn::Name),
    };
    if user.disabled {
        return Err(NotSignedIn::Disabled);
    }
    begin_session(tx, session, user.id, now).await?;
    let deed = Deed::in_tenant(tenant, "signedIn", "user", Some(user.id.0));
    tx.done(Deed { user: Some(user.id), ..deed });
    Ok(())
}

/// Begins a session of a user.
pub(super) async fn begin_session(
    tx: &mut Tx,
    hash: [u8; 32],
    user: UserId,
    now: i64,
) -> Result<(), store::Error> {
    sign_in::add_session(tx, &hash, user, now + SESSION_SECONDS * 10_000_000).await
}
