//! POST and DELETE: the body decoded into a record, the command carried out, its answer dressed.
//!
//! **Invariant:** a body is read to its end, or refused, before a command starts; what is refused has
//! stored nothing.

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use odata::bind::Step;
use odata::decode::{Argument, DecodeError, Record, decode_entity, decode_parameters};
use odata::edm::{Action, EntityType};
use odata::json::{self, Json};
use odata::syntax;

use crate::api::error::Error;
use crate::api::operations::Operation;
use crate::api::{Call, empty};
use crate::model::MODEL;
use crate::service::{Created, conversations, groups, limits, posts, threads};

pub(super) async fn answer(call: Call, body: Body) -> Result<Response, Error> {
    let Call { ctx, row, path, parts, .. } = call;
    match row.operation {
        Operation::CreateGroup => {
            let record = entity(&parts, body, path.entity()).await?;
            created(groups::create(&ctx, path, record).await?)
        }
        Operation::DeleteGroup => {
            groups::delete(&ctx, path).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Operation::AddMember | Operation::AddOwner => {
            let record = entity(&parts, body, path.entity()).await?;
            let reference = record.reference.ok_or_else(|| {
                Error::Body("The body must be a reference: {\"@odata.id\": \"https://…\"}.".into())
            })?;
            groups::add(&ctx, path, reference).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Operation::RemoveMember | Operation::RemoveOwner => {
            groups::remove(&ctx, path, None).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Operation::RemoveMemberById | Operation::RemoveOwnerById => {
            let query = parts.uri.query().unwrap_or_default();
            let options = syntax::parse_query(query, &limits::URL)
                .map_err(|it| Error::Url(it.to_string()))?;
            groups::remove(&ctx, path, options.id).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Operation::CreateConversation => {
            let record = entity(&parts, body, path.entity()).await?;
            created(conversations::create(&ctx, path, record).await?)
        }
        Operation::AddConversation => {
            let record = entity(&parts, body, path.entity()).await?;
            match record.reference {
                Some(reference) => {
                    conversations::add_reference(&ctx, path, reference).await?;
                    Ok(empty(StatusCode::NO_CONTENT))
                }
                None => created(conversations::create(&ctx, path, record).await?),
            }
        }
        Operation::DeleteConversation => {
            conversations::delete(&ctx, path).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Operation::CreateGroupThread | Operation::CreateThread => {
            let record = entity(&parts, body, path.entity()).await?;
            created(threads::create(&ctx, path, record).await?)
        }
        Operation::DeleteThread => {
            threads::delete(&ctx, path).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Operation::ReplyToThread | Operation::ReplyToPost => {
            let Some(Step::Action(action)) = path.steps.last() else {
                return Err(Error::Url("an action was expected at the end of the path".into()));
            };
            let record = parameter(&parts, body, action).await?;
            posts::reply(&ctx, path, record).await?;
            Ok(empty(StatusCode::ACCEPTED))
        }
        other => Err(Error::NotServed(format!("{other:?}"))),
    }
}

fn created(created: Created) -> Result<Response, Error> {
    let mut response = super::json(StatusCode::CREATED, created.body);
    let headers = response.headers_mut();
    for (name, text) in [(header::LOCATION, created.location), (header::ETAG, created.etag)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

async fn entity(parts: &Parts, body: Body, entity: &'static EntityType) -> Result<Record, Error> {
    let json = read_json(parts, body).await?;
    decode_entity(&MODEL, entity, json).map_err(refuse)
}

/// The record that is the one parameter of an action.
async fn parameter(parts: &Parts, body: Body, action: &'static Action) -> Result<Record, Error> {
    let json = read_json(parts, body).await?;
    let arguments = decode_parameters(&MODEL, action, Some(json)).map_err(refuse)?;
    arguments
        .into_iter()
        .find_map(|(_, argument)| match argument {
            Argument::Record(record) => Some(record),
            Argument::Field(_) => None,
        })
        .ok_or_else(|| Error::Body(format!("The action {} needs its parameter.", action.name)))
}

fn refuse(error: DecodeError) -> Error {
    let message = error.to_string();
    if error.is_unknown_property() { Error::UnknownProperty(message) } else { Error::Body(message) }
}

async fn read_json(parts: &Parts, body: Body) -> Result<Json, Error> {
    check_content_type(parts)?;
    let max = limits::BODY_BYTES_MAX;
    let declared = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|it| it.to_str().ok())
        .and_then(|it| it.parse::<usize>().ok());
    if declared.is_some_and(|it| it > max) {
        return Err(Error::TooLarge(max));
    }
    let bytes = match Limited::new(body, max).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            return Err(Error::TooLarge(max));
        }
        Err(error) => return Err(Error::Body(format!("The body did not arrive whole: {error}."))),
    };
    json::parse(&bytes, limits::JSON_DEPTH_MAX).map_err(|error| Error::Body(error.to_string()))
}

/// Only `application/json` is taken, with whatever parameters.
fn check_content_type(parts: &Parts) -> Result<(), Error> {
    let sent = parts.headers.get(header::CONTENT_TYPE).map(|it| it.to_str().unwrap_or("?"));
    let essence = sent.and_then(|it| it.split(';').next()).map(str::trim);
    match essence {
        Some(it) if it.eq_ignore_ascii_case("application/json") => Ok(()),
        Some(it) => Err(Error::ContentType(format!(", not '{it}'"))),
        None => Err(Error::ContentType(String::new())),
    }
}
