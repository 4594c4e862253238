//! Passwords: given, changed and taken away, and the sign-ins by them.
//!
//! **Invariant:** who does not get in learns nothing: that there is no such user, that they have no password,
//! that they are disabled and that it is another are one answer, after the same work. Hashes are made beside the
//! threads that answer everybody, a few at a time.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::auth::{Password, is_outgrown};
use crate::ids::{TenantId, UserId};
use crate::service::sign_in::{MINUTE, NotSignedIn, SignedIn, begin_session, secret};
use crate::service::tries::{Tried, Try};
use crate::service::{Error, Service, limits, users};
use crate::store::audit::Deed;
use crate::store::{self, Tx, grants, passwords, sign_in};
use crate::text::fold;

/// How long after a sign-in somebody without a password may choose one.
const FIRST_TICKS: i64 = 15 * MINUTE;

/// What every request for a password shares.
pub(super) struct Passwords {
    tried: Tried,
    /// Places to hash, and places to wait for one.
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Passwords {
        Passwords {
            tried: Tried::default(),
            hashing: Arc::new(Semaphore::new(limits::HASHES_MAX)),
            waiting: Arc::new(Semaphore::new(limits::HASHES_MAX + limits::HASHES_WAITING_MAX)),
        }
    }

    /// Does what takes a processor and memory for a while, when its turn comes.
    async fn hashed<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, store::Error> {
        let busy = |_| store::Error::Busy;
        let waits = self.waiting.clone().try_acquire_owned();
        let waits = waits.map_err(|_| store::Error::Busy)?;
        let place = self.hashing.clone().acquire_owned().await.map_err(busy)?;
        // The work goes on where whoever asked for it is gone, and has its place until it ends.
        let work = move || {
            let (done, _) = (work(), (waits, place));
            done
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| store::Error::Defect(format!("a password was not hashed: {error}")))
    }
}

/// A password that was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotChanged {
    /// The new one cannot be taken.
    #[error("The new password {0}.")]
    Weak(String),
    /// The old one is another.
    #[error("The old password is another.")]
    Old,
    /// They have no password, and have signed in too long ago to choose one.
    #[error(
        "Sign in again, by a link, to choose your first password: that is possible for 15 minutes."
    )]
    Anew,
    /// Wrong ones came too often.
    #[error("Wrong passwords came too often: try again in {} minutes.", minutes(*.0))]
    TooOften(i64),
    /// The store did not answer, or there is a defect.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Minutes that are told to somebody who has to wait so many seconds.
pub(super) fn minutes(seconds: i64) -> i64 {
    (seconds + 59) / 60
}

/// Whether somebody of this name may have a password; why not, after "the password".
fn check(password: &Password, name: &str) -> Result<(), String> {
    if password.chars() < limits::PASSWORD_CHARS_MIN {
        return Err(format!("must have {} characters or more", limits::PASSWORD_CHARS_MIN));
    }
    if password.bytes() > limits::PASSWORD_BYTES_MAX {
        return Err(format!("must have no more than {} bytes", limits::PASSWORD_BYTES_MAX));
    }
    if password.is_text(name) {
        return Err("must not be the user name".to_owned());
    }
    Ok(())
}

impl Service {
    /// Gives a user of this name or id a password, or takes it away; with the one before go the sessions,
    /// links and grants that stand on it.
    pub(crate) async fn set_password(
        &self,
        tenant: TenantId,
        name: String,
        password: Option<Password>,
    ) -> Result<UserId, Error> {
        let hash = match password {
            Some(password) => {
                let problem = |problem| Error::property("password", problem);
                check(&password, &name).map_err(problem)?;
                Some(self.passwords.hashed(move || password.hash()).await?.map_err(defect)?)
            }
            None => None,
        };
        let now = self.now_ticks();
        self.store
            .write(tenant.0, (name, hash), move |tx, (name, hash)| {
                Box::pin(async move {
                    tx.unshown();
                    let user = users::named(tx, tenant, name).await?.id;
                    let action = match hash {
                        Some(hash) => {
                            passwords::set(tx, user, hash, now).await.map(|()| "updated")?
                        }
                        None => passwords::remove(tx, user).await.map(|()| "deleted")?,
                    };
                    tx.done(Deed::in_tenant(tenant, action, "password", Some(user.0)));
                    end_all(tx, user).await?;
                    Ok::<_, Error>(user)
                })
            })
            .await
    }

