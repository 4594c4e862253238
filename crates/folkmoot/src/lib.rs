//! Folkmoot: a server for group conversations over the Microsoft Graph protocol.
//!
//! **Invariant:** arrows between these modules point down this list, and `cargo xtask tidy` checks it:
//! doors (`cli`, `api`) call `service`, `service` calls `store`, and nothing calls up.

mod cli;
mod config;
mod server;

mod api;
mod ephemeral;
mod issuer;
mod net;

mod service;

mod auth;
mod store;

mod access;
mod model;

mod clock;
mod ids;
mod text;

/// Runs the program with the arguments of the process.
pub fn run() -> std::process::ExitCode {
    cli::run()
}
