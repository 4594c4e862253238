//! `conversation`: all that is said under one topic in a group.
//!
//! **Invariant:** `hasAttachments`, `lastDeliveredDateTime`, `uniqueSenders` and `preview` are as the
//! client declared them while the conversation has no post, and computed from its posts from then on.

use odata::edm::{Action, Navigation, Property, Published};

use super::shared::{id, json, text};
use super::{Link, Source, THREAD, entity};

entity! {
    /// Graph's `conversation`.
    CONVERSATION = "conversation": "entity" in "conversations",
    in_group: true, open: false,
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
        Property::boolean("@folkmoot.isRead").on_request().published(Published::Never) => READ;
    }
    navigations: {
        Navigation::many("threads", || &THREAD.edm).insertable()
            => Link::Keys(&[("group_id", "group_id"), ("conversation_id", "id")]);
    }
    actions: &[
        Action::new("folkmoot.markRead").published(Published::Never),
        Action::new("folkmoot.markUnread").published(Published::Never),
    ]
}

/// Whether the caller has read the last post, or wrote it.
const READ: Source = Source::PerCaller(
    "not exists (select 1 from activity a where a.group_id = t0.group_id \
     and a.conversation_id = t0.id and a.author is distinct from {caller} \
     and a.seq > coalesce((select c.seq from conversation_reads c where c.group_id = t0.group_id \
     and c.user_id = {caller} and c.conversation_id = t0.id), (select r.seq from group_reads r \
     where r.group_id = t0.group_id and r.user_id = {caller}), 0))",
);
