//! The keepers, each at its own URL. What they sign is checked by the journey against the chain's addresses; here only
//! that the answer is one to this question.

use std::collections::BTreeMap;

use async_trait::async_trait;
use medibloc_api::{Code, paths};
use medibloc_consent::{
    DeletionStatement, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply, SignedRequest,
};
use medibloc_journey::{Keepers, PortError};
use medibloc_record::RecordId;

use crate::peer::{Failure, Peer, Repeat};

pub(crate) struct HttpKeepers {
    peers: BTreeMap<u8, Peer>,
}

impl HttpKeepers {
    pub(crate) fn new(peers: impl Iterator<Item = (u8, Peer)>) -> Self {
        Self {
            peers: peers.collect(),
        }
    }

    fn peer(&self, index: u8) -> Result<&Peer, PortError> {
        self.peers.get(&index).ok_or_else(|| PortError::Refused {
            peer: name(index),
            why: "there is no such keeper in the configuration".into(),
        })
    }
}

fn name(index: u8) -> String {
    format!("keeper {index}")
}

fn corrupt(index: u8, why: &str) -> PortError {
    PortError::Corrupt {
        peer: name(index),
        why: why.into(),
    }
}

/// An answer, or none where the keeper has none.
fn optional<T>(index: u8, peer: &Peer, answer: Result<T, Failure>) -> Result<Option<T>, PortError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Failure::Problem(problem))
            if matches!(problem.code, Code::NotFound | Code::KeeperRefused) =>
        {
            Ok(None)
        }
        Err(failure) => Err(peer.port_error(&name(index), failure)),
    }
}

#[async_trait]
impl Keepers for HttpKeepers {
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError> {
        let peer = self.peer(index)?;
        let reply: SignedAcknowledgement = peer
            .ask(paths::SHARES, deposit, Repeat::Safe)
            .await
            .map_err(|failure| peer.port_error(&name(index), failure))?;
        let said = &reply.acknowledgement;
        if said.record != deposit.record || said.index != index {
            return Err(corrupt(index, "it acknowledges another share"));
        }
        Ok(reply)
    }

    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError> {
        let peer = self.peer(index)?;
        let answer = peer.get_object(&paths::share(record)).await;
        let reply: Option<SignedAcknowledgement> = optional(index, peer, answer)?;
        match reply {
            Some(reply)
                if reply.acknowledgement.record != record
                    || reply.acknowledgement.index != index =>
            {
                Err(corrupt(index, "it acknowledges another share"))
            }
            reply => Ok(reply),
        }
    }

    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError> {
        let peer = self.peer(index)?;
        peer.ask(paths::RELEASE, request, Repeat::IfNotArrived)
            .await
            .map_err(|failure| peer.port_error(&name(index), failure))
    }

    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError> {
        let peer = self.peer(index)?;
        peer.get_object(paths::FEED)
            .await
            .map_err(|failure| peer.port_error(&name(index), failure))
    }

    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError> {
        let peer = self.peer(index)?;
        let answer = peer.get_object(&paths::deletion(record)).await;
        let statement: Option<DeletionStatement> = optional(index, peer, answer)?;
        match statement {
            Some(statement) if statement.record != record => {
                Err(corrupt(index, "its statement is of another record"))
            }
            statement => Ok(statement),
        }
    }
}
