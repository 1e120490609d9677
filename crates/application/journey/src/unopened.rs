//! Own consents of which nobody has the object: another device of the phrase gave them, and a node forgets the object of
//! what was revoked or erased. What the chain says of them is kept once they have ended: their reads are no alarm for ever.

use medibloc_consent::{Grant, Scope};
use medibloc_ledger::Event;
use medibloc_record::{AccountId, GrantId};

use crate::accept::is_missing;
use crate::erase::ReadBy;
use crate::party::{change, table};
use crate::ports::Change;
use crate::{JourneyError, NotTaken, Party};

impl Party {
    /// After an own consent's object could not be had: keeps what the chain says. No error if nothing more is needed,
    /// because the consent has ended.
    ///
    /// # Errors
    /// The one that was given, if the object is to be looked for again; also if it is there and does not open, for then it
    /// was made by somebody else who has the key.
    pub(crate) async fn unopened_consent(
        &self,
        event: &Event,
        error: JourneyError,
    ) -> Result<(), JourneyError> {
        let Event::Granted(grant) = event else {
            return Err(error);
        };
        // One that is in force and withheld may be a thief's: its reads are alarms until it comes.
        if !is_missing(&error) || !self.has_ended(grant).await? {
            return Err(error);
        }
        let mut changes = self.explained_by(grant.id)?;
        changes.push(change(table::ON_CHAIN, grant.id.as_bytes(), grant));
        Ok(self.ports.vault.apply(changes)?)
    }

    /// Takes back alarms about reads under a consent that is known now.
    pub(crate) fn explained_by(&self, grant: GrantId) -> Result<Vec<Change>, JourneyError> {
        let mut reads = self.rows::<ReadBy>(table::READ_BY)?;
        reads.retain(|read| read.grant == grant);
        let alarm_of = |read: ReadBy| Change::Delete {
            table: table::ALARMS,
            key: read.receipt.as_bytes().to_vec(),
        };
        Ok(reads.into_iter().map(alarm_of).collect())
    }

    /// Whether an own consent opens nothing any more, as the chain and the own clock say.
    pub(crate) async fn has_ended(&self, grant: &Grant) -> Result<bool, JourneyError> {
        if grant.terms.until <= self.earlier_now().await?
            || self.ports.facts.grant(grant).await?.revoked
        {
            return Ok(true);
        }
        let Scope::One(record) = grant.terms.scope else {
            return Ok(false);
        };
        let facts = self.ports.facts.record(record).await?;
        Ok(facts.is_some_and(|facts| facts.erased))
    }

    /// Own consents that only the chain tells of; all of them have ended.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn unopened_consents(&self) -> Result<Vec<Grant>, JourneyError> {
        self.rows(table::ON_CHAIN)
    }

    /// Whose address reads under an own consent, as lines name contacts; none if no own address gave it.
    pub(crate) fn reader_name(
        &self,
        grant: GrantId,
        reader: AccountId,
    ) -> Result<Option<String>, JourneyError> {
        let given: Option<crate::GivenGrant> = self.row(table::GRANTS, grant.as_bytes())?;
        if let Some(given) = given {
            return Ok(Some(self.names()?.given(&given)));
        }
        let on_chain: Option<Grant> = self.row(table::ON_CHAIN, grant.as_bytes())?;
        match on_chain.filter(|grant| grant.reader == reader) {
            Some(_) => self.name_of_reader(reader).map(Some),
            None => Ok(None),
        }
    }

    /// The contact that gave this reader address, as lines name it, as far as this device was told.
    pub(crate) fn name_of_reader(&self, reader: AccountId) -> Result<String, JourneyError> {
        let called = self.called(reader)?;
        Ok(called.unwrap_or_else(|| {
            format!("the reader {reader}, to whom another device of this phrase gave a consent")
        }))
    }

    /// Whom a consent is for of which only the chain tells, as lines name contacts.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn name_not_taken(&self, given: &NotTaken) -> Result<String, JourneyError> {
        let called = self.called(given.to)?;
        Ok(called.unwrap_or_else(|| format!("account {}", given.to)))
    }
}

/// The row goes when the object comes.
pub(crate) fn opened(grant: GrantId) -> Change {
    Change::Delete {
        table: table::ON_CHAIN,
        key: grant.as_bytes().to_vec(),
    }
}
