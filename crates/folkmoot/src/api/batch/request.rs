//! One request of a batch, made anew as if it had come alone.
//!
//! **Invariant:** what is made goes to this server, bears the batch's token and no other, and has nothing else
//! of the batch's own headers.

use axum::body::{Body, Bytes};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use odata::batch::BatchRequest;
use odata::json::{self, Json};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::api::error::Error;
use crate::api::root;

/// What a URL cannot hold as it is, and Graph's own examples do.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A request of a batch as if it had come alone: the root, the path below it, and the rest.
pub(super) fn inner(
    root: &str,
    outer: &Parts,
    request: &BatchRequest,
) -> Result<(String, String, Request<Body>), Error> {
    let origin = root.rsplit_once('/').map_or(root, |(origin, _)| origin);
    let url = match request.url.split_at_checked(origin.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(origin) && rest.starts_with('/') => rest,
        _ if is_absolute(&request.url) => {
            return Err(Error::Url(format!(
                "'{}' is of another server: a batch goes to this one alone",
                request.url
            )));
        }
        _ => &request.url,
    };
    let url = utf8_percent_encode(url.trim_start_matches('/'), UNSAFE).to_string();
    let (url, _) = url.split_once('#').unwrap_or((&url, ""));
    // With a version before it, it is of that version; else of the batch's.
    let full = format!("/{url}");
    let (path, query) =
        full.split_once('?').map_or((&full[..], None), |(path, query)| (path, Some(query)));
    let (version, path) = match root::below(path) {
        Some(below) => (below.version, below.path.to_owned()),
        None => (root.rsplit('/').next().unwrap_or_default(), path.to_owned()),
    };
    let address = match query {
        Some(query) => format!("/{version}{path}?{query}"),
        None => format!("/{version}{path}"),
    };
    let uri: Uri = address
        .parse()
        .map_err(|_| Error::Url(format!("'{}' cannot be read as a URL", request.url)))?;
    let method = match &request.method.to_ascii_uppercase()[..] {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "PATCH" => Method::PATCH,
        "PUT" => Method::PUT,
        "DELETE" => Method::DELETE,
        other => {
            return Err(Error::Url(format!(
                "'{other}' is no method of a request in a batch: GET, POST, PATCH, PUT and DELETE are"
            )));
        }
    };
    let mut headers = headers(outer, request)?;
    let body = match &request.body {
        None => Body::empty(),
        Some(body) => Body::from(sent(body, &mut headers)?),
    };
    let mut inner = Request::new(body);
    (*inner.method_mut(), *inner.uri_mut(), *inner.headers_mut()) = (method, uri, headers);
    Ok((format!("{origin}/{version}"), path, inner))
}

/// Whether a URL begins with a scheme and an authority (RFC 3986, section 3); further on, in a filter, another
/// may stand.
fn is_absolute(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| {
        scheme.bytes().all(|it| it.is_ascii_alphanumeric() || b"+-.".contains(&it))
    })
}

/// The headers of a request: its own, and the token of the batch.
fn headers(outer: &Parts, request: &BatchRequest) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let unfit = || Error::Url(format!("the header '{name}' cannot be sent"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| unfit())?);
    }
    let token = outer.headers.get(header::AUTHORIZATION);
    if let Some(own) = headers.get(header::AUTHORIZATION)
        && Some(own) != token
    {
        let why =
            "a request in a batch has the token of the batch: its header Authorization is another";
        return Err(Error::Url(why.to_owned()));
    }
    if let Some(token) = token {
        headers.insert(header::AUTHORIZATION, token.clone());
    }
    // They would say something of a body that is written anew here.
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    Ok(headers)
}

/// The bytes of a body: JSON, or what a string holds as base64. One client sends JSON so too, and says
/// nothing of its type.
fn sent(body: &Json, headers: &mut HeaderMap) -> Result<Bytes, Error> {
    let json = HeaderValue::from_static("application/json");
    headers.entry(header::CONTENT_TYPE).or_insert(json);
    if let Json::String(text) = body {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| {
            Error::Body("The body of a request in a batch is an object, or base64.".to_owned())
        })?;
        return Ok(bytes.into());
    }
    let mut bytes = Vec::new();
    json::write(&mut bytes, body);
    Ok(bytes.into())
}
