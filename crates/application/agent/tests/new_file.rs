//! No command writes over a file that is there: it says so before it does anything else.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::path::Path;
use std::process::Command as Process;

use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_ledger::Facts as _;

use two::{Two, refused, say};

/// What was there before.
const THEIRS: &[u8] = b"somebody's";

/// Says it with a file that is there, and with what is left of a command that was broken off: nothing is written or done.
async fn stays(world: &World, party: &Party, words: &[&str], file: &Path) {
    let partial = format!("{}.partial", file.display());
    for there in [file, Path::new(&partial)] {
        std::fs::write(there, THEIRS).unwrap();
        let before = world.ledger.head().await.unwrap().number;
        let told = refused(party, words, code::FAILED).await;
        let name = format!("{} exists", there.display());
        assert!(told.contains(&name), "{words:?}: {told}");
        assert!(told.contains("choose another file"), "{words:?}: {told}");
        assert_eq!(std::fs::read(there).unwrap(), THEIRS, "{words:?}");
        let after = world.ledger.head().await.unwrap().number;
        assert_eq!(before, after, "{words:?}: nothing was sent");
        std::fs::remove_file(there).unwrap();
        assert!(!file.exists(), "{words:?}");
    }
}

#[tokio::test]
async fn what_an_account_writes_takes_no_files_place() {
    let world = World::new(910);
    let two = Two::new(&world).await;
    two.reader(&world, 3).await;
    let record = two.accepted().await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--record", &record];
    say(&two.patient, &approve).await;
    say(&two.clinic, &["sync"]).await;
    let path = two.folder.path().join("out");
    let out = path.to_str().unwrap();
    for (party, words) in [
        (&two.patient, ["contact", "invite", "--out", out].as_slice()),
        (&two.patient, &["record", "export", &record, "--out", out]),
        (&two.clinic, &["read", &record, "--out", out]),
    ] {
        stays(&world, party, words, &path).await;
        say(party, words).await;
        assert!(path.exists(), "{words:?}");
        std::fs::remove_file(&path).unwrap();
    }
}

/// A link to nowhere is somebody's, too.
#[cfg(unix)]
#[tokio::test]
async fn a_link_is_not_followed_to_a_new_file() {
    let world = World::new(911);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let (path, to) = (two.folder.path().join("out"), two.folder.path().join("to"));
    std::os::unix::fs::symlink(&to, &path).unwrap();
    let words = ["record", "export", &record, "--out", path.to_str().unwrap()];
    refused(&two.patient, &words, code::FAILED).await;
    assert!(!to.exists());
}

fn convert(at: &Path, words: &[&str]) -> (Option<i32>, String) {
    let done = Process::new(env!("CARGO_BIN_EXE_medibloc"))
        .current_dir(at)
        .arg("convert")
        .args(words)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    (done.status.code(), told)
}

/// It wrote its report over the very document.
#[test]
fn a_conversion_takes_no_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::create_dir_all(at.join("in")).unwrap();
    for name in ["a.xml", "b.xml"] {
        std::fs::write(at.join("in").join(name), two::document()).unwrap();
    }
    let read = |name: &str| std::fs::read(at.join(name)).unwrap();
    let one = ["in/a.xml", "--to", "fhir", "--report"];
    for name in ["in/a.xml", "in/b.xml"] {
        let (code, told) = convert(at, &[one.as_slice(), &[name]].concat());
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(&format!("{name} exists")), "{told}");
        assert_eq!(read(name), two::document().into_bytes());
    }
    let (code, told) = convert(at, &[one.as_slice(), &["report.json"]].concat());
    assert_eq!(code, Some(0), "{told}");

    // Of many the last one is there: the first is not converted either.
    let many = ["in", "--to", "fhir", "--out", "out", "--report", "reports"];
    for (there, free) in [
        ("out/b.xml.fhir.json", "out/a.xml.fhir.json"),
        ("reports/b.xml.report.json", "reports/a.xml.report.json"),
    ] {
        let there_path = at.join(there);
        std::fs::create_dir_all(there_path.parent().unwrap()).unwrap();
        std::fs::write(&there_path, THEIRS).unwrap();
        let (code, told) = convert(at, &many);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(there), "{told}");
        assert!(told.contains("nothing was converted"), "{told}");
        assert_eq!(read(there), THEIRS);
        assert!(!at.join(free).exists());
        std::fs::remove_file(there_path).unwrap();
    }
    let (code, told) = convert(at, &many);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = convert(at, &many);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("4 exist of the files"), "{told}");
}
