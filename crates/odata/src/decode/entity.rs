//! Entities and the parameters of actions out of JSON objects.
//!
//! **Invariant:** a member is a property, a navigation, an annotation or, on open types, dynamic;
//! anything else is refused by name.

use super::error::{DecodeError, DecodeProblem, Place};
use super::values::{Decoder, mismatch};
use super::{Argument, Record};
use crate::edm::{
    Action, DerivedType, EntityType, Model, Navigation, Parameter, ParameterType, unqualified,
};
use crate::json::Json;

/// Types a whole body as an entity (OData JSON Format 4.01, sections 7 and 8).
///
/// Names are matched in any letter case. `@odata.type` is kept as sent and decides nothing.
///
/// # Errors
/// The first member that the model does not allow, with its place and what would do.
pub fn decode_entity(
    model: &Model,
    entity: &'static EntityType,
    body: Json,
) -> Result<Record, DecodeError> {
    Decoder { model }.entity(entity, None, body, &Place::TOP)
}

/// Types the body of an action's call: an object whose members are the parameters, in any letter case.
/// No body is an object without members. Null for a parameter that is not required is left out.
///
/// # Errors
/// A parameter that is unknown, absent though required, or not of its type.
pub fn decode_parameters(
    model: &Model,
    action: &'static Action,
    body: Option<Json>,
) -> Result<Vec<(&'static Parameter, Argument)>, DecodeError> {
    let members = match body {
        None => Vec::new(),
        Some(Json::Object(members)) => members,
        Some(other) => return Err(mismatch(&Place::TOP, "a JSON object", &other)),
    };
    let mut arguments = Vec::new();
    for (name, value) in members {
        if name.contains('@') {
            continue;
        }
        let known = action.parameters.iter().find(|it| it.name.eq_ignore_ascii_case(&name));
        let Some(parameter) = known else {
            let problem = DecodeProblem::UnknownParameter { action: action.name };
            return Err(Place::TOP.member(&name).error(problem));
        };
        if value == Json::Null {
            continue;
        }
        let decoder = Decoder { model };
        let place = Place::TOP.member(parameter.name);
        let argument = match parameter.ty {
            ParameterType::Value(ty, collection) => {
                Argument::Field(decoder.value(ty, collection, false, value, &place)?)
            }
            ParameterType::Entity(entity) => {
                Argument::Record(decoder.entity(entity(), None, value, &place)?)
            }
        };
        arguments.push((parameter, argument));
    }
    let absent =
        |it: &&Parameter| it.required && !arguments.iter().any(|(sent, _)| sent.name == it.name);
    match action.parameters.iter().find(absent) {
        Some(parameter) => {
            let problem = DecodeProblem::ParameterRequired { action: action.name };
            Err(Place::TOP.member(parameter.name).error(problem))
        }
        None => Ok(arguments),
    }
}

/// The two halves of an annotation's name, without `odata.`, which 4.01 lets senders leave out: what
/// it annotates (empty for the object itself) and the term.
pub(super) fn annotation(name: &str) -> Option<(&str, &str)> {
    let (of, term) = name.split_once('@')?;
    let prefixed = term.get(..6).is_some_and(|it| it.eq_ignore_ascii_case("odata."));
    Some((of, if prefixed { &term[6..] } else { term }))
}

