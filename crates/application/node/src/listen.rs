//! Listening: connections bounded in all and by source, TLS, peers that keep a least pace, and an end in order.

mod bounds;
mod exchange;
mod paced;
mod places;
mod tls;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub use bounds::{Bounds, ConnectionLimits, Front, Source};
use exchange::Exchange;
use paced::Paced;
use places::Places;
pub use tls::{Tls, TlsError};

/// Bytes of a request's head, at most.
const HEAD: usize = 32 << 10;

/// How a listener serves.
#[derive(Clone, Debug, Default)]
pub struct Listening {
    /// How it bounds its peers.
    pub bounds: Bounds,
    /// What it proves its name with; plain HTTP if none.
    pub tls: Option<Tls>,
    /// Proxies that stand before it.
    pub front: Option<Front>,
}

/// Answers on a listener until `end`, then lets what is on its way leave.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    how: Listening,
    end: impl Future<Output = ()>,
) {
    let follower = how.tls.clone();
    let serving = accept(listener, router, how, end);
    match follower {
        Some(tls) => tokio::select! {
            () = serving => {}
            () = tls.follow() => {}
        },
        None => serving.await,
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    how: Listening,
    end: impl Future<Output = ()>,
) {
    let places = Places::new(how.bounds);
    let front = how.front.map(Arc::new);
    let acceptor = how.tls.as_ref().map(Tls::acceptor);
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(how.bounds.head)
        .max_buf_size(HEAD);
    let mut end = std::pin::pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, or a peer that is gone already: others are still served.
                tracing::warn!(kind = ?error.kind(), "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let is_proxy = front
            .as_ref()
            .is_some_and(|front| front.is_proxy(peer.ip()));
        let place = match is_proxy {
            true => places.take_for_proxy(),
            false => places.take(Source::of(peer.ip())),
        };
        let Some(place) = place else {
            continue;
        };
        // Without it answers only come later.
        let _ = stream.set_nodelay(true);
        let exchange = Exchange {
            router: router.clone(),
            peer,
            front: front.clone(),
            place: Arc::new(place),
        };
        let (http, acceptor, watcher) = (http.clone(), acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            let seat = exchange.place.seat().clone();
            tokio::select! {
                () = connection(stream, acceptor, http, exchange, watcher) => {}
                () = seat.sent_away() => {}
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(how.bounds.farewell, graceful.shutdown()).await;
}

/// One connection, to its end. That the peer went away or was too slow, it learns by itself.
async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    http: http1::Builder,
    exchange: Exchange,
    watcher: Watcher,
) {
    let Some(acceptor) = acceptor else {
        return speak(stream, &http, exchange, watcher).await;
    };
    let time = exchange.place.bounds().handshake;
    let shaken = tokio::time::timeout(time, acceptor.accept(stream)).await;
    if let Ok(Ok(stream)) = shaken {
        exchange.place.seat().peers_turn();
        speak(stream, &http, exchange, watcher).await;
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    http: &http1::Builder,
    exchange: Exchange,
    watcher: Watcher,
) {
    let stream = Paced::new(stream, exchange.place.clone());
    let answer = service_fn(move |request| exchange.clone().answer(request));
    let connection = http.serve_connection(TokioIo::new(stream), answer);
    let _ = watcher.watch(connection).await;
}

#[cfg(test)]
#[path = "listen/tests.rs"]
mod tests;
