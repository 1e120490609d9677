//! Whom a document is about, as it says itself: what tells that one was filed under the wrong person. It identifies nobody for any
//! check of the protocol.

use medibloc_ledger::RecordFacts;
use medibloc_record::RecordId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::party::table;
use crate::write::WriteJob;
use crate::{JourneyError, KeptRecord, Party};

/// Letters of a name that are kept.
const MOST: usize = 256;

/// The patient that a document names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The name, as it is written; none if there is none.
    pub name: Option<String>,
    /// The day of birth (FHIR date); none if there is none.
    pub born: Option<String>,
}

impl core::fmt::Debug for Subject {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Subject(..)")
    }
}

impl Subject {
    /// The first patient of a FHIR R4 bundle; none if it has none, or says neither name nor day of birth.
    pub fn of(bundle: &Value) -> Option<Self> {
        let entries = bundle["entry"].as_array().into_iter().flatten();
        let mut resources = entries.map(|entry| &entry["resource"]);
        let patient = resources.find(|resource| resource["resourceType"] == "Patient")?;
        let name = patient["name"]
            .as_array()
            .into_iter()
            .flatten()
            .find_map(name);
        let born = patient["birthDate"].as_str();
        let born = born.map(|born| born.chars().take(MOST).collect());
        (name.is_some() || born.is_some()).then_some(Self { name, born })
    }

    /// Whether both cannot be one person: another day of birth, or another name. What one of them does not say says nothing.
    pub fn is_other_than(&self, other: &Self) -> bool {
        let differ = |one: &Option<String>, two: &Option<String>| match (one, two) {
            (Some(one), Some(two)) => plain(one) != plain(two),
            _ => false,
        };
        differ(&self.name, &other.name) || differ(&self.born, &other.born)
    }

    /// Whether both name one person, as far as both say it: what names nobody names no person that is known.
    fn is_named_as(&self, other: &Self) -> bool {
        self.name.is_some() && other.name.is_some() && !self.is_other_than(other)
    }
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
    (!text.is_empty()).then(|| text.chars().take(MOST).collect())
}

/// A name without what differs by the hand that wrote it: order, case, commas.
fn plain(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
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

    /// Whether this home knows an owner by this name: its label has every word of it, or a record that was written here for
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
            let label = plain(&label);
            if plain(name).iter().all(|word| label.contains(word)) {
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

    /// Keeps that an own record is about its owner, whomever it names: it is no other person's any more, and its name is the
    /// owner's, until its author takes it back or its owner erases it.
    ///
    /// # Errors
    /// If it is not here, not accepted or erased, its author took it back, or the vault fails.
    pub fn confirm_record(&self, record: RecordId) -> Result<KeptRecord, JourneyError> {
        self.must_not_be_erased(record)?;
        let mut kept = self.record(record)?;
        if kept.retracted {
            return Err(JourneyError::Retracted { record });
        }
        if !kept.is_accepted() {
            return Err(JourneyError::Unknown {
                what: format!("whom record {record} names"),
                hint: "it is not accepted; `medibloc record show` says why, and `medibloc sync` looks again",
            });
        }
        kept.confirmed = true;
        self.put(table::RECORDS, record.as_bytes(), &kept)?;
        Ok(kept)
    }

    /// Own records that name a person whom no other of them names, while others name somebody: most likely filed under the
    /// wrong person. What its author took back does not say who the patient is; what [`Party::confirm_record`] kept is the
    /// owner's.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn of_another_person(&self) -> Result<Vec<RecordId>, JourneyError> {
        let records = self.records()?;
        let named: Vec<(&KeptRecord, &Subject)> = records
            .iter()
            .filter(|kept| kept.is_accepted())
            .filter_map(|kept: &KeptRecord| Some((kept, kept.subject.as_ref()?)))
            .collect();
        let asked = named
            .iter()
            .filter(|(one, _)| one.retracted || !one.confirmed);
        let alone = asked.filter(|(one, subject)| {
            let others = named
                .iter()
                .filter(|(other, _)| !other.retracted && other.record() != one.record());
            let mut others = others.peekable();
            others.peek().is_some() && others.all(|(_, other)| other.is_other_than(subject))
        });
        Ok(alone.map(|(one, _)| one.record()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn subject(patient: Value) -> Option<Subject> {
        let mut resource = patient;
        resource["resourceType"] = "Patient".into();
        Subject::of(
            &json!({"entry": [{"resource": {"resourceType": "Composition"}}, {"resource": resource}]}),
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
        assert_eq!(Subject::of(&json!(["x"])), None);
        assert!(!format!("{one:?}").contains("Jones"));
    }
}
