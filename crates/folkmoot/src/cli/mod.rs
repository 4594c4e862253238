//! The command line: one file a command.
//!
//! **Invariant:** answers go to standard output, everything else to standard error; the exit status is
//! 0 for done, 1 for failed, 2 for wrong usage.

mod app;
mod audit;
mod check;
mod control;
mod group;
mod key;
mod serve;
mod tenant;
mod token;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A server for group conversations that every Microsoft Graph client already speaks.
#[derive(Parser)]
#[command(name = "folkmoot", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API
    Serve(serve::Args),
    /// Print a bearer token of the built-in issuer
    Token(token::Args),
    /// Manage applications that sign in by themselves, or their users
    #[command(subcommand)]
    App(app::Command),
    /// Manage groups
    #[command(subcommand)]
    Group(group::Command),
    /// Manage the key that tokens are signed with
    #[command(subcommand)]
    Key(key::Command),
    /// Tenants and what they hold
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Manage people's accounts
    #[command(subcommand)]
    User(user::Command),
    /// Read who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// Prove that the store is sound, or print what is not
    Check(check::Args),
}

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start threads")),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(args).await,
            Command::Token(args) => token::run(args).await,
            Command::App(command) => app::run(command).await,
            Command::Group(command) => group::run(command).await,
            Command::Key(command) => key::run(command).await,
            Command::Tenant(command) => tenant::run(command).await,
            Command::User(command) => user::run(command).await,
            Command::Audit(command) => audit::run(command).await,
            Command::Check(args) => check::run(args).await,
        }
    });
    // Not waited for: what still runs here is a connection that outlived the drain.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    // One line, causes included.
    eprintln!("folkmoot: {error:#}");
    ExitCode::FAILURE
}

/// Writes an answer to standard output.
pub(crate) fn print(line: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
