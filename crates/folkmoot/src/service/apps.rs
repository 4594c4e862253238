//! Applications of the operator: made, and known by their secrets.
//!
//! **Invariant:** a secret leaves here once, when it is made. An application has what the operator gave
//! it, whatever it asks for.

use uuid::Uuid;

use crate::auth::{OAuthError, Scopes, check_redirect, is_secret, new_secret};
use crate::ids::{self, TenantId};
use crate::service::draft::at_most;
use crate::service::{Error, Service, limits};
use crate::store;
use crate::store::apps;
use crate::store::audit::Deed;

pub(crate) use crate::store::apps::App;

/// An application to be.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) roles: Scopes,
    pub(crate) scopes: Scopes,
    pub(crate) redirects: Vec<String>,
    /// Whether it can keep no secret.
    pub(crate) is_public: bool,
}

/// Why an application is not given what it asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It may not have it.
    #[error(transparent)]
    OAuth(#[from] OAuthError),
    /// The store did not answer, or there is a defect.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A defect outside of the store.
    #[error("{0}")]
    Fault(String),
}

impl Service {
    /// Makes an application: its id, and its secret where it has one.
    pub(crate) async fn add_app(
        &self,
        tenant: TenantId,
        draft: Draft,
    ) -> Result<(Uuid, Option<String>), Error> {
        let name = draft.name.trim().to_owned();
        at_most("name".into(), &name, limits::NAME_CHARS_MAX)?;
        if name.is_empty() || name.contains(char::is_control) {
            return Err(Error::property("name", "must be a line of text"));
        }
        if draft.redirects.len() > limits::REDIRECTS_MAX {
            let problem = format!("has more than {} addresses", limits::REDIRECTS_MAX);
            return Err(Error::property("redirect", problem));
        }
        for url in &draft.redirects {
            at_most("redirect".into(), url, limits::REDIRECT_CHARS_MAX)?;
            let problem = |problem| Error::property(format!("redirect '{url}'"), problem);
            check_redirect(url).map_err(problem)?;
        }
        let fault = |_| store::Error::Defect("no random bytes for a secret".into());
        let secret = if draft.is_public { None } else { Some(new_secret().map_err(fault)?) };
        let (secret, secret_hash) = secret.unzip();
        let Draft { roles, scopes, redirects, .. } = draft;
        let id = self.clock.id();
        let app = App { id, tenant, name, secret_hash, roles, scopes, redirects };
        let now = self.now_ticks();
        self.store
            .write(tenant.0, app, move |tx, app| {
                Box::pin(async move {
                    tx.unshown();
                    tx.done(Deed::in_tenant(tenant, "created", "application", Some(app.id)));
                    apps::insert(tx, app, now).await.map_err(|error| match error {
                        store::Error::Duplicate("apps_name_key") => Error::Taken("name"),
                        other => other.into(),
                    })
                })
            })
            .await?;
        Ok((id, secret))
    }

    /// The applications of a tenant.
    pub(crate) async fn apps(&self, tenant: TenantId) -> Result<Vec<App>, Error> {
        Ok(self.store.read((), move |tx, ()| Box::pin(apps::all(tx, tenant))).await?)
    }

    /// The application of this id, in a tenant where one is named.
    pub(crate) async fn app(&self, id: &str, tenant: Option<TenantId>) -> Result<App, Refusal> {
        let unknown = || OAuthError::UnknownApp(id.chars().take(64).collect());
        let key = ids::parse(id).ok_or_else(unknown)?;
        let found = self.store.read((), move |tx, ()| Box::pin(apps::find(tx, key))).await?;
        let app = found.filter(|it| tenant.is_none_or(|tenant| tenant == it.tenant));
        Ok(app.ok_or_else(unknown)?)
    }
}

/// Whether whoever sends `secret`, or none, is the application.
pub(crate) fn is_app(app: &App, secret: Option<&str>) -> Result<(), OAuthError> {
    match (app.secret_hash, secret) {
        (Some(hash), Some(secret)) if is_secret(secret, hash) => Ok(()),
        (Some(_), Some(_)) => Err(OAuthError::WrongSecret),
        (Some(_), None) => Err(OAuthError::NoSecret),
        (None, None) => Ok(()),
        (None, Some(_)) => Err(OAuthError::PublicSecret),
    }
}
