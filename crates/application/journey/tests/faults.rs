//! Every step cut off by a crash, a lost call or a lost answer, at every call of every port of every party: in the end
//! everything is as if nothing had happened, and nothing happened twice on chain.
//!
//! `MEDIBLOC_FAULTS=all` disturbs every call in every mode; without it a sample of them, spread evenly.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "which calls were hit is told")]

#[path = "faults/fuse.rs"]
mod fuse;
#[path = "faults/postman.rs"]
mod postman;
#[path = "faults/walk.rs"]
mod walk;

use std::collections::BTreeMap;

use fuse::{Fuse, Mode, fused};
use postman::{Mishap, Postman};
use walk::{CLINIC, EndState, HOSPITAL, PATIENT, STEPS, Stopped, Walk};

/// Disturbed walks for each party, unless all are asked for.
const SAMPLE: usize = 40;
const ATTEMPTS: usize = 4;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

/// Walks; a step that did not end well is done again, after a restart if the process died.
async fn go(mut walk: Walk, whose: usize, dies: bool) -> Result<EndState, String> {
    for step in 0..STEPS {
        let mut attempt = 0;
        while let Err(Stopped { told }) = walk.step(step, attempt).await {
            attempt += 1;
            if attempt > ATTEMPTS {
                return Err(format!("step {step} does not end: {told}"));
            }
            walk.recover(whose, dies)
                .await
                .map_err(|error| format!("restart at step {step}: {error}"))?;
        }
    }
    if walk.settle().await.is_err() {
        let recovered = walk.recover(whose, dies).await;
        recovered.map_err(|error| format!("restart at the end: {error}"))?;
        walk.settle()
            .await
            .map_err(|error| format!("at the end: {error}"))?;
    }
    Ok(walk.end_state().await)
}

fn all() -> bool {
    std::env::var("MEDIBLOC_FAULTS").is_ok_and(|value| value == "all")
}

fn undisturbed(whose: usize) -> (EndState, u64) {
    let fuse = Fuse::whole();
    let walk = Walk::new(1, whose, |ports| fused(ports, &fuse), Clone::clone);
    let end = block_on(go(walk, whose, false)).unwrap();
    assert!(end.is_whole(), "{end:#?}");
    (end, fuse.count())
}

