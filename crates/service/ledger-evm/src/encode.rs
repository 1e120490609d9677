//! Calls as calldata, and the request that a signer signs for them (docs/format/ledger.md).

use alloy::primitives::{Address, B256, Bytes, U256, aliases::U48};
use alloy::sol_types::{Eip712Domain, SolCall, SolStruct, SolValue, eip712_domain};
use medibloc_consent::{AnchorFields, Grant, Scope};
use medibloc_ledger::{Call, LedgerError, UnsignedCall};
use medibloc_record::{Role, Signature, Timestamp};

use crate::Deployed;
use crate::bindings::accounts::Accounts;
use crate::bindings::consent::Consent;
use crate::bindings::forwarder::ERC2771Forwarder::ForwardRequestData;
use crate::bindings::receipts::Receipts;
use crate::bindings::records::Records;
use crate::refusal::bad;

#[allow(missing_docs, clippy::all, unused_qualifications, reason = "generated")]
mod request {
    alloy::sol! {
        /// OpenZeppelin's, to the letter: its name and fields are hashed.
        #[derive(Debug, PartialEq, Eq)]
        struct ForwardRequest {
            address from;
            address to;
            uint256 value;
            uint256 gas;
            uint256 nonce;
            uint48 deadline;
            bytes data;
        }
    }
}
pub(crate) use request::ForwardRequest;

pub(crate) fn chain(address: impl Into<[u8; 20]>) -> Address {
    Address::new(address.into())
}

pub(crate) const fn role_code(role: Role) -> u8 {
    match role {
        Role::Person => 1,
        Role::Provider => 2,
        Role::Researcher => 3,
    }
}

macro_rules! fields {
    ($anchor:ident, $module:ident) => {
        pub(crate) fn $anchor(fields: &AnchorFields) -> $module::AnchorFields {
            $module::AnchorFields {
                nonce: B256::new(fields.nonce.to_bytes()),
                author: Address::new(fields.author.to_bytes()),
                owner: Address::new(fields.owner.to_bytes()),
                packageDigest: B256::new(fields.package.to_bytes()),
                keySetDigest: B256::new(fields.key_set.to_bytes()),
                capsuleDigest: B256::new(fields.capsule.to_bytes()),
                attestationDigest: B256::new(fields.attestation.to_bytes()),
                kind: fields.kind.code(),
                class: fields.class.0,
                amends: B256::new(fields.amends.map_or([0; 32], |id| id.to_bytes())),
            }
        }
    };
    ($anchor:ident, $grant:ident, $module:ident) => {
        fields!($anchor, $module);

        pub(crate) fn $grant(grant: &Grant) -> Result<$module::GrantFields, LedgerError> {
            let terms = &grant.terms;
            let (scope, record, classes) = match terms.scope {
                Scope::One(record) => (0, record.to_bytes(), 0),
                Scope::Classes(classes) => (1, [0; 32], classes.bits()),
                Scope::All => (2, [0; 32], 0),
                Scope::Listed(first) => (3, first.0, 0),
            };
            if terms.reads == Some(0) {
                return Err(bad(
                    "a grant of no reads would be one without limit on chain",
                ));
            }
            Ok($module::GrantFields {
                nonce: B256::new(grant.nonce.to_bytes()),
                owner: Address::new(grant.owner.to_bytes()),
                reader: Address::new(grant.reader.to_bytes()),
                scope,
                recordId: B256::new(record),
                classes: U256::from(classes),
                purposeTag: B256::new(terms.purpose_tag.0),
                from: terms.from.0,
                until: terms.until.0,
                reads: terms.reads.unwrap_or(0),
                binding: B256::new(terms.binding.0),
                digest: B256::new(terms.digest.to_bytes()),
            })
        }
    };
}

fields!(record_anchor, Records);
fields!(consent_anchor, consent_grant, Consent);
fields!(receipt_anchor, receipt_grant, Receipts);

