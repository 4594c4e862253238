//! `mention`: somebody whom a post names, as the beta version has it.
//!
//! **Invariant:** who made it and when is the server's to say.

use odata::edm::{Property, Published};

use super::shared::{EMAIL_ADDRESS, id};
use super::{Source, entity};

/// A name and an address in columns of the mention's own row.
macro_rules! address {
    ($name:literal, $address:literal) => {
        Source::Complex(&[
            Source::Text { column: $name, folded: concat!($name, "_folded") },
            Source::Text { column: $address, folded: concat!($address, "_folded") },
        ])
    };
}

entity! {
    /// Graph's `mention`.
    MENTION = "mention": "entity" in "mentions",
    in_group: true, open: false,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::complex("mentioned", &EMAIL_ADDRESS).required().filterable()
            => address!("mentioned_name", "mentioned_address");
        Property::string("mentionText") => Source::Shown("mention_text");
        Property::string("application") => Source::Shown("application");
        Property::string("clientReference") => Source::Shown("client_reference");
        Property::complex("createdBy", &EMAIL_ADDRESS).filterable().computed()
            => address!("created_by_name", "created_by_address");
        Property::date_time("createdDateTime").filterable().sortable().computed()
            => Source::Time { at: "created_at", offset: None };
        Property::date_time("serverCreatedDateTime").computed()
            => Source::Time { at: "created_at", offset: None };
        Property::string("deepLink") => Source::Shown("deep_link");
    }
    navigations: {}
    actions: &[],
    published: Published::Beta
}
