//! What a home says of itself: a full disk, a file that could not be written, a keeper without its shares, and whose it is.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use medibloc_agent::answer::code;
use medibloc_agent::home::{Config, Home, HomePace, HomeRole};
use medibloc_agent::{Answer, Command, Problem, role, run};
use medibloc_dag::{Block, Cid};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Change, FileFate, Party, PortError, Row, VaultPort};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{Digest, RecordId, Role};

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

async fn try_say(party: &Party, words: &[&str]) -> Result<Answer, Problem> {
    let line = Line::try_parse_from([&["medibloc"], words].concat()).unwrap();
    run::run(party, None, &line.command).await
}

async fn say(party: &Party, words: &[&str]) -> Answer {
    try_say(party, words).await.unwrap()
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda/consultation_note.xml")
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

/// A vault on a disk with so much room.
struct OnDisk(MemoryVault, u64);

impl VaultPort for OnDisk {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        self.0.get(table, key)
    }
    fn list(&self, table: &str) -> Result<Vec<Row>, PortError> {
        self.0.list(table)
    }
    fn apply(&self, changes: Vec<Change>) -> Result<(), PortError> {
        self.0.apply(changes)
    }
    fn put_blob(&self, block: &Block) -> Result<(), PortError> {
        self.0.put_blob(block)
    }
    fn blob(&self, cid: &Cid) -> Result<Option<Vec<u8>>, PortError> {
        self.0.blob(cid)
    }
    fn drop_blob(&self, cid: &Cid) -> Result<(), PortError> {
        self.0.drop_blob(cid)
    }
    fn settle(&self) -> Result<(), PortError> {
        self.0.settle()
    }
    fn has_reserve(&self) -> Option<bool> {
        Some(false)
    }
    fn room(&self) -> Option<u64> {
        Some(self.1)
    }
    fn drop_file(&self, path: &str, sha256: &Digest) -> FileFate {
        self.0.drop_file(path, sha256)
    }
}

#[tokio::test]
async fn the_doctor_tells_of_a_disk_that_is_nearly_full() {
    let world = World::new(801);
    for (free, is_full) in [(5 << 20, true), (5 << 30, false)] {
        let vault = Arc::new(OnDisk(MemoryVault::default(), free));
        let patient = Party::new(phrase(1).seed(), Role::Person, world.ports_with(vault));
        let told = match try_say(&patient, &["doctor"]).await {
            Ok(answer) => answer.text,
            Err(problem) => {
                assert_eq!(problem.code, code::FAILED);
                problem.message
            }
        };
        let missing = "(`reserve`) are not kept aside";
        assert_eq!(told.contains(missing), is_full, "{told}");
        let full = "FAIL disk: 5 MiB are free where the home is, fewer than 256";
        assert_eq!(told.contains(full), is_full, "{told}");
        assert_eq!(
            told.contains("Free space there, or move the home"),
            is_full,
            "{told}"
        );
    }
}

/// A disk that was always small has none, and nobody said so.
#[test]
fn a_home_says_whether_room_is_kept_aside() {
    let home = tempfile::tempdir().unwrap();
    let vault = medibloc_vault::Vault::create(home.path(), &[7; 32]).unwrap();
    let vault = medibloc_agent::ports::VaultAdapter(Arc::new(vault));
    assert_eq!(vault.has_reserve(), Some(false));
    std::fs::write(home.path().join("reserve"), vec![1; 4 << 20]).unwrap();
    assert_eq!(vault.has_reserve(), Some(true));
    std::fs::write(home.path().join("reserve"), b"cut").unwrap();
    assert_eq!(vault.has_reserve(), Some(false));
}

/// The vault on disk knows its file system.
#[test]
fn the_room_of_a_home_is_that_of_its_disk() {
    let home = tempfile::tempdir().unwrap();
    let vault = medibloc_vault::Vault::create(home.path(), &[7; 32]).unwrap();
    let vault = medibloc_agent::ports::VaultAdapter(Arc::new(vault));
    assert_eq!(vault.room().is_some_and(|free| free > 0), cfg!(unix));
}

#[tokio::test]
async fn a_file_that_could_not_be_written_is_not_remembered() {
    let world = World::new(802);
    let folder = tempfile::tempdir().unwrap();
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let written = say(
        &patient,
        &["record", "import", document().to_str().unwrap()],
    )
    .await;
    say(&patient, &["sync"]).await;
    let record = written.value["record"].as_str().unwrap();
    let id: RecordId = record.parse().unwrap();
    // A name that fits, and does not with what is put behind it while it is written.
    let long = folder.path().join("x".repeat(250));
    let words = ["record", "export", record, "--out", long.to_str().unwrap()];
    let problem = try_say(&patient, &words).await.unwrap_err();
    assert_eq!(problem.code, code::FAILED);
    assert!(problem.message.contains("choose another file"), "{problem}");
    assert_eq!(patient.exports_of(id).unwrap(), []);
    let good = folder.path().join("file.xml");
    say(
        &patient,
        &["record", "export", record, "--out", good.to_str().unwrap()],
    )
    .await;
    assert_eq!(patient.exports_of(id).unwrap().len(), 1);
    // One that is there stays noted, whoever fails to write it again.
    let words = ["record", "export", record, "--out", good.to_str().unwrap()];
    let problem = try_say(&patient, &words).await.unwrap_err();
    assert!(problem.message.contains("exists"), "{problem}");
    assert_eq!(patient.exports_of(id).unwrap().len(), 1);
}

