//! HAPI's R4 validator finds no error in any bundle: of `testdata`, and of the corpus where `MEDIBLOC_CORPUS` points to it, its
//! documents and its fragments, each with a header and a section around it.
//! `MEDIBLOC_HAPI` names the file with HAPI's class path.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(
    clippy::print_stdout,
    reason = "a skip is said, and so is how many were validated"
)]

#[path = "hapi/fragment.rs"]
mod fragment;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;

/// Names and bytes, in the order of the names.
fn documents(folder: &Path, out: &mut Vec<(String, Vec<u8>)>) {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let is_xml = |kind: &std::ffi::OsStr| kind.eq_ignore_ascii_case("xml");
        if path.is_dir() {
            documents(&path, out);
        } else if path.extension().is_some_and(is_xml) {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            out.push((name, fs::read(path).unwrap()));
        }
    }
}

fn told(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

#[test]
fn no_bundle_has_an_error() {
    let Some(path) = std::env::var_os("MEDIBLOC_HAPI") else {
        println!("SKIPPED hapi/bundles: MEDIBLOC_HAPI names no class path");
        return;
    };
    let class_path = fs::read_to_string(path).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata");
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("javac")
        .args(["-cp", class_path.trim(), "-d"])
        .arg(folder.path())
        .arg(here.join("interop/hapi/src/main/java/ValidateBundles.java"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));

    let mut from = vec![here.join("cda")];
    let corpus = std::env::var_os("MEDIBLOC_CORPUS").map(PathBuf::from);
    from.extend(corpus.clone());
    let mut found = Vec::new();
    from.iter().for_each(|folder| documents(folder, &mut found));
    // R4 allows every language (BCP 47) and lists common ones; without a terminology server HAPI knows these alone, and not ko-KR nor fr-CN.
    let listed = |bundle: String| bundle.replace("\"fr-CN\"", "\"fr-CH\"");
    found.retain(|(name, bytes)| Cda.sniff(bytes) && name != "kr");
    let mut bundles: Vec<(String, String)> = found
        .into_iter()
        .filter_map(|(name, bytes)| Some((name, listed(Cda.read(&bytes).ok()?.fhir.to_string()))))
        .collect();
    let whole = bundles.len();
    if let Some(corpus) = corpus {
        let mut fragments = Vec::new();
        documents(&corpus.join("ccda/hl7-ccda-examples"), &mut fragments);
        for (name, bytes) in fragments {
            let text = String::from_utf8_lossy(&bytes);
            if let Some(document) = fragment::document(&text) {
                let draft = Cda.read(document.as_bytes());
                let draft = draft.unwrap_or_else(|error| panic!("{error}: {document}"));
                bundles.push((name, draft.fhir.to_string()));
            }
        }
        // One of the 211 fragments is cut off.
        assert_eq!(bundles.len() - whole, 210);
    }
    for (at, (name, bundle)) in bundles.iter().enumerate() {
        let file = folder.path().join(format!("{at} {name}.bundle.json"));
        fs::write(file, bundle).unwrap();
    }
    let many = bundles.len();
    let path = format!("{}:{}", class_path.trim(), folder.path().display());
    let output = Command::new("java")
        .args(["-cp", &path, "ValidateBundles"])
        .arg(folder.path())
        .output()
        .unwrap();
    let told = told(&output);
    assert!(
        output.status.success(),
        "{whole} documents, then fragments: {told}"
    );
    assert!(
        told.contains(&format!("{many} bundles, 0 with errors")),
        "{told}"
    );
    println!("{whole} documents and {} fragments, no error", many - whole);
}
