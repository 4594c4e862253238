//! Tokens for users: a code at the end of a sign-in, then refresh tokens, one after another.
//!
//! **Invariant:** a code or refresh token that comes a second time ends its grant, since one of the two
//! who had it should not (RFC 6749, sections 4.1.2 and 10.4; RFC 9700, section 4.14). Nothing is used up by
//! whoever may not use it.

use crate::auth::{OAuthError, Scope, Scopes, hash_secret, is_verifier};
use crate::ids::TenantId;
use crate::service::Service;
use crate::service::apps::{App, Refusal};
use crate::service::sign_in::{SignedIn, secret};
use crate::store::grants::{self, Grant, Token};
use crate::store::users::User;
use crate::store::{self, Tx};

const SECOND: i64 = 10_000_000;
/// How long a code is good: from the browser to the application it is moments (RFC 6749 says ten minutes
/// at most).
const CODE_TICKS: i64 = 5 * 60 * SECOND;
/// How long a refresh token is good that is not used.
const REFRESH_TICKS: i64 = 90 * 24 * 3_600 * SECOND;

/// What an application asks to be granted by a user who signs in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// As they are told to the application, between spaces.
    pub(crate) scopes: String,
    pub(crate) redirect: String,
    pub(crate) challenge: Option<String>,
    pub(crate) nonce: Option<String>,
}

/// What a code or a refresh token is exchanged for.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) tenant: TenantId,
    pub(crate) user: User,
    pub(crate) scopes: String,
    /// The nonce of the sign-in, with its code.
    pub(crate) nonce: Option<String>,
    /// The next refresh token, where the application asked for `offline_access`.
    pub(crate) refresh: Option<String>,
}

/// How an application shows a grant.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    /// By the code of a sign-in.
    Code { code: String, redirect: Option<String>, verifier: Option<String> },
    /// By a refresh token.
    Refresh { token: String },
}

/// The scopes that an application gets of those that it asks for: OpenID's, and the permissions that it may
/// have for users. `…/.default` is all of these.
pub(crate) fn granted_scopes(app: &App, asked: &[String]) -> Result<String, OAuthError> {
    const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];
    let openid = OPENID.iter().filter(|it| asked.iter().any(|asked| asked == *it)).copied();
    let default = asked.iter().any(|it| it.ends_with("/.default"));
    let named = Scopes::parse(asked.iter().map(String::as_str));
    let has = |it: &&str| {
        let scope = Scope::parse(it).map(|it| Scopes::of(&[it])).unwrap_or_default();
        default || named.intersects(scope)
    };
    let scopes: Vec<_> = openid.chain(app.scopes.names().filter(has)).collect();
    if scopes.is_empty() { Err(OAuthError::Scopes(asked.join(" "))) } else { Ok(scopes.join(" ")) }
}

impl Service {
    /// Grants an application what it asks for, by a user who has signed in; the code.
    pub(crate) async fn begin_grant(
        &self,
        app: &App,
        by: &SignedIn,
        asked: Asked,
    ) -> Result<String, store::Error> {
        let (code, hash) = secret()?;
        let now = self.now_ticks();
        let Asked { scopes, redirect, challenge, nonce } = asked;
        let (id, app, user) = (self.clock.id(), app.id, by.user.id);
        let grant = Grant { id, app, user, scopes, redirect, challenge, nonce };
        let token = Token { hash, is_code: true, expires: now + CODE_TICKS };
        self.store
            .write(by.tenant.0, (grant, token), move |tx, (grant, token)| {
                Box::pin(async move {
                    tx.unshown();
                    grants::insert(tx, grant, now).await?;
                    grants::add_token(tx, grant.id, token).await
                })
            })
            .await?;
        Ok(code)
    }

    /// What an application that was recognised gets for what it shows.
    pub(crate) async fn redeem(&self, app: &App, shown: Shown) -> Result<Granted, Refusal> {
        let (refresh, hash) = secret()?;
        let now = self.now_ticks();
        let next = Token { hash, is_code: false, expires: now + REFRESH_TICKS };
        let input = (app.clone(), shown, next);
        let redeemed = self
            .store
            .write(app.tenant.0, input, move |tx, (app, shown, next)| {
                Box::pin(async move {
                    tx.unshown();
                    redeem(tx, app, shown, next, now).await
                })
            })
            .await?;
        let granted = redeemed?;
        let keeps = granted.refresh.is_some();
        Ok(Granted { refresh: keeps.then_some(refresh), ..granted })
    }
}

/// The outer error undoes what was done; the inner one does not, since it may be that a grant was ended.
async fn redeem(
    tx: &mut Tx,
    app: &App,
    shown: &Shown,
    next: &Token,
    now: i64,
) -> Result<Result<Granted, OAuthError>, store::Error> {
    let (hash, is_code) = match shown {
        Shown::Code { code, .. } => (hash_secret(code), true),
        Shown::Refresh { token } => (hash_secret(token), false),
    };
    let Some((grant, expires)) = grants::find(tx, &hash, is_code).await? else {
        return Ok(Err(OAuthError::NoGrant));
    };
    if let Err(refused) = may_use(app, shown, &grant) {
        return Ok(Err(refused));
    }
    if expires <= now {
        return Ok(Err(OAuthError::Expired));
    }
    if !grants::take(tx, &hash).await? {
        grants::end(tx, grant.id).await?;
        return Ok(Err(if is_code { OAuthError::CodeUsed } else { OAuthError::RefreshUsed }));
    }
    let user = store::users::find(tx, app.tenant, grant.user).await?;
    let Some(user) = user.filter(|it| !it.disabled) else {
        return Ok(Err(OAuthError::Disabled));
    };
    // The operator may have taken something from the application since.
    let has =
        |it: &&str| Scope::parse(it).is_none_or(|it| app.scopes.intersects(Scopes::of(&[it])));
    let scopes = grant.scopes.split(' ').filter(has).collect::<Vec<_>>().join(" ");
    let keeps = scopes.split(' ').any(|it| it == "offline_access");
    if keeps {
        grants::add_token(tx, grant.id, next).await?;
    }
    let nonce = grant.nonce.filter(|_| is_code);
    let tenant = app.tenant;
    let refresh = keeps.then(String::new);
    Ok(Ok(Granted { tenant, user, scopes, nonce, refresh }))
}

/// Whether the application may use what it shows.
fn may_use(app: &App, shown: &Shown, grant: &Grant) -> Result<(), OAuthError> {
    if grant.app != app.id {
        return Err(OAuthError::NoGrant);
    }
    let Shown::Code { redirect, verifier, .. } = shown else { return Ok(()) };
    if redirect.as_deref() != Some(&grant.redirect) {
        return Err(OAuthError::OtherRedirect);
    }
    match (&grant.challenge, verifier) {
        (Some(challenge), Some(verifier)) if is_verifier(verifier, challenge) => Ok(()),
        (Some(_), _) => Err(OAuthError::Verifier),
        // Where there was no challenge, whoever sends a verifier believes that there was one.
        (None, Some(_)) => Err(OAuthError::Verifier),
        (None, None) => Ok(()),
    }
}
