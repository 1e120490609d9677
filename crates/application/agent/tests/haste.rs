//! What haste shows is said before anything is signed: reading and asking at a calm pace need `--now --yes`.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use medibloc_agent::answer::code;
use medibloc_agent::{Answer, Command, Problem, run};
use medibloc_journey::memory::World;
use medibloc_journey::{Pace, Party, Sooner};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Event, Events as _};
use medibloc_record::Role;
use serde_json::Value;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

async fn try_say(party: &Party, words: &[&str]) -> Result<Answer, Problem> {
    let line = Line::try_parse_from([&["medibloc"], words].concat()).unwrap();
    run::run(party, None, &line.command).await
}

async fn say(party: &Party, words: &[&str]) -> Value {
    try_say(party, words).await.unwrap().value
}

/// Refused as not meant; gives what is said.
async fn held_back(party: &Party, words: &[&str]) -> String {
    let problem = try_say(party, words).await.unwrap_err();
    assert_eq!(problem.code, code::USAGE, "{}", problem.message);
    problem.message
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

fn document() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    files.sort();
    files.remove(0)
}

fn party(world: &Arc<World>, seed: u64, role: Role, pace: Pace) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    let mut ports = world.ports();
    ports.pace = pace;
    Party::new(phrase.seed(), role, ports)
}

/// An accredited clinic that is paired with the patient; gives the patient's address for it.
async fn clinic(world: &Arc<World>, patient: &Party, seed: u64, name: &str) -> (Party, String) {
    let folder = tempfile::tempdir().unwrap();
    let clinic = party(world, seed, Role::Provider, Pace::PROVIDER);
    say(&clinic, &["account", "register"]).await;
    let credential = folder.path().join("credential.jwt");
    std::fs::write(&credential, world.accredit(clinic.account().id(), name)).unwrap();
    let credential = credential.to_str().unwrap();
    say(&clinic, &["account", "credential", credential]).await;
    let invitation = text(&say(patient, &["contact", "invite"]).await, "/invitation");
    say(&clinic, &["contact", "accept", &invitation]).await;
    say(patient, &["sync"]).await;
    say(patient, &["contact", "confirm", name]).await;
    let owner = text(&say(&clinic, &["contact", "list"]).await, "/owners/0/owner");
    (clinic, owner)
}

async fn count(world: &World, fits: fn(&Event) -> bool) -> usize {
    let blocks = world.ledger.events(0, u32::MAX).await.unwrap();
    let events = blocks.iter().flat_map(|block| &block.events);
    events.filter(|event| fits(event)).count()
}

