//! `postVersion`: what a post said before it was edited; this server's own.
//!
//! **Invariant:** a version never changes; it goes with its post.

use odata::edm::{Property, Published};

use super::shared::{ITEM_BODY, id, json};
use super::{Source, entity};

entity! {
    /// One version of a post.
    POST_VERSION = "postVersion": "entity" in "post_versions",
    in_group: true, open: false,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::string("changeKey") => Source::ChangeKey;
        // When the post came to say this, and when it stopped.
        Property::date_time("lastModifiedDateTime").filterable().sortable()
            => Source::Time { at: "modified_at", offset: None };
        Property::date_time("replacedDateTime").filterable().sortable()
            => Source::Time { at: "replaced_at", offset: None };
        Property::key("replacedBy") => Source::Id("replaced_by");
        Property::string("categories").many() => json!("categories");
        Property::complex("body", &ITEM_BODY)
            => Source::Complex(&[Source::Exact("body_type"), Source::Shown("body")]);
    }
    navigations: {}
    actions: &[],
    published: Published::Never
}
