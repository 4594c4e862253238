//! Where people sign in, and where applications send them to: `/sign-in`, `/sign-out` and
//! `/{tenant}/oauth2/v2.0/authorize` (RFC 6749, section 4.1).
//!
//! **Invariant:** nobody is sent to an address that the application has not; what is wrong with
//! application or address is said here. A form is taken only with the word of the page that it stands on.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::cookies::Cookie;
use super::{Issuer, fields, is_form, no_form, pages};
use crate::auth::{
    Fields, OAuthError, Password, form_target, hash_secret, is_challenge, is_secret,
    matches_redirect, new_secret,
};
use crate::service::Service;
use crate::service::apps::{App, Refusal};
use crate::service::grants::{Asked, granted_scopes};
use crate::service::sign_in::{NotSignedIn, SESSION_SECONDS, SignedIn};

/// All but what stands for itself in an address (RFC 3986, section 2.3).
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How an application is answered (OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1; OAuth 2.0 Form
/// Post Response Mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Behind a `?`.
    Query,
    /// Behind a `#`, where pages alone read it.
    Fragment,
    /// By a form that the browser sends.
    Form,
}

impl Mode {
    fn of(fields: &Fields) -> Option<Mode> {
        match fields.get("response_mode") {
            None | Some("query") => Some(Mode::Query),
            Some("fragment") => Some(Mode::Fragment),
            Some("form_post") => Some(Mode::Form),
            Some(_) => None,
        }
    }
}

/// What an application asks for, so far as it is known where to answer.
pub(super) struct Wanted {
    pub(super) app: App,
    pub(super) redirect: String,
    state: Option<String>,
    mode: Mode,
    /// Refused by a redirect.
    pub(super) asked: Result<Asked, OAuthError>,
    pub(super) prompt: String,
}

/// Answers an application that sends somebody to sign in.
pub(super) async fn authorize(
    State(it): State<Arc<Issuer>>,
    Path(tenant): Path<String>,
    parts: Parts,
) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let wanted = match wanted(&it, &tenant, query).await {
        Ok(wanted) => wanted,
        Err(refusal) => return cannot(&refusal),
    };
    let asked = match &wanted.asked {
        Ok(asked) => asked.clone(),
        Err(error) => return back(&wanted, Err(error)),
    };
    let signed_in = match session(&it, &parts).await {
        Ok(signed_in) => signed_in.filter(|by| by.tenant == wanted.app.tenant),
        Err(refusal) => return cannot(&refusal),
    };
    let anew = ["login", "select_account"].contains(&wanted.prompt.as_str());
    match signed_in {
        Some(by) if !anew => match it.service.begin_grant(&wanted.app, &by, asked).await {
            Ok(code) => back(&wanted, Ok(&code)),
            Err(error) => cannot(&error.into()),
        },
        _ if wanted.prompt == "none" => back(&wanted, Err(&OAuthError::NotSignedIn)),
        _ => {
            // Once they have signed in, they are not asked again.
            let query = query.split('&').filter(|it| !it.starts_with("prompt="));
            let query = query.collect::<Vec<_>>().join("&");
            let next = format!("{}?{query}", parts.uri.path());
            ask(&it, &parts, StatusCode::OK, &Typed { next: Some(next), ..Typed::default() }).await
        }
    }
}

/// Reads what an application asks for.
async fn wanted(it: &Issuer, tenant: &str, query: &str) -> Result<Wanted, Refusal> {
    let tenant = it.tenant(tenant)?;
    let fields = fields(query)?;
    let app = it.service.app(fields.need("client_id")?, tenant).await?;
    let redirect = fields.need("redirect_uri")?.to_owned();
    if !app.redirects.iter().any(|it| matches_redirect(it, &redirect)) {
        return Err(OAuthError::Redirect(redirect.chars().take(200).collect()).into());
    }
    Ok(Wanted::of(app, redirect, &fields))
}

