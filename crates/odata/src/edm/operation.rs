//! What can be called on entities: actions, their parameters and what they return.
//!
//! **Invariant:** an action is bound to one entity type, or to collections of it.

use super::{EntityType, Published, Type};

/// A bound action or function parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Name as CSDL declares it; clients send it in any letter case.
    pub name: &'static str,
    /// What it carries.
    pub ty: ParameterType,
    /// Whether it must be present and not null.
    pub required: bool,
}

/// The type of an action's parameter.
#[derive(Clone, Copy, Debug)]
pub enum ParameterType {
    /// A value or, with `true`, a collection of values.
    Value(Type, bool),
    /// A whole entity.
    Entity(fn() -> &'static EntityType),
}

/// What an action returns.
#[derive(Clone, Copy, Debug)]
pub enum ReturnType {
    /// One value.
    Value(Type),
    /// A collection of entities.
    Entities(fn() -> &'static EntityType),
}

/// An action bound to an entity or to a collection of them.
#[derive(Debug)]
pub struct Action {
    /// Unqualified name, such as `reply`.
    pub name: &'static str,
    /// Whether it is bound to the collection and not to one entity.
    pub on_collection: bool,
    /// Its parameters without the binding one.
    pub parameters: &'static [Parameter],
    /// What a call of it answers with, where it is not nothing.
    pub returns: Option<ReturnType>,
    /// Where it is described.
    pub published: Published,
}

impl Action {
    /// An action on one entity, without parameters, described in every version.
    pub const fn new(name: &'static str) -> Action {
        let published = Published::Always;
        Action { name, on_collection: false, parameters: &[], returns: None, published }
    }

    /// The same on a collection of entities.
    pub const fn on_collection(self) -> Action {
        Action { on_collection: true, ..self }
    }

    /// With these parameters.
    pub const fn with(self, parameters: &'static [Parameter]) -> Action {
        Action { parameters, ..self }
    }

    /// A call of it answers with this.
    pub const fn returning(self, returns: ReturnType) -> Action {
        Action { returns: Some(returns), ..self }
    }

    /// Described in these versions alone.
    pub const fn published(self, published: Published) -> Action {
        Action { published, ..self }
    }
}
