//! How many requests a caller may make: a bucket for each tenant, application and user, as Graph has them
//! (its answer is 429 with `Retry-After`).
//!
//! **Invariant:** a request is counted once, after its token was checked and before anything is asked of the
//! store; a request in a batch counts as one that comes alone, whatever is wrong with it; what comes to the
//! address of an upload counts for whoever asked for that. What is kept of callers who no longer call goes.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderValue};

use crate::access::Caller;
use crate::api::error::Error;
use crate::ids::{TenantId, UserId};
use crate::service::limits;

type Key = (TenantId, Option<UserId>, Option<String>);
type Buckets =
    RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// Buckets that are kept before those that are full again are looked for.
const BUCKETS_KEPT: usize = 1_024;

/// Counts requests.
pub(crate) struct Throttle {
    /// `None` where nothing is counted.
    buckets: Option<Buckets>,
    sweep_at: AtomicUsize,
}

/// What is left to a caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// Requests in [`limits::REQUESTS_IN`].
    limit: u32,
    /// Those that may come at once.
    remaining: u32,
}

impl Throttle {
    /// So many requests of each caller in [`limits::REQUESTS_IN`]; none for any number.
    pub(crate) fn new(requests: u32) -> Throttle {
        let quota = NonZeroU32::new(requests).and_then(|it| {
            Some(Quota::with_period(limits::REQUESTS_IN / requests)?.allow_burst(it))
        });
        let buckets = quota.map(|it| RateLimiter::keyed(it).with_middleware());
        Throttle { buckets, sweep_at: AtomicUsize::new(BUCKETS_KEPT) }
    }

    /// Counts a request of this caller; what is left to them, where that is counted.
    pub(super) fn count(&self, caller: &Caller) -> Result<Option<Left>, Error> {
        let Some(buckets) = &self.buckets else { return Ok(None) };
        if buckets.len() >= self.sweep_at.load(Ordering::Relaxed) {
            buckets.retain_recent();
            buckets.shrink_to_fit();
            self.sweep_at.store(BUCKETS_KEPT.max(buckets.len() * 2), Ordering::Relaxed);
        }
        match buckets.check_key(&(caller.tenant, caller.user, caller.app.clone())) {
            Ok(state) => Ok(Some(Left {
                limit: state.quota().burst_size().get(),
                remaining: state.remaining_burst_capacity(),
            })),
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                let left = Left { limit: until.quota().burst_size().get(), remaining: 0 };
                Err(Error::Throttled { retry_after: seconds(wait), left })
            }
        }
    }
}

impl Left {
    /// Says it in headers. `RateLimit-Reset` counts the seconds until everything is there again.
    pub(super) fn tell(self, headers: &mut HeaderMap) {
        let used = self.limit - self.remaining.min(self.limit);
        let reset = limits::REQUESTS_IN.mul_f64(f64::from(used) / f64::from(self.limit));
        headers.insert("ratelimit-limit", HeaderValue::from(self.limit));
        headers.insert("ratelimit-remaining", HeaderValue::from(self.remaining));
        headers.insert("ratelimit-reset", HeaderValue::from(seconds(reset)));
    }
}

/// Whole seconds after which a time has passed.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Scopes;

    /// What is kept of callers who no longer call goes: here each bucket is full again at once.
    #[test]
    fn callers_who_no_longer_call_are_forgotten() {
        let mut throttle = Throttle::new(1);
        throttle.buckets = Quota::with_period(Duration::from_nanos(1))
            .map(|it| RateLimiter::keyed(it).with_middleware());
        for at in 0..10 * BUCKETS_KEPT as u128 {
            let user = Some(UserId(uuid::Uuid::from_u128(at)));
            let tenant = TenantId(uuid::Uuid::nil());
            let caller = Caller { tenant, user, app: None, scopes: Scopes::default() };
            throttle.count(&caller).unwrap();
        }
        assert!(throttle.buckets.unwrap().len() <= BUCKETS_KEPT);
    }
}
