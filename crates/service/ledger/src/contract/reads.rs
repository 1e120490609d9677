//! Receipts: a reader is cleared under a live grant that reaches the record, for its purpose, so often and no more.

use medibloc_consent::{AnchorFields, ClassSet, Grant, List, ListProof, Purpose, Reason, Scope};
use medibloc_keys::SigningKey;
use medibloc_record::{ClassId, Digest, Kind, Nonce, ReceiptId, RecordId};
use serde_bytes::ByteArray;

use super::{Because, Play, id};
use crate::{Call, Event, LedgerError};

pub(super) async fn play(play: &mut Play<'_>) -> Result<(), LedgerError> {
    refusals(play).await?;
    reaches(play).await?;
    lists(play).await?;
    counts(play).await?;
    in_time(play).await
}

fn read(play: &mut Play<'_>, grant: &Grant, anchor: AnchorFields) -> Call {
    Call::OpenRead {
        record: anchor.record_id(),
        purpose_tag: grant.terms.purpose_tag,
        nonce: play.nonce(),
        anchor,
        grant: grant.clone(),
        proof: None,
    }
}

fn read_listed(
    play: &mut Play<'_>,
    grant: &Grant,
    anchor: AnchorFields,
    shown: &ListProof,
) -> Call {
    let mut call = read(play, grant, anchor);
    if let Call::OpenRead { proof, .. } = &mut call {
        *proof = Some(shown.clone());
    }
    call
}

async fn opens(
    play: &mut Play<'_>,
    who: &SigningKey,
    grant: &Grant,
    anchor: AnchorFields,
) -> Result<(), LedgerError> {
    let call = read(play, grant, anchor);
    opens_by(play, who, call).await
}

async fn opens_by(play: &mut Play<'_>, who: &SigningKey, call: Call) -> Result<(), LedgerError> {
    let Call::OpenRead {
        record,
        nonce,
        grant,
        ..
    } = &call
    else {
        unreachable!("it is a read");
    };
    let (record, nonce) = (*record, *nonce);
    let event = Event::ReadOpened {
        receipt: ReceiptId::derive(record, id(who), grant.id, nonce),
        record,
        owner: grant.owner,
        reader: id(who),
        grant: grant.id,
        nonce,
    };
    play.does(who, call, vec![event]).await.map(|_| ())
}

async fn refusals(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, other, reader) = (
        play.patient.clone(),
        play.other.clone(),
        play.reader.clone(),
    );
    let anchor = play.accepted(&patient, ClassId(3)).await?;
    let fresh = play.draft(&patient, &patient, Kind::Own);
    play.does(&patient, Call::Anchor(fresh), vec![Event::Anchored(fresh)])
        .await?;
    let terms = play.terms(Scope::All, 50_000).await?;
    let unknown = play.grant(&patient, &reader, terms.clone());
    let grant = play.lets_read(&patient, &reader, terms, None).await?;
    let rule = Because::Rule;

    let call = read(play, &unknown, anchor);
    play.refuses(&reader, call, rule(Reason::UnknownGrant))
        .await?;
    let mut wider = grant.clone();
    wider.terms.until = wider.terms.until.plus(1);
    let call = read(play, &wider, anchor);
    play.refuses(&reader, call, rule(Reason::UnknownGrant))
        .await?;
    let call = read(play, &grant, anchor);
    play.refuses(&other, call, rule(Reason::NotTheReader))
        .await?;
    let mut call = read(play, &grant, anchor);
    if let Call::OpenRead { purpose_tag, .. } = &mut call {
        *purpose_tag = Purpose::Research.tag([9; 32]);
    }
    play.refuses(&reader, call, rule(Reason::WrongPurpose))
        .await?;
    let mut call = read(play, &grant, anchor);
    if let Call::OpenRead { record, .. } = &mut call {
        *record = fresh.record_id();
    }
    play.refuses(&reader, call, rule(Reason::UnknownRecord))
        .await?;
    let mut garbled = anchor;
    garbled.class = ClassId(4);
    let call = read(play, &grant, garbled);
    play.refuses(&reader, call, rule(Reason::UnknownRecord))
        .await?;
    let call = read(play, &grant, fresh);
    play.refuses(&reader, call, rule(Reason::NotAccepted))
        .await?;
    let foreign = play.accepted(&other, ClassId(3)).await?;
    let call = read(play, &grant, foreign);
    play.refuses(&reader, call, rule(Reason::NotCovered))
        .await?;

    opens(play, &reader, &grant, anchor).await?;
    let record = anchor.record_id();
    play.does(
        &patient,
        Call::Erase(anchor),
        vec![Event::Erased { record }],
    )
    .await?;
    let call = read(play, &grant, anchor);
    play.refuses(&reader, call, rule(Reason::Erased)).await?;
    let other_one = play.accepted(&patient, ClassId(3)).await?;
    let event = Event::Revoked { grant: grant.id };
    play.does(&patient, Call::Revoke(grant.clone()), vec![event])
        .await?;
    let call = read(play, &grant, other_one);
    play.refuses(&reader, call, rule(Reason::Revoked)).await
}

