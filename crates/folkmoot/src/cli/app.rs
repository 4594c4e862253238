//! `folkmoot app`: applications that sign in by themselves, or their users.
//!
//! **Invariant:** a secret is printed once, when it is made.

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::auth::Scopes;
use crate::cli::control;
use crate::config::Common;
use crate::server::{Server, USER_SCOPES};
use crate::service::apps::Draft;

/// Manage applications that sign in by themselves, or their users.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an application; print its tenant, its id, and its secret, which is shown this once
    Add(Add),
    /// List the applications: id, name, permissions
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
    List {
        tenant: Option<uuid::Uuid>,
    },
}

impl Wanted {
    /// What the audit calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Wanted::Add { .. } => "folkmoot app add",
            Wanted::List { .. } => "folkmoot app list",
        }
    }
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
        Command::List(List { tenant, common }) => (common, Wanted::List { tenant }),
    };
    control::ask(&common.config()?, control::Request::App(wanted)).await
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
        Wanted::List { tenant } => {
            let apps = server.service().apps(server.tenant(tenant)?).await?;
            let line = |app: &crate::service::apps::App| {
                let names = |it: Scopes| it.names().collect::<Vec<_>>().join(" ");
                let kind = if app.secret_hash.is_some() { "secret" } else { "public" };
                let (roles, scopes) = (names(app.roles), names(app.scopes));
                format!("{}\t{}\t{kind}\troles: {roles}\tscopes: {scopes}", app.id, app.name)
            };
            Ok(apps.iter().map(line).collect::<Vec<_>>().join("\n"))
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
