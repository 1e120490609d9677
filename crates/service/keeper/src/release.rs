//! Releasing a share: receipt before release, and the grant checked again at release.

use medibloc_consent::{
    Decision, FeedFact, KeeperReply, Reason, RefusalReason, Release, SignedReply, SignedRequest,
    is_live,
};
use medibloc_keys::{Entropy, hpke_seal, info, recover};
use medibloc_record::{AccountId, SealingKey, Timestamp, keccak256};

use crate::answered::Whose;
use crate::machine::{Effect, Reply, State};
use crate::{Facts, KeeperIdentity};

/// How far ahead a request may name its end: it is remembered until then.
const REQUEST_LIFE: u64 = 10 * 60;
/// Age at which a receipt no longer opens anything, besides what finality takes.
const RECEIPT_LIFE: u64 = 10 * 60;
/// How far the keeper's last final block may lag behind its clock, plus the chain's finality lag.
const STALE_AFTER: u64 = 5 * 60;

pub(crate) fn release(
    state: &mut State,
    keeper: &KeeperIdentity,
    signed: &SignedRequest,
    facts: &Facts,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Vec<Effect> {
    let digest = signed.request.digest(&keeper.domain);
    // The chain's time stands still between blocks, and a clock may be behind: whatever is over by either is over.
    let now = now.max(facts.head);
    state.answered.forget(now);
    state.refused.forget(now);
    let answer = check(state, keeper, signed, &digest, facts, now).and_then(|whose| {
        seal_share(state, keeper, signed, facts, entropy).map(|release| (whose, release))
    });
    let mut effects = Vec::new();
    let (fact, reply) = match answer {
        Ok((whose, release)) => {
            let expiry = signed.request.expiry;
            state.answered.insert(digest, expiry, Some(whose));
            let fact = FeedFact::Released {
                reader: whose.reader,
                grant: signed.request.grant,
                receipt: signed.request.receipt,
            };
            (Some(fact), KeeperReply::Released(release))
        }
        Err(reason) => (
            fact_of(state, signed, &digest, facts, &reason),
            KeeperReply::Refused(reason),
        ),
    };
    match (&facts.record, fact) {
        (_, None) => {}
        (Some(view), Some(fact)) if view.anchor.record_id() == signed.request.record => {
            let owner = view.anchor.owner;
            let record = signed.request.record;
            if let Some(line) = state.feed.append(keeper, owner, record, fact, now) {
                effects.push(Effect::Feed { owner, line });
            }
        }
        _ => state.feed.count_unknown(),
    }
    effects.push(Effect::Reply(Reply::Released(sign(keeper, digest, reply))));
    effects
}

/// What a refusal tells the owner, if anything. Whoever got hold of a reader's request (another keeper, say) can send it here, at any
/// time and again: what was not asked of this keeper, is over, or was answered is no fact about the reader, and a fact is told
/// once a request.
fn fact_of(
    state: &mut State,
    signed: &SignedRequest,
    digest: &[u8; 32],
    facts: &Facts,
    reason: &RefusalReason,
) -> Option<FeedFact> {
    if matches!(
        reason,
        RefusalReason::WrongKeeper
            | RefusalReason::RequestExpired
            | RefusalReason::ExpiryTooFar
            | RefusalReason::Replayed
    ) {
        return None;
    }
    let Some(reader) = facts.signer.filter(|_| facts.signer_has_grant) else {
        return Some(FeedFact::Strangers);
    };
    // By signer, too: whoever signs another's request anew keeps nothing of the other's from being told.
    let once = keccak256(&[digest.as_slice(), reader.as_bytes()].concat());
    if state.refused.has(&once) {
        return None;
    }
    // Without room it may be told again, which is better than not at all.
    if let Some(view) = &facts.record
        && state.refused.has_room(reader)
    {
        let whose = Whose {
            owner: view.anchor.owner,
            reader,
            receipt: None,
        };
        let expiry = signed.request.expiry;
        state.refused.insert(once, expiry, Some(whose));
    }
    Some(FeedFact::Refused {
        reader,
        reason: reason.clone(),
    })
}

fn check(
    state: &State,
    keeper: &KeeperIdentity,
    signed: &SignedRequest,
    digest: &[u8; 32],
    facts: &Facts,
    now: Timestamp,
) -> Result<Whose, RefusalReason> {
    let request = &signed.request;
    if request.version != 1 || request.keeper != keeper.address() {
        return Err(RefusalReason::WrongKeeper);
    }
    if request.expiry < now {
        return Err(RefusalReason::RequestExpired);
    }
    if request.expiry.since(now) > REQUEST_LIFE {
        return Err(RefusalReason::ExpiryTooFar);
    }
    if state.answered.has(digest) {
        return Err(RefusalReason::Replayed);
    }
    if now.since(facts.head) > STALE_AFTER + keeper.finality_lag {
        return Err(RefusalReason::Stalled);
    }
    recover(digest, &signed.signature).map_err(|_| RefusalReason::WrongSignature)?;
    let reader = facts.signer.ok_or(RefusalReason::WrongSignature)?;
    if !state.answered.has_room(reader) {
        return Err(RefusalReason::Busy);
    }
    let view = facts
        .record
        .filter(|view| view.anchor.record_id() == request.record)
        .ok_or(RefusalReason::UnknownRecord)?;
    if view.erased || state.erased.contains(&request.record) {
        return Err(RefusalReason::Consent(Reason::Erased));
    }
    let receipt = facts
        .receipt
        .filter(|receipt| {
            receipt.record == request.record
                && receipt.grant == request.grant
                && receipt.reader == reader
        })
        .ok_or(RefusalReason::NoReceipt)?;
    if !state.answered.has_room_on(request.receipt) {
        return Err(RefusalReason::Busy);
    }
    if now.since(receipt.at) > RECEIPT_LIFE + keeper.finality_lag {
        return Err(RefusalReason::ReceiptTooOld);
    }
    let view_of_grant = facts
        .grant
        .as_ref()
        .filter(|view| view.grant.id == request.grant)
        .ok_or(RefusalReason::Consent(Reason::UnknownGrant))?;
    let grant = &view_of_grant.grant;
    if let Decision::Refused(reason) = is_live(grant, true, view_of_grant.revoked, now) {
        return Err(RefusalReason::Consent(reason));
    }
    if grant.reader != reader {
        return Err(RefusalReason::Consent(Reason::NotTheReader));
    }
    if grant.owner != view.anchor.owner {
        return Err(RefusalReason::Consent(Reason::NotTheOwner));
    }
    if !grant.covers(request.record, view.anchor.class) {
        return Err(RefusalReason::Consent(Reason::NotCovered));
    }
    check_binding(keeper, signed, grant.terms.binding, reader, facts)?;
    Ok(Whose {
        owner: grant.owner,
        reader,
        receipt: Some(request.receipt),
    })
}

fn check_binding(
    keeper: &KeeperIdentity,
    signed: &SignedRequest,
    tag: medibloc_consent::BindingTag,
    reader: AccountId,
    facts: &Facts,
) -> Result<(), RefusalReason> {
    if tag.is_none() {
        return Ok(());
    }
    let binding = signed
        .request
        .binding
        .as_ref()
        .ok_or(RefusalReason::WrongBinding)?;
    let signer = recover(&binding.digest(&keeper.domain), &binding.signature);
    let fits = binding.tag() == tag
        && binding.reader == reader
        && signer.is_ok_and(|signer| Some(signer) == facts.bound_signer);
    if !fits {
        return Err(RefusalReason::WrongBinding);
    }
    if facts.bound_account_is_good {
        Ok(())
    } else {
        Err(RefusalReason::ReaderNotInGoodStanding)
    }
}

fn seal_share(
    state: &State,
    keeper: &KeeperIdentity,
    signed: &SignedRequest,
    facts: &Facts,
    entropy: &mut dyn Entropy,
) -> Result<Release, RefusalReason> {
    let request = &signed.request;
    let kept = state
        .shares
        .get(&request.record)
        .ok_or(RefusalReason::NoShare)?;
    let anchor = facts
        .record
        .as_ref()
        .ok_or(RefusalReason::UnknownRecord)?
        .anchor;
    let info = info::release(
        &keeper.domain,
        request.record,
        anchor.author,
        anchor.owner,
        kept.committee,
        keeper.index,
        request.receipt,
    );
    let to = SealingKey {
        version: 0,
        key: request.one_time_key,
    };
    let wrapped = hpke_seal(&to, &info, kept.share.expose(), entropy)
        .map_err(|_| RefusalReason::WrongSignature)?;
    Ok(Release {
        index: keeper.index,
        wrapped,
    })
}

fn sign(keeper: &KeeperIdentity, request: [u8; 32], reply: KeeperReply) -> SignedReply {
    let digest = SignedReply::digest_of(request, &reply.to_bytes(), &keeper.domain);
    SignedReply {
        request,
        reply,
        signature: keeper.signer.sign_digest(&digest),
    }
}
