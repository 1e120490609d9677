//! What strangers grant to a reader address that an owner was offered: it is known from the chain, and so is what the owner's own
//! consents to it look like.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an attack tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_consent::{BindingTag, Grant, Purpose, Scope, Terms};
use medibloc_evil::owner::{Owner, call};
use medibloc_journey::memory::World;
use medibloc_keys::{Entropy as _, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Event};
use medibloc_record::{AccountId, Digest, Nonce, Timestamp, keccak256};
use two::{Two, say, try_say};

/// What a giver's rows may be, and an address's.
const MOST: usize = 256;

async fn last_consent(world: &Arc<World>) -> Grant {
    let blocks = world.ports().events.events(0, 10_000).await.unwrap();
    let events = blocks.into_iter().flat_map(|block| block.events).rev();
    let mut grants = events.filter_map(|event| match event {
        Event::Granted(grant) => Some(grant),
        _ => None,
    });
    grants.next().unwrap()
}

/// Grants of strangers to one reader address, with objects that nobody has.
async fn flood(world: &Arc<World>, reader: AccountId, tag: BindingTag, (givers, each): (u64, u64)) {
    let ports = world.ports();
    for giver in 0..givers {
        let mut bytes = [0; 32];
        SeededEntropy::new(5000 + giver).fill(&mut bytes);
        let key = SigningKey::from_bytes(&bytes).unwrap();
        let me = AccountId::from_first_address(key.address());
        let evil = Owner::register(&ports, key, 66 + giver).await.unwrap();
        for number in 0..each {
            let random = keccak256(&(giver * 1_000_000 + number).to_be_bytes());
            let terms = Terms {
                scope: Scope::All,
                purpose_tag: Purpose::Treatment.tag(random),
                from: Timestamp(0),
                until: ports.clock.now().plus(10 * 365 * 86_400),
                reads: None,
                binding: tag,
                digest: Digest::new(random),
            };
            let grant = Grant::new(me, reader, Nonce::new(random), terms);
            let given = Call::Grant {
                grant,
                anchor: None,
            };
            call(&ports, &evil.key, &given).await.unwrap();
        }
    }
}

/// A clinic that may read one record, and 300 grants of three strangers to an address that the patient was offered.
async fn flooded(is_copied: bool) {
    let world = World::new(9300);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let by_clinic = two.written(&["--again"]).await;
    // It may be confirmed by itself.
    let _ = try_say(&two.patient, &["record", "confirm", &by_clinic]).await;
    let own = two.accepted().await;
    let give = ["grant", "create", "--to", "clinic", "--record"];
    say(&two.patient, &[give.as_slice(), &[&own]].concat()).await;
    assert_eq!(say(&two.clinic, &["sync"]).await["grants"], 1);
    let real = last_consent(&world).await;
    let tag = match is_copied {
        true => real.terms.binding,
        false => BindingTag::default(),
    };
    flood(&world, real.reader, tag, (3, 100)).await;
    // The first consent to another address that the patient was offered.
    say(&two.patient, &[give.as_slice(), &[&by_clinic]].concat()).await;
    let first = try_say(&two.clinic, &["sync"]).await.unwrap();
    assert_eq!(first.value["grants"], 1, "{}", first.text);
    say(&two.clinic, &["read", &own]).await;
    let mut rows = Vec::new();
    for days in [0, 1, 40, 1] {
        world.pass(days * 86_400);
        let answer = try_say(&two.clinic, &["sync"]).await.unwrap();
        assert_eq!(answer.code, 0, "after {days} days: {}", answer.text);
        assert!(answer.text.lines().count() < 6, "{}", answer.text);
        rows.push(two.clinic.ports().vault.list("missed").unwrap().len());
    }
    println!(
        "ATTACK ninth-3: {} rows wait after 300 grants of three strangers to an offered address, every sync ends well",
        rows[0]
    );
    assert!(rows.iter().all(|count| *count <= MOST), "{rows:?}");
    assert!(rows[3] < rows[0], "none expires: {rows:?}");
}

#[tokio::test]
async fn grants_without_a_tag_to_an_offered_address_are_strangers() {
    flooded(false).await;
}

#[tokio::test]
async fn grants_with_a_tag_of_the_chain_are_strangers() {
    flooded(true).await;
}
