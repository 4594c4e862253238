//! What a request can be refused for, in the terms of the domain.
//!
//! **Invariant:** a variant says what was wrong, where and why; how it looks on the wire is decided
//! in `api/error.rs` alone.

use crate::access::Denied;
use crate::store;
use crate::store::skiptoken::Refused;

/// A request that was not carried out. Nothing of it is stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A group or a user that is not there, or not to be seen.
    #[error(
        "Resource '{0}' does not exist or one of its queried reference-property objects are not present."
    )]
    ResourceNotFound(String),
    /// Something inside a group that is not there.
    #[error(
        "The specified object was not found in the store., The process failed to get the correct properties."
    )]
    ItemNotFound,
    /// What only a mailbox has, of a group without one.
    #[error("The mailbox is either inactive, soft-deleted, or is hosted on-premise.")]
    NoMailbox,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// `/me` without a user.
    #[error("/me request is only valid with delegated authentication flow.")]
    MeForApp,
    /// The user of the token does not exist here, or is disabled.
    #[error("The user of this access token does not exist here or is disabled.")]
    NoSuchUser,
    /// A property whose value cannot be taken.
    #[error("The property '{property}' {problem}.")]
    Property {
        /// Where: `threads[0].posts[0].body`.
        property: String,
        /// What is wrong with it, after its name.
        problem: String,
    },
    /// Another thing that is wrong with the request.
    #[error("{0}")]
    Request(String),
    /// A link to add that is there.
    #[error(
        "One or more added object references already exist for the following modified properties: '{0}'."
    )]
    AlreadyThere(&'static str),
    /// What was to be changed has changed: its ETag is none of those in `If-Match`.
    #[error(
        "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item."
    )]
    Changed,
    /// Another object has the same name.
    #[error("Another object with the same value for property {0} already exists.")]
    Taken(&'static str),
    /// A reply to a locked thread.
    #[error("The thread is locked: it takes no replies, and only owners may change its posts.")]
    Locked,
    /// A post that is to be sent to nobody.
    #[error(
        "At least one recipient isn't valid: each of ToRecipients needs an emailAddress with an address."
    )]
    Recipients,
    /// An attachment that is larger than any may be.
    #[error("The message exceeds the maximum supported size: {size} bytes; the limit is {max}.")]
    TooLarge {
        /// Bytes declared.
        size: i64,
        /// Bytes at most.
        max: i64,
    },
    /// More bytes than the tenant's attachments may have.
    #[error(
        "Target mailbox quota exceeded: all attachments here may have {max} bytes together, and {bytes} more do not fit. Delete attachments or posts that are no longer needed, whose bytes are free a day later, or ask whoever runs this server to raise attachment_bytes."
    )]
    Quota {
        /// Bytes to come.
        bytes: i64,
        /// Bytes at most.
        max: i64,
    },
    /// A range of bytes that an upload session does not have.
    #[error("{0}")]
    Range(String),
    /// The bytes of an attachment that has none.
    #[error(
        "A reference attachment has no content here, so there is no $value of it: what it refers to is at its sourceUrl."
    )]
    NoContent,
    /// A `$skiptoken` of another request.
    #[error(transparent)]
    SkipToken(#[from] Refused),
    /// The store cannot do it now; the same request may succeed later.
    #[error("{0}")]
    Later(store::Error),
    /// So much waits for the group that nothing more may.
    #[error(
        "Application is over its MailboxConcurrency limit: too many writes to this group wait already. Please retry again later."
    )]
    Crowded,
    /// The read was too large, or took too long.
    #[error(
        "The request was too costly to answer: {0}. Ask for less: a smaller $top, fewer or narrower $expand, or a $filter on lastDeliveredDateTime or receivedDateTime."
    )]
    Inefficient(store::Error),
    /// A defect of this server.
    #[error(transparent)]
    Fault(store::Error),
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match error {
            store::Error::Crowded => Error::Crowded,
            store::Error::Quota { bytes, max } => Error::Quota { bytes, max },
            store::Error::Busy | store::Error::Unavailable(_) | store::Error::Collected => {
                Error::Later(error)
            }
            store::Error::File(_) if error.is_full() => Error::Later(error),
            store::Error::Deadline | store::Error::OutOfRange | store::Error::TooManyRows(_) => {
                Error::Inefficient(error)
            }
            other => Error::Fault(other),
        }
    }
}

impl Error {
    /// A property that cannot be taken.
    pub(crate) fn property(property: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Property { property: property.into(), problem: problem.into() }
    }
}