async fn reaches(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, reader) = (play.patient.clone(), play.reader.clone());
    let third = play.accepted(&patient, ClassId(3)).await?;
    let fourth = play.accepted(&patient, ClassId(4)).await?;
    let undisclosed = play.accepted(&patient, ClassId(0)).await?;
    let not = Because::Rule(Reason::NotCovered);

    let terms = play.terms(Scope::One(third.record_id()), 50_000).await?;
    let one = play
        .lets_read(&patient, &reader, terms, Some(third))
        .await?;
    opens(play, &reader, &one, third).await?;
    let call = read(play, &one, fourth);
    play.refuses(&reader, call, not).await?;

    let classes = ClassSet::of(&[ClassId(3), ClassId(5)]);
    let terms = play.terms(Scope::Classes(classes), 50_000).await?;
    let some = play.lets_read(&patient, &reader, terms, None).await?;
    opens(play, &reader, &some, third).await?;
    for anchor in [fourth, undisclosed] {
        let call = read(play, &some, anchor);
        play.refuses(&reader, call, not).await?;
    }

    let terms = play.terms(Scope::All, 50_000).await?;
    let all = play.lets_read(&patient, &reader, terms, None).await?;
    for anchor in [third, fourth, undisclosed] {
        opens(play, &reader, &all, anchor).await?;
    }
    Ok(())
}

/// A listed grant reaches what is in its lists: the one that it began with, and those that were delivered under it.
async fn lists(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, reader) = (play.patient.clone(), play.reader.clone());
    let mut anchors = Vec::new();
    for class in [3, 4, 0, 3, 3] {
        anchors.push(play.accepted(&patient, ClassId(class)).await?);
    }
    let ids: Vec<RecordId> = anchors.iter().map(AnchorFields::record_id).collect();
    let mut drawn = 0;
    let mut draw = || {
        drawn += 1;
        [drawn; 32]
    };
    let (first, later) = (
        List::of(&ids[..3], &mut draw),
        List::of(&ids[3..4], &mut draw),
    );
    let terms = play.terms(Scope::Listed(first.root), 50_000).await?;
    let grant = play
        .lets_read(&patient, &reader, terms.clone(), None)
        .await?;
    let begun = play.grant(&patient, &reader, terms.clone());
    let (not, digest) = (Because::Rule(Reason::NotCovered), Digest::new([209; 32]));

    for (anchor, proof) in anchors.iter().zip(&first.proofs) {
        let call = read_listed(play, &grant, *anchor, proof);
        opens_by(play, &reader, call).await?;
    }
    // Without a path, by another's, by one of no list, by one of a list that was not delivered.
    let call = read(play, &grant, anchors[0]);
    play.refuses(&reader, call, not).await?;
    let mut longer = first.proofs[0].clone();
    longer
        .path
        .resize(ListProof::LONGEST + 1, ByteArray::new([7; 32]));
    let mut inner = first.proofs[0].clone();
    inner.path.remove(0);
    for (anchor, proof) in [
        (anchors[0], &first.proofs[1]),
        (anchors[4], &first.proofs[0]),
        (anchors[0], &longer),
        (anchors[0], &inner),
        (anchors[3], &later.proofs[0]),
    ] {
        let call = read_listed(play, &grant, anchor, proof);
        play.refuses(&reader, call, not).await?;
    }
    let deliver = |grant: &Grant, root| Call::Deliver {
        grant: grant.clone(),
        number: 1,
        digest,
        root: Some(root),
    };
    let call = deliver(&begun, later.root);
    play.refuses(&patient, call, Because::Rule(Reason::UnknownGrant))
        .await?;
    let event = Event::Delivered {
        grant: grant.id,
        number: 1,
        digest,
    };
    play.does(&patient, deliver(&grant, later.root), vec![event])
        .await?;
    let call = read_listed(play, &grant, anchors[3], &later.proofs[0]);
    opens_by(play, &reader, call).await?;

    // A list of one grant is none of another's, and no other grant is used with a path.
    let other = play
        .lets_read(&patient, &reader, terms.clone(), None)
        .await?;
    let mut all = terms;
    all.scope = Scope::All;
    let all = play.lets_read(&patient, &reader, all, None).await?;
    for grant in [&other, &all] {
        let call = read_listed(play, grant, anchors[3], &later.proofs[0]);
        play.refuses(&reader, call, not).await?;
    }
    let revoked = Event::Revoked { grant: grant.id };
    play.does(&patient, Call::Revoke(grant.clone()), vec![revoked])
        .await?;
    let because = Because::Rule(Reason::Revoked);
    let call = read_listed(play, &grant, anchors[0], &first.proofs[0]);
    play.refuses(&reader, call, because).await?;
    let call = deliver(&grant, later.root);
    play.refuses(&patient, call, because).await
}

