//! The loop that accepts connections and serves them until it is told to stop.
//!
//! **Invariant:** one bad connection never ends the loop, and a stop lets running requests end, for as
//! long as it was said that they may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::bounds::{Bounds, Places, Quiet, Timed};
use super::tls::Tls;

/// Who is at the other end of the connection; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Whether the connection is encrypted; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secure(pub(crate) bool);

/// Serves `app` until `stop`, and running requests for at most `drain` more.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    app: Router,
    bounds: Bounds,
    stop: CancellationToken,
    drain: Duration,
) {
    let tls = tls.map(Arc::new);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Places::default());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                // Out of descriptors: the next accept would fail at once, so give some time to close.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = places.take(peer.ip(), &bounds) else {
            // Nothing is said: that would take more of what there is too little of.
            tracing::debug!(%peer, "a connection is one too many");
            continue;
        };
        // Answers are small: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let (app, tls, watcher) = (app.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => connection(stream, peer, false, app, bounds, watcher).await,
                Some(tls) => encrypted(stream, peer, &tls, app, bounds, watcher).await,
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

async fn encrypted(
    stream: TcpStream,
    peer: SocketAddr,
    tls: &Tls,
    app: Router,
    bounds: Bounds,
    watcher: Watcher,
) {
    match tokio::time::timeout(bounds.head, TlsAcceptor::from(tls.current()).accept(stream)).await {
        Ok(Ok(stream)) => connection(stream, peer, true, app, bounds, watcher).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS handshake"),
        Err(_) => tracing::debug!(%peer, "no TLS handshake in time"),
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    secure: bool,
    app: Router,
    bounds: Bounds,
    watcher: Watcher,
) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(|body| Body::new(Timed::new(body, bounds)));
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(Secure(secure));
        app.clone().oneshot(request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_headers(bounds.headers)
        .max_buf_size(bounds.head_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(bounds.resets);
    let stream = Quiet::new(stream, bounds.head, bounds.silence);
    let served =
        watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}
