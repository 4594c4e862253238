//! The ceiling of reads: bare axum that answers every request with the same prepared answer.
//!
//! **Invariant:** it sends the bytes and headers that Folkmoot sent for the request, and does nothing
//! else: no token, no path, no store.

use std::path::Path;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::serve::ListenerExt;
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// An answer to be given again.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Without the two that the server adds by itself: `Date` and `Content-Length`.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The answer that was received.
    pub(crate) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> anyhow::Result<Answer> {
        let added = [header::DATE, header::CONTENT_LENGTH];
        let mut kept = Vec::new();
        for (name, value) in headers.iter().filter(|(name, _)| !added.contains(name)) {
            kept.push((name.to_string(), value.to_str()?.to_owned()));
        }
        Ok(Answer {
            status: status.as_u16(),
            headers: kept,
            body: String::from_utf8(body.to_vec()).context("an answer is not text")?,
        })
    }
}

/// Serves the answer in the file until the process is ended.
pub(crate) async fn serve(file: &Path) -> anyhow::Result<()> {
    let answer: Answer = serde_json::from_slice(&std::fs::read(file)?)?;
    let status = StatusCode::from_u16(answer.status)?;
    let body = Bytes::from(answer.body);
    let mut headers = Vec::new();
    for (name, value) in answer.headers {
        headers.push((HeaderName::try_from(name)?, HeaderValue::try_from(value)?));
    }
    let app = Router::new().fallback(async move || {
        let mut response = Response::new(Body::from(body.clone()));
        *response.status_mut() = status;
        for (name, value) in &headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ready http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}
