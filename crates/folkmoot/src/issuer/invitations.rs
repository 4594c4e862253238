//! Where an invitation's link leads: `/invitation`.
//!
//! **Invariant:** looking at it uses nothing up. Whoever has signed in joins as who they are; an account is made
//! only where that was asked for.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;

use super::cookies::Cookie;
use super::sign_in::{cannot, form, go, session};
use super::{Issuer, fields, pages};
use crate::auth::new_secret;
use crate::service::apps::Refusal;
use crate::service::invitations::Invitation;
use crate::service::sign_in::{NotSignedIn, SESSION_SECONDS, SignedIn};

/// `GET /invitation`.
pub(super) async fn page(State(it): State<Arc<Issuer>>, parts: Parts) -> Response {
    let fields = fields(parts.uri.query().unwrap_or_default()).unwrap_or_default();
    show(&it, &parts, fields.get("code").unwrap_or_default()).await
}

async fn show(it: &Issuer, parts: &Parts, code: &str) -> Response {
    let (invitation, by) = match invited(it, parts, code).await {
        Ok(found) => found,
        Err(refused) => return *refused,
    };
    let secure = it.is_secure(parts);
    let (word, fresh) = match Cookie::Word.of(&parts.headers, secure) {
        Some(word) => (word.to_owned(), false),
        None => match new_secret() {
            Ok((word, _)) => (word, true),
            Err(_) => return cannot(&Refusal::Fault("no random bytes".into())),
        },
    };
    let who = by.as_ref().map(|it| (it.user.id.to_string(), &it.user.principal_name[..]));
    let who = who.as_ref().map(|(id, name)| (&id[..], *name));
    let address = invitation.address.as_deref().unwrap_or_default();
    let mut response = pages::invitation(&invitation.group_name, address, who, (&word, code));
    if fresh {
        Cookie::Word.set(&mut response, secure, &word, SESSION_SECONDS);
    }
    response
}

/// The invitation, and who of its tenant has signed in.
async fn invited(
    it: &Issuer,
    parts: &Parts,
    code: &str,
) -> Result<(Invitation, Option<SignedIn>), Box<Response>> {
    let cannot = |refusal| Box::new(cannot(&refusal));
    let found = it.service.invitation(code).await.map_err(|error| cannot(error.into()))?;
    let invitation = found.ok_or_else(|| {
        let why = NotSignedIn::Invitation.to_string();
        Box::new(pages::refused(StatusCode::NOT_FOUND, &why))
    })?;
    let by = session(it, parts).await.map_err(cannot)?;
    let by = by.filter(|by| by.tenant == invitation.tenant);
    Ok((invitation, by))
}

/// `POST /invitation`.
pub(super) async fn accept(State(it): State<Arc<Issuer>>, parts: Parts, body: String) -> Response {
    let fields = match form(&it, &parts, &body) {
        Ok(fields) => fields,
        Err(refused) => return *refused,
    };
    let code = fields.get("code").unwrap_or_default();
    let (_, by) = match invited(&it, &parts, code).await {
        Ok(found) => found,
        Err(refused) => return *refused,
    };
    // Who has signed in or out since the page was made sees how it is now.
    let named = fields.get("as").unwrap_or_default();
    if by.as_ref().map(|it| it.user.id.to_string()).unwrap_or_default() != named {
        return show(&it, &parts, code).await;
    }
    let service = it.acting(&parts, "RedeemInvitation", by.as_ref());
    match service.redeem_invitation(code, by.as_ref()).await {
        Ok(session) => {
            let mut response = go("/sign-in");
            if let Some(session) = session {
                let secure = it.is_secure(&parts);
                Cookie::Session.set(&mut response, secure, &session, SESSION_SECONDS);
            }
            response
        }
        Err(NotSignedIn::Store(error)) => cannot(&error.into()),
        Err(error) => pages::refused(StatusCode::FORBIDDEN, &error.to_string()),
    }
}