impl Decoder<'_> {
    /// An entity whose declared type, where it is wider than `entity`, is `declared`. The recursion
    /// goes as deep as the JSON does, which reading it has bounded.
    fn entity(
        &self,
        entity: &'static EntityType,
        declared: Option<&'static str>,
        json: Json,
        place: &Place<'_>,
    ) -> Result<Record, DecodeError> {
        let Json::Object(members) = json else {
            return Err(mismatch(place, "a JSON object", &json));
        };
        let mut record = Record {
            entity,
            derived: None,
            at: place.to_string(),
            type_sent: own_annotation(&members, "type", place)?,
            reference: own_annotation(&members, "id", place)?,
            properties: Vec::new(),
            children: Vec::new(),
            binds: Vec::new(),
            dynamic: Vec::new(),
        };
        // Before the members, so that those of another type are not called unknown.
        let wide = declared.is_some() || !entity.derived.is_empty();
        if wide && record.reference.is_none() {
            record.derived = self.check_type(entity, record.type_sent.as_deref(), place)?;
        }
        for (name, value) in members {
            self.member(&mut record, name, value, place)?;
        }
        Ok(record)
    }

    /// Which of the types derived from `entity` is meant; none for `entity` itself.
    fn check_type(
        &self,
        entity: &'static EntityType,
        sent: Option<&str>,
        place: &Place<'_>,
    ) -> Result<Option<&'static DerivedType>, DecodeError> {
        let accepted = || match entity.derived {
            [] => format!("'#{}'", self.qualified(entity.name)),
            derived => {
                let names: Vec<_> = derived.iter().map(|it| self.qualified(it.name)).collect();
                format!("'#{}'", names.join("', '#"))
            }
        };
        let Some(sent) = sent else {
            return Err(place.error(DecodeProblem::TypeRequired { accepted: accepted() }));
        };
        match entity.derived(sent) {
            Some(derived) => Ok(Some(derived)),
            None if unqualified(sent).eq_ignore_ascii_case(entity.name) => Ok(None),
            None => {
                let (sent, accepted) = (sent.to_owned(), accepted());
                Err(place.error(DecodeProblem::TypeRefused { sent, accepted }))
            }
        }
    }

    fn member(
        &self,
        record: &mut Record,
        name: String,
        value: Json,
        place: &Place<'_>,
    ) -> Result<(), DecodeError> {
        let entity = record.entity;
        let record_type = record.derived.map_or(entity.name, |it| it.name);
        let unknown = |name: &str| {
            let ty = self.qualified(record_type);
            place.member(name).error(DecodeProblem::Unknown { ty })
        };
        if let Some((of, term)) = annotation(&name) {
            if !of.is_empty() && term.eq_ignore_ascii_case("bind") {
                let navigation = entity.navigation(of).ok_or_else(|| unknown(of))?;
                record.binds.push((navigation, links(value, &place.member(&name))?));
            }
        } else if let Some(property) = entity.property(&name) {
            let has = |it: &DerivedType| property.only.contains(&it.name);
            if !property.only.is_empty() && !record.derived.is_some_and(has) {
                return Err(unknown(&name));
            }
            if property.computed {
                return Ok(());
            }
            let place = place.member(property.name);
            let field =
                self.value(property.ty, property.collection, property.nullable, value, &place)?;
            record.properties.push((property, field));
        } else if let Some(navigation) = entity.navigation(&name) {
            let place = place.member(navigation.name);
            if let Some(children) = self.children(navigation, value, &place)? {
                record.children.push((navigation, children));
            }
        } else if entity.open && !name.is_empty() {
            record.dynamic.push((name, value));
        } else {
            return Err(unknown(&name));
        }
        Ok(())
    }

    fn children(
        &self,
        navigation: &'static Navigation,
        value: Json,
        place: &Place<'_>,
    ) -> Result<Option<Vec<Record>>, DecodeError> {
        if !navigation.insertable {
            return Err(place.error(DecodeProblem::NotInsertable));
        }
        let (target, declared) = ((navigation.target)(), navigation.declared);
        match value {
            Json::Null => Ok(None),
            Json::Array(items) if navigation.collection => {
                let items = items.into_iter().enumerate();
                let records = items
                    .map(|(index, item)| self.entity(target, declared, item, &place.index(index)));
                records.collect::<Result<_, _>>().map(Some)
            }
            other if navigation.collection => {
                Err(mismatch(place, "an array of JSON objects", &other))
            }
            other => Ok(Some(vec![self.entity(target, declared, other, place)?])),
        }
    }
}

/// The text of an annotation of the object itself.
pub(super) fn own_annotation(
    members: &[(String, Json)],
    term: &str,
    place: &Place<'_>,
) -> Result<Option<String>, DecodeError> {
    let is_it = |name: &str| {
        annotation(name).is_some_and(|(of, it)| of.is_empty() && it.eq_ignore_ascii_case(term))
    };
    match members.iter().find(|(name, _)| is_it(name)) {
        None => Ok(None),
        Some((_, Json::String(text))) => Ok(Some(text.clone())),
        Some((name, other)) => Err(mismatch(&place.member(name), "a string", other)),
    }
}

/// The links of a `name@odata.bind`: one, or an array of them.
fn links(value: Json, place: &Place<'_>) -> Result<Vec<String>, DecodeError> {
    let link = |item: Json, place: &Place<'_>| match item {
        Json::String(text) => Ok(text),
        other => Err(mismatch(place, "a string", &other)),
    };
    match value {
        Json::String(text) => Ok(vec![text]),
        Json::Array(items) => {
            let items = items.into_iter().enumerate();
            items.map(|(index, item)| link(item, &place.index(index))).collect()
        }
        other => Err(mismatch(place, "a string or an array of strings", &other)),
    }
}
