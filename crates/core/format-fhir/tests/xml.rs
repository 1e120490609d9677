//! FHIR XML says what FHIR JSON says: pairs of `testdata`, every resource of the corpus where `MEDIBLOC_CORPUS` points to it, and
//! HL7's own parsers where `MEDIBLOC_HAPI` names the file with their class path.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(
    clippy::print_stdout,
    reason = "a skip is said, and so is how many were compared"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use medibloc_format_fhir::{FhirJson, FhirXml, XmlError, to_xml};
use medibloc_record::Format as _;
use serde_json::Value;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata")
}

fn files(folder: &Path, kind: &str, out: &mut Vec<PathBuf>) {
    let mut all: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    for path in all {
        if path.is_dir() {
            files(&path, kind, out);
        } else if path.extension().is_some_and(|found| found == kind) {
            out.push(path);
        }
    }
}

/// Resources as JSON of the corpus.
fn corpus() -> Vec<(PathBuf, String)> {
    let Some(folder) = std::env::var_os("MEDIBLOC_CORPUS") else {
        println!("SKIPPED corpus/fhir: MEDIBLOC_CORPUS names no folder");
        return Vec::new();
    };
    let mut all = Vec::new();
    files(Path::new(&folder), "json", &mut all);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).ok()?;
        let tree: Value = serde_json::from_str(&text).ok()?;
        FhirJson.read(text.as_bytes()).ok()?;
        tree.get("resourceType")?;
        Some((path, text))
    };
    all.into_iter().filter_map(read).collect()
}

/// A tree with its numbers as text of one form and its narratives without what XML changes of them.
fn alike(tree: &Value) -> Value {
    match tree {
        Value::Object(map) => {
            let members = map.iter().filter(|(_, value)| !value.is_null());
            members
                .map(|(name, value)| {
                    let value = match value {
                        Value::String(text) if name == "div" => squeeze(text).into(),
                        value => alike(value),
                    };
                    (name.clone(), value)
                })
                .collect()
        }
        Value::Array(all) => all.iter().map(alike).collect(),
        other => other.clone(),
    }
}

/// Elements, attributes by name and words of a narrative: HL7's parser writes its own white space and entities.
fn squeeze(text: &str) -> String {
    let document = roxmltree::Document::parse(text).unwrap();
    let mut out = String::new();
    for node in document.root().descendants() {
        if node.is_element() {
            let mut attributes: Vec<String> = node
                .attributes()
                .map(|one| format!("{}={}", one.name(), one.value()))
                .collect();
            attributes.sort();
            out.push_str(&format!(
                "<{} {}>",
                node.tag_name().name(),
                attributes.join(" ")
            ));
        } else if node.is_text() {
            out.extend(node.text().unwrap_or_default().split_whitespace());
        }
    }
    out
}

#[test]
fn pairs_say_the_same_both_ways() {
    let mut all = Vec::new();
    files(&testdata().join("fhir"), "json", &mut all);
    assert!(!all.is_empty());
    for path in all {
        let json = fs::read(&path).unwrap();
        let xml = fs::read(path.with_extension("xml")).unwrap();
        assert!(
            FhirXml.sniff(&xml) && FhirJson.sniff(&json),
            "{}",
            path.display()
        );
        let (from_json, from_xml) = (FhirJson.read(&json).unwrap(), FhirXml.read(&xml).unwrap());
        // The narrative is compared by what it says: each writer spells signs in its own way.
        let [left, right] = [&from_json.fhir, &from_xml.fhir].map(|tree| alike(&tree.into()));
        assert_eq!(left, right, "{}", path.display());
        assert_eq!(
            from_json.loss,
            adjusted(&from_xml.loss, json.len()),
            "{}",
            path.display()
        );
        assert_eq!(
            (from_xml.original, from_xml.media_type.as_str()),
            (xml, "application/fhir+xml")
        );
        let tree: Value = serde_json::from_slice(&json).unwrap();
        let again = FhirXml.read(to_xml(&tree).unwrap().as_bytes()).unwrap();
        assert_eq!(again.fhir, from_json.fhir, "{}", path.display());
    }
}

