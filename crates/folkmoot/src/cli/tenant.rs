//! `folkmoot tenant list`: the tenants, and what their attachments have of what they may have.
//!
//! **Invariant:** what is printed is counted from the groups' own counters, also where there is no limit.

use clap::Subcommand;

use crate::cli::control;
use crate::config::Common;
use crate::server::Server;

/// Tenants and what they hold.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the tenants that are served, the default one first: id, domain, bytes of attachments, and how many
    /// they may be at most
    List {
        #[command(flatten)]
        common: Common,
    },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::List { common } = command;
    control::ask(&common.config()?, control::Request::TenantList).await
}

/// Does it; what to print.
pub(crate) async fn list(server: &Server) -> anyhow::Result<String> {
    let uses = server.uses().await?;
    let lines = uses.iter().map(|(tenant, it)| {
        let max = if it.bytes_max == 0 { "unlimited".to_owned() } else { it.bytes_max.to_string() };
        format!("{}\t{}\t{}\t{max}", tenant.id, tenant.domain, it.bytes)
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}
