//! The parts put together: the store, its tenants and keys, and the routes over them.
//!
//! **Invariant:** a fresh data folder has a schema, a tenant and a signing key before anything is
//! answered from it; an old one has what it had.

use std::sync::Arc;

use anyhow::{Context, bail};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, Request, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::api::{self, Api, Origins, Throttle};
use crate::auth::{Claims, Issuers, PERSONAL, Scope, Scopes, SigningKey, Verifier};
use crate::clock::Clock;
use crate::config::Config;
use crate::ids::TenantId;
use crate::service::audit::{Act, By};
use crate::service::{Error, Service, keys, limits, users};
use crate::store::audit::Deed;
use crate::store::quotas::{self, Use};
use crate::store::tenants::{self, Tenant};
use crate::store::{self, Key, Purpose, Settings, Store, Tx, groups};

/// What an application's id is made from, with its name (RFC 9562, section 5.5): the same name is the
/// same application at each token.
const APPS: uuid::Uuid = uuid::uuid!("6f5d8f0a-3c1e-4b52-9d50-5a3d0f7c2b11");
/// Scopes of a token for a user where none is named.
pub(crate) const USER_SCOPES: [Scope; 4] =
    [Scope::GroupReadWriteAll, Scope::UserRead, Scope::UserReadBasicAll, Scope::TeamReadBasicAll];

/// Everything that a running server shares, and that a command needs to work on the data.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) verifier: Arc<Verifier>,
    service: Service,
    /// The default one first.
    tenants: Vec<Tenant>,
    /// What `iss` in tokens begins with.
    origin: String,
    /// Whether those who have a password may sign in by it.
    pub(crate) passwords: bool,
}

/// Whom a token is for.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) enum Subject {
    /// A user, by user principal name or id.
    User(String),
    /// An application, by name.
    App(String),
}

