//! `folkmoot key`: the key that tokens are signed with.
//!
//! **Invariant:** whoever has a token keeps it: the key before checks for as long as anything that it has
//! signed is good.

use clap::Subcommand;

use crate::cli::control;
use crate::config::Common;

/// Manage the key that tokens are signed with.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a new key, which signs from now on, and print its id; tokens of the one before stay good
    Rotate {
        #[command(flatten)]
        common: Common,
    },
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let Command::Rotate { common } = command;
    control::ask(&common.config()?, control::Request::KeyRotate).await
}
