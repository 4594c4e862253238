//! Paths to single values, and literals of their types.
//!
//! **Invariant:** an [`Operand`] names a property whose declaration allows the use that was asked for.

use super::query::without_cast;
use super::scalar::Ty;
use super::{BindError, Member};
use crate::edm::{EntityType, Model, Primitive, Property, Type};
use crate::value::{
    DateTimeOffset, Value, parse_date, parse_duration, parse_guid, parse_time_of_day, write_guid,
};

/// Binds the expressions of one option.
pub(super) struct Binder<'a> {
    pub(super) model: &'a Model,
    pub(super) option: &'static str,
    /// The entity itself under the name `$it`, then the variables of the lambdas around.
    pub(super) scopes: Vec<(String, Range)>,
}

/// What a variable stands for.
#[derive(Clone, Copy)]
pub(super) enum Range {
    Entity(&'static EntityType),
    /// An element of this collection.
    Element(&'static Property),
}

/// A resolved path to a value.
pub(super) struct Operand {
    pub(super) member: Member,
    /// As it was sent.
    pub(super) text: String,
    /// The last of the path; for a variable on its own, the collection that it goes through.
    pub(super) property: &'static Property,
    pub(super) collection: bool,
}

/// The properties along a path into complex values that begins at `property`.
pub(super) fn descend(
    model: &Model,
    property: &'static Property,
    path: &[String],
    option: &'static str,
) -> Result<Vec<&'static Property>, BindError> {
    let mut found = vec![property];
    let mut at = property;
    for name in path {
        // Only $select goes on into the elements of a collection; elsewhere that takes a lambda.
        let inner = if at.collection && option != "$select" { None } else { within(at.ty, name) };
        at = inner.ok_or_else(|| {
            let ty = type_name(model, at.ty);
            let ty = if at.collection { format!("Collection({ty})") } else { ty };
            BindError::UnknownProperty { name: name.clone(), ty, option }
        })?;
        found.push(at);
    }
    Ok(found)
}

fn within(ty: Type, name: &str) -> Option<&'static Property> {
    match ty {
        Type::Complex(ty) => ty.property(name),
        _ => None,
    }
}

fn type_name(model: &Model, ty: Type) -> String {
    match ty {
        Type::Primitive(it) => it.name().to_owned(),
        it => format!("{}.{}", model.namespace, it.name()),
    }
}

