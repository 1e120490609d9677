//! Two chains that are asked the same, and must do the same.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alloy::{
    primitives::{Address, Bytes, U64, address},
    signers::local::PrivateKeySigner,
};
use medibloc_devchain::{Chain, Config, Place, serve};
use serde_json::{Value, json};

use crate::{
    BEGIN,
    peer::Peer,
    wallet::{Draft, account},
};

/// This chain and another, asked the same.
pub(crate) struct Pair {
    pub(crate) ours: Peer,
    pub(crate) theirs: Peer,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) nonces: [u64; 3],
    pub(crate) transactions: usize,
    pub(crate) calls: usize,
    /// Whether the other's clock can be set, so that whole blocks compare.
    pub(crate) times: bool,
    /// Whether the other's state roots are right.
    pub(crate) roots: bool,
}

/// How one transaction went, on both.
pub(crate) struct Done {
    pub(crate) succeeded: bool,
    pub(crate) contract: Address,
}

impl Pair {
    pub(crate) async fn new(theirs: Peer) -> Self {
        let clock = Arc::new(AtomicU64::new(BEGIN));
        let now = Arc::clone(&clock);
        let mut config = Config::default();
        // As the others: where a callee burns all that it is given, it matters.
        config.call_gas = config.gas_limit;
        config.test_methods = true;
        if theirs.name == "anvil" {
            // Its first block has its second's base fee; by EIP-1559, ours does not.
            config.base_fee = 1_142_857_142;
        }
        if theirs.name == "geth" {
            config.coinbase = address!("71562b71999873DB5b286dF957af199Ec94617F7");
        }
        config.clock = Arc::new(move || now.load(Ordering::Relaxed));
        let chain = Chain::open(Place::Memory, config).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(chain, listener));
        let ours = Peer::new("ours", url);
        let nonces = [0; 3];
        Self {
            ours,
            theirs,
            clock,
            nonces,
            transactions: 0,
            calls: 0,
            times: false,
            roots: true,
        }
    }

    /// A draft of the next transaction of an account; its type follows from its nonce.
    pub(crate) fn draft(&self, who: usize, to: Option<Address>, input: Bytes) -> Draft {
        let nonce = self.nonces[who];
        Draft::new(u8::try_from(nonce % 3).unwrap(), nonce, to, input)
    }

    /// Estimates, sends and compares.
    pub(crate) async fn act(&mut self, who: usize, draft: Draft) -> Done {
        self.compare_call(&account(who), &draft).await;
        self.send(who, draft).await
    }

    pub(crate) async fn send(&mut self, who: usize, draft: Draft) -> Done {
        let raw = json!([draft.clone().sign(&account(who))]);
        if self.times {
            let time = json!([self.clock.fetch_add(12, Ordering::Relaxed) + 12]);
            self.theirs
                .get("evm_setNextBlockTimestamp", time.clone())
                .await;
        }
        let hash = self.theirs.get("eth_sendRawTransaction", raw.clone()).await;
        let theirs = receipt_of(&self.theirs, &hash).await;
        // Geth now and then makes an empty block first.
        while number(&self.ours.get("eth_blockNumber", json!([])).await) + 1
            < number(&theirs["blockNumber"])
        {
            self.ours.get("evm_mine", json!([])).await;
        }
        assert_eq!(hash, self.ours.get("eth_sendRawTransaction", raw).await);
        self.nonces[who] += 1;
        self.transactions += 1;
        self.compare_receipts(&hash, &theirs).await
    }

    async fn compare_receipts(&mut self, hash: &Value, theirs: &Value) -> Done {
        let ours = self
            .ours
            .get("eth_getTransactionReceipt", json!([hash]))
            .await;
        for field in [
            "status",
            "gasUsed",
            "cumulativeGasUsed",
            "contractAddress",
            "type",
            "from",
            "to",
            "effectiveGasPrice",
            "logsBloom",
            "transactionIndex",
            "blockNumber",
            "transactionHash",
        ] {
            same(&ours, theirs, field, hash);
        }
        let (our_logs, their_logs) = (logs_of(&ours), logs_of(theirs));
        assert_eq!(our_logs, their_logs, "{hash}");
        let ask = json!([ours["blockNumber"], true]);
        let our_block = self.ours.get("eth_getBlockByNumber", ask.clone()).await;
        let their_block = self.theirs.get("eth_getBlockByNumber", ask).await;
        for field in [
            "transactionsRoot",
            "receiptsRoot",
            "gasUsed",
            "gasLimit",
            "baseFeePerGas",
        ] {
            same(&our_block, &their_block, field, hash);
        }
        if self.times {
            for field in ["timestamp", "number", "withdrawalsRoot", "blobGasUsed"] {
                same(&our_block, &their_block, field, hash);
            }
        }
        if self.roots {
            same(&our_block, &their_block, "stateRoot", hash);
        }
        let (our_one, their_one) = (
            &our_block["transactions"][0],
            &their_block["transactions"][0],
        );
        for field in [
            "hash", "nonce", "type", "value", "input", "from", "to", "gas", "gasPrice",
        ] {
            same(our_one, their_one, field, hash);
        }
        Done {
            succeeded: ours["status"] == "0x1",
            contract: serde_json::from_value(ours["contractAddress"].clone()).unwrap_or_default(),
        }
    }

    pub(crate) async fn compare_call(&mut self, signer: &PrivateKeySigner, draft: &Draft) {
        self.calls += 1;
        let mut request = json!({
            "from": signer.address(), "value": draft.value, "data": draft.input,
            "gas": U64::from(draft.gas)
        });
        if let Some(to) = draft.to.to() {
            request["to"] = json!(to);
        }
        let ask = json!([request, "latest"]);
        let ours = self.ours.ask("eth_call", ask.clone()).await;
        let theirs = self.theirs.ask("eth_call", ask).await;
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{request}"),
            (Err(ours), Err(theirs)) => {
                assert_eq!(
                    ours.code == 3,
                    theirs.code == 3,
                    "{ours:?} {theirs:?} {request}"
                );
                if ours.code == 3 {
                    let empty = json!("0x");
                    let theirs = if theirs.data.is_null() {
                        &empty
                    } else {
                        &theirs.data
                    };
                    assert_eq!(&ours.data, theirs, "{request}");
                }
            }
            _ => panic!("{ours:?} {theirs:?} {request}"),
        }
        request["gas"] = json!("0x1c9c380");
        let ask = json!([request]);
        let ours = self.ours.ask("eth_estimateGas", ask.clone()).await;
        let theirs = self.theirs.ask("eth_estimateGas", ask).await;
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => {
                let (ours, theirs) = (number(ours) as f64, number(theirs) as f64);
                // Where a callee burns all it is given, the first try burns almost the whole
                // block's; anvil searches below what that used, geth and we do not.
                let burnt = self.theirs.name == "anvil" && ours > 29_000_000.0;
                let near = (ours / theirs - 1.0).abs() <= 0.03;
                assert!(near || burnt, "{ours} {theirs} {request}");
            }
            (Err(_), Err(_)) => {}
            _ => panic!("{ours:?} {theirs:?} {request}"),
        }
    }

    /// Both refuse a transaction; ours in these words.
    pub(crate) async fn refuse(&self, raw: Bytes, words: &str) {
        let refusal = self.refuse_ours(raw.clone(), words).await;
        let theirs = self
            .theirs
            .ask("eth_sendRawTransaction", json!([raw]))
            .await;
        assert!(theirs.is_err(), "{refusal} {theirs:?}");
    }

    pub(crate) async fn refuse_ours(&self, raw: Bytes, words: &str) -> String {
        let refusal = self
            .ours
            .ask("eth_sendRawTransaction", json!([raw]))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, -32003, "{refusal:?}");
        assert!(refusal.message.contains(words), "{refusal:?}");
        refusal.message
    }

    /// Both answer a question the same.
    pub(crate) async fn same_answer(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let ours = self.ours.get(method, params.clone()).await;
        assert_eq!(
            ours,
            self.theirs.get(method, params.clone()).await,
            "{method} {params}"
        );
        ours
    }
}

async fn receipt_of(peer: &Peer, hash: &Value) -> Value {
    // Another chain may make the block a moment later, or index it.
    for _ in 0..400 {
        match peer.ask("eth_getTransactionReceipt", json!([hash])).await {
            Ok(receipt) if !receipt.is_null() => return receipt,
            Err(refusal) if !refusal.message.contains("indexing") => panic!("{refusal:?}"),
            _ => {}
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{}: {hash} is in no block", peer.name)
}

pub(crate) fn logs_of(receipt: &Value) -> Vec<Value> {
    let parts = |log: &Value| {
        json!([
            log["address"],
            log["topics"],
            log["data"],
            log["logIndex"],
            log["blockNumber"]
        ])
    };
    receipt["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(parts)
        .collect()
}

fn same(ours: &Value, theirs: &Value, field: &str, what: &Value) {
    let text = |value: &Value| value[field].to_string().to_lowercase();
    assert_eq!(
        text(ours),
        text(theirs),
        "{field} of {what}\n{ours}\n{theirs}"
    );
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse::<U64>().unwrap().to()
}
