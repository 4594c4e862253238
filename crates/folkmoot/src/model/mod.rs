//! Every entity, declared once: its names and types for the protocol, its columns for the store.
//!
//! **Invariant:** `$metadata`, what query options admit, the select list, the predicates, the JSON
//! names and their order all come from these tables; none of them is written a second time. A table
//! says nothing of behaviour: writes are functions in `service/`.
//!
//! To add a property: one line in the entity's file, one migration.

mod attachment;
mod audit_entry;
mod conversation;
mod directory_object;
mod extended_property;
mod extension;
mod group;
mod group_invitation;
mod join_request;
mod mention;
mod post;
mod post_version;
mod shared;
mod thread;
mod user;

pub(crate) use attachment::ATTACHMENT;
pub(crate) use audit_entry::AUDIT_ENTRY;
pub(crate) use conversation::CONVERSATION;
pub(crate) use directory_object::DIRECTORY_OBJECT;
pub(crate) use extended_property::{MULTI_VALUE_PROPERTY, SINGLE_VALUE_PROPERTY};
pub(crate) use extension::EXTENSION;
pub(crate) use group::{AUDIT, GROUP, INVITATIONS, MAILBOX};
pub(crate) use group_invitation::GROUP_INVITATION;
pub(crate) use join_request::JOIN_REQUEST;
pub(crate) use mention::MENTION;
pub(crate) use post::{HISTORY, POST};
pub(crate) use post_version::POST_VERSION;
pub(crate) use thread::THREAD;
pub(crate) use user::USER;

use odata::edm::{DerivedType, EntityType, Model, Navigation, Property, Published, Root};

/// An entity type together with where it is stored.
#[derive(Debug)]
pub(crate) struct Entity {
    /// What the protocol knows of it.
    pub(crate) edm: EntityType,
    /// Its table.
    pub(crate) table: &'static str,
    /// Whether it lives inside a group: then its key is `(group_id, id)`, else `id`.
    pub(crate) in_group: bool,
    /// Where each property comes from, in the order of `edm.properties`.
    pub(crate) sources: &'static [Source],
    /// How each navigation is followed, in the order of `edm.navigations`.
    pub(crate) links: &'static [Link],
    /// The default order, before the id: columns that are never null, largest first where true.
    ///
    /// The table of an entity with derived types has a column `kind`: which of the derived types a row is of, by
    /// its place in `edm.derived`.
    pub(crate) order: &'static [(&'static str, bool)],
}

