//! `post`: one message of a thread; an open type.
//!
//! **Invariant:** `sender` is who sent it, `from` whom it is from: the sender, or the group.

use odata::edm::{Action, Navigation, Parameter, ParameterType, Property};

use super::shared::{ITEM_BODY, RECIPIENT, id, json, recipient};
use super::{ATTACHMENT, Link, POST as SELF, Source, entity};

entity! {
    /// Graph's `post`.
    POST = "post": "outlookItem" in "posts",
    in_group: true, open: true, has_stream: false,
    order: &[("received_at", false)],
    properties: {
        id() => Source::Id("id");
        Property::date_time("createdDateTime").filterable().sortable().from("outlookItem")
            => Source::Time { at: "created_at", offset: None };
        Property::date_time("lastModifiedDateTime").filterable().sortable().from("outlookItem")
            => Source::Time { at: "modified_at", offset: None };
        Property::key("changeKey").from("outlookItem") => Source::ChangeKey;
        Property::string("categories").many().filterable().from("outlookItem")
            => json!("categories");
        Property::date_time("receivedDateTime").required().filterable().sortable()
            => Source::Time { at: "received_at", offset: Some("received_offset") };
        Property::boolean("hasAttachments").required().filterable().sortable()
            => Source::Bool("has_attachments");
        Property::complex("body", &ITEM_BODY)
            => Source::Complex(&[
                Source::BodyKind("body_type"),
                Source::Body { column: "body", kind: "body_type" },
            ]);
        Property::complex("from", &RECIPIENT).required().filterable()
            => recipient!("from_name", "from_address");
        Property::complex("sender", &RECIPIENT).filterable()
            => recipient!("sender_name", "sender_address");
        Property::key("conversationThreadId").filterable().on_request()
            => Source::Id("thread_id");
        Property::key("conversationId").filterable().on_request()
            => Source::Id("conversation_id");
        Property::complex("newParticipants", &RECIPIENT).many().filterable().on_request()
            => json!("new_participants");
    }
    navigations: {
        Navigation::many("attachments", || &ATTACHMENT.edm).declared("attachment").insertable()
            => Link::Keys(&[("group_id", "group_id"), ("post_id", "id")]);
        Navigation::one("inReplyTo", || &SELF.edm)
            => Link::Keys(&[("group_id", "group_id"), ("id", "in_reply_to")]);
    }
    actions: &[Action {
        name: "reply",
        on_collection: false,
        parameters: &[Parameter {
            name: "Post",
            ty: ParameterType::Entity(|| &SELF.edm),
            required: true,
        }],
    }]
}
