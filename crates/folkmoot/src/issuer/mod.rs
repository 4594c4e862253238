//! The door of the built-in issuer: OpenID discovery, keys, tokens, and the pages where people sign in.
//!
//! **Invariant:** a door decodes and encodes; who gets a token is decided in `service/apps.rs`,
//! `service/grants.rs`, `service/sign_in.rs` and `service/passwords.rs`. Every answer of the token endpoint says that it must not be kept.

pub(crate) mod anybody;
mod cookies;
mod invitations;
mod pages;
mod passwords;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::Origins;
use crate::auth::{
    Claims, Fields, Grant, IdentityOf, OAuthError, Scope, TokenRequest, discovery, is_of_origin,
    token_answer,
};
use crate::ids::TenantId;
use crate::server::Server;
use crate::service::Service;
use crate::service::apps::{App, Refusal, is_app};
use crate::service::audit::{Act, By, Whence};
use crate::service::grants::Shown;
use crate::service::sign_in::SignedIn;

/// How long access tokens are good.
const TTL_SECONDS: i64 = 3_600;

/// What the doors need.
pub(crate) struct Issuer {
    pub(crate) server: Arc<Server>,
    service: Service,
    origins: Origins,
    /// Whether any tenant is answered for, as an ephemeral server does.
    any_tenant: bool,
}

/// The routes that every server has: the documents, which any page may read.
pub(crate) fn documents(it: Arc<Issuer>) -> Router {
    Router::new()
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(configuration))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .with_state(it)
}

/// The routes of a server whose users and applications are known to it.
pub(crate) fn routes(it: Arc<Issuer>) -> Router {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token).options(preflight))
        .route("/{tenant}/oauth2/v2.0/authorize", get(sign_in::authorize))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-in/password", get(passwords::page).post(passwords::change))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/invitation", get(invitations::page).post(invitations::accept))
        .with_state(it)
}

async fn configuration(
    State(it): State<Arc<Issuer>>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    match it.tenant(&tenant) {
        Ok(_) => {
            for_pages(answer(StatusCode::OK, &discovery(&it.origins.of(&parts), &tenant)), ANY)
        }
        Err(error) => refused(&Refusal::OAuth(error)),
    }
}

async fn keys(State(it): State<Arc<Issuer>>, Path(_tenant): Path<String>) -> Response {
    match it.server.jwks().await {
        Ok(keys) => for_pages(answer(StatusCode::OK, &keys), ANY),
        Err(error) => refused(&error.into()),
    }
}

async fn token(
    State(it): State<Arc<Issuer>>,
    Path(tenant): Path<String>,
    parts: Parts,
    body: String,
) -> Response {
    if !is_form(&parts) {
        return no_form();
    }
    let mut page = None;
    let response = match answer_token(&it, &tenant, &parts, &body, &mut page).await {
        Ok(body) => answer(StatusCode::OK, &body),
        Err(refusal) => refused(&refusal),
    };
    match page {
        Some(page) => for_pages(response, page),
        None => response,
    }
}

