//! `folkmoot group add`: a group with its people.
//!
//! **Invariant:** people who are named and do not exist are made with the group, or neither is.

use anyhow::bail;
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::access::Visibility;
use crate::cli::control;
use crate::config::Common;
use crate::server::Server;
use crate::service::groups;

/// Manage groups.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a group and print its id
    Add(Add),
}

#[derive(clap::Args)]
pub(crate) struct Add {
    /// The name that people see
    #[arg(long)]
    name: String,
    /// The local part of the group's mail address
    #[arg(long)]
    nickname: String,
    /// An owner, by user principal name or id, once for each; made where the name is new
    #[arg(long = "owner", value_name = "USER")]
    owners: Vec<String>,
    /// A member, likewise
    #[arg(long = "member", value_name = "USER")]
    members: Vec<String>,
    /// Who reads what is said: Public, Private or HiddenMembership
    #[arg(long, default_value = "Public", value_parser = visibility)]
    visibility: String,
    /// What the group is for
    #[arg(long)]
    description: Option<String>,
    /// The tenant's GUID [default: the default tenant]
    #[arg(long, value_name = "GUID")]
    tenant: Option<uuid::Uuid>,
    #[command(flatten)]
    common: Common,
}

fn visibility(text: &str) -> Result<String, String> {
    Visibility::parse(text)
        .map(|it| it.name().to_owned())
        .ok_or_else(|| "must be Public, Private or HiddenMembership".to_owned())
}

/// A group that is asked for.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Wanted {
    name: String,
    nickname: String,
    owners: Vec<String>,
    members: Vec<String>,
    visibility: String,
    description: Option<String>,
    tenant: Option<uuid::Uuid>,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Add(add) = command;
    let config = add.common.config()?;
    let wanted = Wanted {
        name: add.name,
        nickname: add.nickname,
        owners: add.owners,
        members: add.members,
        visibility: add.visibility,
        description: add.description,
        tenant: add.tenant,
    };
    control::ask(&config, control::Request::GroupAdd(wanted)).await
}

/// Makes the group; its id.
pub(crate) async fn add(server: &Server, wanted: Wanted) -> anyhow::Result<String> {
    let tenant = server.tenant(wanted.tenant)?;
    let Some(visibility) = Visibility::parse(&wanted.visibility) else {
        bail!("'{}' is not a visibility", wanted.visibility);
    };
    let draft = groups::Draft {
        display_name: wanted.name,
        nickname: wanted.nickname,
        description: wanted.description,
        visibility,
        is_unified: true,
        security_enabled: false,
        behavior: Vec::new(),
    };
    let input = (server.clock.clone(), draft, wanted.owners, wanted.members);
    let id = server
        .store
        .write(tenant.0, input, move |tx, (clock, draft, owners, members)| {
            Box::pin(groups::add_by_operator(tx, clock, tenant, draft, owners, members))
        })
        .await?;
    Ok(id.to_string())
}
