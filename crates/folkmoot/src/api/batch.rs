//! `$batch`: the requests in one body, each carried out as if it had come alone.
//!
//! **Invariant:** a request in a batch goes through the same code, with the same token, as one that comes by
//! itself; a batch shares nothing with its requests but that token. What all answers together hold is
//! bounded.

mod request;

use axum::body::{Body, Bytes};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use odata::batch::{BatchRequest, is_simple, requests};
use odata::json::write_string;

use crate::access::Caller;
use crate::api::error::{About, Error};
use crate::api::throttle::Left;
use crate::api::{Api, OwnJson, carry_out, client_id, json as json_answer, refused, told, write};
use crate::service::audit::Whence;
use crate::service::limits;

/// What has come of one request.
struct Done {
    status: StatusCode,
    headers: HeaderMap,
    /// What follows `"body":`, if anything does.
    body: Option<Vec<u8>>,
}

/// Carries out a batch: whatever does not wait for another goes at once, so that writes go to the store
/// together.
pub(super) async fn answer(
    api: &Api,
    caller: &Caller,
    root: &str,
    parts: &Parts,
    body: &mut Body,
    whence: Whence,
) -> Result<Response, Error> {
    let requests = match read(api, parts, body).await {
        Ok(requests) => requests,
        // What holds no request that could be counted is one itself.
        Err(error) => {
            if parts.extensions.get::<Share>().is_none() {
                api.throttle.count(caller)?;
            }
            return Err(error);
        }
    };
    let mut done: Vec<Option<Done>> = requests.iter().map(|_| None).collect();
    let mut running = FuturesUnordered::new();
    let mut started = vec![false; requests.len()];
    let mut left = limits::BATCH_BYTES;
    loop {
        for (at, request) in requests.iter().enumerate() {
            let is_ready = request.after.iter().all(|it| done[*it].is_some());
            if started[at] || !is_ready {
                continue;
            }
            started[at] = true;
            let failed = request
                .after
                .iter()
                .find(|it| done[**it].as_ref().is_some_and(|it| it.status.as_u16() >= 400));
            let failed = failed.map(|it| &requests[*it].id);
            let counted = api.throttle.count(caller);
            let of = requests.len();
            let counted = counted.map(|left| Share { of, left });
            let answer = one(api, root, parts, request, (failed, counted, whence));
            running.push(answer.map(move |it| (at, it)));
        }
        let Some((at, response)) = running.next().await else { break };
        let mut finished = collected(api, response, &requests[at], left).await;
        left = left.saturating_sub(finished.body.as_ref().map_or(0, Vec::len));
        finished.headers.remove(header::VARY);
        told(&mut finished.headers);
        done[at] = Some(finished);
    }
    Ok(json_answer(StatusCode::OK, written(&requests, done)))
}

/// The requests of a batch.
async fn read(api: &Api, parts: &Parts, body: &mut Body) -> Result<Vec<BatchRequest>, Error> {
    // Asked here, where the path was parsed: it has more than one spelling.
    if parts.extensions.get::<Share>().is_some() {
        return Err(Error::Url("a batch cannot hold another".to_owned()));
    }
    if parts.method != Method::POST {
        let method = parts.method.clone();
        return Err(Error::Method { method, allowed: vec![Method::POST] });
    }
    let batch = write::read_json_within(parts, body, limits::JSON_DEPTH_MAX + 3).await?;
    let requests =
        requests(&batch, limits::BATCH_MAX).map_err(|error| Error::Body(format!("{error}.")))?;
    if api.strict && !is_simple(&requests) {
        let why = "Batch should be either fully sequential or fully parallel.";
        return Err(Error::Body(why.to_owned()));
    }
    Ok(requests)
}

/// The answer to one request; `failed` is the one before it that did not go well, `counted` whether there was
/// room for it.
fn one<'a>(
    api: &'a Api,
    root: &'a str,
    outer: &'a Parts,
    request: &'a BatchRequest,
    (failed, counted, whence): (Option<&'a String>, Result<Share, Error>, Whence),
) -> BoxFuture<'a, Response> {
    // Boxed because a batch is carried out by what it calls.
    async move {
        let carried_out = match (counted, failed, request::inner(root, outer, request)) {
            (Err(throttled), _, _) => Err(throttled),
            (_, Some(failed), _) => Err(Error::Dependency(failed.clone())),
            (_, None, Err(error)) => Err(error),
            (Ok(share), None, Ok((root, path, mut inner))) => {
                inner.extensions_mut().insert(share);
                let (parts, mut body) = inner.into_parts();
                carry_out(api, root, path, parts, &mut body, whence).await
            }
        };
        carried_out.unwrap_or_else(|error| refuse(api, request, &error))
    }
    .boxed()
}

