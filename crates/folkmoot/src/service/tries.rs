//! How often somebody may try a password: of an account, and from an address.
//!
//! **Invariant:** a try is counted before it is looked at, and given back only where it was right. What limits
//! nothing any more is forgotten.
//!
//! This is in the memory of a process. A wrong password so costs the store nothing, and whoever guesses does not
//! slow down everybody's writes; the price is that of several servers on one database each counts for itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::service::limits::Tries;

/// What is kept before what can be forgotten is looked for.
const KEPT: usize = 1_024;

/// What was tried.
#[derive(Debug, Default)]
pub(super) struct Tried(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// By what is tried: the second from which on all tries are there again (the theoretical arrival time of
    /// the generic cell rate algorithm).
    until: HashMap<[u8; 32], i64>,
    sweep_at: usize,
}

/// A try that is counted.
#[derive(Debug)]
pub(super) struct Try {
    key: [u8; 32],
    every: i64,
}

impl Tried {
    /// Counts a try at `now` (seconds); the seconds to wait where there is none left.
    pub(super) fn count(&self, key: [u8; 32], of: Tries, now: i64) -> Result<Try, i64> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.until.len() >= kept.sweep_at {
            kept.until.retain(|_, until| *until > now);
            kept.until.shrink_to_fit();
            kept.sweep_at = KEPT.max(kept.until.len() * 2);
        }
        let until = kept.until.get(&key).map_or(now, |it| *it.max(&now)) + of.every_seconds;
        let wait = until - now - i64::from(of.at_once) * of.every_seconds;
        if wait > 0 {
            return Err(wait);
        }
        kept.until.insert(key, until);
        Ok(Try { key, every: of.every_seconds })
    }

    /// Takes a try for not made.
    pub(super) fn give_back(&self, it: &Try) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = kept.until.get_mut(&it.key) {
            *until -= it.every;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Tries = Tries { at_once: 3, every_seconds: 10 };

    #[test]
    fn tries_come_back_one_after_another() {
        let tried = Tried::default();
        let count = |now| tried.count([1; 32], OF, now).map(|_| ());
        for _ in 0..3 {
            assert_eq!(count(100), Ok(()));
        }
        assert_eq!(count(100), Err(10));
        assert_eq!(count(109), Err(1));
        assert_eq!(count(110), Ok(()));
        assert_eq!(count(110), Err(10));
        // Another key has its own; after a while all are there again.
        assert!(tried.count([2; 32], OF, 110).is_ok());
        for _ in 0..3 {
            assert_eq!(count(1_000), Ok(()));
        }
        assert!(count(1_000).is_err());
        // A clock that was set back holds nobody up for longer than all tries take.
        assert!(matches!(count(900), Err(wait) if wait <= 130));
    }

    #[test]
    fn one_that_was_right_is_given_back_and_no_more_than_it() {
        let tried = Tried::default();
        for _ in 0..10 {
            let right = tried.count([1; 32], OF, 100).unwrap();
            tried.give_back(&right);
        }
        for _ in 0..2 {
            tried.count([1; 32], OF, 100).unwrap();
        }
        let right = tried.count([1; 32], OF, 100).unwrap();
        tried.give_back(&right);
        tried.count([1; 32], OF, 100).unwrap();
        assert!(tried.count([1; 32], OF, 100).is_err());
    }

    #[test]
    fn what_limits_nothing_is_forgotten() {
        let tried = Tried::default();
        for at in 0..10 * KEPT as i64 {
            let key = *blake3::hash(&at.to_be_bytes()).as_bytes();
            tried.count(key, OF, at * 10).unwrap();
        }
        assert!(tried.0.lock().unwrap().until.len() <= KEPT);
    }
}
