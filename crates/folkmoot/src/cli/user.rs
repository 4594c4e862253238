//! `folkmoot user`: people's accounts.
//!
//! **Invariant:** a sign-in link is printed once, when it is made. Who is disabled has nothing left from
//! before. A password is typed where nobody sees it, or comes by standard input; it is no argument, which
//! others on the machine could read.

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::auth::Password;
use crate::cli::control;
use crate::config::Common;
use crate::server::Server;
use crate::service::identities::{self, Known};
use crate::service::{limits, users};

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
    /// Give somebody a password, beside links: it is asked for, or read from standard input where that is no
    /// terminal. What they had from signing in ends
    Password {
        #[command(flatten)]
        who: Who,
        /// Take their password away instead
        #[arg(long)]
        remove: bool,
    },
    /// List the accounts: id, user name, name, whether it is disabled, its type, and whether it has a password
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
    Password { name: String, password: Option<Password> },
    List,
    Disable { name: String, disabled: bool },
    Join { name: String, issuer: String, subject: String, issuer_tenant: Option<String> },
    Unjoin { name: String, issuer: String, subject: Option<String> },
}

impl Wanted {
    /// What the audit calls it.
    pub(super) const fn name(&self) -> &'static str {
        match &self.action {
            Action::Add { .. } => "folkmoot user add",
            Action::Type { .. } => "folkmoot user type",
            Action::Link { .. } => "folkmoot user link",
            Action::List => "folkmoot user list",
            Action::Password { .. } => "folkmoot user password",
            Action::Join { .. } => "folkmoot user join",
            Action::Unjoin { .. } => "folkmoot user unjoin",
            Action::Disable { disabled: true, .. } => "folkmoot user disable",
            Action::Disable { disabled: false, .. } => "folkmoot user enable",
        }
    }
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
        Command::Password { who, remove } => {
            let password = if remove { None } else { Some(ask_password(&who.name)?) };
            (who.place, Action::Password { name: who.name, password })
        }
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

/// A password that is typed, twice, or that comes by standard input as a line.
fn ask_password(name: &str) -> anyhow::Result<Password> {
    if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password(format!("Password of {name}: "))?;
        if first != rpassword::prompt_password("Once more: ")? {
            bail!("the two are not the same");
        }
        return Ok(Password::new(&first));
    }
    let mut line = String::new();
    // Enough to see that one is too long.
    let input = std::io::stdin().take(2 * limits::PASSWORD_BYTES_MAX as u64 + 2);
    std::io::BufReader::new(input).read_to_string(&mut line).context("cannot read a password")?;
    let line = line.strip_suffix('\n').map_or(&line[..], |it| it.strip_suffix('\r').unwrap_or(it));
    if line.contains('\n') {
        bail!("standard input has more than a line: a password is one");
    }
    Ok(Password::new(line))
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
        Action::Password { name, password } => {
            if password.is_some() && !server.passwords {
                bail!("nobody signs in by a password here: [sign_in] says passwords = false");
            }
            Ok(server.service().set_password(tenant, name, password).await?.to_string())
        }
        Action::List => {
            let users = server.service().users(tenant).await?;
            let lines = users.iter().map(|(it, has_password)| {
                let state = if it.disabled { "disabled" } else { "enabled" };
                let kind = if it.is_guest { "Guest" } else { "Member" };
                let password = if *has_password { "password" } else { "no password" };
                let (id, name, shown) = (it.id, &it.principal_name, &it.display_name);
                format!("{id}\t{name}\t{shown}\t{state}\t{kind}\t{password}")
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
