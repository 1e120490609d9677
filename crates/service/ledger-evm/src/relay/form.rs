//! What the relay takes: a function that people's programs call, its arguments in their one form, and no more gas than it can
//! use. Whatever stands beside that, the forwarder would copy and hash at the wallet's cost.

use alloy::primitives::Address;
use alloy::sol_types::SolCall;
use medibloc_ledger::{LedgerError, Withdrawal};
use medibloc_record::{AccountId, GrantId, Nonce, RecordId};

use crate::bindings::accounts::Accounts::{registerCall, rotateAddressCall, rotateSealingKeyCall};
use crate::bindings::consent::Consent::{
    deliverCall, deliverListCall, grantCall, grantWriteCall, revokeAllCall, revokeCall,
    revokeReaderCall, revokeWriteCall,
};
use crate::bindings::receipts::Receipts::{openListedCall, openReadCall};
use crate::bindings::records::Records::{
    acceptCall, amendCall, anchorBatchCall, anchorCall, eraseCall, replaceCapsuleCall, retractCall,
};
use crate::contracts::Contracts;
use crate::encode::chain;
use crate::refusal::bad;

/// Bytes of one call: more than a contract's largest batch of entries has, and less than a transaction (128 KiB) holds.
const MOST_BYTES: usize = 96 << 10;

/// Gas that a call may ask for that takes something back: each of them needs half of it at most, so that many share a block.
const WITHDRAWAL: u64 = 300_000;

/// Gas that any other call of one thing may ask for: twice what the dearest needs.
const OTHER: u64 = 400_000;

/// What a call is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// It takes something back, or hands an account on: it goes before what gives.
    pub(super) is_withdrawal: bool,
    /// What it takes back of what was given.
    pub(super) withdraws: Option<Withdrawal>,
    most_gas: u64,
}

impl Form {
    /// The form of a call of a contract that takes requests.
    ///
    /// # Errors
    /// [`LedgerError::BadRequest`] if it is none that the relay carries.
    pub(super) fn of(at: &Contracts, to: Address, data: &[u8]) -> Result<Self, LedgerError> {
        if data.len() > MOST_BYTES {
            return Err(bad(&format!(
                "its call has {} bytes, and {MOST_BYTES} are carried; split it",
                data.len()
            )));
        }
        let Some(selector) = data.first_chunk::<4>() else {
            return Err(bad("it calls no function"));
        };
        let is = |contract: medibloc_record::Address| chain(contract.to_bytes()) == to;
        let form = if is(at.accounts) {
            accounts(*selector, data)
        } else if is(at.records) {
            records(*selector, data)
        } else if is(at.consent) {
            consent(*selector, data)
        } else if is(at.receipts) {
            receipts(*selector, data)
        } else {
            None
        };
        form.ok_or_else(|| bad("it calls a function that the relay does not carry"))?
    }

    /// That it asks for no more gas than it can use: what is asked for is kept from others in its block.
    pub(super) fn check_gas(&self, asked: u64) -> Result<(), LedgerError> {
        if asked <= self.most_gas {
            return Ok(());
        }
        Err(bad(&format!(
            "it asks for {asked} gas, and such a call may ask for {} at most",
            self.most_gas
        )))
    }

    const fn back(withdraws: Option<Withdrawal>) -> Self {
        Self {
            is_withdrawal: true,
            withdraws,
            most_gas: WITHDRAWAL,
        }
    }

    const fn other(most_gas: u64) -> Self {
        Self {
            is_withdrawal: false,
            withdraws: None,
            most_gas,
        }
    }
}

type Read = Result<Form, LedgerError>;

/// The arguments, if these bytes are all that they are written with.
fn read<C: SolCall>(data: &[u8]) -> Result<C, LedgerError> {
    match C::abi_decode(data) {
        Ok(call) if call.abi_encode() == data => Ok(call),
        _ => Err(bad(
            "its arguments are not in their one form, or more stands behind them",
        )),
    }
}

fn other<C: SolCall>(data: &[u8]) -> Read {
    read::<C>(data).map(|_| Form::other(OTHER))
}

fn account(address: Address) -> AccountId {
    AccountId::new(address.0.0)
}

