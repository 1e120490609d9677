//! What `serve` heard while no person looked is told by the next command, once and in the words of `sync`.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![cfg(unix)]

#[path = "support/two.rs"]
mod two;

use std::time::Duration;

use medibloc_agent::daemon::{self, Asked, Serving};
use medibloc_agent::home::Home;
use medibloc_agent::{Answer, Command};
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use tokio::sync::{mpsc, oneshot};
use two::{Two, say, text};

/// A home over which `serve` ran its first sync.
struct Served {
    home: Home,
    log: String,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn of(party: Party) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().to_owned());
        let (stop, stopped) = oneshot::channel::<()>();
        let (told, mut tells) = mpsc::unbounded_channel::<String>();
        let at = home.clone();
        let done = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            let tell = move |text: &str| {
                let _ = told.send(text.to_owned());
            };
            let serving = Serving::every(Duration::from_secs(3_600));
            daemon::serve(&at, party, None, serving, stop, tell)
                .await
                .unwrap();
        });
        let mut log = String::new();
        while let Some(line) = tells.recv().await {
            log.push_str(&line);
            log.push('\n');
            if line.starts_with("sync: ") {
                break;
            }
        }
        Self {
            home,
            log,
            stop,
            done,
            _folder: folder,
        }
    }

    async fn say(&self, command: &str) -> Answer {
        let command: Command = serde_json::from_str(command).unwrap();
        match daemon::ask(&self.home, &command).await {
            Asked::Done(answer) => answer.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The next command tells this line, the one after it does not; the log has the id and none of the words.
    async fn tells(self, begin: &str, id: &str, words: &[&str]) {
        // A list has no place for it in its values: it waits for an answer that has.
        let list = self
            .say(r#"{"record": {"list": {"written": false}}}"#)
            .await;
        assert!(list.value.is_array() && !list.text.contains("heard by"));
        let next = self.say(r#""status""#).await;
        let line = next.text.lines().find(|line| line.starts_with(begin));
        let line = line.unwrap_or_else(|| panic!("no «{begin}»: {}", next.text));
        assert!(
            line.contains(id) && line.contains(" (heard by `serve` at "),
            "{line}"
        );
        let heard = next.value["heard"].as_array().unwrap();
        let told = |row: &serde_json::Value| text(row, "/told").starts_with(begin);
        assert!(heard.iter().any(told), "{heard:?}");
        for word in words {
            assert!(line.contains(word), "{word}: {line}");
            assert!(!self.log.contains(word), "{word}: {}", self.log);
        }
        let logged = self.log.lines().find(|line| line.starts_with(begin));
        assert!(logged.unwrap_or_default().contains(id), "{}", self.log);
        let after = self.say(r#""sync""#).await;
        assert!(!after.text.contains(begin), "told twice: {}", after.text);
        assert!(after.value.get("heard").is_none(), "{}", after.value);
        self.stop.send(()).unwrap();
        self.done.await.unwrap();
    }
}

async fn writing(seed: u64) -> Two {
    let two = Two::new(&World::new(seed)).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    two
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retraction_that_serve_heard_is_told() {
    let two = writing(962).await;
    let record = two.written(&[]).await;
    let list = say(&two.patient, &["record", "list"]).await;
    let title = text(&list, "/0/title");
    say(&two.clinic, &["record", "retract", &record, "--yes"]).await;
    let served = Served::of(two.patient).await;
    served
        .tells("taken back by its author: ", &record, &[&title])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_that_serve_heard_is_told() {
    let two = writing(963).await;
    let record = two.written(&[]).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let amends = [import.as_slice(), &["--amends", &record]].concat();
    say(&two.clinic, &amends).await;
    let served = Served::of(two.patient).await;
    served
        .tells("corrected by its author: ", &record, &["«"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_of_what_it_wrote_that_serve_heard_is_told() {
    let two = writing(964).await;
    let label = ["contact", "label", &two.owner, "Bed 7"];
    say(&two.clinic, &label).await;
    let record = two.written(&[]).await;
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let served = Served::of(two.clinic).await;
    served
        .tells("erased by its owner: ", &record, &["Bed 7"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_consent_that_serve_heard_is_told_to_its_reader() {
    let world = World::new(965);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let record = two.accepted().await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    let held = say(&reader, &["grant", "list"]).await;
    let grant = text(&held, "/held/0/consent/id");
    say(&two.patient, &["grant", "revoke", &grant]).await;
    let served = Served::of(reader).await;
    served.tells("consent ended: ", &grant, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_that_followed_by_itself_under_serve_is_told() {
    let world = World::new(966);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    two.accepted().await;
    for (seed, name) in [(70, "Third"), (71, "Fourth")] {
        let other = two::party(&world, seed, medibloc_record::Role::Provider);
        say(&other, &["account", "register"]).await;
        let path = two.folder.path().join(name);
        std::fs::write(&path, world.accredit(other.account().id(), name)).unwrap();
        say(&other, &["account", "credential", path.to_str().unwrap()]).await;
        let invitation = text(
            &say(&two.patient, &["contact", "invite"]).await,
            "/invitation",
        );
        say(&other, &["contact", "accept", &invitation]).await;
        say(&two.patient, &["sync"]).await;
        say(&two.patient, &["contact", "confirm", name]).await;
    }
    let all = ["grant", "create", "--to", "reader", "--all", "--yes"];
    say(&two.patient, &all).await;
    // Its home sends more addresses, as any does.
    say(&reader, &["sync"]).await;
    let served = Served::of(two.patient).await;
    served
        .tells("consent that followed by itself: ", "0x", &["Reader"])
        .await;
}

/// The log of `serve` is no place for a title, and neither is what it keeps once the record is gone.
#[tokio::test]
async fn what_is_kept_of_an_erased_record_has_no_word_of_it() {
    let two = writing(969).await;
    let record = two.written(&[]).await;
    let kept = |title: &str| {
        format!("taken back by its author: your record {record}{title} (block 3): no")
    };
    two.patient
        .keep_unseen(vec![kept(" («a «b») c»)")], "`serve`")
        .unwrap();
    let erase = ["record", "erase", &record, "--yes"];
    let erased = two::try_say(&two.patient, &erase).await.unwrap();
    let told = erased.value["heard"][0]["told"].as_str();
    assert_eq!(told, Some(kept("").as_str()), "{}", erased.text);
    two.patient
        .keep_unseen(vec![kept(" («a «b») c»)")], "`serve`")
        .unwrap();
    let (told, more) = two.patient.take_unseen().unwrap();
    assert_eq!((told[0].told.clone(), more), (kept(""), 0));
}

#[tokio::test]
async fn lines_are_kept_once_in_order_within_a_bound_until_they_are_taken() {
    let party = two::party(&World::new(970), 1, medibloc_record::Role::Person);
    let line = |number: usize| format!("line {number}");
    let keep = |numbers: core::ops::Range<usize>| {
        let lines = numbers.map(line).collect();
        party.keep_unseen(lines, "`serve`").unwrap();
    };
    keep(0..999);
    keep(0..999);
    keep(999..1_002);
    let (told, more) = party.take_unseen().unwrap();
    let told: Vec<String> = told.into_iter().map(|row| row.told).collect();
    assert_eq!(told, (0..1_000).map(line).collect::<Vec<_>>());
    assert_eq!(more, 2);
    assert_eq!(party.take_unseen().unwrap(), (Vec::new(), 0));
}
