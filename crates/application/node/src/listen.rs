//! Listening: bounded connections, a bound on the time that a request's head may take, and an end in order.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower::Service as _;

/// How a listener bounds its peers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Bounds {
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// For a request's head, and for an idle connection.
    pub head: Duration,
    /// For answers that are on their way when the program is told to end.
    pub farewell: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 1_024,
            head: Duration::from_secs(30),
            farewell: Duration::from_secs(10),
        }
    }
}

/// Answers on a listener until `end`, then lets what is on its way leave.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    end: impl Future<Output = ()>,
) {
    let room = Arc::new(Semaphore::new(bounds.connections));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head);
    let mut end = std::pin::pin!(end);
    loop {
        let accepted = async {
            let place = room.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
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
        // Without it answers only come later.
        let _ = stream.set_nodelay(true);
        let answer = service_of(router.clone(), peer);
        let connection = http.serve_connection(TokioIo::new(stream), service_fn(answer));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // The peer went away or was too slow; it learns that by itself.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(bounds.farewell, graceful.shutdown()).await;
}

fn service_of(
    router: Router,
    peer: SocketAddr,
) -> impl Fn(hyper::Request<Incoming>) -> <Router as tower::Service<Request<Body>>>::Future {
    move |request| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    async fn start(
        bounds: Bounds,
    ) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "here" }));
        let (end, ended) = oneshot::channel();
        let end_of = async {
            let _ = ended.await;
        };
        let task = tokio::spawn(serve(listener, router, bounds, end_of));
        (address, end, task)
    }

    /// Sends this and gives everything until the other side closes.
    async fn say(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset is a close too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    const WHOLE: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut_off_and_others_are_served() {
        let bounds = Bounds {
            head: Duration::from_millis(200),
            connections: 1,
            ..Bounds::default()
        };
        let (address, _end, _task) = start(bounds).await;
        // It holds the only place until it is cut off; the next one waits for it.
        let (slow, whole) = tokio::join!(say(address, &WHOLE[..20]), say(address, WHOLE));
        assert!(!slow.contains("here"), "{slow}");
        assert!(whole.ends_with("here"), "{whole}");
    }

    #[tokio::test]
    async fn it_ends_when_it_is_told_though_a_connection_is_open() {
        let bounds = Bounds {
            farewell: Duration::from_millis(100),
            ..Bounds::default()
        };
        let (address, end, task) = start(bounds).await;
        assert!(say(address, WHOLE).await.ends_with("here"));
        let _open = TcpStream::connect(address).await.unwrap();
        end.send(()).unwrap();
        task.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    }
}
