//! What an author said of a record on the chain outlives the record: nobody hears less of it because the record, or what corrects
//! it, was erased.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Party, SyncReport};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use serde_json::Value;
use two::{Two, refused, say, text, try_say};

const BACK: &str = "taken back by its author at ";

struct Story {
    world: Arc<World>,
    two: Two,
    reader: Party,
}

impl Story {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        let write = ["grant", "create", "--to", "clinic", "--write"];
        say(&two.patient, &write).await;
        let reader = two.reader(&world, 3).await;
        Self { world, two, reader }
    }

    /// A record that the reader read.
    async fn read(&self, more: &[&str]) -> String {
        let record = self.two.written(more).await;
        self.two.give(&record).await;
        say(&self.reader, &["sync"]).await;
        say(&self.reader, &["read", &record]).await;
        self.world.pass(60);
        record
    }

    async fn retract(&self, record: &str) {
        say(&self.two.clinic, &["record", "retract", record, "--yes"]).await;
        self.world.pass(60);
    }

    async fn erase(&self, record: &str) {
        let erase = ["record", "erase", record, "--yes", "--now"];
        say(&self.two.patient, &erase).await;
        self.world.pass(60);
    }

    async fn restored(&self, seed: u64, role: Role) -> (Party, SyncReport) {
        let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
        let restored = Party::restore(&phrase, role, self.world.ports()).await;
        let (home, report) = restored.unwrap();
        (home, report.sync)
    }
}

fn row_of<'a>(list: &'a Value, record: &str) -> &'a Value {
    let rows = list.as_array().unwrap();
    let row = rows.iter().find(|row| row["record"] == *record);
    row.unwrap_or_else(|| panic!("{record}: {list}"))
}

/// Every list of every home says that a record was taken back, whatever became of it since.
async fn says_taken_back(story: &Story, record: &str) {
    let Story { two, reader, .. } = story;
    let owner = story.restored(1, Role::Person).await.0;
    let author = story.restored(2, Role::Provider).await.0;
    let former = story.restored(3, Role::Provider).await.0;
    let said = |home: &'static str, value: &Value, told: &str| {
        assert!(value["retractedAt"]["block"].is_number(), "{home}: {value}");
        assert!(
            told.to_lowercase().contains("back at ") || told.contains(BACK),
            "{home}: {told}"
        );
    };
    for (name, home, list) in [
        ("owner", &two.patient, "reads"),
        ("owner again", &owner, "reads"),
        ("reader", reader, "ownReads"),
        ("reader again", &former, "ownReads"),
    ] {
        let audit = try_say(home, &["audit"]).await.unwrap();
        said(name, row_of(&audit.value[list], record), &audit.text);
    }
    for (name, home) in [("owner", &two.patient), ("owner again", &owner)] {
        let shown = try_say(home, &["record", "show", record]).await.unwrap();
        assert_eq!(shown.value["retracted"], true, "{}", shown.value);
        said(name, &shown.value, &shown.text);
        let list = try_say(home, &["record", "list"]).await.unwrap();
        said(name, row_of(&list.value, record), &list.text);
        // The node of a test keeps what it was given, which is a line of its own.
        let checked = refused(home, &["record", "verify", record], code::FAILED).await;
        let line = "ok   retraction: warning: its author took it back at ";
        assert!(checked.contains(line), "{checked}");
    }
    for (name, home) in [("author", &two.clinic), ("author again", &author)] {
        let list = ["record", "list", "--written"];
        let list = try_say(home, &list).await.unwrap();
        said(name, row_of(&list.value, record), &list.text);
        let told = refused(home, &["record", "show", record], code::ERASED).await;
        assert!(
            told.contains("ITS AUTHOR TOOK IT BACK at "),
            "{name}: {told}"
        );
    }
}

