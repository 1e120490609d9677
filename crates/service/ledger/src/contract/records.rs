//! Records: who may anchor what, and what becomes of it.

use medibloc_consent::{AnchorFields, Reason};
use medibloc_record::{ClassId, Digest, Kind, Nonce, RecordId};

use super::{Because, Play, id};
use crate::{Call, Event, LedgerError};

pub(super) async fn play(play: &mut Play<'_>) -> Result<(), LedgerError> {
    writes(play).await?;
    own(play).await?;
    research(play).await?;
    amends(play).await?;
    batches(play).await?;
    lives(play).await?;
    ends(play).await
}

async fn anchored(play: &mut Play<'_>, anchor: AnchorFields) -> Result<(), LedgerError> {
    let author = [&play.patient, &play.other, &play.hospital, &play.researcher]
        .into_iter()
        .find(|key| id(key) == anchor.author)
        .expect("the author is of the cast")
        .clone();
    play.does(&author, Call::Anchor(anchor), vec![Event::Anchored(anchor)])
        .await?;
    let facts = play.stage.facts().record(anchor.record_id()).await?;
    let facts = facts.expect("it is anchored");
    assert!(!facts.accepted && !facts.retracted && !facts.erased);
    assert!(facts.anchored_at <= play.now().await?);
    // Its id has neither what it amends nor what it is made of.
    let others = [
        AnchorFields {
            amends: Some(RecordId::new([7; 32])),
            ..anchor
        },
        AnchorFields {
            package: Digest::new([7; 32]),
            ..anchor
        },
        AnchorFields {
            nonce: Nonce::new([7; 32]),
            ..anchor
        },
    ];
    assert!(play.stage.facts().is_anchored(&anchor).await?);
    for other in &others {
        assert!(!play.stage.facts().is_anchored(other).await?);
    }
    Ok(())
}

async fn writes(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, hospital, reader) = (
        play.patient.clone(),
        play.hospital.clone(),
        play.reader.clone(),
    );
    let anchor = play.draft(&hospital, &patient, Kind::Medical);
    let call = Call::Anchor(anchor);
    assert_eq!(play.stage.facts().record(anchor.record_id()).await?, None);
    let rule = Because::Rule;
    play.refuses(&hospital, call.clone(), rule(Reason::NoWriteGrant))
        .await?;
    let grant = play
        .lets_write(&patient, &hospital, &[Kind::Family], 50_000)
        .await?;
    play.refuses(&patient, Call::GrantWrite(grant), Because::Exists)
        .await?;
    play.refuses(&hospital, call.clone(), rule(Reason::KindNotGranted))
        .await?;
    let over = play
        .write_grant(&patient, &hospital, &[Kind::Medical], 0)
        .await?;
    play.refuses(
        &patient,
        Call::GrantWrite(over),
        Because::Contract("EmptyPeriod"),
    )
    .await?;
    play.lets_write(&patient, &hospital, &[Kind::Medical, Kind::Device], 50_000)
        .await?;
    play.lets_write(&patient, &reader, &[Kind::Medical], 50_000)
        .await?;
    let unaccredited = play.draft(&reader, &patient, Kind::Medical);
    play.refuses(
        &reader,
        Call::Anchor(unaccredited),
        rule(Reason::NotAccredited),
    )
    .await?;
    play.refuses(&patient, call.clone(), rule(Reason::NotTheAuthor))
        .await?;
    play.stage.suspend(id(&hospital)).await?;
    let account = id(&hospital);
    play.happened.push((None, Event::Suspended { account }));
    play.refuses(&hospital, call.clone(), rule(Reason::Suspended))
        .await?;
    // nor what needs no accreditation
    let device = play.draft(&hospital, &patient, Kind::Device);
    play.refuses(&hospital, Call::Anchor(device), rule(Reason::Suspended))
        .await?;
    play.stage.reinstate(account).await?;
    play.happened.push((None, Event::Reinstated { account }));
    anchored(play, anchor).await?;
    play.refuses(&hospital, call, Because::Exists).await?;
    let device = play.draft(&hospital, &patient, Kind::Device);
    anchored(play, device).await
}

async fn own(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, other) = (play.patient.clone(), play.other.clone());
    for kind in [Kind::Own, Kind::Device] {
        let anchor = play.draft(&patient, &patient, kind);
        anchored(play, anchor).await?;
    }
    let foreign = play.draft(&patient, &other, Kind::Own);
    let because = Because::Rule(Reason::OwnerOnly);
    play.refuses(&patient, Call::Anchor(foreign), because)
        .await?;
    let family = play.draft(&patient, &other, Kind::Family);
    let because = Because::Rule(Reason::NoWriteGrant);
    play.refuses(&patient, Call::Anchor(family), because)
        .await?;
    play.lets_write(&other, &patient, &[Kind::Family], 50_000)
        .await?;
    anchored(play, family).await?;
    // who was never accredited takes back what it wrote
    let record = family.record_id();
    let retracted = vec![Event::Retracted { record }];
    play.does(&patient, Call::Retract(family), retracted)
        .await
        .map(|_| ())
}