    /// Whether anybody has a password.
    pub(crate) async fn has_passwords(&self) -> Result<bool, store::Error> {
        self.store.read((), |tx, ()| Box::pin(passwords::any(tx))).await
    }

    /// Signs a user of this name in by their password, from this address; the session's secret.
    pub(crate) async fn sign_in_by_password(
        &self,
        tenant: TenantId,
        name: &str,
        password: Password,
        from: Option<IpAddr>,
    ) -> Result<String, NotSignedIn> {
        let tries = self.try_password(tenant, name, from).map_err(NotSignedIn::TooOften)?;
        let known = self.store.read(name.to_owned(), move |tx, name| {
            Box::pin(passwords::find_by_name(tx, tenant, name))
        });
        let known = known.await?;
        let hash = known.as_ref().map(|(_, hash)| hash.clone());
        if password.bytes() > limits::PASSWORD_BYTES_MAX {
            return Err(NotSignedIn::Password);
        }
        let checked = self.passwords.hashed(move || {
            let right = password.is(hash.as_deref());
            // With the password at hand, its hash can be made anew.
            let newer = hash.filter(|it| right && is_outgrown(it)).map(|_| password.hash());
            (right, newer)
        });
        let (right, newer) = checked.await?;
        let newer = newer.transpose().map_err(defect)?;
        let (user, hash) = match (known, right) {
            (Some(known), true) => known,
            (Some((user, _)), false) => {
                // Wrong ones are bounded by their tries, and so are these rows. Nobody waits for one, who would
                // see by it that there is such a user.
                let service = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = service.sign_in_refused(tenant, user).await {
                        tracing::warn!(%error, "a refused sign-in is not in the audit");
                    }
                });
                return Err(NotSignedIn::Password);
            }
            (None, _) => return Err(NotSignedIn::Password),
        };
        self.give_back(&tries);
        let (session, session_hash) = secret()?;
        let now = self.now_ticks();
        self.store
            .write(tenant.0, (hash, newer), move |tx, (hash, newer)| {
                Box::pin(async move {
                    tx.unshown();
                    // Since it was looked at, they may have been disabled, or got another.
                    if passwords::find(tx, user).await?.as_ref() != Some(hash) {
                        return Err(NotSignedIn::Password);
                    }
                    if let Some(newer) = newer {
                        passwords::rehash(tx, user, newer).await?;
                    }
                    begin_session(tx, session_hash, user, now).await?;
                    let deed = Deed::in_tenant(tenant, "signedIn", "user", Some(user.0));
                    tx.done(Deed { user: Some(user), ..deed });
                    Ok(())
                })
            })
            .await?;
        Ok(session)
    }

    /// Whether somebody who has signed in has a password; `None` where they have none and may not choose one
    /// now.
    pub(crate) async fn may_change_password(
        &self,
        by: &SignedIn,
    ) -> Result<Option<bool>, store::Error> {
        let has = self.password_of(by).await?.is_some();
        Ok((has || self.is_fresh(by)).then_some(has))
    }

    /// Changes the password of somebody who has signed in, or gives them their first. All that they have
    /// from signing in ends; the secret of a new session for whoever has done this.
    pub(crate) async fn change_password(
        &self,
        by: &SignedIn,
        old: Option<Password>,
        new: Password,
        from: Option<IpAddr>,
    ) -> Result<String, NotChanged> {
        let known = self.password_of(by).await?;
        let name = &by.user.principal_name;
        let tries = match &known {
            None if !self.is_fresh(by) => return Err(NotChanged::Anew),
            None => None,
            Some(_) => {
                Some(self.try_password(by.tenant, name, from).map_err(NotChanged::TooOften)?)
            }
        };
        let hash = known.clone();
        let weak = check(&new, name).err();
        let is_weak = weak.is_some();
        let checked = self.passwords.hashed(move || {
            let old = old.filter(|it| it.bytes() <= limits::PASSWORD_BYTES_MAX);
            let right = hash.is_none() || old.is_some_and(|it| it.is(hash.as_deref()));
            (right, (right && !is_weak).then(|| new.hash()))
        });
        let (right, made) = checked.await?;
        if !right {
            return Err(NotChanged::Old);
        }
        if let Some(tries) = tries {
            self.give_back(&tries);
        }
        let made = match (weak, made) {
            (None, Some(made)) => made.map_err(defect)?,
            (weak, _) => return Err(NotChanged::Weak(weak.unwrap_or_default())),
        };
        let (session, session_hash) = secret()?;
        let (tenant, user, now) = (by.tenant, by.user.id, self.now_ticks());
        self.store
            .write(tenant.0, (known, made), move |tx, (known, made)| {
                Box::pin(async move {
                    tx.unshown();
                    // Of two changes at once, the second finds another password than it has looked at.
                    let there = store::users::find(tx, tenant, user).await?;
                    if there.is_none_or(|it| it.disabled)
                        || passwords::find(tx, user).await? != *known
                    {
                        return Err(NotChanged::Old);
                    }
                    passwords::set(tx, user, made, now).await?;
                    let deed = Deed::in_tenant(tenant, "updated", "password", Some(user.0));
                    tx.done(Deed { user: Some(user), ..deed });
                    end_all(tx, user).await?;
                    begin_session(tx, session_hash, user, now).await?;
                    Ok(())
                })
            })
            .await?;
        Ok(session)
    }

    async fn password_of(&self, by: &SignedIn) -> Result<Option<String>, store::Error> {
        let user = by.user.id;
        self.store.read((), move |tx, ()| Box::pin(passwords::find(tx, user))).await
    }

    fn is_fresh(&self, by: &SignedIn) -> bool {
        self.now_ticks() - by.since <= FIRST_TICKS
    }

    /// Counts a try of an account and from an address; the seconds to wait where there is none left.
    fn try_password(
        &self,
        tenant: TenantId,
        name: &str,
        from: Option<IpAddr>,
    ) -> Result<Vec<Try>, i64> {
        let now = self.clock.unix_seconds();
        let key = |kind: u8, what: &[u8]| {
            let mut hash = blake3::Hasher::new();
            hash.update(&[kind]).update(tenant.0.as_bytes()).update(what);
            *hash.finalize().as_bytes()
        };
        let mut tries = Vec::with_capacity(2);
        if let Some(from) = from {
            let key = key(0, from.to_string().as_bytes());
            tries.push(self.passwords.tried.count(key, limits::TRIES_OF_ADDRESS, now)?);
        }
        let key = key(1, fold(name).as_bytes());
        tries.push(self.passwords.tried.count(key, limits::TRIES_OF_ACCOUNT, now)?);
        Ok(tries)
    }

    fn give_back(&self, tries: &[Try]) {
        for it in tries {
            self.passwords.tried.give_back(it);
        }
    }
}

