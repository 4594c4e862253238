//! `conversationThread`: the posts of a conversation that share one set of recipients.
//!
//! **Invariant:** a thread has the topic of its conversation; what is declared of it stands while it has
//! no post, as with a conversation.

use odata::edm::{Action, Navigation, Parameter, ParameterType, Property, Published};

use super::post::FORWARD;
use super::shared::{RECIPIENT, id, json, text};
use super::{Link, POST, Source, entity};

entity! {
    /// Graph's `conversationThread`.
    THREAD = "conversationThread": "entity" in "threads",
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
        Property::boolean("isLocked").required().filterable().sortable()
            => Source::Bool("is_locked");
        Property::complex("toRecipients", &RECIPIENT).many().filterable().on_request()
            => json!("to_recipients");
        Property::complex("ccRecipients", &RECIPIENT).many().filterable().on_request()
            => json!("cc_recipients");
    }
    navigations: {
        Navigation::many("posts", || &POST.edm).insertable()
            => Link::Keys(&[("group_id", "group_id"), ("thread_id", "id")]);
    }
    actions: &[
        Action::new("reply").with(&[Parameter {
            name: "Post",
            ty: ParameterType::Entity(|| &POST.edm),
            required: true,
        }]),
        // Of its newest post.
        Action::new("forward").with(FORWARD).published(Published::Never),
    ]
}
