//! Junk of one author keeps nobody else's record waiting, and nothing is given up silently.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use medibloc_evil::anchors::EvilAuthor;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Party, VaultPort, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, Draft, LossReport, RecordId, Role, Timestamp};

const WEEK: u64 = 7 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

struct Story {
    world: Arc<World>,
    vault: Arc<MemoryVault>,
    patient: Party,
    good: Party,
    goods_owner: AccountId,
    evil: EvilAuthor,
    evils_owner: AccountId,
    until: Timestamp,
}

async fn story(seed: u64) -> Story {
    let world = World::new(seed);
    let vault = Arc::new(MemoryVault::default());
    let patient = Party::new(
        phrase(1).seed(),
        Role::Person,
        world.ports_with(vault.clone()),
    );
    let good = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    let bad = Party::new(phrase(3).seed(), Role::Provider, world.ports());
    let until = world.ports().clock.now().plus(WEEK);
    let mut owners = Vec::new();
    for (party, name) in [(&good, "Hana Hospital"), (&bad, "Evil Clinic")] {
        party.register_account().await.unwrap();
        let jwt = world.accredit(party.account().id(), name);
        let invitation = patient.invite().await.unwrap();
        let owner = party.answer(&invitation, Some(&jwt)).await.unwrap().owner;
        patient.sync().await.unwrap();
        patient.confirm(owner).unwrap();
        patient
            .grant_write(owner, medical_only(), until)
            .await
            .unwrap();
        owners.push(owner);
    }
    Story {
        world,
        vault,
        patient,
        good,
        goods_owner: owners[0],
        evil: EvilAuthor::new(phrase(3).seed().account_key()),
        evils_owner: owners[1],
        until,
    }
}

impl Story {
    async fn junk(&self, numbers: core::ops::Range<u64>) {
        let ledger = &self.world.ledger;
        for number in numbers {
            let anchor = self.evil.junk(self.evils_owner, number);
            let sent = self
                .evil
                .anchor(ledger.as_ref(), ledger.as_ref(), anchor, self.until);
            sent.await.unwrap();
        }
    }

    async fn write(&self, text: &str) -> RecordId {
        let written = self.good.write_for(self.goods_owner, draft(text)).await;
        written.unwrap().record
    }

    fn waiting(&self) -> usize {
        self.vault.list("looks").unwrap().len()
    }
}

/// Before: 40 junk anchors filled all 32 places for another look, and the good record was never accepted.
#[tokio::test]
async fn forty_junk_anchors_do_not_keep_a_good_record_from_its_next_look() {
    let story = story(1).await;
    story.junk(0..40).await;
    for index in 1..=4 {
        story.world.set_down(index, true);
    }
    let record = story.write("waits for keepers").await;
    assert!(story.patient.sync().await.unwrap().accepted.is_empty());
    for index in 1..=4 {
        story.world.set_down(index, false);
    }
    let report = story.patient.sync().await.unwrap();
    println!(
        "ATTACK security-10: {} of 1 good records accepted at the next sync",
        report.accepted.len()
    );
    assert_eq!(report.accepted, [record], "{report:?}");
}

/// First looks, too: a thousand junk anchors cost a sync no more than sixteen looks, and all stay known.
#[tokio::test]
async fn a_thousand_junk_anchors_cost_a_sync_sixteen_looks_and_none_is_forgotten() {
    let story = story(2).await;
    let alone = story.write("alone").await;
    let begin = Instant::now();
    assert_eq!(story.patient.sync().await.unwrap().accepted, [alone]);
    let without = begin.elapsed();
    story.junk(0..1_000).await;
    let good = story.write("behind a thousand").await;
    let begin = Instant::now();
    let report = story.patient.sync().await.unwrap();
    let with = begin.elapsed();
    assert_eq!(report.accepted, [good], "{:?}", report.accepted);
    let first: BTreeSet<_> = report.not_accepted.iter().map(|(id, _)| *id).collect();
    assert_eq!(first.len(), 16, "those that were looked at");
    // Those without a look yet are only in the queue.
    assert_eq!(story.waiting(), 1_000, "none is forgotten");
    assert!(
        report
            .later
            .iter()
            .any(|told| told.contains("984 records of authors")),
        "{:?}",
        report.later
    );
    println!(
        "ATTACK security-10: sync {} ms behind 1000 junk anchors, {} ms without",
        with.as_millis(),
        without.as_millis()
    );
    // Each gets its look in time, with growing pauses, and the good author's next record never waits.
    let next = story.write("next").await;
    let report = story.patient.sync().await.unwrap();
    assert_eq!(report.accepted, [next]);
    let second: BTreeSet<_> = report.not_accepted.iter().map(|(id, _)| *id).collect();
    assert_eq!(second.len(), 16);
    assert!(first.is_disjoint(&second), "others than before");
}

/// An author's own junk delays its own good record by some syncs, never for ever.
#[tokio::test]
async fn a_good_record_among_junk_of_its_own_author_comes_in_its_turn() {
    let story = story(3).await;
    story.junk(0..40).await;
    let bad = Party::new(phrase(3).seed(), Role::Provider, story.world.ports());
    bad.sync().await.unwrap();
    let record = bad.write_for(story.evils_owner, draft("good")).await;
    let Ok(record) = record else {
        panic!("{record:?}");
    };
    let mut syncs = 0;
    loop {
        syncs += 1;
        if story
            .patient
            .sync()
            .await
            .unwrap()
            .accepted
            .contains(&record.record)
        {
            break;
        }
        assert!(
            syncs < 4,
            "40 junk anchors are three syncs of sixteen looks"
        );
    }
}