/// What a request of a batch knows of the others.
#[derive(Clone, Copy)]
pub(super) struct Share {
    /// How many share what an answer may hold.
    pub(super) of: usize,
    /// What was left to the caller when it was counted, where that is counted.
    pub(super) left: Option<Left>,
}

fn refuse(api: &Api, request: &BatchRequest, error: &Error) -> Response {
    let date = api.service.clock().now().to_string();
    let id = api.service.clock().id().hyphenated().to_string();
    let mut headers = request.headers.iter();
    let sent = headers.find(|(name, _)| name.eq_ignore_ascii_case("client-request-id"));
    let client_request_id = client_id(sent.map(|(_, value)| &value[..]), &id);
    let about = About { date: date.trim_end_matches('Z'), request_id: &id, client_request_id };
    let mut response = refused(error, &about);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("request-id", id);
    }
    response
}

/// An answer in memory, if it takes no more than `left` bytes of the batch's. What does not fit of a write is
/// left out, since it was done.
async fn collected(api: &Api, response: Response, request: &BatchRequest, left: usize) -> Done {
    let (head, body) = response.into_parts();
    let is_json = head.extensions.get::<OwnJson>().is_some();
    // Base64 writes four bytes for three, and stands in quotes.
    let room = if is_json { left } else { left.saturating_sub(2) / 4 * 3 };
    let bytes = match Limited::new(body, room).collect().await {
        Ok(bytes) => bytes.to_bytes(),
        Err(_) if request.method.eq_ignore_ascii_case("GET") => {
            let (head, body) =
                refuse(api, request, &Error::BatchFull(limits::BATCH_BYTES)).into_parts();
            let bytes = body.collect().await.map(|it| it.to_bytes()).unwrap_or_default();
            let body = Some(bytes.to_vec());
            return Done { status: head.status, headers: head.headers, body };
        }
        Err(_) => Bytes::new(),
    };
    let body = match (bytes.is_empty(), is_json) {
        (true, _) => None,
        (false, true) => Some(bytes.to_vec()),
        (false, false) => {
            let mut text = Vec::with_capacity(bytes.len() / 3 * 4 + 6);
            write_string(&mut text, &BASE64_STANDARD.encode(&bytes));
            Some(text)
        }
    };
    Done { status: head.status, headers: head.headers, body }
}

/// The body of the batch's answer, in the order of its requests.
fn written(requests: &[BatchRequest], done: Vec<Option<Done>>) -> Vec<u8> {
    let mut out = b"{\"responses\":[".to_vec();
    let done = requests.iter().zip(done).filter_map(|(request, it)| Some((request, it?)));
    for (at, (request, it)) in done.enumerate() {
        out.extend_from_slice(if at > 0 { b",{\"id\":" } else { b"{\"id\":" });
        write_string(&mut out, &request.id);
        out.extend_from_slice(
            format!(",\"status\":{},\"headers\":{{", it.status.as_u16()).as_bytes(),
        );
        for (at, (name, value)) in it.headers.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_string(&mut out, &spelled(name.as_str()));
            out.push(b':');
            write_string(&mut out, &String::from_utf8_lossy(value.as_bytes()));
        }
        out.push(b'}');
        if let Some(body) = it.body {
            out.extend_from_slice(b",\"body\":");
            out.extend_from_slice(&body);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

/// A header's name as clients look for it in an object of them: `Content-Type`.
fn spelled(name: &str) -> String {
    match name {
        "etag" => return "ETag".to_owned(),
        "request-id" => return name.to_owned(),
        "odata-entityid" => return "OData-EntityId".to_owned(),
        "ratelimit-limit" | "ratelimit-remaining" | "ratelimit-reset" => {
            return name
                .replace("ratelimit-l", "RateLimit-L")
                .replace("ratelimit-re", "RateLimit-Re");
        }
        "odata-version" => return "OData-Version".to_owned(),
        _ => {}
    }
    let upper = |part: &str| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(upper).collect::<Vec<_>>().join("-")
}
