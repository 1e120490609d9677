//! A file is sealed, hashed and kept in the store, beside what cipher, hash and disk can do at most, and beside `ipfs add` of
//! the same file (`MEDIBLOC_KUBO` names Kubo's program).
//!
//! `cargo run --release -p medibloc-store-ipfs --example pipeline [MiB] [FOLDER]`; one row a line: name, figure, target.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a measuring tool prints and stops at the first surprise"
)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use medibloc_dag::Block;
use medibloc_keys::{SealingSecret, SeededEntropy};
use medibloc_record::{
    AccountId, Address, Committee, Draft, Kind, LossReport, Nonce, Part, PartRole, Record,
    Threshold, Timestamp, TypedDomain,
};
use medibloc_seal::{BlockSink, Parties, SinkError, seal};
use medibloc_store::Store as _;
use medibloc_store_ipfs::{IpfsStore, Options};

const MIB: usize = 1 << 20;
/// Blocks that are put at once: an upload's window.
const WINDOW: usize = 16;
const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 1,
    records: Address::new([1; 20]),
};

/// Hands windows of blocks to the thread that keeps them, so that sealing goes on meanwhile.
struct Windows {
    waiting: Vec<Block>,
    to: SyncSender<Vec<Block>>,
}

impl BlockSink for Windows {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        self.waiting.push(block);
        if self.waiting.len() == WINDOW {
            self.to.send(core::mem::take(&mut self.waiting)).unwrap();
        }
        Ok(())
    }
}

/// Blocks that nobody keeps.
struct Nowhere;

impl BlockSink for Nowhere {
    fn put(&mut self, _: Block) -> Result<(), SinkError> {
        Ok(())
    }
}

fn seal_file(path: &Path, length: usize, sink: &mut dyn BlockSink) {
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    let draft = Draft::new(
        "application/octet-stream",
        b"x".to_vec(),
        bundle,
        LossReport::default(),
    );
    let normalised = Record::normalise(draft, Kind::Own, Timestamp(1)).unwrap();
    let (details, _) = normalised.into_parts();
    let part = Part {
        role: PartRole::Original,
        media_type: "application/octet-stream".into(),
        length: length as u64,
        content: Box::new(File::open(path).unwrap()),
    };
    let parties = Parties {
        author: AccountId::new([1; 20]),
        owner: AccountId::new([2; 20]),
        owner_key: SealingSecret::from_bytes(1, [9; 32]).public(),
        nonce: Nonce::new([4; 32]),
    };
    let committee = Committee {
        id: 1,
        threshold: Threshold::new(7, 4).unwrap(),
    };
    let record = Record::from_parts(details, vec![part]);
    let mut entropy = SeededEntropy::new(1);
    seal(record, &parties, committee, &DOMAIN, &mut entropy, sink).unwrap();
}

/// Bytes that compress to nothing less.
fn noise(path: &Path, length: usize) {
    let mut file = File::create(path).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut buffer = Vec::with_capacity(MIB);
    for _ in 0..length / MIB {
        buffer.clear();
        while buffer.len() < MIB {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            buffer.extend_from_slice(&state.to_le_bytes());
        }
        file.write_all(&buffer).unwrap();
    }
    file.sync_all().unwrap();
}

/// MB/s.
fn rate(length: usize, work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    length as f64 / 1e6 / begin.elapsed().as_secs_f64()
}

/// The file written again, with one sync at the end.
fn disk(from: &Path, to: &Path, length: usize) -> f64 {
    let mut bytes = Vec::with_capacity(length);
    File::open(from).unwrap().read_to_end(&mut bytes).unwrap();
    let speed = rate(length, || {
        let mut file = File::create(to).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
    });
    std::fs::remove_file(to).unwrap();
    speed
}

fn keep(path: &Path, folder: &Path, length: usize) -> f64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = IpfsStore::open(folder, Options::default()).unwrap();
    rate(length, || {
        std::thread::scope(|scope| {
            let (to, windows) = sync_channel::<Vec<Block>>(2);
            scope.spawn(move || {
                for window in windows {
                    runtime.block_on(store.put(window)).unwrap();
                }
            });
            let waiting = Vec::new();
            let mut sink = Windows { waiting, to };
            seal_file(path, length, &mut sink);
            sink.to.send(sink.waiting).unwrap();
        });
    })
}

fn ipfs_add(path: &Path, home: &Path, length: usize) -> Option<f64> {
    let program = std::env::var_os("MEDIBLOC_KUBO")?;
    let ipfs = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words).env("IPFS_PATH", home);
        assert!(command.output().unwrap().status.success(), "{words:?}");
    };
    ipfs(&["init", "--profile=test,unixfs-v1-2025"]);
    let file = path.to_str().unwrap();
    Some(rate(length, || {
        ipfs(&["add", "--offline", "--quieter", file])
    }))
}

fn row(name: &str, figure: f64, target: &str) {
    println!("{name}\t{figure:.2}\t{target}");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mib: usize = arguments.next().map_or(256, |text| text.parse().unwrap());
    let above = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = above.join(format!("medibloc-pipeline-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (length, plain) = (mib * MIB, folder.join("plain"));
    noise(&plain, length);
    let write = disk(&plain, &folder.join("copy"), length);
    row(
        "pipeline: sequential write and one fdatasync, MB/s",
        write,
        "",
    );
    let sealed = rate(length, || seal_file(&plain, length, &mut Nowhere));
    row(
        "pipeline: seal, blocks dropped, all threads, MB/s",
        sealed,
        "",
    );
    let kept = keep(&plain, &folder.join("store"), length);
    row("pipeline: seal, hash and store, MB/s", kept, "");
    row(
        "pipeline: of the slower of both",
        kept / sealed.min(write),
        "≥ 0.8",
    );
    match ipfs_add(&plain, &folder.join("kubo"), length) {
        Some(theirs) => {
            row("pipeline: ipfs add of the same file, MB/s", theirs, "");
            row(
                "pipeline: seal, hash and store, of ipfs add",
                kept / theirs,
                "≥ 1",
            );
        }
        None => println!("SKIPPED kubo/pipeline: MEDIBLOC_KUBO names no kubo"),
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
