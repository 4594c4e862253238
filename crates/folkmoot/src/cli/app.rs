//! `folkmoot app`: applications that sign in by themselves, or their users.
//!
//! **Invariant:** a secret is printed once, when it is made.

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::auth::Scopes;
use crate::cli::{control, token};
use crate::config::Common;
use crate::server::{Server, USER_SCOPES};
use crate::service::apps::{Changes, Draft};

/// Manage applications that sign in by themselves, or their users.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an application; print its tenant, its id, and its secret, which is shown this once
    Add(Add),
    /// Give an application other permissions or addresses: each kind that is named takes the place of what
    /// was there
    Set(Set),
    /// Give an application a new secret and print it, this once; the one before is good for nothing from then on
    Renew(Renew),
    /// Remove an application: its tokens, and what it holds for users, are good for nothing from then on
    Remove(Which),
    /// List the applications: id, name, whether it has a secret, permissions, addresses
    List(List),
}

#[derive(clap::Args)]
pub(crate) struct Add {
    /// The name that people see
    #[arg(long)]
    name: String,
    /// A permission that it has by itself, such as Group.ReadWrite.All, once for each
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// An address that a sign-in of a user may end at, once for each
    #[arg(long = "redirect", value_name = "URL")]
    redirects: Vec<String>,
    /// A permission that it may have for a user, once for each [default: Group.ReadWrite.All User.Read User.ReadBasic.All Team.ReadBasic.All]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// It runs where its users could read a secret, so it gets none
    #[arg(long, conflicts_with = "roles", requires = "redirects")]
    public: bool,
    /// The tenant's GUID [default: the default tenant]
    #[arg(long, value_name = "GUID")]
    tenant: Option<uuid::Uuid>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
pub(crate) struct Which {
    /// The application's name, or its id
    app: String,
    /// The tenant's GUID [default: the default tenant]
    #[arg(long, value_name = "GUID")]
    tenant: Option<uuid::Uuid>,
    #[command(flatten)]
    common: Common,
}

#[derive(clap::Args)]
pub(crate) struct Set {
    #[command(flatten)]
    which: Which,
    /// A permission that it has by itself, once for each
    #[arg(long = "role", value_name = "ROLE")]
    roles: Option<Vec<String>>,
    /// A permission that it may have for a user, once for each
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Option<Vec<String>>,
    /// An address that a sign-in of a user may end at, once for each
    #[arg(long = "redirect", value_name = "URL")]
    redirects: Option<Vec<String>>,
}

#[derive(clap::Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    which: Which,
    /// How long the secret before is good as well: 30s, 15m, 1h, 7d [default: no longer]
    #[arg(long, value_name = "TIME", value_parser = token::duration)]
    keep_old: Option<i64>,
}

#[derive(clap::Args)]
pub(crate) struct List {
    /// The tenant's GUID [default: the default tenant]
    #[arg(long, value_name = "GUID")]
    tenant: Option<uuid::Uuid>,
    #[command(flatten)]
    common: Common,
}

/// What is asked for.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) enum Wanted {
    Add {
        name: String,
        roles: Vec<String>,
        scopes: Vec<String>,
        redirects: Vec<String>,
        public: bool,
        tenant: Option<uuid::Uuid>,
    },
    Of {
        app: String,
        tenant: Option<uuid::Uuid>,
        action: Action,
    },
    List {
        tenant: Option<uuid::Uuid>,
    },
}

impl Wanted {
    /// What the audit calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Wanted::Add { .. } => "folkmoot app add",
            Wanted::Of { action: Action::Set { .. }, .. } => "folkmoot app set",
            Wanted::Of { action: Action::Renew { .. }, .. } => "folkmoot app renew",
            Wanted::Of { action: Action::Remove, .. } => "folkmoot app remove",
            Wanted::List { .. } => "folkmoot app list",
        }
    }
}

