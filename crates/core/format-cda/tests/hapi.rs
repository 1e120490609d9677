//! HAPI's R4 validator finds no error in any bundle: of `testdata`, and of the corpus where `MEDIBLOC_CORPUS` points to it.
//! `MEDIBLOC_HAPI` names the file with HAPI's class path.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(
    clippy::print_stdout,
    reason = "a skip is said, and so is how many were validated"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;

fn documents(folder: &Path, out: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, out);
        } else if path.extension().is_some_and(|kind| kind == "xml") {
            out.push(fs::read(path).unwrap());
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
    from.extend(std::env::var_os("MEDIBLOC_CORPUS").map(PathBuf::from));
    let mut found = Vec::new();
    from.iter().for_each(|folder| documents(folder, &mut found));
    let mut many = 0;
    for document in found.iter().filter(|bytes| Cda.sniff(bytes)) {
        if let Ok(draft) = Cda.read(document) {
            let name = folder.path().join(format!("{many}.bundle.json"));
            fs::write(name, draft.fhir.to_string()).unwrap();
            many += 1;
        }
    }
    let path = format!("{}:{}", class_path.trim(), folder.path().display());
    let output = Command::new("java")
        .args(["-cp", &path, "ValidateBundles"])
        .arg(folder.path())
        .output()
        .unwrap();
    let told = told(&output);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains(&format!("{many} bundles, 0 with errors")),
        "{told}"
    );
    println!("{many} bundles, no error");
}
