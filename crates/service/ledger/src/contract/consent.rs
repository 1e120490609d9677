//! Grants: given by the owner alone, ended one by one, by reader, or all at once.

use medibloc_consent::{ClassSet, Grant, ListRoot, Reason, Scope};
use medibloc_record::{ClassId, Digest, Kind, RecordId};

use super::{Because, Play, id};
use crate::{Call, Event, GrantFacts, LedgerError};

pub(super) async fn play(play: &mut Play<'_>) -> Result<(), LedgerError> {
    gives(play).await?;
    misfits(play).await?;
    delivers(play).await?;
    ends_one(play).await?;
    ends_many(play).await
}

async fn facts(
    play: &Play<'_>,
    grant: &Grant,
    granted: bool,
    revoked: bool,
) -> Result<(), LedgerError> {
    let found = play.stage.facts().grant(grant).await?;
    let expected = GrantFacts {
        granted,
        revoked,
        reads_used: 0,
    };
    assert_eq!(found, expected, "of {grant:?}");
    Ok(())
}

async fn gives(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, other, reader) = (
        play.patient.clone(),
        play.other.clone(),
        play.reader.clone(),
    );
    let anchor = play.draft(&patient, &patient, Kind::Own);
    let record = anchor.record_id();
    let terms = play.terms(Scope::One(record), 50_000).await?;
    let grant = play.grant(&patient, &reader, terms.clone());
    let with = |anchor| Call::Grant {
        grant: grant.clone(),
        anchor,
    };
    let rule = Because::Rule;
    facts(play, &grant, false, false).await?;
    play.refuses(&patient, with(Some(anchor)), rule(Reason::UnknownRecord))
        .await?;
    play.does(
        &patient,
        Call::Anchor(anchor),
        vec![Event::Anchored(anchor)],
    )
    .await?;
    play.refuses(&patient, with(Some(anchor)), rule(Reason::NotAccepted))
        .await?;
    play.does(
        &patient,
        Call::Accept(anchor),
        vec![Event::Accepted { record }],
    )
    .await?;
    play.refuses(&other, with(Some(anchor)), rule(Reason::NotTheOwner))
        .await?;
    let mut garbled = anchor;
    garbled.capsule = Digest::new([1; 32]);
    play.refuses(&patient, with(Some(garbled)), rule(Reason::UnknownRecord))
        .await?;
    let foreign = play.accepted(&other, ClassId(0)).await?;
    let foreign_terms = play.terms(Scope::One(foreign.record_id()), 50_000).await?;
    let of_another = Call::Grant {
        grant: play.grant(&patient, &reader, foreign_terms),
        anchor: Some(foreign),
    };
    play.refuses(&patient, of_another, rule(Reason::NotTheOwner))
        .await?;
    let event = Event::Granted(grant.clone());
    play.does(&patient, with(Some(anchor)), vec![event]).await?;
    play.refuses(&patient, with(Some(anchor)), Because::Exists)
        .await?;
    facts(play, &grant, true, false).await?;
    let mut wider = grant.clone();
    wider.terms.until = grant.terms.until.plus(1);
    facts(play, &wider, false, false).await?;
    play.does(
        &patient,
        Call::Erase(anchor),
        vec![Event::Erased { record }],
    )
    .await?;
    let late = Call::Grant {
        grant: play.grant(&patient, &reader, terms),
        anchor: Some(anchor),
    };
    play.refuses(&patient, late, rule(Reason::Erased)).await
}

async fn misfits(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, reader) = (play.patient.clone(), play.reader.clone());
    let good = play.terms(Scope::All, 50_000).await?;
    let mut none = good.clone();
    none.reads = Some(0);
    let mut never = good.clone();
    never.until = never.from;
    let mut over = good.clone();
    over.from = medibloc_record::Timestamp(1);
    over.until = medibloc_record::Timestamp(2);
    let mut empty = good;
    empty.scope = Scope::Classes(ClassSet::default());
    let rows = [
        (none, Because::BadRequest),
        (never, Because::Contract("EmptyPeriod")),
        (over, Because::Contract("EmptyPeriod")),
        (empty, Because::Contract("WrongScope")),
    ];
    for (terms, because) in rows {
        let grant = play.grant(&patient, &reader, terms);
        let call = Call::Grant {
            grant,
            anchor: None,
        };
        play.refuses(&patient, call, because).await?;
    }
    Ok(())
}

