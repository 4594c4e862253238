//! The keys of another issuer: fetched, kept, fetched again.
//!
//! **Invariant:** whoever sends tokens cannot make this server ask the issuer more often than
//! [`Pace`] permits. What is known stays known while the issuer cannot be reached, for a day.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::TokenError;
use super::jwks::{Key, KeySet};
use crate::net::{self, Fetcher};

/// Bytes of the discovery document, and of the keys, at most.
const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
/// Keys of this age are fetched again, while they are used.
const FRESH: Duration = Duration::from_secs(3_600);
/// Keys of this age are not used any more: the issuer may have taken them back.
const USABLE: Duration = Duration::from_secs(24 * 3_600);
/// Keys are not fetched again for an unknown one before this has passed.
const UNKNOWN: Duration = Duration::from_secs(30);
/// The longest wait after a fetch that has failed; the first is a second, each next one twice as long.
const FAILED_MAX: Duration = Duration::from_secs(32);

/// An issuer's keys.
#[derive(Debug)]
pub(super) struct Published {
    issuer: String,
    /// The address of its discovery document.
    discovery: String,
    fetcher: Fetcher,
    state: RwLock<State>,
    /// Held while they are fetched: one fetch at a time, for all who wait.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    keys: Arc<KeySet>,
    pace: Pace,
}

/// When the issuer may be asked.
#[derive(Debug, Default)]
struct Pace {
    /// When the keys that are known were fetched.
    fetched: Option<Instant>,
    /// When it was asked last for the sake of an unknown key.
    unknown: Option<Instant>,
    /// When it did not answer last, and how often since it did.
    failed: Option<(Instant, u32)>,
}

impl Pace {
    fn is_younger(at: Option<Instant>, age: Duration, now: Instant) -> bool {
        at.is_some_and(|it| now.saturating_duration_since(it) < age)
    }

    /// Whether keys are known that may be used.
    fn is_usable(&self, now: Instant) -> bool {
        Pace::is_younger(self.fetched, USABLE, now)
    }

    /// Whether the issuer may be asked: because keys are old or missing, or for the sake of one that is
    /// not among them.
    fn may_ask(&self, for_unknown: bool, now: Instant) -> bool {
        let rests = self.failed.is_some_and(|(at, times)| {
            let wait = Duration::from_secs(1 << times.saturating_sub(1).min(5)).min(FAILED_MAX);
            now.saturating_duration_since(at) < wait
        });
        let wanted = !Pace::is_younger(self.fetched, FRESH, now)
            || for_unknown && !Pace::is_younger(self.unknown, UNKNOWN, now);
        wanted && !rests
    }

    fn answered(&mut self, now: Instant) {
        self.fetched = Some(now);
        self.failed = None;
    }

    fn failed(&mut self, now: Instant) {
        let times = self.failed.map_or(0, |(_, times)| times);
        self.failed = Some((now, times.saturating_add(1)));
    }
}

impl Published {
    /// The keys of the issuer of this name, whose documents are below `base`.
    ///
    /// # Errors
    /// Where nothing can be fetched over https on this system.
    pub(super) fn new(issuer: String, base: &str) -> Result<Published, String> {
        let local = net::is_local(&net::address(base)?);
        // OpenID Connect Discovery 1.0, section 4.1.
        let base = base.strip_suffix('/').unwrap_or(base);
        Ok(Published {
            issuer,
            discovery: format!("{base}/.well-known/openid-configuration"),
            fetcher: Fetcher::new(local)?,
            state: RwLock::default(),
            fetching: tokio::sync::Mutex::default(),
        })
    }

    /// Fetches the keys again if they are old, nobody waiting for it; whether those that are known may
    /// still be used.
    pub(super) fn tend(self: &Arc<Self>) -> bool {
        let now = Instant::now();
        let (is_usable, may_ask) =
            self.state(|state| (state.pace.is_usable(now), state.pace.may_ask(false, now)));
        if may_ask && self.fetching.try_lock().is_ok() {
            tokio::spawn(self.clone().fetch(None));
        }
        is_usable
    }

