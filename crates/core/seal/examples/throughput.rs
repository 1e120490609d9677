//! How fast a part is sealed and opened, beside the bare cipher and hash in the same run, and how much memory it takes.
//!
//! `cargo run --release -p medibloc-seal --example throughput [MiB]`; one row a line: name, figure, target.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a measuring tool prints and stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use medibloc_dag::{Block, BlockSource, Cid};
use medibloc_keys::{Dealing, SealingSecret, SeededEntropy};
use medibloc_record::{
    AccountId, Address, Committee, Draft, Kind, LossReport, ManifestPart, Nonce, Part, PartRole,
    Record, Threshold, Timestamp, TypedDomain,
};
use medibloc_seal::crypt4gh::{Recipient, encrypt, export, import};
use medibloc_seal::{
    BlockSink, MasterKey, Parties, RecordParties, SinkError, open_capsule, open_manifest,
    open_part, open_range, seal,
};
use sha2::{Digest as _, Sha256};

const MIB: usize = 1 << 20;
const SEGMENT: usize = 65_536;
const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 1,
    records: Address::new([1; 20]),
};

/// Blocks in a file, with an index in memory.
struct Disk {
    file: File,
    end: u64,
    index: BTreeMap<Cid, (u64, usize)>,
}

impl Disk {
    fn new() -> Self {
        Self {
            file: tempfile::tempfile().unwrap(),
            end: 0,
            index: BTreeMap::new(),
        }
    }
}

impl BlockSink for Disk {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        let bytes = block.bytes();
        self.file.write_all_at(bytes, self.end).unwrap();
        self.index.insert(*block.cid(), (self.end, bytes.len()));
        self.end += bytes.len() as u64;
        Ok(())
    }
}

impl BlockSource for Disk {
    fn block(&self, cid: &Cid) -> Option<Vec<u8>> {
        let (at, length) = self.index.get(cid)?;
        let mut bytes = vec![0; *length];
        self.file.read_exact_at(&mut bytes, *at).unwrap();
        Some(bytes)
    }
}

/// Counts blocks and forgets them.
#[derive(Default)]
struct Nowhere(u64);

impl BlockSink for Nowhere {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        self.0 += block.bytes().len() as u64;
        Ok(())
    }
}

/// A stream of `left` bytes that costs nothing to make.
struct Stream {
    left: usize,
}

impl Read for Stream {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        let count = target.len().min(self.left);
        self.left -= count;
        Ok(count)
    }
}

fn secret() -> SealingSecret {
    SealingSecret::from_bytes(1, [9; 32])
}

fn committee() -> Committee {
    Committee {
        id: 1,
        threshold: Threshold::new(7, 4).unwrap(),
    }
}

/// Seals one part of `length` bytes into `sink` and gives its description.
fn seal_one(length: usize, sink: &mut dyn BlockSink) -> ManifestPart {
    let draft = Draft::new(
        "application/octet-stream",
        b"x".to_vec(),
        serde_json::json!({"resourceType": "Bundle"}),
        LossReport::default(),
    );
    let (details, _) = Record::normalise(draft, Kind::Own, Timestamp(1))
        .unwrap()
        .into_parts();
    let part = Part {
        role: PartRole::Original,
        media_type: "application/octet-stream".into(),
        length: length as u64,
        content: Box::new(Stream { left: length }),
    };
    let parties = Parties {
        author: AccountId::new([1; 20]),
        owner: AccountId::new([2; 20]),
        owner_key: secret().public(),
        nonce: Nonce::new([4; 32]),
    };
    let mut entropy = SeededEntropy::new(1);
    let record = Record::from_parts(details, vec![part]);
    let out = seal(record, &parties, committee(), &DOMAIN, &mut entropy, sink).unwrap();
    let between = RecordParties {
        record: out.sealed.record(),
        author: parties.author,
        owner: parties.owner,
    };
    let held = open_capsule(out.sealed.capsule(), &secret(), &between, &DOMAIN).unwrap();
    let dealing = Dealing::from_seed(&held.dealer_seed, between.record, committee().threshold);
    let master = MasterKey::from_halves(between.record, &held.owner_half, &dealing.keeper_half());
    let mut manifest = open_manifest(out.sealed.package(), &master).unwrap();
    manifest.parts.remove(0)
}

/// The most memory that the process ever held, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// Best of three, in MB/s.
fn speed(bytes: usize, work: impl FnMut()) -> f64 {
    let start = Instant::now();
    best(bytes, || start.elapsed().as_secs_f64(), work)
}

