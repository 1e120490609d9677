//! Against a real Kubo: the same bytes have the same identifier, it imports our packs, and we read what it exports.
//! `MEDIBLOC_KUBO` names its program; nothing here speaks to a network.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "a skip is said")]

use std::path::{Path, PathBuf};
use std::process::Command;

use medibloc_dag::car::Reader;
use medibloc_dag::unixfs::{FileBuilder, LEAF};
use medibloc_dag::{Block, Cid, Codec};
use medibloc_store::Store;
use medibloc_store_ipfs::{IpfsStore, Options};

struct Kubo {
    program: PathBuf,
    home: PathBuf,
}

impl Kubo {
    fn new(home: &Path, test: &str) -> Option<Self> {
        let Some(program) = std::env::var_os("MEDIBLOC_KUBO") else {
            println!("SKIPPED kubo/{test}: MEDIBLOC_KUBO names no kubo");
            return None;
        };
        let kubo = Self {
            program: program.into(),
            home: home.join("kubo"),
        };
        kubo.run(&["init", "--profile=test,unixfs-v1-2025"]);
        Some(kubo)
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(&self.program)
            .args(arguments)
            .env("IPFS_PATH", &self.home)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    fn add(&self, path: &Path, more: &[&str]) -> String {
        let name = path.to_str().unwrap();
        let told = [&["add", "--offline", "--quieter"], more, &[name]].concat();
        String::from_utf8(self.run(&told))
            .unwrap()
            .trim()
            .to_owned()
    }
}

fn bytes(size: usize) -> Vec<u8> {
    (0u64..)
        .flat_map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n).to_le_bytes())
        .take(size)
        .collect()
}

/// The root of a file and all its blocks.
fn file(bytes: &[u8]) -> (Cid, Vec<Block>) {
    let mut builder = FileBuilder::new();
    let mut blocks = Vec::new();
    for leaf in bytes.chunks(LEAF) {
        let leaf = Block::of(Codec::Raw, leaf.to_vec()).unwrap();
        let length = leaf.bytes().len() as u64;
        blocks.extend(builder.push(*leaf.cid(), length).unwrap());
        blocks.push(leaf);
    }
    let (root, last) = builder.finish().unwrap();
    blocks.extend(last);
    (root, blocks)
}

#[test]
fn the_same_bytes_have_the_same_identifier() {
    let dir = tempfile::tempdir().unwrap();
    let Some(kubo) = Kubo::new(dir.path(), "cids") else {
        return;
    };
    let path = dir.path().join("file");
    let options = [
        "--cid-version=1",
        "--raw-leaves",
        "--chunker=size-1048576",
        "--max-file-links=1024",
    ];
    for size in [
        0,
        1,
        262_143,
        262_144,
        262_145,
        LEAF - 1,
        LEAF,
        LEAF + 1,
        5_000_000,
        180 * LEAF,
    ] {
        let bytes = bytes(size);
        std::fs::write(&path, &bytes).unwrap();
        let ours = file(&bytes).0.to_string();
        assert_eq!(kubo.add(&path, &options), ours, "{size} bytes, options");
        if size < 10_000_000 {
            assert_eq!(kubo.add(&path, &[]), ours, "{size} bytes, profile");
        }
    }
}

#[tokio::test]
async fn it_imports_our_packs_and_we_read_what_it_exports() {
    let dir = tempfile::tempdir().unwrap();
    let Some(kubo) = Kubo::new(dir.path(), "packs") else {
        return;
    };
    let content = bytes(3 * LEAF + 5);
    let (root, blocks) = file(&content);
    let other = Block::of(Codec::Raw, b"erased later".to_vec()).unwrap();
    let home = dir.path().join("store");
    let store = IpfsStore::open(&home, Options::default()).unwrap();
    store.put(vec![other.clone()]).await.unwrap();
    store.put(blocks.clone()).await.unwrap();
    // After an erasure a pack is still a CAR.
    store.erase(&[*other.cid()]).await.unwrap();
    let pack = home.join("packs/0000000001.car");
    kubo.run(&["dag", "import", "--offline", pack.to_str().unwrap()]);
    let root = root.to_string();
    assert!(
        kubo.run(&["cat", "--offline", &root]) == content,
        "the file, whole"
    );
    let all = String::from_utf8(kubo.run(&["refs", "local"])).unwrap();
    assert!(
        !all.contains(&other.cid().to_string()),
        "what was erased is not in the pack"
    );

    let exported = kubo.run(&["dag", "export", "--offline", "--progress=false", &root]);
    let reader = Reader::new(&exported[..]).unwrap();
    assert_eq!(reader.roots(), [root.parse().unwrap()]);
    let mut exported: Vec<_> = reader.map(|block| *block.unwrap().cid()).collect();
    let mut ours: Vec<_> = blocks.iter().map(|block| *block.cid()).collect();
    exported.sort();
    ours.sort();
    assert_eq!(exported, ours);
}
