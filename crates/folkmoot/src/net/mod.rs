//! Sockets: TLS, the loop that accepts connections, and what one may take.
//!
//! **Invariant:** nothing here knows what is served.

mod bounds;
mod serve;
mod tls;

pub(crate) use bounds::{Bounds, TooSlow};
pub(crate) use serve::{Peer, Secure, serve};
pub(crate) use tls::{DevCa, Tls};
