//! The entity data model as plain `const` data: what a service declares once and everything reads.
//!
//! **Invariant:** nothing here is built at run time. A model is a set of `static`s that refer to each
//! other; cycles (`conversation` to `thread` and back) go through `fn() -> &'static EntityType`.
//!
//! Names follow OData's Common Schema Definition Language (CSDL) 4.01. Names are matched without
//! regard to ASCII case, as Graph matches them, and written as they are declared.

mod operation;

pub use operation::{Action, Parameter, ParameterType, ReturnType};

/// A primitive type of CSDL section 3.3, as far as services here use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Primitive {
    /// `Edm.Boolean`
    Boolean,
    /// `Edm.Int32`
    Int32,
    /// `Edm.Int64`
    Int64,
    /// `Edm.Double`
    Double,
    /// `Edm.String`
    String,
    /// `Edm.Guid`
    Guid,
    /// `Edm.DateTimeOffset`
    DateTimeOffset,
    /// `Edm.Binary`
    Binary,
}

impl Primitive {
    /// The qualified name, such as `Edm.String`.
    pub const fn name(self) -> &'static str {
        match self {
            Primitive::Boolean => "Edm.Boolean",
            Primitive::Int32 => "Edm.Int32",
            Primitive::Int64 => "Edm.Int64",
            Primitive::Double => "Edm.Double",
            Primitive::String => "Edm.String",
            Primitive::Guid => "Edm.Guid",
            Primitive::DateTimeOffset => "Edm.DateTimeOffset",
            Primitive::Binary => "Edm.Binary",
        }
    }
}

/// The type of one value (of one element, where a property is a collection).
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A primitive value.
    Primitive(Primitive),
    /// One of a fixed list of names.
    Enum(&'static EnumType),
    /// A structure without a key.
    Complex(&'static ComplexType),
    /// A whole entity that is kept as it was sent and shown by `$expand` alone.
    Document(&'static DocumentType),
}

impl Type {
    /// The unqualified name of an enum or complex type, the qualified one of a primitive.
    pub const fn name(self) -> &'static str {
        match self {
            Type::Primitive(primitive) => primitive.name(),
            Type::Enum(it) => it.name,
            Type::Complex(it) => it.name,
            Type::Document(it) => it.name,
        }
    }
}

/// An enumeration; its members are written in answers by name.
#[derive(Debug)]
pub struct EnumType {
    /// Unqualified name, such as `bodyType`.
    pub name: &'static str,
    /// Member names with their values.
    pub members: &'static [(&'static str, i32)],
    /// Where it is described.
    pub published: Published,
}

impl EnumType {
    /// The member of this name in any letter case, as it is declared.
    pub fn member(&self, name: &str) -> Option<&'static str> {
        self.members.iter().map(|(member, _)| *member).find(|it| it.eq_ignore_ascii_case(name))
    }
}

/// The type of a contained entity whose properties the service does not look into.
#[derive(Debug)]
pub struct DocumentType {
    /// Unqualified name of the declared type, such as `outlookItem`.
    pub name: &'static str,
    /// The types that a document may have, unqualified; it says which by `@odata.type`.
    pub derived: &'static [&'static str],
}

/// A structured value without a key.
#[derive(Debug)]
pub struct ComplexType {
    /// Unqualified name, such as `emailAddress`.
    pub name: &'static str,
    /// Its properties in the order in which they are written.
    pub properties: &'static [Property],
}

impl ComplexType {
    /// The property of this name, in any letter case.
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|it| it.name.eq_ignore_ascii_case(name))
    }
}

/// A structural property and what a request may do with it.
///
/// Built in const context: `Property::string("topic").required().filterable().sortable()`.
#[derive(Debug)]
pub struct Property {
    /// The name on the wire.
    pub name: &'static str,
    /// The type of the value, or of each element where `collection` is set.
    pub ty: Type,
    /// Whether the value is a collection.
    pub collection: bool,
    /// Whether null is a value of it.
    pub nullable: bool,
    /// Whether the description says that elements of the collection may be null; answers have none.
    pub nullable_items: bool,
    /// Whether `$filter` may name it.
    pub filterable: bool,
    /// Whether `$filter` may use it with string functions and order comparisons too; false for ids
    /// and keys, which compare by `eq`, `ne`, `in` and order only.
    pub textual: bool,
    /// Whether `$orderby` may name it.
    pub sortable: bool,
    /// Whether an answer holds it when no `$select` is given.
    pub by_default: bool,
    /// The abstract type that declares it, where it is not the type's own.
    pub inherited: Option<&'static str>,
    /// The derived types that alone have it; none: every entity has it.
    pub only: &'static [&'static str],
    /// Whether the service computes it: what a client sends for it is not looked at.
    pub computed: bool,
    /// Where it is described.
    pub published: Published,
    /// Whether the description leaves it out all the same: the protocol's answers have it, its own
    /// description does not.
    pub undescribed: bool,
}