fn disturb(whose: usize) {
    let (expected, calls) = undisturbed(whose);
    let points: Vec<(u64, Mode)> = (1..=calls)
        .flat_map(|at| Mode::ALL.map(|mode| (at, mode)))
        .collect();
    // A stride that is odd meets all modes.
    let stride = if all() {
        1
    } else {
        (points.len() / SAMPLE) | 1
    };
    let mut hits: BTreeMap<&'static str, u32> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, mode) in points.into_iter().step_by(stride) {
        let fuse = Fuse::new(at, mode);
        let walk = Walk::new(1, whose, |ports| fused(ports, &fuse), Clone::clone);
        let end = block_on(go(walk, whose, mode.kills()));
        let call = fuse.hit().unwrap_or("nothing");
        *hits.entry(call).or_default() += 1;
        match end {
            Ok(end) if end == expected => {}
            Ok(end) => wrong.push(format!(
                "{mode:?} at call {at} ({call}): {}",
                end.otherwise_than(&expected)
            )),
            Err(told) => wrong.push(format!("{mode:?} at call {at} ({call}): {told}")),
        }
    }
    println!("party {whose}: {calls} calls; disturbed: {hits:?}");
    assert!(
        wrong.is_empty(),
        "{} walks ended otherwise:\n{}",
        wrong.len(),
        wrong
            .iter()
            .take(20)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn a_patient_cut_off_at_any_call_loses_nothing_and_does_nothing_twice() {
    disturb(PATIENT);
}

#[test]
fn a_writing_hospital_cut_off_at_any_call_loses_nothing_and_does_nothing_twice() {
    disturb(HOSPITAL);
}

#[test]
fn a_reading_clinic_cut_off_at_any_call_loses_nothing_and_does_nothing_twice() {
    disturb(CLINIC);
}

#[test]
fn a_letter_that_is_lost_or_comes_twice_changes_nothing_in_the_end() {
    let (expected, _) = undisturbed(PATIENT);
    let carried = |at, mishap| {
        let postman = Postman::new(at, mishap);
        let with = postman.clone();
        let wrap = move |ports: &medibloc_journey::Ports| postman::with(ports, &with);
        let walk = Walk::new(1, PATIENT, Clone::clone, wrap);
        (block_on(go(walk, PATIENT, false)), postman.count())
    };
    let (_, letters) = carried(u64::MAX, Mishap::Lost);
    assert!(letters >= 5, "cards, a request, notices: {letters}");
    for at in 1..=letters {
        for mishap in [Mishap::Lost, Mishap::Doubled] {
            let (end, _) = carried(at, mishap);
            let end = end.unwrap_or_else(|told| panic!("letter {at} {mishap:?}: {told}"));
            assert!(
                end == expected,
                "letter {at} {mishap:?}: {}",
                end.otherwise_than(&expected)
            );
        }
    }
}

/// An owner with seven addresses and a reader that gave four: more are asked for and sent by letter.
async fn more_readers(at: u64, mishap: Mishap) -> (usize, u64) {
    use medibloc_consent::Purpose;
    use medibloc_journey::memory::World;
    use medibloc_journey::{Extent, Party, medical_only};
    use medibloc_keys::{Language, Phrase, SeededEntropy};
    use medibloc_record::{Role, Sensitivity};

    let world = World::new(3);
    let postman = Postman::new(at, mishap);
    let party = |seed, role| {
        let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
        Party::new(phrase.seed(), role, postman::with(&world.ports(), &postman))
    };
    let patient = party(1, Role::Person);
    let until = world.ports().clock.now().plus(86_400);
    let mut clinic = None;
    for seed in 10..16 {
        let provider = party(seed, Role::Provider);
        provider.register_account().await.unwrap();
        let jwt = world.accredit(provider.account().id(), &format!("Provider {seed}"));
        let invitation = patient.invite().await.unwrap();
        let owner = loop {
            let patron = provider.answer(&invitation, Some(&jwt)).await.unwrap();
            patient.sync().await.unwrap();
            if patient.confirm(patron.owner).is_ok() {
                break patron.owner;
            }
        };
        let kinds = medical_only();
        patient.grant_write(owner, kinds, until).await.unwrap();
        clinic = Some((provider, owner));
    }
    let (clinic, owner) = clinic.unwrap();
    let request = loop {
        clinic
            .ask(owner, Purpose::Treatment, "all", until)
            .await
            .unwrap();
        patient.sync().await.unwrap();
        if let Some(request) = patient.requests().unwrap().pop() {
            break request;
        }
    };
    patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, until)
        .await
        .unwrap();
    for _ in 0..4 {
        clinic.sync().await.unwrap();
        patient.sync().await.unwrap();
    }
    let readers: std::collections::BTreeSet<_> = patient
        .grants()
        .unwrap()
        .into_iter()
        .map(|(_, given)| given.artefact.grant.unwrap().reader)
        .collect();
    (readers.len(), postman.count())
}

#[test]
fn reader_addresses_that_are_wanted_come_though_letters_are_lost_or_come_twice() {
    let (readers, letters) = block_on(more_readers(u64::MAX, Mishap::Lost));
    assert_eq!(readers, 6, "one reader address for each own address");
    for at in 1..=letters {
        for mishap in [Mishap::Lost, Mishap::Doubled] {
            let (readers, _) = block_on(more_readers(at, mishap));
            assert_eq!(readers, 6, "letter {at} {mishap:?}");
        }
    }
}

#[test]
fn a_restore_cut_off_at_any_call_is_begun_again_and_brings_everything_back() {
    let mut walk = Walk::new(1, PATIENT, Clone::clone, Clone::clone);
    block_on(async {
        for step in 0..STEPS {
            let done = walk.step(step, 0).await;
            done.unwrap_or_else(|stopped| panic!("step {step}: {}", stopped.told));
        }
        walk.settle().await.unwrap();
        let whole = Fuse::whole();
        let expected = walk.restore(&whole).await.unwrap();
        assert!(expected.is_whole(), "{expected:#?}");
        let stride = if all() {
            1
        } else {
            (usize::try_from(whole.count()).unwrap() * 4 / SAMPLE) | 1
        };
        let points = (1..=whole.count()).flat_map(|at| Mode::ALL.map(|mode| (at, mode)));
        for (at, mode) in points.step_by(stride) {
            let fuse = Fuse::new(at, mode);
            let restored = walk.restore(&fuse).await.unwrap();
            let call = fuse.hit().unwrap_or("nothing");
            assert_eq!(restored, expected, "{mode:?} at call {at} ({call})");
        }
    });
}
