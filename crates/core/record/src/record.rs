//! A normalised record: the original beside its FHIR R4 form, ready to be sealed.

use std::io::Read;

use crate::{Category, ClassId, Draft, Kind, PartRole, RecordId, Sensitivity, Timestamp};

/// Why a draft cannot become a record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NormaliseError {
    /// The original has no bytes.
    #[error("the {media_type} document is empty; import a file with content")]
    Empty {
        /// Its media type.
        media_type: String,
    },
    /// The FHIR form is no bundle.
    #[error("the FHIR form is not a Bundle but {found}; this is a fault of the importer")]
    NotABundle {
        /// The `resourceType` found.
        found: String,
    },
}

/// What is said of a record beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordDetails {
    /// Who wrote it.
    pub kind: Kind,
    /// What it is about.
    pub category: Category,
    /// How carefully it must be shared.
    pub sensitivity: Sensitivity,
    /// The coarse class that may appear on chain.
    pub class: ClassId,
    /// When the author signs it.
    pub authored_at: Timestamp,
    /// When the document says that it was written (FHIR dateTime).
    pub written: Option<String>,
    /// Title for people.
    pub title: Option<String>,
    /// Language (BCP 47).
    pub language: Option<String>,
    /// The record that this one corrects.
    pub amends: Option<RecordId>,
}

/// One payload with its true length.
pub struct Part {
    /// What it is.
    pub role: PartRole,
    /// Its media type.
    pub media_type: String,
    /// True length in bytes.
    pub length: u64,
    /// The bytes; exactly `length` of them.
    pub content: Box<dyn Read + Send>,
}

impl Part {
    /// A part whose bytes are in memory.
    pub fn from_bytes(role: PartRole, media_type: &str, bytes: Vec<u8>) -> Self {
        Self {
            role,
            media_type: media_type.to_owned(),
            length: bytes.len() as u64,
            content: Box::new(std::io::Cursor::new(bytes)),
        }
    }
}

impl core::fmt::Debug for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Part")
            .field("role", &self.role)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// A record on the device of its author or owner: plaintext.
#[derive(Debug)]
pub struct Record {
    details: RecordDetails,
    parts: Vec<Part>,
}

impl Record {
    /// A record made of a draft: part 0 is the original, part 1 its FHIR R4 form, part 2 the loss report.
    ///
    /// # Errors
    /// If the draft is empty or its FHIR form is no bundle.
    pub fn normalise(
        draft: Draft,
        kind: Kind,
        authored_at: Timestamp,
    ) -> Result<Self, NormaliseError> {
        if draft.original.is_empty() {
            return Err(NormaliseError::Empty {
                media_type: draft.media_type,
            });
        }
        let found = draft
            .fhir
            .get("resourceType")
            .and_then(|value| value.as_str())
            .unwrap_or("nothing");
        if found != "Bundle" {
            return Err(NormaliseError::NotABundle {
                found: found.to_owned(),
            });
        }
        let fhir = bytes_of(&draft.fhir);
        let loss = bytes_of(&draft.loss.to_operation_outcome());
        let parts = vec![
            Part::from_bytes(PartRole::Original, &draft.media_type, draft.original),
            Part::from_bytes(PartRole::Fhir, "application/fhir+json", fhir),
            Part::from_bytes(PartRole::Index, "application/fhir+json", loss),
        ];
        let details = RecordDetails {
            kind,
            category: draft.category,
            sensitivity: draft.sensitivity,
            class: ClassId::UNDISCLOSED,
            authored_at,
            written: draft.written,
            title: draft.title,
            language: draft.language,
            amends: None,
        };
        Ok(Self { details, parts })
    }

    /// A record of given parts.
    pub const fn from_parts(details: RecordDetails, parts: Vec<Part>) -> Self {
        Self { details, parts }
    }

    /// The same record, as a correction of `amended`.
    #[must_use]
    pub const fn amending(mut self, amended: RecordId) -> Self {
        self.details.amends = Some(amended);
        self
    }

    /// The same record with a coarse class on chain.
    #[must_use]
    pub const fn in_class(mut self, class: ClassId) -> Self {
        self.details.class = class;
        self
    }

    /// What is said of it.
    pub const fn details(&self) -> &RecordDetails {
        &self.details
    }

    /// The payloads, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Details and payloads.
    pub fn into_parts(self) -> (RecordDetails, Vec<Part>) {
        (self.details, self.parts)
    }
}

/// A tree as JSON. Straight into bytes: `Display` of a tree costs a third more.
fn bytes_of(tree: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(tree).expect("keys of a tree are strings, and writing to memory cannot fail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LossReport;

    fn draft(original: &[u8], fhir: serde_json::Value) -> Draft {
        Draft::new(
            "application/cda+xml",
            original.to_vec(),
            fhir,
            LossReport::default(),
        )
    }

    #[test]
    fn normalise_keeps_the_original_first_and_untouched() {
        let record = Record::normalise(
            draft(
                b"<ClinicalDocument/>",
                serde_json::json!({"resourceType": "Bundle"}),
            ),
            Kind::Medical,
            Timestamp(1),
        )
        .unwrap();
        let (_, mut parts) = record.into_parts();
        let mut bytes = Vec::new();
        parts[0].content.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"<ClinicalDocument/>");
        assert_eq!(parts[0].role, PartRole::Original);
    }

    #[test]
    fn normalise_refuses_an_empty_original_and_a_form_that_is_no_bundle() {
        let bundle = serde_json::json!({"resourceType": "Bundle"});
        assert!(Record::normalise(draft(b"", bundle), Kind::Own, Timestamp(1)).is_err());
        let patient = serde_json::json!({"resourceType": "Patient"});
        assert_eq!(
            Record::normalise(draft(b"x", patient), Kind::Own, Timestamp(1)).unwrap_err(),
            NormaliseError::NotABundle {
                found: "Patient".into()
            }
        );
    }
}
