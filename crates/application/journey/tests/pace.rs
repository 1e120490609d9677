//! Pace: what nobody waits for goes at random times, one address at a time; what somebody waits for goes at once, and
//! the agent says what that shows.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{
    Extent, GrantState, Haste, JourneyError, Pace, Party, PendingRequest, Sooner, medical_only,
};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Event, Events as _};
use medibloc_record::{AccountId, Draft, LossReport, RecordId, Role, Sensitivity, Timestamp};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

struct Story {
    world: Arc<World>,
    patient: Party,
    hospitals: Vec<(Party, AccountId)>,
}

fn party(world: &Arc<World>, seed: u64, role: Role, pace: Pace) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    let mut ports = world.ports();
    ports.pace = pace;
    Party::new(phrase.seed(), role, ports)
}

impl Story {
    /// A patient with a pseudonym for each of three hospitals, which may write.
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let patient = party(&world, 1, Role::Person, Pace::PERSON);
        let mut hospitals = Vec::new();
        for number in 0..3 {
            let hospital = party(&world, 10 + number, Role::Provider, Pace::PROVIDER);
            hospital.register_account().await.unwrap();
            hospitals.push(hospital);
        }
        let mut story = Self {
            world,
            patient,
            hospitals: Vec::new(),
        };
        // Days in which spare addresses are registered.
        story.live(&hospitals, 5 * DAY).await;
        for (number, hospital) in hospitals.into_iter().enumerate() {
            let name = format!("Hospital {number}");
            let jwt = story.world.accredit(hospital.account().id(), &name);
            let invitation = story.patient.invite().await.unwrap();
            let owner = hospital.answer(&invitation, Some(&jwt)).await.unwrap();
            story.patient.sync().await.unwrap();
            story.patient.confirm(owner.owner).unwrap();
            let until = story.now().plus(100 * DAY);
            let write = story
                .patient
                .grant_write(owner.owner, medical_only(), until);
            write.await.unwrap();
            story.hospitals.push((hospital, owner.owner));
        }
        story.patient.bring_forward(&Sooner::All).await.unwrap();
        story
    }

    fn now(&self) -> Timestamp {
        self.world.ports().clock.now()
    }

    /// Time passes, and agents look every half hour.
    async fn live(&self, more: &[Party], seconds: u64) {
        for _ in 0..seconds.div_ceil(30 * MINUTE) {
            self.world.pass(30 * MINUTE);
            self.patient.catch_up().await.unwrap();
            for party in more
                .iter()
                .chain(self.hospitals.iter().map(|(party, _)| party))
            {
                party.catch_up().await.unwrap();
            }
        }
    }

    /// Every hospital writes a record, and the patient's agent sees it.
    async fn write(&self) -> Vec<RecordId> {
        let mut records = Vec::new();
        for (hospital, owner) in &self.hospitals {
            let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
            let text = owner.to_string().into_bytes();
            let draft = Draft::new("application/cda+xml", text, bundle, LossReport::default());
            records.push(hospital.write_for(*owner, draft).await.unwrap().record);
        }
        self.patient.sync().await.unwrap();
        records
    }

    async fn request(&self) -> PendingRequest {
        let (hospital, owner) = &self.hospitals[0];
        let until = self.now().plus(14 * DAY + 12_345);
        let ask = hospital.ask(*owner, Purpose::Treatment, "visit", until);
        ask.await.unwrap();
        self.patient.sync().await.unwrap();
        self.patient.requests().unwrap().pop().unwrap()
    }

    async fn approve_all(&self) -> Vec<medibloc_record::GrantId> {
        let request = self.request().await;
        let until = request.request.until;
        let given = self
            .patient
            .approve_all(&request, Extent::All, Sensitivity::Normal, until);
        given.await.unwrap().grants
    }

    /// Who took back everything, and when.
    async fn ended(&self) -> Vec<(AccountId, u64)> {
        let blocks = self.world.ledger.events(0, u32::MAX).await.unwrap();
        let events = blocks
            .iter()
            .flat_map(|block| block.events.iter().map(move |event| (block.time.0, event)));
        let owners = events.filter_map(|(at, event)| match event {
            Event::AllRevoked { owner } => Some((*owner, at)),
            _ => None,
        });
        owners.collect()
    }

    /// Times of events that fit.
    async fn times(&self, fits: impl Fn(&Event) -> bool) -> Vec<u64> {
        let blocks = self.world.ledger.events(0, u32::MAX).await.unwrap();
        let events = blocks
            .iter()
            .flat_map(|block| block.events.iter().map(move |event| (block.time.0, event)));
        let found = events.filter(|(_, event)| fits(event));
        found.map(|(at, _)| at).collect()
    }
}

