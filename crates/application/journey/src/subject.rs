//! Whom a document is about, as it says itself: what tells that one was filed under the wrong person. It identifies nobody for any
//! check of the protocol.

use medibloc_ledger::RecordFacts;
use medibloc_record::{RecordId, json::Value};
use serde::{Deserialize, Serialize};

use crate::party::table;
use crate::write::WriteJob;
use crate::{JourneyError, Party};
use medibloc_record::compared;

mod anew;
mod birth;
mod form;
mod named;
mod short;
mod told;

pub use named::{Named, Unread};
pub(crate) use short::Reading;

/// Letters of a name that are kept.
const MOST: usize = 256;

/// Identifiers of a patient that are kept.
const MOST_OF_ONE: usize = 8;

/// The patient that a document names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The name, as it is written; none if there is none.
    pub name: Option<String>,
    /// The day of birth (FHIR date); none if there is none.
    pub born: Option<String>,
    /// Its identifiers, each with its system.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<(String, String)>,
    /// It names others beside this one, who cannot be the same person.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub names_several: bool,
}

impl core::fmt::Debug for Subject {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Subject(..)")
    }
}

impl Subject {
    /// A person by name, day of birth or both; none without either, or if the day is none like 1980-02-03.
    pub fn said(name: Option<&str>, born: Option<&str>) -> Option<Self> {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = name.map(words).filter(|name| !plain(name).is_empty());
        let name = name.map(|name| name.chars().take(MOST).collect());
        let is_day = |born: &str| {
            let mut parts = born.split('-').map(str::len);
            [parts.next(), parts.next(), parts.next(), parts.next()]
                == [Some(4), Some(2), Some(2), None]
                && born.chars().all(|c| c == '-' || c.is_ascii_digit())
        };
        if born.is_some_and(|born| !is_day(born)) {
            return None;
        }
        (name.is_some() || born.is_some()).then(|| Self {
            name,
            born: born.map(str::to_owned),
            ids: Vec::new(),
            names_several: false,
        })
    }

    /// The patient of a FHIR R4 bundle: the one that its composition is about, else the first; none if it has none, or if none
    /// says a name, a day of birth or an identifier. One that the bundle only refers to counts by the words of the reference.
    pub fn of(bundle: &Value) -> Option<Self> {
        Named::of(bundle).person().cloned()
    }

    /// A FHIR Patient; none if it says neither name nor day of birth, nor an identifier.
    fn of_patient(patient: &Value) -> Option<Self> {
        let names = patient["name"].as_array().into_iter().flatten();
        // The one that is used now; one that was used before is not who it is.
        let rank = |name: &&Value| match name["use"].as_str() {
            Some("official") => 0,
            Some("usual") => 1,
            Some("old" | "maiden" | "nickname" | "anonymous" | "temp") => 3,
            _ => 2,
        };
        let mut names: Vec<&Value> = names.collect();
        names.sort_by_key(rank);
        let name = names.into_iter().find_map(name);
        let born = patient["birthDate"].as_str();
        let born = born.map(|born| born.chars().take(MOST).collect());
        let ids = ids(patient["identifier"].as_array().into_iter().flatten());
        (name.is_some() || born.is_some() || !ids.is_empty()).then_some(Self {
            name,
            born,
            ids,
            names_several: false,
        })
    }

    /// Whether both cannot be one person: another day of birth, another name, or another identifier of one system. What one of
    /// them does not say says nothing; what names several persons is nobody's.
    pub fn is_other_than(&self, other: &Self) -> bool {
        let differ = |one: &Option<String>, two: &Option<String>| match (one, two) {
            (Some(one), Some(two)) => plain(one) != plain(two),
            _ => false,
        };
        self.names_several
            || other.names_several
            || differ(&self.name, &other.name)
            || differ(&self.born, &other.born)
            || self.has_other_ids(other)
    }

