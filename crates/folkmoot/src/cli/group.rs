//! `folkmoot group`: a group with its people, and who is let in.
//!
//! **Invariant:** people who are named and do not exist are made with the group, or neither is. A link of an
//! invitation is printed once, when it is made.

use anyhow::bail;
use clap::Subcommand;
use odata::value::DateTimeOffset;
use serde::{Deserialize, Serialize};

use crate::access::Visibility;
use crate::cli::control;
use crate::config::Common;
use crate::server::Server;
use crate::service::groups;
use crate::service::invitations::{self, Made};
use crate::service::join_requests::Verdict;

/// Manage groups.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a group and print its id
    Add(Add),
    /// Invite an address into a group and print the link, good once, for 14 days; of somebody who is called so
    /// here, who accepts as they are, print the invitation's id
    Invite {
        /// The address
        address: String,
        #[command(flatten)]
        place: Place,
    },
    /// List who asks to be let in: the request's id, the user name, and since when
    Requests {
        #[command(flatten)]
        place: Place,
    },
    /// Let somebody in who asks for it
    Approve {
        /// The user principal name or id
        user: String,
        #[command(flatten)]
        place: Place,
    },
    /// Turn down somebody who asks to be let in
    Reject {
        /// The user principal name or id
        user: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args)]
pub(crate) struct Place {
    /// The group's mail nickname, mail address or id
    #[arg(long)]
    group: String,
    /// The tenant's GUID [default: the default tenant]
    #[arg(long, value_name = "GUID")]
    tenant: Option<uuid::Uuid>,
    #[command(flatten)]
    common: Common,
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

/// What is asked for about who is let into a group.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Letting {
    tenant: Option<uuid::Uuid>,
    group: String,
    action: Action,
}

#[derive(Serialize, Deserialize, Debug)]
enum Action {
    Invite { address: String },
    Requests,
    Answer { user: String, approve: bool },
}

impl Letting {
    /// What the audit calls it.
    pub(super) const fn name(&self) -> &'static str {
        match self.action {
            Action::Invite { .. } => "folkmoot group invite",
            Action::Requests => "folkmoot group requests",
            Action::Answer { approve: true, .. } => "folkmoot group approve",
            Action::Answer { approve: false, .. } => "folkmoot group reject",
        }
    }
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let (place, action) = match command {
        Command::Add(add) => return run_add(add).await,
        Command::Invite { address, place } => (place, Action::Invite { address }),
        Command::Requests { place } => (place, Action::Requests),
        Command::Approve { user, place } => (place, Action::Answer { user, approve: true }),
        Command::Reject { user, place } => (place, Action::Answer { user, approve: false }),
    };
    let wanted = Letting { tenant: place.tenant, group: place.group, action };
    control::ask(&place.common.config()?, control::Request::GroupLet(wanted)).await
}

async fn run_add(add: Add) -> anyhow::Result<()> {
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

/// Does it; what to print.
pub(crate) async fn let_in(server: &Server, wanted: Letting) -> anyhow::Result<String> {
    let (tenant, group) = (server.tenant(wanted.tenant)?, wanted.group);
    let service = server.service();
    match wanted.action {
        Action::Invite { address } => match service.invite(tenant, group, address).await? {
            Made::Link(secret) => Ok(invitations::link(server.origin(), &secret)),
            Made::OfUser(id) => Ok(id.to_string()),
        },
        Action::Requests => {
            let requests = service.join_requests(tenant, group).await?;
            let line = |(id, name, since): &(uuid::Uuid, String, DateTimeOffset)| {
                format!("{id}\t{name}\t{since}")
            };
            Ok(requests.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        Action::Answer { user, approve } => {
            let verdict = if approve { Verdict::Approved } else { Verdict::Rejected };
            let user = service.answer_request(tenant, group, user, verdict).await?;
            Ok(user.to_string())
        }
    }
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
