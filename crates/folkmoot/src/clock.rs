//! The time and new ids, which everything else is handed.
//!
//! **Invariant:** no other file asks the system for the time or for an id (`clippy.toml` bans it), so
//! a test that fixes both sees the same bytes each time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use odata::value::DateTimeOffset;
use uuid::{NoContext, Timestamp, Uuid};

/// Where "now" and new ids come from.
#[derive(Debug)]
pub(crate) enum Clock {
    /// The system's time, UUIDs of version 7 made from it.
    System,
    /// A time that stands still, ids counted from one.
    Fixed {
        /// Seconds since 1970.
        unix_seconds: i64,
        /// How many ids were handed out.
        ids: AtomicU64,
    },
}

impl Clock {
    /// A clock that stands still.
    pub(crate) fn fixed(unix_seconds: i64) -> Clock {
        Clock::Fixed { unix_seconds, ids: AtomicU64::new(0) }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub(crate) fn unix_seconds(&self) -> i64 {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that may ask")]
            Clock::System => SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
            Clock::Fixed { unix_seconds, .. } => *unix_seconds,
        }
    }

    /// Now, in whole seconds: times made by the server carry no fraction (DECISIONS D4).
    pub(crate) fn now(&self) -> DateTimeOffset {
        DateTimeOffset::from_unix_seconds(self.unix_seconds())
    }

    /// A new id, larger than every one before it.
    pub(crate) fn id(&self) -> Uuid {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that may ask")]
            Clock::System => Uuid::now_v7(),
            Clock::Fixed { unix_seconds, ids } => {
                let count = ids.fetch_add(1, Ordering::Relaxed);
                let seconds = u64::try_from(*unix_seconds).unwrap_or(0);
                let stamp = Timestamp::from_unix(NoContext, seconds, 0);
                let mut bytes = *Uuid::new_v7(stamp).as_bytes();
                bytes[6] = 0x70;
                bytes[7] = 0;
                bytes[8..].copy_from_slice(&(count | (0b10 << 62)).to_be_bytes());
                Uuid::from_bytes(bytes)
            }
        }
    }
}