/// Before: the reader was told "copy purged" and an id, and no list said any more that its author had taken it back.
#[tokio::test]
async fn readers_hear_that_it_was_taken_back_when_it_is_erased_at_once() {
    let story = Story::new(811).await;
    let (two, reader) = (&story.two, &story.reader);
    let (synced, asked) = (story.read(&[]).await, story.read(&[]).await);
    for record in [&synced, &asked] {
        story.retract(record).await;
        story.erase(record).await;
    }
    // The refusal says both before any sync took either.
    for words in [["read", &asked].as_slice(), &["read", &asked, "--kept"]] {
        let told = refused(reader, words, code::ERASED).await;
        assert!(told.contains("erased by its owner at "), "{told}");
        assert!(told.contains("ITS AUTHOR TOOK IT BACK at "), "{told}");
    }
    let told = try_say(reader, &["sync"]).await.unwrap();
    for record in [&synced, &asked] {
        let one = row_of(&told.value["takenBack"], record);
        assert!(one["retractedAt"]["block"].is_number(), "{one}");
        assert!(one["readAt"].is_string(), "{one}");
    }
    let place = |part: &str| {
        told.text
            .find(part)
            .unwrap_or_else(|| panic!("{}", told.text))
    };
    let back = place(&format!("taken back by its author: record {synced}"));
    let purged = place(&format!("copy purged: {synced}, erased by its owner at "));
    assert!(back < purged, "{}", told.text);
    // Once each.
    assert_eq!(
        say(reader, &["sync"]).await["takenBack"],
        serde_json::json!([])
    );
    for home in [&two.patient, &two.clinic] {
        say(home, &["sync"]).await;
    }
    for record in [&synced, &asked] {
        let told = refused(reader, &["read", record], code::ERASED).await;
        assert!(told.contains("ITS AUTHOR TOOK IT BACK at "), "{told}");
        says_taken_back(&story, record).await;
    }
}

/// Before: a retraction that everybody had been told of went from every list with the record.
#[tokio::test]
async fn what_was_heard_before_the_erasure_is_still_said_after_it() {
    let story = Story::new(812).await;
    let record = story.read(&[]).await;
    story.retract(&record).await;
    let homes = [&story.two.patient, &story.two.clinic, &story.reader];
    for home in homes {
        say(home, &["sync"]).await;
    }
    story.erase(&record).await;
    let told = try_say(&story.reader, &["sync"]).await.unwrap();
    assert_eq!(told.value["takenBack"], serde_json::json!([]));
    let purged = told
        .text
        .lines()
        .find(|line| line.starts_with("copy purged"));
    assert!(purged.unwrap().contains(BACK), "{}", told.text);
    says_taken_back(&story, &record).await;
    for home in homes {
        say(home, &["sync"]).await;
    }
    says_taken_back(&story, &record).await;
}

/// Whoever never heard of an erased record hears nothing of it, and a restored home of its owner tells what was said once.
#[tokio::test]
async fn a_restored_home_of_the_owner_tells_it_once() {
    let story = Story::new(813).await;
    let record = story.read(&[]).await;
    story.retract(&record).await;
    story.erase(&record).await;
    let (home, told) = story.restored(1, Role::Person).await;
    let told: Vec<String> = told
        .taken_back
        .iter()
        .map(|one| one.of.record.to_string())
        .collect();
    assert_eq!(told, [record]);
    assert_eq!(
        say(&home, &["sync"]).await["takenBack"],
        serde_json::json!([])
    );
}

