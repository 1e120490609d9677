//! Lives of a patient who gives, thinks again, denies and takes back, on a program that fails and dies at any call: whoever reads reads
//! what the patient's last word lets it read, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[allow(dead_code, reason = "of the fuse only what fails is needed")]
#[path = "../../journey/tests/faults/fuse.rs"]
mod fuse;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use fuse::{Fuse, Mode, fused};
use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party, Ports};
use medibloc_keys::{Entropy as _, SeededEntropy};
use medibloc_record::{Role, Timestamp};
use serde_json::{Value, json};
use two::{Two, party, say, text, try_say, with_ports};

/// Words of each life.
const WORDS: usize = 24;
/// Lives, unless all are asked for.
const LIVES: u64 = 10;
const DAY: u64 = 86_400;
/// The exit code of what was done.
const DONE: u8 = 0;

/// What a word of the patient lets the reader read.
#[derive(Clone, Debug)]
struct Said {
    words: String,
    /// One record, or all.
    record: Option<usize>,
    restricted: bool,
    until: Timestamp,
    /// The request that it answers.
    request: Option<u64>,
    /// The consent, if it is one.
    grant: Option<String>,
    /// The program said that it is done.
    is_done: bool,
}

struct Record {
    id: String,
    is_restricted: bool,
    is_erased: bool,
}

struct Life {
    world: Arc<World>,
    two: Two,
    ports: Ports,
    reader: Party,
    records: Vec<Record>,
    random: SeededEntropy,
    /// What stands, as far as the patient was told.
    said: Vec<Said>,
    asked: u64,
    /// The last request is for a category, or a time, of which nothing is.
    is_for_nothing: bool,
    /// What the reader read.
    reads: usize,
    log: Vec<String>,
}

impl Life {
    async fn new(seed: u64) -> Self {
        let world = World::new(9_000 + seed);
        let mut ports = world.ports();
        if seed.is_multiple_of(2) {
            ports.pace = Pace::PERSON;
        }
        let two = Two::at(&world, ports.clone()).await;
        let reader = party(&world, 3, Role::Provider);
        two.know(&world, &reader).await;
        let mut life = Self {
            world,
            two,
            ports,
            reader,
            records: Vec::new(),
            random: SeededEntropy::new(seed),
            said: Vec::new(),
            asked: 0,
            is_for_nothing: false,
            reads: 0,
            log: Vec::new(),
        };
        for is_restricted in [false, true] {
            life.write(is_restricted).await;
        }
        for _ in 0..4 {
            life.world.pass(DAY);
            say(&life.two.patient, &["sync"]).await;
        }
        life
    }

    /// The patient writes a record.
    async fn write(&mut self, is_restricted: bool) {
        let name = format!("document {}", self.records.len());
        let path = self.two.folder.path().join(&name);
        let label = if is_restricted { "R" } else { "N" };
        std::fs::write(&path, condition(&name, label)).unwrap();
        let import = ["record", "import", path.to_str().unwrap()];
        let id = text(&say(&self.two.patient, &import).await, "/record");
        self.records.push(Record {
            id,
            is_restricted,
            is_erased: false,
        });
    }

