//! `folkmoot user`: people's accounts.
//!
//! **Invariant:** a sign-in link is printed once, when it is made. Who is disabled has nothing left from
//! before.

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::cli::control;
use crate::config::Common;
use crate::server::Server;
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
        /// They see of the tenant only the groups that they belong to, and the people of these
        #[arg(long)]
        guest: bool,
    },
    /// Make somebody who is there a Guest, or a Member
    Type {
        #[command(flatten)]
        who: Who,
        /// What they are from then on
        #[arg(long = "is", value_name = "TYPE")]
        is: UserType,
    },
    /// Print a link by which somebody signs in, once, within 15 minutes
    Link {
        #[command(flatten)]
        who: Who,
    },
    /// List the accounts: id, user name, name, whether it is disabled, and its type
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Let somebody do nothing any more: their tokens, sessions and links are good for nothing from then on
    Disable {
        #[command(flatten)]
        who: Who,
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

/// What somebody is in the tenant.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserType {
    #[value(name = "Member", alias = "member")]
    Member,
    #[value(name = "Guest", alias = "guest")]
    Guest,
}

/// What is asked for.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Wanted {
    tenant: Option<uuid::Uuid>,
    action: Action,
}

#[derive(Serialize, Deserialize, Debug)]
enum Action {
    Add { name: String, display_name: Option<String>, guest: bool },
    Type { name: String, guest: bool },
    Link { name: String },
    List,
    Disable { name: String, disabled: bool },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let (place, action) = match command {
        Command::Add { who, display_name, guest } => {
            (who.place, Action::Add { name: who.name, display_name, guest })
        }
        Command::Type { who, is } => {
            (who.place, Action::Type { name: who.name, guest: is == UserType::Guest })
        }
        Command::Link { who } => (who.place, Action::Link { name: who.name }),
        Command::List { place } => (place, Action::List),
        Command::Disable { who } => (who.place, Action::Disable { name: who.name, disabled: true }),
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
        Action::Add { name, display_name, guest } => {
            let input = (clock, name, display_name);
            let user = server
                .store
                .write(tenant.0, input, move |tx, (clock, name, display_name)| {
                    Box::pin(users::add(tx, clock, tenant, name, display_name.as_deref(), guest))
                })
                .await?;
            Ok(user.id.to_string())
        }
        Action::Link { name } => link(server, wanted.tenant, Some(name)).await,
        Action::List => {
            let users = server.service().users(tenant).await?;
            let lines = users.iter().map(|it| {
                let state = if it.disabled { "disabled" } else { "enabled" };
                let kind = if it.is_guest { "Guest" } else { "Member" };
                format!("{}\t{}\t{}\t{state}\t{kind}", it.id, it.principal_name, it.display_name)
            });
            Ok(lines.collect::<Vec<_>>().join("\n"))
        }
        Action::Disable { name, disabled } => {
            let (user, abandoned) = server
                .store
                .write(tenant.0, (clock, name), move |tx, (clock, name)| {
                    Box::pin(users::set_disabled(tx, clock, tenant, name, disabled))
                })
                .await?;
            let warn = |it: &String| {
                format!("\nwarning: the group '{it}' has no owner any more who is not disabled")
            };
            Ok(user.id.to_string() + &abandoned.iter().map(warn).collect::<String>())
        }
        Action::Type { name, guest } => {
            let user = server
                .store
                .write(tenant.0, (clock, name), move |tx, (clock, name)| {
                    Box::pin(users::set_guest(tx, clock, tenant, name, guest))
                })
                .await?;
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