/// Acts of one agent that came in one pass stand within so many seconds.
fn closest(times: &[u64]) -> u64 {
    let pairs = times.windows(2).map(|pair| pair[1] - pair[0]);
    pairs.min().unwrap_or(u64::MAX)
}

#[tokio::test]
async fn what_nobody_waits_for_goes_one_address_at_a_time() {
    let story = Story::new(1).await;
    let records = story.write().await;
    let accepted = |event: &Event| matches!(event, Event::Accepted { .. });
    assert_eq!(story.times(accepted).await.len(), 0, "nothing goes at once");
    let planned = story.patient.planned().unwrap();
    let waits = planned.iter().filter(|it| it.what.contains("acceptance"));
    assert_eq!(waits.count(), 3, "status shows them: {planned:?}");
    let jobs = story.patient.job_views().unwrap();
    assert_eq!(jobs, [], "a plan is not a fault");
    story.live(&[], 3 * DAY).await;
    let times = story.times(accepted).await;
    assert_eq!(times.len(), 3, "everything is done in the end");
    assert!(closest(&times) >= 30 * MINUTE, "two in one pass: {times:?}");
    let kept = story.patient.records().unwrap();
    assert!(kept.iter().all(|kept| kept.is_accepted()), "{kept:?}");
    assert_eq!(kept.len(), records.len());
}

#[tokio::test]
async fn an_agent_that_was_away_does_not_do_everything_at_once() {
    let story = Story::new(2).await;
    story.write().await;
    story.world.pass(3 * DAY);
    story.patient.sync().await.unwrap();
    let accepted = |event: &Event| matches!(event, Event::Accepted { .. });
    assert_eq!(story.times(accepted).await.len(), 1);
    let later = story.patient.planned().unwrap();
    assert!(later.iter().all(|it| it.due > story.now()), "{later:?}");
}

#[tokio::test]
async fn grants_differ_in_time_and_end_and_haste_is_told_before() {
    let story = Story::new(3).await;
    story.write().await;
    story.live(&[], 3 * DAY).await;
    let asked = story.now().plus(14 * DAY + 12_345);
    let grants = story.approve_all().await;
    assert_eq!(grants.len(), 3);
    let granted = |event: &Event| matches!(event, Event::Granted(_));
    assert_eq!(story.times(granted).await.len(), 0);
    // The same answer again is the same.
    let sooner = Sooner::Grants(grants);
    let told = story.patient.haste(&sooner).unwrap();
    assert_eq!(told, [Haste::Together { addresses: 3 }]);
    assert!(told[0].to_string().contains("belong to one person"));
    // Three addresses: over a third of the time that is given, and each in its half of the day.
    let last = story.patient.last_of(&sooner).unwrap();
    assert!(
        last <= Some(story.now().plus(14 * DAY / 3 + DAY)),
        "{last:?}"
    );
    story.live(&[], 7 * DAY).await;
    let times = story.times(granted).await;
    assert_eq!(times.len(), 3);
    assert!(closest(&times) >= 30 * MINUTE, "{times:?}");
    let mut ends = BTreeSet::new();
    for (_, given) in story.patient.grants().unwrap() {
        let terms = given.artefact.grant.unwrap().terms;
        assert_eq!(terms.from, Timestamp(0), "the second of the decision");
        let end = terms.until;
        assert_eq!(end.0 % DAY, 0, "an end tells no second");
        assert!(end <= asked, "no consent lasts longer than the person said");
        ends.insert(end);
    }
    assert!(!ends.is_empty());
    assert_eq!(story.patient.haste(&sooner).unwrap(), [], "nothing waits");
}