impl Wanted {
    /// What these fields ask for, of an application that may be answered at `redirect`.
    pub(super) fn of(app: App, redirect: String, fields: &Fields) -> Wanted {
        let asked = asked(&app, &redirect, fields);
        let state = fields.get("state").map(str::to_owned);
        let mode = Mode::of(fields).unwrap_or(Mode::Query);
        let prompt = fields.get("prompt").unwrap_or_default().to_owned();
        Wanted { app, redirect, state, mode, asked, prompt }
    }
}

fn asked(app: &App, redirect: &str, fields: &Fields) -> Result<Asked, OAuthError> {
    match fields.need("response_type")? {
        "code" => {}
        other => return Err(OAuthError::ResponseType(other.chars().take(64).collect())),
    }
    if Mode::of(fields).is_none() {
        return Err(OAuthError::Parameter("response_mode", "'query', 'fragment' or 'form_post'"));
    }
    let challenge = fields.get("code_challenge");
    match (challenge, fields.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) if is_challenge(challenge) => {}
        (Some(_), Some("S256")) => {
            return Err(OAuthError::Parameter("code_challenge", "a SHA-256 as base64url"));
        }
        (Some(_), _) => return Err(OAuthError::Parameter("code_challenge_method", "'S256'")),
        (None, _) if app.secret_hash.is_none() => return Err(OAuthError::NoChallenge),
        (None, _) => {}
    }
    Ok(Asked {
        scopes: granted_scopes(app, &fields.words("scope"))?,
        redirect: redirect.to_owned(),
        challenge: challenge.map(str::to_owned),
        nonce: fields.get("nonce").map(str::to_owned),
    })
}

/// Sends somebody back to the application, with a code or with what was wrong.
pub(super) fn back(wanted: &Wanted, result: Result<&str, &OAuthError>) -> Response {
    let mut told = match result {
        Ok(code) => vec![("code", code.to_owned())],
        Err(error) => {
            vec![("error", error.entry().0.to_owned()), ("error_description", error.description())]
        }
    };
    told.extend(wanted.state.clone().map(|it| ("state", it)));
    let mark = match wanted.mode {
        Mode::Form => return pages::back(&wanted.redirect, &wanted.app.name, &told),
        Mode::Fragment => '#',
        Mode::Query if wanted.redirect.contains('?') => '&',
        Mode::Query => '?',
    };
    let encode = |text: &str| utf8_percent_encode(text, &RESERVED).to_string();
    let told = told.iter().map(|(name, value)| format!("{name}={}", encode(value)));
    go(&format!("{}{mark}{}", wanted.redirect, told.collect::<Vec<_>>().join("&")))
}

pub(super) fn go(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    // The code in the address is for the application alone.
    let none = HeaderValue::from_static("no-referrer");
    response.headers_mut().insert(header::REFERRER_POLICY, none);
    response
}

/// What a form or a link brings along.
#[derive(Default)]
struct Typed {
    next: Option<String>,
    why: Option<String>,
    code: Option<String>,
    /// The user name that came with a password.
    name: Option<String>,
    makes_account: bool,
}

/// The page that asks who somebody is.
async fn ask(it: &Issuer, parts: &Parts, status: StatusCode, typed: &Typed) -> Response {
    let wanted = wanted_next(it, typed.next.as_deref()).await;
    let scopes = wanted.as_ref().and_then(|it| it.asked.as_ref().ok());
    let app = wanted.as_ref().zip(scopes).map(|(it, asked)| (&it.app.name[..], &asked.scopes[..]));
    // A link is used as it is; and nobody is asked for what nobody has.
    let by_password = typed.code.is_none() && !typed.makes_account && it.server.passwords;
    let by_password = match by_password {
        true => match it.service.has_passwords().await {
            Ok(has) => has,
            Err(error) => return cannot(&error.into()),
        },
        false => false,
    };
    let (word, fresh) = match word(it, parts) {
        Ok(word) => word,
        Err(refusal) => return cannot(&refusal),
    };
    let form = pages::Form {
        app,
        why: typed.why.as_deref(),
        next: typed.next.as_deref().filter(|_| wanted.is_some()),
        word: &word,
        code: typed.code.as_deref(),
        makes_account: typed.makes_account,
        password: by_password.then(|| typed.name.as_deref().unwrap_or_default()),
        target: wanted.as_ref().map(|it| form_target(&it.redirect)),
    };
    let mut response = pages::sign_in(status, &form);
    if fresh {
        Cookie::Word.set(&mut response, it.is_secure(parts), &word, SESSION_SECONDS);
    }
    response
}