impl<'a> Binder<'a> {
    pub(super) fn new(
        model: &'a Model,
        entity: &'static EntityType,
        option: &'static str,
    ) -> Binder<'a> {
        Binder { model, option, scopes: vec![("$it".to_owned(), Range::Entity(entity))] }
    }

    /// The scope that a path starts from, and the rest of it.
    pub(super) fn start<'p>(&self, path: &'p [String]) -> (usize, &'p [String]) {
        let variable = path.first().and_then(|first| {
            self.scopes.iter().position(|(name, _)| name.eq_ignore_ascii_case(first))
        });
        let (scope, rest) = variable.map_or((0, path), |scope| (scope, &path[1..]));
        match self.scopes[scope].1 {
            Range::Entity(entity) => (scope, without_cast(self.model, entity, rest)),
            Range::Element(_) => (scope, rest),
        }
    }

    /// A path to a property, where its declaration `allows` that, and where the declaration of the
    /// property of the entity that the path starts from does too.
    pub(super) fn operand(
        &self,
        path: &[String],
        allows: impl Fn(&Property) -> bool,
    ) -> Result<Operand, BindError> {
        let (option, text) = (self.option, path.join("/"));
        let (scope, rest) = self.start(path);
        if let Some(name) = rest.iter().find(|it| it.starts_with(['$', '@'])) {
            let kind = if name.starts_with('@') { "the parameter alias " } else { "" };
            return Err(self.unsupported(format!("{kind}'{name}'")));
        }
        let range = self.scopes[scope].1;
        let found = match rest.split_first() {
            Some((first, rest)) => descend(self.model, self.first(range, first)?, rest, option)?,
            None => Vec::new(),
        };
        let (property, allowed, ty) = match (range, &found[..]) {
            (Range::Entity(entity), [first, .., last]) => {
                (*last, allows(first) && allows(last), entity.name)
            }
            (Range::Entity(entity), [only]) => (*only, allows(only), entity.name),
            // The collection that a variable goes through was asked when its lambda was bound.
            (Range::Element(it), [.., last]) => (*last, allows(last), it.ty.name()),
            (Range::Element(it), []) => (it, true, it.ty.name()),
            (Range::Entity(entity), []) => {
                return Err(BindError::NotAllowed { property: text, ty: entity.name, option });
            }
        };
        if !allowed {
            return Err(BindError::NotAllowed { property: text, ty, option });
        }
        let collection = property.collection && !found.is_empty();
        Ok(Operand { member: Member { scope, path: found }, text, property, collection })
    }

    /// The first property of a path.
    fn first(&self, range: Range, name: &str) -> Result<&'static Property, BindError> {
        let option = self.option;
        let (found, ty) = match range {
            Range::Entity(entity) => {
                let found = self.model.property(entity, name);
                if found.is_none() && self.model.navigation(entity, name).is_some() {
                    let property = name.to_owned();
                    return Err(BindError::NotAllowed { property, ty: entity.name, option });
                }
                (found, format!("{}.{}", self.model.namespace, entity.name))
            }
            Range::Element(it) => (within(it.ty, name), type_name(self.model, it.ty)),
        };
        found.ok_or_else(|| BindError::UnknownProperty { name: name.to_owned(), ty, option })
    }

    /// Refuses collections and complex values.
    pub(super) fn scalar(&self, operand: &Operand, used: &str) -> Result<(), BindError> {
        match operand.property.ty {
            _ if operand.collection => {
                Err(self.unfit(operand, format!("{used} as a whole: use any or all")))
            }
            Type::Complex(_) => {
                Err(self.unfit(operand, format!("{used} as a whole: name one of its members")))
            }
            _ => Ok(()),
        }
    }

    /// The type of an operand, in words.
    pub(super) fn describe(&self, operand: &Operand) -> String {
        let property = operand.property;
        let name = type_name(self.model, property.ty);
        match property.ty {
            _ if operand.collection => format!("a collection of {name}"),
            Type::Primitive(Primitive::String) if !property.textual => {
                "an identifier (Edm.String)".to_owned()
            }
            Type::Enum(ty) => {
                let members: Vec<_> = ty.members.iter().map(|(name, _)| *name).collect();
                format!("one of '{}' ({name})", members.join("', '"))
            }
            _ => name,
        }
    }

    fn unfit(&self, operand: &Operand, used: String) -> BindError {
        let (property, is) = (operand.text.clone(), self.describe(operand));
        BindError::Mismatch { property, is, used, option: self.option }
    }

    pub(super) fn unsupported(&self, what: impl Into<String>) -> BindError {
        BindError::unsupported(what, self.option)
    }
}

/// A literal as a value of a type; a GUID may stand for the text of an identifier, and a quoted string
/// for a GUID, a date, a time or a duration.
pub(super) fn primitive(ty: Ty, literal: &Value) -> Option<Value> {
    match (ty, literal) {
        (Ty::Key, Value::Guid(guid)) => {
            let mut text = Vec::with_capacity(36);
            write_guid(guid, &mut text);
            String::from_utf8(text).ok().map(Value::String)
        }
        (Ty::Double, Value::Int(value)) => Some(Value::Double(*value as f64)),
        (Ty::Instant, Value::String(text)) => {
            DateTimeOffset::parse(text).map(Value::DateTimeOffset)
        }
        (Ty::Guid, Value::String(text)) => parse_guid(text).map(Value::Guid),
        (Ty::Date, Value::String(text)) => parse_date(text).map(Value::Date),
        (Ty::TimeOfDay, Value::String(text)) => parse_time_of_day(text).map(Value::TimeOfDay),
        (Ty::Duration, Value::String(text)) => parse_duration(text).map(Value::Duration),
        (Ty::Boolean, Value::Boolean(_))
        // A whole number is compared with any number.
        | (Ty::Whole, Value::Int(_) | Value::Double(_))
        | (Ty::Double, Value::Double(_))
        | (Ty::Text | Ty::Key, Value::String(_))
        | (Ty::Guid, Value::Guid(_))
        | (Ty::Instant, Value::DateTimeOffset(_))
        | (Ty::Date, Value::Date(_))
        | (Ty::TimeOfDay, Value::TimeOfDay(_))
        | (Ty::Duration, Value::Duration(_))
        | (Ty::Binary, Value::Binary(_)) => Some(literal.clone()),
        _ => None,
    }
}
