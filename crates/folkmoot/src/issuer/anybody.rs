//! Sign-ins at an ephemeral server: whoever is named is signed in, for whichever application asks, so that an
//! interactive flow can be tried without anybody.
//!
//! **Invariant:** its routes exist in no other server, and a code goes to this machine alone. What follows the
//! sign-in, code and proof and refresh tokens, is the same as everywhere.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::request::Parts;
use serde_json::Value;

use super::sign_in::{Wanted, back, cannot};
use super::{Answers, Issuer, fields, pages};
use crate::auth::{Fields, Grant, OAuthError, Scopes, TokenRequest, form_target, is_here};
use crate::server::{USER_SCOPES, app_id};
use crate::service::Error;
use crate::service::apps::{App, Refusal};
use crate::service::grants::Shown;

/// Answers an application that sends somebody to sign in: they are the user of `login_hint`, or of the name that
/// they are asked for.
pub(crate) async fn authorize(
    State(it): State<Arc<Issuer>>,
    Path(_tenant): Path<String>,
    parts: Parts,
) -> Response {
    let query = parts.uri.query().unwrap_or_default();
    let fields = match fields(query) {
        Ok(fields) => fields,
        Err(error) => return cannot(&error.into()),
    };
    let wanted = match wanted(&it, &fields).await {
        Ok(wanted) => wanted,
        Err(refusal) => return cannot(&refusal),
    };
    let asked = match &wanted.asked {
        Ok(asked) => asked.clone(),
        Err(error) => return back(&wanted, Err(error)),
    };
    let ask = |why: Option<&str>| {
        // What is typed is not asked for again.
        let again = |(name, _): &&(String, String)| !["login_hint", "prompt"].contains(&&name[..]);
        let again: Vec<_> = fields.0.iter().filter(again).cloned().collect();
        pages::name(parts.uri.path(), &again, why, &form_target(&wanted.redirect))
    };
    let Some(name) = fields.get("login_hint").map(str::trim) else {
        return match wanted.prompt.as_str() {
            "none" => back(&wanted, Err(&OAuthError::NotSignedIn)),
            _ => ask(None),
        };
    };
    let by = match it.service.sign_in_anybody(wanted.app.tenant, name.to_owned()).await {
        Ok(by) => by,
        Err(Error::Later(error) | Error::Fault(error)) => return cannot(&error.into()),
        Err(error) => return ask(Some(&error.to_string())),
    };
    match it.service.begin_grant(&wanted.app, &by, asked).await {
        Ok(code) => back(&wanted, Ok(&code)),
        Err(error) => cannot(&error.into()),
    }
}

async fn wanted(it: &Issuer, fields: &Fields) -> Result<Wanted, Refusal> {
    let app = any_app(it, fields.need("client_id")?).await?;
    let redirect = fields.need("redirect_uri")?.to_owned();
    if !is_here(&redirect) {
        return Err(OAuthError::Elsewhere(redirect.chars().take(200).collect()).into());
    }
    let named = Scopes::parse(fields.words("scope").iter().map(String::as_str));
    let scopes = if named == Scopes::default() { Scopes::of(&USER_SCOPES) } else { named };
    // As one with a secret: whether it must bring a proof is seen when it shows its secret, or none.
    let app = App { scopes, secret_hash: Some([0; 32]), ..app };
    Ok(Wanted::of(app, redirect, fields))
}

/// What an application gets for a code or a refresh token.
pub(crate) async fn redeem(
    it: &Issuer,
    parts: &Parts,
    named: &str,
    request: TokenRequest,
    client_info: bool,
    ttl_seconds: i64,
) -> Result<Value, Refusal> {
    let TokenRequest { app: client, secret, grant, .. } = request;
    let shown = match grant {
        Grant::Code { verifier: None, .. } if secret.is_none() => {
            return Err(OAuthError::NoChallenge.into());
        }
        Grant::Code { code, redirect, verifier } => Shown::Code { code, redirect, verifier },
        Grant::Refresh { token } => Shown::Refresh { token },
        Grant::Client | Grant::Password { .. } => return Err(OAuthError::NoGrant.into()),
    };
    let app = any_app(it, &client).await?;
    let answers = Answers { origin: it.origins.of(parts), named, ttl_seconds };
    it.redeem(&app, &client, shown, &answers, client_info).await
}

async fn any_app(it: &Issuer, client: &str) -> Result<App, Refusal> {
    let tenant = it.server.tenant(None).map_err(|error| Refusal::Fault(error.to_string()))?;
    Ok(it.service.any_app(tenant, app_id(client), client).await?)
}
