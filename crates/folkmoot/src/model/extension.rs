//! `openTypeExtension`: what a program keeps with a post, under a name of its choice.
//!
//! **Invariant:** a post has one of a name, compared folded.

use odata::edm::Property;

use super::{Source, entity};

/// What stands before the name in an `id`, and may in a path.
pub(crate) const EXTENSION_PREFIX: &str = "microsoft.graph.openTypeExtension.";

entity! {
    /// Graph's `openTypeExtension`.
    EXTENSION = "openTypeExtension": "extension" in "extensions",
    in_group: true, open: true,
    order: &[],
    properties: {
        Property::key("id").required().filterable().sortable().from("entity").computed()
            => Source::Name { column: "name", folded: "name_folded", prefix: EXTENSION_PREFIX };
        Property::string("extensionName").required().filterable().sortable()
            => Source::Text { column: "name", folded: "name_folded" };
    }
    navigations: {}
    actions: &[]
}