#[tokio::test]
async fn a_doctor_in_the_room_waits_for_nothing() {
    let story = Story::new(4).await;
    let records = story.write().await;
    let request = story.request().await;
    let until = request.request.until;
    // Not accepted on chain yet: haste accepts it, too.
    let grant = story.patient.approve(&request, records[1], until);
    let sooner = Sooner::Grants(vec![grant.await.unwrap()]);
    assert_eq!(story.patient.haste(&sooner).unwrap(), []);
    story.patient.bring_forward(&sooner).await.unwrap();
    let clinic = &story.hospitals[0].0;
    clinic.catch_up().await.unwrap();
    let told = clinic.haste_of_reading(&[records[1]]).unwrap();
    assert_eq!(told, [Haste::Hour { addresses: 1 }]);
    assert_eq!(
        clinic.read(records[1]).await.unwrap().receipt.record,
        records[1]
    );
}

#[tokio::test]
async fn a_read_that_nobody_waits_for_is_kept_for_later() {
    let story = Story::new(5).await;
    let records = story.write().await;
    let request = story.request().await;
    let grant = story
        .patient
        .approve(&request, records[2], request.request.until)
        .await
        .unwrap();
    let sooner = Sooner::Grants(vec![grant]);
    story.patient.bring_forward(&sooner).await.unwrap();
    let clinic = &story.hospitals[0].0;
    clinic.catch_up().await.unwrap();
    clinic.plan_read(records[2], None).await.unwrap();
    clinic.plan_read(records[2], None).await.unwrap();
    assert!(clinic.read_before(records[2]).unwrap().is_none());
    story.live(&[], 3 * DAY).await;
    assert!(clinic.read_before(records[2]).unwrap().is_some());
    let read = |event: &Event| matches!(event, Event::ReadOpened { .. });
    assert_eq!(story.times(read).await.len(), 1, "one receipt, not two");
}

#[tokio::test]
async fn what_is_planned_and_taken_back_never_reaches_the_chain() {
    let story = Story::new(6).await;
    story.write().await;
    story.live(&[], 3 * DAY).await;
    let grants = story.approve_all().await;
    story.patient.revoke(grants[0]).await.unwrap();
    assert_eq!(story.patient.grants().unwrap().len(), 2);
    story.patient.revoke_everything().await.unwrap();
    assert_eq!(story.patient.grants().unwrap(), []);
    story.live(&[], 12 * DAY).await;
    let granted = |event: &Event| matches!(event, Event::Granted(_));
    assert_eq!(story.times(granted).await.len(), 0, "nothing was given");
}

#[tokio::test]
async fn neighbouring_addresses_act_in_different_halves_of_the_day() {
    let story = Story::new(11).await;
    for _ in 0..4 {
        story.write().await;
        story.live(&[], 4 * DAY).await;
    }
    let blocks = story.world.ledger.events(0, u32::MAX).await.unwrap();
    let mut halves: BTreeMap<AccountId, Vec<u64>> = BTreeMap::new();
    let mut owner_of = BTreeMap::new();
    for block in &blocks {
        for event in &block.events {
            match event {
                Event::Anchored(anchor) => {
                    owner_of.insert(anchor.record_id(), anchor.owner);
                }
                Event::Accepted { record } => {
                    halves
                        .entry(owner_of[record])
                        .or_default()
                        .push(block.time.0);
                }
                _ => {}
            }
        }
    }
    let own = story.patient.addresses().unwrap();
    let index = |id: &AccountId| own.iter().find(|own| own.id() == *id).unwrap().index;
    // Moved to one half, all times of an address lie within twelve hours of the day, wherever the agent cuts it.
    let phases = (0..48).filter(|step| {
        halves.iter().all(|(id, times)| {
            let of = |at: &u64| (at + step * 30 * MINUTE) % DAY / (12 * HOUR);
            let half = u64::from(index(id).unwrap() % 2);
            times.iter().all(|at| of(at) == half)
        })
    });
    assert_eq!(halves.len(), 3);
    assert!(phases.count() > 0, "{halves:?}");
}

