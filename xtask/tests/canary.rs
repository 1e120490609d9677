//! The search for what must not be there finds what was put there on purpose.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use rusqlite::Connection;
use xtask::canary::Canary;

const NAME: &str = "Hong Gildong, 길동";

fn canary() -> Canary {
    let mut canary = Canary::default();
    canary.secret("name", NAME);
    canary
}

#[test]
fn every_form_is_found_plain_and_compressed() {
    let dir = tempfile::tempdir().unwrap();
    let canary = canary();
    fs::create_dir(dir.path().join("deep")).unwrap();
    fs::write(dir.path().join("deep/control"), canary.planted().unwrap()).unwrap();
    let report = canary.scan(dir.path()).unwrap();
    assert_eq!(report.files, 1);
    for form in [
        "UTF-8", "UTF-16LE", "UTF-16BE", "hex", "HEX", "base64+0", "base64+1", "base64+2",
    ] {
        for place in ["control at", "control, compressed at"] {
            let found = format!("name as {form} in {place}");
            assert!(
                report.found.iter().any(|line| line.starts_with(&found)),
                "not found: {found}"
            );
        }
    }
    assert!(report.found.len() >= canary.forms());
}

#[test]
fn a_write_ahead_log_is_searched_before_its_checkpoint() {
    for encoding in ["UTF-8", "UTF-16le", "UTF-16be"] {
        let dir = tempfile::tempdir().unwrap();
        let db = Connection::open(dir.path().join("index.db")).unwrap();
        db.pragma_update(None, "encoding", encoding).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        db.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        db.execute_batch("create table t (x text)").unwrap();
        db.execute("insert into t values (?1)", [NAME]).unwrap();
        // A row that was taken back is still in the file.
        db.execute("delete from t", []).unwrap();
        let report = canary().scan(dir.path()).unwrap();
        let found = format!("name as {} in index.db-wal", encoding.to_uppercase());
        assert!(
            report.found.iter().any(|line| line.starts_with(&found)),
            "{encoding}: {:?}",
            report.found
        );
    }
}

#[test]
fn a_piece_that_breaks_off_is_searched_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("{NAME} {}", "and more ".repeat(10_000));
    let mut gzip = flate2::write::GzEncoder::new(b"log".to_vec(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    fs::write(dir.path().join("cut"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(canary().scan(dir.path()).unwrap().found.len(), 1);
}

#[test]
fn documents_are_searched_by_their_texts_and_by_the_patients_name() {
    let mut canary = Canary::default();
    let document = "<x><patient><name><given>Gil</given><family>Hong</family></name></patient>\
                    <text>Penicillin, since childhood</text></x>";
    canary.document("x.xml", document.as_bytes());
    for (text, finds) in [
        ("Hong, Gil", true),
        ("a log line: penicillin", false),
        ("Penicillin, since childhood", true),
        ("<text>no patient data at all</text>", false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("log"), text).unwrap();
        let found = canary.scan(dir.path()).unwrap().found;
        assert_eq!(!found.is_empty(), finds, "{text}: {found:?}");
    }
}
