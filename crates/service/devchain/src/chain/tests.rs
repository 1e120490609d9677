//! A disk that is full after any number of writes loses no acknowledged block and keeps no half.

use std::io;

use alloy::{
    consensus::{SignableTransaction as _, TxEip1559, TxEnvelope},
    eips::eip2718::Encodable2718 as _,
    network::TxSignerSync as _,
    primitives::{Bytes, TxKind},
    signers::local::PrivateKeySigner,
};
use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use redb::StorageBackend;
use tower::Service as _;

use super::*;

/// Bytes in memory that stop taking writes.
#[derive(Debug, Clone, Default)]
struct FullDisk {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Writes that are still taken; none is limited before it is set.
    left: Arc<Mutex<Option<u32>>>,
}

impl FullDisk {
    /// How much of a write is taken: all, or half of it when the disk is full.
    fn take(&self, length: usize) -> (usize, io::Result<()>) {
        match &mut *self.left.lock().unwrap() {
            None => (length, Ok(())),
            Some(0) => (length / 2, Err(io::ErrorKind::StorageFull.into())),
            Some(left) => {
                *left -= 1;
                (length, Ok(()))
            }
        }
    }
}

impl StorageBackend for FullDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.bytes.lock().unwrap()[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let (_, taken) = self.take(0);
        taken?;
        self.bytes
            .lock()
            .unwrap()
            .resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.take(0).1
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (length, taken) = self.take(data.len());
        let start = usize::try_from(offset).unwrap();
        self.bytes.lock().unwrap()[start..start + length].copy_from_slice(&data[..length]);
        taken
    }
}

#[test]
fn a_full_disk_loses_no_acknowledged_block() {
    let signer = signer();
    let raws: Vec<_> = (0..8).map(|nonce| create(&signer, nonce)).collect();
    let mut refused = 0;
    for left in 0..80 {
        let disk = FullDisk::default();
        let open = || Chain::on(Disk::on(disk.clone()).unwrap(), Config::default());
        let chain = open().unwrap();
        chain.send_raw(&raws[0]).unwrap();
        *disk.left.lock().unwrap() = Some(left);
        let mut kept = 1;
        for raw in &raws[1..] {
            match chain.send_raw(raw) {
                Ok(_) => kept += 1,
                Err(error) => {
                    assert!(
                        matches!(error, ChainError::Disk(DiskError::Store(_))),
                        "{error}"
                    );
                    refused += 1;
                    break;
                }
            }
        }
        drop(chain);
        *disk.left.lock().unwrap() = None;
        let chain = open().unwrap();
        let head = chain.number().unwrap();
        assert!(
            head == kept || head == kept + 1,
            "{head} of {kept} after {left} writes"
        );
        for raw in &raws[..usize::try_from(head).unwrap()] {
            let error = chain.send_raw(raw).unwrap_err();
            assert!(matches!(error, ChainError::Known { .. }), "{error}");
        }
        let snapshot = chain.snapshot().unwrap();
        let root = chain.head(&snapshot).unwrap().header.state_root;
        assert_eq!(root, snapshot.stored_root(), "after {left} writes");
        for raw in &raws[usize::try_from(head).unwrap()..] {
            chain.send_raw(raw).unwrap();
        }
    }
    assert!(refused >= 40, "only {refused} runs found the disk full");
}

#[test]
fn a_chain_whose_disk_was_full_goes_on_without_a_restart() {
    let signer = signer();
    let raws: Vec<_> = (0..8).map(|nonce| create(&signer, nonce)).collect();
    let mut refused = 0;
    for left in 0..80 {
        let disk = FullDisk::default();
        let chain = Chain::on(Disk::on(disk.clone()).unwrap(), Config::default()).unwrap();
        chain.send_raw(&raws[0]).unwrap();
        *disk.left.lock().unwrap() = Some(left);
        let mut kept = 1;
        let stopped = raws[1..].iter().find_map(|raw| {
            let sent = chain.send_raw(raw);
            kept += u64::from(sent.is_ok());
            sent.err()
        });
        let Some(error) = stopped else { continue };
        refused += 1;
        let full = matches!(error, ChainError::Disk(DiskError::Store(_)));
        assert!(full, "{error}");
        assert!(!chain.takes_blocks(), "after {left} writes");
        // Still full: nothing is taken, and it says what to do.
        let error = chain.recover().unwrap_err();
        let full = matches!(error, DiskError::Store(_));
        assert!(full, "{error}");
        let error = chain.send_raw(&raws[7]).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("operator must free the disk"), "{told}");
        *disk.left.lock().unwrap() = None;
        chain.recover().unwrap();
        assert!(chain.takes_blocks());
        let head = chain.number().unwrap();
        assert_eq!(*chain.heads().borrow(), head);
        assert!(
            head == kept || head == kept + 1,
            "{head} of {kept} after {left} writes"
        );
        let next = usize::try_from(head).unwrap();
        for raw in &raws[..next] {
            let error = chain.send_raw(raw).unwrap_err();
            assert!(matches!(error, ChainError::Known { .. }), "{error}");
        }
        for raw in &raws[next..] {
            chain.send_raw(raw).unwrap();
        }
        let snapshot = chain.snapshot().unwrap();
        let root = chain.head(&snapshot).unwrap().header.state_root;
        assert_eq!(root, snapshot.stored_root(), "after {left} writes");
    }
    assert!(refused >= 40, "only {refused} runs found the disk full");
}

#[tokio::test]
async fn a_chain_on_a_full_disk_says_not_ready_until_it_goes_on() {
    let disk = FullDisk::default();
    let chain = Chain::on(Disk::on(disk.clone()).unwrap(), Config::default()).unwrap();
    let (router, _) = crate::router(chain.clone(), crate::Limits::default());
    let all = async |host: &str| {
        let ask = async |path: &str| {
            let request = Request::get(path).header("host", host);
            let request = request.body(Body::empty()).unwrap();
            router.clone().call(request).await.unwrap().status()
        };
        (ask("/healthz").await, ask("/readyz").await)
    };
    let (ok, not) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(all("localhost").await, (ok, ok));
    *disk.left.lock().unwrap() = Some(0);
    chain.send_raw(&create(&signer(), 0)).unwrap_err();
    assert_eq!(all("localhost").await, (ok, not));
    *disk.left.lock().unwrap() = None;
    chain.recover().unwrap();
    assert_eq!(all("localhost").await, (ok, ok));
    chain.send_raw(&create(&signer(), 0)).unwrap();
    // A page in a browser learns nothing.
    let no = StatusCode::FORBIDDEN;
    assert_eq!(all("example.org").await, (no, no));
}

fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&alloy::primitives::b256!(
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    ))
    .unwrap()
}

/// A contract that keeps something, so that each block writes in every table.
fn create(signer: &PrivateKeySigner, nonce: u64) -> Bytes {
    let mut transaction = TxEip1559 {
        chain_id: 31_337,
        nonce,
        gas_limit: 200_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Create,
        // sstore(1, 7); log0(0, 32); return(0, 1)
        input: Bytes::from_static(&alloy::primitives::hex!("6007600155 60205fa0 60015ff3")),
        ..Default::default()
    };
    let signature = signer.sign_transaction_sync(&mut transaction).unwrap();
    TxEnvelope::from(transaction.into_signed(signature))
        .encoded_2718()
        .into()
}