/// `page` becomes the origin of the page of another site that asks, once it is known which application it says
/// that it is.
async fn answer_token(
    it: &Issuer,
    tenant: &str,
    parts: &Parts,
    body: &str,
    page: &mut Option<HeaderValue>,
) -> Result<Value, Refusal> {
    let named = tenant;
    let tenant = it.tenant(tenant)?;
    let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let fields = fields(body)?;
    let request = TokenRequest::read(&fields, authorization)?;
    let app = it.service.app(&request.app, tenant).await?;
    if let Some(origin) = it.other_origin(parts) {
        *page = Some(origin.clone());
        // It may read why, but gets nothing: only applications that keep no secret run in pages.
        let origin = origin.to_str().unwrap_or_default();
        if app.secret_hash.is_some() || !app.redirects.iter().any(|it| is_of_origin(it, origin)) {
            return Err(OAuthError::CrossOrigin(origin.chars().take(200).collect()).into());
        }
    }
    is_app(&app, request.secret.as_deref(), it.service.clock().now().ticks)?;
    let shown = match request.grant {
        Grant::Client => {
            let roles = roles(&app, &request.scopes)?;
            let now = it.service.clock().unix_seconds();
            let begin = Claims::begin(&it.origins.of(parts), app.tenant.0, now, TTL_SECONDS);
            let token = it.sign(&begin.of_app(app.id, &app.name, roles)).await?;
            return Ok(token_answer(&token, TTL_SECONDS));
        }
        Grant::Password { .. } => return Err(OAuthError::GrantType("password".into()).into()),
        Grant::Code { code, redirect, verifier } => Shown::Code { code, redirect, verifier },
        Grant::Refresh { token } => Shown::Refresh { token },
    };
    let answers = Answers { origin: it.origins.of(parts), named, ttl_seconds: TTL_SECONDS };
    let client_info = fields.get("client_info") == Some("1");
    it.redeem(&app, &app.id.to_string(), shown, &answers, client_info).await
}

/// What an answer with a user's token says of its issuer.
struct Answers<'a> {
    origin: String,
    /// The tenant, as the address names it.
    named: &'a str,
    ttl_seconds: i64,
}

/// The roles that an application gets which calls as itself.
fn roles(app: &App, scopes: &[String]) -> Result<Vec<String>, OAuthError> {
    if app.secret_hash.is_none() {
        return Err(OAuthError::NoSecret);
    }
    // Any resource: identity libraries name Graph's own by default.
    if let Some(other) = scopes.iter().find(|it| !it.ends_with("/.default")) {
        return Err(OAuthError::NotDefault(other.clone()));
    }
    let roles: Vec<_> = app.roles.names().map(str::to_owned).collect();
    if roles.is_empty() { Err(OAuthError::NoRole(app.name.clone())) } else { Ok(roles) }
}

impl Issuer {
    pub(crate) fn new(server: Arc<Server>, origins: Origins, any_tenant: bool) -> Arc<Issuer> {
        Arc::new(Issuer { service: server.service(), server, origins, any_tenant })
    }

    /// What an application, which calls itself `client`, gets for what it shows.
    async fn redeem(
        &self,
        app: &App,
        client: &str,
        shown: Shown,
        answers: &Answers<'_>,
        client_info: bool,
    ) -> Result<Value, Refusal> {
        let Answers { origin, named, ttl_seconds } = answers;
        let now = self.service.clock().unix_seconds();
        let granted = self.service.redeem(app, shown).await?;
        let (user, scopes) = (&granted.user, &granted.scopes);
        // OpenID's own scopes are no permissions.
        let scp = scopes.split(' ').filter(|it| Scope::parse(it).is_some());
        let scp = scp.collect::<Vec<_>>().join(" ");
        let claims = Claims::begin(origin, app.tenant.0, now, *ttl_seconds);
        let claims = claims.of_user(user.id.0, &user.principal_name, &user.display_name, scp);
        let claims = Claims { appid: Some(app.id.to_string()), ..claims };
        let mut answer = token_answer(&self.sign(&claims).await?, *ttl_seconds);
        answer["scope"] = json!(scopes);
        if let Some(refresh) = granted.refresh {
            answer["refresh_token"] = json!(refresh);
        }
        if scopes.split(' ').any(|it| it == "openid") {
            // Whoever found this issuer by its document looks for the name that the document gave.
            let who = IdentityOf {
                issuer: format!("{origin}/{named}/v2.0"),
                app: client,
                tenant: granted.tenant.0,
                user: user.id.0,
                principal_name: &user.principal_name,
                name: &user.display_name,
                mail: scopes.split(' ').any(|it| it == "email").then_some(&user.mail[..]),
                nonce: granted.nonce.as_deref(),
            };
            answer["id_token"] = json!(self.sign(&who.claims(now, *ttl_seconds)).await?);
            if client_info {
                answer["client_info"] = json!(who.client_info());
            }
        }
        Ok(answer)
    }