async fn counts(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, reader) = (play.patient.clone(), play.reader.clone());
    let anchor = play.accepted(&patient, ClassId(0)).await?;
    let mut terms = play.terms(Scope::All, 50_000).await?;
    terms.reads = Some(2);
    let grant = play.lets_read(&patient, &reader, terms, None).await?;
    for used in [1, 2] {
        opens(play, &reader, &grant, anchor).await?;
        let facts = play.stage.facts().grant(&grant).await?;
        assert_eq!(facts.reads_used, used, "reads are counted");
    }
    let call = read(play, &grant, anchor);
    play.refuses(&reader, call, Because::Rule(Reason::ReadsExhausted))
        .await?;
    used_once(play).await
}

/// A nonce opens one read of a reader, whichever grant and record it is used for: no receipt id is given twice.
async fn used_once(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, reader) = (play.patient.clone(), play.reader.clone());
    let anchor = play.accepted(&patient, ClassId(0)).await?;
    let terms = play.terms(Scope::All, 50_000).await?;
    let grant = play.lets_read(&patient, &reader, terms, None).await?;
    opens(play, &reader, &grant, anchor).await?;
    let used = Nonce::new([play.nonces; 32]);
    let other = play.accepted(&patient, ClassId(0)).await?;
    for anchor in [anchor, other] {
        let mut call = read(play, &grant, anchor);
        if let Call::OpenRead { nonce, .. } = &mut call {
            *nonce = used;
        }
        play.refuses(&reader, call, Because::Contract("NonceUsed"))
            .await?;
    }
    Ok(())
}

async fn in_time(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (patient, reader) = (play.patient.clone(), play.reader.clone());
    let anchor = play.accepted(&patient, ClassId(0)).await?;
    let mut terms = play.terms(Scope::All, 0).await?;
    terms.from = terms.from.plus(1_000);
    terms.until = terms.from.plus(1_000);
    terms.digest = Digest::new([210; 32]);
    let grant = play.lets_read(&patient, &reader, terms, None).await?;
    let call = read(play, &grant, anchor);
    play.refuses(&reader, call, Because::Rule(Reason::NotYetValid))
        .await?;
    play.stage.wait(1_100).await?;
    opens(play, &reader, &grant, anchor).await?;
    play.stage.wait(1_100).await?;
    let call = read(play, &grant, anchor);
    play.refuses(&reader, call, Because::Rule(Reason::Expired))
        .await
}
