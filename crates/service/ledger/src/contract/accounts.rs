//! Accounts: registered once, keys in versions, accredited with a history.

use medibloc_record::{Digest, Role, SealingKey, Timestamp};

use super::{Because, Play, id};
use crate::{Call, Event, LedgerError, Standing};

pub(super) async fn play(play: &mut Play<'_>) -> Result<(), LedgerError> {
    registers(play).await?;
    rotates(play).await?;
    accredits(play).await
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
    let nobody = id(&super::actor(99));
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