/// Which contract a call goes to, with what, and how much gas it may use there.
pub(crate) fn target(
    deployed: &Deployed,
    call: &Call,
) -> Result<(Address, Vec<u8>, u64), LedgerError> {
    let at = &deployed.contracts;
    let (contract, data, gas) = match call {
        Call::Register { role, sealing_key } => {
            let call = Accounts::registerCall {
                role: role_code(*role),
                sealingKey_: B256::new(*sealing_key),
            };
            (at.accounts, call.abi_encode(), 150_000)
        }
        Call::RotateSealingKey { sealing_key } => {
            let key = B256::new(*sealing_key);
            let call = Accounts::rotateSealingKeyCall { key };
            (at.accounts, call.abi_encode(), 120_000)
        }
        Call::RotateAddress {
            next,
            deadline,
            consent,
        } => {
            let call = Accounts::rotateAddressCall {
                next: chain(next.to_bytes()),
                deadline: U256::from(deadline.0),
                signatureByNext: Bytes::copy_from_slice(consent.as_bytes()),
            };
            // Three slots, a signature and its event.
            (at.accounts, call.abi_encode(), 200_000)
        }
        Call::Anchor(anchor) => {
            let fields = record_anchor(anchor);
            (
                at.records,
                Records::anchorCall { fields }.abi_encode(),
                150_000,
            )
        }
        Call::Amend { anchor, amended } => {
            let call = Records::amendCall {
                fields: record_anchor(anchor),
                amended: record_anchor(amended),
            };
            (at.records, call.abi_encode(), 170_000)
        }
        Call::AnchorBatch { batch, amended } => {
            let (all, more) = (batch.len() as u64, amended.len() as u64);
            let gas = 100_000 + 45_000 * all + 15_000 * more;
            let call = Records::anchorBatchCall {
                batch: batch.iter().map(record_anchor).collect(),
                amended: amended.iter().map(record_anchor).collect(),
            };
            (at.records, call.abi_encode(), gas)
        }
        Call::Accept(anchor) => {
            let fields = record_anchor(anchor);
            (
                at.records,
                Records::acceptCall { fields }.abi_encode(),
                100_000,
            )
        }
        Call::Retract(anchor) => {
            let fields = record_anchor(anchor);
            (
                at.records,
                Records::retractCall { fields }.abi_encode(),
                100_000,
            )
        }
        Call::Erase(anchor) => {
            let fields = record_anchor(anchor);
            (
                at.records,
                Records::eraseCall { fields }.abi_encode(),
                100_000,
            )
        }
        Call::ReplaceCapsule { anchor, capsule } => {
            let call = Records::replaceCapsuleCall {
                fields: record_anchor(anchor),
                newCapsuleDigest: B256::new(capsule.to_bytes()),
            };
            (at.records, call.abi_encode(), 120_000)
        }
        Call::GrantWrite(grant) => {
            let call = Consent::grantWriteCall {
                nonce: B256::new(grant.nonce.to_bytes()),
                author: chain(grant.author.to_bytes()),
                kinds: grant.kinds.bits(),
                until: grant.until.0,
                digest: B256::new(grant.digest.to_bytes()),
            };
            (at.consent, call.abi_encode(), 180_000)
        }
        Call::Grant { grant, anchor } => {
            let call = Consent::grantCall {
                g: consent_grant(grant)?,
                a: anchor.as_ref().map_or_else(empty_anchor, consent_anchor),
            };
            (at.consent, call.abi_encode(), 180_000)
        }
        Call::Deliver {
            grant,
            number,
            digest,
            root: None,
        } => {
            let call = Consent::deliverCall {
                g: consent_grant(grant)?,
                number: *number,
                digest: B256::new(digest.to_bytes()),
            };
            (at.consent, call.abi_encode(), 120_000)
        }
        Call::Deliver {
            grant,
            number,
            digest,
            root: Some(root),
        } => {
            let call = Consent::deliverListCall {
                g: consent_grant(grant)?,
                number: *number,
                digest: B256::new(digest.to_bytes()),
                root: B256::new(root.0),
            };
            (at.consent, call.abi_encode(), 150_000)
        }
        Call::Revoke(grant) => {
            let g = consent_grant(grant)?;
            (at.consent, Consent::revokeCall { g }.abi_encode(), 120_000)
        }
        Call::RevokeWrite { author } => {
            let author = chain(author.to_bytes());
            (
                at.consent,
                Consent::revokeWriteCall { author }.abi_encode(),
                100_000,
            )
        }
        Call::RevokeReader { reader } => {
            let reader = chain(reader.to_bytes());
            (
                at.consent,
                Consent::revokeReaderCall { reader }.abi_encode(),
                100_000,
            )
        }
        Call::RevokeAll => (at.consent, Consent::revokeAllCall {}.abi_encode(), 100_000),
        Call::OpenRead {
            record,
            purpose_tag,
            nonce,
            anchor,
            grant,
            proof: None,
        } => {
            let call = Receipts::openReadCall {
                recordId: B256::new(record.to_bytes()),
                purposeTag: B256::new(purpose_tag.0),
                nonce: B256::new(nonce.to_bytes()),
                a: receipt_anchor(anchor),
                g: receipt_grant(grant)?,
            };
            (at.receipts, call.abi_encode(), 180_000)
        }
        Call::OpenRead {
            record,
            purpose_tag,
            nonce,
            anchor,
            grant,
            proof: Some(proof),
        } => {
            let call = Receipts::openListedCall {
                recordId: B256::new(record.to_bytes()),
                purposeTag: B256::new(purpose_tag.0),
                nonce: B256::new(nonce.to_bytes()),
                a: receipt_anchor(anchor),
                g: receipt_grant(grant)?,
                salt: B256::new(proof.salt),
                path: proof
                    .path
                    .iter()
                    .map(|step| B256::new(step.into_array()))
                    .collect(),
            };
            (at.receipts, call.abi_encode(), 200_000)
        }
        other => return Err(bad(&format!("this chain has no call for {other:?}"))),
    };
    Ok((chain(contract.to_bytes()), data, gas))
}