/// Which description of the service a member stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The one of every version.
    Always,
    /// The one of the beta version alone, whose answers alone show it by default.
    Beta,
    /// None of the protocol's: only older clients know it, or it is the service's own. The schema of
    /// [`Model::own_namespace`] has it.
    Never,
}

impl Published {
    /// Whether the description of a version, beta or not, has it.
    pub const fn is_in(self, beta: bool) -> bool {
        match self {
            Published::Always => true,
            Published::Beta => beta,
            Published::Never => false,
        }
    }
}

impl Property {
    /// A nullable property of `ty` that can neither be filtered nor sorted and is shown by default.
    pub const fn new(name: &'static str, ty: Type) -> Property {
        Property {
            name,
            ty,
            collection: false,
            nullable: true,
            nullable_items: false,
            filterable: false,
            textual: false,
            sortable: false,
            by_default: true,
            inherited: None,
            only: &[],
            computed: false,
            published: Published::Always,
            undescribed: false,
        }
    }

    /// A nullable `Edm.String`.
    pub const fn string(name: &'static str) -> Property {
        Property { textual: true, ..Property::new(name, Type::Primitive(Primitive::String)) }
    }

    /// A string that is an identifier: compared exactly, no string functions.
    pub const fn key(name: &'static str) -> Property {
        Property::new(name, Type::Primitive(Primitive::String))
    }

    /// A nullable `Edm.Boolean`.
    pub const fn boolean(name: &'static str) -> Property {
        Property::new(name, Type::Primitive(Primitive::Boolean))
    }

    /// A nullable `Edm.Int32`.
    pub const fn int32(name: &'static str) -> Property {
        Property::new(name, Type::Primitive(Primitive::Int32))
    }

    /// A nullable `Edm.Int64`.
    pub const fn int64(name: &'static str) -> Property {
        Property::new(name, Type::Primitive(Primitive::Int64))
    }

    /// A nullable `Edm.DateTimeOffset`.
    pub const fn date_time(name: &'static str) -> Property {
        Property::new(name, Type::Primitive(Primitive::DateTimeOffset))
    }

    /// A nullable `Edm.Binary`.
    pub const fn binary(name: &'static str) -> Property {
        Property::new(name, Type::Primitive(Primitive::Binary))
    }

    /// A nullable value of a complex type.
    pub const fn complex(name: &'static str, ty: &'static ComplexType) -> Property {
        Property::new(name, Type::Complex(ty))
    }

    /// A nullable enum value.
    pub const fn enumeration(name: &'static str, ty: &'static EnumType) -> Property {
        Property::new(name, Type::Enum(ty))
    }

    /// Null is not a value of it.
    pub const fn required(self) -> Property {
        Property { nullable: false, ..self }
    }

    /// A collection of such values; never null in answers.
    pub const fn many(self) -> Property {
        Property { collection: true, nullable: false, ..self }
    }

    /// The same, where the description does not rule out null elements.
    pub const fn many_nullable(self) -> Property {
        Property { nullable_items: true, ..self.many() }
    }

    /// `$filter` may name it.
    pub const fn filterable(self) -> Property {
        Property { filterable: true, ..self }
    }

    /// `$orderby` may name it.
    pub const fn sortable(self) -> Property {
        Property { sortable: true, ..self }
    }

    /// Shown only when `$select` asks for it.
    pub const fn on_request(self) -> Property {
        Property { by_default: false, ..self }
    }

    /// Declared by the abstract type `name`.
    pub const fn from(self, name: &'static str) -> Property {
        Property { inherited: Some(name), ..self }
    }

    /// Declared by these derived types: entities of others do not have it.
    pub const fn only(self, types: &'static [&'static str]) -> Property {
        Property { only: types, ..self }
    }

    /// Computed by the service; what is sent for it is not looked at.
    pub const fn computed(self) -> Property {
        Property { computed: true, ..self }
    }

    /// Described in these versions alone.
    pub const fn published(self, published: Published) -> Property {
        Property { published, ..self }
    }

    /// In answers of its versions, in no description.
    pub const fn undescribed(self) -> Property {
        Property { undescribed: true, ..self }
    }

    /// A contained entity, shown by `$expand` alone.
    pub const fn document(name: &'static str, ty: &'static DocumentType) -> Property {
        Property::new(name, Type::Document(ty)).on_request()
    }
}

