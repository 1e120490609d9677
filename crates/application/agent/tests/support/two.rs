//! A patient and a clinic that know each other, and how commands are said to them.
#![allow(dead_code, reason = "each test takes of it what it needs")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind;
use medibloc_agent::{Answer, Command, Problem, run};
use medibloc_journey::memory::World;
use medibloc_journey::{Party, Ports};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{LedgerError, Outcome, Relay, SignedCall};
use medibloc_record::Role;
use serde_json::Value;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

pub(crate) async fn try_say(party: &Party, words: &[&str]) -> Result<Answer, Problem> {
    let line = Line::try_parse_from([&["medibloc"], words].concat()).unwrap();
    run::run(party, None, &line.command).await
}

/// Why these words are no command.
pub(crate) fn why_not(words: &[&str]) -> ErrorKind {
    let line = Line::try_parse_from([&["medibloc"], words].concat());
    line.err().unwrap().kind()
}

pub(crate) async fn say(party: &Party, words: &[&str]) -> Value {
    try_say(party, words).await.unwrap().value
}

pub(crate) async fn refused(party: &Party, words: &[&str], with: u8) -> String {
    let problem = try_say(party, words).await.unwrap_err();
    assert_eq!(problem.code, with, "{words:?}: {problem}");
    problem.message
}

pub(crate) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

pub(crate) fn party(world: &Arc<World>, seed: u64, role: Role) -> Party {
    with_ports(world.ports(), seed, role)
}

pub(crate) fn with_ports(ports: Ports, seed: u64, role: Role) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    Party::new(phrase.seed(), role, ports)
}

/// A relay that is gone.
struct Down;

#[async_trait::async_trait]
impl Relay for Down {
    async fn relay(&self, _call: &SignedCall) -> Result<Outcome, LedgerError> {
        Err(LedgerError::Unreachable {
            from: "the node".into(),
            why: "no answer".into(),
        })
    }
}

pub(crate) fn document() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    std::fs::read_to_string(files.remove(0)).unwrap()
}

/// A patient, a clinic that it knows, and a folder for documents.
pub(crate) struct Two {
    pub(crate) patient: Party,
    /// The patient while its node's relay is gone.
    pub(crate) cut_off: Party,
    pub(crate) clinic: Party,
    pub(crate) owner: String,
    pub(crate) folder: tempfile::TempDir,
    written: std::cell::Cell<usize>,
}

impl Two {
    pub(crate) async fn new(world: &Arc<World>) -> Self {
        Self::at(world, world.ports()).await
    }

    /// The same with a patient whose home has these ports.
    pub(crate) async fn at(world: &Arc<World>, ports: Ports) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut cut_off = ports.clone();
        cut_off.relay = Arc::new(Down);
        let patient = with_ports(ports, 1, Role::Person);
        let cut_off = with_ports(cut_off, 1, Role::Person);
        let clinic = party(world, 2, Role::Provider);
        say(&clinic, &["account", "register"]).await;
        let credential = folder.path().join("credential");
        let jwt = world.accredit(clinic.account().id(), "Clinic");
        std::fs::write(&credential, jwt).unwrap();
        let words = ["account", "credential", credential.to_str().unwrap()];
        say(&clinic, &words).await;
        let invitation = text(&say(&patient, &["contact", "invite"]).await, "/invitation");
        let accepted = say(&clinic, &["contact", "accept", &invitation]).await;
        say(&patient, &["sync"]).await;
        say(&patient, &["contact", "confirm", "clinic"]).await;
        let written = std::cell::Cell::new(0);
        Self {
            owner: text(&accepted, "/owner"),
            patient,
            cut_off,
            clinic,
            folder,
            written,
        }
    }

    /// Another provider that the patient knows, under the name `Reader`.
    pub(crate) async fn reader(&self, world: &Arc<World>, seed: u64) -> Party {
        let reader = party(world, seed, Role::Provider);
        self.know(world, &reader).await;
        reader
    }

    /// Makes a provider, under the name `Reader`, and the patient known to each other.
    pub(crate) async fn know(&self, world: &Arc<World>, reader: &Party) {
        say(reader, &["account", "register"]).await;
        let path = self.folder.path().join("reader");
        std::fs::write(&path, world.accredit(reader.account().id(), "Reader")).unwrap();
        say(reader, &["account", "credential", path.to_str().unwrap()]).await;
        let invitation = text(
            &say(&self.patient, &["contact", "invite"]).await,
            "/invitation",
        );
        say(reader, &["contact", "accept", &invitation]).await;
        say(&self.patient, &["sync"]).await;
        say(&self.patient, &["contact", "confirm", "reader"]).await;
    }

    /// A record that the clinic writes for the patient, who accepts it.
    pub(crate) async fn written(&self, more: &[&str]) -> String {
        let file = self.document();
        let import = ["record", "import", &file, "--for", &self.owner, "--yes"];
        let import = [import.as_slice(), more].concat();
        let record = text(&say(&self.clinic, &import).await, "/record");
        say(&self.patient, &["sync"]).await;
        record
    }

    /// The patient gives one record to the provider of that name.
    pub(crate) async fn give(&self, record: &str) {
        self.give_as(record, &[]).await;
    }

    /// The same with more words.
    pub(crate) async fn give_as(&self, record: &str, more: &[&str]) {
        let give = ["grant", "create", "--to", "reader", "--record", record];
        say(&self.patient, &[give.as_slice(), more].concat()).await;
    }

    pub(crate) fn document(&self) -> String {
        self.written.set(self.written.get() + 1);
        let number = self.written.get();
        let path = self.folder.path().join(format!("{number}.xml"));
        let text = document().replace("Consultation", &format!("Number {number}"));
        std::fs::write(&path, format!("{text}{}", "\n".repeat(number))).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// An own record that is sent, and that no sync has taken.
    pub(crate) async fn sent(&self) -> String {
        let file = self.document();
        text(
            &say(&self.patient, &["record", "import", &file]).await,
            "/record",
        )
    }

    pub(crate) async fn accepted(&self) -> String {
        let record = self.sent().await;
        say(&self.patient, &["sync"]).await;
        record
    }
}
