//! Sockets: TLS, the loop that accepts connections, what one may take, and documents fetched from elsewhere.
//!
//! **Invariant:** nothing here knows what is served.

mod bounds;
mod fetch;
mod serve;
mod tls;

pub(crate) use bounds::{Bounds, TooSlow, network};
pub(crate) use fetch::{Fetcher, address, domain, is_local};
pub(crate) use serve::{Peer, Secure, serve};
pub(crate) use tls::{DevCa, Tls};
