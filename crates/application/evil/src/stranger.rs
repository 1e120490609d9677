//! A stranger with any number of free addresses: it speaks to a node as an agent does, without any of its checks.

use medibloc_api::{
    Authorization, CBOR, Challenge, Letter, PutBlock, PutBlocks, RelayCall, RequestText, Work,
    paths,
};
use medibloc_dag::{Block, cbor};
use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, LedgerError, SignedCall, Submit};
use medibloc_record::{Digest, Nonce, Role, Timestamp, TypedDomain, Wrapped};
use reqwest::{Client, Method};

/// One address at one node.
#[derive(Clone)]
pub struct Stranger {
    /// Its key.
    pub key: SigningKey,
    /// The node, by its URL.
    pub url: String,
    /// The deployment.
    pub domain: TypedDomain,
    http: Client,
}

impl core::fmt::Debug for Stranger {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stranger").finish_non_exhaustive()
    }
}

/// What a node answered: status and body; status 0 if nobody answered.
pub type Answer = (u16, Vec<u8>);

impl Stranger {
    /// The stranger of a number; its key is made of that.
    ///
    /// # Panics
    /// Never for numbers below 2^64: none of them is a bad key.
    #[must_use]
    pub fn new(number: u64, url: &str, domain: TypedDomain) -> Self {
        let bytes = Digest::of(&number.to_be_bytes()).to_bytes();
        Self {
            key: SigningKey::from_bytes(&bytes).expect("a digest is below the curve's order"),
            url: url.to_owned(),
            domain,
            http: Client::new(),
        }
    }

    /// Sends a signed request; `now` and `nonce` are the caller's.
    pub async fn send(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
        (now, nonce): (Timestamp, [u8; 32]),
    ) -> Answer {
        let text = RequestText {
            node: &self.url,
            method: method.as_str(),
            target,
            body: Digest::of(&body),
            nonce: Nonce::new(nonce),
            expiry: now.plus(60),
        };
        let authorization = Authorization {
            address: self.key.address(),
            nonce: text.nonce,
            expiry: text.expiry,
            signature: self.key.sign_digest(&text.digest(&self.domain)),
        };
        let request = self
            .http
            .request(method, format!("{}{target}", self.url))
            .header("authorization", authorization.to_string())
            .header("content-type", CBOR)
            .body(body);
        answer(request).await
    }

    /// Sends an unsigned request.
    pub async fn ask(&self, method: Method, target: &str, body: Vec<u8>) -> Answer {
        let url = format!("{}{target}", self.url);
        answer(self.http.request(method, url).body(body)).await
    }

    /// A call, signed.
    ///
    /// # Errors
    /// If the chain is silent.
    pub async fn sign(
        &self,
        chain: &dyn Submit,
        call: &Call,
        now: Timestamp,
    ) -> Result<SignedCall, LedgerError> {
        let unsigned = chain
            .prepare(self.key.address(), call, now.plus(600))
            .await?;
        let signature = self.key.sign_digest(&unsigned.digest);
        Ok(unsigned.sign(signature))
    }

    /// Sends a call through the relay.
    pub async fn relay(&self, call: &SignedCall, work: Option<Work>) -> Answer {
        let call = RelayCall {
            bytes: call.bytes.clone(),
            signature: call.signature,
            work,
        };
        self.ask(Method::POST, paths::RELAY, cbor::to_vec(&call))
            .await
    }

    /// The work that the node asks for a call; none if it does not answer.
    pub async fn work(&self, call: &SignedCall) -> Option<Work> {
        let (_, body) = self.ask(Method::GET, paths::REGISTRATION, Vec::new()).await;
        let challenge: Challenge = cbor::from_slice(&body).ok()?;
        challenge.solve(&call.bytes)
    }

    /// Registers its address.
    ///
    /// # Errors
    /// If the chain is silent.
    pub async fn register(
        &self,
        chain: &dyn Submit,
        now: Timestamp,
    ) -> Result<Answer, LedgerError> {
        let call = Call::Register {
            role: Role::Person,
            sealing_key: Digest::of(self.key.address().as_bytes()).to_bytes(),
        };
        let call = self.sign(chain, &call, now).await?;
        let work = self.work(&call).await;
        Ok(self.relay(&call, work).await)
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let Ok(response) = request.send().await else {
        return (0, Vec::new());
    };
    let status = response.status().as_u16();
    let body = response.bytes().await;
    (status, body.map(|body| body.to_vec()).unwrap_or_default())
}

/// The body of a put.
#[must_use]
pub fn put(blocks: &[Block]) -> Vec<u8> {
    let blocks = blocks.iter().map(|block| PutBlock {
        cid: block.cid().to_bytes(),
        bytes: block.bytes().to_vec(),
    });
    cbor::to_vec(&PutBlocks {
        version: 1,
        blocks: blocks.collect(),
    })
}

/// A letter of junk.
#[must_use]
pub fn junk(from: &Stranger, to: &SigningKey, id: [u8; 32], bytes: usize) -> Vec<u8> {
    cbor::to_vec(&Letter {
        version: 1,
        sender: from.key.address(),
        recipient: to.address(),
        id,
        wrapped: Wrapped {
            key_version: 1,
            enc: [1; 32],
            ciphertext: vec![2; bytes],
        },
        tag: None,
    })
}