/// A way from one entity to others.
#[derive(Debug)]
pub struct Navigation {
    /// The name on the wire and in paths.
    pub name: &'static str,
    /// The type that the entities reached are known to have; `$select` and `$filter` bind against it.
    pub target: fn() -> &'static EntityType,
    /// The declared type where it is wider than `target` (`directoryObject`, `attachment`): then each
    /// entity in an answer carries `@odata.type`, and each one in a request must.
    pub declared: Option<&'static str>,
    /// Whether it leads to a collection.
    pub collection: bool,
    /// Whether the entities live inside this one (`ContainsTarget`).
    pub contained: bool,
    /// Whether the description says that they do: Graph's says it of some lists of references too.
    pub described_contained: bool,
    /// Whether `$expand` may name it.
    pub expandable: bool,
    /// Whether a deep POST may carry entities of it.
    pub insertable: bool,
    /// Whether its entities come in the reverse of the order in which others of their type do.
    pub reversed: bool,
    /// Where it is described.
    pub published: Published,
}

impl Navigation {
    /// A contained collection that can be expanded.
    pub const fn many(name: &'static str, target: fn() -> &'static EntityType) -> Navigation {
        Navigation {
            name,
            target,
            declared: None,
            collection: true,
            contained: true,
            described_contained: true,
            expandable: true,
            insertable: false,
            reversed: false,
            published: Published::Always,
        }
    }

    /// A contained single entity.
    pub const fn one(name: &'static str, target: fn() -> &'static EntityType) -> Navigation {
        Navigation { collection: false, ..Navigation::many(name, target) }
    }

    /// The entities live elsewhere; they are added and removed by `$ref`.
    pub const fn referenced(self) -> Navigation {
        Navigation { contained: false, described_contained: false, ..self }
    }

    /// The description says all the same that the entities live inside this one.
    pub const fn described_contained(self) -> Navigation {
        Navigation { described_contained: true, ..self }
    }

    /// The declared type is the wider `name`.
    pub const fn declared(self, name: &'static str) -> Navigation {
        Navigation { declared: Some(name), ..self }
    }

    /// A deep POST may carry entities of it.
    pub const fn insertable(self) -> Navigation {
        Navigation { insertable: true, ..self }
    }

    /// Its entities come in the reverse of their type's order, where none is asked for.
    pub const fn reversed(self) -> Navigation {
        Navigation { reversed: true, ..self }
    }

    /// `$expand` refuses it.
    pub const fn not_expandable(self) -> Navigation {
        Navigation { expandable: false, ..self }
    }

    /// Described in these versions alone.
    pub const fn published(self, published: Published) -> Navigation {
        Navigation { published, ..self }
    }
}

/// A type with a key named `id`.
#[derive(Debug)]
pub struct EntityType {
    /// Unqualified name, such as `conversationThread`.
    pub name: &'static str,
    /// The abstract type it derives from, by name.
    pub base: Option<&'static str>,
    /// Whether it may carry undeclared properties.
    pub open: bool,
    /// Whether it, or a type derived from it, has a media stream (`$value`).
    pub has_stream: bool,
    /// The types that its entities have, where it is abstract itself; each entity in an answer then
    /// carries `@odata.type`, and each one in a request must.
    pub derived: &'static [DerivedType],
    /// All properties, inherited ones too, in the order in which they are written.
    pub properties: &'static [Property],
    /// The ways onward.
    pub navigations: &'static [Navigation],
    /// What can be called on it, or on a collection of it.
    pub actions: &'static [Action],
    /// Where it is described.
    pub published: Published,
}

/// A concrete type of the entities of an abstract one, whose properties the abstract one holds.
#[derive(Debug)]
pub struct DerivedType {
    /// Unqualified name, such as `fileAttachment`.
    pub name: &'static str,
    /// Whether it has a media stream.
    pub has_stream: bool,
}

