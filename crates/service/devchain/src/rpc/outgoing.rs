//! A long answer on its way: it has a place among those that there is memory for, until it is sent or given up.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use super::turns::Turn;

/// Bytes that are handed on at once.
const CHUNK: usize = 64 << 10;

/// The body of a response. Dropping it gives its place back.
#[derive(Debug)]
pub(super) struct Outgoing {
    kept: Kept,
    bytes: usize,
    sent: usize,
    /// Tells the one that waits for the end of its time that it need not.
    _here: oneshot::Sender<()>,
}

/// The text and its place; none when it was sent or given up.
type Kept = Arc<Mutex<Option<(Bytes, Turn)>>>;

/// Whoever asked did not read it in time.
#[derive(Debug, thiserror::Error)]
#[error("the answer was not read in time; ask again, for less")]
pub(super) struct GivenUp;

impl Outgoing {
    /// `until` ends when it is given up: text and place are free then, though the other side keeps the connection.
    pub(super) fn new(
        mut text: String,
        place: Turn,
        until: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        text.shrink_to_fit();
        let text = Bytes::from(text);
        let bytes = text.len();
        let kept = Kept::new(Mutex::new(Some((text, place))));
        let (here, gone) = oneshot::channel::<()>();
        let held = kept.clone();
        // Ends with this value, or at its time: a server polls no body that nobody reads.
        tokio::spawn(async move {
            tokio::select! {
                () = until => {}
                _ = gone => {}
            }
            drop(take(&held));
        });
        Self {
            kept,
            bytes,
            sent: 0,
            _here: here,
        }
    }
}

fn take(kept: &Kept) -> Option<(Bytes, Turn)> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.take()
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        if self.sent == self.bytes {
            drop(take(&self.kept));
            return Poll::Ready(None);
        }
        let chunk = {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.as_ref().map(|(text, _)| {
                let rest = &text[self.sent..];
                // A copy: a part of the text would keep all of it.
                Bytes::copy_from_slice(&rest[..rest.len().min(CHUNK)])
            })
        };
        Poll::Ready(Some(match chunk {
            Some(chunk) => {
                self.sent += chunk.len();
                Ok(Frame::data(chunk))
            }
            None => Err(GivenUp),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.bytes
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.bytes - self.sent) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};

    use super::super::turns::{Source, Turns};
    use super::*;

    async fn next(body: &mut Outgoing) -> Option<Result<Bytes, GivenUp>> {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        frame.map(|frame| frame.map(|frame| frame.into_data().expect("it is data")))
    }

    #[tokio::test]
    async fn a_long_answer_has_its_place_until_it_is_sent_or_dropped() {
        let (places, source) = (
            Turns::new(1),
            Source::Connection(([127, 0, 0, 1], 1).into()),
        );
        let text = "a".repeat(3 * CHUNK / 2);
        for sends in [true, false] {
            let place = places.take(source, 1).await.unwrap();
            let mut body = Outgoing::new(text.clone(), place, pending());
            assert_eq!(next(&mut body).await.unwrap().unwrap().len(), CHUNK);
            assert_eq!(places.working(), 1);
            if sends {
                assert_eq!(next(&mut body).await.unwrap().unwrap().len(), CHUNK / 2);
                assert!(next(&mut body).await.is_none());
                assert_eq!(places.working(), 0);
            }
            drop(body);
            drop(places.take(source, 1).await.unwrap());
        }
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_keeps_no_place_and_no_memory_for_longer_than_its_time() {
        let (places, source) = (
            Turns::new(1),
            Source::Connection(([127, 0, 0, 1], 1).into()),
        );
        let place = places.take(source, 1).await.unwrap();
        let (over, is_over) = oneshot::channel::<()>();
        let until = async { drop(is_over.await) };
        let mut body = Outgoing::new("a".repeat(2 * CHUNK), place, until);
        next(&mut body).await.unwrap().unwrap();
        over.send(()).unwrap();
        // The only place is free, though the body is still there.
        drop(places.take(source, 1).await.unwrap());
        assert!(body.kept.lock().unwrap().is_none());
        let error = next(&mut body).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("was not read in time"));
    }
}
