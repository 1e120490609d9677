//! Taking back everything of a contact is one order: cut off at any call of any port, all of it is kept or nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[allow(dead_code, reason = "each test file uses what it needs")]
#[path = "faults/fuse.rs"]
mod fuse;

use std::sync::Arc;

use fuse::{Fuse, Mode, fused};
use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{Extent, Party, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, Draft, LossReport, Role, Sensitivity};

/// Cuts that are tried, unless all are asked for.
const SAMPLE: usize = 60;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// A patient whose clinic may write, read two records and all of them.
struct Story {
    patient: Party,
    owner: AccountId,
}

impl Story {
    async fn new() -> Self {
        let world = World::new(1_203);
        let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
        let clinic = Party::new(phrase(2).seed(), Role::Provider, world.ports());
        clinic.register_account().await.unwrap();
        let jwt = world.accredit(clinic.account().id(), "Clinic");
        let invitation = patient.invite().await.unwrap();
        let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
        patient.sync().await.unwrap();
        patient.confirm(owner).unwrap();
        let until = world.ports().clock.now().plus(7 * 86_400);
        let kinds = medical_only();
        patient.grant_write(owner, kinds, until).await.unwrap();
        clinic.write_for(owner, draft("one")).await.unwrap();
        patient.sync().await.unwrap();
        for why in ["first", "second"] {
            let purpose = Purpose::Treatment;
            clinic.ask(owner, purpose, why, until).await.unwrap();
            patient.sync().await.unwrap();
            let request = patient.requests().unwrap().pop().unwrap();
            let given = patient.approve_all(&request, Extent::All, Sensitivity::Normal, until);
            given.await.unwrap();
        }
        let story = Self { patient, owner };
        assert!(story.standing().await > 2, "several consents");
        story
    }

    /// Consents that the chain does not say are taken back.
    async fn standing(&self) -> usize {
        let facts = &self.patient.ports().facts;
        let mut standing = 0;
        for (_, given) in self.patient.grants().unwrap() {
            let grant = given.artefact.grant.unwrap();
            standing += usize::from(!facts.grant(&grant).await.unwrap().revoked);
        }
        for (_, given) in self.patient.write_grants().unwrap() {
            standing += usize::from(!given.revoked);
        }
        standing
    }

    /// The same home, whose process is cut off.
    fn cut_off(&self, fuse: &Arc<Fuse>) -> Party {
        Party::new(
            phrase(1).seed(),
            Role::Person,
            fused(self.patient.ports(), fuse),
        )
    }
}

/// What was not reached was forgotten without a word, and `status` said that nothing was open.
#[tokio::test]
async fn all_of_a_contact_is_taken_back_or_nothing_wherever_it_is_cut_off() {
    let whole = Fuse::whole();
    let story = Story::new().await;
    let all = story.standing().await;
    let cut_off = story.cut_off(&whole);
    cut_off.revoke_contact(story.owner).await.unwrap();
    assert_eq!(story.standing().await, 0);
    let points: Vec<(u64, Mode)> = (1..=whole.count())
        .flat_map(|at| Mode::ALL.map(|mode| (at, mode)))
        .collect();
    let is_all = std::env::var("MEDIBLOC_FAULTS").is_ok_and(|value| value == "all");
    // A stride that is odd meets all modes.
    let stride = if is_all {
        1
    } else {
        (points.len() / SAMPLE) | 1
    };
    let (mut kept, mut nothing) = (0, 0);
    for (at, mode) in points.into_iter().step_by(stride) {
        let story = Story::new().await;
        let fuse = Fuse::new(at, mode);
        let done = story.cut_off(&fuse).revoke_contact(story.owner).await;
        let call = fuse.hit().unwrap_or("nothing");
        let (open, left) = (
            story.patient.status().await.unwrap().jobs.len(),
            story.standing().await,
        );
        for _ in 0..3 {
            story.patient.sync().await.unwrap();
        }
        let after = story.standing().await;
        let told =
            format!("{mode:?} at call {at} ({call}): {open} open, {left} then {after} of {all}");
        match after {
            0 => kept += 1,
            _ => {
                assert_eq!((after, left, open), (all, all, 0), "{told}");
                assert!(done.is_err(), "{told}");
                nothing += 1;
            }
        }
        // What is not over yet is shown.
        assert!(left == 0 || after > 0 || open > 0, "{told}");
    }
    assert!(kept > 0 && nothing > 0, "{kept} kept, {nothing} not");
}
