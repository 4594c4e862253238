//! Applications of the operator: made, and known by their secrets.
//!
//! **Invariant:** a secret leaves here once, when it is made. An application has what the operator gave
//! it, whatever it asks for; one that was removed has nothing.

use uuid::Uuid;

use crate::auth::{OAuthError, Scope, Scopes, check_redirect, is_secret};
use crate::ids::{self, TenantId};
use crate::service::draft::at_most;
use crate::service::sign_in::secret;
use crate::service::{Error, Service, limits};
use crate::store::audit::Deed;
use crate::store::{self, Tx, apps, grants};

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

/// What is to be another than it is.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    pub(crate) roles: Option<Scopes>,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) redirects: Option<Vec<String>>,
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
        check_redirects(&draft.redirects)?;
        let secret = if draft.is_public { None } else { Some(secret()?) };
        let (secret, secret_hash) = secret.unzip();
        let Draft { roles, scopes, redirects, .. } = draft;
        let id = self.clock.id();
        let old_secret = None;
        let app = App { id, tenant, name, secret_hash, old_secret, roles, scopes, redirects };
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

    /// Changes what an application, of this name or id, has; what is not told stays.
    pub(crate) async fn set_app(
        &self,
        tenant: TenantId,
        name: String,
        changes: Changes,
    ) -> Result<Uuid, Error> {
        check_redirects(changes.redirects.as_deref().unwrap_or_default())?;
        self.change_app(tenant, name, changes, |app, changes| {
            let is_public = app.secret_hash.is_none();
            if is_public && changes.roles.is_some() {
                let problem = "cannot be given to an application that keeps no secret";
                return Err(Error::property("role", problem));
            }
            app.roles = changes.roles.unwrap_or(app.roles);
            app.scopes = changes.scopes.unwrap_or(app.scopes);
            if let Some(redirects) = &changes.redirects {
                app.redirects.clone_from(redirects);
            }
            Ok(())
        })
        .await
    }

    /// Gives an application, of this name or id, a new secret; the one before is good for so many seconds more.
    pub(crate) async fn renew_app(
        &self,
        tenant: TenantId,
        name: String,
        keep_seconds: i64,
    ) -> Result<(Uuid, String), Error> {
        let (secret, hash) = secret()?;
        let until = self.now_ticks() + keep_seconds * 10_000_000;
        let changed = self.change_app(tenant, name, (hash, until), |app, (hash, until)| {
            let Some(old) = app.secret_hash.replace(*hash) else {
                return Err(Error::Request(format!(
                    "The application '{}' is public: it has no secret.",
                    app.name
                )));
            };
            app.old_secret = Some((old, *until));
            Ok(())
        });
        Ok((changed.await?, secret))
    }

    async fn change_app<I: Send + Sync + 'static>(
        &self,
        tenant: TenantId,
        name: String,
        input: I,
        change: fn(&mut App, &I) -> Result<(), Error>,
    ) -> Result<Uuid, Error> {
        self.store
            .write(tenant.0, (name, input), move |tx, (name, input)| {
                Box::pin(async move {
                    tx.unshown();
                    let mut app = named(tx, tenant, name).await?;
                    change(&mut app, input)?;
                    apps::update(tx, &app).await?;
                    tx.done(Deed::in_tenant(tenant, "updated", "application", Some(app.id)));
                    Ok(app.id)
                })
            })
            .await
    }

    /// Removes an application, of this name or id, and all that is granted to it; its id.
    pub(crate) async fn remove_app(&self, tenant: TenantId, name: String) -> Result<Uuid, Error> {
        let now = self.now_ticks();
        self.store
            .write(tenant.0, name, move |tx, name| {
                Box::pin(async move {
                    tx.unshown();
                    let app = named(tx, tenant, name).await?;
                    grants::end_of_app(tx, app.id).await?;
                    apps::remove(tx, app.id, now).await?;
                    tx.done(Deed::in_tenant(tenant, "deleted", "application", Some(app.id)));
                    Ok(app.id)
                })
            })
            .await
    }

    /// The application of this id, made where it is new, public and with all permissions: of an ephemeral
    /// server, which takes any.
    pub(crate) async fn any_app(
        &self,
        tenant: TenantId,
        id: Uuid,
        name: &str,
    ) -> Result<App, store::Error> {
        let (secret_hash, old_secret, redirects) = (None, None, Vec::new());
        let (roles, scopes) = (Scopes::default(), Scopes::of(Scope::ALL));
        let name = name.chars().take(limits::NAME_CHARS_MAX).collect();
        let app = App { id, tenant, name, secret_hash, old_secret, roles, scopes, redirects };
        let now = self.now_ticks();
        self.store
            .write(tenant.0, app, move |tx, app| {
                Box::pin(async move {
                    tx.unshown();
                    if apps::find(tx, app.id).await?.is_none() {
                        apps::insert(tx, app, now).await?;
                    }
                    Ok(app.clone())
                })
            })
            .await
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

/// The application of this name or id.
async fn named(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<App, Error> {
    let found = match ids::parse(name) {
        Some(id) => apps::find(tx, id).await?.filter(|it| it.tenant == tenant),
        None => apps::find_by_name(tx, tenant, name).await?,
    };
    found.ok_or_else(|| Error::ResourceNotFound(name.to_owned()))
}

fn check_redirects(redirects: &[String]) -> Result<(), Error> {
    if redirects.len() > limits::REDIRECTS_MAX {
        let problem = format!("has more than {} addresses", limits::REDIRECTS_MAX);
        return Err(Error::property("redirect", problem));
    }
    for url in redirects {
        at_most("redirect".into(), url, limits::REDIRECT_CHARS_MAX)?;
        let problem = |problem| Error::property(format!("redirect '{url}'"), problem);
        check_redirect(url).map_err(problem)?;
    }
    Ok(())
}

/// Whether whoever sends `secret`, or none, is the application, at a time (ticks).
pub(crate) fn is_app(app: &App, secret: Option<&str>, now: i64) -> Result<(), OAuthError> {
    let is_old =
        |secret| app.old_secret.is_some_and(|(it, until)| now < until && is_secret(secret, it));
    match (app.secret_hash, secret) {
        (Some(hash), Some(secret)) if is_secret(secret, hash) || is_old(secret) => Ok(()),
        (Some(_), Some(_)) => Err(OAuthError::WrongSecret),
        (Some(_), None) => Err(OAuthError::NoSecret),
        (None, None) => Ok(()),
        (None, Some(_)) => Err(OAuthError::PublicSecret),
    }
}
