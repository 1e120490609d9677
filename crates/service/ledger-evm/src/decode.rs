//! Logs as events of the ports. What no party of ours can have written is left out, so that a stranger's odd call
//! never stops a follower.

use std::sync::atomic::{AtomicU64, Ordering};

use alloy::primitives::{Address, B256, Log};
use alloy::sol_types::{SolEvent as _, SolEventInterface};
use medibloc_consent::{
    AnchorFields, BindingTag, ClassSet, Grant, KindSet, ListRoot, PurposeTag, Scope, Terms,
    WriteGrant,
};
use medibloc_ledger::Event;
use medibloc_record::{
    AccountId, ClassId, Committee, Digest, GrantId, Kind, Nonce, ReceiptId, RecordId, Role,
    Threshold, Timestamp,
};

use crate::Contracts;
use crate::bindings::accounts::Accounts::{self, AccountsEvents};
use crate::bindings::consent::Consent::{self, ConsentEvents};
use crate::bindings::keepers::Keepers::KeepersEvents;
use crate::bindings::receipts::Receipts::ReceiptsEvents;
use crate::bindings::records::Records::{self, RecordsEvents};

const fn account(address: Address) -> AccountId {
    AccountId::new(address.0.0)
}

const fn digest(word: B256) -> Digest {
    Digest::new(word.0)
}

/// Logs of the contracts that were passed over, by this process.
static PASSED_OVER: AtomicU64 = AtomicU64::new(0);

/// How many logs of a deployment's own contracts this process expected to read as events, could not, and passed over, each time
/// that it came by one; what the makers' contracts say beside them is not among these: an operator sees that a stranger writes what no follower reads, or that this program is too old.
pub fn passed_over() -> u64 {
    PASSED_OVER.load(Ordering::Relaxed)
}

/// The event in a log of one of the contracts.
pub(crate) fn event(contracts: &Contracts, log: &Log) -> Option<Event> {
    let event = read(contracts, log);
    if event.is_none() && is_followed(contracts, log) && !is_said_beside(log) {
        PASSED_OVER.fetch_add(1, Ordering::Relaxed);
    }
    event
}

/// Whether followers read all that this contract says: of roles and forwarded calls they read nothing.
fn is_followed(contracts: &Contracts, log: &Log) -> bool {
    let followed = [
        contracts.records,
        contracts.consent,
        contracts.receipts,
        contracts.accounts,
        contracts.keepers,
    ];
    followed.iter().any(|it| it.to_bytes() == log.address.0.0)
}

/// Whether it is what libraries in the contracts say when they are deployed or change hands.
fn is_said_beside(log: &Log) -> bool {
    let beside = [
        Accounts::AuthorityUpdated::SIGNATURE_HASH,
        Accounts::EIP712DomainChanged::SIGNATURE_HASH,
    ];
    log.topics()
        .first()
        .is_some_and(|topic| beside.contains(topic))
}

fn read(contracts: &Contracts, log: &Log) -> Option<Event> {
    let address = log.address.0.0;
    if address == contracts.records.to_bytes() {
        record_event(RecordsEvents::decode_log(log).ok()?.data)
    } else if address == contracts.consent.to_bytes() {
        consent_event(ConsentEvents::decode_log(log).ok()?.data)
    } else if address == contracts.receipts.to_bytes() {
        Some(receipt_event(ReceiptsEvents::decode_log(log).ok()?.data))
    } else if address == contracts.accounts.to_bytes() {
        account_event(AccountsEvents::decode_log(log).ok()?.data)
    } else if address == contracts.keepers.to_bytes() {
        keeper_event(KeepersEvents::decode_log(log).ok()?.data)
    } else {
        None
    }
}

fn account_event(event: AccountsEvents) -> Option<Event> {
    Some(match event {
        AccountsEvents::Registered(e) => Event::Registered {
            account: account(e.account),
            role: match e.role {
                1 => Role::Person,
                2 => Role::Provider,
                3 => Role::Researcher,
                _ => return None,
            },
            sealing_key: e.sealingKey.0,
        },
        AccountsEvents::SealingKeyRotated(e) => Event::SealingKeyRotated {
            account: account(e.account),
            version: e.version,
            key: e.key.0,
        },
        AccountsEvents::AddressRotated(e) => Event::AddressRotated {
            account: account(e.account),
            from: e.from.0.0.into(),
            to: e.to.0.0.into(),
        },
        AccountsEvents::Accredited(e) => Event::Accredited {
            account: account(e.account),
            from: Timestamp(e.from),
            until: Timestamp(e.to),
            evidence: digest(e.evidenceDigest),
        },
        AccountsEvents::Suspended(e) => Event::Suspended {
            account: account(e.account),
        },
        AccountsEvents::Reinstated(e) => Event::Reinstated {
            account: account(e.account),
        },
        _ => return None,
    })
}

fn record_event(event: RecordsEvents) -> Option<Event> {
    let record = |id: B256| RecordId::new(id.0);
    Some(match event {
        RecordsEvents::Anchored(e) => Event::Anchored(anchor(&e)?),
        RecordsEvents::Accepted(e) => Event::Accepted {
            record: record(e.recordId),
        },
        RecordsEvents::Retracted(e) => Event::Retracted {
            record: record(e.recordId),
        },
        RecordsEvents::Erased(e) => Event::Erased {
            record: record(e.recordId),
        },
        RecordsEvents::CapsuleReplaced(e) => Event::CapsuleReplaced {
            record: record(e.recordId),
            version: e.version,
            digest: digest(e.digest),
        },
    })
}

