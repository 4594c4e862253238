//! Sockets: TLS, the loop that accepts connections, and documents fetched from elsewhere.
//!
//! **Invariant:** nothing here knows what is served.

mod fetch;
mod serve;
mod tls;

pub(crate) use fetch::{Fetcher, address, is_local};
pub(crate) use serve::{Peer, Secure, serve};
pub(crate) use tls::{DevCa, from_files as tls_from_files};
