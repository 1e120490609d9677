//! Purposes of use (HL7 v3 PurposeOfUse codes, as FHIR R4 Consent uses them).

use medibloc_record::Abi;
use serde::{Deserialize, Serialize};

/// What a reader wants a record for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Purpose {
    /// TREAT.
    Treatment,
    /// HPAYMT.
    Payment,
    /// HRESCH.
    Research,
    /// FAMRQT.
    FamilyRequest,
    /// PATRQT.
    PatientRequest,
    /// ETREAT.
    Emergency,
    /// PUBHLTH.
    PublicHealth,
}

impl Purpose {
    /// The HL7 v3 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Treatment => "TREAT",
            Self::Payment => "HPAYMT",
            Self::Research => "HRESCH",
            Self::FamilyRequest => "FAMRQT",
            Self::PatientRequest => "PATRQT",
            Self::Emergency => "ETREAT",
            Self::PublicHealth => "PUBHLTH",
        }
    }

    /// The purpose with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        [
            Self::Treatment,
            Self::Payment,
            Self::Research,
            Self::FamilyRequest,
            Self::PatientRequest,
            Self::Emergency,
            Self::PublicHealth,
        ]
        .into_iter()
        .find(|purpose| purpose.code() == code)
    }

    /// The salted tag that stands on chain; nobody learns the purpose from it.
    pub fn tag(self, salt: [u8; 32]) -> PurposeTag {
        PurposeTag(
            Abi::new()
                .word(salt)
                .bytes(self.code().as_bytes())
                .keccak256(),
        )
    }
}

/// keccak256(abi.encode(salt, code)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PurposeTag(#[serde(with = "serde_bytes")] pub [u8; 32]);
