//! Where the contracts are: what `deployment.json` says.

use medibloc_record::{Address, TypedDomain};
use serde::{Deserialize, Serialize};

/// The addresses of the seven contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// OpenZeppelin's `AccessManager`.
    #[serde(with = "text")]
    pub authority: Address,
    /// OpenZeppelin's `ERC2771Forwarder`.
    #[serde(with = "text")]
    pub forwarder: Address,
    /// `Accounts`.
    #[serde(with = "text")]
    pub accounts: Address,
    /// `Records`.
    #[serde(with = "text")]
    pub records: Address,
    /// `Consent`.
    #[serde(with = "text")]
    pub consent: Address,
    /// `Receipts`.
    #[serde(with = "text")]
    pub receipts: Address,
    /// `Keepers`.
    #[serde(with = "text")]
    pub keepers: Address,
}

/// One deployment: which chain, since which block, where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployed {
    /// The chain's id.
    pub chain_id: u64,
    /// The block of the first contract: there is no event before it.
    pub block: u64,
    /// The contracts.
    pub contracts: Contracts,
}

impl Deployed {
    /// What attestations, bindings and keeper requests are signed for.
    pub const fn domain(&self) -> TypedDomain {
        TypedDomain {
            chain_id: self.chain_id,
            records: self.contracts.records,
        }
    }
}

/// Addresses as text, `0x` and 40 digits.
mod text {
    use medibloc_record::Address;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(address: &Address, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(address)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
        String::deserialize(from)?.parse().map_err(Error::custom)
    }
}