impl Server {
    /// Opens the data of `config`, made where it is new.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Server> {
        Server::open_with(config, true, Clock::System).await
    }

    /// The same; `durable` is false where nothing is meant to last.
    pub(crate) async fn open_with(
        config: &Config,
        durable: bool,
        clock: Clock,
    ) -> anyhow::Result<Server> {
        let clock = Arc::new(clock);
        let settings = Settings {
            folder: config.data.clone(),
            postgres: config.postgres.clone(),
            durable,
            readers: std::thread::available_parallelism().map_or(2, |it| it.get().clamp(2, 8)),
            queue: limits::QUEUE_MAX,
            share: config.limits.writes_per_group.unwrap_or(limits::WRITES_PER_GROUP_MAX),
            read_deadline: limits::READ_DEADLINE,
        };
        let store =
            Store::open(&settings, &clock).await.with_context(|| match &config.postgres {
                Some(url) => {
                    // Without the user and the password, and without settings.
                    let place = url.rsplit('@').next().unwrap_or_default();
                    let place = place.split('?').next().unwrap_or_default();
                    format!("cannot open the store in the PostgreSQL database at {place}")
                }
                None => format!("cannot open the store in {}", config.data.display()),
            })?;
        let store = Arc::new(store);
        let tenants = store
            .write(uuid::Uuid::nil(), (config.clone(), clock.clone()), |tx, (config, clock)| {
                Box::pin(prepare(tx, config, clock))
            })
            .await
            .context("cannot prepare the store")?;
        let service = Service::new(store.clone(), clock.clone());
        let (keys, removed) = service.trusted().await?;
        let key = keys.first().context("the store has no signing key")?;
        let origin =
            config.public_url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
        let mut others = Vec::with_capacity(config.issuers.len());
        for issuer in &config.issuers {
            others.push((issuer.clone(), tenant_of(&tenants, issuer.tenant)?.0));
        }
        let others = Issuers::new(others).map_err(anyhow::Error::msg);
        let others = others.context("cannot fetch the keys of issuers over https")?;
        let verifier = Arc::new(Verifier::new(key, config.public_url.clone(), others));
        verifier.trust(&keys, removed);
        let passwords = config.passwords;
        Ok(Server { store, clock, verifier, service, tenants, origin, passwords })
    }

    /// The same for a command, by this name and come by this way.
    pub(crate) fn for_command(&self, name: &'static str, way: &str) -> Server {
        let tenant = self.tenants.first().map_or(TenantId(uuid::Uuid::nil()), |it| it.id);
        let (by, client) = (By::CommandLine, Some(way.to_owned()));
        let act = Act { tenant, by, operation: name, client, ..Act::of_server() };
        let (store, service) = (self.store.acting(act.clone()), self.service.acting(act));
        Server { store, service, ..self.clone() }
    }

    /// Lets the attachments of each tenant have as many bytes as the configuration says. Only a server does
    /// so that serves: a command may know of no configuration.
    pub(crate) async fn set_quotas(&self, config: &Config) -> anyhow::Result<()> {
        for tenant in &self.tenants {
            let id = tenant.id;
            let own = config.attachment_bytes.iter().find(|(it, _)| match it {
                Some(it) => *it == id,
                None => tenant.is_default,
            });
            let max = own.map(|(_, max)| *max).or(config.limits.attachment_bytes).unwrap_or(0);
            let max = i64::try_from(max).context("attachment_bytes is too large")?;
            self.store
                .tend(uuid::Uuid::nil(), (), move |tx, ()| Box::pin(quotas::set_max(tx, id, max)))
                .await?;
        }
        Ok(())
    }

    /// The tenants that are served, the default one first, each with what its attachments have and may have.
    pub(crate) async fn uses(&self) -> anyhow::Result<Vec<(&Tenant, Use)>> {
        let mut uses = Vec::new();
        for tenant in &self.tenants {
            let id = tenant.id;
            let used = self.store.read((), move |tx, ()| Box::pin(quotas::of_tenant(tx, id)));
            uses.push((tenant, used.await?));
        }
        Ok(uses)
    }

    /// The tenant with this id, or the default one.
    pub(crate) fn tenant(&self, id: Option<uuid::Uuid>) -> anyhow::Result<TenantId> {
        tenant_of(&self.tenants, id)
    }

    /// The tenant that an address of the issuer names: by its GUID or its domain; none in particular
    /// by one of Entra ID's words for any.
    pub(crate) fn tenant_named(&self, name: &str) -> Option<Option<TenantId>> {
        if ["common", "organizations"].contains(&name) {
            return Some(None);
        }
        let id = uuid::Uuid::try_parse(name).ok();
        let is_it = |it: &&Tenant| id == Some(it.id.0) || it.domain.eq_ignore_ascii_case(name);
        self.tenants.iter().find(is_it).map(|it| Some(it.id))
    }

    /// The tenant that a user principal name is of: the one with its domain, or else the default one.
    pub(crate) fn tenant_of_name(&self, name: &str) -> anyhow::Result<TenantId> {
        let domain = name.rsplit_once('@').map_or("", |(_, it)| it);
        let named = self.tenants.iter().find(|it| it.domain.eq_ignore_ascii_case(domain));
        named.map_or_else(|| self.tenant(None), |it| Ok(it.id))
    }

    /// A token with these permissions, under Graph's names, or the default ones; a user who is named
    /// exists from then on.
    pub(crate) async fn token(
        &self,
        subject: &Subject,
        permissions: Option<&[String]>,
        tenant: Option<uuid::Uuid>,
        ttl_seconds: i64,
    ) -> anyhow::Result<String> {
        let now = self.clock.unix_seconds();
        let default = match subject {
            Subject::User(_) => &USER_SCOPES[..],
            Subject::App(_) => &[Scope::GroupReadWriteAll],
        };
        let permissions: Vec<String> = match permissions {
            None => default.iter().map(|it| it.name().to_owned()).collect(),
            Some(names) => names.to_vec(),
        };
        // Personal accounts are refused at the door; a token of theirs shows that.
        let personal = tenant.filter(|it| *it == PERSONAL);
        let tenant = match personal {
            Some(id) => TenantId(id),
            None => self.tenant(tenant)?,
        };
        let claims = Claims::begin(&self.origin, tenant.0, now, ttl_seconds);
        let known = Scopes::parse(permissions.iter().map(String::as_str));
        let known = known.names().collect::<Vec<_>>().join(" ");
        let issued = move |to: uuid::Uuid| {
            let deed = Deed::in_tenant(tenant, "issued", "token", Some(to));
            Deed { detail: Some(format!("{known}, {ttl_seconds} s")), ..deed }
        };
        let claims = match subject {
            Subject::App(name) => {
                if personal.is_none() {
                    let deed = issued(app_id(name));
                    self.store
                        .write(tenant.0, deed, |tx, deed| {
                            Box::pin(async move {
                                tx.done(deed.clone());
                                Ok::<_, store::Error>(())
                            })
                        })
                        .await?;
                }
                claims.of_app(app_id(name), name, permissions)
            }
            Subject::User(name) if personal.is_some() => {
                let oid = uuid::Uuid::new_v5(&APPS, name.as_bytes());
                claims.of_user(oid, name, name, permissions.join(" "))
            }
            Subject::User(name) => {
                let user = self
                    .store
                    .write(
                        tenant.0,
                        (self.clock.clone(), name.clone()),
                        move |tx, (clock, name)| {
                            let issued = issued.clone();
                            Box::pin(async move {
                                let user = users::find_or_make(tx, clock, tenant, name).await?;
                                tx.done(issued(user.id.0));
                                Ok::<_, Error>(user)
                            })
                        },
                    )
                    .await?;
                let scp = permissions.join(" ");
                claims.of_user(user.id.0, &user.principal_name, &user.display_name, scp)
            }
        };
        let key = self.key().await?;
        if ttl_seconds > keys::UNTOLD_SECONDS {
            self.service.keep_key(key.kid().to_owned(), ttl_seconds).await?;
        }
        Ok(key.mint(&claims)?)
    }

    /// The key that signs.
    async fn key(&self) -> anyhow::Result<SigningKey> {
        let keys = self.service.signing_keys().await?;
        keys.into_iter().next().context("the store has no signing key")
    }

    /// Makes a new key, which signs from now on; its id. `alone`: those before it are gone.
    pub(crate) async fn rotate_key(&self, alone: bool) -> anyhow::Result<String> {
        let kid = self.service.rotate_key(alone).await?;
        self.trust().await?;
        Ok(kid)
    }

    /// Takes from the store what tokens stand on: keys, and which applications were removed.
    pub(crate) async fn trust(&self) -> Result<(), store::Error> {
        let (keys, removed) = self.service.trusted().await?;
        self.verifier.trust(&keys, removed);
        Ok(())
    }

    /// Signs what a token says.
    pub(crate) async fn sign(&self, claims: &impl Serialize) -> anyhow::Result<String> {
        Ok(self.key().await?.mint(claims)?)
    }

    /// Says that it is served by https.
    pub(crate) fn set_secure(&mut self) {
        if let Some(rest) = self.origin.strip_prefix("http://") {
            self.origin = format!("https://{rest}");
        }
    }

    /// What addresses of this server begin with.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether there is any user.
    pub(crate) async fn has_users(&self) -> anyhow::Result<bool> {
        Ok(self.store.read((), |tx, ()| Box::pin(store::users::any(tx))).await?)
    }

    /// The rules over the same data.
    pub(crate) fn service(&self) -> Service {
        self.service.clone()
    }

    /// Whether there is any group.
    pub(crate) async fn has_groups(&self) -> anyhow::Result<bool> {
        Ok(self.store.read((), |tx, ()| Box::pin(groups::any(tx))).await?)
    }

    /// The keys in use as a JWK Set (RFC 7517, section 5), for those who check tokens elsewhere.
    pub(crate) async fn jwks(&self) -> Result<serde_json::Value, store::Error> {
        let keys = self.service.signing_keys().await?;
        let keys: Vec<_> = keys.iter().map(SigningKey::jwk).collect();
        Ok(serde_json::json!({"keys": keys}))
    }

    /// The development CA of this store, made at its first use: certificate and key, PEM.
    pub(crate) async fn dev_ca(
        &self,
        make: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<String> {
        let found = self.store.read((), |tx, ()| Box::pin(Key::newest(tx, Purpose::DevCa))).await?;
        if let Some(key) = found {
            return Ok(String::from_utf8(key.secret)?);
        }
        let pem = make()?;
        let kid = self.clock.id().to_string();
        let (key, now) = (Key { kid, secret: pem.clone().into_bytes() }, self.clock.now().ticks);
        self.store
            .write(uuid::Uuid::nil(), key, move |tx, key| {
                Box::pin(key.insert(tx, Purpose::DevCa, now))
            })
            .await?;
        Ok(pem)
    }

    /// The routes of every server, and `more`; what is served at a root of the API comes from one handler.
    pub(crate) fn router(
        self: &Arc<Self>,
        origins: Origins,
        strict: bool,
        throttle: Throttle,
        more: Router,
    ) -> Router {
        let api = Arc::new(Api {
            service: self.service(),
            verifier: self.verifier.clone(),
            tenants: self.tenants.iter().map(|it| it.id).collect(),
            origins,
            strict,
            throttle,
        });
        let of_routes = api.clone();
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(self.clone())
            .merge(api::openapi(strict))
            .merge(more)
            .layer(from_fn(move |request: Request<Body>, next: Next| {
                let strict = is_strict(&of_routes.origins, &request);
                async move { guarded(next.run(request).await, strict) }
            }))
            // By itself: a layer costs what the API's fastest answers would notice.
            .fallback(move |request: Request<Body>| {
                let api = api.clone();
                let strict = is_strict(&api.origins, &request);
                async move { guarded(api::serve(api, request, nothing_here).await, strict) }
            })
    }
}

