//! What can go wrong in a store, whichever database is behind it.
//!
//! **Invariant:** a caller can tell what to do from the variant alone: ask later, ask for less, or
//! report a fault.

/// A failed read or write. Nothing of a failed write is stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The queue is full; the same request may succeed a second later.
    #[error("the store has more work queued than it can take")]
    Busy,
    /// The scope has its share of the queue; the same request may succeed a second later.
    #[error("the store has more work of this group queued than one may have")]
    Crowded,
    /// The database failed or is going away; nothing was acknowledged.
    #[error("the store cannot do this now: {0}")]
    Unavailable(String),
    /// A row with the same key is already there: the name of the index that says so.
    #[error("a row with the same key exists (`{0}`)")]
    Duplicate(&'static str),
    /// A row refers to one that is not there.
    #[error("a row refers to one that is not there")]
    Dangling,
    /// A row refers to a blob that was collected meanwhile: once it is kept again, the same may
    /// succeed.
    #[error("the bytes of an attachment were collected before it was stored")]
    Collected,
    /// The attachments of a tenant may not have so many bytes.
    #[error("the attachments may have {max} bytes altogether, and {bytes} more are too many")]
    Quota {
        /// Those to come.
        bytes: i64,
        /// All of them at most.
        max: i64,
    },
    /// The read was stopped at its deadline.
    #[error("the read took longer than its time limit")]
    Deadline,
    /// A number that the read computes is larger than 64 bits hold.
    #[error("a number that the query computes is larger than 64 bits hold")]
    OutOfRange,
    /// The read would return more rows than an answer may hold.
    #[error("the answer would hold more than {0} rows")]
    TooManyRows(usize),
    /// A defect: a statement that cannot run, or a column that is not of its type.
    #[error("the store was asked for something it cannot do: {0}")]
    Defect(String),
    /// The data folder or database is newer than this program.
    #[error(
        "the store has schema version {found}, this program knows {known}: use a newer program"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// A file beside the database could not be read or written.
    #[error("a file of the store: {0}")]
    File(#[from] std::io::Error),
}

impl Error {
    /// Whether it is that a file is not there.
    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, Error::File(error) if error.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether a disk has no room: the same may succeed later.
    pub(crate) fn is_full(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Error::File(error) if matches!(error.kind(), StorageFull | QuotaExceeded))
    }
}
