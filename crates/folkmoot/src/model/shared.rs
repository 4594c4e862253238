//! Types that several entities use: recipients, bodies and the abstract types at the top.
//!
//! **Invariant:** names, types and nullability are those of Graph's own CSDL.

use odata::edm::{AbstractType, ComplexType, EnumType, Property, Published};

use super::Source;

/// `id`, as every entity has it.
pub(super) const fn id() -> Property {
    Property::key("id").required().filterable().sortable().from("entity")
}

pub(super) static BODY_TYPE: EnumType = EnumType {
    name: "bodyType",
    members: &[("text", 0), ("html", 1)],
    published: Published::Always,
};

pub(super) static EMAIL_ADDRESS: ComplexType = ComplexType {
    name: "emailAddress",
    properties: &[
        Property::string("name").filterable().sortable(),
        Property::string("address").filterable().sortable(),
    ],
};

pub(super) static RECIPIENT: ComplexType = ComplexType {
    name: "recipient",
    properties: &[Property::complex("emailAddress", &EMAIL_ADDRESS).filterable().sortable()],
};

pub(super) static ITEM_BODY: ComplexType = ComplexType {
    name: "itemBody",
    properties: &[
        Property::enumeration("contentType", &BODY_TYPE).filterable(),
        Property::string("content").filterable(),
    ],
};

pub(super) static ATTACHMENT_TYPE: EnumType = EnumType {
    name: "attachmentType",
    members: &[("file", 0), ("item", 1), ("reference", 2)],
    published: Published::Always,
};

/// What an upload session is asked for with.
pub(super) static ATTACHMENT_ITEM: ComplexType = ComplexType {
    name: "attachmentItem",
    properties: &[
        Property::enumeration("attachmentType", &ATTACHMENT_TYPE),
        Property::string("contentId"),
        Property::string("contentType"),
        Property::boolean("isInline"),
        Property::string("name"),
        Property::int64("size"),
    ],
};

/// What it is answered with.
pub(super) static UPLOAD_SESSION: ComplexType = ComplexType {
    name: "uploadSession",
    properties: &[
        Property::date_time("expirationDateTime"),
        Property::string("nextExpectedRanges").many_nullable(),
        Property::string("uploadUrl"),
    ],
};

/// A recipient that stands in columns of the entity's own row.
macro_rules! recipient {
    ($name:literal, $address:literal) => {
        Source::Complex(&[Source::Complex(&[
            Source::Text { column: $name, folded: concat!($name, "_folded") },
            Source::Text { column: $address, folded: concat!($address, "_folded") },
        ])])
    };
}
pub(super) use recipient;

/// A text column beside its folded twin.
macro_rules! text {
    ($column:literal) => {
        $crate::model::Source::Text { column: $column, folded: concat!($column, "_folded") }
    };
}
pub(super) use text;

/// A text column whose folded twin is kept where it is not in ASCII.
macro_rules! wide {
    ($column:literal) => {
        $crate::model::Source::Wide { column: $column, folded: concat!($column, "_folded") }
    };
}
pub(super) use wide;

/// A column of JSON text beside its folded twin.
macro_rules! json {
    ($column:literal) => {
        $crate::model::Source::Json { column: $column, folded: concat!($column, "_folded") }
    };
}
pub(super) use json;

/// The empty collection, for collections of Graph that this server never fills.
pub(super) const EMPTY: Source = Source::Constant { json: "[]", sql: "'[]'" };

pub(super) static ABSTRACTS: &[AbstractType] = &[
    AbstractType {
        name: "entity",
        base: None,
        open: false,
        properties: &[Property::key("id").required()],
    },
    AbstractType {
        name: "outlookItem",
        base: Some("entity"),
        open: false,
        properties: &[
            Property::string("changeKey"),
            Property::string("categories").many_nullable(),
            Property::date_time("createdDateTime"),
            Property::date_time("lastModifiedDateTime"),
        ],
    },
    AbstractType { name: "extension", base: Some("entity"), open: true, properties: &[] },
];