/// The one of these tenants with this id, or the default one, which comes first.
fn tenant_of(tenants: &[Tenant], id: Option<uuid::Uuid>) -> anyhow::Result<TenantId> {
    let default = tenants.first().context("the store has no tenant")?.id;
    match id {
        None => Ok(default),
        Some(id) if tenants.iter().any(|it| it.id.0 == id) => Ok(TenantId(id)),
        Some(id) => {
            bail!(
                "tenant {id} is not served here: name it in the configuration file as a [[tenant]]"
            )
        }
    }
}

/// Whether the answer says that it is never to come without https: where that is how the server is reached
/// by the public, over https alone (RFC 6797, section 7.2).
fn is_strict(origins: &Origins, request: &Request<Body>) -> bool {
    let is_public = origins.public.as_ref().is_some_and(|it| it.starts_with("https://"));
    is_public && origins.is_secure(request.headers(), request.extensions())
}

/// Adds what every answer tells browsers: to take it for nothing but what it says it is, and to tell nobody
/// its address, which may be that of an upload.
fn guarded(mut response: Response, strict: bool) -> Response {
    let mut tell = |name, value| {
        // A page may say itself what is right for it.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    };
    tell(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    tell(header::REFERRER_POLICY, "no-referrer");
    if strict {
        tell(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

async fn ready(State(server): State<Arc<Server>>) -> Response {
    let asked = server.store.read((), |tx, ()| Box::pin(tenants::all(tx))).await;
    match asked {
        Ok::<_, store::Error>(_) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}

fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, "nothing is served here; the API is at /v1.0\n").into_response()
}

/// The id of an application that is nothing but a name.
pub(crate) fn app_id(name: &str) -> uuid::Uuid {
    uuid::Uuid::try_parse(name).unwrap_or_else(|_| uuid::Uuid::new_v5(&APPS, name.as_bytes()))
}

/// Gives a store its tenants and its key.
async fn prepare(tx: &mut Tx, config: &Config, clock: &Clock) -> Result<Vec<Tenant>, Error> {
    let now = clock.now().ticks;
    let known = tenants::all(tx).await?;
    let mut default = known.into_iter().find(|it| it.is_default).unwrap_or_else(|| Tenant {
        id: TenantId(clock.id()),
        domain: "localhost".to_owned(),
        is_default: true,
    });
    if let Some(domain) = &config.domain {
        default.domain = domain.clone();
    }
    tenants::upsert(tx, &default, now).await?;
    for (id, domain) in &config.tenants {
        let tenant = Tenant { id: *id, domain: domain.clone(), is_default: false };
        tenants::upsert(tx, &tenant, now).await?;
    }
    if Key::newest(tx, Purpose::Tokens).await?.is_none() {
        let made = SigningKey::generate();
        let (kid, secret) =
            made.map_err(|error| store::Error::Defect(format!("a signing key: {error}")))?;
        Key { kid, secret }.insert(tx, Purpose::Tokens, now).await?;
    }
    // Tenants that the configuration no longer names are kept, and not served.
    let served = |it: &Tenant| it.is_default || config.tenants.iter().any(|(id, _)| *id == it.id);
    Ok(tenants::all(tx).await?.into_iter().filter(served).collect())
}
