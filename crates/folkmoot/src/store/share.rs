//! How much of the store's queue one group may have.
//!
//! **Invariant:** commands on one scope never take the whole queue, so those on another find room in it; a
//! scope that nothing waits for takes no memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::store::Error;

/// Counts the commands of each scope that wait or run.
#[derive(Debug)]
pub(super) struct Shares {
    max: usize,
    waiting: Mutex<HashMap<Uuid, usize>>,
}

/// One command's place; given back when it is dropped.
pub(super) struct Place<'s> {
    shares: &'s Shares,
    scope: Uuid,
}

impl Shares {
    /// So many places for each scope.
    pub(super) fn new(max: usize) -> Shares {
        Shares { max, waiting: Mutex::default() }
    }

    /// A place among the commands of a scope, if one is left. What is of no scope in particular is the
    /// server's own work and always has one.
    pub(super) fn take(&self, scope: Uuid) -> Result<Option<Place<'_>>, Error> {
        if scope.is_nil() {
            return Ok(None);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(scope).or_default();
        if *count >= self.max {
            return Err(Error::Crowded);
        }
        *count += 1;
        Ok(Some(Place { shares: self, scope }))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.shares.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.scope) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.scope);
            }
        }
    }
}
