//! The model as JSON Schema, in the form in which OpenAPI 3.1 has it (2020-12).
//!
//! **Invariant:** the schemas depend on the model alone and describe answers: what a version does not know
//! is in none of them. Nothing is required, since `$select` may leave out anything; who describes an
//! answer says what it has all the same.

use serde_json::{Map, Value, json};

use crate::edm::{
    Action, ComplexType, EntityType, EnumType, Model, Navigation, ParameterType, Primitive,
    Property, Type,
};

/// Annotations may stand in every object, and name what they are about before an `@`.
const ANNOTATION: &str = "@";

/// `components/schemas`: each type of the model under its qualified name, and for each entity type that
/// of a page of its entities.
pub fn schemas(model: &Model) -> Map<String, Value> {
    let mut schemas = Map::new();
    for ty in model.enums {
        schemas.insert(model.qualified(ty.name), enumeration(ty));
    }
    for ty in model.complexes {
        schemas.insert(model.qualified(ty.name), complex(model, ty));
    }
    for ty in model.entities.iter().filter(|it| model.knows(it.published)) {
        for (name, schema) in entity(model, ty) {
            schemas.insert(model.qualified(name), schema);
        }
        let items = json!({"type": "array", "items": answered(model, ty.name)});
        schemas.insert(page_name(model, ty.name), page(&items));
    }
    schemas
}

/// A reference to the schema of a type.
pub fn reference(model: &Model, name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", model.qualified(name))})
}

/// An entity of this type as answers hold it: `id` comes along whatever was selected.
pub fn answered(model: &Model, name: &str) -> Value {
    let mut schema = reference(model, name);
    schema["required"] = json!(["id"]);
    schema
}

/// A reference to the schema of a page of entities of this type.
pub fn page_of(model: &Model, name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", page_name(model, name))})
}

/// A collection as an answer has it (OData JSON Format 4.01, section 12), its `value` of this schema.
pub fn page(value: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "@odata.context": {"type": "string"},
            "@odata.count": {"type": "integer", "minimum": 0},
            "@odata.nextLink": {"type": "string"},
            "value": value,
        },
        "required": ["value"],
        "patternProperties": {(ANNOTATION): true},
        "additionalProperties": false,
    })
}

/// The body of an action's call.
pub fn arguments(model: &Model, action: &Action) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in action.parameters {
        let schema = match parameter.ty {
            ParameterType::Value(ty, collection) => {
                value(model, ty, collection, !parameter.required)
            }
            ParameterType::Entity(entity) => reference(model, entity().name),
        };
        properties.insert(parameter.name.to_owned(), schema);
        if parameter.required {
            required.push(parameter.name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required})
}

fn page_name(model: &Model, name: &str) -> String {
    format!("{}CollectionResponse", model.qualified(name))
}

fn enumeration(ty: &EnumType) -> Value {
    let names: Vec<_> = ty.members.iter().map(|(name, _)| *name).collect();
    json!({"type": "string", "enum": names})
}

fn complex(model: &Model, ty: &ComplexType) -> Value {
    object(properties(model, ty.properties.iter()), false)
}

/// The schemas of an entity type: its own, and those of the types that stand in it. One whose entities
/// all have another type is any of those.
fn entity(model: &Model, ty: &EntityType) -> Vec<(&'static str, Value)> {
    if ty.derived.is_empty() {
        return vec![(ty.name, object(members(model, ty, None), ty.open))];
    }
    let any: Vec<_> = ty.derived.iter().map(|it| reference(model, it.name)).collect();
    let mut schemas = vec![(ty.name, json!({"anyOf": any}))];
    for derived in ty.derived {
        // One that is declared on its own is described there.
        if !model.entities.iter().any(|it| it.name == derived.name) {
            let mut members = members(model, ty, Some(derived.name));
            let named = json!({"const": format!("#{}", model.qualified(derived.name))});
            members.insert("@odata.type".to_owned(), named);
            schemas.push((derived.name, object(members, ty.open)));
        }
    }
    schemas
}

/// The properties and navigations of an entity type, or of one of the types that stand in it.
fn members(model: &Model, ty: &EntityType, derived: Option<&str>) -> Map<String, Value> {
    let has = |it: &&Property| {
        let own = it.only.is_empty() || derived.is_some_and(|name| it.only.contains(&name));
        own && model.knows(it.published)
    };
    let mut members = properties(model, ty.properties.iter().filter(has));
    let known = ty.navigations.iter().filter(|it| it.expandable && model.knows(it.published));
    for it in known {
        members.insert(it.name.to_owned(), navigation(model, it));
    }
    members
}

