//! Accounts: registered once, keys in versions, accredited with a history.

use medibloc_keys::SigningKey;
use medibloc_record::{AccountId, Digest, Role, SealingKey, Timestamp};

use super::{Because, Play, actor, id};
use crate::{Call, Event, LedgerError, Standing};

pub(super) async fn play(play: &mut Play<'_>) -> Result<(), LedgerError> {
    registers(play).await?;
    rotates(play).await?;
    moves(play).await?;
    accredits(play).await
}

/// An address that signs for the account of another: everything goes on under the account's id, and each address
/// counts for the blocks that it served in.
async fn moves(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let facts = play.stage.facts();
    let (first, second, third) = (actor(91), actor(92), actor(93));
    let account = id(&first);
    play.register(&first, Role::Person).await?;
    let born = facts.head().await?.number;
    assert_eq!(facts.account_at(first.address(), born - 1).await?, None);
    let signer = facts.account(account).await?.map(|account| account.signer);
    assert_eq!(signer, Some(first.address()));

    let moved = rotate(play, account, &first, &second).await?;
    let again = rotate(play, account, &second, &third).await?;
    play.stage.wait(1).await?;
    let signer = facts.account(account).await?.map(|account| account.signer);
    assert_eq!(signer, Some(third.address()));
    for (who, now) in [(&first, None), (&second, None), (&third, Some(account))] {
        assert_eq!(facts.account_of(who.address()).await?, now);
    }
    let served = [
        (&first, born, Some(moved)),
        (&second, moved, Some(again)),
        (&third, again, None),
    ];
    for (who, from, to) in served {
        let at = async |block| facts.account_at(who.address(), block).await;
        assert_eq!(at(from - 1).await?, None, "before {from}");
        assert_eq!(at(from).await?, Some(account), "from {from} on");
        assert_eq!(
            at(to.unwrap_or(again)).await?,
            Some(account),
            "until {to:?}"
        );
        let after = at(to.unwrap_or(again) + 1).await?;
        assert_eq!(after, to.is_none().then_some(account), "after {to:?}");
    }
    play.refuses(&second, Call::RevokeAll, Because::NotRegistered)
        .await?;
    let event = Event::AllRevoked { owner: account };
    play.does(&third, Call::RevokeAll, vec![event]).await?;
    let taken = play.stage.rotate_address(&third, &first).await;
    let error = taken.expect_err("an address serves once");
    assert!(Because::Exists.is(&error), "not {error:?}");
    Ok(())
}

/// The block that it stands in.
async fn rotate(
    play: &mut Play<'_>,
    account: AccountId,
    from: &SigningKey,
    to: &SigningKey,
) -> Result<u64, LedgerError> {
    let outcome = play.stage.rotate_address(from, to).await?;
    let event = Event::AddressRotated {
        account,
        from: from.address(),
        to: to.address(),
    };
    play.happened.push((Some(outcome), event));
    Ok(outcome.block)
}

async fn registers(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let patient = play.patient.clone();
    let facts = play.stage.facts();
    assert_eq!(facts.account_of(patient.address()).await?, None);
    assert_eq!(facts.account(id(&patient)).await?, None);
    play.refuses(&patient, Call::RevokeAll, Because::NotRegistered)
        .await?;
    let zero = Call::Register {
        role: Role::Person,
        sealing_key: [0; 32],
    };
    play.refuses(&patient, zero, Because::Contract("ZeroKey"))
        .await?;
    let cast = [
        (patient.clone(), Role::Person),
        (play.other.clone(), Role::Person),
        (play.hospital.clone(), Role::Provider),
        (play.researcher.clone(), Role::Researcher),
        (play.reader.clone(), Role::Provider),
    ];
    for (who, role) in cast {
        play.register(&who, role).await?;
        let account = facts.account(id(&who)).await?.expect("it is registered");
        assert_eq!((account.id, account.role), (id(&who), role));
        let key = [7; 32];
        assert_eq!(account.sealing_key, SealingKey { version: 1, key });
        assert!(account.registered_at <= play.now().await?);
        assert_eq!(facts.account_of(who.address()).await?, Some(id(&who)));
    }
    let again = Call::Register {
        role: Role::Provider,
        sealing_key: [8; 32],
    };
    play.refuses(&patient, again, Because::Exists).await
}

async fn rotates(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let patient = play.patient.clone();
    let zero = Call::RotateSealingKey {
        sealing_key: [0; 32],
    };
    play.refuses(&patient, zero, Because::Contract("ZeroKey"))
        .await?;
    let key = [9; 32];
    let event = Event::SealingKeyRotated {
        account: id(&patient),
        version: 2,
        key,
    };
    let call = Call::RotateSealingKey { sealing_key: key };
    play.does(&patient, call, vec![event]).await?;
    let account = play.stage.facts().account(id(&patient)).await?;
    let newest = account.map(|account| account.sealing_key);
    assert_eq!(newest, Some(SealingKey { version: 2, key }));
    Ok(())
}

async fn accredits(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let (stage, hospital) = (play.stage, id(&play.hospital));
    let before = play.now().await?;
    let (from, until) = (before, before.plus(100_000));
    let evidence = Digest::new([206; 32]);
    let refused = |result: Result<(), LedgerError>, name| {
        let error = result.expect_err("it must be refused");
        assert!(Because::Contract(name).is(&error), "{name}, not {error:?}");
    };
    refused(
        stage
            .accredit(id(&play.patient), from, until, evidence)
            .await,
        "WrongRole",
    );
    refused(
        stage.accredit(hospital, until, from, evidence).await,
        "EmptyPeriod",
    );
    let nobody = id(&actor(99));
    let error = stage.accredit(nobody, from, until, evidence).await;
    assert!(
        error.is_err_and(|error| Because::NotRegistered.is(&error)),
        "an account that is not registered cannot be accredited"
    );
    stage.wait(10).await?;
    stage.accredit(hospital, from, until, evidence).await?;
    play.happened.push((
        None,
        Event::Accredited {
            account: hospital,
            from,
            until,
            evidence,
        },
    ));
    standing(play, before, false, false).await?;
    stage.wait(10).await?;
    let good = play.now().await?;
    standing(play, good, true, false).await?;
    standing(play, until, false, false).await?;

    stage.wait(10).await?;
    stage.suspend(hospital).await?;
    play.happened
        .push((None, Event::Suspended { account: hospital }));
    refused(stage.suspend(hospital).await, "AlreadySuspended");
    stage.wait(10).await?;
    let bad = play.now().await?;
    standing(play, bad, true, true).await?;
    standing(play, good, true, false).await?;

    stage.wait(10).await?;
    stage.reinstate(hospital).await?;
    play.happened
        .push((None, Event::Reinstated { account: hospital }));
    refused(stage.reinstate(hospital).await, "NotSuspended");
    stage.wait(10).await?;
    let again = play.now().await?;
    standing(play, again, true, false).await?;
    standing(play, bad, true, true).await?;
    standing(play, before, false, false).await
}

async fn standing(
    play: &Play<'_>,
    at: Timestamp,
    accredited: bool,
    suspended: bool,
) -> Result<(), LedgerError> {
    let found = play.stage.facts().standing(id(&play.hospital), at).await?;
    let expected = Standing {
        accredited,
        suspended,
    };
    assert_eq!(found, expected, "the hospital's standing at {at}");
    Ok(())
}