/// What the application wants that somebody goes on to once they have signed in.
async fn wanted_next(it: &Issuer, next: Option<&str>) -> Option<Wanted> {
    let (path, query) = next?.split_once('?')?;
    let tenant = path.strip_prefix('/')?.strip_suffix("/oauth2/v2.0/authorize")?;
    wanted(it, tenant, query).await.ok()
}

/// The word of the forms of this browser, and whether it is a new one.
pub(super) fn word(it: &Issuer, parts: &Parts) -> Result<(String, bool), Refusal> {
    match Cookie::Word.of(&parts.headers, it.is_secure(parts)) {
        Some(word) => Ok((word.to_owned(), false)),
        None => match new_secret() {
            Ok((word, _)) => Ok((word, true)),
            Err(_) => Err(Refusal::Fault("no random bytes".into())),
        },
    }
}

/// `GET /sign-in`: where a sign-in link leads. Nothing is used up by looking: programs that read mail
/// follow links too.
pub(super) async fn page(State(it): State<Arc<Issuer>>, parts: Parts) -> Response {
    let fields = fields(parts.uri.query().unwrap_or_default()).unwrap_or_default();
    let code = fields.get("code").map(str::to_owned);
    if code.is_none() {
        match session(&it, &parts).await {
            Ok(Some(by)) => {
                let word = Cookie::Word.of(&parts.headers, it.is_secure(&parts));
                let (word, changed) = (word.unwrap_or_default(), fields.get("changed").is_some());
                let passwords = it.server.passwords;
                return pages::signed_in(&by.user.principal_name, word, passwords, changed);
            }
            Ok(None) => {}
            Err(refusal) => return cannot(&refusal),
        }
    }
    let makes_account = fields.get("new").is_some();
    ask(&it, &parts, StatusCode::OK, &Typed { code, makes_account, ..Typed::default() }).await
}

