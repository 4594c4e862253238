//! GET: the query bound, the read carried out, its answer dressed for HTTP.
//!
//! **Invariant:** a query option that cannot be served is a 400 that names it; none is ignored.

use axum::body::Body;
use axum::response::Response;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use odata::bind::{Path, Step, bind_query};
use odata::syntax::{self, Options};
use tokio_util::io::ReaderStream;

use crate::api::error::Error;
use crate::api::{Call, empty, json};
use crate::model::MODEL;
use crate::service::answers::Question;
use crate::service::limits;
use crate::service::read::{self, Answer, Download, Read, Stored};

/// Bytes of a file that are in memory while it is sent.
const READ_BYTES: usize = 64 * 1024;

pub(super) async fn answer(call: Call) -> Result<Response, Error> {
    let address = call.parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let keep = match Question::of(&call.ctx, &call.path, address) {
        Some(question) => match read::known(&call.ctx, question).await {
            Ok(answer) => return Ok(dress(answer, &call.parts)),
            Err(keep) => keep,
        },
        None => None,
    };
    let query = call.parts.uri.query().unwrap_or_default();
    let mut options =
        syntax::parse_query(query, &limits::URL).map_err(|it| Error::Url(it.to_string()))?;
    super::check_format(&mut options)?;
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
    let request = Read { path: call.path, query, options, self_path: call.self_path };
    let answer = read::read(&call.ctx, request, keep).await?;
    Ok(dress(answer, &call.parts))
}

fn dress(answer: Answer, parts: &Parts) -> Response {
    match answer {
        Answer::Json { body, etag } => {
            let known = parts.headers.get(header::IF_NONE_MATCH);
            match (etag, known) {
                (Some(etag), Some(known)) if matches(known, &etag) => {
                    with_etag(empty(StatusCode::NOT_MODIFIED), &etag)
                }
                (Some(etag), _) => with_etag(json(StatusCode::OK, body), &etag),
                (None, _) => json(StatusCode::OK, body),
            }
        }
        Answer::Count(count) => text(count),
        Answer::Download(it) => attachment(it),
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

fn matches(known: &HeaderValue, etag: &str) -> bool {
    let known = known.to_str().unwrap_or_default();
    known.trim() == "*" || known.split(',').any(|it| it.trim() == etag)
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
fn attachment(it: Download) -> Response {
    let Download { content_type, name, bytes } = it;
    let (body, size) = match bytes {
        Stored::Bytes(bytes) => (Body::from(bytes), None),
        Stored::File(file, size) => {
            let file = tokio::fs::File::from_std(file);
            (Body::from_stream(ReaderStream::with_capacity(file, READ_BYTES)), Some(size))
        }
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if let Some(size) = size {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    let content_type = content_type
        .and_then(|it| HeaderValue::from_str(&it).ok())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    // RFC 6266: the name in UTF-8, percent-encoded as RFC 8187 says.
    let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
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