/// Newcomer: the one address that acted at once had given nothing, and those that had waited, for ever without a sync.
#[tokio::test]
async fn revoking_everything_ends_all_that_stands_at_once_and_nothing_else_acts() {
    let story = Story::new(7).await;
    let records = story.write().await;
    story.live(&[], 3 * DAY).await;
    let patient = &story.patient;
    // A pseudonym that gave nothing, one whose consent ended, and one that only plans.
    let request = story.request().await;
    let write = patient.write_grants().unwrap();
    let of = |index: usize| {
        let mut of = write.iter();
        of.find(|(_, given)| given.own == story.hospitals[index].1)
            .unwrap()
            .0
    };
    patient.revoke_write(of(1)).await.unwrap();
    patient.revoke_write(of(2)).await.unwrap();
    let until = request.request.until;
    patient.approve(&request, records[2], until).await.unwrap();
    patient.revoke_everything().await.unwrap();
    let ended = story.ended().await;
    assert_eq!(ended, [(story.hospitals[0].1, story.now().0)]);
    assert_eq!(patient.grants().unwrap(), [], "what was planned is gone");
    assert_eq!(patient.still_given().unwrap(), []);
    // Again: nothing stands, so nothing is shown.
    patient.revoke_everything().await.unwrap();
    assert_eq!(story.ended().await.len(), 1);

    // All that stand, read and write, without any sync.
    let story = Story::new(8).await;
    story.patient.revoke_everything().await.unwrap();
    let now = story.now().0;
    let owners: BTreeSet<_> = story.hospitals.iter().map(|(_, own)| (*own, now)).collect();
    assert_eq!(
        story.ended().await.into_iter().collect::<BTreeSet<_>>(),
        owners
    );
    let given = story.patient.write_grants().unwrap();
    assert!(given.iter().all(|(_, given)| given.revoked), "{given:?}");
}

/// What another device of the phrase, or a thief, gave since the last sync ends, too.
#[tokio::test]
async fn revoking_everything_ends_what_another_device_gave() {
    let story = Story::new(13).await;
    let records = story.write().await;
    story.live(&[], 3 * DAY).await;
    let patient = &story.patient;
    for (id, _) in patient.write_grants().unwrap() {
        patient.revoke_write(id).await.unwrap();
    }
    let request = story.request().await;
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let (other, _) = Party::restore(&phrase, Role::Person, story.world.ports())
        .await
        .unwrap();
    let until = request.request.until;
    let grant = other.approve(&request, records[1], until).await.unwrap();
    patient.revoke_everything().await.unwrap();
    let owners: Vec<_> = story
        .ended()
        .await
        .into_iter()
        .map(|(own, _)| own)
        .collect();
    assert_eq!(owners, [story.hospitals[1].1]);
    let (_, given) = other.grants().unwrap().pop().unwrap();
    let grant_on_chain = given.artefact.grant.unwrap();
    assert_eq!(grant_on_chain.id, grant);
    let facts = story.world.ports().facts;
    assert!(facts.grant(&grant_on_chain).await.unwrap().revoked);
}

