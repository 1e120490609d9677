//! Every document of testdata/cda against its golden bundle and report, and hostile inputs.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "tests"
)]

use std::{fs, path::PathBuf};

use medibloc_format_cda::Cda;
use medibloc_record::{Format, FormatProblem};

fn documents() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../testdata/cda");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "xml"))
        .collect();
    found.sort();
    assert!(found.len() >= 3);
    found
}

#[test]
fn documents_give_their_golden_bundle_and_report() {
    for path in documents() {
        let bytes = fs::read(&path).unwrap();
        let draft = Cda.read(&bytes).unwrap();
        assert_eq!(draft.original, bytes);
        for (kind, text) in [
            ("bundle", serde_json::to_string_pretty(&draft.fhir)),
            (
                "loss",
                serde_json::to_string_pretty(&draft.loss.to_operation_outcome()),
            ),
        ] {
            let golden = path.with_extension(format!("{kind}.json"));
            let text = text.unwrap() + "\n";
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&golden, &text).unwrap();
            }
            assert!(
                fs::read_to_string(&golden).unwrap() == text,
                "{} differs",
                golden.display()
            );
        }
    }
}

#[test]
fn reading_twice_gives_the_same_and_references_resolve() {
    for path in documents() {
        let bytes = fs::read(&path).unwrap();
        let (one, two) = (Cda.read(&bytes).unwrap(), Cda.read(&bytes).unwrap());
        assert!(one == two);
        let text = one.fhir.to_string();
        for part in text.split("\"reference\":\"").skip(1) {
            let url = part.split('"').next().unwrap();
            assert!(
                text.contains(&format!("\"fullUrl\":\"{url}\"")),
                "{url} is missing"
            );
        }
    }
}

#[test]
fn utf_16_is_read_like_utf_8() {
    let bytes = fs::read(&documents()[0]).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut wide = vec![0xFF, 0xFE];
    wide.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    assert!(Cda.sniff(&wide));
    let (one, two) = (Cda.read(&wide).unwrap(), Cda.read(&bytes).unwrap());
    assert_eq!(one.loss.entries.len(), two.loss.entries.len());
    // All is alike but the byte spans of provenance.
    let resources = |draft: &medibloc_record::Draft| -> Vec<medibloc_record::json::Value> {
        let all = draft.fhir["entry"].as_array().unwrap().iter().cloned();
        all.filter(|entry| entry["resource"]["resourceType"] != "Provenance")
            .collect()
    };
    assert!(resources(&one) == resources(&two));
    let span = one.loss.entries[0].span;
    let unit = |at: u64| u16::from_le_bytes([wide[at as usize], wide[at as usize + 1]]);
    assert_eq!(
        (unit(span.0), unit(span.1 - 2)),
        (u16::from(b'<'), u16::from(b'>'))
    );
}

#[test]
fn hostile_and_foreign_inputs_are_refused() {
    let check = |input: &[u8], expected: fn(&FormatProblem) -> bool| {
        let error = Cda.read(input).unwrap_err();
        assert!(expected(&error.problem), "{error}");
        assert!(!error.at.is_empty() && !error.hint.is_empty());
    };
    let bomb = b"<!DOCTYPE x [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]><ClinicalDocument>&b;</ClinicalDocument>";
    check(bomb, |problem| {
        matches!(problem, FormatProblem::Forbidden(_))
    });
    let deep = "<a>".repeat(1_000_000);
    check(deep.as_bytes(), |problem| {
        matches!(problem, FormatProblem::TooLarge(_))
    });
    // The tree compares each attribute with all others, and copies the namespaces in force.
    let attributes: String = (0..80_000).map(|n| format!(" a{n}='b'")).collect();
    let many = format!("<ClinicalDocument{attributes}/>");
    check(
        many.as_bytes(),
        |problem| matches!(problem, FormatProblem::TooLarge(what) if what.contains("80000")),
    );
    let spaces: String = (0..200).map(|n| format!(" xmlns:a{n}='b{n}'")).collect();
    let nested = "<a xmlns:b='c'/>".repeat(100_000);
    let many = format!("<ClinicalDocument{spaces}>{nested}</ClinicalDocument>");
    check(
        many.as_bytes(),
        |problem| matches!(problem, FormatProblem::TooLarge(what) if what.contains("namespaces")),
    );
    let whole = fs::read(&documents()[0]).unwrap();
    check(&whole[..whole.len() / 2], |problem| {
        matches!(problem, FormatProblem::Truncated)
    });
    check(
        b"<ClinicalDocument>\xC3\x28</ClinicalDocument>",
        |problem| *problem == FormatProblem::Encoding,
    );
    check(b"<Patient/>", |problem| *problem == FormatProblem::Foreign);
    check(b"", |problem| {
        matches!(problem, FormatProblem::Malformed(_))
    });
    check(b"<ClinicalDocument><a></b></ClinicalDocument>", |problem| {
        matches!(
            problem,
            FormatProblem::Truncated | FormatProblem::Malformed(_)
        )
    });
}
