//! A request that is read and answered within the memory that there is for the bodies of all of them.

use std::{future::poll_fn, pin::Pin};

use axum::body::Body;
use http_body::Body as _;

use super::{Answered, Service};
use crate::{
    error::ChainError,
    rpc::{bodies, turns::Source},
};

impl Service {
    /// Reads a request and answers it, within the memory that there is for the bodies of all of them.
    pub(super) async fn take(&self, source: Source, body: Body) -> Taken {
        let (place, given_up) = self.bodies.begin(source);
        let work = async {
            match read(body, self.limits.body, &place).await {
                Ok(body) => Taken::Answered(self.reply(source, &body).await),
                Err(refused) => refused,
            }
        };
        tokio::select! {
            biased;
            _ = given_up => Taken::Answered(Some(Answered::refused(&ChainError::Busy))),
            taken = work => taken,
        }
    }
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Taken {
    /// Nothing is answered to notifications.
    Answered(Option<Answered>),
    /// Its body is longer than one may be.
    TooLong,
    /// Whoever sends it stopped.
    Broken,
}

/// The whole of a body, counted as it comes.
async fn read(mut body: Body, most: usize, place: &bodies::Body) -> Result<Vec<u8>, Taken> {
    let mut whole = Vec::new();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(frame) = frame else {
            return Ok(whole);
        };
        let Ok(bytes) = frame.map_err(|_| Taken::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + bytes.len() > most {
            return Err(Taken::TooLong);
        }
        place.grow(bytes.len());
        whole.extend_from_slice(&bytes);
    }
}
