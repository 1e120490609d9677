//! A researcher is given nothing for treatment that nobody said.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::Pace;
use medibloc_journey::memory::World;
use medibloc_record::Role;
use two::{Two, party, refused, say, text, try_say, with_ports};

#[tokio::test]
async fn what_a_researcher_reads_for_is_said() {
    let world = World::new(1210);
    let two = Two::new(&world).await;
    let researcher = party(&world, 5, Role::Researcher);
    two.know(&world, &researcher).await;
    let record = two.accepted().await;
    let give = ["grant", "create", "--to", "reader", "--record", &record];
    let told = refused(&two.patient, &give, code::USAGE).await;
    for part in [
        "is accredited as a researcher",
        "--purpose research",
        "family-request",
        "Nothing was given",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let given = say(&two.patient, &["grant", "list"]).await;
    assert_eq!(given["given"], serde_json::json!([]));
    say(
        &two.patient,
        &[&give[..], &["--purpose", "research"]].concat(),
    )
    .await;
    // Of whoever treats it need not be said.
    let clinic = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &clinic).await;
    let list = say(&two.patient, &["grant", "list"]).await;
    let list = list["given"].as_array().unwrap();
    let mut purposes: Vec<String> = list.iter().map(|one| text(one, "/purpose")).collect();
    purposes.sort();
    assert_eq!(purposes, ["research", "treatment"]);

    // Whoever reads sees for what.
    say(&researcher, &["sync"]).await;
    let read = try_say(&researcher, &["read", &record]).await.unwrap();
    assert_eq!(read.value["purpose"], "HRESCH");
    let of_it = list
        .iter()
        .find(|one| one["purpose"] == "research")
        .unwrap();
    assert_eq!(read.value["grant"], of_it["id"]);
    let told = format!("read on consent {}", &text(of_it, "/id")[..12]);
    assert!(
        read.text.contains(&told) && read.text.contains("HRESCH"),
        "{}",
        read.text
    );

    // It asks for research if it says nothing, and what it asks for treatment is not given without a word.
    let owner = text(
        &say(&researcher, &["contact", "list"]).await,
        "/owners/0/owner",
    );
    say(&researcher, &["request", "create", &owner]).await;
    say(&two.patient, &["sync"]).await;
    let asked = say(&two.patient, &["request", "list"]).await;
    assert_eq!(asked[0]["purpose"], "HRESCH");
    say(&two.patient, &["request", "deny", "reader"]).await;
    let treat = ["request", "create", &owner, "--purpose", "treatment"];
    say(&researcher, &treat).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "reader", "--all"];
    let told = refused(&two.patient, &approve, code::USAGE).await;
    for part in ["a researcher, and asks for treatment", "--yes"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let given = try_say(&two.patient, &[&approve[..], &["--yes"]].concat()).await;
    let given = given.unwrap();
    assert_eq!(given.value["researcherForTreatment"], true);
    assert!(given.text.contains("asks for treatment"), "{}", given.text);
}

/// Attacker: what was planned for treatment, and said again for research before another block, stayed for treatment.
#[tokio::test]
async fn an_offer_for_another_purpose_is_another_one() {
    let world = World::new(1211);
    let two = Two::new(&world).await;
    let researcher = party(&world, 5, Role::Researcher);
    two.know(&world, &researcher).await;
    let record = two.accepted().await;
    let mut ports = two.patient.ports().clone();
    ports.pace = Pace::PERSON;
    let patient = with_ports(ports, 1, Role::Person);
    let mut given = Vec::new();
    for purpose in ["treatment", "research"] {
        let give = ["grant", "create", "--to", "reader", "--record", &record];
        let meant = [&give[..], &["--purpose", purpose, "--yes"]].concat();
        given.push(text(&say(&patient, &meant).await, "/grant"));
    }
    assert_ne!(given[0], given[1]);
    let list = say(&patient, &["grant", "list"]).await;
    let list = list["given"].as_array().unwrap();
    for (id, purpose) in given.iter().zip(["treatment", "research"]) {
        let of = list.iter().find(|one| one["id"] == **id).unwrap();
        assert_eq!(of["purpose"], purpose);
    }
}
