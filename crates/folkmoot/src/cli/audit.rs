//! `folkmoot audit`: who did what, for operators.
//!
//! **Invariant:** an export holds all that was recorded before it began, once, in an order that does not
//! depend on when it is made, and never more than a portion of it is in memory.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use odata::value::DateTimeOffset;
use serde::{Deserialize, Serialize};

use crate::cli::control::{Answerer, Request};
use crate::config::Common;
use crate::server::Server;
use crate::service::audit;

/// Read who did what.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print who did what to which entity, when and from where: one JSON object a line
    ///
    /// All tenants are exported: first what was done in none of their groups (accounts, applications, keys,
    /// tokens, sign-ins), then group by group, in the order of time within each. Lines begin with ids that
    /// are in the order of time too, so `folkmoot audit export | sort` is everything in that order.
    ///
    /// Works while a server runs on the same data and without one. What is recorded while it runs is left
    /// to the next export, which begins where this one ended if it is given as --since what this one had
    /// as --until.
    Export(Box<Export>),
}

#[derive(clap::Args)]
pub(crate) struct Export {
    /// What was done in this group, and to it, alone: its nickname, or its id, also of one that was deleted
    #[arg(long, value_name = "NICKNAME-OR-ID")]
    group: Option<String>,
    /// From this time on, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Before this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// The file to write, for its owner alone; one that is there is written anew [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The tenant's GUID, for the nickname of a group [default: the default tenant]
    #[arg(long, value_name = "GUID", requires = "group")]
    tenant: Option<uuid::Uuid>,
    #[command(flatten)]
    common: Common,
}

/// What is asked for: the first portion, or the next one.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) enum Wanted {
    First {
        tenant: Option<uuid::Uuid>,
        group: Option<String>,
        since: Option<i64>,
        until: Option<i64>,
    },
    Next(audit::Wanted),
}

/// A portion of an export.
#[derive(Serialize, Deserialize, Debug)]
struct Portion {
    /// Each with the end of its line.
    lines: String,
    next: Option<audit::Wanted>,
}

/// Ticks of an instant.
fn time(text: &str) -> Result<i64, String> {
    DateTimeOffset::parse(text)
        .map(|it| it.ticks)
        .ok_or_else(|| format!("'{text}' is not a time such as 2026-01-31T00:00:00Z"))
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Export(export) = command;
    let Export { group, since, until, output, tenant, common } = *export;
    let answerer = Answerer::find(&common.config()?).await?;
    let mut wanted = Some(Wanted::First { tenant, group, since, until });
    // Made once it is known that there is something to put into it.
    let mut out: Option<Box<dyn Write>> = None;
    while let Some(asked) = wanted {
        let answer = answerer.ask(Request::Audit(asked)).await?;
        let Portion { lines, next } = serde_json::from_str(&answer)?;
        let out = match &mut out {
            Some(out) => out,
            None => out.insert(opened(output.as_deref())?),
        };
        out.write_all(lines.as_bytes())?;
        out.flush()?;
        wanted = next.map(Wanted::Next);
    }
    Ok(())
}

fn opened(output: Option<&std::path::Path>) -> anyhow::Result<Box<dyn Write>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let Some(path) = output else { return Ok(Box::new(std::io::stdout())) };
    let mut options = std::fs::File::options();
    let file = options.create(true).truncate(true).write(true).mode(0o600).open(path);
    Ok(Box::new(file.with_context(|| format!("cannot write {}", path.display()))?))
}

/// Reads a portion; what to print, for the process that asks.
pub(crate) async fn carry_out(server: &Server, wanted: Wanted) -> anyhow::Result<String> {
    let service = server.service();
    let wanted = match wanted {
        Wanted::First { tenant, group, since, until } => {
            let tenant = server.tenant(tenant)?;
            let group = match group {
                Some(name) => Some(service.group_named(tenant, name).await?),
                None => None,
            };
            audit::Wanted::new(&service, group, since, until)
        }
        Wanted::Next(wanted) => wanted,
    };
    let (rows, next) = service.export_audit(wanted).await?;
    let mut lines = String::new();
    for row in &rows {
        lines.push_str(&serde_json::to_string(row)?);
        lines.push('\n');
    }
    Ok(serde_json::to_string(&Portion { lines, next })?)
}
