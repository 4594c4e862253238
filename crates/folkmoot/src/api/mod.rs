//! The Graph door: one handler for every address below `/v1.0` and `/beta`.
//!
//! **Invariant:** a door decodes, authenticates and encodes. It knows no rule and no SQL; what a path
//! means is read from the model, and whether a call is permitted from the operation table.

mod batch;
mod compress;
mod echo;
mod error;
mod lists;
mod negotiate;
mod openapi;
mod operations;
mod prefer;
#[cfg(test)]
mod properties;
mod read;
mod root;
mod search;
mod throttle;
mod upload;
mod write;

pub(crate) use openapi::routes as openapi;
pub(crate) use root::Origins;
pub(crate) use throttle::Throttle;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use odata::bind::{BindError, Path, Step, bind_path};
use odata::edm::{EntityType, Model, Navigation};
use odata::syntax::{self, Options};
use tower::{Layer, ServiceExt, service_fn};

use crate::access::Caller;
use crate::api::error::{About, Error};
use crate::api::operations::{Operation, Row, Strict};
use crate::api::prefer::Prefer;
use crate::auth::{PERSONAL, Scope, Scopes, TokenError, Verifier, bearer};
use crate::ids::{self, TenantId, UserId};
use crate::model::{BETA, MODEL, STRICT, STRICT_BETA};
use crate::service::audit::Whence;
use crate::service::{self, Ctx, Metadata, Service, Wanted, limits};

/// Bytes of a refused body that are read all the same.
const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long they may take.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Headers that a page of another origin may read.
const EXPOSED: &str = "ETag, Location, OData-EntityId, OData-Version, Preference-Applied, \
    RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, WWW-Authenticate, request-id, client-request-id";

/// What the door needs.
pub(crate) struct Api {
    /// The rules.
    pub(crate) service: Service,
    /// Checks tokens.
    pub(crate) verifier: Arc<Verifier>,
    /// The tenants that are served.
    pub(crate) tenants: Vec<TenantId>,
    /// What links begin with.
    pub(crate) origins: Origins,
    /// Whether to refuse what real Graph refuses.
    pub(crate) strict: bool,
    /// How many requests a caller may make.
    pub(crate) throttle: Throttle,
}

/// A request that was recognised and may be carried out.
struct Call {
    ctx: Ctx,
    row: &'static Row,
    path: Path,
    /// The address below the root as it was written, for the link to a next page.
    self_path: String,
    parts: Parts,
    prefer: Prefer,
    /// The level of metadata that `Accept` asks for; `None` where it takes no JSON.
    accepted: Option<Metadata>,
    whence: Whence,
}

/// Answers a request: below one of the API's roots from here, packed where the client takes that and it
/// pays, and anywhere else by `other`.
pub(crate) async fn serve(
    api: Arc<Api>,
    request: Request<Body>,
    other: fn() -> Response,
) -> Response {
    if !request.headers().contains_key(header::ACCEPT_ENCODING) {
        return handle(api, request).await.unwrap_or_else(other);
    }
    let plain = service_fn(|request| async {
        Ok::<_, Infallible>(handle(api.clone(), request).await.unwrap_or_else(other))
    });
    match compress::layer().layer(plain).oneshot(request).await {
        Ok(response) => response.map(Body::new),
    }
}