impl EntityType {
    /// The derived type of this name, with or without a namespace, in any letter case.
    pub fn derived(&self, name: &str) -> Option<&'static DerivedType> {
        let name = unqualified(name);
        self.derived.iter().find(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// The property of this name, in any letter case.
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// The navigation of this name, in any letter case.
    pub fn navigation(&self, name: &str) -> Option<&'static Navigation> {
        self.navigations.iter().find(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// The action of this name bound to one entity (or to the collection), in any letter case.
    pub fn action(&self, name: &str, on_collection: bool) -> Option<&'static Action> {
        self.actions
            .iter()
            .find(|it| it.on_collection == on_collection && it.name.eq_ignore_ascii_case(name))
    }
}

/// An abstract type that others derive from; it appears in `$metadata` and in type annotations only.
#[derive(Debug)]
pub struct AbstractType {
    /// Unqualified name.
    pub name: &'static str,
    /// The abstract type it derives from.
    pub base: Option<&'static str>,
    /// Whether it may carry undeclared properties.
    pub open: bool,
    /// Its own properties.
    pub properties: &'static [Property],
}

/// A named collection or single entity at the service's root.
#[derive(Debug)]
pub struct Root {
    /// Name in the path, such as `groups` or `me`.
    pub name: &'static str,
    /// Type of its entities.
    pub entity: fn() -> &'static EntityType,
    /// A singleton and not a set.
    pub singleton: bool,
}

/// A whole service.
#[derive(Debug)]
pub struct Model {
    /// Namespace of the protocol's types, such as `microsoft.graph`.
    pub namespace: &'static str,
    /// Namespace of what is the service's own beside the protocol's. Where the own name of a navigation,
    /// an action or (behind `@`) a property must collide with none of the protocol's, it begins with this.
    pub own_namespace: &'static str,
    /// Name of the entity container.
    pub container: &'static str,
    /// Entity sets and singletons.
    pub roots: &'static [Root],
    /// Abstract types.
    pub abstracts: &'static [AbstractType],
    /// Entity types.
    pub entities: &'static [&'static EntityType],
    /// Complex types.
    pub complexes: &'static [&'static ComplexType],
    /// Enumerations.
    pub enums: &'static [&'static EnumType],
    /// Whether this is the beta version's: it knows what the other does not.
    pub beta: bool,
    /// Whether this version has what is the service's own.
    pub own: bool,
}

impl Model {
    /// Whether this version knows what is published there.
    pub const fn knows(&self, published: Published) -> bool {
        match published {
            Published::Always => true,
            Published::Beta => self.beta,
            Published::Never => self.own,
        }
    }

    /// The property of this name that this version of the service knows, in any letter case.
    pub fn property(&self, entity: &EntityType, name: &str) -> Option<&'static Property> {
        entity.property(name).filter(|it| self.knows(it.published))
    }

    /// The navigation of this name that this version of the service knows, in any letter case.
    pub fn navigation(&self, entity: &EntityType, name: &str) -> Option<&'static Navigation> {
        entity.navigation(name).filter(|it| self.knows(it.published))
    }

    /// The qualified name of a type.
    pub fn qualified(&self, name: &str) -> String {
        let own = |it: &&EntityType| it.name == name && it.published == Published::Never;
        let is_own = self.entities.iter().copied().any(|it| own(&it));
        format!("{}.{name}", if is_own { self.own_namespace } else { self.namespace })
    }

    /// A name of the service's own without its namespace: `folkmoot.messages` and `@folkmoot.topic` give
    /// `messages` and `topic`.
    pub fn own_name<'n>(&self, name: &'n str) -> Option<&'n str> {
        let name = name.strip_prefix('@').unwrap_or(name);
        let (namespace, rest) = name.split_at_checked(self.own_namespace.len())?;
        let is_own = namespace.eq_ignore_ascii_case(self.own_namespace);
        rest.strip_prefix('.').filter(|_| is_own)
    }

    /// What `*` stands for in `$select`: what this version describes.
    pub fn describes(&self, property: &Property) -> bool {
        property.published.is_in(self.beta)
    }

    /// The entity set or singleton of this name, in any letter case.
    pub fn root(&self, name: &str) -> Option<&'static Root> {
        self.roots.iter().find(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// The entity type named by `@odata.type` or a type cast: with or without `#`, with any
    /// namespace, in any letter case (clients send `#Microsoft.OutlookServices.Post` too).
    pub fn entity(&self, name: &str) -> Option<&'static EntityType> {
        let name = unqualified(name);
        self.entities.iter().copied().find(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// Whether `entity` derives, directly or not, from the abstract type named `ancestor`.
    pub fn derives(&self, entity: &EntityType, ancestor: &str) -> bool {
        let parent = |name: &&str| {
            let of = self.abstracts.iter().find(|it| it.name == *name).map(|it| it.base);
            of.or_else(|| self.entities.iter().find(|it| it.name == *name).map(|it| it.base))?
        };
        std::iter::successors(entity.base, parent).any(|it| it.eq_ignore_ascii_case(ancestor))
    }
}

/// The last part of a qualified type name: `#microsoft.graph.post` gives `post`.
pub fn unqualified(name: &str) -> &str {
    let name = name.strip_prefix('#').unwrap_or(name);
    name.rsplit('.').next().unwrap_or(name)
}
