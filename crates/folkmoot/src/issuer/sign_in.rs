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
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::cookies::Cookie;
use super::{Issuer, fields, is_form, no_form, pages};
use crate::auth::{
    Fields, OAuthError, form_target, hash_secret, is_challenge, is_secret, matches_redirect,
    new_secret,
};
use crate::service::apps::{App, Refusal};
use crate::service::grants::{Asked, granted_scopes};
use crate::service::sign_in::{NotSignedIn, SESSION_SECONDS, SignedIn};

/// What an application asks for, so far as it is known where to answer.
struct Wanted {
    app: App,
    redirect: String,
    state: Option<String>,
    /// Refused by a redirect.
    asked: Result<Asked, OAuthError>,
    prompt: String,
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
    let asked = asked(&app, &redirect, &fields);
    let state = fields.get("state").map(str::to_owned);
    let prompt = fields.get("prompt").unwrap_or_default().to_owned();
    Ok(Wanted { app, redirect, state, asked, prompt })
}

fn asked(app: &App, redirect: &str, fields: &Fields) -> Result<Asked, OAuthError> {
    match fields.need("response_type")? {
        "code" => {}
        other => return Err(OAuthError::ResponseType(other.chars().take(64).collect())),
    }
    if fields.get("response_mode").is_some_and(|it| it != "query") {
        return Err(OAuthError::Parameter("response_mode", "'query'"));
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
fn back(wanted: &Wanted, result: Result<&str, &OAuthError>) -> Response {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut to = wanted.redirect.clone();
    to.push(if to.contains('?') { '&' } else { '?' });
    match result {
        Ok(code) => to.push_str(&format!("code={}", encode(code))),
        Err(error) => {
            let (code, description) = (error.entry().0, encode(&error.description()));
            to.push_str(&format!("error={code}&error_description={description}"));
        }
    }
    if let Some(state) = &wanted.state {
        to.push_str(&format!("&state={}", encode(state)));
    }
    go(&to)
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
    makes_account: bool,
}

/// The page that asks who somebody is.
async fn ask(it: &Issuer, parts: &Parts, status: StatusCode, typed: &Typed) -> Response {
    let next = typed.next.as_deref().and_then(|next| {
        let (path, query) = next.split_once('?')?;
        let tenant = path.strip_prefix('/')?.strip_suffix("/oauth2/v2.0/authorize")?;
        Some((tenant, query))
    });
    let wanted = match next {
        Some((tenant, query)) => wanted(it, tenant, query).await.ok(),
        None => None,
    };
    let scopes = wanted.as_ref().and_then(|it| it.asked.as_ref().ok());
    let app = wanted.as_ref().zip(scopes).map(|(it, asked)| (&it.app.name[..], &asked.scopes[..]));
    let secure = it.is_secure(parts);
    let (word, fresh) = match Cookie::Word.of(&parts.headers, secure) {
        Some(word) => (word.to_owned(), false),
        None => match new_secret() {
            Ok((word, _)) => (word, true),
            Err(_) => return cannot(&Refusal::Fault("no random bytes".into())),
        },
    };
    let form = pages::Form {
        app,
        why: typed.why.as_deref(),
        next: typed.next.as_deref().filter(|_| wanted.is_some()),
        word: &word,
        code: typed.code.as_deref(),
        makes_account: typed.makes_account,
        target: wanted.as_ref().map(|it| form_target(&it.redirect)),
    };
    let mut response = pages::sign_in(status, &form);
    if fresh {
        Cookie::Word.set(&mut response, secure, &word, SESSION_SECONDS);
    }
    response
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
                return pages::signed_in(&by.user.principal_name, word.unwrap_or_default());
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
    let signed_in = it.service.sign_in_by_link(code.unwrap_or_default(), name).await;
    let next = fields.get("next").filter(|it| is_own(it)).map(str::to_owned);
    match signed_in {
        Ok(session) => {
            let mut response = go(next.as_deref().unwrap_or("/sign-in"));
            let secure = it.is_secure(&parts);
            Cookie::Session.set(&mut response, secure, &session, SESSION_SECONDS);
            response
        }
        Err(NotSignedIn::Store(error)) => cannot(&error.into()),
        Err(error) => {
            let makes_account = fields.get("new").is_some() || matches!(error, NotSignedIn::Name);
            let code = code.filter(|_| makes_account).map(str::to_owned);
            let why = Some(error.to_string());
            let typed = Typed { next, why, code, makes_account };
            ask(&it, &parts, StatusCode::FORBIDDEN, &typed).await
        }
    }
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
