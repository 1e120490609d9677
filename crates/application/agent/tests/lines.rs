//! What others say stays on its line: no title, reason or name makes a line of its own in any list.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{Invitation, Keepers, Mailbox, Network};
use medibloc_keys::SigningKey;
use medibloc_record::{Draft, LossReport, Role};
use medibloc_store::Store;
use two::{Two, say, text, try_say, with_ports};

const FORGED: &str = "0123abcd Seoul Emergency Centre";

#[tokio::test]
async fn what_others_say_stays_on_its_line() {
    let world = World::new(260);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let owner = two.clinic.patrons().unwrap().remove(0).owner;
    for end in ["\n", "\r", "\u{2028}", "\u{85}", "\u{b}"] {
        let until = world.ports().clock.now().plus(7 * 86_400);
        let hostile = format!("care{end}{FORGED}");
        let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document", "entry": [
            {"resource": {"resourceType": "Patient", "name": [{"text": hostile}]}}]});
        let mut draft = Draft::new(
            "application/cda+xml",
            hostile.clone().into_bytes(),
            bundle,
            LossReport::default(),
        );
        draft.title = Some(hostile.clone());
        two.clinic.write_for(owner, draft).await.unwrap();
        let asked = two.clinic.ask(owner, Purpose::Treatment, &hostile, until);
        asked.await.unwrap();
        let mut texts = vec![try_say(&two.patient, &["sync"]).await.unwrap().text];
        let requests = try_say(&two.patient, &["request", "list"]).await.unwrap();
        let request = text(&requests.value, "/0/id");
        texts.push(requests.text);
        let records = say(&two.patient, &["record", "list"]).await;
        let records = records.as_array().unwrap().iter();
        let mut live = records.filter(|record| record["state"] == "accepted");
        let record = text(live.next().unwrap(), "/record");
        let approve = ["request", "approve", &request, "--record", &record];
        texts.push(try_say(&two.patient, &approve).await.unwrap().text);
        try_say(&two.clinic, &["sync"]).await.unwrap();
        texts.push(try_say(&two.clinic, &["read", &record]).await.unwrap().text);
        for words in [
            ["sync"].as_slice(),
            &["status"],
            &["record", "list"],
            &["record", "list", "--written"],
            &["record", "show", &record],
            &["grant", "list"],
            &["request", "list"],
            &["contact", "list"],
            &["audit"],
        ] {
            for party in [&two.patient, &two.clinic] {
                if let Ok(answer) = try_say(party, words).await {
                    texts.push(answer.text);
                }
            }
        }
        let said: usize = texts.iter().filter(|text| text.contains(FORGED)).count();
        assert!(said > 5, "{said}");
        for line in texts
            .iter()
            .flat_map(|text| text.split(['\n', '\r', '\u{2028}', '\u{85}', '\u{b}']))
        {
            assert!(!line.trim_start().starts_with(FORGED), "{line}");
        }
        say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    }
    println!("ATTACK fourth-7: no line of their own with any of 5 ends of a line");
}

/// What is not seen made other words of a title, and piles of marks covered the lines around it.
#[tokio::test]
async fn titles_show_what_is_seen_and_cover_no_other_line() {
    let world = World::new(261);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let owner = two.clinic.patrons().unwrap().remove(0).owner;
    let pile: String = ('\u{300}'..='\u{36f}').collect();
    let world_s = "퇴원 요약 ผู้ป่วย क्षत्रिय مُلَخَّص 👩\u{200d}⚕\u{fe0f}";
    for (title, shown) in [
        (
            format!("Re{pile}port"),
            "Re\u{300}\u{301}\u{302}\u{303}port",
        ),
        (
            "Dis\u{ad}char\u{200b}ge\u{e0041}\u{fe0f}".to_owned(),
            "Discharge",
        ),
        (world_s.to_owned(), world_s),
    ] {
        let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document", "entry": []});
        let bytes = title.clone().into_bytes();
        let loss = LossReport::default();
        let mut draft = Draft::new("application/cda+xml", bytes, bundle, loss);
        draft.title = Some(title.clone());
        let written = two.clinic.write_for(owner, draft).await.unwrap();
        let record = written.record.to_string();
        let label = ["contact", "label", &two.owner, &title];
        try_say(&two.clinic, &label).await.unwrap();
        for (party, words) in [
            (&two.patient, ["sync"].as_slice()),
            (&two.patient, &["record", "list"]),
            (&two.patient, &["record", "show", &record]),
            (&two.clinic, &["record", "list", "--written"]),
            (&two.clinic, &["contact", "list"]),
        ] {
            let text = try_say(party, words).await.unwrap().text;
            let is_sync = words == ["sync"];
            assert!(is_sync || text.contains(shown), "{words:?}: {text}");
            let hidden = ['\u{ad}', '\u{200b}', '\u{e0041}', '\u{304}'];
            assert!(!text.contains(hidden), "{words:?}: {text}");
        }
    }
}