fn empty_anchor() -> Consent::AnchorFields {
    Consent::AnchorFields {
        nonce: B256::ZERO,
        author: Address::ZERO,
        owner: Address::ZERO,
        packageDigest: B256::ZERO,
        keySetDigest: B256::ZERO,
        capsuleDigest: B256::ZERO,
        attestationDigest: B256::ZERO,
        kind: 0,
        class: 0,
        amends: B256::ZERO,
    }
}

/// The forwarder's EIP-712 domain.
pub(crate) fn domain(deployed: &Deployed) -> Eip712Domain {
    eip712_domain! {
        name: "MediBloc",
        version: "1",
        chain_id: deployed.chain_id,
        verifying_contract: chain(deployed.contracts.forwarder.to_bytes()),
    }
}

impl ForwardRequest {
    pub(crate) fn new(
        from: Address,
        (to, data, gas): (Address, Vec<u8>, u64),
        nonce: U256,
        deadline: Timestamp,
    ) -> Self {
        Self {
            from,
            to,
            value: U256::ZERO,
            gas: U256::from(gas),
            nonce,
            deadline: U48::from(deadline.0.min((1 << 48) - 1)),
            data: data.into(),
        }
    }

    pub(crate) fn signing_digest(&self, deployed: &Deployed) -> [u8; 32] {
        self.eip712_signing_hash(&domain(deployed)).0
    }

    pub(crate) fn unsigned(&self, deployed: &Deployed) -> UnsignedCall {
        UnsignedCall {
            bytes: self.abi_encode(),
            digest: self.signing_digest(deployed),
        }
    }

    /// The request in these bytes, which have one form only.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, LedgerError> {
        match <Self as SolValue>::abi_decode(bytes) {
            Ok(request) if request.abi_encode() == bytes => Ok(request),
            _ => Err(bad("its bytes are no forward request")),
        }
    }

    /// As the forwarder takes it.
    pub(crate) fn with(&self, signature: &Signature) -> ForwardRequestData {
        ForwardRequestData {
            from: self.from,
            to: self.to,
            value: self.value,
            gas: self.gas,
            deadline: self.deadline,
            data: self.data.clone(),
            signature: Bytes::copy_from_slice(signature.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contracts;
    use medibloc_record::{Abi, domain_separator, keccak256, typed_digest};

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

    fn request() -> ForwardRequest {
        let call = Call::Register {
            role: Role::Provider,
            sealing_key: [9; 32],
        };
        let target = target(&deployed(), &call).unwrap();
        let from = Address::repeat_byte(0xaa);
        ForwardRequest::new(from, target, U256::from(5), Timestamp(1_800_000_000))
    }

    #[test]
    fn the_bytes_are_those_of_the_page() {
        let bytes = request().unsigned(&deployed()).bytes;
        let word = |n: usize| &bytes[32 * n..32 * (n + 1)];
        let number = |n: u64| U256::from(n).to_be_bytes::<32>();
        assert_eq!(word(0), number(32));
        assert_eq!(word(1)[12..], [0xaa; 20]);
        assert_eq!(word(2)[12..], [3; 20]);
        let rows = [
            (3, 0),
            (4, 150_000),
            (5, 5),
            (6, 1_800_000_000),
            (7, 224),
            (8, 68),
        ];
        for (place, expected) in rows {
            assert_eq!(word(place), number(expected), "word {place}");
        }
        assert_eq!(bytes[288..292], keccak256(b"register(uint8,bytes32)")[..4]);
        assert_eq!(bytes[292..324], number(2));
        assert_eq!(bytes[324..356], [9; 32]);
        assert_eq!(bytes[356..], [0; 28]);
    }

    #[test]
    fn the_digest_is_as_eip_712_says() {
        let request = request();
        let kind = b"ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,uint48 deadline,bytes data)";
        let hash = Abi::new()
            .word(keccak256(kind))
            .address(medibloc_record::Address::new([0xaa; 20]))
            .address(deployed().contracts.accounts)
            .uint(0)
            .uint(150_000)
            .uint(5)
            .uint(1_800_000_000)
            .word(keccak256(&request.data))
            .keccak256();
        let domain = domain_separator("MediBloc", "1", 31_337, deployed().contracts.forwarder);
        assert_eq!(
            request.signing_digest(&deployed()),
            typed_digest(domain, hash)
        );
    }

    #[test]
    fn bytes_have_one_form() {
        let bytes = request().unsigned(&deployed()).bytes;
        assert_eq!(ForwardRequest::parse(&bytes).unwrap(), request());
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(ForwardRequest::parse(&longer).is_err());
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 1;
            let read = ForwardRequest::parse(&other);
            assert!(read.is_err() || read.unwrap() != request(), "byte {place}");
            assert!(
                ForwardRequest::parse(&bytes[..place]).is_err(),
                "cut at {place}"
            );
        }
    }
}