/// Before: once the correction was erased, the wrong record was read, given and written out without a word.
#[tokio::test]
async fn a_record_stays_corrected_when_its_correction_is_erased_or_taken_back() {
    for (seed, since, becomes_of_it) in [
        (814, "which was erased since", "erase"),
        (815, "which was taken back since at ", "retract"),
    ] {
        let story = Story::new(seed).await;
        let (two, reader) = (&story.two, &story.reader);
        let old = story.read(&[]).await;
        let newer = two.written(&["--amends", &old]).await;
        two.give(&newer).await;
        for home in [&two.patient, &two.clinic, reader] {
            say(home, &["sync"]).await;
        }
        say(reader, &["read", &newer]).await;
        match becomes_of_it {
            "erase" => story.erase(&newer).await,
            _ => story.retract(&newer).await,
        }
        let author = story.restored(2, Role::Provider).await.0;
        let owner = story.restored(1, Role::Person).await.0;
        let former = story.restored(3, Role::Provider).await.0;
        for syncs in [false, true] {
            if syncs {
                for home in [&two.patient, &two.clinic, reader] {
                    say(home, &["sync"]).await;
                }
            }
            let begin = &newer[..12];
            for (home, words, row) in [
                (reader, ["read", &old, "--kept"].as_slice(), ""),
                (&two.patient, &["record", "show", &old], ""),
                (&owner, &["record", "show", &old], ""),
                (&two.clinic, &["record", "show", &old], ""),
                (&author, &["record", "show", &old], ""),
                (reader, &["audit"], "/ownReads"),
                (&former, &["audit"], "/ownReads"),
                (&two.patient, &["audit"], "/reads"),
                (&owner, &["audit"], "/reads"),
                (&two.patient, &["record", "list"], "/"),
                (&two.clinic, &["record", "list", "--written"], "/"),
                (&author, &["record", "list", "--written"], "/"),
                (reader, &["grant", "list"], "-"),
            ] {
                let told = try_say(home, words).await.unwrap();
                let is_of = |line: &&str| line.contains(since) && line.contains(begin);
                // Lists and accounts of what was heard say it at the next sync.
                let is_account = row == "/ownReads" || row == "-";
                if is_account && !syncs {
                    continue;
                }
                assert!(
                    told.text.lines().any(|line| is_of(&line)),
                    "{words:?}: {}",
                    told.text
                );
                let value = match row {
                    "" => &told.value,
                    "-" => continue,
                    "/" => row_of(&told.value, &old),
                    list => row_of(told.value.pointer(list).unwrap(), &old),
                };
                let by = value.pointer("/corrections/0/record");
                let by = by.unwrap_or(&value["correctedBy"]);
                assert_eq!(by, newer.as_str(), "{words:?}: {value}");
            }
            let out = two.folder.path().join("out.xml");
            let export = ["record", "export", &old, "--out", out.to_str().unwrap()];
            let told = refused(&two.patient, &export, code::USAGE).await;
            assert!(
                told.contains("IT WAS CORRECTED") && told.contains(since),
                "{told}"
            );
            let give = ["grant", "create", "--to", "reader", "--record", &old];
            let told = refused(&two.patient, &give, code::REFUSED).await;
            for part in ["was corrected by its author at ", since, "--corrected"] {
                assert!(told.contains(part), "{part}: {told}");
            }
            let checked = ["record", "verify", &old];
            let checked = try_say(&two.patient, &checked).await.unwrap();
            let line = "correction: warning: its author corrected it at ";
            assert!(checked.text.contains(line), "{}", checked.text);
            assert!(checked.text.contains(since), "{}", checked.text);
        }
        two.give_as(&old, &["--corrected"]).await;
    }
    println!(
        "ATTACK records-1: 0 of 4 gifts and exports go without a word, and every list says it"
    );
}

/// Who never had the correction, and who hears of the correction and of its erasure in one sync, are told of it.
#[tokio::test]
async fn who_never_had_the_correction_is_told_that_there_was_one() {
    let story = Story::new(816).await;
    let old = story.read(&[]).await;
    let newer = story.two.written(&["--amends", &old]).await;
    story.erase(&newer).await;
    let told = try_say(&story.reader, &["sync"]).await.unwrap();
    assert_eq!(text(&told.value, "/corrected/0/by/record"), newer);
    let told = try_say(&story.reader, &["read", &old, "--kept"])
        .await
        .unwrap();
    assert!(told.text.contains("IT WAS CORRECTED"), "{}", told.text);
    assert_eq!(text(&told.value, "/corrections/0/record"), newer);
    for part in ["which was erased since", "ask its author"] {
        assert!(told.text.contains(part), "{part}: {}", told.text);
    }
}

