//! How carefully a record must be shared by its own document: an author's word alone is no reason to pass on what is labelled.

use core::fmt;

use medibloc_record::{GrantId, Labels, RecordId, Sensitivity};
use serde::{Deserialize, Serialize};

use crate::accept::KeptRecord;
use crate::grant::GivenGrant;
use crate::party::{change, table};
use crate::{JourneyError, Limits, Party, Unread};

/// What the labels in a record's FHIR form say, as its owner's home read them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Labelled {
    /// A program kept it that did not look.
    #[default]
    NotLooked,
    /// They could not be read.
    Unread(Unread),
    /// This.
    As {
        /// The most that any says.
        sensitivity: Sensitivity,
        /// Which label says it; none if it is normal.
        why: Option<String>,
    },
}

impl Labelled {
    /// What the labels of a FHIR form in JSON say, of anybody's making: it takes no memory beside the bytes.
    pub(crate) fn of_form(json: &[u8]) -> Self {
        let mut form = serde_json::Deserializer::from_slice(json);
        let labels = Labels::of_form(&mut form, is_word);
        match labels.and_then(|labels| form.end().map(|()| labels)) {
            Ok(labels) => Self::As {
                sensitivity: labels.sensitivity(),
                why: labels.why().map(str::to_owned),
            },
            Err(_) => Self::Unread(Unread::Unreadable),
        }
    }

    /// How carefully it must be shared by them: what is not known may be anything.
    pub const fn sensitivity(&self) -> Sensitivity {
        match self {
            Self::As { sensitivity, .. } => *sensitivity,
            Self::NotLooked | Self::Unread(_) => Sensitivity::Restricted,
        }
    }

    /// Whether it is not known what they say.
    pub const fn is_unknown(&self) -> bool {
        !matches!(self, Self::As { .. })
    }

    pub(crate) const fn was_not_looked_at(&self) -> bool {
        matches!(self, Self::NotLooked)
    }
}

/// What they say, and which.
impl fmt::Display for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLooked => f.write_str("its labels were not read yet"),
            Self::Unread(Unread::TooLarge) => {
                f.write_str("its labels could not be read (too large)")
            }
            Self::Unread(_) => f.write_str("its labels could not be read"),
            Self::As { why: None, .. } => f.write_str("it has no label that says more"),
            Self::As { why: Some(why), .. } => f.write_str(why),
        }
    }
}

/// Whether a type may be said in words: it is one short word, whoever wrote it.
fn is_word(kind: &str) -> bool {
    kind.len() <= 40
        && kind.starts_with(|first: char| first.is_ascii_uppercase())
        && kind.bytes().all(|letter| letter.is_ascii_alphabetic())
}

impl KeptRecord {
    /// How carefully it must be shared: by its author's word and by its own labels, whichever says more. None if it was never
    /// opened.
    pub fn sensitivity(&self) -> Option<Sensitivity> {
        let said = self.manifest.as_ref()?.sensitivity;
        Some(said.max(self.labelled.sensitivity()))
    }

    /// Whether that is more than its author said.
    pub fn is_more_than_said(&self) -> bool {
        let said = self.manifest.as_ref().map(|manifest| manifest.sensitivity);
        said < self.sensitivity()
    }
}

/// What a record is called.
const fn word(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Normal => "normal",
        Sensitivity::Restricted => "restricted",
        Sensitivity::VeryRestricted => "very restricted",
    }
}

impl KeptRecord {
    /// Who or what says how carefully it must be shared, in words.
    pub fn why_sensitive(&self) -> String {
        let Some(said) = self.manifest.as_ref().map(|manifest| manifest.sensitivity) else {
            return "it was not opened yet".to_owned();
        };
        let labelled = &self.labelled;
        match (self.is_more_than_said(), labelled.is_unknown()) {
            (true, true) => format!(
                "its author called it {}, and {labelled}, so that it may be anything",
                word(said)
            ),
            (true, false) => format!(
                "its author called it {}, and its labels say more ({labelled})",
                word(said)
            ),
            (false, true) => format!("its author says so, and {labelled}"),
            (false, false) if labelled.sensitivity() == said => labelled.to_string(),
            (false, false) => "its author says so".to_owned(),
        }
    }

