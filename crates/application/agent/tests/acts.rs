//! What own accounts did and this device did not: told by `sync`, `status`, `doctor` and `account acts`, until the person says
//! that it was an own device.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use medibloc_agent::answer::code;
use medibloc_agent::{Answer, Command, Problem, run};
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;

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

fn phrase() -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(1), Language::English)
}

fn count(answer: &Answer) -> usize {
    answer.value["acts"].as_array().unwrap().len()
}

/// A person's device with an own record, and another that was restored from the phrase.
async fn two_devices(world: &Arc<World>) -> (Party, Party, String) {
    let person = Party::new(phrase().seed(), Role::Person, world.ports());
    say(&person, &["sync"]).await;
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda/consultation_note.xml");
    let written = say(&person, &["record", "import", file.to_str().unwrap()]).await;
    let synced = say(&person, &["sync"]).await;
    assert_eq!((synced.code, count(&synced)), (0, 0));
    let restored = Party::restore(&phrase(), Role::Person, world.ports()).await;
    let record = written.value["record"].as_str().unwrap().to_owned();
    (person, restored.unwrap().0, record)
}

#[tokio::test]
async fn acts_that_this_device_did_not_make_are_told_everywhere_until_they_are_said_to_be_the_own()
{
    let world = World::new(901);
    let (person, other, record) = two_devices(&world).await;
    for words in [["sync"].as_slice(), &["status"], &["account", "acts"]] {
        assert_eq!(
            count(&say(&other, words).await),
            0,
            "{words:?}: a restored home tells nothing"
        );
    }
    say(&other, &["record", "erase", &record, "--yes"]).await;
    let synced = say(&person, &["sync"]).await;
    assert_eq!(count(&synced), 1);
    let what = synced.value["acts"][0]["what"].as_str().unwrap();
    assert_eq!(what, format!("record {record} was erased"));
    let told = "ALARM: 1 act of your account that this device did not make";
    for words in [["sync"].as_slice(), &["status"], &["account", "acts"]] {
        let answer = say(&person, words).await;
        assert_eq!(count(&answer), 1, "{words:?}");
        assert!(answer.text.contains(what), "{}", answer.text);
        for next in ["account acts --mine", "revoke --everything", "a new phrase"] {
            assert!(answer.text.contains(next), "{words:?}: {}", answer.text);
        }
        assert_eq!(
            answer.text.contains(told),
            words[0] != "account",
            "{}",
            answer.text
        );
    }
    let sick = try_say(&person, &["doctor"]).await.unwrap_err();
    assert_eq!(sick.code, code::FAILED);
    assert!(
        sick.message.contains("FAIL acts: 1 act of your account"),
        "{sick}"
    );
    // One command; the device that did it has nothing to say.
    let mine = say(&person, &["account", "acts", "--mine"]).await;
    assert_eq!(mine.value["mine"], 1);
    for party in [&person, &other] {
        for words in [
            ["sync"].as_slice(),
            &["status"],
            &["account", "acts"],
            &["account", "acts", "--mine"],
        ] {
            let answer = say(party, words).await;
            assert_eq!(count(&answer), 0, "{words:?}");
            assert!(!answer.text.contains("ALARM"), "{}", answer.text);
        }
        say(party, &["doctor"]).await;
    }
    // What comes after it is told again.
    say(&other, &["contact", "invite"]).await;
    assert_eq!(count(&say(&person, &["sync"]).await), 1);
}

/// They said that this device made every act, and knew of those alone that a sync had taken.
#[tokio::test]
async fn who_vouches_for_this_device_asks_the_chain_first() {
    for (seed, first) in [(905, "account acts"), (906, "doctor")] {
        let (person, other, record) = two_devices(&World::new(seed)).await;
        let vouched = say(&person, &["account", "acts"]).await;
        assert!(vouched.text.contains("every act"), "{}", vouched.text);
        let block = vouched.value["asOf"]["block"].as_u64().unwrap();
        let as_of = format!(", as of block {block} (");
        assert!(vouched.text.contains(&as_of), "{}", vouched.text);
        let well = say(&person, &["doctor"]).await.text;
        assert!(well.contains(&as_of), "{well}");

        say(&other, &["record", "erase", &record, "--yes"]).await;
        if first == "doctor" {
            let sick = try_say(&person, &["doctor"]).await.unwrap_err();
            let told = "FAIL acts: 1 act of your account";
            assert!(sick.message.contains(told), "{sick}");
        }
        let acts = say(&person, &["account", "acts"]).await;
        assert_eq!(count(&acts), 1, "{}", acts.text);
        // The sync that takes the event tells it as well, and once.
        let synced = say(&person, &["sync"]).await;
        assert_eq!(count(&synced), 1, "{}", synced.text);
        // What this device did itself is none of it.
        say(&person, &["contact", "invite"]).await;
        for _ in 0..2 {
            assert_eq!(count(&say(&person, &["account", "acts"]).await), 1);
            say(&person, &["sync"]).await;
        }
    }
}

/// The program's own rotation was an alarm at the next sync of the device that had made it.
#[tokio::test]
async fn an_own_rotation_of_the_signing_key_is_no_alarm_here_and_none_after_a_restore() {
    let world = World::new(902);
    let (person, _, record) = two_devices(&world).await;
    let shown = say(&person, &["record", "show", &record]).await;
    let address = shown.value["owner"].as_str().unwrap().to_owned();
    say(&person, &["account", "register", "--yes"]).await;
    say(&person, &["sync"]).await;
    for words in [
        ["account", "rotate", "--signing"].as_slice(),
        &["account", "rotate", &address, "--signing"],
        &["account", "rotate", &address, "--signing"],
        &["account", "rotate", &address],
    ] {
        say(&person, words).await;
        for told in [["sync"].as_slice(), &["status"], &["account", "acts"]] {
            let answer = say(&person, told).await;
            assert_eq!(count(&answer), 0, "{words:?}: {}", answer.text);
            assert!(!answer.text.contains("ALARM"), "{}", answer.text);
        }
    }
    say(&person, &["doctor"]).await;
    let restored = Party::restore(&phrase(), Role::Person, world.ports()).await;
    let restored = restored.unwrap().0;
    for told in [["sync"].as_slice(), &["status"], &["account", "acts"]] {
        let answer = say(&restored, told).await;
        assert_eq!(count(&answer), 0, "{}", answer.text);
        assert!(!answer.text.contains("ALARM"), "{}", answer.text);
    }
}