/// The contracts take a correction from who may write alone, and a retraction from its author always. Before: only that a write
/// grant was missing, and nothing that says the wrong letter is wrong.
#[tokio::test]
async fn an_author_that_may_not_write_any_more_is_told_that_it_can_take_back() {
    let story = Story::new(819).await;
    let Two { clinic, .. } = &story.two;
    let old = story.two.written(&[]).await;
    let list = say(&story.two.patient, &["grant", "list"]).await;
    let given = list["given"].as_array().unwrap().iter();
    let write = given
        .clone()
        .find(|given| given["scope"] == "write")
        .unwrap();
    say(
        &story.two.patient,
        &["grant", "revoke", &text(write, "/id")],
    )
    .await;
    say(clinic, &["sync"]).await;
    let file = story.two.document();
    let import = [
        "record",
        "import",
        &file,
        "--for",
        &story.two.owner,
        "--yes",
    ];
    let amend = [import.as_slice(), &["--amends", &old]].concat();
    let told = refused(clinic, &amend, code::REFUSED).await;
    let retract = format!("`medibloc record retract {}`", &old[..12]);
    for part in [
        "has not permitted this author to write",
        &retract,
        "--write",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let told = refused(clinic, &import, code::REFUSED).await;
    assert!(
        told.contains("--write") && !told.contains("retract"),
        "{told}"
    );
    story.retract(&old).await;
    let back = say(&story.two.patient, &["sync"]).await;
    assert_eq!(text(&back, "/retracted/0"), old);
}

/// A proof is of the read: whoever relies on what was read is told what its author said of it since.
#[tokio::test]
async fn a_proof_of_a_read_says_what_became_of_the_record() {
    let story = Story::new(818).await;
    let (plain, old) = (story.read(&[]).await, story.read(&[]).await);
    story.two.written(&["--amends", &old]).await;
    story.retract(&old).await;
    story.erase(&old).await;
    let folder = story.two.folder.path().join("proofs");
    let audit = ["audit", "--proofs", folder.to_str().unwrap()];
    let audit = say(&story.two.patient, &audit).await;
    let mut shown = 0;
    for file in audit["proofs"].as_array().unwrap() {
        let file = file.as_str().unwrap();
        let told = try_say(&story.two.clinic, &["verify", file]).await.unwrap();
        assert_eq!(
            (&told.value["verified"], told.code),
            (&Value::Bool(true), 0)
        );
        let lines = match text(&told.value, "/record") == old {
            true => [
                "ok   erasure: warning: its owner erased it at ",
                "ok   retraction: warning: its author took it back at ",
                "ok   correction: warning: its author corrected it at ",
            ],
            false => [
                "ok   erasure: not erased",
                "ok   retraction: not taken back",
                "ok   correction: not corrected",
            ],
        };
        for line in lines {
            assert!(told.text.contains(line), "{line}: {}", told.text);
        }
        shown += usize::from([&plain, &old].contains(&&text(&told.value, "/record")));
    }
    assert_eq!(shown, 2);
}

/// Before: `ok retraction: it stands` of what nobody took back, and nothing of a correction.
#[tokio::test]
async fn a_check_says_what_its_author_said_of_it() {
    let story = Story::new(817).await;
    let patient = &story.two.patient;
    let (plain, old) = (story.two.written(&[]).await, story.two.written(&[]).await);
    let newer = story.two.written(&["--amends", &old]).await;
    let newest = story.two.written(&["--amends", &newer]).await;
    let checked = try_say(patient, &["record", "verify", &plain])
        .await
        .unwrap();
    for line in [
        "ok   retraction: not taken back",
        "ok   correction: not corrected",
    ] {
        assert!(checked.text.contains(line), "{line}: {}", checked.text);
    }
    assert!(!checked.text.contains("it stands"), "{}", checked.text);
    let checked = try_say(patient, &["record", "verify", &old]).await.unwrap();
    let by = format!(": record {newest} is what stands now");
    let line = checked
        .text
        .lines()
        .find(|line| line.contains("correction:"));
    let line = line.unwrap();
    assert!(
        line.contains("its author corrected it at ") && line.contains(&by),
        "{line}"
    );
}
