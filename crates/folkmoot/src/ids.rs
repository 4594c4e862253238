//! The ids of things, one type each, so that none is taken for another.
//!
//! **Invariant:** an id is made by [`Clock::id`](crate::clock::Clock::id) or read from the store, or
//! parsed at a door; below the doors no id is text.

use std::fmt;

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    )*};
}

ids! {
    /// A tenant: users and groups that know of each other.
    TenantId;
    /// A user.
    UserId;
    /// A group.
    GroupId;
    /// A conversation, unique within its group.
    ConversationId;
    /// A thread, unique within its group.
    ThreadId;
    /// A post, unique within its group.
    PostId;
    /// An attachment, unique within its group.
    AttachmentId;
    /// An upload session.
    UploadId;
}

/// An id as it stands in a URL: 32 hexadecimal digits in any letter case with the usual four hyphens.
pub(crate) fn parse(text: &str) -> Option<Uuid> {
    // Uuid also reads braces, URNs and bare digits, which no answer of ours ever holds.
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}