/// Answers a request below one of the API's roots, or for an upload session; `None` for any other.
async fn handle(api: Arc<Api>, request: Request<Body>) -> Option<Response> {
    let (parts, body) = request.into_parts();
    let below = root::below(parts.uri.path()).map(|it| (it.version, it.path.to_owned()));
    if below.is_none() && upload::session(parts.uri.path()).is_none() {
        return None;
    }
    let id = api.service.clock().id();
    let client = api.origins.client(&parts.headers, &parts.extensions);
    let whence = Whence { request: Some(id), client };
    let request_id = id.hyphenated().to_string();
    let sent = parts.headers.get("client-request-id").and_then(|it| it.to_str().ok());
    let client_request_id = client_id(sent, &request_id).to_owned();
    let origin = api.origins.of(&parts);

    let mut body = body;
    let carried_out = match below {
        Some((version, path)) => {
            carry_out(&api, format!("{origin}/{version}"), path, parts, &mut body, whence).await
        }
        None => upload::answer(&api, &origin, &parts, &mut body, whence).await,
    };
    let all_read = drain(body).await;
    let mut response = match carried_out {
        Ok(response) => response,
        Err(error) => {
            let date = api.service.clock().now().to_string();
            let about = About {
                date: date.trim_end_matches('Z'),
                request_id: &request_id,
                client_request_id: &client_request_id,
            };
            refused(&error, &about)
        }
    };
    let headers = response.headers_mut();
    if !all_read {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in [("request-id", &request_id), ("client-request-id", &client_request_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Encoding, Prefer"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    told(headers);
    Some(response)
}

/// What every answer says of itself, also one in a batch.
fn told(headers: &mut HeaderMap) {
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private"));
}

/// The id by which a client knows its request: its own, if it gave one that can be told back.
fn client_id<'a>(sent: Option<&'a str>, request_id: &'a str) -> &'a str {
    sent.filter(|it| (1..=limits::CLIENT_REQUEST_ID_MAX).contains(&it.len())).unwrap_or(request_id)
}

/// Reads what is left of a body that was refused: a client that is still sending would not hear the
/// answer, and one that goes on would find its connection closed. Whether all of it was read.
async fn drain(mut body: Body) -> bool {
    if body.is_end_stream() {
        return true;
    }
    let reading = async {
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            read += frame.map_or(DRAIN_BYTES_MAX, |it| it.data_ref().map_or(0, Bytes::len));
            if read >= DRAIN_BYTES_MAX {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(DRAIN_MAX, reading).await.unwrap_or(false)
}

fn refused(error: &Error, about: &About<'_>) -> Response {
    let answer = error.answer(about);
    let mut response = json(answer.status, answer.body);
    response.headers_mut().extend(answer.headers);
    response
}

/// Marks an answer whose body is JSON that was written here. Its type alone does not say so: that of a file is
/// its sender's word.
#[derive(Clone, Copy)]
struct OwnJson;

/// A JSON answer that says of itself what every client needs.
fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    json_at(Metadata::Minimal, status, body)
}

/// A JSON answer that says as much about itself as `metadata` says.
fn json_at(metadata: Metadata, status: StatusCode, body: impl Into<Body>) -> Response {
    macro_rules! json {
        ($level:literal) => {
            concat!(
                "application/json;odata.metadata=",
                $level,
                ";odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
            )
        };
    }
    let media = match metadata {
        Metadata::None => json!("none"),
        Metadata::Minimal => json!("minimal"),
        Metadata::Full => json!("full"),
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response.extensions_mut().insert(OwnJson);
    response
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

async fn carry_out(
    api: &Api,
    root: String,
    path: String,
    parts: Parts,
    body: &mut Body,
    whence: Whence,
) -> Result<Response, Error> {
    if parts.uri.path_and_query().is_some_and(|it| it.as_str().len() > limits::URL_BYTES_MAX) {
        return Err(Error::UrlTooLong(limits::URL_BYTES_MAX));
    }
    if parts.method == Method::OPTIONS {
        return Ok(preflight());
    }
    negotiate::check_version(&parts.headers)?;
    let segments =
        syntax::parse_path(&path, &limits::URL).map_err(|it| Error::Url(it.to_string()))?;
    let accepted = negotiate::json(&parts.headers);
    match &segments[..] {
        [] => {
            let metadata = negotiate::settle(&mut of_document(&parts)?, accepted)?;
            return Ok(root::service_document(&root, metadata));
        }
        [only] if only.name.eq_ignore_ascii_case("$metadata") => {
            negotiate::xml(&parts.headers, of_document(&parts)?.format.as_deref())?;
            return Ok(root::metadata(root.ends_with("/beta"), api.strict));
        }
        _ => {}
    }
    let caller = authenticate(api, &parts, whence).await?;
    if matches!(&segments[..], [only] if only.name.eq_ignore_ascii_case("$batch")) {
        return batch::answer(api, &caller, &root, &parts, body, whence).await;
    }
    // One of a batch was counted with it.
    let left = match parts.extensions.get::<batch::Share>() {
        Some(share) => share.left,
        None => api.throttle.count(&caller)?,
    };
    // Graph says in /beta how much is left.
    let left = left.filter(|_| root.ends_with("/beta"));
    let path = path.trim_start_matches('/').to_owned();
    let bound = bind_path(model_of(&root, api.strict), &segments).map_err(|error| match error {
        BindError::UnknownSegment { .. } => Error::NotServed(format!("/{path}")),
        other => Error::Bind(other),
    })?;
    let row = permitted(api, &caller, &bound, &parts.method, &path)?;
    let prefer = Prefer::of(&parts.headers);
    let metadata = accepted.unwrap_or_default();
    let wanted = Wanted { metadata, body: prefer.body, page_max: prefer.page_max };
    let mut ctx = api.service.ctx(caller, root, wanted, if_match(&parts.headers), api.strict);
    if let Some(share) = parts.extensions.get::<batch::Share>() {
        ctx.share_answer(share.of);
    }
    let call = Call { ctx, row, path: bound, self_path: path, parts, prefer, accepted, whence };
    let mut answered = if row.method == Method::GET {
        read::answer(call).await
    } else {
        write::answer(call, body).await
    };
    // The table says what an operation answers, and /openapi.json says it on: it must be so.
    debug_assert!(answered.as_ref().map_or(true, |it| row.may_answer(it.status())), "{row:?}");
    if let (Some(left), Ok(response)) = (left, &mut answered) {
        left.tell(response.headers_mut());
    }
    answered
}

/// The options of a request for a document at a root, which is read by GET.
fn of_document(parts: &Parts) -> Result<Options, Error> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(Error::Method { method: parts.method.clone(), allowed: vec![Method::GET] });
    }
    let query = parts.uri.query().unwrap_or_default();
    syntax::parse_query(query, &limits::URL).map_err(|it| Error::Url(it.to_string()))
}

/// The ETags of which what is changed must have one (RFC 9110, section 13.1.1); none for any. All of
/// them are weak here, so one that was sent without that mark means the same.
fn if_match(headers: &HeaderMap) -> Vec<String> {
    let tags: Vec<_> = lists::elements(headers, header::IF_MATCH).collect();
    if tags.contains(&"*") {
        return Vec::new();
    }
    tags.into_iter().map(|it| format!("W/{}", lists::opaque(it))).collect()
}

async fn authenticate(api: &Api, parts: &Parts, whence: Whence) -> Result<Caller, Error> {
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token = header.and_then(bearer).ok_or(TokenError::Missing)?;
    let now = api.service.clock().unix_seconds();
    let mut verified = api.verifier.verify(token, now).await;
    // Another server on the same store may have changed the key.
    if verified.as_ref().is_err_and(|it| *it == TokenError::UnknownKey) && api.verifier.may_look() {
        let (keys, removed) = api.service.trusted().await.map_err(service::Error::from)?;
        api.verifier.trust(&keys, removed);
        verified = api.verifier.verify(token, now).await;
    }
    let verified = verified?;
    if verified.tenant == PERSONAL {
        return Err(Error::PersonalAccount);
    }
    let tenant = TenantId(verified.tenant);
    if !api.tenants.contains(&tenant) {
        return Err(Error::UnknownTenant(tenant.to_string()));
    }
    let user = match (&verified.person, verified.is_app) {
        (Some(person), _) => Some(api.service.known_as(tenant, person, whence).await?),
        (None, true) => None,
        (None, false) => Some(UserId(verified.subject)),
    };
    Ok(Caller { tenant, user, app: verified.app_id.clone(), scopes: verified.scopes })
}

/// The row of the table for this call, if the caller's scopes admit it.
fn permitted(
    api: &Api,
    caller: &Caller,
    path: &Path,
    method: &Method,
    text: &str,
) -> Result<&'static Row, Error> {
    let (shape, count) = operations::shape(path);
    // HEAD asks for what GET would answer.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    // What strict mode does not offer, or what is reached by a way of our own, is not named either; of a `$count` there is only GET.
    let own_way = |it: &Step| matches!(it, Step::Navigation(it) if it.name.contains('.'));
    let own = path.steps.iter().any(own_way);
    let offered = |row: &&Row| {
        !(api.strict && (own || row.strict == Strict::NotOffered))
            && (!count || row.method == Method::GET)
    };
    let Some(row) = operations::rows(&shape).find(|it| it.method == method && offered(it)) else {
        if !operations::rows(&shape).any(|it| !count || it.method == Method::GET) {
            return Err(Error::NotServed(format!("/{text}")));
        }
        let allowed = operations::rows(&shape).filter(offered).map(|it| it.method.clone());
        return Err(Error::Method { method: method.clone(), allowed: allowed.collect() });
    };
    let app = caller.user.is_none();
    if app && api.strict && row.strict == Strict::NotToApps {
        return Err(Error::NotForApps);
    }
    let needed = row.needed(app);
    let needed = of_users(row.shape, is_own(caller, path), needed);
    let needed = match row.operation {
        Operation::GetUser if is_own(caller, path) => needed.with(Scope::UserRead),
        _ => needed,
    };
    // An application that asks for /me hears that it has no user, whatever its roles.
    let me_for_app = app && path.root.singleton;
    if !me_for_app {
        admit(caller, needed)?;
    }
    Ok(row)
}

/// Whether a path leads to the calling user, or to what hangs on them, and no further.
fn is_own(caller: &Caller, path: &Path) -> bool {
    let is_root = match (path.root.name, path.steps.first(), caller.user) {
        ("me", _, _) => true,
        ("users", Some(Step::Key(key)), Some(user)) => ids::parse(key) == Some(user.0),
        _ => false,
    };
    let navigations = path.steps.iter().filter(|it| matches!(it, Step::Navigation(_)));
    is_root && navigations.count() <= 1
}

/// What is needed of `needed` for something of this shape: `User.Read` is enough for what is the caller's own,
/// and of others opens nothing.
fn of_users(shape: &str, own: bool, needed: Scopes) -> Scopes {
    let of_another = !own && (shape == "user" || shape.starts_with("user/"));
    if of_another { needed.without(Scope::UserRead) } else { needed }
}

/// The model of the version that a root is of.
pub(super) fn model_of(root: &str, strict: bool) -> &'static Model {
    match (root.ends_with("/beta"), strict) {
        (false, false) => &MODEL,
        (true, false) => &BETA,
        (false, true) => &STRICT,
        (true, true) => &STRICT_BETA,
    }
}

/// Whether the caller may follow what `$expand` or a lambda shows: their scopes must be enough for a GET of
/// the same navigation, and strict mode must offer it to them.
fn may_follow(
    ctx: &Ctx,
    path: &Path,
    from: &EntityType,
    navigation: &Navigation,
) -> Result<(), Error> {
    let shape = format!("{}/{}", from.name, navigation.name);
    let Some(row) = operations::rows(&shape).find(|it| it.method == Method::GET) else {
        return Ok(());
    };
    let app = ctx.caller().user.is_none();
    if ctx.is_strict() && app && row.strict == Strict::NotToApps {
        return Err(Error::NotForApps);
    }
    let own = path.is_single() && is_own(ctx.caller(), path);
    admit(ctx.caller(), of_users(&shape, own, row.needed(app)))
}

/// Refuses a caller who has none of these scopes or roles.
fn admit(caller: &Caller, needed: Scopes) -> Result<(), Error> {
    if caller.scopes.intersects(needed) {
        return Ok(());
    }
    Err(Error::Scope(needed.names().collect::<Vec<_>>().join(", ")))
}

/// The answer to a browser that asks whether it may call.
fn preflight() -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers
        .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*, Authorization"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}