#[tokio::test]
async fn reading_and_asking_in_haste_say_first_what_they_show() {
    let world = World::new(91);
    let patient = party(&world, 1, Role::Person, Pace::PERSON);
    let (hana, owner) = clinic(&world, &patient, 2, "Hana Hospital").await;
    let (bit, bits_owner) = clinic(&world, &patient, 3, "Bit Clinic").await;
    // A permission to write names the provider for ever, and that is said before anything is kept.
    let write = ["grant", "create", "--to", "hana", "--write", "--now"];
    let told = held_back(&patient, &write).await;
    for part in ["for ever", "written for by this provider", "--now --yes"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(patient.write_grants().unwrap().is_empty());
    // One address of the patient acts: that it belongs to others shows nobody.
    say(
        &patient,
        &[
            "grant", "create", "--to", "hana", "--write", "--now", "--yes",
        ],
    )
    .await;
    let file = document();
    let words = [
        "record",
        "import",
        file.to_str().unwrap(),
        "--for",
        &owner,
        "--yes",
    ];
    let record = text(&say(&hana, &words).await, "/record");
    say(&patient, &["sync"]).await;

    // Four reader addresses were offered at pairing.
    say(&bit, &["request", "create", &bits_owner]).await;
    say(&patient, &["sync"]).await;
    let request = text(&say(&patient, &["request", "list"]).await, "/0/id");
    let words = ["request", "approve", &request, "--record", &record, "--now"];
    say(&patient, &words).await;
    say(&bit, &["sync"]).await;

    let opened = |event: &Event| matches!(event, Event::ReadOpened { .. });
    for words in [["read", &record].as_slice(), &["read", &record, "--now"]] {
        let said = held_back(&bit, words).await;
        assert!(said.contains("the hour of it is seen"), "{said}");
        assert!(
            said.contains("--now --yes") && said.contains("--later"),
            "{said}"
        );
    }
    assert_eq!(
        count(&world, opened).await,
        0,
        "it said so before it signed"
    );
    say(&bit, &["read", &record, "--now", "--yes"]).await;
    assert_eq!(count(&world, opened).await, 1);
    // The copy that is kept asks the chain nothing.
    say(&bit, &["read", &record, "--kept"]).await;
    assert_eq!(count(&world, opened).await, 1);

    // One of the four is used, and none was registered ahead yet.
    let registered = |event: &Event| matches!(event, Event::Registered { .. });
    let before = count(&world, registered).await;
    let again = ["request", "create", &bits_owner, "--reason", "follow-up"];
    let said = held_back(&bit, &again).await;
    assert!(
        said.contains("1 more are registered at this hour"),
        "{said}"
    );
    assert_eq!(count(&world, registered).await, before);
    say(&bit, &[again.as_slice(), &["--now", "--yes"]].concat()).await;
    assert_eq!(count(&world, registered).await, before + 1);

    // Days later a pool stands ready, and asking shows nothing.
    for _ in 0..6 * 48 {
        world.pass(1_800);
        bit.catch_up().await.unwrap();
    }
    let before = count(&world, registered).await;
    say(
        &bit,
        &["request", "create", &bits_owner, "--reason", "later"],
    )
    .await;
    assert_eq!(count(&world, registered).await, before);
}

/// Newcomer N2: exit 2 said that it must be meant, and the consents to everything were kept and went later.
#[tokio::test]
async fn consents_that_are_held_back_are_neither_given_nor_planned() {
    for answers in [false, true] {
        let world = World::new(93);
        let patient = party(&world, 1, Role::Person, Pace::PERSON);
        clinic(&world, &patient, 2, "Hana Hospital").await;
        let (bit, bits_owner) = clinic(&world, &patient, 3, "Bit Clinic").await;
        let ask = ["request", "create", &bits_owner, "--days", "60"];
        say(&bit, &ask).await;
        say(&patient, &["sync"]).await;
        let give: &[&str] = if answers {
            &["request", "approve", "bit", "--all"]
        } else {
            &["grant", "create", "--to", "bit", "--all"]
        };
        let planned = say(&patient, &["status"]).await["planned"].clone();
        let hurried = [give, &["--now"]].concat();
        let said = held_back(&patient, &hurried).await;
        assert!(said.contains("2 of your addresses act"), "{said}");
        assert!(said.contains("nothing of it is given or planned"), "{said}");
        let given = say(&patient, &["grant", "list"]).await;
        assert_eq!(given["given"], serde_json::json!([]), "{give:?}");
        assert_eq!(say(&patient, &["status"]).await["planned"], planned);
        for _ in 0..20 * 48 {
            world.pass(1_800);
            patient.catch_up().await.unwrap();
        }
        let granted = |event: &Event| matches!(event, Event::Granted(_));
        assert_eq!(count(&world, granted).await, 0, "{give:?}");
        let meant = [hurried.as_slice(), &["--yes"]].concat();
        say(&patient, &meant).await;
        assert_eq!(count(&world, granted).await, 2, "{give:?}");
    }
}

/// Newcomer N10: spare registrations were counted as revocations, and their days told as the hour.
#[tokio::test]
async fn taking_back_everything_later_counts_revocations_alone_and_names_who_still_may() {
    let world = World::new(94);
    let patient = party(&world, 1, Role::Person, Pace::PERSON);
    let revoke = ["grant", "revoke", "--everything"];
    let told = try_say(&patient, &revoke).await.unwrap();
    assert_eq!(told.value["waiting"], 0);
    assert!(
        told.text.contains("nothing is to be taken back"),
        "{}",
        told.text
    );
    for (seed, name) in [(2, "Hana"), (3, "Bit"), (4, "Cedar")] {
        clinic(&world, &patient, seed, name).await;
        let words = ["grant", "create", "--to", name, "--write", "--now", "--yes"];
        say(&patient, &words).await;
    }
    assert!(!patient.planned().unwrap().is_empty(), "spare addresses");
    let later = [revoke.as_slice(), &["--later"]].concat();
    let (told, now) = (
        try_say(&patient, &later).await.unwrap(),
        world.ports().clock.now(),
    );
    assert_eq!(told.value["waiting"], 2, "{}", told.text);
    assert!(told.text.contains("2 of your addresses"), "{}", told.text);
    assert!(!told.text.contains("every consent is taken back"));
    let planned = patient.planned_of(&Sooner::Revocations).unwrap();
    let last = planned.last().unwrap().due;
    assert!(last.since(now) <= 3_600);
    let last = moment(last);
    assert!(told.text.contains(&last), "{}", told.text);
    // Whoever can still write is named, with the time; nobody else is.
    let live: Vec<String> = say(&patient, &["grant", "list"]).await["given"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|given| given["state"] == "ending")
        .map(|given| text(given, "/name"))
        .collect();
    assert_eq!(live.len(), 2);
    for name in ["Hana", "Bit", "Cedar"] {
        let line = format!("{name} may write until ");
        let is_live = live.iter().any(|live| live == name);
        assert_eq!(told.text.contains(&line), is_live, "{name}: {}", told.text);
    }
    let still = told.value["still"].as_array().unwrap();
    assert_eq!(still.len(), 2);
    assert_eq!(text(&still[1], "/until"), last);
    world.pass(3_600);
    say(&patient, &["sync"]).await;
    for words in [
        later.as_slice(),
        &revoke,
        &[revoke.as_slice(), &["--now"]].concat(),
    ] {
        let told = try_say(&patient, words).await.unwrap();
        assert_eq!(told.value["waiting"], 0);
        assert!(
            told.text.contains("nothing is to be taken back"),
            "{}",
            told.text
        );
    }
}

/// A contact that reads under one address and writes under another was named twice.
#[tokio::test]
async fn taking_back_later_names_each_contact_once() {
    let mut both = 0;
    for seed in 120..126 {
        let world = World::new(seed);
        let patient = party(&world, 1, Role::Person, Pace::NOW);
        for (seed, name) in [(2, "Hana"), (3, "Bit")] {
            clinic(&world, &patient, seed, name).await;
            say(&patient, &["grant", "create", "--to", name, "--write"]).await;
        }
        let file = document();
        let written = say(&patient, &["record", "import", file.to_str().unwrap()]).await;
        say(&patient, &["sync"]).await;
        let record = text(&written, "/record");
        let read = ["grant", "create", "--to", "Hana", "--record", &record];
        for days in ["3", "9"] {
            say(&patient, &[read.as_slice(), &["--days", days]].concat()).await;
        }
        let mut ports = patient.ports().clone();
        ports.pace = Pace::PERSON;
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let calm = Party::new(phrase.seed(), Role::Person, ports);
        let later = ["grant", "revoke", "--everything", "--later"];
        let told = try_say(&calm, &later).await.unwrap();
        for name in ["Hana", "Bit"] {
            let lines = told
                .text
                .lines()
                .filter(|line| line.contains(&format!("{name} may ")));
            assert!(lines.count() <= 1, "{}", told.text);
        }
        let still = told.value["still"].as_array().unwrap();
        let is_both = |it: &&Value| it["readsUntil"].is_string() && it["writesUntil"].is_string();
        both += still.iter().filter(is_both).count();
    }
    assert!(
        both > 0,
        "no round left both of one contact's addresses for later"
    );
}

fn moment(at: medibloc_record::Timestamp) -> String {
    let at = jiff::Timestamp::from_second(i64::try_from(at.0).unwrap()).unwrap();
    at.to_string()
}

/// Newcomer: "one address has taken back everything" was said of an address that had given nothing, while all stood.
#[tokio::test]
async fn taking_back_everything_is_done_when_it_says_so() {
    for seed in [111, 112, 113] {
        let world = World::new(seed);
        let patient = party(&world, 1, Role::Person, Pace::PERSON);
        let mut owners = Vec::new();
        for (seed, name) in [(2, "Hana"), (3, "Bit"), (4, "Cedar"), (5, "Dana")] {
            let (_, owner) = clinic(&world, &patient, seed, name).await;
            owners.push(owner);
        }
        // Only one of four gave anything.
        let words = [
            "grant", "create", "--to", "Cedar", "--write", "--now", "--yes",
        ];
        say(&patient, &words).await;
        let revoke = ["grant", "revoke", "--everything"];
        let told = try_say(&patient, &revoke).await.unwrap();
        assert_eq!(told.value["waiting"], 0, "{}", told.text);
        assert!(
            told.text.starts_with("every consent is taken back"),
            "{}",
            told.text
        );
        let blocks = world.ledger.events(0, u32::MAX).await.unwrap();
        let events = blocks.iter().flat_map(|block| &block.events);
        let ended: Vec<String> = events
            .filter_map(|event| match event {
                Event::AllRevoked { owner } => Some(owner.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(ended, owners[2..3], "the one with the consent, no other");
        let given = say(&patient, &["grant", "list"]).await;
        assert_eq!(text(&given, "/given/0/state"), "revoked");
    }
}

/// What no pace puts off links as much as what goes in haste: it is said before it is signed.
#[tokio::test]
async fn erasing_and_changing_keys_under_several_addresses_in_a_day_say_first_what_they_show() {
    let world = World::new(97);
    let patient = party(&world, 1, Role::Person, Pace::PERSON);
    let mut owners = Vec::new();
    let mut records = Vec::new();
    for (seed, name) in [(2, "Hana"), (3, "Bit")] {
        let (clinic, owner) = clinic(&world, &patient, seed, name).await;
        let words = ["grant", "create", "--to", name, "--write", "--now", "--yes"];
        say(&patient, &words).await;
        say(&clinic, &["sync"]).await;
        for again in [0, 1] {
            let file = document();
            let file = file.to_str().unwrap();
            let import = [
                "record", "import", file, "--for", &owner, "--yes", "--again",
            ];
            let written = say(&clinic, &import).await;
            records.push((owner.clone(), again, text(&written, "/record")));
        }
        owners.push(owner);
    }
    say(&patient, &["sync"]).await;
    let erased = async || count(&world, |event| matches!(event, Event::Erased { .. })).await;
    let keys = async || {
        count(&world, |event| {
            matches!(event, Event::SealingKeyRotated { .. })
        })
        .await
    };
    let of = |owner: &str, which: usize| {
        let mut found = records.iter().filter(|(of, _, _)| of == owner);
        found.nth(which).unwrap().2.clone()
    };
    let (first, second) = (&owners[0], &owners[1]);
    // Under one address, as many as one likes.
    say(&patient, &["record", "erase", &of(first, 0), "--yes"]).await;
    say(&patient, &["record", "erase", &of(first, 1), "--yes"]).await;
    let other = of(second, 0);
    for words in [
        ["record", "erase", &other].as_slice(),
        &["record", "erase", &other, "--yes"],
        &["account", "rotate", second],
        &["account", "rotate", second, "--now"],
    ] {
        let told = held_back(&patient, words).await;
        assert!(
            told.contains("2 of your addresses act at the same time"),
            "{words:?}: {told}"
        );
        assert!(told.contains("--now"), "{words:?}: {told}");
        assert_eq!((erased().await, keys().await), (2, 0), "{words:?}");
    }
    // If it cannot wait, it goes; on another day nobody asks.
    say(&patient, &["record", "erase", &other, "--yes", "--now"]).await;
    assert_eq!(erased().await, 3);
    world.pass(2 * 86_400);
    say(&patient, &["account", "rotate", first]).await;
    assert_eq!(keys().await, 1);
    held_back(&patient, &["record", "erase", &of(second, 1), "--yes"]).await;
    say(&patient, &["account", "rotate", second, "--now", "--yes"]).await;
    assert_eq!(keys().await, 2);
}

/// Newcomer N17: "0 accepted" was all that was said of eight new records, and one that waits was "not to be trusted".
#[tokio::test]
async fn new_records_are_told_with_when_they_are_accepted() {
    let world = World::new(95);
    let patient = party(&world, 1, Role::Person, Pace::PERSON);
    let (hana, owner) = clinic(&world, &patient, 2, "Hana").await;
    let words = [
        "grant", "create", "--to", "hana", "--write", "--now", "--yes",
    ];
    say(&patient, &words).await;
    let file = document();
    let file = file.to_str().unwrap();
    let words = ["record", "import", file, "--for", &owner, "--yes"];
    let record = text(&say(&hana, &words).await, "/record");
    let told = try_say(&patient, &["sync"]).await.unwrap();
    let due = text(&told.value, "/new/0/acceptedBy");
    assert_eq!(text(&told.value, "/new/0/record"), record);
    assert!(
        told.text.starts_with(&format!(
            "1 new, accepted at random times until {due}; 0 accepted"
        )),
        "{}",
        told.text
    );
    let shown = try_say(&patient, &["record", "show", &record])
        .await
        .unwrap();
    assert!(shown.text.contains(&due), "{}", shown.text);
    let told = try_say(&patient, &["sync"]).await.unwrap();
    assert!(told.text.starts_with("0 accepted"), "said once");

    // Its acceptance goes with the first consent; before a sync has seen that, it is given again.
    say(&hana, &["request", "create", &owner]).await;
    say(&patient, &["sync"]).await;
    let approve = ["request", "approve", "hana", "--record", &record, "--now"];
    say(&patient, &approve).await;
    let longer = ["grant", "create", "--to", "hana", "--record", &record];
    let longer = [longer.as_slice(), &["--now", "--days", "90"]].concat();
    say(&patient, &longer).await;

    // One that waits for keepers is no matter of trust.
    for index in 1..=6 {
        world.set_down(index, true);
    }
    let mut other = std::fs::read(file).unwrap();
    other.push(b'\n');
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("other.xml");
    std::fs::write(&changed, other).unwrap();
    let words = [
        "record",
        "import",
        changed.to_str().unwrap(),
        "--yes",
        "--for",
        &owner,
    ];
    let record = text(&say(&hana, &words).await, "/record");
    let synced = try_say(&patient, &["sync"]).await.unwrap();
    assert_eq!(synced.code, code::PARTIAL, "{}", synced.text);
    let give = ["grant", "create", "--to", "hana", "--record", &record];
    let problem = try_say(&patient, &give).await.unwrap_err();
    assert_eq!(problem.code, code::REFUSED);
    assert!(
        problem.message.contains("too few keepers") && problem.message.contains("medibloc sync"),
        "{}",
        problem.message
    );
}

/// Newcomer: "unfinished: accept record …: too few keepers have their share yet", of a record that was accepted just then.
#[tokio::test]
async fn a_record_that_was_accepted_with_its_consent_is_not_said_to_wait_for_keepers() {
    let world = World::new(98);
    let patient = party(&world, 1, Role::Person, Pace::PERSON);
    let (hana, owner) = clinic(&world, &patient, 2, "Hana").await;
    let words = [
        "grant", "create", "--to", "hana", "--write", "--now", "--yes",
    ];
    say(&patient, &words).await;
    let file = document();
    let words = [
        "record",
        "import",
        file.to_str().unwrap(),
        "--for",
        &owner,
        "--yes",
    ];
    let record = text(&say(&hana, &words).await, "/record");
    say(&patient, &["sync"]).await;
    say(&hana, &["request", "create", &owner]).await;
    say(&patient, &["sync"]).await;
    let planned = try_say(&patient, &["status"]).await.unwrap().text;
    assert!(!planned.contains("too few keepers"), "{planned}");
    let approve = ["request", "approve", "hana", "--record", &record, "--now"];
    say(&patient, &approve).await;
    let status = try_say(&patient, &["status"]).await.unwrap();
    assert!(!status.text.contains("too few keepers"), "{}", status.text);
    assert_eq!(
        status.value["unfinished"],
        serde_json::json!([]),
        "{}",
        status.text
    );
    assert_eq!(status.value["records"]["accepted"], 1, "{}", status.text);
    let shown = try_say(&patient, &["record", "show", &record]).await;
    let shown = shown.unwrap().text;
    assert!(!shown.contains("keepers"), "{shown}");
    assert!(shown.contains("\naccepted"), "{shown}");
    say(&patient, &["sync"]).await;
    assert_eq!(say(&patient, &["status"]).await["records"]["accepted"], 1);
}

#[tokio::test]
async fn a_home_that_puts_nothing_off_has_said_so_once() {
    let world = World::new(92);
    let patient = party(&world, 1, Role::Person, Pace::NOW);
    let (clinic, owner) = {
        let (mut ports, invitation) = (world.ports(), patient.invite().await.unwrap());
        ports.pace = Pace::NOW;
        let phrase = Phrase::generate(&mut SeededEntropy::new(2), Language::English);
        let clinic = Party::new(phrase.seed(), Role::Provider, ports);
        clinic.register_account().await.unwrap();
        let answered = clinic.answer(&invitation, None).await.unwrap();
        (clinic, answered.owner)
    };
    assert_eq!(clinic.haste_of_asking(owner).unwrap(), []);
    assert_eq!(clinic.haste_of_reading(&[]).unwrap(), []);
}
