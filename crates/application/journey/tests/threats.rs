//! What must not happen, one test a threat, over the memory world with the real machines.

use std::sync::Arc;

use medibloc_consent::{FeedFact, Purpose};
use medibloc_journey::memory::World;
use medibloc_journey::{JourneyError, Party, Says, Standing, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Facts as _, LedgerError, Mark, MemoryLedger, Outcome, Receipt};
use medibloc_record::{
    AccountId, Draft, GrantId, LossReport, PartRole, RecordId, Role, Threshold, Timestamp,
};

const WEEK: u64 = 7 * 86_400;
const ORIGINAL: &[u8] = b"<ClinicalDocument>a diagnosis</ClinicalDocument>";

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft() -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    Draft::new(
        "application/cda+xml",
        ORIGINAL.to_vec(),
        bundle,
        LossReport::default(),
    )
}

struct Story {
    world: Arc<World>,
    patient: Party,
    hospital: Party,
    clinic: Party,
    owner: AccountId,
    clinic_owner: AccountId,
}

async fn paired(seed: u64) -> Result<Story, JourneyError> {
    let world = World::new(seed);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    let clinic = Party::new(phrase(3).seed(), Role::Provider, world.ports());
    hospital.register_account().await?;
    clinic.register_account().await?;
    let hospital_jwt = world.accredit(hospital.account().id(), "Hana Hospital");
    let clinic_jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let owner = hospital
        .answer(&patient.invite().await?, Some(&hospital_jwt))
        .await?
        .owner;
    let clinic_owner = clinic
        .answer(&patient.invite().await?, Some(&clinic_jwt))
        .await?
        .owner;
    patient.sync().await?;
    for contact in patient.contacts()? {
        patient.confirm(contact.own)?;
    }
    let until = world.ports().clock.now().plus(WEEK);
    patient.grant_write(owner, medical_only(), until).await?;
    Ok(Story {
        world,
        patient,
        hospital,
        clinic,
        owner,
        clinic_owner,
    })
}

async fn granted(story: &Story) -> Result<(RecordId, GrantId), JourneyError> {
    let until = story.world.ports().clock.now().plus(WEEK);
    let record = story.hospital.write_for(story.owner, draft()).await?.record;
    story.patient.sync().await?;
    story
        .clinic
        .ask(
            story.clinic_owner,
            Purpose::Treatment,
            "second opinion",
            until,
        )
        .await?;
    story.patient.sync().await?;
    let request = story
        .patient
        .requests()?
        .pop()
        .expect("the clinic's request");
    let grant = story.patient.approve(&request, record, until).await?;
    story.clinic.sync().await?;
    Ok((record, grant))
}

#[tokio::test]
async fn a_record_keeps_its_committee_though_another_is_formed() {
    let story = paired(31).await.unwrap();
    let down = |keepers: core::ops::RangeInclusive<u8>, is_down| {
        for index in keepers {
            story.world.set_down(index, is_down);
        }
    };
    down(6..=7, true);
    let (first, _) = granted(&story).await.unwrap();
    story
        .world
        .form_committee(Threshold::new(5, 3).expect("3 of 5"));
    // Two keepers that the new committee does not have get their shares of the older record.
    down(6..=7, false);
    assert!(story.hospital.sync().await.unwrap().later.is_empty());
    let second = story.hospital.write_for(story.owner, draft()).await;
    let second = second.unwrap();
    assert_eq!(
        (second.acknowledged, second.keepers),
        (5, 5),
        "the new one's keepers"
    );
    story.patient.sync().await.unwrap();
    for record in [first, second.record] {
        let report = story.patient.verify_record(record).await.unwrap();
        assert!(report.holds(), "{report:?}");
    }
    // Read with four of the first committee, two of whom are in no other.
    down(1..=3, true);
    story.clinic.read(first).await.unwrap();
    down(1..=3, false);
    let (restored, _) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    for record in [first, second.record] {
        assert!(restored.record(record).unwrap().is_accepted());
    }
    restored.erase(first).await.unwrap();
    restored.sync().await.unwrap();
    assert_eq!(
        restored.deletion_statements().unwrap(),
        7,
        "of its own committee"
    );
}

fn text(error: &JourneyError) -> String {
    error.to_string()
}

