//! A reader with a valid grant, receipt and key, who skips every check of its own and asks keepers for what it was not
//! given.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use medibloc_consent::{
    DeletionStatement, KeeperReply, KeeperRequest, ShareDeposit, SignedAcknowledgement, SignedLine,
    SignedReply, SignedRequest,
};
use medibloc_journey::{Keepers, Mailbox, Network, PortError, Ports};
use medibloc_keys::SigningKey;
use medibloc_record::RecordId;
use medibloc_store::Store;

/// A request that a keeper answered, and whose it was.
pub type Heard = (u8, SigningKey, SignedRequest);

/// A reader's own network, which writes down every request that a keeper answered.
pub struct Tap {
    network: Arc<dyn Network>,
    heard: Mutex<Vec<Heard>>,
}

impl core::fmt::Debug for Tap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Tap")
    }
}

impl Tap {
    /// A tap on a network.
    pub fn on(network: Arc<dyn Network>) -> Arc<Self> {
        Arc::new(Self {
            network,
            heard: Mutex::default(),
        })
    }

    /// What was heard so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The network through a tap.
#[derive(Debug)]
pub struct Tapped(pub Arc<Tap>);

struct TapKeepers {
    tap: Arc<Tap>,
    actor: SigningKey,
    keepers: Arc<dyn Keepers>,
}

impl Network for Tapped {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.network.store(actor)
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.network.mailbox(actor, url)
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        Arc::new(TapKeepers {
            tap: self.0.clone(),
            actor: actor.clone(),
            keepers: self.0.network.keepers(actor),
        })
    }

    fn own_node(&self) -> String {
        self.0.network.own_node()
    }
}

#[async_trait]
impl Keepers for TapKeepers {
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError> {
        self.keepers.deposit(index, deposit).await
    }

    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError> {
        self.keepers.acknowledgement(index, record).await
    }

    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError> {
        let reply = self.keepers.release(index, request).await?;
        let seen = (index, self.actor.clone(), request.clone());
        self.tap
            .heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(seen);
        Ok(reply)
    }

    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError> {
        self.keepers.feed(index).await
    }

    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError> {
        self.keepers.deletion(index, record).await
    }
}

/// A reader that changes a good request as it likes and signs it anew.
#[derive(Debug)]
pub struct Reader {
    /// Its key.
    pub key: SigningKey,
    good: KeeperRequest,
    number: u8,
}

impl Reader {
    /// The reader whose good request was heard.
    pub fn of((_, key, good): &Heard) -> Self {
        Self {
            key: key.clone(),
            good: good.request.clone(),
            number: 0,
        }
    }

    /// Its good request, to be looked at.
    pub const fn good(&self) -> &KeeperRequest {
        &self.good
    }

    /// Asks every keeper for a changed request under a one-time key of its own, signed by `key` and sent by it.
    ///
    /// # Errors
    /// If a keeper does not answer.
    pub async fn ask(
        &mut self,
        ports: &Ports,
        key: &SigningKey,
        change: impl Fn(&mut KeeperRequest),
    ) -> Result<Vec<KeeperReply>, PortError> {
        let committee = ports.facts.committee().await;
        let committee = committee.map_err(|error| PortError::Unreachable {
            peer: "the chain".into(),
            why: error.to_string(),
        })?;
        let network = ports.network.keepers(key);
        let mut replies = Vec::new();
        self.number = self.number.wrapping_add(1);
        for keeper in &committee.keepers {
            let mut request = self.good.clone();
            request.keeper = keeper.signer;
            request.one_time_key = [self.number; 32];
            request.expiry = ports.clock.now().plus(300);
            change(&mut request);
            let signature = key.sign_digest(&request.digest(&ports.domain));
            let signed = SignedRequest { request, signature };
            replies.push(network.release(keeper.index, &signed).await?.reply);
        }
        Ok(replies)
    }
}