    /// The key with this id, fetched where that may help.
    pub(super) async fn key(self: &Arc<Self>, kid: &str) -> Result<Arc<Key>, TokenError> {
        self.tend();
        if let Some(key) = self.find(kid) {
            return Ok(key);
        }
        // In a task of its own: a client that does not wait for its answer ends no fetch.
        let fetch = tokio::spawn(self.clone().fetch(Some(kid.to_owned())));
        let _ = fetch.await;
        match self.find(kid) {
            Some(key) => Ok(key),
            None if self.state(|it| it.pace.is_usable(Instant::now())) => {
                Err(TokenError::UnknownKeyOf(self.issuer.clone()))
            }
            None => Err(TokenError::NoKeys(self.issuer.clone())),
        }
    }

    fn find(&self, kid: &str) -> Option<Arc<Key>> {
        let now = Instant::now();
        self.state(|it| it.keys.find(kid).filter(|_| it.pace.is_usable(now)).cloned())
    }

    fn state<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches the keys, if that is permitted now and, where it is for the sake of one, that was not
    /// fetched meanwhile.
    async fn fetch(self: Arc<Self>, wanted: Option<String>) {
        let _one = self.fetching.lock().await;
        let now = Instant::now();
        let there = wanted.as_deref().is_some_and(|it| self.find(it).is_some());
        if there || !self.state(|it| it.pace.may_ask(wanted.is_some(), now)) {
            return;
        }
        // What is asked for while there are no keys at all is no sign of a new one.
        if wanted.is_some() && self.state(|it| it.pace.is_usable(now)) {
            self.change(|it| it.pace.unknown = Some(now));
        }
        let old = self.state(|it| it.keys.clone());
        let fetched = self.ask(&old).await;
        self.change(|state| match fetched {
            Ok(keys) => {
                state.keys = Arc::new(keys);
                state.pace.answered(Instant::now());
            }
            Err(error) => {
                state.pace.failed(Instant::now());
                tracing::warn!(
                    issuer = self.issuer,
                    error,
                    "the keys of an issuer were not fetched"
                );
            }
        });
    }

    async fn ask(&self, old: &KeySet) -> Result<KeySet, String> {
        let document = self.fetcher.get(&self.discovery, DOCUMENT_BYTES_MAX).await?;
        let document: Value = serde_json::from_slice(&document)
            .map_err(|error| format!("{} is no JSON: {error}", self.discovery))?;
        // OpenID Connect Discovery 1.0, section 4.3.
        if document["issuer"] != self.issuer {
            return Err(format!("{} is of another issuer: {}", self.discovery, document["issuer"]));
        }
        let address = document["jwks_uri"].as_str();
        let address = address.ok_or_else(|| format!("{} has no jwks_uri", self.discovery))?;
        KeySet::parse(&self.fetcher.get(address, DOCUMENT_BYTES_MAX).await?, old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_asked_no_oftener_than_this() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut pace = Pace::default();
        assert!(pace.may_ask(false, start) && !pace.is_usable(start));
        // It does not answer.
        for (now, next) in
            [(0, 1), (1, 3), (3, 7), (7, 15), (15, 31), (31, 63), (63, 95), (95, 127)]
        {
            assert!(pace.may_ask(true, at(now)), "{now}");
            pace.failed(at(now));
            assert!(!pace.may_ask(true, at(next - 1)) && pace.may_ask(false, at(next)), "{now}");
        }
        // It does: an unknown key has it asked at once, and then not for a while.
        pace.answered(at(200));
        assert!(!pace.may_ask(false, at(200)) && pace.may_ask(true, at(200)));
        pace.unknown = Some(at(200));
        pace.answered(at(200));
        assert!(!pace.may_ask(true, at(229)) && pace.may_ask(true, at(230)));
        // Age.
        assert!(!pace.may_ask(false, at(3_799)) && pace.may_ask(false, at(3_800)));
        assert!(pace.is_usable(at(200 + 86_399)) && !pace.is_usable(at(200 + 86_400)));
    }
}
