//! `folkmoot token`: a bearer token of the built-in issuer.
//!
//! **Invariant:** a user who gets a token exists from then on; an application has no user.

use anyhow::{Context, bail};
use clap::ArgGroup;
use serde::{Deserialize, Serialize};

use crate::auth::Scope;
use crate::cli::control;
use crate::config::Common;
use crate::server::{Server, Subject};

/// Print a bearer token of the built-in issuer, and nothing else.
#[derive(clap::Args)]
#[command(group(ArgGroup::new("who").required(true).args(["user", "app"])))]
pub(crate) struct Args {
    /// The user principal name of a user; the user exists from then on
    #[arg(long, value_name = "NAME@DOMAIN")]
    user: Option<String>,
    /// The name of an application without a user
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// A delegated scope, once for each [default: Group.ReadWrite.All User.Read User.ReadBasic.All Team.ReadBasic.All]
    #[arg(long = "scope", value_name = "SCOPE", conflicts_with = "app")]
    scopes: Vec<String>,
    /// An app role, once for each [default: Group.ReadWrite.All]
    #[arg(long = "role", value_name = "ROLE", conflicts_with = "user")]
    roles: Vec<String>,
    /// The tenant's GUID [default: the default tenant]
    #[arg(long, value_name = "GUID")]
    tenant: Option<uuid::Uuid>,
    /// How long the token is good: 30s, 15m, 1h, 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration)]
    ttl: i64,
    #[command(flatten)]
    common: Common,
}

/// A token that is asked for.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct Wanted {
    subject: Subject,
    /// Names of scopes or roles.
    scopes: Vec<String>,
    tenant: Option<uuid::Uuid>,
    ttl_seconds: i64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let subject = match (args.user, args.app) {
        (Some(user), _) => Subject::User(user),
        (None, Some(app)) => Subject::App(app),
        (None, None) => bail!("either --user or --app is needed"),
    };
    let mut scopes = args.scopes;
    scopes.extend(args.roles);
    let wanted = Wanted { subject, scopes, tenant: args.tenant, ttl_seconds: args.ttl };
    control::ask(&args.common.config()?, control::Request::Token(wanted)).await
}

/// Mints the token.
pub(crate) async fn mint(server: &Server, wanted: Wanted) -> anyhow::Result<String> {
    let mut names = Vec::with_capacity(wanted.scopes.len());
    for name in &wanted.scopes {
        let scope = Scope::parse(name)
            .with_context(|| format!("'{name}' is not a permission that this server knows"))?;
        names.push(scope.name().to_owned());
    }
    let names = (!names.is_empty()).then_some(&names[..]);
    server.token(&wanted.subject, names, wanted.tenant, wanted.ttl_seconds).await
}

/// Seconds from `90`, `30s`, `15m`, `1h` or `7d`.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        other => return Err(format!("unknown unit '{other}': use s, m, h or d")),
    };
    let count: i64 = digits.parse().map_err(|_| format!("'{text}' is not a time such as 1h"))?;
    count
        .checked_mul(unit)
        .filter(|it| (1..=366 * 86_400).contains(it))
        .ok_or_else(|| "must be between a second and 366 days".to_owned())
}
