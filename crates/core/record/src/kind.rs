//! Kinds, categories and sensitivity (design 02).

use serde::{Deserialize, Serialize};

/// Who wrote a record, and so how far it may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Kind {
    /// Written by an accredited provider.
    Medical = 1,
    /// Written by the owner.
    #[serde(rename = "self")]
    Own = 2,
    /// Written by a delegate.
    Family = 3,
    /// Written by the owner's device.
    Device = 4,
    /// Written by a researcher.
    Research = 5,
}

impl Kind {
    /// The number on chain.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Medical,
            2 => Self::Own,
            3 => Self::Family,
            4 => Self::Device,
            5 => Self::Research,
            _ => return None,
        })
    }

    /// Whether the author must be the owner.
    pub const fn is_written_by_owner(self) -> bool {
        matches!(self, Self::Own | Self::Device)
    }
}

/// What a record is about: one of 16, aligned with FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Category {
    Emergency,
    Problems,
    Allergies,
    Medications,
    Immunisations,
    Vitals,
    Laboratory,
    Imaging,
    Genetics,
    EncountersAndNotes,
    Procedures,
    Documents,
    Devices,
    ClaimsAndCoverage,
    SocialAndFamilyHistory,
    Other,
}

impl Category {
    /// What a document of this type (LOINC) is about; none if its type does not say it.
    pub fn of_document(loinc: &str) -> Option<Self> {
        Some(match loinc {
            "11488-4" | "18842-5" | "34117-2" | "11506-3" | "34133-9" => Self::EncountersAndNotes,
            "28570-0" | "11504-8" => Self::Procedures,
            "18748-4" | "68604-8" => Self::Imaging,
            "11502-2" => Self::Laboratory,
            "11369-6" => Self::Immunisations,
            "10160-0" | "57833-6" | "60593-1" => Self::Medications,
            "51969-4" => Self::Genetics,
            _ => return None,
        })
    }
}

/// How carefully a record must be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sensitivity {
    /// The usual.
    Normal,
    /// Mental health, sexual and reproductive, substance use, HIV, genetic.
    Restricted,
    /// The owner said so.
    VeryRestricted,
}

/// The coarse class that may appear on chain; 0 is undisclosed and never matched by a class grant.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ClassId(pub u8);

impl ClassId {
    /// Undisclosed.
    pub const UNDISCLOSED: Self = Self(0);
}