const ALARM: &str = "ALARM: your phrase was used on another device";

/// A party whose "own node" has any name.
struct Named(Arc<dyn Network>, String);

impl Network for Named {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.store(actor)
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.mailbox(actor, url)
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }

    fn own_node(&self) -> String {
        self.1.clone()
    }

    fn is_listed(&self, _: &str) -> bool {
        true
    }
}

/// Whoever has an open invitation says at which node it is, and is told of for as long as its card waits.
#[tokio::test]
async fn the_name_of_a_node_makes_no_line() {
    let world = World::new(262);
    let two = Two::new(&world).await;
    for (seed, node) in [
        (66, format!("http://10.0.0.1/ is\n{ALARM}\nits node x")),
        (67, "http://10.0.0.1/of-another-deployment".to_owned()),
    ] {
        let mut ports = world.ports();
        ports.network = Arc::new(Named(ports.network.clone(), node.clone()));
        let other = with_ports(ports, seed, Role::Person);
        other.register_account().await.unwrap();

        let invitation = text(
            &say(&two.patient, &["contact", "invite"]).await,
            "/invitation",
        );
        let parsed = Invitation::parse(&invitation).unwrap();
        other.answer(&parsed, None).await.unwrap();
        let is_url = !node.contains('\n');
        for words in [["sync"].as_slice(), &["status"]] {
            let said = try_say(&two.patient, words).await.unwrap().text;
            // One that may be listed in a newer file waits for that, the other for nothing.
            assert_eq!(said.contains(&node), is_url, "{said}");
            assert!(!said.contains(ALARM), "{said}");
        }

        let theirs = other.invite().await.unwrap().to_text();
        let accept = ["contact", "accept", &theirs];
        let told = try_say(&two.clinic, &accept).await.unwrap_err().message;
        assert!(!told.contains('\n') && !told.contains(ALARM), "{told}");
        assert_eq!(told.contains(&node), is_url, "{told}");
    }
    println!("ATTACK seventh-3: 0 lines by names of nodes");
}

/// The code of a section is a document's own word, as everything but the counts.
#[test]
fn a_document_makes_no_line_of_what_is_said_of_it() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda");
    let document = std::fs::read_to_string(root.join("consultation_note.xml")).unwrap();
    let hostile = "code=\"48765-2&#10;  0 lost&#13;&#x202e;\"";
    let document = document.replace("code=\"48765-2\"", hostile);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("note.xml");
    std::fs::write(&file, document).unwrap();
    let mut inspect = std::process::Command::new(env!("CARGO_BIN_EXE_medibloc"));
    let said = inspect.arg("inspect").arg(&file).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("section 48765-2 0 lost"), "{said}");
    assert!(
        !said
            .lines()
            .any(|line| line.trim_start().starts_with("0 lost")),
        "{said}"
    );
    assert!(!said.contains(['\r', '\u{202e}']), "{said:?}");
    println!("ATTACK seventh-7: 0 lines by the codes of sections");
}

/// What clap says of a wrong command line repeats words of it.
#[test]
fn a_wrong_command_line_is_repeated_without_what_turns_it() {
    let home = tempfile::tempdir().unwrap();
    let turned = "\u{202e}txt.exe";
    let forged = "a\nmedibloc: done\u{1b}[2K";
    for words in [
        ["--json", turned].as_slice(),
        &[turned],
        &[forged],
        &["record", "show", "x", &format!("--{turned}")],
        &["record", "show", "x", forged],
        &["audit", "--from", turned],
        &["audit", "--from", forged],
        &["grant", "create", "--to", "x", "--days", forged],
        &["init", "--deployment", "x", "--role", turned],
    ] {
        let mut wrong = std::process::Command::new(env!("CARGO_BIN_EXE_medibloc"));
        let said = wrong.env("MEDIBLOC_HOME", home.path()).args(words);
        let said = said.output().unwrap();
        assert_eq!(said.status.code(), Some(2), "{words:?}");
        let told = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
        assert!(!told.contains(['\u{202e}', '\u{1b}']), "{told:?}");
        assert!(
            !told.lines().any(|line| line.starts_with("medibloc: done")),
            "{told:?}"
        );
        // It is said all the same.
        assert!(
            told.contains("txt.exe") || told.contains("medibloc: done"),
            "{told:?}"
        );
    }
}
