//! The API's roots: their spellings, what links begin with, and what is served at a root itself.
//!
//! **Invariant:** links begin with the canonical root (`/v1.0`, `/beta`), whatever the address was;
//! forwarded headers are believed from the named proxy alone.

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use odata::csdl;
use odata::json::write_string;

use crate::api::json_at;
use crate::model::{BETA, MODEL, STRICT, STRICT_BETA};
use crate::net::{Peer, Secure, network};
use crate::service::Metadata;

/// A path below a root.
pub(super) struct Below<'p> {
    /// `v1.0` or `beta`.
    pub(super) version: &'static str,
    /// The rest, still percent-encoded; empty or beginning with a slash.
    pub(super) path: &'p str,
}

/// The part of a path below a root of the API. The seed's example writes its address as
/// `/docs\api/groups/…`, and URL libraries rewrite that in two ways; all answer as `/v1.0` does.
pub(super) fn below(path: &str) -> Option<Below<'_>> {
    const ROOTS: [(&str, &str); 5] = [
        ("/v1.0", "v1.0"),
        ("/beta", "beta"),
        ("/docs\\api", "v1.0"),
        ("/docs%5Capi", "v1.0"),
        ("/docs/api", "v1.0"),
    ];
    ROOTS.iter().find_map(|(root, version)| {
        let start = path.get(..root.len())?;
        let rest = &path[root.len()..];
        let whole = rest.is_empty() || rest.starts_with('/');
        (start.eq_ignore_ascii_case(root) && whole).then_some(Below { version, path: rest })
    })
}

/// What links in answers begin with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    /// `--public-url`, without a trailing slash.
    pub(crate) public: Option<String>,
    /// `--trust-proxy`: whose `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-For` are believed.
    pub(crate) proxy: Option<IpAddr>,
}

impl Origins {
    /// The origin of a request: the public one, or the one that the client used.
    pub(crate) fn of(&self, parts: &Parts) -> String {
        if let Some(public) = &self.public {
            return public.clone();
        }
        let text = |name: &str| parts.headers.get(name).and_then(|it| it.to_str().ok());
        let proxied = self.is_proxied(&parts.extensions);
        let secure = self.is_secure(&parts.headers, &parts.extensions);
        let scheme = if secure { "https" } else { "http" };
        let authority = || parts.uri.authority().map(|it| it.as_str());
        // Each proxy on the way appends its own: the first is what the client asked for.
        let first = |list: &'_ str| list.split(',').next().map(str::trim).map(str::to_owned);
        let forwarded = text("x-forwarded-host").filter(|_| proxied).and_then(first);
        let host = forwarded
            .as_deref()
            .or_else(|| text("host"))
            .or_else(authority)
            .filter(|it| is_host(it))
            .unwrap_or("localhost");
        format!("{scheme}://{host}")
    }

    /// Whether the client speaks https, to this server or to the named proxy.
    pub(crate) fn is_secure(&self, headers: &HeaderMap, extensions: &Extensions) -> bool {
        let proxied = self.is_proxied(extensions);
        match headers.get("x-forwarded-proto").filter(|_| proxied) {
            Some(it) => it.as_bytes().eq_ignore_ascii_case(b"https"),
            None => extensions.get::<Secure>().is_some_and(|Secure(it)| *it),
        }
    }

    /// The address of the client: of whoever is connected or, where that is the named proxy, of whom it
    /// says that it was connected to. What stands before that in `X-Forwarded-For`, anybody may have written.
    pub(crate) fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let Peer(peer) = extensions.get::<Peer>()?;
        let mut lists = headers.get_all("x-forwarded-for").iter();
        let last = lists.next_back().filter(|_| self.is_proxied(extensions));
        let last = last.and_then(|it| it.to_str().ok()).and_then(|it| it.rsplit(',').next());
        Some(last.and_then(address).unwrap_or(peer.ip()).to_canonical())
    }

    /// The network that a request comes from: an IPv4 address or a /64 of IPv6.
    pub(crate) fn network(&self, parts: &Parts) -> Option<IpAddr> {
        self.client(&parts.headers, &parts.extensions).map(network)
    }

    /// Whether the named proxy asks.
    fn is_proxied(&self, extensions: &Extensions) -> bool {
        let peer = extensions.get::<Peer>();
        peer.is_some_and(|Peer(peer)| self.proxy == Some(peer.ip().to_canonical()))
    }
}

/// An address as proxies write it: in brackets or not, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse().map(|it: SocketAddr| it.ip());
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().or_else(|_| with_port()).ok()
}

/// Whether a Host header can stand in a link as it is.
fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-._~:[]%".contains(&it))
}

/// The service document (OData JSON 4.01, section 5).
pub(super) fn service_document(root: &str, metadata: Metadata) -> Response {
    let mut out = b"{".to_vec();
    if metadata != Metadata::None {
        out.extend_from_slice(b"\"@odata.context\":");
        write_string(&mut out, &format!("{root}/$metadata"));
        out.push(b',');
    }
    out.extend_from_slice(b"\"value\":[");
    for (at, it) in MODEL.roots.iter().enumerate() {
        let kind = if it.singleton { "Singleton" } else { "EntitySet" };
        let (comma, name) = (if at > 0 { "," } else { "" }, it.name);
        let item = format!("{comma}{{\"name\":\"{name}\",\"kind\":\"{kind}\",\"url\":\"{name}\"}}");
        out.extend_from_slice(item.as_bytes());
    }
    out.extend_from_slice(b"]}");
    json_at(metadata, StatusCode::OK, out)
}

/// The model of a version as CSDL; in strict mode without the schema of what is Folkmoot's own.
pub(super) fn metadata(beta: bool, strict: bool) -> Response {
    static CSDL: LazyLock<[String; 4]> =
        LazyLock::new(|| [&MODEL, &BETA, &STRICT, &STRICT_BETA].map(csdl::metadata));
    let text = &CSDL[usize::from(beta) + 2 * usize::from(strict)];
    let mut response = Response::new(Body::from(text.as_str()));
    let xml = HeaderValue::from_static("application/xml;charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, xml);
    response
}
