//! What a home says of itself: what a provider wrote for others, which address holds records, and a clock that is wrong.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_journey::{Clock, Keepers, Mailbox, Network, PortError};
use medibloc_keys::SigningKey;
use medibloc_record::{Role, Timestamp};
use medibloc_store::Store;
use two::{Two, refused, say, text, try_say, with_ports};

/// A provider that wrote many records was told that it has none.
#[tokio::test]
async fn a_provider_sees_what_it_wrote_and_what_became_of_it() {
    let world = World::new(221);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let file = two.document();
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        ids.push(text(&say(&two.clinic, &import).await, "/record"));
    }
    let file = two.document();
    let import = [
        "record", "import", &file, "--for", &two.owner, "--yes", "--amends", &ids[0],
    ];
    let amending = text(&say(&two.clinic, &import).await, "/record");
    let states = async || {
        let list = try_say(&two.clinic, &["record", "list", "--written"]).await;
        let list = list.unwrap();
        let of = |id: &String| {
            let rows = list.value.as_array().unwrap();
            let row = rows.iter().find(|row| row["record"] == **id).unwrap();
            assert_eq!(row["owner"], *two.owner);
            text(row, "/state")
        };
        (
            ids.iter().chain([&amending]).map(of).collect::<Vec<_>>(),
            list,
        )
    };
    assert_eq!(states().await.0, vec!["not accepted yet"; 4]);
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "erase", &ids[1], "--yes"]).await;
    let (told, _) = states().await;
    assert_eq!(told, ["accepted", "erased", "accepted", "accepted"]);
    // A sync changes nothing about it.
    say(&two.clinic, &["sync"]).await;
    let (told, list) = states().await;
    assert_eq!(told, ["accepted", "erased", "accepted", "accepted"]);
    for part in [
        "Health Consult Note",
        &two.owner,
        "corrected",
        "erased by its owner",
        "20",
    ] {
        assert!(list.text.contains(part), "{part}: {}", list.text);
    }

    let plain = try_say(&two.clinic, &["record", "list"]).await.unwrap();
    assert!(
        plain.text.contains("3 records were written for others"),
        "{}",
        plain.text
    );
    let shown = try_say(&two.clinic, &["record", "show", &ids[0][..10]])
        .await
        .unwrap();
    assert_eq!(text(&shown.value, "/state"), "accepted");
    assert_eq!(text(&shown.value, "/amendedBy/0"), amending);
    let status = try_say(&two.clinic, &["status"]).await.unwrap();
    assert_eq!(status.value["others"]["owners"], 1);
    assert_eq!(status.value["others"]["recordsWritten"], 3);
    assert!(
        status.text.contains("1 owner invited you"),
        "{}",
        status.text
    );
}

/// After another accreditation every request of an old pairing was dropped at the patient, and the provider was told "asked".
#[tokio::test]
async fn a_request_carries_the_newest_credential_and_one_that_is_older_than_the_chain_s_is_told() {
    let world = World::new(224);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let renew = |name: &str| {
        world.pass(60);
        let jwt = world.accredit(two.clinic.account().id(), name);
        let path = two.folder.path().join("newer");
        std::fs::write(&path, jwt).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let newer = renew("Clinic");
    let ask = ["request", "create", &two.owner];
    let told = refused(&two.clinic, &ask, code::REFUSED).await;
    for part in [
        "accredited this account again",
        "nothing was asked",
        "medibloc account credential",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(world.letters().is_empty(), "nothing left");
    say(&two.clinic, &["account", "credential", &newer]).await;
    say(&two.clinic, &ask).await;
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    assert!(!synced.text.contains("digest"), "{}", synced.text);
    let approve = ["request", "approve", "clinic", "--record", &record];
    say(&two.patient, &approve).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;

    // The person said yes to a name: another one is read and confirmed again.
    let other = renew("Other Clinic");
    say(&two.clinic, &["account", "credential", &other]).await;
    say(
        &two.clinic,
        &["request", "create", &two.owner, "--reason", "again"],
    )
    .await;
    say(&two.patient, &["sync"]).await;
    let contacts = say(&two.patient, &["contact", "list"]).await;
    assert_eq!(text(&contacts, "/contacts/0/name"), "Other Clinic");
    assert_eq!(contacts["contacts"][0]["confirmed"], false);
}

/// `account rotate` alone said that it changed the key of 0 records, and not where the records are.
#[tokio::test]
async fn a_rotation_without_an_address_says_where_the_records_are() {
    let world = World::new(222);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let owner = text(
        &say(&two.patient, &["record", "show", &record]).await,
        "/owner",
    );
    let told = refused(&two.patient, &["account", "rotate"], code::USAGE).await;
    for part in [owner.as_str(), "holds 1 record;", "account rotate ADDRESS"] {
        assert!(told.contains(part), "{told}");
    }
    say(&two.patient, &["account", "register", "--yes"]).await;
    let told = try_say(&two.patient, &["account", "rotate"]).await.unwrap();
    assert_eq!(told.value["replaced"], 0);
    for part in [owner.as_str(), "holds 1 record;", "account rotate ADDRESS"] {
        assert!(told.text.contains(part), "{}", told.text);
    }
}

struct At(Timestamp);

#[async_trait::async_trait]
impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }

    async fn wait(&self, time: std::time::Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A network whose node tells its time.
struct Timed(Arc<dyn Network>, Timestamp);

#[async_trait::async_trait]
impl Network for Timed {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.store(actor)
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.mailbox(actor, url)
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }

    async fn time(&self) -> Result<Option<Timestamp>, PortError> {
        Ok(Some(self.1))
    }

    fn own_node(&self) -> String {
        self.0.own_node()
    }
}

/// Under a wrong clock the consent was kept, and given when nobody thought of it any more.
#[tokio::test]
async fn a_wrong_clock_gives_nothing_and_keeps_nothing() {
    let world = World::new(223);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let right = two.patient.ports().clock.now();
    for (wrong, tells) in [
        (Timestamp(right.0 + 7_200), true),
        (Timestamp(right.0 - 7_200), true),
        (Timestamp(right.0 - 7_200), false),
    ] {
        let mut ports = two.patient.ports().clone();
        ports.clock = Arc::new(At(wrong));
        if tells {
            ports.network = Arc::new(Timed(ports.network.clone(), right));
        }
        let astray = with_ports(ports, 1, Role::Person);
        for words in [
            ["grant", "create", "--to", "clinic", "--record", &record].as_slice(),
            &["grant", "create", "--to", "clinic", "--write"],
            &["grant", "create", "--to", "clinic", "--all"],
            &["request", "approve", "clinic", "--record", &record],
        ] {
            let told = refused(&astray, words, code::UNREACHABLE).await;
            assert!(told.contains("set the clock"), "{words:?}: {told}");
            assert!(told.contains("nothing is kept"), "{words:?}: {told}");
        }
        let list = say(&two.patient, &["grant", "list"]).await;
        assert_eq!(list["given"], serde_json::json!([]));
        let status = say(&two.patient, &["status"]).await;
        assert_eq!(status["unfinished"], serde_json::json!([]));
    }
}