/// `POST /sign-in`.
pub(super) async fn sign_in(State(it): State<Arc<Issuer>>, parts: Parts, body: String) -> Response {
    let fields = match form(&it, &parts, &body) {
        Ok(fields) => fields,
        Err(refused) => return *refused,
    };
    // The code, or the link that it stands in.
    let code = fields.get("code").unwrap_or_default().trim();
    let code = code.split_once("code=").map_or(code, |(_, it)| it).split('&').next();
    let name = fields.get("name").map(|it| it.trim().to_owned());
    let next = fields.get("next").filter(|it| is_own(it)).map(str::to_owned);
    let by_password = fields.0.iter().any(|(it, _)| it == "password");
    let service = it.acting(&parts, "SignIn", None);
    let signed_in = if by_password {
        sign_in_by_password(&it, &service, &parts, &fields, next.as_deref()).await
    } else {
        service.sign_in_by_link(code.unwrap_or_default(), name.clone()).await
    };
    match signed_in {
        Ok(session) => begin(&it, &parts, &session, next.as_deref().unwrap_or("/sign-in")).await,
        Err(NotSignedIn::Store(error)) => cannot(&error.into()),
        Err(error) => {
            let makes_account = fields.get("new").is_some() || matches!(error, NotSignedIn::Name);
            let code = code.filter(|_| makes_account).map(str::to_owned);
            let name = name.filter(|_| by_password);
            let why = Some(error.to_string());
            let status = match error {
                NotSignedIn::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::FORBIDDEN,
            };
            let typed = Typed { next, why, code, name, makes_account };
            let mut response = ask(&it, &parts, status, &typed).await;
            if let NotSignedIn::TooOften(seconds) = error {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// By user name and password, in the tenant of the application that waits, or else in that of the name.
async fn sign_in_by_password(
    it: &Issuer,
    service: &Service,
    parts: &Parts,
    fields: &Fields,
    next: Option<&str>,
) -> Result<String, NotSignedIn> {
    if !it.server.passwords {
        return Err(NotSignedIn::Password);
    }
    let name = fields.get("name").unwrap_or_default().trim();
    let password = Password::new(fields.get("password").unwrap_or_default());
    let tenant = match wanted_next(it, next).await {
        Some(wanted) => wanted.app.tenant,
        None => it.server.tenant_of_name(name).map_err(|_| NotSignedIn::Password)?,
    };
    let from = it.origins.network(parts);
    service.sign_in_by_password(tenant, name, password, from).await
}

/// Begins a session in a browser, and goes on; the session before it ends.
pub(super) async fn begin(it: &Issuer, parts: &Parts, session: &str, to: &str) -> Response {
    let secure = it.is_secure(parts);
    if let Some(before) = Cookie::Session.of(&parts.headers, secure)
        && let Err(error) = it.service.sign_out(before).await
    {
        return cannot(&error.into());
    }
    let mut response = go(to);
    Cookie::Session.set(&mut response, secure, session, SESSION_SECONDS);
    response
}

/// `POST /sign-out`.
pub(super) async fn sign_out(
    State(it): State<Arc<Issuer>>,
    parts: Parts,
    body: String,
) -> Response {
    if let Err(refused) = form(&it, &parts, &body) {
        return *refused;
    }
    let secure = it.is_secure(&parts);
    if let Some(session) = Cookie::Session.of(&parts.headers, secure)
        && let Err(error) = it.service.sign_out(session).await
    {
        return cannot(&error.into());
    }
    let mut response = go("/sign-in");
    Cookie::Session.set(&mut response, secure, "", 0);
    response
}

/// The fields of a form that stood on a page of this server.
pub(super) fn form(it: &Issuer, parts: &Parts, body: &str) -> Result<Fields, Box<Response>> {
    if !is_form(parts) {
        return Err(Box::new(no_form()));
    }
    let fields = fields(body).map_err(|error| Box::new(cannot(&error.into())))?;
    let word = Cookie::Word.of(&parts.headers, it.is_secure(parts));
    let same = |word: &str| fields.get("word").is_some_and(|it| is_secret(it, hash_secret(word)));
    if !word.is_some_and(same) {
        let why = "The form did not come from a page of this server, or cookies are off. \
            Go back, load the page again, and send it once more.";
        return Err(Box::new(pages::refused(StatusCode::FORBIDDEN, why)));
    }
    Ok(fields)
}

/// Whether an address leads to a sign-in for an application here, and nowhere else.
fn is_own(next: &str) -> bool {
    let path = next.split('?').next().unwrap_or_default();
    path.starts_with('/')
        && !path.starts_with("//")
        && path.ends_with("/oauth2/v2.0/authorize")
        && next.bytes().all(|it| it.is_ascii_graphic() && it != b'\\')
}

pub(super) async fn session(it: &Issuer, parts: &Parts) -> Result<Option<SignedIn>, Refusal> {
    match Cookie::Session.of(&parts.headers, it.is_secure(parts)) {
        Some(secret) => Ok(it.service.session(secret).await?),
        None => Ok(None),
    }
}

/// The page that says why a sign-in cannot be.
pub(super) fn cannot(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::OAuth(error) => pages::refused(StatusCode::BAD_REQUEST, &error.description()),
        other => {
            tracing::error!(error = %other, "a sign-in cannot be answered");
            let why = "The server cannot do this now: try again later.";
            pages::refused(StatusCode::SERVICE_UNAVAILABLE, why)
        }
    }
}