fn anchor(e: &Records::Anchored) -> Option<AnchorFields> {
    Some(AnchorFields {
        nonce: Nonce::new(e.nonce.0),
        author: account(e.author),
        owner: account(e.owner),
        package: digest(e.packageDigest),
        key_set: digest(e.keySetDigest),
        capsule: digest(e.capsuleDigest),
        attestation: digest(e.attestationDigest),
        kind: Kind::from_code(e.kind)?,
        class: ClassId(e.class),
        amends: (!e.amends.is_zero()).then(|| RecordId::new(e.amends.0)),
    })
}

fn consent_event(event: ConsentEvents) -> Option<Event> {
    let grant_id = |id: B256| GrantId::new(id.0);
    Some(match event {
        ConsentEvents::WriteGranted(e) => Event::WriteGranted(WriteGrant {
            owner: account(e.owner),
            author: account(e.author),
            nonce: Nonce::new(e.nonce.0),
            kinds: KindSet::from_bits(e.kinds),
            until: Timestamp(e.until),
            digest: digest(e.digest),
        }),
        ConsentEvents::WriteRevoked(e) => Event::WriteRevoked {
            owner: account(e.owner),
            author: account(e.author),
        },
        ConsentEvents::Granted(e) => Event::Granted(grant(&e)?),
        ConsentEvents::Delivered(e) => Event::Delivered {
            grant: grant_id(e.grantId),
            number: e.number,
            digest: digest(e.digest),
        },
        ConsentEvents::Revoked(e) => Event::Revoked {
            grant: grant_id(e.grantId),
        },
        ConsentEvents::ReaderRevoked(e) => Event::ReaderRevoked {
            owner: account(e.owner),
            reader: account(e.reader),
        },
        ConsentEvents::AllRevoked(e) => Event::AllRevoked {
            owner: account(e.owner),
        },
    })
}

fn grant(e: &Consent::Granted) -> Option<Grant> {
    let scope = match e.scope {
        0 => Scope::One(RecordId::new(e.recordId.0)),
        1 => Scope::Classes(ClassSet::from_bits(u64::try_from(e.classes).ok()?)),
        2 => Scope::All,
        3 => Scope::Listed(ListRoot(e.recordId.0)),
        _ => return None,
    };
    let terms = Terms {
        scope,
        purpose_tag: PurposeTag(e.purposeTag.0),
        from: Timestamp(e.from),
        until: Timestamp(e.until),
        reads: (e.reads != 0).then_some(e.reads),
        binding: BindingTag(e.binding.0),
        digest: digest(e.digest),
    };
    let grant = Grant::new(
        account(e.owner),
        account(e.reader),
        Nonce::new(e.nonce.0),
        terms,
    );
    (grant.id.to_bytes() == e.grantId.0).then_some(grant)
}

fn receipt_event(event: ReceiptsEvents) -> Event {
    let ReceiptsEvents::ReadOpened(e) = event;
    Event::ReadOpened {
        receipt: ReceiptId::new(e.receiptId.0),
        record: RecordId::new(e.recordId.0),
        owner: account(e.owner),
        reader: account(e.reader),
        grant: GrantId::new(e.grantId.0),
        nonce: Nonce::new(e.nonce.0),
    }
}

fn keeper_event(event: KeepersEvents) -> Option<Event> {
    Some(match event {
        KeepersEvents::CommitteeFormed(e) => Event::CommitteeFormed {
            committee: Committee {
                id: e.id,
                threshold: Threshold::new(e.n, e.t).ok()?,
            },
        },
        KeepersEvents::WrapKeyRotated(e) => Event::WrapKeyRotated {
            index: e.index,
            version: e.version,
        },
        KeepersEvents::KeeperRegistered(e) => Event::KeeperRegistered { index: e.index },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Bytes;

    use super::*;

    #[test]
    fn what_no_follower_reads_is_passed_over_and_counted() {
        let at = |n: u8| medibloc_record::Address::new([n; 20]);
        let contracts = Contracts {
            authority: at(1),
            forwarder: at(2),
            accounts: at(3),
            records: at(4),
            consent: at(5),
            receipts: at(6),
            keepers: at(7),
        };
        // An anchor whose data is cut, and an event of another contract's name.
        let log = |from: u8, topic: B256| {
            let address = Address::new([from; 20]);
            Log::new_unchecked(address, vec![topic], Bytes::from_static(&[1, 2, 3]))
        };
        let anchored = Records::Anchored::SIGNATURE_HASH;
        for (from, counted) in [
            (1, 0),
            (2, 0),
            (4, 1),
            (3, 1),
            (5, 1),
            (6, 1),
            (7, 1),
            (9, 0),
        ] {
            let before = passed_over();
            assert_eq!(event(&contracts, &log(from, anchored)), None);
            assert_eq!(passed_over() - before, counted, "contract {from}");
            // Said at every deployment, and nobody's fault.
            for beside in [
                Accounts::AuthorityUpdated::SIGNATURE_HASH,
                Accounts::EIP712DomainChanged::SIGNATURE_HASH,
            ] {
                let before = passed_over();
                assert_eq!(event(&contracts, &log(from, beside)), None);
                assert_eq!(passed_over(), before, "contract {from}");
            }
        }
    }
}
