//! kill -9 of the gateway at instants that nobody chose: whatever it acknowledged is there afterwards.

use std::collections::BTreeSet;

use medibloc_api::{
    Authorization, CBOR, Challenge, Deployment, Letter, LetterPage, PutBlock, PutBlocks, RelayCall,
    RequestText, paths,
};
use medibloc_dag::{Block, Cid, Codec, cbor};
use medibloc_keys::{Entropy as _, SigningKey};
use medibloc_ledger::{Call, Submit as _};
use medibloc_node::{OsEntropy, connect, system_clock};
use medibloc_record::{Digest, Nonce, Role, TypedDomain, Wrapped};
use reqwest::Method;

use crate::start::{Institution, ready};

const ROUNDS: u8 = 20;

#[derive(Clone)]
struct Agent {
    key: SigningKey,
    url: String,
    domain: TypedDomain,
}

impl Agent {
    /// The answer, or none if there was no good one.
    async fn send(&self, method: Method, target: &str, body: Vec<u8>) -> Option<Vec<u8>> {
        let mut nonce = [0; 32];
        OsEntropy.fill(&mut nonce);
        let text = RequestText {
            node: &self.url,
            method: method.as_str(),
            target,
            body: Digest::of(&body),
            nonce: Nonce::new(nonce),
            expiry: system_clock()().plus(60),
        };
        let authorization = Authorization {
            address: self.key.address(),
            nonce: text.nonce,
            expiry: text.expiry,
            signature: self.key.sign_digest(&text.digest(&self.domain)),
        };
        let response = reqwest::Client::new()
            .request(method, format!("{}{target}", self.url))
            .header("authorization", authorization.to_string())
            .header("content-type", CBOR)
            .body(body)
            .send()
            .await
            .ok()?;
        if !response.status().is_success() {
            return None;
        }
        Some(response.bytes().await.ok()?.to_vec())
    }

    async fn put(&self, block: &Block) -> Option<Vec<u8>> {
        let body = PutBlocks {
            version: 1,
            blocks: vec![PutBlock {
                cid: block.cid().to_bytes(),
                bytes: block.bytes().to_vec(),
            }],
        };
        self.send(Method::POST, paths::BLOCKS, cbor::to_vec(&body))
            .await
    }

    async fn get(&self, cid: &Cid) -> Option<Vec<u8>> {
        let target = paths::block(&cid.to_string());
        self.send(Method::GET, &target, Vec::new()).await
    }

    async fn letter(&self, id: [u8; 32]) -> Option<Vec<u8>> {
        let letter = Letter {
            version: 1,
            sender: self.key.address(),
            recipient: self.key.address(),
            id,
            wrapped: Wrapped {
                key_version: 1,
                enc: [1; 32],
                ciphertext: vec![2; 100],
            },
            tag: None,
        };
        self.send(Method::POST, paths::MAILBOX, cbor::to_vec(&letter))
            .await
    }

    async fn letters(&self) -> BTreeSet<[u8; 32]> {
        let (mut ids, mut after) = (BTreeSet::new(), 0);
        loop {
            let target = paths::letters(after);
            let page = self.send(Method::GET, &target, Vec::new()).await.unwrap();
            let page: LetterPage = cbor::from_slice(&page).unwrap();
            ids.extend(page.letters.iter().map(|letter| letter.id));
            match page.next {
                Some(next) => after = next,
                None => return ids,
            }
        }
    }
}

#[tokio::test]
async fn what_a_killed_gateway_acknowledged_is_there_when_it_comes_back() {
    let world = Institution::new();
    let file = std::fs::read(world.folder.path().join("deployment.json")).unwrap();
    let deployment = Deployment::parse(&file).unwrap();
    let ledger = connect(&deployment).await.unwrap();
    let agent = Agent {
        key: SigningKey::from_bytes(&[7; 32]).unwrap(),
        url: world.node.clone(),
        domain: deployment.domain(),
    };
    medibloc_transport::install_provider();
    let mut gateway = world.start_gateway();
    ready(&world.node).await;
    let call = Call::Register {
        role: Role::Person,
        sealing_key: [7; 32],
    };
    let deadline = system_clock()().plus(600);
    let unsigned = ledger
        .prepare(agent.key.address(), &call, deadline)
        .await
        .unwrap();
    let signature = agent.key.sign_digest(&unsigned.digest);
    let signed = unsigned.sign(signature);
    let asked = agent.send(Method::GET, paths::REGISTRATION, Vec::new());
    let challenge: Challenge = cbor::from_slice(&asked.await.unwrap()).unwrap();
    let call = RelayCall {
        work: challenge.solve(&signed.bytes),
        bytes: signed.bytes,
        signature: signed.signature,
    };
    let registered = agent
        .send(Method::POST, paths::RELAY, cbor::to_vec(&call))
        .await;
    assert!(registered.is_some(), "the relay registers the address");

    let (mut letters, mut blocks) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..ROUNDS {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let busy = {
            let agent = agent.clone();
            tokio::spawn(async move {
                let (mut letters, mut blocks) = (Vec::new(), Vec::new());
                for number in 0..=u8::MAX {
                    let id = [[round, number]; 16].concat().try_into().unwrap();
                    match agent.letter(id).await {
                        Some(_) => letters.push(id),
                        None => break,
                    }
                    let leaf = [[round, number]; 5_000].concat();
                    let block = Block::of(Codec::Raw, leaf).unwrap();
                    match agent.put(&block).await {
                        Some(_) => blocks.push(*block.cid()),
                        None => break,
                    }
                    let _ = tell.send(());
                }
                (letters, blocks)
            })
        };
        // In the midst of whatever comes after the first few.
        for _ in 0..=round % 4 {
            told.recv().await;
        }
        gateway.kill();
        let (sent, put) = busy.await.unwrap();
        letters.extend(sent);
        blocks.extend(put);
        gateway = world.start_gateway();
        ready(&world.node).await;
        assert!(letters.is_subset(&agent.letters().await), "round {round}");
        for cid in &blocks {
            let bytes = agent.get(cid).await;
            assert!(bytes.is_some_and(|it| cid.verify(&it).is_ok()), "{round}");
        }
    }
    assert!(letters.len() >= usize::from(ROUNDS), "{}", letters.len());
    gateway.end();
}
