//! Whose own records are: the owner says who the owner is, or that a record is about the owner; nothing that names somebody is
//! passed on by itself before.

use medibloc_record::RecordId;

use crate::notes::About;
use crate::party::{change, table};
use crate::{JourneyError, KeptRecord, Party, Subject};

/// Where it is kept whom the owner said to be.
pub(crate) const OWNER: &[u8] = b"owner";

impl Party {
    /// Whom the owner said to be; none as long as it was not said.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn owner_said(&self) -> Result<Option<Subject>, JourneyError> {
        self.row(table::PERSON, OWNER)
    }

    /// Keeps whom the owner says to be, for this phrase alone: every own record is judged by it from now on. Saying it again
    /// replaces it.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn say_owner(&self, owner: &Subject) -> Result<(), JourneyError> {
        let kept = change(table::PERSON, OWNER, owner);
        let noted = self.note_anew(None, About::Person, Some(owner))?;
        Ok(self.ports.vault.apply(vec![kept, noted])?)
    }

    /// Keeps that an own record is about its owner, whomever it names: it is no other person's any more, and its name is the
    /// owner's, until its author takes it back or its owner erases it.
    ///
    /// # Errors
    /// If it or its content is not here, it is not accepted or erased, its author took it back, or the vault fails.
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
        if kept.unopened().is_some() {
            // Whom it names is not known: a word about it would be about anybody.
            return Err(JourneyError::Unknown {
                what: format!("whom record {record} names"),
                hint: "its content is not here yet: run `medibloc sync`; `medibloc record show` says what is missing",
            });
        }
        kept.confirmed = true;
        let about = About::Confirmed(record);
        let noted = self.note_anew(Some(kept.anchor.owner), about, Some(&true))?;
        let row = change(table::RECORDS, record.as_bytes(), &kept);
        self.ports.vault.apply(vec![row, noted])?;
        Ok(kept)
    }

    /// Own records that name another person than the owner, most likely filed under the wrong one. The owner is whom the owner
    /// said to be ([`Party::say_owner`]), and whomever a record names that the owner confirmed ([`Party::confirm_record`]). Until
    /// either was said, it is the person that more of the records name than anybody else together; where there is none, all are
    /// another's. What its author took back does not say who the patient is.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn of_another_person(&self) -> Result<Vec<RecordId>, JourneyError> {
        let (named, said) = (self.naming()?, self.owner_said()?);
        let standing = || named.iter().filter(|kept| !kept.retracted);
        let known: Vec<&Subject> = standing()
            .filter(|kept| kept.confirmed)
            .filter_map(|kept| kept.named.person())
            .chain(&said)
            .collect();
        let asked = named
            .iter()
            .filter(|kept| kept.retracted || !kept.confirmed)
            .filter_map(|kept| Some((kept, kept.named.person()?)));
        if !known.is_empty() {
            let others = asked.filter(|(_, subject)| !subject.can_be_one_of(&known));
            return Ok(others.map(|(kept, _)| kept.record()).collect());
        }
        let (mut persons, mut all): (Vec<Vec<&Subject>>, usize) = (Vec::new(), 0);
        for subject in standing().filter_map(|kept| kept.named.person()) {
            all += 1;
            if subject.names_several {
                continue;
            }
            let is_of = |person: &&mut Vec<&Subject>| {
                person.iter().all(|known| !subject.is_other_than(known))
            };
            match persons.iter_mut().find(is_of) {
                Some(person) => person.push(subject),
                None => persons.push(vec![subject]),
            }
        }
        let most = persons.into_iter().find(|person| person.len() * 2 > all);
        let alone = asked.filter(|(kept, subject)| match (&most, kept.retracted) {
            (Some(most), _) => {
                subject.names_several || most.iter().any(|known| subject.is_other_than(known))
            }
            // Beside nobody else it says nothing.
            (None, true) => false,
            (None, false) => true,
        });
        Ok(alone.map(|(kept, _)| kept.record()).collect())
    }

    /// Own records of which it is not known whom they name, as long as their owner did not confirm them: they may be another
    /// person's.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn not_known_whose(&self) -> Result<Vec<RecordId>, JourneyError> {
        let mut unread = self.records()?;
        unread.retain(|kept| kept.is_accepted() && kept.may_name_anybody());
        Ok(unread.iter().map(KeptRecord::record).collect())
    }

    /// Own records that no standing consent passes on by itself: what names another person or may, and as long as the owner neither
    /// said who the owner is nor confirmed a record, all that names anybody.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn not_passed_on(&self) -> Result<Vec<RecordId>, JourneyError> {
        let mut records = match self.is_owner_known()? {
            true => self.of_another_person()?,
            false => self.naming()?.iter().map(KeptRecord::record).collect(),
        };
        records.extend(self.not_known_whose()?);
        Ok(records)
    }

    /// Own records that are given to nobody unless the owner says that it is meant: what names another person or may. As long as the owner
    /// did not say who the owner is and the first record is not of whom most name, that is all that names anybody: how many
    /// documents of a person there are makes nobody the owner.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn not_given_alone(&self) -> Result<Vec<RecordId>, JourneyError> {
        let (mut others, named) = (self.of_another_person()?, self.naming()?);
        let first = named.iter().find(|kept| !kept.retracted);
        match first.is_some_and(|first| others.contains(&first.record())) {
            true => self.not_passed_on(),
            false => {
                others.extend(self.not_known_whose()?);
                Ok(others)
            }
        }
    }

    /// Whether the owner said who the owner is, or confirmed a record that stands.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn is_owner_known(&self) -> Result<bool, JourneyError> {
        let named = self.naming()?;
        let confirmed = named.iter().any(|kept| kept.confirmed && !kept.retracted);
        Ok(confirmed || self.owner_said()?.is_some())
    }

    /// Accepted own records that name somebody, the first on the chain first.
    fn naming(&self) -> Result<Vec<KeptRecord>, JourneyError> {
        let mut named = self.records()?;
        named.retain(|kept| kept.is_accepted() && kept.named.person().is_some());
        named.sort_by_key(|kept| (kept.block, kept.record()));
        Ok(named)
    }
}
