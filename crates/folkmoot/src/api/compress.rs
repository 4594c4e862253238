//! Answers packed for clients that take them so.
//!
//! **Invariant:** only what this server wrote itself is packed, JSON and XML. A caller's token is in no
//! answer and no cookie is ever read, so the length of a packed answer tells a listener nothing that
//! a page of another origin could have asked for.

use axum::body::HttpBody;
use http::{Response, header};
use tower_http::CompressionLevel;
use tower_http::compression::{CompressionLayer, Predicate};

/// Bytes below which packing costs more than it saves.
const BYTES_MIN: u64 = 1_024;

/// Which answers are packed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnAndLarge;

impl Predicate for OwnAndLarge {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        let headers = response.headers();
        let media = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |it| it.as_bytes());
        let own =
            [&b"application/json;"[..], b"application/xml;"].iter().any(|it| media.starts_with(it));
        // An attachment may call itself JSON too.
        let uploaded = headers.contains_key(header::CONTENT_DISPOSITION);
        own && !uploaded && response.body().size_hint().lower() >= BYTES_MIN
    }
}

/// What packs answers by gzip, at the least cost: they are made anew for every request.
pub(crate) fn layer() -> CompressionLayer<OwnAndLarge> {
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(OwnAndLarge)
}
