//! Where somebody who has signed in changes their password: `/sign-in/password`.
//!
//! **Invariant:** the old one is asked for. No page has a password in it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};

use super::cookies::Cookie;
use super::sign_in::{begin, cannot, form, go, session, word};
use super::{Issuer, pages};
use crate::auth::Password;
use crate::service::passwords::NotChanged;
use crate::service::sign_in::{SESSION_SECONDS, SignedIn};

/// `GET /sign-in/password`.
pub(super) async fn page(State(it): State<Arc<Issuer>>, parts: Parts) -> Response {
    match who(&it, &parts).await {
        Ok(by) => ask(&it, &parts, &by, StatusCode::OK, None).await,
        Err(refused) => *refused,
    }
}

/// `POST /sign-in/password`.
pub(super) async fn change(State(it): State<Arc<Issuer>>, parts: Parts, body: String) -> Response {
    let fields = match form(&it, &parts, &body) {
        Ok(fields) => fields,
        Err(refused) => return *refused,
    };
    let by = match who(&it, &parts).await {
        Ok(by) => by,
        Err(refused) => return *refused,
    };
    let (new, again) = (fields.get("new").unwrap_or_default(), fields.get("again"));
    if again.is_some_and(|it| it != new) || again.is_none() {
        let why = "The new password and its repetition are not the same.";
        return ask(&it, &parts, &by, StatusCode::BAD_REQUEST, Some(why)).await;
    }
    let old = fields.get("old").map(Password::new);
    let from = it.origins.network(&parts);
    let service = it.acting(&parts, "ChangePassword", Some(&by));
    let error = match service.change_password(&by, old, Password::new(new), from).await {
        Ok(session) => return begin(&it, &parts, &session, "/sign-in?changed=1").await,
        Err(NotChanged::Store(error)) => return cannot(&error.into()),
        Err(error) => error,
    };
    let status = match error {
        NotChanged::Weak(_) => StatusCode::BAD_REQUEST,
        NotChanged::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::FORBIDDEN,
    };
    let mut response = ask(&it, &parts, &by, status, Some(&error.to_string())).await;
    if let NotChanged::TooOften(seconds) = error {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Who changes theirs; where nobody has signed in, they are sent to do that.
async fn who(it: &Issuer, parts: &Parts) -> Result<SignedIn, Box<Response>> {
    if !it.server.passwords {
        let why = "Nobody signs in by a password here.";
        return Err(Box::new(pages::refused(StatusCode::NOT_FOUND, why)));
    }
    match session(it, parts).await {
        Ok(by) => by.ok_or_else(|| Box::new(go("/sign-in"))),
        Err(refusal) => Err(Box::new(cannot(&refusal))),
    }
}

async fn ask(
    it: &Issuer,
    parts: &Parts,
    by: &SignedIn,
    status: StatusCode,
    why: Option<&str>,
) -> Response {
    let has_one = match it.service.may_change_password(by).await {
        Ok(Some(has_one)) => has_one,
        Ok(None) => return pages::refused(StatusCode::FORBIDDEN, &NotChanged::Anew.to_string()),
        Err(error) => return cannot(&error.into()),
    };
    let (word, fresh) = match word(it, parts) {
        Ok(word) => word,
        Err(refusal) => return cannot(&refusal),
    };
    let mut response = pages::password(status, &by.user.principal_name, &word, has_one, why);
    if fresh {
        Cookie::Word.set(&mut response, it.is_secure(parts), &word, SESSION_SECONDS);
    }
    response
}
