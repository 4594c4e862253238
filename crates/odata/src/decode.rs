//! A JSON body as a typed entity: every member resolved against the model, every value typed.
//!
//! **Invariant:** a record holds no member that its type does not declare, except in `dynamic` of an
//! open type.

mod entity;
mod error;
mod values;

#[cfg(test)]
mod tests;

pub use entity::{decode_entity, decode_parameters};
pub use error::{DecodeError, DecodeProblem};

use crate::edm::{DerivedType, EntityType, Navigation, Property};
use crate::json::Json;
use crate::value::{DateTimeOffset, Value};

/// An entity as a client sent it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its type.
    pub entity: &'static EntityType,
    /// Which of the types derived from it, where it is abstract and the body names one of them.
    pub derived: Option<&'static DerivedType>,
    /// Where it stands in the body, such as `threads[0].posts[0]`; empty at the top.
    pub at: String,
    /// `@odata.type`, as sent.
    pub type_sent: Option<String>,
    /// `@odata.id`, as sent: the body is a reference to an existing entity.
    pub reference: Option<String>,
    /// Its properties in the order in which they were sent.
    pub properties: Vec<(&'static Property, Field)>,
    /// Related entities sent along (deep insert); a null or absent navigation is left out.
    pub children: Vec<(&'static Navigation, Vec<Record>)>,
    /// `name@odata.bind`: links to existing entities.
    pub binds: Vec<(&'static Navigation, Vec<String>)>,
    /// Undeclared members of an open type.
    pub dynamic: Vec<(String, Json)>,
}

impl Record {
    /// Takes the property of this name out of the record: `None` where it was not sent. The name must
    /// be one that the type declares.
    pub fn take(&mut self, name: &str) -> Option<Field> {
        debug_assert!(self.entity.property(name).is_some(), "{} has no {name}", self.entity.name);
        let at = self.properties.iter().position(|(it, _)| it.name == name)?;
        Some(self.properties.remove(at).1)
    }

    /// Takes the related entities of this navigation out of the record: `None` where none were sent.
    /// The name must be one that the type declares.
    pub fn take_children(&mut self, name: &str) -> Option<Vec<Record>> {
        debug_assert!(self.entity.navigation(name).is_some(), "{} has no {name}", self.entity.name);
        let at = self.children.iter().position(|(it, _)| it.name == name)?;
        Some(self.children.remove(at).1)
    }
}

/// The value of one property.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// `null`
    Null,
    /// A primitive value or an enum member (as the model spells it).
    Value(Value),
    /// A complex value: the members that were sent.
    Complex(Vec<(&'static str, Field)>),
    /// A collection of either.
    Collection(Vec<Field>),
    /// A contained document: the unqualified name of its type, and all of it as it was sent.
    Document(&'static str, Json),
}

impl Field {
    /// The text of a string or enum value; `None` for null and every other type.
    pub fn into_string(self) -> Option<String> {
        match self {
            Field::Value(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A truth value; `None` for null and every other type.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Field::Value(Value::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    /// A point in time; `None` for null and every other type.
    pub fn as_time(&self) -> Option<DateTimeOffset> {
        match self {
            Field::Value(Value::DateTimeOffset(time)) => Some(*time),
            _ => None,
        }
    }

    /// The member of a complex value, by its name as the model spells it; `None` where it was not sent.
    pub fn member(&self, name: &str) -> Option<&Field> {
        match self {
            Field::Complex(members) => {
                members.iter().find(|(it, _)| *it == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

/// The value of an action's parameter.
#[derive(Clone, Debug)]
pub enum Argument {
    /// A value or a collection of values.
    Field(Field),
    /// A whole entity.
    Record(Record),
}