#[tokio::test]
async fn revoking_everything_later_starts_now_ends_within_the_hour_and_names_who_still_has_something()
 {
    let story = Story::new(7).await;
    story.write().await;
    let before = story.now().0;
    story.patient.revoke_everything_later().await.unwrap();
    assert_eq!(story.ended().await.len(), 1, "one goes at once");
    let sooner = Sooner::Revocations;
    let told = story.patient.haste(&sooner).unwrap();
    assert_eq!(told, [Haste::Together { addresses: 2 }]);
    let planned = story.patient.planned_of(&sooner).unwrap();
    let still = story.patient.still_given().unwrap();
    let times: Vec<_> = still.iter().filter_map(|it| it.until()).collect();
    let due: Vec<_> = planned.iter().map(|it| it.due).collect();
    assert_eq!(times, due);
    let first = story.ended().await[0].0;
    let mut names: Vec<_> = still.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    let mut others = Vec::new();
    for (number, (_, own)) in story.hospitals.iter().enumerate() {
        if *own != first {
            others.push(format!("Hospital {number}"));
        }
    }
    assert_eq!(names, others);
    assert!(
        still
            .iter()
            .all(|it| it.writes.is_some() && it.reads.is_none())
    );
    story.live(&[], HOUR + 30 * MINUTE).await;
    let ended = story.ended().await;
    assert_eq!(ended.len(), 3);
    assert!(
        ended
            .iter()
            .all(|(_, at)| at - before <= HOUR + 30 * MINUTE)
    );
    assert_eq!(story.patient.still_given().unwrap(), []);
    // Who does not want to wait says it without.
    let story = Story::new(8).await;
    story.patient.revoke_everything_later().await.unwrap();
    story.patient.revoke_everything().await.unwrap();
    let times: Vec<_> = story.ended().await.into_iter().map(|(_, at)| at).collect();
    assert_eq!(times, [story.now().0; 3]);
}

/// Newcomer N3: the planned revocation of everything of an address also ended consents that were given after the order.
#[tokio::test]
async fn an_order_to_take_back_everything_ends_what_stood_then_and_nothing_newer() {
    for is_hurried in [false, true] {
        let story = Story::new(12).await;
        let records = story.write().await;
        story.live(&[], 3 * DAY).await;
        let patient = &story.patient;
        let give = async || {
            let request = story.request().await;
            let mut given = Vec::new();
            for record in &records {
                let until = request.request.until;
                given.push(patient.approve(&request, *record, until).await.unwrap());
            }
            given
        };
        let old = give().await;
        let sooner = Sooner::Grants(old.clone());
        patient.bring_forward(&sooner).await.unwrap();
        patient.revoke_everything_later().await.unwrap();
        let waiting = patient.planned_of(&Sooner::Revocations).unwrap();
        assert_eq!(waiting.len(), 2, "one went at once");
        let new = give().await;
        assert!(new.iter().all(|id| !old.contains(id)));
        if is_hurried {
            let sooner = Sooner::Grants(new.clone());
            patient.bring_forward(&sooner).await.unwrap();
            assert_eq!(patient.planned_of(&Sooner::Revocations).unwrap(), []);
        }
        let until = story.now().plus(HOUR + 30 * MINUTE);
        let mut done = Vec::new();
        while story.now() < until {
            story.world.pass(10 * MINUTE);
            done.extend(patient.sync().await.unwrap().done);
        }
        let told = |what: &str| done.iter().filter(|done| done.starts_with(what)).count();
        let expected = if is_hurried { 0 } else { 2 };
        assert_eq!(told("revocation of everything"), expected, "{done:?}");
        story.live(&[], 3 * DAY).await;
        for (id, given) in patient.grants().unwrap() {
            let grant = given.artefact.grant.unwrap();
            let facts = story.world.ports().facts;
            let on_chain = facts.grant(&grant).await.unwrap();
            assert_eq!(given.revoked, old.contains(&id), "as it is shown");
            assert_eq!(on_chain.revoked, old.contains(&id), "as it is");
        }
        let granted = |event: &Event| matches!(event, Event::Granted(_));
        assert_eq!(story.times(granted).await.len(), 6);
    }
}

