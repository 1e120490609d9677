//! Our identifiers of files equal those of the JavaScript importer of IPFS: by goldens, and by running it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;

use medibloc_dag::unixfs::{FileBuilder, LEAF};
use medibloc_dag::{Block, Cid};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/interop/importer")
}

/// Sizes with the importer's identifiers: no byte, one, around 256 KiB and 1 MiB, more than 174 leaves, exactly 1,024
/// leaves (one level of nodes) and one byte more (two).
fn goldens() -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(folder().join("cids.txt")).unwrap();
    let row = |line: &str| {
        let (size, cid) = line.split_once(' ').unwrap();
        (size.parse().unwrap(), cid.to_owned())
    };
    text.lines().map(row).collect()
}

/// The bytes that `cids.mjs` describes.
fn pattern() -> Vec<u8> {
    let mut state = 2_463_534_242u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..LEAF).map(|_| next()).collect()
}

struct Files {
    pattern: Vec<u8>,
    /// The identifiers of whole leaves repeat after 256.
    whole: Vec<Option<Cid>>,
}

impl Files {
    fn leaf(&mut self, nth: usize, length: usize) -> Cid {
        let key = nth.to_le_bytes()[0];
        if let (true, Some(cid)) = (length == LEAF, self.whole[usize::from(key)]) {
            return cid;
        }
        let bytes: Vec<_> = self.pattern[..length]
            .iter()
            .map(|byte| byte ^ key)
            .collect();
        let cid = Cid::of_raw(&bytes);
        if length == LEAF {
            self.whole[usize::from(key)] = Some(cid);
        }
        cid
    }

    fn cid(&mut self, size: usize) -> (String, Vec<Block>) {
        let mut builder = FileBuilder::new();
        let mut nodes = Vec::new();
        for nth in 0..size.div_ceil(LEAF) {
            let length = LEAF.min(size - nth * LEAF);
            let leaf = self.leaf(nth, length);
            nodes.extend(builder.push(leaf, length as u64).unwrap());
        }
        let (root, last) = builder.finish().unwrap();
        nodes.extend(last);
        (root.to_string(), nodes)
    }
}

#[test]
fn every_size_has_the_importers_identifier() {
    let mut files = Files {
        pattern: pattern(),
        whole: vec![None; 256],
    };
    for (size, golden) in goldens() {
        let (cid, nodes) = files.cid(size);
        assert_eq!(cid, golden, "{size} bytes");
        let expected = match size.div_ceil(LEAF) {
            0 => 1,
            1 => 0,
            2..=1024 => 1,
            _ => 3,
        };
        assert_eq!(nodes.len(), expected, "nodes of {size} bytes");
    }
}

#[test]
fn the_importer_says_so_itself() {
    let absent = |why: &str| println!("SKIPPED importer/cids: {why}");
    if !folder().join("node_modules").is_dir() {
        let installed = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(folder())
            .output();
        if !installed.is_ok_and(|output| output.status.success()) {
            return absent("no ipfs-unixfs-importer; run `npm ci` in testdata/interop/importer");
        }
    }
    let goldens = goldens();
    let output = Command::new("node")
        .arg("cids.mjs")
        // Exactly 1 GiB tells no more than the byte after it, and takes as long.
        .args(
            goldens
                .iter()
                .map(|(size, _)| size.to_string())
                .filter(|size| size != "1073741824"),
        )
        .current_dir(folder())
        .output();
    let Ok(output) = output else {
        return absent("no node");
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), goldens.len() - 1);
    for line in said.lines() {
        let (size, cid) = line.split_once(' ').unwrap();
        let size: usize = size.parse().unwrap();
        assert!(goldens.contains(&(size, cid.to_owned())), "{line}");
    }
}
