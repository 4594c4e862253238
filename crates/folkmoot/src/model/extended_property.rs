//! Extended properties: MAPI properties by which Exchange's clients know more of a post than Graph does.
//!
//! **Invariant:** a post has one of an id in each of the two collections, compared folded.

use odata::edm::Property;

use super::shared::{json, text};
use super::{Source, entity};

/// The id is the property's own name, as its sender wrote it: `String {guid} Name Colour`.
const NAME: Source = Source::Name { column: "name", folded: "name_folded", prefix: "" };

const fn id() -> Property {
    Property::key("id").required().filterable().sortable().from("entity")
}

entity! {
    /// Graph's `singleValueLegacyExtendedProperty`.
    SINGLE_VALUE_PROPERTY = "singleValueLegacyExtendedProperty": "entity" in "single_value_properties",
    in_group: true, open: false,
    order: &[],
    properties: {
        id() => NAME;
        Property::string("value").filterable().sortable() => text!("value");
    }
    navigations: {}
    actions: &[]
}

entity! {
    /// Graph's `multiValueLegacyExtendedProperty`.
    MULTI_VALUE_PROPERTY = "multiValueLegacyExtendedProperty": "entity" in "multi_value_properties",
    in_group: true, open: false,
    order: &[],
    properties: {
        id() => NAME;
        Property::string("value").many_nullable().filterable() => json!("value");
    }
    navigations: {}
    actions: &[]
}
