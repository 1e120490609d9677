//! Keeps 1,000 blocks of 1 MiB, gives them back, and prints MB/s of both beside what the disk does without a store.
//!
//! `cargo run --release -p medibloc-store-ipfs --example store_throughput [blocks] [folder]`
#![allow(clippy::print_stdout, reason = "this program is its output")]
#![allow(clippy::cast_precision_loss, reason = "figures of three digits")]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use medibloc_dag::{Block, Codec};
use medibloc_store::Store;
use medibloc_store_ipfs::{IpfsStore, Options};

type Failure = Box<dyn core::error::Error>;

const MIB: usize = 1 << 20;
/// Blocks that are put at once: an upload's window.
const WINDOW: usize = 16;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let many: usize = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let above = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = above.join(format!("medibloc-throughput-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = measure(&folder, many).await;
    std::fs::remove_dir_all(&folder)?;
    done
}

async fn measure(folder: &Path, many: usize) -> Result<(), Failure> {
    let blocks = (0..many)
        .map(|n| Block::of(Codec::Raw, noise(n as u64)))
        .collect::<Result<Vec<_>, _>>()?;

    let began = Instant::now();
    let mut plain = File::create(folder.join("plain"))?;
    for block in &blocks {
        plain.write_all(block.bytes())?;
    }
    plain.sync_data()?;
    row(
        "disk: sequential write, one fdatasync",
        many,
        MIB,
        began.elapsed(),
        "",
    );
    std::fs::remove_file(folder.join("plain"))?;

    let store = IpfsStore::open(folder, Options::default())?;
    let began = Instant::now();
    for window in blocks.chunks(WINDOW) {
        store.put(window.to_vec()).await?;
    }
    row(
        "store-ipfs: put, 16 blocks of 1 MiB at a time",
        many,
        MIB,
        began.elapsed(),
        "",
    );

    let began = Instant::now();
    for block in &blocks {
        let bytes = store.get(block.cid()).await?;
        if bytes.as_deref() != Some(block.bytes()) {
            return Err("a block came back changed".into());
        }
    }
    row("store-ipfs: get, checked", many, MIB, began.elapsed(), "");

    let small: Vec<_> = blocks
        .iter()
        .flat_map(|block| block.bytes().chunks(8192))
        .take(20_000)
        .map(|bytes| Block::of(Codec::Raw, bytes.to_vec()))
        .collect::<Result<_, _>>()?;
    let count = small.len();
    let began = Instant::now();
    for batch in small.chunks(1000) {
        store.put(batch.to_vec()).await?;
    }
    row(
        "store-ipfs: put, 1,000 blocks of 8 KiB at a time",
        count,
        8192,
        began.elapsed(),
        "≥ 5000",
    );
    drop(store);
    let began = Instant::now();
    let store = IpfsStore::open(folder, Options::default())?;
    println!(
        "store-ipfs: open, s\t{:.3}\t≤ 2",
        began.elapsed().as_secs_f64()
    );
    drop(store);
    Ok(())
}

fn row(what: &str, many: usize, bytes: usize, time: Duration, target: &str) {
    let rate = many as f64 / time.as_secs_f64();
    println!("{what}, MB/s\t{:.1}\t", rate * bytes as f64 / 1e6);
    if !target.is_empty() {
        println!("{what}, blocks/s\t{rate:.0}\t{target}");
    }
}

/// A MiB that compresses to nothing less; each seed gives another.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(MIB);
    while bytes.len() < MIB {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}