    /// Whether both have identifiers of one system, and none of them in common.
    fn has_other_ids(&self, other: &Self) -> bool {
        self.ids.iter().any(|(system, _)| {
            let of = |subject: &Self| -> Vec<String> {
                let ids = subject.ids.iter().filter(|(of, _)| of == system);
                ids.map(|(_, value)| value.clone()).collect()
            };
            let (ours, theirs) = (of(self), of(other));
            !theirs.is_empty() && !ours.iter().any(|id| theirs.contains(id))
        })
    }

    /// Whether both name one person, as far as both say it: what names nobody names no person that is known.
    fn is_named_as(&self, other: &Self) -> bool {
        self.name.is_some() && other.name.is_some() && !self.is_other_than(other)
    }

    /// Whether it can be about whom its owner said to be: named so, or, where one of them says no name, of a day of birth or an
    /// identifier that is known. What the owner did not say makes nobody the owner.
    pub(crate) fn can_be_one_of(&self, confirmed: &[&Self]) -> bool {
        let has_one = |known: &Self| {
            self.born.is_some() && self.born == known.born
                || self.ids.iter().any(|id| known.ids.contains(id))
        };
        let is_nameless = self.name.is_none() || confirmed.iter().all(|known| known.name.is_none());
        confirmed.iter().any(|known| {
            self.is_named_as(known) || is_nameless && has_one(known) && !self.is_other_than(known)
        })
    }
}

/// Identifiers with a system, as many as are kept.
fn ids<'v>(identifiers: impl Iterator<Item = &'v Value>) -> Vec<(String, String)> {
    let short = |text: &Value| -> Option<String> {
        let text = text.as_str()?.trim();
        (!text.is_empty()).then(|| text.chars().take(MOST).collect())
    };
    let ids = identifiers.filter_map(|id| Some((short(&id["system"])?, short(&id["value"])?)));
    ids.take(MOST_OF_ONE).collect()
}

/// A FHIR HumanName as text; none if it is empty.
fn name(name: &Value) -> Option<String> {
    let words = || {
        let given = name["given"].as_array().into_iter().flatten();
        let words: Vec<&str> = given
            .chain([&name["family"]])
            .filter_map(Value::as_str)
            .collect();
        words.join(" ")
    };
    let text = name["text"].as_str().map_or_else(words, str::to_owned);
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (!plain(&text).is_empty()).then(|| text.chars().take(MOST).collect())
}

/// A name without what differs by the hand that wrote it: order, commas, and what [`compared`] leaves out.
fn plain(text: &str) -> Vec<String> {
    let text = compared(text);
    let words = text
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty());
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.sort_unstable();
    words
}

/// Whether it says nothing any more.
const fn is_over(facts: RecordFacts) -> bool {
    facts.retracted || facts.erased
}

impl Party {
    /// Whom records written here before for an owner name, and which: those that cannot be about this person. None if one that
    /// stands names this person, too, and its author said that this is the owner's name, or its owner accepted it. What the
    /// chain says is taken back or erased says nothing any more.
    ///
    /// # Errors
    /// If the vault fails. A chain that does not answer takes none out: who is asked once too often is not hurt.
    pub async fn written_about_others(
        &self,
        owner: medibloc_record::AccountId,
        subject: &Subject,
    ) -> Result<Vec<(RecordId, Subject)>, JourneyError> {
        let (mut others, mut same) = (Vec::new(), Vec::new());
        for table in [table::WRITTEN, table::JOBS] {
            for job in self.rows::<WriteJob>(table)? {
                let is_of = job.anchor.owner == owner && job.anchor.author != owner;
                let record = job.anchor.record_id();
                match job.subject.filter(|_| is_of) {
                    Some(before) if before.is_other_than(subject) => others.push((record, before)),
                    Some(before) if before.is_named_as(subject) => {
                        same.push((record, job.names_another));
                    }
                    _ => {}
                }
            }
        }
        let mut found = Vec::new();
        for (record, before) in others {
            let facts = self.said_of(record).await;
            if !facts.is_some_and(is_over) {
                found.push((record, before));
            }
        }
        if found.is_empty() {
            return Ok(found);
        }
        for (record, was_said) in same {
            let facts = self.said_of(record).await;
            let counts = was_said || facts.is_some_and(|facts| facts.accepted);
            if counts && !facts.is_some_and(is_over) {
                return Ok(Vec::new());
            }
        }
        Ok(found)
    }

