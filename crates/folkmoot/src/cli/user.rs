//! `folkmoot user`: people's accounts.
//!
//! **Invariant:** a sign-in link is printed once, when it is made. Who is disabled has nothing left from
//! before.

use anyhow::bail;
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::cli::control;
use crate::config::Common;
use crate::server::Server;
use crate::service::identities::{self, Known};
use crate::service::users;

/// Manage people's accounts.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an account and print its id
    Add {
        #[command(flatten)]
        who: Who,
        /// The name that others see [default: what stands before the @]
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
    },
    /// Print a link by which somebody signs in, once, within 15 minutes
    Link {
        #[command(flatten)]
        who: Who,
    },
    /// List the accounts: id, user name, name, and whether it is disabled
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Let somebody do nothing any more: their tokens, sessions and links are good for nothing from then on
    Disable {
        #[command(flatten)]
        who: Who,
    },
    /// Let an identity of another issuer be an account that is there
    Join {
        #[command(flatten)]
        who: Who,
        /// The issuer, as `iss` in its tokens
        #[arg(long)]
        issuer: String,
        /// What it knows them by: `sub` in its tokens or, with --issuer-tenant, `oid`
        #[arg(long)]
        subject: String,
        /// The tenant there, `tid` in its tokens (Entra ID)
        #[arg(long, value_name = "GUID")]
        issuer_tenant: Option<String>,
    },
    /// Part an account from what an issuer knows it by: its tokens are somebody else's from then on
    Unjoin {
        #[command(flatten)]
        who: Who,
        /// The issuer, as `iss` in its tokens
        #[arg(long)]
        issuer: String,
        /// What it knows them by, where only one of several goes
        #[arg(long)]
        subject: Option<String>,
    },
    /// Let somebody who was disabled sign in again
    Enable {
        #[command(flatten)]
        who: Who,
    },
}

#[derive(clap::Args)]
pub(crate) struct Who {
    /// The user principal name, such as ada@example.org, or for an account that is there its id
    name: String,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
pub(crate) struct Place {
    /// The tenant's GUID [default: the default tenant]
    #[arg(long, value_name = "GUID")]
    tenant: Option<uuid::Uuid>,
    #[command(flatten)]
    common: Common,
}

/// What is asked for.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Wanted {
    tenant: Option<uuid::Uuid>,
    action: Action,
}

#[derive(Serialize, Deserialize, Debug)]
enum Action {
    Add { name: String, display_name: Option<String> },
    Link { name: String },
    List,
    Disable { name: String, disabled: bool },
    Join { name: String, issuer: String, subject: String, issuer_tenant: Option<String> },
    Unjoin { name: String, issuer: String, subject: Option<String> },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let (place, action) = match command {
        Command::Add { who, display_name } => {
            (who.place, Action::Add { name: who.name, display_name })
        }
        Command::Link { who } => (who.place, Action::Link { name: who.name }),
        Command::List { place } => (place, Action::List),
        Command::Disable { who } => (who.place, Action::Disable { name: who.name, disabled: true }),
        Command::Join { who, issuer, subject, issuer_tenant } => {
            (who.place, Action::Join { name: who.name, issuer, subject, issuer_tenant })
        }
        Command::Unjoin { who, issuer, subject } => {
            (who.place, Action::Unjoin { name: who.name, issuer, subject })
        }
        Command::Enable { who } => (who.place, Action::Disable { name: who.name, disabled: false }),
    };
    let wanted = Wanted { tenant: place.tenant, action };
    control::ask(&place.common.config()?, control::Request::User(wanted)).await
}

/// Does it; what to print.
pub(crate) async fn carry_out(server: &Server, wanted: Wanted) -> anyhow::Result<String> {
    let tenant = server.tenant(wanted.tenant)?;
    let clock = server.clock.clone();
    match wanted.action {
        Action::Add { name, display_name } => {
            let input = (clock, name, display_name);
            let user = server
                .store
                .write(tenant.0, input, move |tx, (clock, name, display_name)| {
                    Box::pin(users::add(tx, clock, tenant, name, display_name.as_deref()))
                })
                .await?;
            Ok(user.id.to_string())
        }
        Action::Link { name } => link(server, wanted.tenant, Some(name)).await,
        Action::List => {
            let users = server.service().users(tenant).await?;
            let lines = users.iter().map(|it| {
                let state = if it.disabled { "disabled" } else { "enabled" };
                format!("{}\t{}\t{}\t{state}", it.id, it.principal_name, it.display_name)
            });
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        Action::Disable { name, disabled } => {
            let user = server
                .store
                .write(tenant.0, (clock, name), move |tx, (clock, name)| {
                    Box::pin(users::set_disabled(tx, clock, tenant, name, disabled))
                })
                .await?;
            Ok(user.id.to_string())
        }
        Action::Join { name, issuer, subject, issuer_tenant } => {
            let theirs = server.verifier.others().tenant_of(&issuer, issuer_tenant.as_deref());
            if theirs != Some(tenant.0) {
                bail!("no [[issuer]] of the configuration file is '{issuer}' for this tenant");
            }
            let known = Known { issuer, tenant: issuer_tenant, subject };
            let user = server
                .store
                .write(tenant.0, (clock, name, known), move |tx, (clock, name, known)| {
                    Box::pin(identities::join(tx, clock, tenant, name, known))
                })
                .await?;
            server.service().forget_seen();
            Ok(user.id.to_string())
        }
        Action::Unjoin { name, issuer, subject } => {
            let input = (clock, name, issuer, subject);
            let user = server
                .store
                .write(tenant.0, input, move |tx, (clock, name, issuer, subject)| {
                    let which = (issuer.as_str(), subject.as_deref());
                    Box::pin(identities::part(tx, clock, tenant, name, which))
                })
                .await?;
            server.service().forget_seen();
            Ok(user.id.to_string())
        }
    }
}

/// A sign-in link for a user of this name, or one that makes an account.
pub(crate) async fn link(
    server: &Server,
    tenant: Option<uuid::Uuid>,
    name: Option<String>,
) -> anyhow::Result<String> {
    let new = if name.is_none() { "&new=1" } else { "" };
    let secret = server.service().add_link(server.tenant(tenant)?, name).await?;
    Ok(format!("{}/sign-in?code={secret}{new}", server.origin()))
}