#[tokio::test]
async fn a_revoked_reader_is_refused_by_chain_and_by_every_keeper_that_it_asks_behind_the_chain() {
    let story = paired(1).await.unwrap();
    let (record, grant) = granted(&story).await.unwrap();
    let read = story.clinic.read(record).await.unwrap();
    story.patient.revoke(grant).await.unwrap();
    // A hostile client skips the chain and replays its old receipt: it holds a valid k_o.
    let refused = story
        .clinic
        .read_with_receipt(record, read.receipt)
        .await
        .unwrap_err();
    assert!(
        text(&refused).contains("0 of 4") && text(&refused).contains("revoked"),
        "{refused}"
    );
    let refused = story.clinic.read(record).await.unwrap_err();
    assert!(text(&refused).contains("revoked"), "{refused}");
    let feeds = story.patient.feeds().await.unwrap();
    let told = feeds.iter().filter(|feed| {
        feed.lines
            .iter()
            .any(|line| matches!(line.fact, FeedFact::Refused { .. }) && line.record == record)
    });
    assert_eq!(told.count(), 7, "every refusal reaches the owner's feed");
}

#[tokio::test]
async fn a_record_that_was_not_granted_is_not_even_known_to_the_reader() {
    let story = paired(2).await.unwrap();
    granted(&story).await.unwrap();
    let other = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap()
        .record;
    story.patient.sync().await.unwrap();
    story.clinic.sync().await.unwrap();
    assert!(matches!(
        story.clinic.read(other).await,
        Err(JourneyError::Unknown { .. })
    ));
}