fn defect(error: impl std::fmt::Display) -> store::Error {
    store::Error::Defect(error.to_string())
}

/// Ends all that somebody has from signing in: sessions, links, and what applications hold for them.
async fn end_all(tx: &mut Tx, user: UserId) -> Result<(), store::Error> {
    sign_in::end_all(tx, user).await?;
    grants::end_all(tx, user).await
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn so_many_wait_to_be_hashed_and_no_more() {
        let passwords = Passwords::new();
        let (go, gone) = crossbeam_channel::bounded::<()>(0);
        let mut running = Vec::new();
        for _ in 0..limits::HASHES_MAX + limits::HASHES_WAITING_MAX {
            let gone = gone.clone();
            let mut work = Box::pin(passwords.hashed(move || gone.recv().is_err()));
            assert!(work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            running.push(work);
        }
        assert!(matches!(passwords.hashed(|| ()).await, Err(store::Error::Busy)));
        // Whoever goes away while it runs frees no place for another.
        drop(running.swap_remove(0));
        assert!(matches!(passwords.hashed(|| ()).await, Err(store::Error::Busy)));
        drop(go);
        // Together, as a place goes to whoever has waited longest.
        for done in futures_util::future::join_all(running).await {
            assert!(done.unwrap());
        }
        passwords.hashed(|| ()).await.unwrap();
    }
}
