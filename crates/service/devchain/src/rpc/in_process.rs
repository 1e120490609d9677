//! Alloy's client on a chain of the same process.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use alloy::{
    rpc::{
        client::RpcClient,
        json_rpc::{RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest},
    },
    transports::{TransportError, TransportErrorKind, TransportFut},
};

use super::methods;
use crate::chain::{Chain, Meter};

/// How often a client looks whether its transaction is in a block.
const POLL: Duration = Duration::from_millis(10);

/// A transport of alloy's without a socket: the same questions and answers as [`serve`].
///
/// [`serve`]: crate::serve
#[derive(Debug, Clone)]
pub struct InProcess(Chain);

impl Chain {
    /// A client for `alloy::providers::ProviderBuilder::connect_client`. Needs a tokio runtime.
    pub fn client(&self) -> RpcClient {
        let client = RpcClient::new(InProcess(self.clone()), true);
        client.with_poll_interval(POLL)
    }
}

impl tower::Service<RequestPacket> for InProcess {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        let chain = self.0.clone();
        let work = move || match packet {
            RequestPacket::Single(one) => ResponsePacket::Single(ask(&chain, &one)),
            RequestPacket::Batch(all) => {
                ResponsePacket::Batch(all.iter().map(|one| ask(&chain, one)).collect())
            }
        };
        Box::pin(async {
            tokio::task::spawn_blocking(work)
                .await
                .map_err(TransportErrorKind::custom)
        })
    }
}

fn ask(chain: &Chain, request: &SerializedRequest) -> Response {
    let payload = match methods::ask(
        chain,
        request.method(),
        request.params(),
        &Meter::unlimited(),
    ) {
        Ok(value) => ResponsePayload::Success(value),
        Err(error) => ResponsePayload::Failure(error),
    };
    Response {
        id: request.id().clone(),
        payload,
    }
}
