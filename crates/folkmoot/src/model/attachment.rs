//! `fileAttachment`: bytes that came with a post.
//!
//! **Invariant:** `size` counts the bytes of the content itself, not of an encoding of it.

use odata::edm::{Action, Parameter, ParameterType, Property, Type};

use super::shared::{ATTACHMENT_ITEM, id, text};
use super::{Source, entity};

entity! {
    /// Graph's `fileAttachment`.
    ATTACHMENT = "fileAttachment": "attachment" in "attachments",
    in_group: true, open: false, has_stream: true,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("lastModifiedDateTime").filterable().sortable().from("attachment")
            => Source::Time { at: "modified_at", offset: None };
        Property::string("name").filterable().sortable().from("attachment") => text!("name");
        Property::string("contentType").filterable().sortable().from("attachment")
            => text!("content_type");
        Property::int32("size").required().filterable().sortable().from("attachment")
            => Source::Int("size");
        Property::boolean("isInline").required().filterable().sortable().from("attachment")
            => Source::Bool("is_inline");
        Property::string("contentId") => Source::Shown("content_id");
        Property::string("contentLocation") => Source::Null;
        Property::binary("contentBytes") => Source::Blob("hash");
    }
    navigations: {}
    actions: &[Action {
        name: "createUploadSession",
        on_collection: true,
        parameters: &[Parameter {
            name: "AttachmentItem",
            ty: ParameterType::Value(Type::Complex(&ATTACHMENT_ITEM), false),
            required: true,
        }],
    }]
}
