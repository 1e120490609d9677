//! How many CDA documents become FHIR bundles in a second of CPU: those of the corpus that `MEDIBLOC_CORPUS` names, or of
//! `testdata`.
//!
//! `cargo run --release -p medibloc-format-cda --example cda_speed`; one row a line: name, figure.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a measuring tool prints and stops at the first surprise"
)]

use std::path::{Path, PathBuf};

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;

/// Seconds of CPU that are measured at least.
const ENOUGH: f64 = 3.0;

fn main() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let folder = std::env::var_os("MEDIBLOC_CORPUS").map_or(own, PathBuf::from);
    let mut documents = Vec::new();
    collect(&folder, &mut documents);
    let bytes: usize = documents.iter().map(Vec::len).sum();
    assert!(
        !documents.is_empty(),
        "no CDA document in {}",
        folder.display()
    );
    let (begin, mut rounds) = (cpu(), 0_u32);
    while cpu() - begin < ENOUGH {
        for document in &documents {
            let bundle = serde_json::to_vec(&Cda.read(document).unwrap().fhir).unwrap();
            assert!(bundle.len() > 2);
        }
        rounds += 1;
    }
    let seconds = (cpu() - begin) / f64::from(rounds);
    let many = documents.len();
    println!(
        "CDA documents per CPU second ({many} documents)\t{:.0}\t",
        many as f64 / seconds
    );
    println!(
        "CDA to FHIR, MB per CPU second\t{:.1}\t≥ 45",
        bytes as f64 / 1e6 / seconds
    );
}

/// What is a CDA document and can be read.
fn collect(folder: &Path, into: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if let Ok(bytes) = std::fs::read(&path)
            && Cda.sniff(&bytes)
            && Cda.read(&bytes).is_ok()
        {
            into.push(bytes);
        }
    }
}

/// Seconds that this thread ran (proc(5), /proc/pid/schedstat).
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let ran = stat.split(' ').next().unwrap();
    ran.parse::<f64>().unwrap() / 1e9
}
