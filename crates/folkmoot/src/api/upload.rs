//! The door of upload sessions: `{origin}/upload/{session}?token={secret}` (GRAPH.md section 16).
//!
//! **Invariant:** the address alone says who may: no Authorization is asked for or looked at, and a wrong
//! secret is answered as a session that is not there. Bytes go to the disk as they arrive, never into
//! memory as a whole. An address is never logged. Each request with a good secret counts as one of the
//! session's caller.

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt;
use odata::json::write_string;
use percent_encoding::percent_decode_str;

use crate::api::error::Error;
use crate::api::{Api, empty, json, preflight, write};
use crate::service::audit::Whence;
use crate::service::uploads::{self, Part, Progress, Taken};

/// Two segments: the Graph client for JavaScript takes the first one for a version.
const FOLDER: &str = "/upload/";

/// The session that a path names, if it is one of this door's.
pub(super) fn session(path: &str) -> Option<&str> {
    path.strip_prefix(FOLDER).filter(|it| !it.is_empty() && !it.contains('/'))
}

/// Answers a request for the session that its path names; links begin with `origin`.
pub(super) async fn answer(
    api: &Api,
    origin: &str,
    parts: &Parts,
    body: &mut Body,
    whence: Whence,
) -> Result<Response, Error> {
    let allowed = [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS];
    match parts.method {
        Method::OPTIONS => return Ok(preflight()),
        _ if allowed.contains(&parts.method) => {}
        _ => return Err(Error::Method { method: parts.method.clone(), allowed: allowed.to_vec() }),
    }
    let service = &api.service.acting(whence.anonymous("UploadAttachment"));
    let id = session(parts.uri.path()).unwrap_or_default();
    let session = uploads::find(service, id, &token(parts)).await?;
    // As what whoever asked for it does, wherever the address has got to.
    api.throttle.count(&session.caller())?;
    match parts.method {
        Method::DELETE => {
            uploads::cancel(service, &session).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        Method::PUT => {
            let root = format!("{origin}/v1.0");
            if session.is_whole() {
                // The last part came, and the server went before it could store the attachment.
                return Ok(write::As::default().entity(
                    StatusCode::CREATED,
                    uploads::complete(service, session, root).await?,
                ));
            }
            let range = range(&parts.headers, session.size.unsigned_abs())?;
            let mut part = Part::begin(service, session, range).await?;
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| Error::of_body(&error))?;
                if let Ok(bytes) = frame.into_data() {
                    part.write(bytes).await?;
                }
            }
            match part.end(root).await? {
                Taken::Whole(attachment) => {
                    Ok(write::As::default().entity(StatusCode::CREATED, attachment))
                }
                Taken::Part(progress) => Ok(status(&progress)),
            }
        }
        _ => Ok(status(&Progress::of(&session))),
    }
}

fn token(parts: &Parts) -> String {
    let pairs = parts.uri.query().unwrap_or_default().split('&');
    let token = pairs.filter_map(|it| it.split_once('=')).find(|(name, _)| *name == "token");
    let token = token.map(|(_, value)| percent_decode_str(value).decode_utf8_lossy());
    token.unwrap_or_default().into_owned()
}

/// The first and last byte of the body's place in the whole, and the size of the whole; without a
/// Content-Range (RFC 9110, section 14.4), the body is the whole.
fn range(headers: &HeaderMap, size: u64) -> Result<(u64, u64, u64), Error> {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|it| it != "identity") {
        return Err(Error::Body(
            "The bytes of an upload are sent without Content-Encoding.".into(),
        ));
    }
    let text = |name| headers.get(name).map(|it| it.to_str().unwrap_or_default());
    let range = match text(header::CONTENT_RANGE) {
        None => (0, size.saturating_sub(1), size),
        Some(sent) => content_range(sent).ok_or_else(|| {
            Error::Body(format!("'Content-Range: {sent}' is not of the form 'bytes 0-1023/4096'."))
        })?,
    };
    // What is known to be wrong is refused before it arrives.
    let length = text(header::CONTENT_LENGTH).and_then(|it| it.parse::<u64>().ok());
    match length {
        Some(length) if range.1.checked_sub(range.0).is_some_and(|it| it + 1 != length) => {
            let (first, last, _) = range;
            Err(Error::Body(format!("The body has {length} bytes, which {first}-{last} are not.")))
        }
        _ => Ok(range),
    }
}

fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (unit, range) = text.trim().split_once(' ')?;
    let (range, total) = range.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |it: &str| it.bytes().all(|it| it.is_ascii_digit()).then(|| it.parse().ok())?;
    let range = (number(first)?, number(last)?, number(total)?);
    (unit.eq_ignore_ascii_case("bytes") && range.1 < u64::MAX).then_some(range)
}

/// How far an upload has come. Each range has its end, also the last: not every client reads another
/// form.
fn status(progress: &Progress) -> Response {
    let ranges = progress.missing.iter().map(|(first, last)| format!("{first}-{last}"));
    let mut body = b"{".to_vec();
    members(&mut body, &progress.expires.to_string(), ranges);
    body.push(b'}');
    json(StatusCode::OK, body)
}

/// Writes what every answer about a session has.
pub(super) fn members(out: &mut Vec<u8>, expires: &str, ranges: impl Iterator<Item = String>) {
    out.extend_from_slice(b"\"expirationDateTime\":");
    write_string(out, expires);
    out.extend_from_slice(b",\"nextExpectedRanges\":[");
    for (at, range) in ranges.enumerate() {
        out.extend_from_slice(if at > 0 { b"," } else { b"" });
        write_string(out, &range);
    }
    out.push(b']');
}
