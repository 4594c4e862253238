//! The keys that tokens are signed with: one signs, and those before it check what they have signed.
//!
//! **Invariant:** a key checks until the last token that it has signed has expired, so a change of keys
//! signs nobody out; unless it is told to, and then at once.

use std::collections::HashSet;

use crate::auth::SigningKey;
use crate::service::Service;
use crate::store::audit::Deed;
use crate::store::{self, Key, Purpose, apps};

/// How long tokens are good whose key is not told how long: those that are good for longer are
/// (`keep_key`).
pub(crate) const UNTOLD_SECONDS: i64 = 24 * 3_600;

const SECOND: i64 = 10_000_000;

impl Service {
    /// The keys in use, the one that signs first.
    pub(crate) async fn signing_keys(&self) -> Result<Vec<SigningKey>, store::Error> {
        let now = self.now_ticks();
        let keys = self
            .store
            .read((), move |tx, ()| Box::pin(Key::in_use(tx, Purpose::Tokens, now)))
            .await?;
        read(keys)
    }

    /// What tokens stand on: the keys in use, and the ids of the applications that were removed.
    pub(crate) async fn trusted(&self) -> Result<(Vec<SigningKey>, HashSet<String>), store::Error> {
        let now = self.now_ticks();
        let (keys, removed) = self
            .store
            .read((), move |tx, ()| {
                Box::pin(async move {
                    let keys = Key::in_use(tx, Purpose::Tokens, now).await?;
                    Ok::<_, store::Error>((keys, apps::removed(tx).await?))
                })
            })
            .await?;
        Ok((read(keys)?, removed.iter().map(ToString::to_string).collect()))
    }

    /// Lets a key check for so many seconds from now at least: it has signed something good for as long.
    pub(crate) async fn keep_key(&self, kid: String, seconds: i64) -> Result<(), store::Error> {
        let until = self.now_ticks() + seconds * SECOND;
        self.store
            .write(uuid::Uuid::nil(), kid, move |tx, kid| {
                Box::pin(async move {
                    tx.unshown();
                    Key::keep(tx, kid, until).await
                })
            })
            .await
    }

    /// Makes a new key, which signs from now on; its id. `alone`: those before it are gone.
    pub(crate) async fn rotate_key(&self, alone: bool) -> Result<String, store::Error> {
        let made = SigningKey::generate();
        let (kid, secret) =
            made.map_err(|error| store::Error::Defect(format!("a signing key: {error}")))?;
        let (now, tenant) = (self.now_ticks(), self.store.act().tenant);
        self.store
            .write(uuid::Uuid::nil(), Key { kid: kid.clone(), secret }, move |tx, key| {
                Box::pin(async move {
                    tx.unshown();
                    let deed = Deed::in_tenant(tenant, "created", "signingKey", None);
                    tx.done(Deed { detail: Some(key.kid.clone()), ..deed });
                    let until = now + UNTOLD_SECONDS * SECOND;
                    key.replace(tx, Purpose::Tokens, now, until).await?;
                    if alone { key.remove_others(tx, Purpose::Tokens).await } else { Ok(()) }
                })
            })
            .await?;
        Ok(kid)
    }
}

fn read(keys: Vec<Key>) -> Result<Vec<SigningKey>, store::Error> {
    let read = |it: Key| {
        let bad = store::Error::Defect(format!("the signing key {} is none", it.kid));
        SigningKey::from_pkcs8(it.kid, &it.secret).map_err(|_| bad)
    };
    keys.into_iter().map(read).collect()
}
