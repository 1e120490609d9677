//! Who sees an owner's call before its block, as its relay does, sees the tag of a reader address, and has an accomplice grant with it
//! first: the owner's own consent is taken all the same, and what the others gave is told in one line and expires.
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

/// Grants of some givers, each of so many, to one reader address, with objects that nobody has.
struct Flood {
    givers: u64,
    each: u64,
}

impl Flood {
    async fn pour(&self, world: &Arc<World>, (reader, binding): (AccountId, BindingTag)) {
        let ports = world.ports();
        for giver in 0..self.givers {
            let mut bytes = [0; 32];
            SeededEntropy::new(5000 + giver).fill(&mut bytes);
            let key = SigningKey::from_bytes(&bytes).unwrap();
            let me = AccountId::from_first_address(key.address());
            let evil = Owner::register(&ports, key, 66 + giver).await.unwrap();
            for number in 0..self.each {
                let random = keccak256(&(giver * 1_000_000 + number).to_be_bytes());
                let terms = Terms {
                    scope: Scope::All,
                    purpose_tag: Purpose::Treatment.tag(random),
                    from: Timestamp(0),
                    until: ports.clock.now().plus(10 * 365 * 86_400),
                    reads: None,
                    binding,
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
}

async fn last_consent(world: &Arc<World>) -> Grant {
    let blocks = world.ports().events.events(0, 10_000).await.unwrap();
    let events = blocks.into_iter().flat_map(|block| block.events).rev();
    let mut grants = events.filter_map(|event| match event {
        Event::Granted(grant) => Some(grant),
        _ => None,
    });
    grants.next().unwrap()
}

const GIVE: [&str; 5] = ["grant", "create", "--to", "clinic", "--record"];

/// What the patient's call will say: the same world once more, in which nobody is faster.
async fn seen(seed: u64) -> (AccountId, BindingTag) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &[GIVE.as_slice(), &[&record]].concat()).await;
    let given = last_consent(&world).await;
    (given.reader, given.terms.binding)
}

#[tokio::test]
async fn who_gives_first_with_a_tag_that_it_saw_keeps_nothing_from_its_reader() {
    let (mut kept_from, mut most) = (0, 0);
    for (seed, givers, each, synced_between) in [
        (10_301, 1, 600, false),
        (10_302, 4, 100, false),
        (10_303, 4, 100, true),
        (10_304, 40, 10, false),
    ] {
        let call = seen(seed).await;
        let world = World::new(seed);
        let two = Two::new(&world).await;
        let own = two.accepted().await;
        say(&two.clinic, &["sync"]).await;
        Flood { givers, each }.pour(&world, call).await;
        if synced_between {
            let answer = try_say(&two.clinic, &["sync"]).await.unwrap();
            assert!(answer.text.lines().count() < 6, "{}", answer.text);
        }
        say(&two.patient, &[GIVE.as_slice(), &[&own]].concat()).await;
        let real = last_consent(&world).await;
        assert_eq!((real.reader, real.terms.binding), call);
        let (mut syncs, mut rows, mut longest) = (None, Vec::new(), 0);
        for day in 0..6 {
            let answer = try_say(&two.clinic, &["sync"]).await.unwrap();
            longest = longest.max(answer.text.lines().count());
            rows.push(two.clinic.ports().vault.list("missed").unwrap().len());
            let read = try_say(&two.clinic, &["read", &own]).await;
            if syncs.is_none() && read.is_ok() {
                syncs = Some(day + 1);
            }
            world.pass(86_400);
        }
        kept_from += u8::from(syncs.is_none());
        most = most.max(longest);
        assert!(syncs.is_some_and(|syncs| syncs <= 3), "{syncs:?}");
        assert!(longest < 8, "{longest}");
        // Of strangers from then on: told in one line, within the bounds, and over after a while.
        for days in [31, 1, 1, 1, 1, 1, 1, 1] {
            world.pass(days * 86_400);
            let answer = try_say(&two.clinic, &["sync"]).await.unwrap();
            assert!(answer.text.lines().count() < 8, "{}", answer.text);
            rows.push(two.clinic.ports().vault.list("missed").unwrap().len());
        }
        let (max, last) = (rows.iter().max().unwrap(), rows.last().unwrap());
        assert!(last * 2 < *max || *last == 0, "none expires: {rows:?}");
    }
    println!(
        "ATTACK tenth-6: {kept_from} of 4 consents kept from their reader by up to 600 grants with their tags before them, {most} lines in \
         a sync at most"
    );
}

/// The owner gives nothing: nobody is owed anything for ever, and a sync ends well when the rows are over.
#[tokio::test]
async fn a_tag_that_others_alone_used_is_no_debt_for_ever() {
    let call = seen(10_305).await;
    let world = World::new(10_305);
    let two = Two::new(&world).await;
    two.accepted().await;
    say(&two.clinic, &["sync"]).await;
    let flood = Flood {
        givers: 1,
        each: 300,
    };
    flood.pour(&world, call).await;
    for _ in 0..45 {
        let answer = try_say(&two.clinic, &["sync"]).await.unwrap();
        assert!(answer.text.lines().count() < 8, "{}", answer.text);
        world.pass(2 * 86_400);
    }
    let rows = two.clinic.ports().vault.list("missed").unwrap().len();
    let answer = try_say(&two.clinic, &["sync"]).await.unwrap();
    assert_eq!((rows, answer.code), (0, 0), "{}", answer.text);
}