async fn delivers(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, reader) = (play.patient.clone(), play.reader.clone());
    let classes = Scope::Classes(ClassSet::of(&[ClassId(3), ClassId(63)]));
    let terms = play.terms(classes, 300).await?;
    let unknown = play.grant(&patient, &reader, terms.clone());
    let grant = play.lets_read(&patient, &reader, terms, None).await?;
    let digest = Digest::new([209; 32]);
    let list = |grant: &Grant, number| Call::Deliver {
        grant: grant.clone(),
        number,
        digest,
        root: None,
    };
    let event = |number| Event::Delivered {
        grant: grant.id,
        number,
        digest,
    };
    let rule = Because::Rule;
    play.refuses(&patient, list(&unknown, 1), rule(Reason::UnknownGrant))
        .await?;
    play.refuses(&reader, list(&grant, 1), rule(Reason::NotTheOwner))
        .await?;
    let listed = Call::Deliver {
        grant: grant.clone(),
        number: 1,
        digest,
        root: Some(ListRoot([1; 32])),
    };
    play.refuses(&patient, listed, Because::Contract("WrongScope"))
        .await?;
    for number in [1, 2] {
        play.does(&patient, list(&grant, number), vec![event(number)])
            .await?;
    }
    play.stage.wait(400).await?;
    play.refuses(&patient, list(&grant, 3), rule(Reason::Expired))
        .await?;
    facts(play, &grant, true, false).await
}

async fn ends_one(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, other, reader) = (
        play.patient.clone(),
        play.other.clone(),
        play.reader.clone(),
    );
    let terms = play.terms(Scope::All, 50_000).await?;
    let unknown = play.grant(&patient, &reader, terms.clone());
    let grant = play.lets_read(&patient, &reader, terms, None).await?;
    let rule = Because::Rule;
    play.refuses(&patient, Call::Revoke(unknown), rule(Reason::UnknownGrant))
        .await?;
    let revoke = Call::Revoke(grant.clone());
    play.refuses(&other, revoke.clone(), rule(Reason::NotTheOwner))
        .await?;
    // the id names the grant: garbled terms never stand in the way of ending it
    let mut garbled = grant.clone();
    garbled.terms.scope = Scope::One(RecordId::new([5; 32]));
    let event = Event::Revoked { grant: grant.id };
    play.does(&patient, Call::Revoke(garbled), vec![event])
        .await?;
    play.refuses(&patient, revoke, rule(Reason::Revoked))
        .await?;
    facts(play, &grant, true, true).await
}

async fn ends_many(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, other, reader, hospital) = (
        play.patient.clone(),
        play.other.clone(),
        play.reader.clone(),
        play.hospital.clone(),
    );
    let terms = play.terms(Scope::All, 50_000).await?;
    let mine = play
        .lets_read(&patient, &reader, terms.clone(), None)
        .await?;
    let elses = play
        .lets_read(&patient, &hospital, terms.clone(), None)
        .await?;
    let stranger = play.lets_read(&other, &reader, terms.clone(), None).await?;
    let (owner, who) = (id(&patient), id(&reader));
    let event = Event::ReaderRevoked { owner, reader: who };
    let call = Call::RevokeReader { reader: who };
    play.does(&patient, call, vec![event]).await?;
    facts(play, &mine, true, true).await?;
    facts(play, &elses, true, false).await?;
    facts(play, &stranger, true, false).await?;
    let newer = play
        .lets_read(&patient, &reader, terms.clone(), None)
        .await?;
    facts(play, &newer, true, false).await?;

    let event = Event::AllRevoked { owner };
    play.does(&patient, Call::RevokeAll, vec![event]).await?;
    for grant in [&mine, &elses, &newer] {
        facts(play, grant, true, true).await?;
    }
    facts(play, &stranger, true, false).await?;
    let anchor = play.draft(&hospital, &patient, Kind::Medical);
    let because = Because::Rule(Reason::NoWriteGrant);
    play.refuses(&hospital, Call::Anchor(anchor), because)
        .await?;
    let newest = play.lets_read(&patient, &reader, terms, None).await?;
    facts(play, &newest, true, false).await?;
    play.does(
        &patient,
        Call::Revoke(newest.clone()),
        vec![Event::Revoked { grant: newest.id }],
    )
    .await
    .map(|_| ())
}