    /// The rules in the hands of whoever sends this form, who has signed in or not.
    fn acting(&self, parts: &Parts, operation: &'static str, who: Option<&SignedIn>) -> Service {
        let client = self.origins.client(&parts.headers, &parts.extensions);
        let act = Whence { request: None, client }.anonymous(operation);
        self.service.acting(match who {
            Some(who) => Act { tenant: who.tenant, by: By::User, user: Some(who.user.id), ..act },
            None => act,
        })
    }

    /// The origin of the page that asks, where that is another than this server's.
    fn other_origin<'p>(&self, parts: &'p Parts) -> Option<&'p HeaderValue> {
        let own = self.origins.of(parts);
        parts.headers.get(header::ORIGIN).filter(|it| it.as_bytes() != own.as_bytes())
    }

    fn tenant(&self, name: &str) -> Result<Option<TenantId>, OAuthError> {
        if self.any_tenant {
            return Ok(None);
        }
        let unknown = || OAuthError::Tenant(name.chars().take(64).collect());
        self.server.tenant_named(name).ok_or_else(unknown)
    }

    async fn sign(&self, claims: &impl Serialize) -> Result<String, Refusal> {
        let signed = self.server.sign(claims).await;
        signed.map_err(|error| Refusal::Fault(format!("{error:#}")))
    }

    /// Whether the client came by https.
    fn is_secure(&self, parts: &Parts) -> bool {
        self.origins.of(parts).starts_with("https://")
    }
}

/// The fields of a form or of a query (application/x-www-form-urlencoded); none may come twice (RFC
/// 6749, section 3.1).
pub(crate) fn fields(text: &str) -> Result<Fields, OAuthError> {
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in text.split('&').filter_map(|it| it.split_once('=')) {
        let name = decode(name);
        if fields.iter().any(|(it, _)| *it == name) {
            return Err(OAuthError::Twice(name.chars().take(64).collect()));
        }
        fields.push((name, decode(value)));
    }
    Ok(Fields(fields))
}

/// Whether a request has a form in it.
pub(crate) fn is_form(parts: &Parts) -> bool {
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = content_type.and_then(|it| it.split(';').next()).map(str::trim);
    essence.is_some_and(|it| it.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// The answer where a form was needed.
pub(crate) fn no_form() -> Response {
    let why = "the body must be a form (application/x-www-form-urlencoded)";
    let why = json!({"error": "invalid_request", "error_description": why});
    answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &why)
}

/// How a refused request is answered where it is not by a redirect.
pub(crate) fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::OAuth(error) => {
            let status = StatusCode::from_u16(error.entry().2).unwrap_or(StatusCode::BAD_REQUEST);
            let mut response = answer(status, &error.json());
            if status == StatusCode::UNAUTHORIZED {
                let basic = HeaderValue::from_static("Basic realm=\"token endpoint\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, basic);
            }
            response
        }
        other => {
            tracing::error!(error = %other, "the issuer cannot answer");
            let body = json!({
                "error": "temporarily_unavailable",
                "error_description": "The server cannot do this now.",
            });
            answer(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

/// Any origin.
pub(crate) const ANY: HeaderValue = HeaderValue::from_static("*");

/// An answer that pages of this origin may read; never with cookies.
pub(crate) fn for_pages(mut response: Response, origin: HeaderValue) -> Response {
    let headers = response.headers_mut();
    if origin != ANY {
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response
}

/// The answer to a browser that asks whether a page may send a token request: it may, and what it may read is
/// decided with the request, which names the application.
pub(crate) async fn preflight() -> Response {
    let mut response = for_pages(StatusCode::NO_CONTENT.into_response(), ANY);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A JSON answer that is not to be kept.
pub(crate) fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