/// Best of three, in MB for a second of CPU: what one thread does on a machine that has other work too.
fn speed_of_cpu(bytes: usize, work: impl FnMut()) -> f64 {
    best(bytes, cpu_of_thread, work)
}

fn best(bytes: usize, clock: impl Fn() -> f64, mut work: impl FnMut()) -> f64 {
    let best = (0..3)
        .map(|_| {
            let start = clock();
            work();
            clock() - start
        })
        .fold(f64::MAX, f64::min);
    bytes as f64 / 1e6 / best
}

/// Seconds that this thread ran (proc(5), /proc/pid/schedstat).
fn cpu_of_thread() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let ran = stat.split(' ').next().unwrap();
    ran.parse::<f64>().unwrap() / 1e9
}

fn row(name: &str, figure: f64, target: &str) {
    println!("{name}\t{figure:.2}\t{target}");
}

fn on<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

/// The bare cipher over segments that lie in memory, in place, on one thread.
fn bare_cipher(length: usize) -> f64 {
    use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).unwrap());
    let mut segment = vec![0u8; SEGMENT];
    speed_of_cpu(length, || {
        for number in 0..length / SEGMENT {
            let mut nonce = [0; 12];
            nonce[..8].copy_from_slice(&(number as u64).to_le_bytes());
            let nonce = Nonce::assume_unique_for_key(nonce);
            let tag = key
                .seal_in_place_separate_tag(nonce, Aad::empty(), &mut segment)
                .unwrap();
            std::hint::black_box(tag.as_ref());
        }
    })
}

/// OpenSSL's own figure, in MB for a second of CPU.
fn openssl() -> Option<f64> {
    let done = std::process::Command::new("openssl")
        .args(["speed", "-mr", "-seconds", "2", "-bytes", "65536"])
        .args(["-evp", "chacha20-poly1305"])
        .output()
        .ok()?;
    let text = String::from_utf8(done.stdout).ok()?;
    let last = text.lines().last()?.rsplit_once(':')?.1;
    Some(last.parse::<f64>().ok()? / 1e6)
}

fn bare_hash(length: usize) -> f64 {
    let leaf = vec![0u8; MIB];
    speed_of_cpu(length, || {
        for _ in 0..length / MIB {
            std::hint::black_box(Sha256::digest(&leaf));
        }
    })
}

/// The cipher and framing alone: a stream becomes a `.c4gh` file that nobody keeps.
fn encrypt_stream(length: usize) {
    let to: Recipient = secret().public().into();
    let mut entropy = SeededEntropy::new(1);
    let mut source = Stream { left: length };
    encrypt(&mut source, &[to], &mut entropy, &mut std::io::sink()).unwrap();
}

