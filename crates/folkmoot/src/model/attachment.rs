//! `attachment`: a file, an item or a reference that came with a post.
//!
//! **Invariant:** `size` counts the bytes of the content itself, not of an encoding of it; a reference has
//! no content, and its size is what its sender said.

use odata::edm::{
    Action, DerivedType, DocumentType, EnumType, Parameter, ParameterType, Property, Published,
    ReturnType, Type,
};

use super::shared::{ATTACHMENT_ITEM, UPLOAD_SESSION, id, text, wide};
use super::{Source, entity};

const FILE: &[&str] = &["fileAttachment"];
const ITEM: &[&str] = &["itemAttachment"];
const REFERENCE: &[&str] = &["referenceAttachment"];

entity! {
    /// Graph's `attachment`, and the three types that derive from it.
    ATTACHMENT = "attachment": "entity" in "attachments",
    in_group: true, open: false,
    derived: &[
        DerivedType { name: "fileAttachment", has_stream: true },
        DerivedType { name: "itemAttachment", has_stream: false },
        DerivedType { name: "referenceAttachment", has_stream: false },
    ],
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("lastModifiedDateTime").filterable().sortable().computed()
            => Source::Time { at: "modified_at", offset: None };
        Property::string("name").filterable().sortable() => text!("name");
        Property::string("contentType").filterable().sortable() => text!("content_type");
        Property::int32("size").required().filterable().sortable() => Source::Int("size");
        Property::boolean("isInline").required().filterable().sortable()
            => Source::Bool("is_inline");
        Property::string("contentId").filterable().only(FILE) => wide!("content_id");
        Property::string("contentLocation").filterable().only(FILE) => Source::Null;
        Property::binary("contentBytes").only(FILE) => Source::Blob("hash");
        Property::document("item", &OUTLOOK_ITEM).only(ITEM) => Source::Document("item");
        Property::string("sourceUrl").filterable().only(REFERENCE).published(Published::Beta)
            => wide!("source_url");
        Property::enumeration("providerType", &PROVIDER).filterable().only(REFERENCE).published(Published::Beta)
            => Source::Exact("provider_type");
        Property::string("thumbnailUrl").filterable().only(REFERENCE).published(Published::Beta)
            => wide!("thumbnail_url");
        Property::string("previewUrl").filterable().only(REFERENCE).published(Published::Beta)
            => wide!("preview_url");
        Property::enumeration("permission", &PERMISSION).filterable().only(REFERENCE).published(Published::Beta)
            => Source::Exact("permission");
        Property::boolean("isFolder").filterable().only(REFERENCE).published(Published::Beta)
            => Source::Bool("is_folder");
    }
    navigations: {}
    actions: &[Action::new("createUploadSession")
        .on_collection()
        .with(&[Parameter {
            name: "AttachmentItem",
            ty: ParameterType::Value(Type::Complex(&ATTACHMENT_ITEM), false),
            required: true,
        }])
        .returning(ReturnType::Value(Type::Complex(&UPLOAD_SESSION)))]
}

static OUTLOOK_ITEM: DocumentType =
    DocumentType { name: "outlookItem", derived: &["message", "event", "contact"] };

pub(super) static PROVIDER: EnumType = EnumType {
    name: "referenceAttachmentProvider",
    members: &[("other", 0), ("oneDriveBusiness", 1), ("oneDriveConsumer", 2), ("dropbox", 3)],
    published: Published::Beta,
};

pub(super) static PERMISSION: EnumType = EnumType {
    name: "referenceAttachmentPermission",
    members: &[
        ("other", 0),
        ("view", 1),
        ("edit", 2),
        ("anonymousView", 3),
        ("anonymousEdit", 4),
        ("organizationView", 5),
        ("organizationEdit", 6),
    ],
    published: Published::Beta,
};