#[tokio::test]
async fn spare_addresses_are_registered_ahead_singly_and_tell_no_role() {
    let story = Story::new(9).await;
    let accounts: Vec<AccountId> = story
        .hospitals
        .iter()
        .map(|(it, _)| it.account().id())
        .collect();
    let public = |event: &Event| match event {
        Event::Registered { account, role, .. } => {
            accounts.contains(account) == (*role == Role::Provider)
        }
        _ => true,
    };
    assert_eq!(
        story.times(|event| !public(event)).await.len(),
        0,
        "only public accounts show a role"
    );
    for (hospital, _) in &story.hospitals {
        let own: BTreeSet<AccountId> = hospital
            .addresses()
            .unwrap()
            .iter()
            .map(|own| own.id())
            .collect();
        let of = |event: &Event| matches!(event, Event::Registered { account, .. } if own.contains(account));
        let times = story.times(of).await;
        assert!(times.len() >= 24, "the pool is full: {}", times.len());
        assert!(closest(&times) >= 30 * MINUTE, "two in one pass: {times:?}");
    }
    // Pairing used ready ones: nothing is registered at the time of use. (The third pairing of one hour found none.)
    for (_, owner) in &story.hospitals[..2] {
        let of =
            |event: &Event| matches!(event, Event::Registered { account, .. } if account == owner);
        let times = story.times(of).await;
        let begun = story
            .times(|event| matches!(event, Event::WriteGranted(_)))
            .await[0];
        assert!(begun - times[0] >= HOUR, "registered when it was needed");
    }
}

#[tokio::test]
async fn a_pace_of_now_puts_nothing_off() -> Result<(), JourneyError> {
    let world = World::new(10);
    let patient = party(&world, 1, Role::Person, Pace::NOW);
    let invitation = patient.invite().await?;
    patient.sync().await?;
    assert_eq!(patient.planned()?, []);
    assert_eq!(patient.open_invitations()?, [invitation]);
    Ok(())
}

/// It was promised "until 09:00; it goes at random times until 19:53".
#[tokio::test]
async fn a_consent_of_a_day_goes_while_half_of_it_is_left() {
    let story = Story::new(967).await;
    story.write().await;
    story.live(&[], 2 * DAY).await;
    let mut planned = 0;
    for _ in 0..3 {
        let request = story.request().await;
        let (now, until) = (story.now(), story.now().plus(DAY));
        let all = story
            .patient
            .approve_all(&request, Extent::All, Sensitivity::Normal, until);
        let grants = all.await.unwrap().grants;
        let half = now.plus(DAY / 2);
        for act in story.patient.planned_of(&Sooner::Grants(grants)).unwrap() {
            assert!(act.due <= half, "{act:?}, of {now:?} until {until:?}");
            planned += 1;
        }
        story.live(&[], 5 * HOUR).await;
    }
    assert!(planned >= 3, "nothing was looked at: {planned}");
}

/// It heard "the contract refused: EmptyPeriod(0x…)", and its list had it as pending.
#[tokio::test]
async fn a_consent_that_could_not_leave_before_its_end_is_over_in_plain_words() {
    let story = Story::new(968).await;
    story.write().await;
    story.live(&[], 2 * DAY).await;
    let request = story.request().await;
    let until = story.now().plus(DAY);
    let all = story
        .patient
        .approve_all(&request, Extent::All, Sensitivity::Normal, until);
    let grants = all.await.unwrap().grants;
    let given = || async {
        let (_, views) = story.patient.given_as_of().await.unwrap();
        let of = |id: &medibloc_record::GrantId| {
            let found = views.iter().find(|view| view.id == id.to_string());
            found.map(|view| view.state)
        };
        grants.iter().map(of).collect::<Vec<_>>()
    };
    assert!(given().await.contains(&Some(GrantState::Pending)));
    // The device is off.
    story.world.pass(2 * DAY);
    assert!(!given().await.contains(&Some(GrantState::Pending)));
    let mut told = Vec::new();
    for _ in 0..6 {
        told.extend(story.patient.catch_up().await.unwrap().given_up);
        story.world.pass(6 * HOUR);
    }
    assert!(!told.is_empty());
    for line in &told {
        assert!(
            line.contains("it ended at ") && line.contains("never in force"),
            "{line}"
        );
    }
    assert!(given().await.iter().all(Option::is_none), "its row goes");
}
