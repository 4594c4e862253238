//! What an ephemeral server offers beside the API: tokens for anybody who asks.
//!
//! **Invariant:** these routes exist only in a server that keeps nothing. `/_test` cannot be used by a
//! page in a browser: it wants JSON and a loopback host, and answers no CORS (DECISIONS D14). The token
//! endpoint answers any host, as identity libraries in other containers ask it, and any page. Sign-ins of
//! people end on this machine.

use std::sync::Arc;

use anyhow::Context;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, http};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::json;

use crate::auth::{Grant, OAuthError, Scope, TokenRequest, token_answer};
use crate::issuer::{self, Issuer, anybody, fields, is_form};
use crate::server::{Server, Subject};
use crate::service::apps::Refusal;

/// How long tokens of these routes are good.
const TTL_SECONDS: i64 = 8 * 3_600;

/// A folder for an ephemeral server's data, in memory where there is a file system in memory.
pub(crate) fn folder() -> anyhow::Result<tempfile::TempDir> {
    let memory = std::path::Path::new("/dev/shm");
    sweep(memory);
    let mut builder = tempfile::Builder::new();
    builder.prefix("folkmoot-");
    match builder.tempdir_in(memory) {
        Ok(folder) => Ok(folder),
        Err(_) => builder.tempdir().context("cannot make a temporary folder"),
    }
}

/// Removes what servers that were killed have left: folders of ours whose lock nobody holds.
fn sweep(memory: &std::path::Path) {
    let Ok(entries) = std::fs::read_dir(memory) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with("folkmoot-");
        let lock = std::fs::File::open(entry.path().join("lock"));
        // A folder without a lock is one that is just being made.
        if is_ours && lock.is_ok_and(|it| it.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The routes.
pub(crate) fn routes(it: Arc<Issuer>) -> Router {
    Router::new()
        .route("/_test/token", post(test_token).with_state(it.server.clone()))
        .route("/{tenant}/oauth2/v2.0/token", post(token).options(issuer::preflight))
        .route("/{tenant}/oauth2/v2.0/authorize", get(anybody::authorize))
        .with_state(it)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    user: Option<String>,
    app: Option<String>,
    scopes: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    tenant: Option<uuid::Uuid>,
}

async fn test_token(
    State(server): State<Arc<Server>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_local(&uri, &headers) {
        return issuer::answer(
            StatusCode::FORBIDDEN,
            &json!({"error": "the Host must be a loopback one"}),
        );
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = content_type.and_then(|it| it.split(';').next()).map(str::trim);
    if essence != Some("application/json") {
        let why = json!({"error": "Content-Type: application/json is needed"});
        return issuer::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &why);
    }
    let wanted: Wanted = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => {
            let why = format!("expected {{\"user\" or \"app\", \"scopes\" or \"roles\"}}: {error}");
            return issuer::answer(StatusCode::BAD_REQUEST, &json!({"error": why}));
        }
    };
    let (subject, names) = match (wanted.user, wanted.app) {
        (Some(user), None) if wanted.roles.is_none() => (Subject::User(user), wanted.scopes),
        (None, Some(app)) if wanted.scopes.is_none() => (Subject::App(app), wanted.roles),
        _ => {
            let why = "either \"user\", with \"scopes\", or \"app\", with \"roles\", is needed";
            return issuer::answer(StatusCode::BAD_REQUEST, &json!({"error": why}));
        }
    };
    // Names are taken as they are: a token with permissions of another service is a thing to test with.
    let minted = server.token(&subject, names.as_deref(), wanted.tenant, TTL_SECONDS).await;
    match minted {
        Ok(token) => issuer::answer(StatusCode::OK, &json!({"access_token": token})),
        Err(error) => {
            issuer::answer(StatusCode::BAD_REQUEST, &json!({"error": format!("{error:#}")}))
        }
    }
}

/// Whether the Host is a loopback one: a page from elsewhere that resolves its own name to this
/// machine is not answered. HTTP/2 has the name in the address instead.
fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let header = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let host = header.or_else(|| uri.authority().map(|it| it.as_str())).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// The token endpoint: any client id and secret; whatever tenant is named, the token is of the one
/// that an ephemeral server has, so that tokens got in different ways see the same groups.
async fn token(
    State(it): State<Arc<Issuer>>,
    Path(tenant): Path<String>,
    parts: Parts,
    body: String,
) -> Response {
    if !is_form(&parts) {
        return issuer::no_form();
    }
    let answered = match asked(&tenant, &parts, &body) {
        Ok(Asked::Token(subject, names)) => {
            let names = (!names.is_empty()).then_some(&names[..]);
            match it.server.token(&subject, names, None, TTL_SECONDS).await {
                Ok(token) => Ok(token_answer(&token, TTL_SECONDS)),
                Err(error) => Err(Refusal::OAuth(OAuthError::Nobody(format!("{error:#}")))),
            }
        }
        Ok(Asked::SignedIn(request, client_info)) => {
            anybody::redeem(&it, &parts, &tenant, request, client_info, TTL_SECONDS).await
        }
        Err(error) => Err(error.into()),
    };
    let response = match answered {
        Ok(body) => issuer::answer(StatusCode::OK, &body),
        Err(refusal) => issuer::refused(&refusal),
    };
    issuer::for_pages(response, issuer::ANY)
}

/// What a token request is about.
enum Asked {
    /// A token for whoever is named, with these permissions.
    Token(Subject, Vec<String>),
    /// What a sign-in has brought; and whether who it was is to be told beside.
    SignedIn(TokenRequest, bool),
}

/// What a token request is about.
fn asked(tenant: &str, parts: &Parts, body: &str) -> Result<Asked, OAuthError> {
    // A GUID, one of Microsoft's words for any tenant, or a domain.
    let known = ["common", "organizations", "consumers"].contains(&tenant)
        || tenant.contains('.')
        || uuid::Uuid::try_parse(tenant).is_ok();
    if !known {
        return Err(OAuthError::Tenant(tenant.to_owned()));
    }
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let fields = fields(body)?;
    let request = TokenRequest::read(&fields, authorization)?;
    // Scopes that are not known are not granted; that is no error in OAuth.
    let named = request.scopes.iter().filter_map(|it| Scope::parse(it));
    let named = named.map(|it| it.name().to_owned()).collect();
    Ok(match (&request.grant, fields.get("username")) {
        (Grant::Password { user }, _) => Asked::Token(Subject::User(user.clone()), named),
        // A username makes it a user's token whatever the grant is called.
        (Grant::Client, Some(user)) => Asked::Token(Subject::User(user.to_owned()), named),
        (Grant::Client, None) => Asked::Token(Subject::App(request.app), Vec::new()),
        (Grant::Code { .. } | Grant::Refresh { .. }, _) => {
            Asked::SignedIn(request, fields.get("client_info") == Some("1"))
        }
    })
}
