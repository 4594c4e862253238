//! What a connection may take: places, time and bytes.
//!
//! **Invariant:** a peer that sends nothing, or a byte now and then, loses its connection; no peer but the
//! named proxy has more places than its share.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What each connection may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Connections at a time.
    pub(crate) connections: usize,
    /// Those of one address; of IPv6, of one /64.
    pub(crate) per_address: usize,
    /// Whose connections are only counted together: a proxy's.
    pub(crate) proxy: Option<IpAddr>,
    /// The longest that a TLS handshake, and the head of a request, may take.
    pub(crate) head: Duration,
    /// The longest that a body may take over nothing; each [`Bounds::body_rate`] bytes give a second more.
    pub(crate) body: Duration,
    /// Bytes a second.
    pub(crate) body_rate: u32,
    /// The longest that nothing may go in either direction; it may be twice that.
    pub(crate) silence: Duration,
    /// Headers of a request.
    pub(crate) headers: usize,
    /// Bytes of a request's head.
    pub(crate) head_bytes: usize,
    /// Requests at a time of one HTTP/2 connection.
    pub(crate) streams: u32,
    /// Requests that an HTTP/2 connection may take back before they were looked at.
    pub(crate) resets: usize,
}

/// Counts connections.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A connection's place; given back when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Places {
    /// A place for a connection from this address, if one is left.
    pub(super) fn take(self: &Arc<Places>, peer: IpAddr, bounds: &Bounds) -> Option<Place> {
        let address = network(peer.to_canonical());
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.of.get(&address).copied().unwrap_or_default();
        let is_proxy = bounds.proxy == Some(peer.to_canonical());
        if taken.all >= bounds.connections || (own >= bounds.per_address && !is_proxy) {
            return None;
        }
        taken.all += 1;
        taken.of.insert(address, own + 1);
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(own) = taken.of.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.of.remove(&self.address);
            }
        }
    }
}

/// What one subscriber has: an IPv4 address, or a /64 of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(it) => IpAddr::V6((u128::from(it) & (u128::MAX << 64)).into()),
    }
}

/// A stream that fails after a time in which nothing went through it.
pub(super) struct Quiet<S> {
    stream: S,
    max: Duration,
    until: Pin<Box<Sleep>>,
    /// Whether anything went since `until` was set.
    was_active: bool,
}

impl<S> Quiet<S> {
    /// The first byte has to come within `first`.
    pub(super) fn new(stream: S, first: Duration, max: Duration) -> Quiet<S> {
        Quiet { stream, max, until: Box::pin(sleep(first)), was_active: false }
    }

    /// The same outcome of a try, or an error if nothing has moved for too long; a flush of nothing, which
    /// HTTP/2 tries each time it is woken, moves nothing.
    fn watched<T>(
        &mut self,
        tried: Poll<io::Result<T>>,
        moves: bool,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if tried.is_ready() {
            self.was_active |= moves;
            return tried;
        }
        while self.until.as_mut().poll(context).is_ready() {
            if !std::mem::take(&mut self.was_active) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let next = self.until.deadline() + self.max;
            self.until.as_mut().reset(next);
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Quiet<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_read(context, into);
        self.watched(tried, true, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Quiet<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watched(tried, true, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tried = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.watched(tried, true, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_flush(context);
        self.watched(tried, false, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tried = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watched(tried, false, context)
    }
}

/// A body that did not come in the time that its size gives it.
#[derive(Debug, thiserror::Error)]
#[error("it took too long")]
pub(crate) struct TooSlow;

/// A body that has to come in time.
pub(super) struct Timed {
    body: Incoming,
    bounds: Bounds,
    /// Set when it was first waited for.
    until: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

impl Timed {
    pub(super) fn new(body: Incoming, bounds: Bounds) -> Timed {
        Timed { body, bounds, until: None, is_over: false }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.is_over {
            return Poll::Ready(Some(Err(TooSlow.into())));
        }
        let Bounds { body, body_rate, .. } = self.bounds;
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                let bytes = frame.as_ref().and_then(|it| it.as_ref().ok()?.data_ref());
                let more = bytes.map_or(0, Bytes::len) as f64 / f64::from(body_rate);
                if let Some(until) = &mut self.until {
                    let next = until.deadline() + Duration::from_secs_f64(more);
                    until.as_mut().reset(next);
                }
                Poll::Ready(frame.map(|it| it.map_err(Into::into)))
            }
            Poll::Pending => {
                let until = self.until.get_or_insert_with(|| Box::pin(sleep(body)));
                if until.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.is_over = true;
                Poll::Ready(Some(Err(TooSlow.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
