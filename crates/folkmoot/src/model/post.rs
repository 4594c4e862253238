//! `post`: one message of a thread; an open type.
//!
//! **Invariant:** `sender` is who sent it, `from` whom it is from: the sender, or the group. A post that
//! was edited says so, and what it said before is kept.

use odata::edm::{
    Action, EnumType, Navigation, Parameter, ParameterType, Primitive, Property, Published, Type,
};

use super::shared::{ITEM_BODY, RECIPIENT, id, json, recipient};
use super::{
    ATTACHMENT, EXTENSION, Link, MENTION, MULTI_VALUE_PROPERTY, POST as SELF, POST_VERSION,
    SINGLE_VALUE_PROPERTY, Source, entity,
};

entity! {
    /// Graph's `post`.
    POST = "post": "outlookItem" in "posts",
    in_group: true, open: true,
    order: &[("received_at", false)],
    properties: {
        id() => Source::Id("id");
        Property::date_time("createdDateTime").filterable().sortable().from("outlookItem")
            => Source::Time { at: "created_at", offset: None };
        Property::date_time("lastModifiedDateTime").filterable().sortable().from("outlookItem")
            => Source::Time { at: "modified_at", offset: None };
        Property::key("changeKey").filterable().from("outlookItem") => Source::ChangeKey;
        Property::string("categories").many().filterable().from("outlookItem")
            => json!("categories");
        Property::date_time("receivedDateTime").required().filterable().sortable()
            => Source::Time { at: "received_at", offset: Some("received_offset") };
        Property::boolean("hasAttachments").required().filterable().sortable()
            => Source::Bool("has_attachments");
        Property::complex("body", &ITEM_BODY).filterable()
            => Source::Complex(&[
                Source::BodyKind("body_type"),
                Source::Body { column: "body", kind: "body_type", folded: "body_folded" },
            ]);
        Property::complex("from", &RECIPIENT).required().filterable().sortable()
            => recipient!("from_name", "from_address");
        Property::complex("sender", &RECIPIENT).filterable().sortable()
            => recipient!("sender_name", "sender_address");
        Property::key("conversationThreadId").filterable().on_request()
            => Source::Id("thread_id");
        Property::key("conversationId").filterable().on_request()
            => Source::Id("conversation_id");
        Property::complex("newParticipants", &RECIPIENT).many().filterable().on_request()
            => json!("new_participants");
        Property::enumeration("importance", &IMPORTANCE).filterable().published(Published::Beta)
            => Source::Exact("importance");
        // When it was last edited; a post that never was does not have it.
        Property::date_time("@folkmoot.editedDateTime").published(Published::Never)
            => Source::Time { at: "edited_at", offset: None };
        // The topic of its thread, as the subject of a message.
        Property::string("@folkmoot.topic").on_request().published(Published::Never)
            => Source::Above("(select h.topic from threads h \
                where h.group_id = t0.group_id and h.id = t0.thread_id)");
        // The body as either kind of text, for those who want both at once.
        Property::string("@folkmoot.bodyText").on_request().published(Published::Never)
            => Source::BodyAs { column: "body", kind: "body_type", html: false };
        Property::string("@folkmoot.bodyHtml").on_request().published(Published::Never)
            => Source::BodyAs { column: "body", kind: "body_type", html: true };
    }
    navigations: {
        Navigation::many("attachments", || &ATTACHMENT.edm).insertable() => OF_POST;
        Navigation::many("extensions", || &EXTENSION.edm).declared("extension").insertable()
            => OF_POST;
        Navigation::many("singleValueExtendedProperties", || &SINGLE_VALUE_PROPERTY.edm)
            .insertable() => OF_POST;
        Navigation::many("multiValueExtendedProperties", || &MULTI_VALUE_PROPERTY.edm).insertable()
            => OF_POST;
        Navigation::one("inReplyTo", || &SELF.edm)
            => Link::Keys(&[("group_id", "group_id"), ("id", "in_reply_to")]);
        Navigation::many("mentions", || &MENTION.edm).published(Published::Beta).insertable()
            => OF_POST;
        Navigation::many(HISTORY, || &POST_VERSION.edm)
            .published(Published::Never)
            .not_expandable() => OF_POST;
    }
    actions: &[
        Action::new("reply").with(&[Parameter {
            name: "Post",
            ty: ParameterType::Entity(|| &SELF.edm),
            required: true,
        }]),
        Action::new("forward").with(FORWARD),
    ]
}

/// What a post is sent to people outside its thread with.
pub(super) const FORWARD: &[Parameter] = &[
    Parameter {
        name: "Comment",
        ty: ParameterType::Value(Type::Primitive(Primitive::String), false),
        required: false,
    },
    Parameter {
        name: "ToRecipients",
        ty: ParameterType::Value(Type::Complex(&RECIPIENT), true),
        required: true,
    },
];

const OF_POST: Link = Link::Keys(&[("group_id", "group_id"), ("post_id", "id")]);

/// The way to the versions of a post from before it was edited: owners alone may go it.
pub(crate) const HISTORY: &str = "folkmoot.history";

pub(super) static IMPORTANCE: EnumType = EnumType {
    name: "importance",
    members: &[("low", 0), ("normal", 1), ("high", 2)],
    published: Published::Beta,
};