    fn below(&mut self, most: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes) % most
    }

    /// Says it on a program that was started anew, and that fails or dies at some call, perhaps. The exit code, and the answer.
    async fn say(&mut self, words: &[&str]) -> (u8, Value) {
        let fuse = match self.below(2) {
            0 => Fuse::whole(),
            _ => {
                let mode = Mode::ALL[usize::try_from(self.below(4)).unwrap()];
                Fuse::new(1 + self.below(90), mode)
            }
        };
        let home = with_ports(fused(&self.ports, &fuse), 1, Role::Person);
        let (code, told, value) = match try_say(&home, words).await {
            Ok(answer) => (answer.code, answer.text, answer.value),
            Err(problem) => (problem.code, problem.message, Value::Null),
        };
        // Who started it saw nothing: it may have been done, or be done by the next.
        let code = match fuse.hit() {
            Some(_) if fuse.kills() => code::PARTIAL,
            _ => code,
        };
        let hit = fuse
            .hit()
            .map_or_else(String::new, |hit| format!(" [{hit}]"));
        self.log
            .push(format!("{}{hit} -> {code}: {told}", words.join(" ")));
        (code, value)
    }

    /// The patient answers or offers.
    async fn give(&mut self, answers: bool) {
        let record = match self.below(2) {
            0 => None,
            _ => Some(usize::try_from(self.below(self.records.len() as u64)).unwrap()),
        };
        let restricted = self.below(2) == 0;
        let days = [3, 20, 80][usize::try_from(self.below(3)).unwrap()];
        let (id, day) = (
            record.map(|record| self.records[record].id.clone()),
            days.to_string(),
        );
        let mut words = match answers {
            true => vec!["request", "approve", "reader", "--days", &day],
            false => vec!["grant", "create", "--to", "reader", "--days", &day],
        };
        match &id {
            Some(id) => words.extend(["--record", id]),
            None => words.push("--all"),
        }
        if restricted {
            words.extend(["--up-to", "restricted"]);
        }
        if self.below(2) == 0 {
            words.extend(["--now", "--yes"]);
        }
        let until = self.ports.clock.now().plus(days * DAY);
        let (code, value) = self.say(&words).await;
        let request = answers.then_some(self.asked);
        if code == DONE || code == code::PARTIAL {
            if code == DONE && answers {
                // Whoever answers again has thought again.
                self.said.retain(|said| said.request != request);
            }
            let grant = value["grant"].as_str().filter(|_| record.is_some());
            // What was asked for a category gives nothing of another, whoever answers with all.
            if answers && self.is_for_nothing && record.is_none() {
                return;
            }
            self.said.push(Said {
                grant: grant.map(str::to_owned),
                is_done: code == DONE,
                words: words.join(" "),
                record,
                restricted,
                until,
                request,
            });
        }
    }

    async fn word(&mut self) {
        match self.below(12) {
            0 | 1 => {
                let owner = self.two.owner.clone();
                let mut ask = vec!["request", "create", &owner];
                let limit = usize::try_from(self.below(6)).unwrap();
                let limits: [&[&str]; 6] = [
                    &["--category", "imaging"],
                    &["--since", "2026-01-01"],
                    &["--category", "problems", "--since", "2025-01-01"],
                    &[],
                    &[],
                    &[],
                ];
                let is_for_nothing = limit < 2;
                ask.extend(limits[limit]);
                if try_say(&self.reader, &ask).await.is_ok() {
                    self.asked += 1;
                    self.is_for_nothing = is_for_nothing;
                }
                self.say(&["sync"]).await;
            }
            2 | 3 => self.give(true).await,
            4 => self.give(false).await,
            5 => {
                let (code, _) = self.say(&["request", "deny", "reader"]).await;
                if code == DONE {
                    let request = Some(self.asked);
                    self.said.retain(|said| said.request != request);
                }
            }
            6 => {
                let words = ["grant", "revoke", "--contact", "reader"];
                if self.say(&words).await.0 == DONE {
                    self.said.clear();
                }
            }
            7 => {
                let grants = self.said.iter().filter_map(|said| said.grant.clone());
                let grants: Vec<String> = grants.collect();
                let Some(most) = std::num::NonZero::new(grants.len() as u64) else {
                    return;
                };
                let id = &grants[usize::try_from(self.below(most.get())).unwrap()];
                if self.say(&["grant", "revoke", id]).await.0 == DONE {
                    self.said.retain(|said| said.grant.as_ref() != Some(id));
                }
            }
            8 if self.records.len() < 5 => {
                let is_restricted = self.below(2) == 0;
                self.write(is_restricted).await;
            }
            9 if self.below(3) == 0 => {
                let at = usize::try_from(self.below(self.records.len() as u64)).unwrap();
                let id = self.records[at].id.clone();
                if self.say(&["record", "erase", &id, "--yes"]).await.0 == DONE {
                    self.records[at].is_erased = true;
                }
            }
            10 => {
                let hours = 1 + self.below(60);
                self.world.pass(hours * 3_600);
                self.say(&["sync"]).await;
            }
            _ => {
                self.say(&["sync"]).await;
            }
        }
    }

    /// What the reader reads that no word lets it read.
    async fn too_much(&mut self) -> Vec<String> {
        let _ = try_say(&self.reader, &["sync"]).await;
        let mut found = Vec::new();
        for at in 0..self.records.len() {
            let record = &self.records[at];
            let read = try_say(&self.reader, &["read", &record.id]).await;
            self.reads += usize::from(read.is_ok());
            let now = self.ports.clock.now();
            let mut lets = self.said.iter().filter(|said| said.lets(at, record, now));
            if read.is_ok() && (record.is_erased || lets.next().is_none()) {
                found.push(format!("record {at}"));
            }
        }
        found
    }

    /// What was said to be done and is not read, where nothing fails any more and nothing is put off.
    async fn too_little(&mut self) -> Vec<String> {
        for _ in 0..3 {
            say(&self.two.patient, &["sync"]).await;
            say(&self.reader, &["sync"]).await;
            self.world.pass(3_600);
        }
        let now = self.ports.clock.now();
        let mut found = Vec::new();
        for (at, record) in self
            .records
            .iter()
            .enumerate()
            .filter(|(_, record)| !record.is_erased)
        {
            let is_said = |said: &Said| said.is_done && said.lets(at, record, now.plus(DAY));
            if self.said.iter().any(is_said)
                && let Err(problem) = try_say(&self.reader, &["read", &record.id]).await
            {
                found.push(format!("record {at}: {problem}"));
            }
        }
        found
    }
}

impl Said {
    fn lets(&self, at: usize, record: &Record, now: Timestamp) -> bool {
        self.record.is_none_or(|of| of == at)
            && (!record.is_restricted || self.restricted)
            && now < self.until
    }
}

fn condition(name: &str, label: &str) -> String {
    let security: Value = json!([{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": label}]);
    json!({"resourceType": "Condition", "code": {"text": name}, "recordedDate": "2025-03-01", "meta": {"security": security}}).to_string()
}

#[tokio::test]
async fn nobody_reads_what_the_last_word_does_not_let_it_read() {
    let lives = match std::env::var("MEDIBLOC_FAULTS").is_ok_and(|value| value == "all") {
        true => 300,
        false => LIVES,
    };
    let (mut wrong, mut reads) = (Vec::new(), 0);
    for seed in 4..4 + lives {
        let mut life = Life::new(seed).await;
        for at in 0..=WORDS {
            let mut found = Vec::new();
            if at < WORDS {
                life.word().await;
                found = life.too_much().await;
            } else if life.ports.pace.is_now() {
                found = life.too_little().await;
            }
            reads += life.reads;
            life.reads = 0;
            if !found.is_empty() {
                let stands: Vec<&str> = life.said.iter().map(|said| said.words.as_str()).collect();
                wrong.push(format!(
                    "life {seed}, word {at} of {WORDS}: {found:?}; stands: {stands:?}\n{}",
                    life.log.join("\n")
                ));
                break;
            }
        }
    }
    println!(
        "ATTACK fourteenth-w1: {} of {lives} lives give what the last word does not let the reader read",
        wrong.len()
    );
    println!("{reads} reads");
    assert!(reads > 0 && wrong.is_empty(), "{}", wrong.join("\n\n"));
}