async fn research(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, researcher) = (play.patient.clone(), play.researcher.clone());
    play.lets_write(
        &patient,
        &researcher,
        &[Kind::Research, Kind::Medical],
        50_000,
    )
    .await?;
    let anchor = play.draft(&researcher, &patient, Kind::Research);
    let because = Because::Rule(Reason::NotAccredited);
    play.refuses(&researcher, Call::Anchor(anchor), because)
        .await?;
    let (account, from) = (id(&researcher), play.now().await?);
    let (until, evidence) = (from.plus(100_000), Digest::new([207; 32]));
    play.stage.accredit(account, from, until, evidence).await?;
    play.happened.push((
        None,
        Event::Accredited {
            account,
            from,
            until,
            evidence,
        },
    ));
    anchored(play, anchor).await?;
    // a researcher's accreditation is none for medical records
    let medical = play.draft(&researcher, &patient, Kind::Medical);
    play.refuses(&researcher, Call::Anchor(medical), because)
        .await
}

async fn amends(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, other) = (play.patient.clone(), play.other.clone());
    let first = play.draft(&patient, &patient, Kind::Own);
    anchored(play, first).await?;
    let mut second = play.draft(&patient, &patient, Kind::Own);
    second.amends = Some(first.record_id());
    let bare = Because::Contract("AmendedFieldsMissing");
    play.refuses(&patient, Call::Anchor(second), bare).await?;
    let call = amend(second, first);
    play.does(&patient, call, vec![Event::Anchored(second)])
        .await?;

    let because = Because::Rule(Reason::UnknownRecord);
    let mut stray = play.draft(&patient, &patient, Kind::Own);
    stray.amends = Some(RecordId::new([77; 32]));
    play.refuses(&patient, amend(stray, first), because).await?;
    stray.amends = Some(first.record_id());
    let mut garbled = first;
    garbled.capsule = Digest::new([1; 32]);
    play.refuses(&patient, amend(stray, garbled), because)
        .await?;
    let unknown = play.draft(&patient, &patient, Kind::Own);
    stray.amends = Some(unknown.record_id());
    play.refuses(&patient, amend(stray, unknown), because)
        .await?;
    let plain = play.draft(&patient, &patient, Kind::Own);
    play.refuses(&patient, amend(plain, first), because).await?;
    let mut foreign = play.draft(&other, &other, Kind::Own);
    foreign.amends = Some(first.record_id());
    play.refuses(&other, amend(foreign, first), because).await?;

    let mut beyond = play.draft(&patient, &patient, Kind::Own);
    beyond.class = ClassId(64);
    let because = Because::Contract("UnknownClass");
    play.refuses(&patient, Call::Anchor(beyond), because).await
}

fn amend(anchor: AnchorFields, amended: AnchorFields) -> Call {
    Call::Amend { anchor, amended }
}

async fn batches(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let patient = play.patient.clone();
    let wrong = Because::Contract("WrongBatchSize");
    play.refuses(&patient, together(Vec::new()), wrong).await?;
    let batch: Vec<_> = (0..3)
        .map(|_| play.draft(&patient, &patient, Kind::Own))
        .collect();
    let mut torn = batch.clone();
    torn.push(batch[0]);
    play.refuses(&patient, together(torn), Because::Exists)
        .await?;
    let facts = play.stage.facts();
    for anchor in &batch {
        let found = facts.record(anchor.record_id()).await?;
        assert_eq!(found, None, "a batch is anchored whole or not at all");
    }
    let events = batch.iter().copied().map(Event::Anchored).collect();
    play.does(&patient, together(batch.clone()), events).await?;
    for anchor in &batch {
        assert!(facts.record(anchor.record_id()).await?.is_some());
    }
    amends_in_batches(play, batch[0]).await
}

/// The first record of a batch amends one that was there, the second the first.
async fn amends_in_batches(play: &mut Play<'_>, old: AnchorFields) -> Result<(), LedgerError> {
    let patient = play.patient.clone();
    let mut batch: Vec<_> = (0..3)
        .map(|_| play.draft(&patient, &patient, Kind::Own))
        .collect();
    batch[0].amends = Some(old.record_id());
    batch[1].amends = Some(batch[0].record_id());
    let with = |amended: &[AnchorFields]| Call::AnchorBatch {
        batch: batch.clone(),
        amended: amended.to_vec(),
    };
    let missing = Because::Contract("AmendedFieldsMissing");
    play.refuses(&patient, with(&[old]), missing).await?;
    let more = [old, batch[0], old];
    play.refuses(&patient, with(&more), Because::Contract("WrongBatchSize"))
        .await?;
    let because = Because::Rule(Reason::UnknownRecord);
    play.refuses(&patient, with(&[old, old]), because).await?;
    let events = batch.iter().copied().map(Event::Anchored).collect();
    play.does(&patient, with(&[old, batch[0]]), events)
        .await
        .map(|_| ())
}