fn main() {
    let mib: usize = std::env::args()
        .nth(1)
        .map_or(256, |text| text.parse().unwrap());
    let length = mib * MIB;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // MB/s unless said otherwise; "1 thread": a second of CPU.

    let (cipher, hash) = (bare_cipher(length), bare_hash(length));
    row(
        "bare ChaCha20-Poly1305 (ring), 64 KiB, 1 thread",
        cipher,
        "",
    );
    row("bare SHA-256 (sha2), 1 MiB, 1 thread", hash, "");
    let one = on(1, || speed_of_cpu(length, || encrypt_stream(length)));
    row("crypt4gh::encrypt, 1 thread", one, "");
    row(
        "crypt4gh::encrypt, 1 thread, of the bare cipher",
        one / cipher,
        "≥ 0.8",
    );
    match openssl() {
        Some(theirs) => {
            row("openssl speed chacha20-poly1305, 64 KiB", theirs, "");
            row(
                "crypt4gh::encrypt, 1 thread, of openssl speed",
                one / theirs,
                "≥ 0.8",
            );
        }
        None => println!("SKIPPED openssl/throughput: no openssl on the path"),
    }
    let all = on(threads, || speed(length, || encrypt_stream(length)));
    row("crypt4gh::encrypt, all threads", all, "");

    // Sealing encrypts, hashes the plaintext and hashes the leaves: its ceiling on one thread.
    let ceiling = 1.0 / (1.0 / cipher + 2.0 / hash);
    let one = on(1, || {
        speed_of_cpu(length, || drop(seal_one(length, &mut Nowhere::default())))
    });
    row("seal, blocks dropped, 1 thread", one, "");
    row(
        "seal, 1 thread, of 1/(1/cipher + 2/hash)",
        one / ceiling,
        "≥ 0.9",
    );
    let all = on(threads, || {
        speed(length, || drop(seal_one(length, &mut Nowhere::default())))
    });
    row("seal, blocks dropped, all threads", all, "");
    row("seal, all threads, of 1 thread", all / one, "≥ 1.7");
    row("peak memory so far, MiB", peak(), "≤ 64");

    let mut disk = Disk::new();
    let part = seal_one(length, &mut disk);
    let open = speed(length, || {
        open_part(&part, &disk, &mut std::io::sink()).unwrap()
    });
    row("open_part from a file, all threads", open, "");
    row("open_part, of 1/(1/cipher + 2/hash)", open / ceiling, "");
    let start = Instant::now();
    let middle = part.length / 2;
    let range = open_range(&part, middle, 65_536, &disk).unwrap();
    assert_eq!(range.len(), 65_536);
    row(
        "64 KiB from its middle, ms",
        start.elapsed().as_secs_f64() * 1e3,
        "",
    );

    let mut file = tempfile::tempfile().unwrap();
    let to = [secret().public().into()];
    let start = Instant::now();
    export(&part, &to, &disk, &mut SeededEntropy::new(2), &mut file).unwrap();
    file.flush().unwrap();
    let took = start.elapsed().as_secs_f64();
    row(
        "export to a file, all threads",
        length as f64 / 1e6 / took,
        "",
    );
    let read = speed(length, || {
        file.seek(SeekFrom::Start(0)).unwrap();
        let found = import(&mut &file, &secret(), &mut std::io::sink()).unwrap();
        assert_eq!(found.plaintext, part.plaintext);
    });
    row("import of that file, all threads", read, "");
    row("peak memory, MiB", peak(), "≤ 64");
    beside_reference_tool(length);
}

/// CPU seconds of this process and of its children that ended, user and system (proc(5), /proc/pid/stat, fields 14 to 17).
fn cpu() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: Vec<f64> = fields
        .split(' ')
        .skip(11)
        .take(4)
        .map(|field| field.parse().unwrap())
        .collect();
    ((ticks[0] + ticks[1]) / 100.0, (ticks[2] + ticks[3]) / 100.0)
}

/// Everything of a file is on disk.
fn settle(path: &Path) {
    File::open(path).and_then(|file| file.sync_all()).unwrap();
}

/// The same file through the Python tool that `MEDIBLOC_CRYPT4GH` names, and through ours, in CPU seconds.
fn beside_reference_tool(length: usize) {
    let Some(tool) = std::env::var_os("MEDIBLOC_CRYPT4GH") else {
        println!("SKIPPED crypt4gh/throughput: MEDIBLOC_CRYPT4GH is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut plain = File::create(path("plain")).unwrap();
    std::io::copy(&mut Stream { left: length }, &mut plain).unwrap();
    let to: Recipient = secret().public().into();
    std::fs::write(path("to.pub"), to.to_string()).unwrap();
    // Best of three, each with nothing left to be written: else the second pays for the pages of the first.
    let (mut theirs, mut ours) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        settle(&path("plain"));
        let start = cpu().1;
        let done = std::process::Command::new(&tool)
            .arg("encrypt")
            .arg("--recipient_pk")
            .arg(path("to.pub"))
            .stdin(File::open(path("plain")).unwrap())
            .stdout(File::create(path("theirs")).unwrap())
            .status()
            .unwrap();
        assert!(done.success());
        theirs = theirs.min(cpu().1 - start);
        settle(&path("theirs"));
        let start = cpu().0;
        let (mut source, mut target) = (
            File::open(path("plain")).unwrap(),
            File::create(path("ours")).unwrap(),
        );
        let mut entropy = SeededEntropy::new(1);
        on(1, || encrypt(&mut source, &[to], &mut entropy, &mut target)).unwrap();
        ours = ours.min(cpu().0 - start);
        settle(&path("ours"));
        for made in ["theirs", "ours"] {
            std::fs::remove_file(path(made)).unwrap();
        }
    }
    row("reference tool, file to file, CPU seconds", theirs, "");
    row("crypt4gh::encrypt, file to file, CPU seconds", ours, "");
    row(
        "crypt4gh::encrypt, times less CPU than the tool",
        theirs / ours,
        "≥ 2",
    );
}
