//! The keys that tokens are signed with: one signs, and those before it check what they have signed.
//!
//! **Invariant:** a key checks until the last token that it has signed has expired, so a change of keys
//! signs nobody out.

use crate::auth::SigningKey;
use crate::service::Service;
use crate::store::audit::Deed;
use crate::store::{self, Key, Purpose};

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
        let bad = |kid: &str| store::Error::Defect(format!("the signing key {kid} is none"));
        let read = |it: Key| {
            let kid = it.kid.clone();
            SigningKey::from_pkcs8(it.kid, &it.secret).map_err(|_| bad(&kid))
        };
        keys.into_iter().map(read).collect()
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

    /// Makes a new key, which signs from now on; its id.
    pub(crate) async fn rotate_key(&self) -> Result<String, store::Error> {
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
                    key.replace(tx, Purpose::Tokens, now, until).await
                })
            })
            .await?;
        Ok(kid)
    }
}