fn together(batch: Vec<AnchorFields>) -> Call {
    let amended = Vec::new();
    Call::AnchorBatch { batch, amended }
}

async fn lives(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, hospital) = (play.patient.clone(), play.hospital.clone());
    let anchor = play.draft(&hospital, &patient, Kind::Medical);
    let (record, capsule) = (anchor.record_id(), Digest::new([208; 32]));
    let replace = Call::ReplaceCapsule { anchor, capsule };
    let calls = [
        Call::Accept(anchor),
        Call::Retract(anchor),
        replace.clone(),
        Call::Erase(anchor),
    ];
    for call in calls.clone() {
        let because = Because::Rule(Reason::UnknownRecord);
        play.refuses(&patient, call, because).await?;
    }
    anchored(play, anchor).await?;
    let mut garbled = anchor;
    garbled.package = Digest::new([1; 32]);
    let because = Because::Rule(Reason::UnknownRecord);
    play.refuses(&patient, Call::Accept(garbled), because)
        .await?;
    for call in [Call::Accept(anchor), replace.clone(), Call::Erase(anchor)] {
        let because = Because::Rule(Reason::NotTheOwner);
        play.refuses(&hospital, call, because).await?;
    }
    let because = Because::Rule(Reason::NotTheAuthor);
    play.refuses(&patient, Call::Retract(anchor), because)
        .await?;

    play.does(
        &patient,
        Call::Accept(anchor),
        vec![Event::Accepted { record }],
    )
    .await?;
    play.refuses(&patient, Call::Accept(anchor), Because::Exists)
        .await?;
    for version in [2, 3] {
        let event = Event::CapsuleReplaced {
            record,
            version,
            digest: capsule,
        };
        play.does(&patient, replace.clone(), vec![event]).await?;
    }
    suspended_takes_nothing_back(play, anchor).await?;
    play.does(
        &hospital,
        Call::Retract(anchor),
        vec![Event::Retracted { record }],
    )
    .await?;
    play.refuses(&hospital, Call::Retract(anchor), Because::Exists)
        .await?;
    play.does(
        &patient,
        Call::Erase(anchor),
        vec![Event::Erased { record }],
    )
    .await?;
    for call in calls {
        let who = match call {
            Call::Retract(_) => &hospital,
            _ => &patient,
        };
        play.refuses(who, call, Because::Rule(Reason::Erased))
            .await?;
    }
    let facts = play.stage.facts().record(record).await?;
    let facts = facts.expect("what was erased stays known");
    assert!(facts.accepted && facts.retracted && facts.erased);
    assert!(play.stage.facts().is_anchored(&anchor).await?);
    Ok(())
}

/// The hospital is suspended, and reinstated in the end.
async fn suspended_takes_nothing_back(
    play: &mut Play<'_>,
    anchor: AnchorFields,
) -> Result<(), LedgerError> {
    let hospital = play.hospital.clone();
    let account = id(&hospital);
    play.stage.suspend(account).await?;
    play.happened.push((None, Event::Suspended { account }));
    let because = Because::Rule(Reason::Suspended);
    play.refuses(&hospital, Call::Retract(anchor), because)
        .await?;
    let facts = play.stage.facts().record(anchor.record_id()).await?;
    assert!(!facts.expect("it is anchored").retracted);
    play.stage.reinstate(account).await?;
    play.happened.push((None, Event::Reinstated { account }));
    Ok(())
}

async fn ends(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, hospital) = (play.patient.clone(), play.hospital.clone());
    let (owner, author) = (id(&patient), id(&hospital));
    let anchor = play.draft(&hospital, &patient, Kind::Medical);
    let call = Call::Anchor(anchor);
    let because = Because::Rule(Reason::NoWriteGrant);
    let revoke = Call::RevokeWrite { author };
    let revoked = Event::WriteRevoked { owner, author };
    play.does(&patient, revoke.clone(), vec![revoked]).await?;
    play.refuses(&patient, revoke, because).await?;
    play.refuses(&hospital, call.clone(), because).await?;
    play.lets_write(&patient, &hospital, &[Kind::Medical], 300)
        .await?;
    play.stage.wait(400).await?;
    play.refuses(&hospital, call, because).await?;
    play.lets_write(&patient, &hospital, &[Kind::Medical], 50_000)
        .await?;
    anchored(play, anchor).await
}