fn properties<'p>(
    model: &Model,
    properties: impl Iterator<Item = &'p Property>,
) -> Map<String, Value> {
    let schema = |it: &Property| {
        let schema = value(model, it.ty, it.collection, it.nullable);
        if it.computed { read_only(schema) } else { schema }
    };
    properties.map(|it| (it.name.to_owned(), schema(it))).collect()
}

/// What stands in answers alone, though a request may repeat it.
fn read_only(mut schema: Value) -> Value {
    schema["readOnly"] = json!(true);
    schema
}

fn navigation(model: &Model, navigation: &Navigation) -> Value {
    let target = reference(model, (navigation.target)().name);
    let schema = match navigation.collection {
        true => json!({"type": "array", "items": target}),
        false => json!({"anyOf": [target, {"type": "null"}]}),
    };
    if navigation.insertable { schema } else { read_only(schema) }
}

fn object(properties: Map<String, Value>, open: bool) -> Value {
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {(ANNOTATION): true},
        "additionalProperties": open,
    })
}

fn value(model: &Model, ty: Type, collection: bool, nullable: bool) -> Value {
    if collection {
        let items = value(model, ty, false, false);
        let kind = if nullable { json!(["array", "null"]) } else { json!("array") };
        return json!({"type": kind, "items": items});
    }
    match ty {
        Type::Primitive(it) => primitive(it, nullable),
        // Whatever it holds is kept as it was sent.
        Type::Document(_) if nullable => json!({"type": ["object", "null"]}),
        Type::Document(_) => json!({"type": "object"}),
        Type::Enum(_) | Type::Complex(_) => {
            let schema = reference(model, ty.name());
            if nullable { json!({"anyOf": [schema, {"type": "null"}]}) } else { schema }
        }
    }
}

fn primitive(ty: Primitive, nullable: bool) -> Value {
    let (kind, more) = match ty {
        Primitive::Boolean => ("boolean", json!({})),
        Primitive::Int32 => {
            ("integer", json!({"format": "int32", "minimum": i32::MIN, "maximum": i32::MAX}))
        }
        Primitive::Int64 => ("integer", json!({"format": "int64"})),
        Primitive::Double => ("number", json!({"format": "double"})),
        Primitive::String => ("string", json!({})),
        Primitive::Guid => ("string", json!({"format": "uuid"})),
        Primitive::DateTimeOffset => ("string", json!({"format": "date-time"})),
        Primitive::Binary => ("string", json!({"contentEncoding": "base64"})),
    };
    let mut schema = more;
    schema["type"] = if nullable { json!([kind, "null"]) } else { json!(kind) };
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BETA, MODEL};

    #[test]
    fn every_type_has_a_schema_and_every_reference_leads_to_one() {
        let schemas = schemas(&BETA);
        for name in ["room", "note", "file", "card", "picture", "letter", "address", "colour"] {
            assert!(schemas.contains_key(&format!("test.model.{name}")), "{name}");
        }
        let text = serde_json::to_string(&schemas).unwrap();
        let mut references = text.split("\"#/components/schemas/").skip(1).peekable();
        assert!(references.peek().is_some());
        for name in references.map(|it| it.split('"').next().unwrap()) {
            assert!(schemas.contains_key(name), "{name}");
        }
    }

    #[test]
    fn values_are_as_the_model_declares_them() {
        let schemas = schemas(&MODEL);
        let room = &schemas["test.model.room"];
        assert_eq!(room["properties"]["topic"], json!({"type": "string"}));
        let tags = json!({"type": "array", "items": {"type": "string"}});
        assert_eq!(room["properties"]["tags"], tags);
        let site = &room["properties"]["site"];
        let expected = json!({"anyOf": [reference(&MODEL, "address"), {"type": "null"}]});
        assert_eq!(*site, expected);
        assert_eq!(room["additionalProperties"], false);
        assert_eq!(schemas["test.model.note"]["additionalProperties"], true, "it is open");
        let colour = json!({"type": "string", "enum": ["red", "darkBlue"]});
        assert_eq!(schemas["test.model.colour"], colour);
        let card = [reference(&MODEL, "picture"), reference(&MODEL, "letter")];
        assert_eq!(schemas["test.model.card"]["anyOf"], json!(card));
        let page = &schemas["test.model.roomCollectionResponse"]["properties"]["value"];
        assert_eq!(page["items"]["required"], json!(["id"]));
    }

    #[test]
    fn what_a_version_does_not_know_is_left_out() {
        let has = |model| {
            let schemas = schemas(model);
            let of = |it: &Value| it["properties"].get("draft").is_some();
            schemas.values().any(of)
        };
        assert!(has(&BETA) && !has(&MODEL));
    }
}
