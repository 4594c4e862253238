//! A number for each group and tenant that rises with every commit that changed it.
//!
//! **Invariant:** a number is raised after the commit and before anybody is told of it. So what was
//! read after a number was taken is still true while that number stands.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Numbers kept; groups that share one are only taken for changed more often than they are.
const SLOTS: usize = 4096;

/// The numbers of all streams of the feed.
#[derive(Debug)]
pub(crate) struct Stamps(Box<[AtomicU64]>);

impl Stamps {
    pub(super) fn new() -> Stamps {
        Stamps((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// The number of a group or a tenant now.
    pub(crate) fn of(&self, stream: Uuid) -> u64 {
        self.slot(stream).load(Ordering::Acquire)
    }

    pub(super) fn raise(&self, stream: Uuid) {
        self.slot(stream).fetch_add(1, Ordering::Release);
    }

    /// Raises every number: for a write that did not tell the feed what it changed.
    pub(super) fn raise_all(&self) {
        for slot in &self.0 {
            slot.fetch_add(1, Ordering::Release);
        }
    }

    fn slot(&self, stream: Uuid) -> &AtomicU64 {
        // The last bytes of an id are random whatever its version.
        let [.., a, b] = *stream.as_bytes();
        &self.0[usize::from(u16::from_le_bytes([a, b])) % SLOTS]
    }
}