    /// What is told when it came: that its author's word is not what it is shared by. Nothing if it is.
    pub(crate) fn told_more_than_said(&self) -> Option<String> {
        let sensitivity = self.sensitivity().filter(|_| self.is_more_than_said())?;
        let id = self.record().to_string();
        Some(format!(
            "record {} is shared as {} alone: {}; no consent to what is not restricted gives it",
            id.get(..12).unwrap_or(&id),
            word(sensitivity),
            self.why_sensitive()
        ))
    }
}

/// An own record that a reader has by a consent that would not give it any more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GivenBefore {
    /// The record.
    pub kept: KeptRecord,
    /// The consent.
    pub grant: GrantId,
    /// Its reader's name.
    pub reader: String,
}

impl Party {
    /// Reads the labels of records that a program kept which did not look: until then nothing but a consent to what is restricted
    /// gives them. Who has one already is told by whichever command is the next to tell something.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn read_labels_anew(&self) -> Result<(), JourneyError> {
        let (mut rows, mut read) = (Vec::new(), Vec::new());
        for mut kept in self.records()? {
            let Some(manifest) = kept.manifest.as_ref() else {
                continue;
            };
            if !kept.labelled.was_not_looked_at() {
                continue;
            }
            kept.labelled = self.form_of(manifest).1;
            rows.push(change(table::RECORDS, kept.record().as_bytes(), &kept));
            read.push(kept);
        }
        if rows.is_empty() {
            return Ok(());
        }
        for given in self.given_of(read)? {
            rows.push(self.untold_row(&given.to_string()));
        }
        Ok(self.ports.vault.apply(rows)?)
    }

    /// Own records that stand in the lists of consents to several that would not give them any more: their author's word was
    /// taken for it. What a list has the chain holds until the consent is taken back.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn given_as_said(&self) -> Result<Vec<GivenBefore>, JourneyError> {
        self.given_of(self.records()?)
    }

    fn given_of(&self, mut more: Vec<KeptRecord>) -> Result<Vec<GivenBefore>, JourneyError> {
        more.retain(|kept| kept.is_more_than_said() && !kept.labelled.was_not_looked_at());
        if more.is_empty() {
            return Ok(Vec::new());
        }
        let (called, mut found) = (self.names()?, Vec::new());
        for (grant, given) in self.grants()? {
            let Some(scope) = given.artefact.about().filter(|_| !given.revoked) else {
                continue;
            };
            let (limits, has) = (Limits::of(&given.artefact), self.in_lists(grant, &given)?);
            for kept in &more {
                if has.contains(&kept.record()) && limits.leaves_out(scope, kept) {
                    found.push(GivenBefore {
                        kept: kept.clone(),
                        grant,
                        reader: called.given(&given),
                    });
                }
            }
        }
        Ok(found)
    }

    /// Records whose keys a consent has given.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn in_lists(
        &self,
        grant: GrantId,
        given: &GivenGrant,
    ) -> Result<Vec<RecordId>, JourneyError> {
        let mut records = given.artefact.records.clone();
        for delivery in self.deliveries(grant)? {
            records.extend(delivery.records);
        }
        Ok(records)
    }
}

impl fmt::Display for GivenBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.kept.record().to_string();
        write!(
            f,
            "record {} is more sensitive than its author said ({}), and {} has it already by consent {}, which gives no such record \
             any more: `medibloc grant revoke` takes back that consent, nothing else does",
            id.get(..12).unwrap_or(&id),
            self.kept.labelled,
            self.reader,
            self.grant
        )
    }
}