/// Spans are of the whole source, whose length differs.
fn adjusted(loss: &medibloc_record::LossReport, length: usize) -> medibloc_record::LossReport {
    let mut loss = loss.clone();
    for line in &mut loss.entries {
        line.span.1 = length as u64;
    }
    loss
}

#[test]
fn every_resource_of_the_corpus_comes_back_from_xml() {
    let all = corpus();
    for (path, text) in &all {
        let tree: Value = serde_json::from_str(text).unwrap();
        let xml = match to_xml(&tree) {
            Ok(xml) => xml,
            // It has a member `businessStatus `, with a space.
            Err(XmlError::Member { at }) if at == "Task" => {
                assert!(
                    path.ends_with("r4-caredove-bundle.json"),
                    "{}",
                    path.display()
                );
                continue;
            }
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let back = FhirXml.read(xml.as_bytes()).unwrap();
        let read = FhirJson.read(text.as_bytes()).unwrap();
        assert!(back.fhir == read.fhir, "{}", path.display());
        assert_eq!(
            back.loss.entries.len(),
            read.loss.entries.len(),
            "{}",
            path.display()
        );
    }
    println!("{} resources compared", all.len());
}

#[test]
fn hl7s_parsers_read_what_is_written_and_are_read() {
    let Some(path) = std::env::var_os("MEDIBLOC_HAPI") else {
        println!("SKIPPED hapi/xml: MEDIBLOC_HAPI names no class path");
        return;
    };
    let class_path = fs::read_to_string(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        told
    };
    let here = folder.path().to_str().unwrap();
    let source = testdata().join("interop/hapi/src/main/java/ConvertResources.java");
    run(
        "javac",
        &[
            "-cp",
            class_path.trim(),
            "-d",
            here,
            source.to_str().unwrap(),
        ],
    );
    let mut all = corpus();
    // Others break rules of FHIR, and HL7's parsers drop what does.
    all.retain(|(path, _)| path.to_str().unwrap().contains("/corpus/fhir/"));
    let mut own = Vec::new();
    files(&testdata().join("fhir"), "json", &mut own);
    all.extend(own.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text)
    }));
    let mut trees = Vec::new();
    for (at, (path, text)) in all.iter().enumerate() {
        let release = if path.to_str().unwrap().contains("r5") {
            "r5"
        } else {
            "r4"
        };
        let tree: Value = serde_json::from_str(text).unwrap();
        let Ok(xml) = to_xml(&tree) else { continue };
        fs::write(folder.path().join(format!("{at}.{release}.json")), text).unwrap();
        let ours = folder.path().join(format!("{at}.ours.{release}.xml"));
        fs::write(ours, xml).unwrap();
        trees.push((at, release, path, tree));
    }
    let told = run(
        "java",
        &[
            "-cp",
            &format!("{}:{here}", class_path.trim()),
            "ConvertResources",
            here,
        ],
    );
    let (mut compared, mut refused) = (0, Vec::new());
    for (at, release, path, tree) in trees {
        let theirs = folder.path().join(format!("{at}.{release}.json.xml"));
        let back = folder.path().join(format!("{at}.ours.{release}.xml.json"));
        // What HL7's parser refuses as JSON or as XML is no pair.
        let (Ok(theirs), Ok(back)) = (fs::read(theirs), fs::read(back)) else {
            refused.push(path);
            continue;
        };
        let ours = alike(
            &FhirJson
                .read(tree.to_string().as_bytes())
                .unwrap()
                .fhir
                .into(),
        );
        assert_eq!(
            alike(&FhirXml.read(&theirs).unwrap().fhir.into()),
            ours,
            "{}",
            path.display()
        );
        let back = alike(&FhirJson.read(&back).unwrap().fhir.into());
        assert_eq!(back, ours, "{}", path.display());
        compared += 1;
    }
    println!("{compared} resources compared, refused by HL7's parsers: {refused:?}\n{told}");
    assert!(compared > 0 && refused.len() * 10 < compared, "{told}");
}
