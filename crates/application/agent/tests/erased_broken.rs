//! What is said of an erasure that was broken off, and of one that left files: nothing is said to be gone that is still there.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use medibloc_dag::{Block, Cid};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Change, FileFate, Party, PortError, Row, VaultPort};
use medibloc_record::{Digest, Role};
use two::{document, say, text, try_say, with_ports};

/// A vault beside real files, whose program ends before the blobs and files of an erasure go.
#[derive(Default)]
struct Ending {
    rows: MemoryVault,
    ends: AtomicBool,
}

impl VaultPort for Ending {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        self.rows.get(table, key)
    }
    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        self.rows.list(table)
    }
    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError> {
        self.rows.apply(changes)
    }
    fn put_blob(&self, block: &Block) -> Result<(), PortError> {
        self.rows.put_blob(block)
    }
    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        self.rows.blob(cid)
    }
    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError> {
        if self.ends.load(Ordering::SeqCst) {
            return Err(PortError::Vault {
                why: "the program ended".into(),
            });
        }
        self.rows.drop_blob(cid)
    }
    fn settle(&self) -> Result<(), PortError> {
        self.rows.settle()
    }
    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        match std::fs::read(path) {
            Err(_) => FileFate::Gone,
            Ok(bytes) if Digest::of(&bytes) == *sha256 => {
                std::fs::remove_file(path).unwrap();
                FileFate::Removed
            }
            Ok(_) => FileFate::Stays {
                why: "it was changed".into(),
            },
        }
    }
}

struct Story {
    vault: Arc<Ending>,
    patient: Party,
    record: String,
    out: String,
    _folder: tempfile::TempDir,
}

/// A record of a patient, written out to a file.
async fn exported(seed: u64) -> Story {
    let world = World::new(seed);
    let vault = Arc::new(Ending::default());
    let patient = with_ports(world.ports_with(vault.clone()), 1, Role::Person);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("in.xml"), document()).unwrap();
    let written = say(&patient, &["record", "import", &path("in.xml")]).await;
    let record = text(&written, "/record");
    say(&patient, &["sync"]).await;
    let out = path("out.xml");
    say(&patient, &["record", "export", &record, "--out", &out]).await;
    Story {
        vault,
        patient,
        record,
        out,
        _folder: folder,
    }
}

impl Story {
    async fn verified(&self) -> String {
        let words = ["record", "verify", &self.record];
        match try_say(&self.patient, &words).await {
            Ok(answer) => answer.text,
            Err(problem) => problem.message,
        }
    }

    async fn shown(&self) -> String {
        let words = ["record", "show", &self.record];
        try_say(&self.patient, &words).await.unwrap().text
    }
}

/// Newcomer: `nothing of it is kept` and `nothing of it is left here`, beside the file.
#[tokio::test]
async fn an_erasure_that_was_broken_off_names_the_files_that_are_left() {
    let story = exported(811).await;
    story.vault.ends.store(true, Ordering::SeqCst);
    let erase = ["record", "erase", &story.record, "--yes"];
    assert!(try_say(&story.patient, &erase).await.is_err());
    story.vault.ends.store(false, Ordering::SeqCst);
    assert!(Path::new(&story.out).exists());
    let (shown, verified) = (story.shown().await, story.verified().await);
    for told in [&shown, &verified] {
        assert!(told.contains(&story.out), "{told}");
        assert!(told.contains("run `medibloc sync`"), "{told}");
    }
    assert!(!shown.contains("nothing of it is left here"), "{shown}");
    assert!(shown.contains("by you, here"), "{shown}");
    say(&story.patient, &["sync"]).await;
    assert!(!Path::new(&story.out).exists());
    let (shown, verified) = (story.shown().await, story.verified().await);
    assert!(shown.contains("nothing of it is left here"), "{shown}");
    assert!(!verified.contains(&story.out), "{verified}");
}

#[tokio::test]
async fn files_that_stay_are_named_wherever_the_erasure_is_shown() {
    for (seed, keep) in [(812, true), (813, false)] {
        let story = exported(seed).await;
        let mut erase = vec!["record", "erase", &story.record, "--yes"];
        match keep {
            true => erase.push("--keep-exports"),
            false => std::fs::write(&story.out, "with a note").unwrap(),
        }
        let _ = try_say(&story.patient, &erase).await.unwrap();
        for told in [story.shown().await, story.verified().await] {
            assert!(told.contains(&story.out), "{told}");
            assert!(!told.contains("nothing of it is left here"), "{told}");
        }
    }
}
