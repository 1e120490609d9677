//! Taking a share, acknowledging it, and destroying it.

use medibloc_consent::{
    Acknowledgement, DeletionStatement, RefusalReason, ShareDeposit, SignedAcknowledgement,
};
use medibloc_keys::{Share, check_share, hpke_open, info};
use medibloc_record::{AccountId, Digest, KeySet, RecordId};

use crate::machine::{Effect, KeptShare, Reply, State};
use crate::{Facts, KeeperIdentity, RecordView};

pub(crate) fn deposit(
    state: &mut State,
    keeper: &KeeperIdentity,
    sender: AccountId,
    deposit: &ShareDeposit,
    facts: &Facts,
) -> Vec<Effect> {
    match check(state, keeper, sender, deposit, facts) {
        Ok(share) => {
            let reply = Reply::Acknowledged(acknowledge(keeper, deposit.record, share.key_set));
            let mut effects = Vec::new();
            if state.shares.get(&deposit.record) != Some(&share) {
                state.shares.insert(deposit.record, share.clone());
                effects.push(Effect::StoreShare {
                    record: deposit.record,
                    share,
                });
            }
            effects.push(Effect::Reply(reply));
            effects
        }
        Err(reason) => vec![Effect::Reply(Reply::Refused(reason))],
    }
}

fn check(
    state: &State,
    keeper: &KeeperIdentity,
    sender: AccountId,
    deposit: &ShareDeposit,
    facts: &Facts,
) -> Result<KeptShare, RefusalReason> {
    let Some(RecordView {
        anchor,
        committee,
        erased,
    }) = facts.record
    else {
        return Err(RefusalReason::UnknownRecord);
    };
    if anchor.record_id() != deposit.record {
        return Err(RefusalReason::UnknownRecord);
    }
    if erased || state.erased.contains(&deposit.record) {
        return Err(RefusalReason::Consent(medibloc_consent::Reason::Erased));
    }
    if sender != anchor.author && sender != anchor.owner {
        return Err(RefusalReason::NotAParty);
    }
    let key_set_digest = Digest::of(&deposit.key_set);
    if key_set_digest != anchor.key_set {
        return Err(RefusalReason::WrongKeySet);
    }
    let key_set = KeySet::parse(&deposit.key_set).map_err(|_| RefusalReason::WrongKeySet)?;
    if key_set.committee != committee || deposit.index != keeper.index {
        return Err(RefusalReason::WrongCommittee);
    }
    let secret = keeper
        .wrap_keys
        .iter()
        .find(|key| key.version() == deposit.wrapped.key_version)
        .ok_or(RefusalReason::WrongWrap)?;
    let info = info::share(
        &keeper.domain,
        deposit.record,
        anchor.author,
        anchor.owner,
        key_set.committee.id,
        keeper.index,
        deposit.wrapped.key_version,
    );
    let plain = hpke_open(secret, &info, &deposit.wrapped).map_err(|_| RefusalReason::WrongWrap)?;
    let share = Share::from_slice(&plain).ok_or(RefusalReason::WrongShare)?;
    let commitments: Vec<[u8; 32]> = key_set.commitments.iter().map(|bytes| **bytes).collect();
    check_share(&commitments, keeper.index, &share).map_err(|_| RefusalReason::WrongShare)?;
    Ok(KeptShare {
        share,
        key_set: key_set_digest,
        committee: key_set.committee.id,
    })
}

pub(crate) fn acknowledge(
    keeper: &KeeperIdentity,
    record: RecordId,
    key_set: Digest,
) -> SignedAcknowledgement {
    let acknowledgement = Acknowledgement {
        keeper: keeper.address(),
        record,
        key_set,
        index: keeper.index,
    };
    let signature = keeper
        .signer
        .sign_digest(&acknowledgement.digest(&keeper.domain));
    SignedAcknowledgement {
        acknowledgement,
        signature,
    }
}

/// Destroys the share of a record that is erased on the keeper's own final block.
pub(crate) fn erased(
    state: &mut State,
    keeper: &KeeperIdentity,
    record: RecordId,
    facts: &Facts,
) -> Vec<Effect> {
    let is_erased = facts
        .record
        .is_some_and(|view| view.erased && view.anchor.record_id() == record);
    if !is_erased {
        return vec![Effect::Reply(Reply::Refused(RefusalReason::UnknownRecord))];
    }
    let mut effects = Vec::new();
    if state.erased.insert(record) {
        state.shares.remove(&record);
        effects.push(Effect::DestroyShare { record });
    }
    let digest = DeletionStatement::digest(keeper.address(), record, &keeper.domain);
    let signature = keeper.signer.sign_digest(&digest);
    effects.push(Effect::Reply(Reply::Deleted(DeletionStatement {
        keeper: keeper.address(),
        record,
        signature,
    })));
    effects
}