/// What is done with an application that is there.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) enum Action {
    Set { roles: Option<Vec<String>>, scopes: Option<Vec<String>>, redirects: Option<Vec<String>> },
    Renew { keep_seconds: i64 },
    Remove,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let (common, wanted) = match command {
        Command::Add(it) => {
            let Add { name, roles, redirects, scopes, public, tenant, common } = it;
            if roles.is_empty() && redirects.is_empty() {
                bail!("--role or --redirect is needed: without either it can do nothing");
            }
            (common, Wanted::Add { name, roles, scopes, redirects, public, tenant })
        }
        Command::Set(Set { which, roles, scopes, redirects }) => {
            if roles.is_none() && scopes.is_none() && redirects.is_none() {
                bail!("--role, --scope or --redirect is needed: nothing else can be set");
            }
            which.wants(Action::Set { roles, scopes, redirects })
        }
        Command::Renew(Renew { which, keep_old }) => {
            which.wants(Action::Renew { keep_seconds: keep_old.unwrap_or_default() })
        }
        Command::Remove(which) => which.wants(Action::Remove),
        Command::List(List { tenant, common }) => (common, Wanted::List { tenant }),
    };
    control::ask(&common.config()?, control::Request::App(wanted)).await
}

impl Which {
    fn wants(self, action: Action) -> (Common, Wanted) {
        let Which { app, tenant, common } = self;
        (common, Wanted::Of { app, tenant, action })
    }
}

/// Does it; what to print.
pub(crate) async fn carry_out(server: &Server, wanted: Wanted) -> anyhow::Result<String> {
    match wanted {
        Wanted::Add { name, roles, scopes, redirects, public, tenant } => {
            let scopes = match &scopes[..] {
                [] => Scopes::of(&USER_SCOPES),
                named => known(named)?,
            };
            let roles = known(&roles)?;
            let draft = Draft { name, roles, scopes, redirects, is_public: public };
            let tenant = server.tenant(tenant)?;
            let (id, secret) = server.service().add_app(tenant, draft).await?;
            let mut lines = format!("tenant_id={tenant}\nclient_id={id}");
            if let Some(secret) = secret {
                lines.push_str(&format!("\nclient_secret={secret}"));
            }
            Ok(lines)
        }
        Wanted::Of { app, tenant, action } => of(server, app, tenant, action).await,
        Wanted::List { tenant } => {
            let apps = server.service().apps(server.tenant(tenant)?).await?;
            let line = |app: &crate::service::apps::App| {
                let names = |it: Scopes| it.names().collect::<Vec<_>>().join(" ");
                let kind = if app.secret_hash.is_some() { "secret" } else { "public" };
                let (roles, scopes) = (names(app.roles), names(app.scopes));
                let redirects = app.redirects.join(" ");
                let (id, name) = (app.id, &app.name);
                format!(
                    "{id}\t{name}\t{kind}\troles: {roles}\tscopes: {scopes}\tredirects: {redirects}"
                )
            };
            Ok(apps.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
    }
}

/// Does something with an application that is there.
async fn of(
    server: &Server,
    app: String,
    tenant: Option<uuid::Uuid>,
    action: Action,
) -> anyhow::Result<String> {
    let (service, tenant) = (server.service(), server.tenant(tenant)?);
    match action {
        Action::Set { roles, scopes, redirects } => {
            let roles = roles.as_deref().map(known).transpose()?;
            let scopes = scopes.as_deref().map(known).transpose()?;
            let changes = Changes { roles, scopes, redirects };
            Ok(service.set_app(tenant, app, changes).await?.to_string())
        }
        Action::Renew { keep_seconds } => {
            let (id, secret) = service.renew_app(tenant, app, keep_seconds).await?;
            Ok(format!("tenant_id={tenant}\nclient_id={id}\nclient_secret={secret}"))
        }
        Action::Remove => {
            let id = service.remove_app(tenant, app).await?;
            server.trust().await?;
            Ok(id.to_string())
        }
    }
}

/// The permissions of these names, each of which must be known.
fn known(names: &[String]) -> anyhow::Result<Scopes> {
    let scope = |name: &String| {
        crate::auth::Scope::parse(name)
            .with_context(|| format!("'{name}' is not a permission that this server knows"))
    };
    Ok(Scopes::of(&names.iter().map(scope).collect::<anyhow::Result<Vec<_>>>()?))
}
