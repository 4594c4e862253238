//! `folkmoot key`: the key that tokens are signed with.
//!
//! **Invariant:** whoever has a token keeps it: the key before checks for as long as anything that it has
//! signed is good. It is otherwise only where that is asked for, and then what it means is said.

use clap::Subcommand;

use crate::cli::control;
use crate::config::Common;

/// Manage the key that tokens are signed with.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a new key, which signs from now on, and print its id; tokens of the one before stay good
    Rotate {
        /// The keys before it have leaked: nothing that they have signed is good from now on
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        common: Common,
    },
}

const ALONE: &str = "Every token that was given out until now is refused from now on. Applications get new \
    ones by what they hold, their secret or a refresh token; those that hold neither send their users to sign in. \
    Nobody has to sign in here anew. Tokens of 'folkmoot token' have to be made anew.";

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Rotate { now, common } = command;
    control::ask(&common.config()?, control::Request::KeyRotate { now }).await?;
    if now {
        eprintln!("{ALONE}");
    }
    Ok(())
}