fn accounts(selector: [u8; 4], data: &[u8]) -> Option<Read> {
    Some(match selector {
        registerCall::SELECTOR => other::<registerCall>(data),
        rotateSealingKeyCall::SELECTOR => other::<rotateSealingKeyCall>(data),
        rotateAddressCall::SELECTOR => {
            read::<rotateAddressCall>(data).and_then(|call| match call.signatureByNext.len() {
                65 => Ok(Form::back(None)),
                _ => Err(bad("the next key's signature has not 65 bytes")),
            })
        }
        _ => return None,
    })
}

fn records(selector: [u8; 4], data: &[u8]) -> Option<Read> {
    Some(match selector {
        anchorCall::SELECTOR => other::<anchorCall>(data),
        amendCall::SELECTOR => other::<amendCall>(data),
        anchorBatchCall::SELECTOR => read::<anchorBatchCall>(data).map(|call| {
            let entries = (call.batch.len() + call.amended.len()) as u64;
            Form::other(OTHER + 90_000 * entries)
        }),
        acceptCall::SELECTOR => other::<acceptCall>(data),
        replaceCapsuleCall::SELECTOR => other::<replaceCapsuleCall>(data),
        retractCall::SELECTOR => read::<retractCall>(data).map(|_| Form::back(None)),
        eraseCall::SELECTOR => read::<eraseCall>(data).map(|call| {
            let (author, owner) = (account(call.fields.author), account(call.fields.owner));
            let id = RecordId::derive(author, owner, Nonce::new(call.fields.nonce.0));
            Form::back(Some(Withdrawal::Record(id)))
        }),
        _ => return None,
    })
}

fn consent(selector: [u8; 4], data: &[u8]) -> Option<Read> {
    let back = |what| Form::back(Some(what));
    Some(match selector {
        grantWriteCall::SELECTOR => other::<grantWriteCall>(data),
        grantCall::SELECTOR => other::<grantCall>(data),
        deliverCall::SELECTOR => other::<deliverCall>(data),
        deliverListCall::SELECTOR => other::<deliverListCall>(data),
        revokeCall::SELECTOR => read::<revokeCall>(data).map(|call| {
            let (owner, reader) = (account(call.g.owner), account(call.g.reader));
            let id = GrantId::derive(owner, reader, Nonce::new(call.g.nonce.0));
            back(Withdrawal::Grant(id))
        }),
        revokeWriteCall::SELECTOR => {
            read::<revokeWriteCall>(data).map(|call| back(Withdrawal::Author(account(call.author))))
        }
        revokeReaderCall::SELECTOR => read::<revokeReaderCall>(data)
            .map(|call| back(Withdrawal::Reader(account(call.reader)))),
        revokeAllCall::SELECTOR => read::<revokeAllCall>(data).map(|_| back(Withdrawal::All)),
        _ => return None,
    })
}

