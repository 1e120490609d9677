//! Requests are executed once, and every event stands where it was said to stand.

use medibloc_record::Timestamp;

use super::{Because, Play, actor, id};
use crate::{BlockEvents, Call, Event, LedgerError, Mark, SignedCall};

pub(super) async fn play(play: &mut Play<'_>) -> Result<(), LedgerError> {
    once(play).await?;
    only_signed(play).await?;
    in_order(play).await
}

async fn once(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let patient = play.patient.clone();
    let owner = id(&patient);
    let first = play.sign(&patient, &Call::RevokeAll).await?;
    let reader = id(&play.reader);
    let rival = play.sign(&patient, &Call::RevokeReader { reader }).await?;
    let relay = play.stage.relay();
    let outcome = relay.relay(&first).await?;
    play.happened
        .push((Some(outcome), Event::AllRevoked { owner }));
    let again = relay.relay(&first).await?;
    assert_eq!(again, outcome, "the same request has the same outcome");
    let error = relay.relay(&rival).await;
    assert!(
        error.is_err_and(|error| Because::BadRequest.is(&error)),
        "a second request with a used nonce is not valid"
    );
    Ok(())
}

async fn only_signed(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let patient = play.patient.clone();
    let bad = |result: Result<_, LedgerError>, what: &str| {
        let error = result.expect_err("it must not be taken");
        assert!(Because::BadRequest.is(&error), "{what}: {error:?}");
    };
    let relay = play.stage.relay();
    let good = play.sign(&patient, &Call::RevokeAll).await?;
    let other = play.sign(&play.other, &Call::RevokeAll).await?;
    let forged = SignedCall {
        bytes: good.bytes.clone(),
        signature: other.signature,
    };
    bad(relay.relay(&forged).await, "another's signature");
    let garbled = SignedCall {
        bytes: vec![1, 2, 3],
        signature: good.signature,
    };
    bad(relay.relay(&garbled).await, "no request");
    let address = patient.address();
    let past = Timestamp(play.now().await?.0 - 1);
    let unsigned = play
        .stage
        .submit()
        .prepare(address, &Call::RevokeAll, past)
        .await?;
    let signature = patient.sign_digest(&unsigned.digest);
    bad(
        relay.relay(&unsigned.sign(signature)).await,
        "past deadline",
    );
    // none of them was executed, so the nonce is still good
    let owner = id(&patient);
    let outcome = relay.relay(&good).await?;
    play.happened
        .push((Some(outcome), Event::AllRevoked { owner }));
    let nobody = actor(98);
    play.refuses(&nobody, Call::RevokeAll, Because::NotRegistered)
        .await
}

async fn in_order(play: &Play<'_>) -> Result<(), LedgerError> {
    let head = play.stage.facts().head().await?.number;
    for limit in [1, 3, u32::MAX] {
        let blocks = all(play, limit).await?;
        for pair in blocks.windows(2) {
            assert!(pair[0].number < pair[1].number, "blocks ascend");
            assert!(pair[0].time <= pair[1].time, "time does not go back");
            if pair[0].number + 1 == pair[1].number {
                assert_eq!(pair[0].hash, pair[1].parent, "blocks hang together");
            }
        }
        assert_eq!(
            blocks.last().map(|block| block.number),
            Some(head),
            "the last block is the newest that was looked at"
        );
        let found: Vec<(u64, &Event)> = blocks
            .iter()
            .flat_map(|block| block.events.iter().map(|event| (block.number, event)))
            .collect();
        for (at, ((block, got), (outcome, expected))) in
            found.iter().zip(&play.happened).enumerate()
        {
            assert_eq!(*got, expected, "event {at}, read {limit} blocks at a time");
            if let Some(outcome) = outcome {
                assert_eq!(*block, outcome.block, "the block of {expected:?}");
            }
        }
        assert_eq!(found.len(), play.happened.len(), "no event more or less");
    }
    let beyond = play.stage.events().events(head + 1, 10).await?;
    assert_eq!(beyond, [], "there is nothing beyond the last final block");
    for block in all(play, u32::MAX).await? {
        let hash = play.stage.events().hash_of(block.number).await?;
        assert_eq!(hash, Some(block.hash), "a block is known by its hash");
        let head = play.stage.facts().head().await?;
        Mark::of(&block).check(&head, play.stage.events()).await?;
    }
    let none = play.stage.events().hash_of(head + 1_000_000).await?;
    assert_eq!(none, None, "there is no such block");
    Ok(())
}

async fn all(play: &Play<'_>, limit: u32) -> Result<Vec<BlockEvents>, LedgerError> {
    let (mut blocks, mut next) = (Vec::new(), play.first_block);
    loop {
        let more = play.stage.events().events(next, limit).await?;
        assert!(more.len() <= limit as usize, "no more than asked for");
        let Some(last) = more.last() else {
            return Ok(blocks);
        };
        next = last.number + 1;
        blocks.extend(more);
    }
}
