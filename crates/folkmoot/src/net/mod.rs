//! Sockets: TLS and the loop that accepts connections.
//!
//! **Invariant:** nothing here knows what is served.

mod serve;
mod tls;

pub(crate) use serve::{Peer, Secure, serve};
pub(crate) use tls::{DevCa, from_files as tls_from_files};
