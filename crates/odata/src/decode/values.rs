//! Property values out of JSON, typed by the model (OData JSON Format 4.01, section 7).
//!
//! **Invariant:** a value that is accepted is of its declared type; nothing is rounded or guessed.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::Field;
use super::entity::{annotation, own_annotation};
use super::error::{DecodeError, DecodeProblem, Place};
use crate::edm::{ComplexType, DocumentType, EnumType, Model, Primitive, Type, unqualified};
use crate::json::Json;
use crate::value::{DateTimeOffset, Value, parse_guid};

/// How much of a refused string an error text repeats, in code points.
const FOUND_CHARS_MAX: usize = 60;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// Decodes against one model; its namespace appears in error texts.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'m> {
    pub(super) model: &'m Model,
}

impl Decoder<'_> {
    pub(super) fn qualified(&self, name: &str) -> String {
        format!("{}.{name}", self.model.namespace)
    }

    /// A value, or with `collection` an array of values. The recursion goes as deep as complex types
    /// stand in one another in the model.
    pub(super) fn value(
        &self,
        ty: Type,
        collection: bool,
        nullable: bool,
        json: Json,
        place: &Place<'_>,
    ) -> Result<Field, DecodeError> {
        match json {
            Json::Null if nullable => Ok(Field::Null),
            Json::Null => Err(place.error(DecodeProblem::Null)),
            Json::Array(items) if collection => {
                let items = items.into_iter().enumerate();
                let fields = items
                    .map(|(index, item)| self.value(ty, false, false, item, &place.index(index)));
                fields.collect::<Result<_, _>>().map(Field::Collection)
            }
            other if collection => Err(mismatch(place, "an array", &other)),
            other => match ty {
                Type::Primitive(primitive) => self::primitive(primitive, other, place),
                Type::Enum(ty) => self.enumeration(ty, nullable, &other, place),
                Type::Complex(ty) => self.complex(ty, other, place),
                Type::Document(ty) => self.document(ty, other, place),
            },
        }
    }

    /// An object that is kept as it is, once it has said which of the types it may have it has.
    fn document(
        &self,
        ty: &'static DocumentType,
        json: Json,
        place: &Place<'_>,
    ) -> Result<Field, DecodeError> {
        let Json::Object(members) = &json else {
            return Err(mismatch(place, "a JSON object", &json));
        };
        let names: Vec<_> = ty.derived.iter().map(|it| self.qualified(it)).collect();
        let accepted = format!("'#{}'", names.join("', '#"));
        let Some(sent) = own_annotation(members, "type", place)? else {
            return Err(place.error(DecodeProblem::TypeRequired { accepted }));
        };
        match ty.derived.iter().find(|it| unqualified(&sent).eq_ignore_ascii_case(it)) {
            Some(name) => Ok(Field::Document(name, json)),
            None => Err(place.error(DecodeProblem::TypeRefused { sent, accepted })),
        }
    }

    fn enumeration(
        &self,
        ty: &'static EnumType,
        nullable: bool,
        json: &Json,
        place: &Place<'_>,
    ) -> Result<Field, DecodeError> {
        match json.as_str() {
            // Some clients send an empty string for a value that is not set.
            Some("") if nullable => return Ok(Field::Null),
            Some(text) => {
                if let Some(member) = ty.member(text) {
                    return Ok(Field::Value(Value::String(member.to_owned())));
                }
            }
            None => {}
        }
        let members: Vec<&str> = ty.members.iter().map(|(name, _)| *name).collect();
        let expected = format!("one of '{}' ({})", members.join("', '"), self.qualified(ty.name));
        Err(mismatch(place, &expected, json))
    }

    fn complex(
        &self,
        ty: &'static ComplexType,
        json: Json,
        place: &Place<'_>,
    ) -> Result<Field, DecodeError> {
        let Json::Object(members) = json else {
            let expected = format!("a JSON object ({})", self.qualified(ty.name));
            return Err(mismatch(place, &expected, &json));
        };
        own_annotation(&members, "type", place)?;
        let mut fields = Vec::with_capacity(members.len());
        for (name, value) in members {
            if annotation(&name).is_some() {
                continue;
            }
            let Some(property) = ty.property(&name) else {
                let problem = DecodeProblem::Unknown { ty: self.qualified(ty.name) };
                return Err(place.member(&name).error(problem));
            };
            let place = place.member(property.name);
            let field =
                self.value(property.ty, property.collection, property.nullable, value, &place)?;
            fields.push((property.name, field));
        }
        Ok(Field::Complex(fields))
    }
}

fn primitive(ty: Primitive, json: Json, place: &Place<'_>) -> Result<Field, DecodeError> {
    let value = match (ty, json) {
        // First and by itself: a post's body is moved, not copied.
        (Primitive::String, Json::String(text)) => Ok(Value::String(text)),
        (_, json) => not_string(ty, &json).ok_or(json),
    };
    value.map(Field::Value).map_err(|json| mismatch(place, expected(ty), &json))
}

fn not_string(ty: Primitive, json: &Json) -> Option<Value> {
    match (ty, json) {
        (Primitive::Boolean, Json::Bool(value)) => Some(Value::Boolean(*value)),
        (Primitive::Int32, Json::Number(number)) => {
            number.as_i64().filter(|it| i32::try_from(*it).is_ok()).map(Value::Int)
        }
        (Primitive::Int64, Json::Number(number)) => number.as_i64().map(Value::Int),
        // As a string with IEEE754Compatible=true: section 3.2 of the JSON format.
        (Primitive::Int64, Json::String(text)) => text.parse().ok().map(Value::Int),
        (Primitive::Double, Json::Number(number)) => number.as_f64().map(Value::Double),
        (Primitive::Guid, Json::String(text)) => parse_guid(text).map(Value::Guid),
        (Primitive::DateTimeOffset, Json::String(text)) => {
            DateTimeOffset::parse(text).map(Value::DateTimeOffset)
        }
        (Primitive::Binary, Json::String(text)) => binary(text).map(Value::Binary),
        _ => None,
    }
}

const fn expected(ty: Primitive) -> &'static str {
    match ty {
        Primitive::Boolean => "true or false (Edm.Boolean)",
        Primitive::Int32 => "a whole number from -2147483648 to 2147483647 (Edm.Int32)",
        Primitive::Int64 => "a whole number of at most 64 bits (Edm.Int64)",
        Primitive::Double => "a number (Edm.Double)",
        Primitive::String => "a string (Edm.String)",
        Primitive::Guid => "a string with a GUID (Edm.Guid)",
        Primitive::DateTimeOffset => {
            "a string with date, time and offset such as '2017-01-01T00:00:00Z' (Edm.DateTimeOffset)"
        }
        Primitive::Binary => "a string in base64 (Edm.Binary)",
    }
}

fn binary(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).ok()
}

/// The error for a value of another type, or of this type's JSON type but no value of it.
pub(super) fn mismatch(place: &Place<'_>, expected: &str, json: &Json) -> DecodeError {
    let found = match json {
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => match text.char_indices().nth(FOUND_CHARS_MAX) {
            Some((end, _)) => format!("'{}…'", &text[..end]),
            None => format!("'{text}'"),
        },
        other => other.type_name().to_owned(),
    };
    place.error(DecodeProblem::Mismatch { expected: expected.to_owned(), found })
}
