//! A researcher is given nothing for treatment that nobody said.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use medibloc_record::Role;
use two::{Two, party, refused, say, text, try_say};

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