#[tokio::test]
async fn three_stopped_keepers_do_not_matter_and_four_are_a_clear_error() {
    let story = paired(3).await.unwrap();
    let (record, _) = granted(&story).await.unwrap();
    for index in [1, 4, 6] {
        story.world.set_down(index, true);
    }
    story.clinic.read(record).await.unwrap();
    story.world.set_down(7, true);
    let error = story.clinic.read(record).await.unwrap_err();
    assert!(
        matches!(
            error,
            JourneyError::TooFewKeepers {
                good: 3,
                needed: 4,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn an_expired_grant_and_an_old_receipt_open_nothing() {
    let story = paired(4).await.unwrap();
    let (record, _) = granted(&story).await.unwrap();
    let read = story.clinic.read(record).await.unwrap();
    story.world.pass(601);
    let error = story
        .clinic
        .read_with_receipt(record, read.receipt)
        .await
        .unwrap_err();
    assert!(text(&error).contains("ten minutes"), "{error}");
    story.world.pass(WEEK);
    let error = story.clinic.read(record).await.unwrap_err();
    assert!(text(&error).contains("expired"), "{error}");
}

#[tokio::test]
async fn a_suspended_reader_gets_no_share_though_the_chain_gave_a_receipt() {
    let story = paired(5).await.unwrap();
    let (record, _) = granted(&story).await.unwrap();
    story.world.ledger.suspend(story.clinic.account().id());
    let error = story.clinic.read(record).await.unwrap_err();
    assert!(text(&error).contains("suspended"), "{error}");
    // Newcomer: reinstated within its ten minutes, it read on that receipt, of which no proof holds.
    story.world.pass(60);
    story
        .world
        .ledger
        .try_reinstate(story.clinic.account().id())
        .unwrap();
    story.world.pass(60);
    let line = story.patient.audit().await.unwrap().remove(0).line;
    let old = Receipt {
        id: line.receipt,
        record: line.record,
        reader: line.reader,
        grant: line.grant,
        outcome: Outcome {
            block: line.block,
            transaction: [0; 32],
        },
    };
    let error = story.clinic.read_with_receipt(record, old.clone()).await;
    let error = text(&error.unwrap_err());
    assert!(
        error.contains("is not accredited now or is suspended"),
        "{error}"
    );
    let read = story.clinic.read(record).await.unwrap();
    assert_ne!(read.receipt.id, old.id);
}

#[tokio::test]
async fn an_author_that_dies_between_anchor_and_shares_leaves_a_record_that_the_owner_completes() {
    let story = paired(6).await.unwrap();
    for index in 1..=7 {
        story.world.set_down(index, true);
    }
    let written = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    assert_eq!(written.acknowledged, 0);
    let report = story.patient.sync().await.unwrap();
    assert!(
        report.accepted.is_empty(),
        "not accepted without t acknowledgements"
    );
    for index in 1..=7 {
        story.world.set_down(index, false);
    }
    assert_eq!(
        story.patient.sync().await.unwrap().accepted,
        [written.record]
    );
}

#[tokio::test]
async fn a_suspended_author_and_one_without_consent_anchor_nothing() {
    let story = paired(7).await.unwrap();
    let error = story
        .clinic
        .write_for(story.clinic_owner, draft())
        .await
        .unwrap_err();
    assert!(text(&error).contains("permitted"), "{error}");
    story.world.ledger.suspend(story.hospital.account().id());
    let error = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap_err();
    assert!(text(&error).contains("suspended"), "{error}");
    assert!(story.patient.sync().await.unwrap().accepted.is_empty());
}

#[tokio::test]
async fn after_erasure_no_keeper_releases_and_enough_of_them_sign_that_it_is_gone() {
    let story = paired(8).await.unwrap();
    let (record, _) = granted(&story).await.unwrap();
    let read = story.clinic.read(record).await.unwrap();
    assert_eq!(story.patient.erase(record).await.unwrap(), 7);
    assert_eq!(
        story.patient.record(record).unwrap().standing,
        Standing::Erased
    );
    let error = story
        .clinic
        .read_with_receipt(record, read.receipt)
        .await
        .unwrap_err();
    assert!(text(&error).contains("erased"), "{error}");
    let error = story.clinic.read(record).await.unwrap_err();
    assert!(text(&error).contains("erased"), "{error}");
}

#[tokio::test]
async fn the_phrase_alone_restores_records_consents_names_and_the_trail() {
    let story = paired(9).await.unwrap();
    let (record, grant) = granted(&story).await.unwrap();
    story.clinic.read(record).await.unwrap();
    story.patient.write_own(draft()).await.unwrap();
    story.patient.sync().await.unwrap();
    let before = story.patient.audit().await.unwrap();
    let (restored, report) = Party::restore(&phrase(1), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert_eq!(report.sync.accepted.len(), 2);
    assert_eq!(restored.audit().await.unwrap(), before);
    assert_eq!(before[0].name, "Bit Clinic");
    let grants: Vec<GrantId> = restored
        .grants()
        .unwrap()
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    assert_eq!(grants, [grant]);
    let mut original = Vec::new();
    let kept = restored.record(record).unwrap();
    restored
        .open_own_part(&kept, PartRole::Original, &mut original)
        .unwrap();
    assert_eq!(original, ORIGINAL);
    restored.revoke(grant).await.unwrap();
    assert!(story.clinic.read(record).await.is_err());
}

#[tokio::test]
async fn a_wrong_phrase_restores_nothing_and_opens_nothing() {
    let story = paired(10).await.unwrap();
    granted(&story).await.unwrap();
    let (stranger, report) = Party::restore(&phrase(99), Role::Person, story.world.ports())
        .await
        .unwrap();
    assert_eq!((report.addresses, report.consents), (0, 0));
    assert!(stranger.records().unwrap().is_empty());
}

#[tokio::test]
async fn an_invitation_that_was_cut_changed_or_is_foreign_says_so() {
    use medibloc_journey::Invitation;
    let story = paired(11).await.unwrap();
    let text = story.patient.invite().await.unwrap().to_text();
    assert!(Invitation::parse(&text).is_ok());
    assert!(Invitation::parse("hello").is_err());
    for at in (18..text.len()).step_by(7) {
        let mut other = text.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert!(Invitation::parse(&other).is_err(), "byte {at}");
        assert!(Invitation::parse(&text[..at]).is_err(), "cut at {at}");
    }
}

/// The canary stands in the record; a planted copy shows that the search finds what is there.
#[tokio::test]
async fn nothing_that_the_node_holds_contains_the_plaintext() {
    let story = paired(12).await.unwrap();
    let (record, _) = granted(&story).await.unwrap();
    story.clinic.read(record).await.unwrap();
    let mut haystack = Vec::new();
    for kept in story.patient.records().unwrap() {
        let manifest = kept.manifest.unwrap();
        for cid in manifest.parts.iter().map(|part| part.cid) {
            haystack.extend(
                medibloc_store::Store::get(story.world.store.as_ref(), &cid)
                    .await
                    .unwrap()
                    .unwrap(),
            );
        }
    }
    for letter in story.world.letters() {
        haystack.extend(letter.wrapped.ciphertext);
    }
    let finds = |haystack: &[u8]| haystack.windows(11).any(|window| window == b"a diagnosis");
    assert!(!haystack.is_empty() && !finds(&haystack));
    haystack.extend_from_slice(ORIGINAL);
    assert!(finds(&haystack), "the planted control is found");
}

#[tokio::test]
async fn on_a_chain_that_was_set_back_nothing_is_taken_or_signed_until_it_is_there_again() {
    let story = paired(91).await.unwrap();
    let (patient, chain) = (&story.patient, &story.world.ledger);
    patient.sync().await.unwrap();
    let older = chain.copy();
    story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let newest = chain.copy();
    let synced = patient.status().await.unwrap().synced_to;
    let seen = patient.last_seen().unwrap().map(|mark| mark.number);
    let is_set_back = |error: JourneyError| {
        matches!(
            error,
            JourneyError::Ledger(LedgerError::SetBack { number, .. }) if Some(number) == seen
        )
    };
    chain.replace_by(&older);
    for block in 0..12 {
        assert!(is_set_back(patient.sync().await.unwrap_err()), "{block}");
        assert!(
            is_set_back(patient.catch_up().await.unwrap_err()),
            "{block}"
        );
        let until = story.world.ports().clock.now().plus(2 * WEEK);
        let signed = patient.grant_write(story.clinic_owner, medical_only(), until);
        assert!(is_set_back(signed.await.unwrap_err()), "{block}");
        assert!(patient.chain_alarm().await.unwrap().is_some(), "{block}");
        assert_eq!(patient.status().await.unwrap().synced_to, synced);
        // The older copy goes on, in another way, until it is longer than the right one.
        chain.form_committee(Threshold::new(5, 3).unwrap(), Vec::new());
    }
    chain.replace_by(&newest);
    let record = story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    patient.sync().await.unwrap();
    assert_eq!(patient.chain_alarm().await.unwrap(), None);
    assert!(patient.status().await.unwrap().synced_to > synced);
    let known = patient.records().unwrap();
    assert!(known.iter().any(|kept| kept.record() == record.record));
}

/// What a home that was behind finds when it looks after an older copy of the chain was put back.
#[tokio::test]
async fn a_home_that_only_saw_a_block_knows_an_older_copy_that_lacks_it() {
    let story = paired(92).await.unwrap();
    let (patient, chain) = (&story.patient, &story.world.ledger);
    patient.sync().await.unwrap();
    let older = chain.copy();
    story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    // A signature, and no sync since.
    let until = story.world.ports().clock.now().plus(2 * WEEK);
    let signed = patient.grant_write(story.clinic_owner, medical_only(), until);
    signed.await.unwrap();
    let newest = chain.copy();
    chain.replace_by(&older);
    chain.form_committee(Threshold::new(5, 3).unwrap(), Vec::new());
    let told = patient.sync().await.unwrap_err();
    assert!(
        matches!(told, JourneyError::Ledger(LedgerError::SetBack { .. })),
        "{told}"
    );
    chain.replace_by(&newest);
    patient.sync().await.unwrap();
}

#[tokio::test]
async fn a_home_that_followed_an_older_copy_is_warned_and_goes_on_with_the_right_chain_once_it_is_accepted()
 {
    let story = paired(93).await.unwrap();
    let (patient, chain) = (&story.patient, &story.world.ledger);
    let until = story.world.ports().clock.now().plus(2 * WEEK);
    patient
        .grant_write(story.clinic_owner, medical_only(), until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    let older = chain.copy();
    let permissions = patient.write_grants().unwrap();
    let mut permissions = permissions.into_iter();
    let (clinic, _) = permissions
        .find(|(_, given)| given.own == story.clinic_owner)
        .unwrap();
    let written = story.hospital.write_for(story.owner, draft());
    let record = written.await.unwrap().record;
    let newest = chain.copy();
    let head = chain.head().await.unwrap();
    let read = Mark {
        number: head.number,
        hash: head.hash,
    };
    for who in [None, Some(1), Some(2), Some(3), Some(4)] {
        story.world.has_read(who, read);
    }

    // The home never saw the record's block, and follows the older copy; its node says that it read more.
    chain.replace_by(&older);
    let report = patient.sync().await.unwrap();
    let warned = report.later.join(" ");
    assert!(
        warned.contains("the node read block") && warned.contains("is an older copy"),
        "{warned}"
    );
    // What it does there is on the older copy alone: a permission is taken back, a record of its own is written.
    patient.revoke_write(clinic).await.unwrap();
    let own = patient.write_own(draft()).await.unwrap().record;
    let report = patient.sync().await.unwrap();
    let warned = report.alarms.join(" ");
    assert!(warned.contains("the node read another block"), "{warned}");
    let wrong = chain.copy();

    // The right chain is back: nothing is taken until it is accepted.
    chain.replace_by(&newest);
    assert!(patient.chain_alarm().await.unwrap().is_some());
    let witnesses = patient.others_on_chain().await.unwrap();
    let same = witnesses.iter().filter(|it| it.says == Says::Same).count();
    assert_eq!((same, witnesses.len()), (5, 8));
    let accepted = patient.accept_chain().await.unwrap();
    assert!(accepted.left.number > accepted.shared.number);
    let lacking = accepted.lacking.join("\n");
    assert!(lacking.contains(&format!("record {own}")), "{lacking}");
    assert!(
        lacking.contains("Bit Clinic may not write any more"),
        "{lacking}"
    );
    assert_eq!(accepted.lacking.len(), 2, "{lacking}");
    assert_eq!(patient.chain_alarm().await.unwrap(), None);
    let report = patient.sync().await.unwrap();
    assert_eq!(report.acts, Vec::new());
    let known = patient.records().unwrap();
    assert!(known.iter().any(|kept| kept.record() == record));
    // What it holds of its own record it still has.
    patient.export_record(own).unwrap();
    // What was taken back on the older copy can be taken back again, and is.
    patient.revoke_write(clinic).await.unwrap();
    let again = patient.accept_chain().await.unwrap_err();
    assert!(
        again.to_string().contains("there is nothing to accept"),
        "{again}"
    );

    // Whoever finds the wrong one there later says so again.
    chain.replace_by(&wrong);
    assert!(patient.chain_alarm().await.unwrap().is_some());
    println!(
        "ATTACK operator-3: a home that was behind an older copy is warned by its node's last block; with the right chain back and 4 \
         keepers that read it, it goes on, and is told the 2 acts that this chain does not have"
    );
}

#[tokio::test]
async fn an_erasure_of_an_older_copy_alone_is_told_and_can_be_made_again() {
    let story = paired(94).await.unwrap();
    let (patient, chain) = (&story.patient, &story.world.ledger);
    let own = patient.write_own(draft()).await.unwrap().record;
    patient.sync().await.unwrap();
    let older = chain.copy();
    story
        .hospital
        .write_for(story.owner, draft())
        .await
        .unwrap();
    let newest = chain.copy();
    chain.replace_by(&older);
    patient.erase(own).await.unwrap();
    patient.sync().await.unwrap();
    chain.replace_by(&newest);
    let accepted = patient.accept_chain().await.unwrap();
    let lacking = accepted.lacking.join("\n");
    assert!(
        lacking.contains(&format!("the erasure of record {own}")),
        "{lacking}"
    );
    patient.sync().await.unwrap();
    assert!(
        patient
            .records()
            .unwrap()
            .iter()
            .any(|kept| kept.record() == own)
    );
    patient.erase(own).await.unwrap();
    let facts = chain.record(own).await.unwrap().unwrap();
    assert!(facts.erased);
}

#[tokio::test]
async fn another_chain_is_not_accepted() {
    let story = paired(95).await.unwrap();
    let (patient, chain) = (&story.patient, &story.world.ledger);
    patient.sync().await.unwrap();
    let other = MemoryLedger::new(Threshold::new(1, 1).unwrap(), Vec::new(), Timestamp(5));
    other.form_committee(Threshold::new(5, 3).unwrap(), Vec::new());
    chain.replace_by(&other);
    let before = patient.last_seen().unwrap();
    let told = patient.accept_chain().await.unwrap_err();
    assert!(told.to_string().contains("it is another chain"), "{told}");
    assert_eq!(patient.last_seen().unwrap(), before);
}
