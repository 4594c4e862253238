//! GET: the query bound, the read carried out, its answer dressed for HTTP.
//!
//! **Invariant:** a query option that cannot be served is a 400 that names it; none is ignored.

use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderName};
use http::{HeaderValue, StatusCode};
use odata::bind::{Path, Step, bind_query};
use odata::syntax::{self, Options};

use crate::api::error::Error;
use crate::api::prefer::Answered;
use crate::api::{Call, empty, json, lists, negotiate};
use crate::model::MODEL;
use crate::service::answers::Question;
use crate::service::read::{self, Answer, Read};
use crate::service::{Metadata, limits};

pub(super) async fn answer(mut call: Call) -> Result<Response, Error> {
    let address = call.parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let answered = if call.path.is_single() { Answered::Entity } else { Answered::Page };
    let question = Question::of(&call.ctx, &call.path, address).filter(|_| call.accepted.is_some());
    let keep = match question {
        Some(question) => match read::known(&call.ctx, question).await {
            Ok(answer) => return Ok(dress(answer, &call, answered)),
            Err(keep) => keep,
        },
        None => None,
    };
    let query = call.parts.uri.query().unwrap_or_default();
    let mut options =
        syntax::parse_query(query, &limits::URL).map_err(|it| Error::Url(it.to_string()))?;
    // What is asked for by $format and not by the head is not part of the question.
    let keep = keep.filter(|_| options.format.is_none());
    // A count is text and an attachment what it is, whatever is accepted (part 1, section 11.2.9).
    let accepted = match call.path.steps.last() {
        Some(Step::Count | Step::Value) => call.accepted.or(Some(Metadata::Minimal)),
        _ => call.accepted,
    };
    call.ctx.set_metadata(negotiate::settle(&mut options, accepted)?);
    refuse_unserved(&options, &call.path)?;
    let entity = call.path.entity();
    let query = bind_query(&MODEL, entity, &options).map_err(|it| Error::Url(it.to_string()))?;
    if query.skip.is_some_and(|it| it > limits::SKIP_MAX) {
        let max = limits::SKIP_MAX;
        let why = format!("$skip goes to {max}; further on, follow @odata.nextLink");
        return Err(Error::Url(why));
    }
    for (from, navigation) in query.navigations() {
        super::may_follow(&call.ctx, from, navigation)?;
    }
    let (path, self_path) = (call.path.clone(), call.self_path.clone());
    let request = Read { path, query, options, self_path };
    let answer = read::read(&call.ctx, request, keep).await?;
    Ok(dress(answer, &call, answered))
}

fn dress(answer: Answer, call: &Call, answered: Answered) -> Response {
    match answer {
        Answer::Json { body, etag } => {
            let sent = &call.parts.headers;
            let known = |it: &String| lists::names_etag(sent, header::IF_NONE_MATCH, it);
            let mut response = match etag.as_ref().is_some_and(known) {
                true => empty(StatusCode::NOT_MODIFIED),
                false => json(StatusCode::OK, call.ctx.wanted().metadata, body),
            };
            call.prefer.tell(answered, response.headers_mut());
            match etag {
                Some(etag) => with_etag(response, &etag),
                None => response,
            }
        }
        Answer::Count(count) => text(count),
        Answer::Download { content_type, name, bytes } => attachment(content_type, &name, bytes),
    }
}

/// Options that the grammar knows and this read does not serve: some on none, others only on
/// collections.
fn refuse_unserved(options: &Options, path: &Path) -> Result<(), Error> {
    let of_any = ["$select", "$expand"];
    let of_collections =
        ["$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count", "$skiptoken"];
    let served: &[&str] = match path.steps.last() {
        Some(Step::Count) => &["$filter"],
        Some(Step::Value) => &[],
        _ if path.is_single() => &of_any,
        _ => &of_collections,
    };
    let given = options.names();
    match given.iter().find(|it| !it.starts_with('@') && !served.contains(&it.as_str())) {
        Some(name) => Err(Error::Url(format!("the query option {name} is not served here"))),
        None => Ok(()),
    }
}

fn with_etag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

fn text(count: i64) -> Response {
    let mut response = Response::new(Body::from(count.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// What somebody else has uploaded: to be saved, never to be shown as a page of this server's.
fn attachment(content_type: Option<String>, name: &str, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    let content_type = content_type
        .and_then(|it| HeaderValue::from_str(&it).ok())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    // RFC 6266: the name in UTF-8, percent-encoded as RFC 8187 says.
    let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    let disposition = format!("attachment; filename*=UTF-8''{name}");
    let disposition =
        HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let csp = HeaderName::from_static("content-security-policy");
    headers.insert(csp, HeaderValue::from_static("sandbox"));
    response
}