#[tokio::test]
async fn a_sync_is_not_done_while_a_keeper_lacks_its_share() {
    let world = World::new(803);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    world.set_down(7, true);
    let written = say(
        &patient,
        &["record", "import", document().to_str().unwrap()],
    )
    .await;
    assert_eq!(written.code, code::PARTIAL);
    for _ in 0..2 {
        let synced = say(&patient, &["sync"]).await;
        assert_eq!(synced.code, code::PARTIAL, "{}", synced.text);
        assert!(
            synced.text.contains("6 of 7 keepers hold a share"),
            "{}",
            synced.text
        );
    }
    let listed = say(&patient, &["record", "list"]).await;
    assert_eq!(
        listed.value[0]["state"], "accepted",
        "six are enough for that"
    );
    world.set_down(7, false);
    let synced = say(&patient, &["sync"]).await;
    assert_eq!(synced.code, 0, "{}", synced.text);
    assert!(
        synced.text.contains("all 7 keepers hold a share"),
        "{}",
        synced.text
    );
}

#[tokio::test]
async fn the_chain_says_whose_a_restored_home_is() {
    let world = World::new(804);
    for (seed, role) in [(2, Role::Provider), (3, Role::Researcher)] {
        let party = Party::new(phrase(seed).seed(), role, world.ports());
        party.register_account().await.unwrap();
    }
    let (person, provider, researcher) =
        (HomeRole::Person, HomeRole::Provider, HomeRole::Researcher);
    for (seed, given, found) in [
        (1, None, Ok(None)),
        (1, Some(provider), Ok(Some(provider))),
        (2, None, Ok(Some(provider))),
        (2, Some(provider), Ok(Some(provider))),
        (2, Some(person), Err("give `--role provider`")),
        (3, None, Ok(Some(researcher))),
        (3, Some(provider), Err("give `--role researcher`")),
    ] {
        let account = Party::new(phrase(seed).seed(), Role::Person, world.ports())
            .account()
            .id();
        let said = role::of_account(&world.ports(), account, given).await;
        match (found, said) {
            (Ok(found), Ok(said)) => assert_eq!(said, found, "{seed} {given:?}"),
            (Err(told), Err(problem)) => {
                assert_eq!(problem.code, code::USAGE);
                assert!(problem.message.contains(told), "{problem}");
            }
            (found, said) => panic!("{seed} {given:?}: {found:?}, {said:?}"),
        }
    }
}

/// Killed right after the home was made, before the chain was asked for anything: `no records yet`, and exit code 0.
#[tokio::test]
async fn a_home_that_is_made_to_restore_says_so_from_its_first_moment() {
    let folder = tempfile::tempdir().unwrap();
    let address = |last: u8| format!("0x{last:040x}");
    let nodes = ["http://127.0.0.1:9", "http://127.0.0.1:10"];
    let deployment = serde_json::json!({
        "version": 1, "chain_id": 31337, "rpc_urls": ["http://127.0.0.1:9"], "node_urls": nodes,
        "contracts": {
            "authority": address(1), "forwarder": address(2), "accounts": address(3), "records": address(4),
            "consent": address(5), "receipts": address(6), "keepers": address(7),
        },
        "deployment_block": 1, "finality_depth": 0, "authority": address(8), "local": true,
    });
    let deployment = deployment.to_string();
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let world = World::new(830);
    for (name, node, is_undecided) in [("any", None, true), ("told", Some(nodes[1]), false)] {
        let home = Home::at(folder.path().join(name));
        let config = Config {
            version: 1,
            role: HomeRole::Person,
            node: node.map(str::to_owned),
            pace: HomePace::Now,
            insecure_http: false,
        };
        let made = home.create_to_restore(&phrase, "passphrase", &config, deployment.as_bytes());
        made.unwrap();
        let vault = home.open(phrase.seed()).unwrap().vault;
        let vault = Arc::new(medibloc_agent::ports::VaultAdapter(vault));
        let party = Party::new(phrase.seed(), Role::Person, world.ports_with(vault));
        let undecided = party.undecided_node().unwrap();
        assert_eq!(undecided.is_some(), is_undecided, "{undecided:?}");
        for list in ["record", "contact", "request"] {
            let answer = try_say(&party, &[list, "list"]).await.unwrap();
            assert_eq!(answer.code, code::PARTIAL, "{name} {list}");
            assert!(answer.text.contains("`medibloc restore`"), "{answer:?}");
        }
    }
}
