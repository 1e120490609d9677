//! One request and its answer: the body is read here, so that a slow sender takes no place behind; the answer is counted.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use medibloc_api::Code;
use tower::Service as _;

use super::bounds::{Front, Source};
use super::paced::Pace;
use super::places::{FREE, Named, NoPlace, Place};
use crate::fault::Fault;
use crate::figures;

/// A body grows by so much at a time.
const STEP: usize = 32 << 10;

/// What all requests of a connection share.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) router: Router,
    pub(super) peer: SocketAddr,
    pub(super) front: Option<Arc<Front>>,
    pub(super) place: Arc<Place>,
}

/// Why a body was not taken.
enum Unread {
    /// Over the limit.
    Large,
    /// Slower than the least pace, or broken off.
    Slow,
    /// There is no memory for it now.
    Full,
    /// There is no place for whom a proxy speaks for.
    NoPlace(NoPlace),
}

impl Exchange {
    pub(super) async fn answer(
        mut self,
        request: Request<Incoming>,
    ) -> Result<Response, Infallible> {
        let (mut head, body) = request.into_parts();
        let source = match &self.front {
            Some(front) => front.source(self.peer.ip(), &head.headers),
            None => self.peer.ip().to_canonical(),
        };
        head.extensions.insert(ConnectInfo(self.peer));
        head.extensions.insert(Source(source));
        let named = self.front.as_ref().and_then(|front| {
            let of = Source::of(source);
            let is_proxy = front.is_proxy(self.peer.ip());
            is_proxy.then(|| {
                if front.is_proxy(source) {
                    figures::unnamed();
                    return Named::Proxy(of);
                }
                Named::Other(of)
            })
        });
        let read = match named.map(|named| self.place.speaks_for(named)) {
            Some(Err(why)) => Err(Unread::NoPlace(why)),
            Some(Ok(())) | None => self.read(body).await,
        };
        let response = match read {
            Ok(bytes) => {
                let held = bytes.len().saturating_sub(FREE);
                self.place.seat().own_turn();
                let request = Request::from_parts(head, Body::from(bytes));
                let Ok(response) = self.router.call(request).await;
                // Its body is with its handler no more.
                self.place.let_go(held);
                response
            }
            Err(unread) => {
                self.place.release();
                refused(&unread)
            }
        };
        Ok(self.counted(response))
    }

    /// The whole body. Its sender's turn begins anew, for it has brought a head.
    async fn read(&self, mut body: Incoming) -> Result<Bytes, Unread> {
        let bounds = self.place.bounds();
        let announced = body.size_hint().lower();
        if announced > bounds.body as u64 {
            return Err(Unread::Large);
        }
        if body.is_end_stream() {
            return Ok(Bytes::new());
        }
        self.place.seat().peers_turn();
        let mut pace = Pace::new(bounds.span, bounds.pace);
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let next =
                std::future::poll_fn(|context| match Pin::new(&mut body).poll_frame(context) {
                    Poll::Pending => pace.poll_over(context).map(|()| Some(Err(Unread::Slow))),
                    Poll::Ready(frame) => {
                        Poll::Ready(frame.map(|frame| frame.map_err(|_| Unread::Slow)))
                    }
                });
            let Some(frame) = next.await else {
                return Ok(bytes.into());
            };
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            pace.moved(data.len());
            let length = bytes.len() + data.len();
            if length > bounds.body {
                return Err(Unread::Large);
            }
            let more = length.saturating_sub(FREE) - bytes.len().saturating_sub(FREE);
            if more > 0 && !self.place.hold(more) {
                return Err(Unread::Full);
            }
            // Exactly, in steps: doubling would hold what nobody counts.
            if bytes.capacity() < length {
                bytes.reserve_exact(data.len().max(STEP));
            }
            bytes.extend_from_slice(&data);
        }
    }

    /// The answer, if there is memory for it until the peer has taken it.
    fn counted(self, response: Response) -> Response {
        let size = response.body().size_hint().lower();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let response = if size > FREE && !self.place.hold(size) {
            refused(&Unread::Full)
        } else {
            response
        };
        self.place.seat().peers_turn();
        let place = self.place;
        response.map(|body| Body::new(Answer { body, place }))
    }
}

fn refused(unread: &Unread) -> Response {
    let fault = match unread {
        Unread::Large => Fault::new(Code::TooLarge, "the body is over what one request may have"),
        Unread::Slow => Fault::new(Code::TooLarge, "the body was cut off or came too slowly"),
        Unread::Full => Fault::new(
            Code::Unavailable,
            "too many large bodies and answers of this source are on their way",
        ),
        Unread::NoPlace(NoPlace::OfSource) => Fault::new(
            Code::Unavailable,
            "this source has as many requests on their way as one may have",
        ),
        Unread::NoPlace(NoPlace::Full) => Fault::new(
            Code::Unavailable,
            "as many requests are on their way as this listener bears",
        ),
    };
    let mut response = fault.into_response();
    // What is left of the body is not read.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// A body that says when the connection has taken it over.
struct Answer {
    body: Body,
    place: Arc<Place>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.place.seat().set_answered(true);
    }
}
