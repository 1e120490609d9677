//! Who may depend on whom: I1, I4, I8 and I10.

use super::model::{Crate, LAYERS, Model};

/// Crates with code that opens a record, which a node must not contain (I1).
const OPENERS: [&str; 4] = ["seal", "format-*", "vault", "journey"];

/// Outside crates that only a few of ours may use directly (I4). A trailing `*` is a prefix.
const PINNED: [(&[&str], &[&str]); 6] = [
    (&["alloy", "alloy-*"], &["ledger-evm", "devchain"]),
    (&["revm", "revm-*"], &["devchain"]),
    (&["dicom", "dicom-*"], &["format-dicom"]),
    (&["noodles", "noodles-*"], &["format-genomics"]),
    (
        &[
            "aead",
            "aes",
            "aes-*",
            "age",
            "age-*",
            "aws-lc-*",
            "chacha20",
            "chacha20poly1305",
            "crypto_box",
            "crypto_secretbox",
            "hpke",
            "hpke-*",
            "openssl",
            "orion",
            "ring",
            "salsa20",
            "sodiumoxide",
            "xsalsa20poly1305",
        ],
        &["seal", "keys"],
    ),
    (
        &[
            "car-*",
            "ipfs-unixfs",
            "ipfs-unixfs-*",
            "iroh-car",
            "rs-car",
            "rust-car",
            "rust-unixfs",
        ],
        &["dag"],
    ),
];

/// Names that say nothing about what is in a crate (I8).
const NAMELESS: [&str; 6] = ["common", "util", "utils", "shared", "misc", "helpers"];

/// The lines that break a rule.
pub(super) fn check(model: &Model) -> Vec<String> {
    let mut broken = Vec::new();
    for krate in &model.crates {
        blind_node(model, krate, &mut broken);
        pinned(krate, &mut broken);
        layer(model, krate, &mut broken);
        edges(model, krate, &mut broken);
    }
    broken
}

fn blind_node(model: &Model, krate: &Crate, broken: &mut Vec<String>) {
    if krate.name != "node" {
        return;
    }
    for inner in krate
        .tree
        .iter()
        .filter_map(|package| model.by_package(package))
    {
        if OPENERS.iter().any(|pattern| matches(pattern, &inner.name)) {
            broken.push(format!(
                "I1: {} contains {}, which can open a record; see `cargo tree -p {} -e normal -i {}`",
                krate.package, inner.package, krate.package, inner.package
            ));
        }
    }
}

fn pinned(krate: &Crate, broken: &mut Vec<String>) {
    for (outside, ours) in PINNED {
        if ours.contains(&krate.name.as_str()) {
            continue;
        }
        for used in krate
            .direct
            .iter()
            .filter(|used| outside.iter().any(|p| matches(p, used)))
        {
            broken.push(format!(
                "I4: {} depends on {used}, which only {} may use",
                krate.package,
                ours.join(" and ")
            ));
        }
    }
}

fn layer(model: &Model, krate: &Crate, broken: &mut Vec<String>) {
    let Some(rank) = krate.layer else {
        broken.push(format!(
            "I8: {} is in none of {}",
            krate.path,
            LAYERS.join(", ")
        ));
        return;
    };
    if krate.package != format!("medibloc-{}", krate.name) {
        broken.push(format!(
            "I8: {} must be the package medibloc-{}",
            krate.path, krate.name
        ));
    }
    if NAMELESS.contains(&krate.name.as_str()) {
        broken.push(format!(
            "I8: {} has a name that says nothing of what is in it",
            krate.path
        ));
    }
    for inner in krate
        .direct
        .iter()
        .filter_map(|package| model.by_package(package))
    {
        if inner.layer.is_some_and(|inner| inner > rank) {
            broken.push(format!(
                "I8: {} may not depend on {}",
                krate.path, inner.path
            ));
        }
    }
}

fn edges(model: &Model, krate: &Crate, broken: &mut Vec<String>) {
    let row = model
        .edges
        .iter()
        .find(|(names, _)| names.iter().any(|name| matches(name, &krate.name)));
    let Some((_, allowed)) = row else {
        broken.push(format!(
            "I10: {} has no row in xtask/edges.txt; write an ADR",
            krate.package
        ));
        return;
    };
    for inner in krate
        .direct
        .iter()
        .filter_map(|package| model.by_package(package))
    {
        let denied = allowed
            .iter()
            .any(|name| name.strip_prefix('!') == Some(&inner.name));
        if denied || !allowed.iter().any(|name| matches(name, &inner.name)) {
            broken.push(format!(
                "I10: {} may not depend on {}: the edge is not in xtask/edges.txt",
                krate.package, inner.package
            ));
        }
    }
}

/// True if the name is the pattern, or begins with what stands before a final `*`.
fn matches(pattern: &str, name: &str) -> bool {
    pattern
        .strip_suffix('*')
        .map_or(pattern == name, |prefix| name.starts_with(prefix))
}
