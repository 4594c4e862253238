//! `conversation`: all that is said under one topic in a group.
//!
//! **Invariant:** `hasAttachments`, `lastDeliveredDateTime`, `uniqueSenders` and `preview` are as the
//! client declared them while the conversation has no post, and computed from its posts from then on.

use odata::edm::{Navigation, Property};

use super::shared::{id, json, text};
use super::{Link, Source, THREAD, entity};

entity! {
    /// Graph's `conversation`.
    CONVERSATION = "conversation": "entity" in "conversations",
    in_group: true, open: false, has_stream: false,
    order: &[("last_delivered_at", true)],
    properties: {
        id() => Source::Id("id");
        Property::string("topic").required().filterable().sortable() => text!("topic");
        Property::boolean("hasAttachments").required().filterable().sortable()
            => Source::Bool("has_attachments");
        Property::date_time("lastDeliveredDateTime").required().filterable().sortable()
            => Source::Time { at: "last_delivered_at", offset: Some("last_delivered_offset") };
        Property::string("uniqueSenders").many().filterable() => json!("unique_senders");
        Property::string("preview").required().filterable().sortable() => text!("preview");
    }
    navigations: {
        Navigation::many("threads", || &THREAD.edm).insertable()
            => Link::Keys(&[("group_id", "group_id"), ("conversation_id", "id")]);
    }
    actions: &[]
}