/// Where the value of a property comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// A `uuid` column, shown as a GUID.
    Id(&'static str),
    /// A name that clients choose and address the entity by: shown behind the prefix, compared by its
    /// folded twin with or without it. The entity's `id` column is its key in the store all the same.
    Name { column: &'static str, folded: &'static str, prefix: &'static str },
    /// A text column that is compared as it stands.
    Exact(&'static str),
    /// A text column, compared by its folded twin.
    Text { column: &'static str, folded: &'static str },
    /// A text column, compared by a folded twin that is null where the text is in ASCII: what is folded
    /// then is its lower case.
    Wide { column: &'static str, folded: &'static str },
    /// A text column that is shown and never compared.
    Shown(&'static str),
    /// A boolean column.
    Bool(&'static str),
    /// The opposite of a boolean column.
    Not(&'static str),
    /// An integer column.
    Int(&'static str),
    /// An instant and, where clients send it, the minutes of its offset; without a column, UTC.
    Time { at: &'static str, offset: Option<&'static str> },
    /// A column of JSON text, and the same with its strings folded.
    Json { column: &'static str, folded: &'static str },
    /// The row's version, shown as a change key; it is also the entity's ETag.
    ChangeKey,
    /// A complex value, its parts in the order of the type's properties.
    Complex(&'static [Source]),
    /// What kind of text a body is, as it is stored: answers may show it as another.
    BodyKind(&'static str),
    /// A body, shown as it is stored or as the kind of text that was asked for, and compared as it is
    /// stored, as [`Source::Wide`] is.
    Body { column: &'static str, kind: &'static str, folded: &'static str },
    /// A body as HTML or as plain text, whatever it is stored as and answers show it as.
    BodyAs { column: &'static str, kind: &'static str, html: bool },
    /// The bytes of the blob whose hash is in this column, as base64.
    Blob(&'static str),
    /// A column of JSON text that is shown and never compared, such as a document as it was sent.
    Document(&'static str),
    /// Text of what an entity is in, by an SQL expression over `t0`; its version does not cover that.
    Above(&'static str),
    /// A number or truth that is another for each caller: an SQL expression over `t0` in which `{caller}` is the
    /// calling user's id, null where an application calls.
    PerCaller(&'static str),
    /// The same for every entity: JSON text to show, and an SQL expression to compare (folded).
    Constant { json: &'static str, sql: &'static str },
    /// A property of real Graph that this server does not have.
    Null,
}

/// How a navigation is followed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Link {
    /// Pairs of columns that are equal: the target's, this entity's.
    Keys(&'static [(&'static str, &'static str)]),
    /// Through a table of pairs: its column with this entity's id, its column with the target's id.
    Through { table: &'static str, from: &'static str, to: &'static str },
    /// Real Graph has it; here it leads to nothing.
    Nowhere,
}

impl Entity {
    /// Where `property`, one of this entity's own, comes from.
    pub(crate) fn source(&self, property: &'static Property) -> Source {
        let at = self.edm.properties.iter().position(|it| std::ptr::eq(it, property));
        at.map_or(Source::Null, |at| self.sources[at])
    }

    /// How `navigation`, one of this entity's own, is followed.
    pub(crate) fn link(&self, navigation: &'static Navigation) -> Option<Link> {
        let at = self.edm.navigations.iter().position(|it| std::ptr::eq(it, navigation))?;
        Some(self.links[at])
    }
}

/// Declares an [`Entity`] as a static: each property beside its source, each navigation beside its
/// link.
macro_rules! entity {
    (
        $(#[$doc:meta])*
        $name:ident = $graph:literal $(: $base:literal)? in $table:literal,
        in_group: $in_group:literal, open: $open:literal,
        $(derived: $derived:expr,)?
        order: $order:expr,
        properties: { $($property:expr => $source:expr;)* }
        navigations: { $($navigation:expr => $link:expr;)* }
        actions: $actions:expr
        $(, published: $published:expr)?
    ) => {
        $(#[$doc])*
        pub(crate) static $name: $crate::model::Entity = $crate::model::Entity {
            edm: odata::edm::EntityType {
                name: $graph,
                base: $crate::model::base(&[$($base)?]),
                open: $open,
                has_stream: $crate::model::any_stream($crate::model::derived(&[$($derived)?])),
                derived: $crate::model::derived(&[$($derived)?]),
                properties: &[$($property),*],
                navigations: &[$($navigation),*],
                actions: $actions,
                published: $crate::model::published(&[$($published)?]),
            },
            table: $table,
            in_group: $in_group,
            sources: &[$($source),*],
            links: &[$($link),*],
            order: $order,
        };
    };
}
pub(crate) use entity;

/// The base type of an entity's declaration, where it names one.
pub(crate) const fn base(names: &[&'static str]) -> Option<&'static str> {
    if names.is_empty() { None } else { Some(names[0]) }
}

/// The derived types of an entity's declaration, where it has any.
pub(crate) const fn derived(lists: &[&'static [DerivedType]]) -> &'static [DerivedType] {
    if lists.is_empty() { &[] } else { lists[0] }
}

/// Whether any of these types has a media stream.
pub(crate) const fn any_stream(types: &[DerivedType]) -> bool {
    let mut at = 0;
    while at < types.len() {
        if types[at].has_stream {
            return true;
        }
        at += 1;
    }
    false
}

/// Where an entity type is described: in every version, where its declaration does not say.
pub(crate) const fn published(named: &[Published]) -> Published {
    if named.is_empty() { Published::Always } else { named[0] }
}

/// All entities.
static ENTITIES: [&Entity; 15] = [
    &DIRECTORY_OBJECT,
    &GROUP,
    &USER,
    &CONVERSATION,
    &THREAD,
    &POST,
    &ATTACHMENT,
    &EXTENSION,
    &SINGLE_VALUE_PROPERTY,
    &MULTI_VALUE_PROPERTY,
    &MENTION,
    &POST_VERSION,
    &AUDIT_ENTRY,
    &JOIN_REQUEST,
    &GROUP_INVITATION,
];

/// The entity that `edm` is the protocol's side of.
pub(crate) fn entity_of(edm: &'static EntityType) -> &'static Entity {
    ENTITIES
        .iter()
        .find(|it| std::ptr::eq(&it.edm, edm))
        .expect("every entity type of MODEL stands in ENTITIES")
}

/// What stands behind `$metadata#` in the context of what `navigation` leads to from the entity whose own
/// is `from`, its key included: `groups('…')/conversations('…')` (OData 4.0, part 1, section 10).
pub(crate) fn context_of(navigation: &Navigation, from: &str) -> String {
    match (navigation.declared, navigation.contained) {
        (Some("directoryObject"), _) => "directoryObjects".into(),
        (_, false) => format!("{}s", (navigation.target)().name),
        (_, true) => format!("{from}/{}", navigation.name),
    }
}

/// The service as the protocol sees it.
pub(crate) static MODEL: Model = SERVICE;

/// Its beta version.
pub(crate) static BETA: Model = Model { beta: true, ..SERVICE };

/// What strict mode knows of it: nothing that real Graph does not have.
pub(crate) static STRICT: Model = Model { own: false, ..SERVICE };

/// The beta version of that.
pub(crate) static STRICT_BETA: Model = Model { beta: true, own: false, ..SERVICE };

const SERVICE: Model = Model {
    namespace: "microsoft.graph",
    own_namespace: "folkmoot",
    container: "GraphService",
    roots: &[
        Root { name: "groups", entity: || &GROUP.edm, singleton: false },
        Root { name: "users", entity: || &USER.edm, singleton: false },
        Root { name: "me", entity: || &USER.edm, singleton: true },
        Root { name: "directoryObjects", entity: || &DIRECTORY_OBJECT.edm, singleton: false },
    ],
    abstracts: shared::ABSTRACTS,
    entities: &[
        &DIRECTORY_OBJECT.edm,
        &GROUP.edm,
        &USER.edm,
        &CONVERSATION.edm,
        &THREAD.edm,
        &POST.edm,
        &ATTACHMENT.edm,
        &EXTENSION.edm,
        &SINGLE_VALUE_PROPERTY.edm,
        &MULTI_VALUE_PROPERTY.edm,
        &MENTION.edm,
        &POST_VERSION.edm,
        &AUDIT_ENTRY.edm,
        &JOIN_REQUEST.edm,
        &GROUP_INVITATION.edm,
    ],
    complexes: &[
        &shared::EMAIL_ADDRESS,
        &shared::RECIPIENT,
        &shared::ITEM_BODY,
        &shared::ATTACHMENT_ITEM,
        &shared::UPLOAD_SESSION,
    ],
    enums: &[
        &shared::BODY_TYPE,
        &shared::ATTACHMENT_TYPE,
        &post::IMPORTANCE,
        &attachment::PERMISSION,
        &attachment::PROVIDER,
    ],
    beta: false,
    own: true,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_a_source_and_every_navigation_a_link() {
        for entity in ENTITIES {
            assert_eq!(entity.edm.properties.len(), entity.sources.len(), "{}", entity.edm.name);
            assert_eq!(entity.edm.navigations.len(), entity.links.len(), "{}", entity.edm.name);
            assert_eq!(entity.edm.properties[0].name, "id", "{}", entity.edm.name);
        }
    }

    #[test]
    fn what_filters_or_sorts_can_be_compared() {
        for entity in ENTITIES {
            for (property, source) in entity.edm.properties.iter().zip(entity.sources) {
                let comparable = !matches!(
                    source,
                    Source::Shown(_)
                        | Source::Document(_)
                        | Source::BodyAs { .. }
                        | Source::Above(_)
                        | Source::Blob(_)
                );
                let named = property.filterable || property.sortable;
                assert!(comparable || !named, "{}/{}", entity.edm.name, property.name);
            }
        }
    }

    /// Kept answers are about one group and what is in it, and the service does not look into their
    /// filters: what is another for each caller can be filtered by on groups themselves alone.
    #[test]
    fn what_is_another_for_each_caller_is_filtered_on_groups_alone() {
        for entity in ENTITIES.iter().filter(|it| it.edm.name != "group") {
            for (property, source) in entity.edm.properties.iter().zip(entity.sources) {
                let per_caller = matches!(source, Source::PerCaller(_));
                assert!(!(per_caller && property.filterable), "{}", property.name);
            }
        }
    }
}