    /// Whom a record names that was written here for somebody, taken back or not; none if nobody, or if another home wrote it.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn named_in_written(&self, record: RecordId) -> Result<Option<Subject>, JourneyError> {
        for table in [table::WRITTEN, table::JOBS] {
            if let Some(job) = self.row::<WriteJob>(table, record.as_bytes())? {
                return Ok(job.subject);
            }
        }
        Ok(None)
    }

    /// Whether this home knows an owner by this name: its label has every word of it and no other year or day of birth, or a record that was written here for
    /// the owner, and that stands as far as the chain says, names the same person.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn is_known_as(
        &self,
        owner: medibloc_record::AccountId,
        subject: &Subject,
    ) -> Result<bool, JourneyError> {
        if let (Some(label), Some(name)) = (self.label(owner)?, &subject.name) {
            let is_other = birth::contradicts(&label, subject.born.as_deref());
            let label = plain(&label);
            let name = plain(name);
            if !is_other && !name.is_empty() && name.iter().all(|word| label.contains(word)) {
                return Ok(true);
            }
        }
        for table in [table::WRITTEN, table::JOBS] {
            for job in self.rows::<WriteJob>(table)? {
                let is_of = job.anchor.owner == owner && job.anchor.author != owner;
                let is_same = job
                    .subject
                    .is_some_and(|before| before.is_named_as(subject));
                if is_of && is_same {
                    let facts = self.said_of(job.anchor.record_id()).await;
                    if !facts.is_some_and(is_over) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// What the chain says of a record; none if it does not answer.
    async fn said_of(&self, record: RecordId) -> Option<RecordFacts> {
        self.ports.facts.record(record).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use unicode_normalization::UnicodeNormalization as _;

    fn subject(patient: Value) -> Option<Subject> {
        let mut resource = patient;
        resource["resourceType"] = "Patient".into();
        Subject::of(
            &json!({"entry": [{"resource": {"resourceType": "Composition"}}, {"resource": resource}]})
                .into(),
        )
    }

    #[test]
    fn a_name_is_one_person_s_however_it_is_written() {
        let one = json!({"name": [{"given": ["Myra", "Ann"], "family": "Jones"}], "birthDate": "1947-05-01"});
        let one = subject(one).unwrap();
        assert_eq!(one.name.as_deref(), Some("Myra Ann Jones"));
        for (other, is_other) in [
            (
                json!({"name": [{"text": "JONES,  Myra Ann"}], "birthDate": "1947-05-01"}),
                false,
            ),
            (json!({"birthDate": "1947-05-01"}), false),
            (json!({"name": [{"text": "Myra Ann Jones"}]}), false),
            (
                json!({"name": [{"text": "Myra Ann Jones"}], "birthDate": "1974-05-01"}),
                true,
            ),
            (
                json!({"name": [{"text": "Isabella Jones"}], "birthDate": "1947-05-01"}),
                true,
            ),
        ] {
            assert_eq!(
                subject(other.clone()).unwrap().is_other_than(&one),
                is_other,
                "{other}"
            );
        }
        for nobody in [
            json!({}),
            json!({"name": [{"text": " "}]}),
            json!({"name": 7}),
        ] {
            assert_eq!(subject(nobody.clone()), None, "{nobody}");
        }
        assert_eq!(Subject::of(&json!(["x"]).into()), None);
        assert!(!format!("{one:?}").contains("Jones"));
    }

    fn named(name: &str) -> Value {
        json!({"resourceType": "Patient", "name": [{"text": name}], "birthDate": "1947-05-01"})
    }

    #[test]
    fn how_a_name_is_composed_and_cased_makes_no_other_person() {
        let one = subject(named("김민준")).unwrap();
        let decomposed: String = "김민준".nfd().collect();
        assert_ne!(decomposed, "김민준");
        assert!(!subject(named(&decomposed)).unwrap().is_other_than(&one));
        assert!(subject(named("김민수")).unwrap().is_other_than(&one));
        assert_eq!(subject(json!({"name": [{"text": ", ,"}]})), None);
    }

    #[test]
    fn an_identifier_of_one_system_is_one_person_s() {
        let with = |ids: Value| {
            let mut patient = named("Cho Kim");
            patient["identifier"] = ids;
            subject(patient).unwrap()
        };
        let id = |system: &str, value: &str| json!({"system": system, "value": value});
        let one = with(json!([id("urn:a", "1003"), id("urn:b", "7")]));
        for (other, is_other) in [
            (json!([id("urn:a", "1003")]), false),
            (json!([id("urn:a", "1999")]), true),
            (json!([id("urn:a", "1999"), id("urn:a", "1003")]), false),
            (json!([id("urn:a", "1003"), id("urn:b", "8")]), true),
            (json!([id("urn:c", "1999")]), false),
            (json!([{"value": "1999"}]), false),
            (json!([]), false),
        ] {
            assert_eq!(with(other.clone()).is_other_than(&one), is_other, "{other}");
        }
    }

    #[test]
    fn a_document_that_names_several_is_nobody_s() {
        let bundle = |resources: Value| {
            let resources = resources.as_array().unwrap().clone();
            let entry = resources
                .into_iter()
                .map(|resource| json!({"resource": resource}));
            Subject::of(&json!({"entry": entry.collect::<Vec<_>>()}).into())
        };
        let eve = subject(named("Eve Betterhalf")).unwrap();
        let nobody = json!({"resourceType": "Patient", "identifier": [{"value": "1"}]});
        let inside = json!({"resourceType": "Observation", "contained": [named("Adam Otherhalf")]});
        for (resources, name, is_other) in [
            (
                json!([named("Eve Betterhalf"), named("EVE BETTERHALF")]),
                "Eve Betterhalf",
                false,
            ),
            (
                json!([nobody, named("Eve Betterhalf")]),
                "Eve Betterhalf",
                false,
            ),
            (
                json!([named("Eve Betterhalf"), named("Adam Otherhalf")]),
                "Eve Betterhalf",
                true,
            ),
            (
                json!([nobody, named("Adam Otherhalf")]),
                "Adam Otherhalf",
                true,
            ),
            (json!([nobody, inside]), "Adam Otherhalf", true),
            (
                json!([named("Eve Betterhalf"), inside]),
                "Eve Betterhalf",
                true,
            ),
        ] {
            let found = bundle(resources.clone()).unwrap();
            assert_eq!(found.name.as_deref(), Some(name), "{resources}");
            assert_eq!(found.is_other_than(&eve), is_other, "{resources}");
        }
        // Whom the document says that it is about, wherever that one stands.
        let mut adam = named("Adam Otherhalf");
        adam["id"] = "2".into();
        let about = json!({"resourceType": "Composition", "subject": {"reference": "Patient/2"}});
        let found = bundle(json!([named("Eve Betterhalf"), about, adam])).unwrap();
        assert_eq!(found.name.as_deref(), Some("Adam Otherhalf"));
        // A name that was used before is not who it is.
        let mut now = named("Eve Betterhalf");
        now["name"] = json!([{"use": "old", "text": "Eve Betterhalf"}, {"use": "official", "text": "Adam Otherhalf"}]);
        assert!(subject(now).unwrap().is_other_than(&eve));
    }
}