fn receipts(selector: [u8; 4], data: &[u8]) -> Option<Read> {
    Some(match selector {
        openReadCall::SELECTOR => other::<openReadCall>(data),
        openListedCall::SELECTOR => other::<openListedCall>(data),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Deployed;
    use crate::encode::target;
    use medibloc_consent::{
        AnchorFields, BindingTag, Grant, KindSet, List, Purpose, Scope, Terms, WriteGrant,
    };
    use medibloc_ledger::Call;
    use medibloc_record::{ClassId, Digest, Kind, Role, Signature, Timestamp};

    fn deployed() -> Deployed {
        let at = |n| medibloc_record::Address::new([n; 20]);
        Deployed {
            chain_id: 31_337,
            block: 1,
            contracts: Contracts {
                authority: at(1),
                forwarder: at(2),
                accounts: at(3),
                records: at(4),
                consent: at(5),
                receipts: at(6),
                keepers: at(7),
            },
        }
    }

    /// Every call that takes something back, then every other.
    fn calls() -> (Vec<Call>, Vec<Call>) {
        let (owner, other) = (AccountId::new([0xaa; 20]), AccountId::new([0xbb; 20]));
        let (nonce, digest) = (Nonce::new([1; 32]), Digest::of(b"object"));
        let anchor = AnchorFields {
            nonce,
            author: owner,
            owner,
            package: digest,
            key_set: digest,
            capsule: digest,
            attestation: digest,
            kind: Kind::Own,
            class: ClassId(1),
            amends: None,
        };
        let purpose_tag = Purpose::Treatment.tag([9; 32]);
        let grant = Grant {
            id: GrantId::derive(owner, other, nonce),
            nonce,
            owner,
            reader: other,
            terms: Terms {
                scope: Scope::All,
                purpose_tag,
                from: Timestamp(1),
                until: Timestamp(2),
                reads: None,
                binding: BindingTag([3; 32]),
                digest,
            },
        };
        let list = List::of(&[anchor.record_id(); 1_000], || [5; 32]);
        let back = vec![
            Call::RotateAddress {
                next: medibloc_record::Address::new([8; 20]),
                deadline: Timestamp(9),
                consent: Signature::new([7; 65]),
            },
            Call::Retract(anchor),
            Call::Erase(anchor),
            Call::Revoke(grant.clone()),
            Call::RevokeWrite { author: other },
            Call::RevokeReader { reader: other },
            Call::RevokeAll,
        ];
        let others = vec![
            Call::Register {
                role: Role::Person,
                sealing_key: [9; 32],
            },
            Call::RotateSealingKey {
                sealing_key: [9; 32],
            },
            Call::Anchor(anchor),
            Call::Amend {
                anchor,
                amended: anchor,
            },
            Call::AnchorBatch {
                batch: vec![anchor; 256],
                amended: vec![anchor],
            },
            Call::Accept(anchor),
            Call::ReplaceCapsule {
                anchor,
                capsule: digest,
            },
            Call::GrantWrite(WriteGrant {
                nonce,
                owner,
                author: other,
                kinds: KindSet::of(&[Kind::Family]),
                until: Timestamp(9),
                digest,
            }),
            Call::Grant {
                grant: grant.clone(),
                anchor: Some(anchor),
            },
            Call::Deliver {
                grant: grant.clone(),
                number: 1,
                digest,
                root: None,
            },
            Call::Deliver {
                grant: grant.clone(),
                number: 1,
                digest,
                root: Some(list.root),
            },
            Call::OpenRead {
                record: anchor.record_id(),
                purpose_tag,
                nonce,
                anchor,
                grant: grant.clone(),
                proof: None,
            },
            Call::OpenRead {
                record: anchor.record_id(),
                purpose_tag,
                nonce,
                anchor,
                grant,
                proof: list.proofs.into_iter().next(),
            },
        ];
        (back, others)
    }

    fn why(result: Result<Form, LedgerError>) -> String {
        match result {
            Err(LedgerError::BadRequest { what }) => what,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn every_call_of_a_program_is_taken_in_its_one_form_alone() {
        let at = deployed();
        let (back, others) = calls();
        let all = back.iter().map(|call| (call, true));
        for (call, is_back) in all.chain(others.iter().map(|call| (call, false))) {
            let (to, data, gas) = target(&at, call).unwrap();
            let form = Form::of(&at.contracts, to, &data).unwrap();
            assert_eq!(form.is_withdrawal, is_back, "{call:?}");
            form.check_gas(gas).unwrap();
            let refused = form.check_gas(40_000_000).unwrap_err().to_string();
            assert!(refused.contains("40000000 gas"), "{refused}");
            for junk in [&[0][..], &[0xff], &[0; 32], &[0xff; 70_000]] {
                let more = [&data, junk].concat();
                let said = why(Form::of(&at.contracts, to, &more));
                assert!(
                    said.contains("one form") || said.contains("bytes"),
                    "{said}"
                );
            }
            why(Form::of(&at.contracts, to, &data[..data.len() - 1]));
            let mut other = data.clone();
            other[0] ^= 1;
            let said = why(Form::of(&at.contracts, to, &other));
            assert!(
                said.contains("a function that the relay does not"),
                "{said}"
            );
            for contract in [at.contracts.keepers, at.contracts.authority] {
                why(Form::of(&at.contracts, chain(contract.to_bytes()), &data));
            }
        }
    }

    #[test]
    fn what_takes_back_may_ask_for_300000_gas() {
        let at = deployed();
        let (to, data, _) = target(&at, &Call::RevokeAll).unwrap();
        let form = Form::of(&at.contracts, to, &data).unwrap();
        form.check_gas(300_000).unwrap();
        let refused = form.check_gas(300_001).unwrap_err().to_string();
        assert!(
            refused.contains("300001") && refused.contains("300000 at most"),
            "{refused}"
        );
    }
}
