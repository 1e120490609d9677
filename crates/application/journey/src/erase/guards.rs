//! What every step that gives or writes anything of a record asks first: that it is not erased.

use medibloc_record::RecordId;

use crate::{JourneyError, KeptRecord, Party, Standing};

impl Party {
    /// An own record that is not erased: what every step that gives anything of a record begins with.
    ///
    /// # Errors
    /// [`JourneyError::Erased`] with the time, or that it is not known here.
    pub(crate) fn live_record(&self, record: RecordId) -> Result<KeptRecord, JourneyError> {
        let kept = self.record(record)?;
        if kept.standing == Standing::Erased {
            return Err(self.erased_error(record)?);
        }
        Ok(kept)
    }

    /// An own record that is not erased and of which no erasure was begun: what every step that gives it away or writes it
    /// out begins with.
    ///
    /// # Errors
    /// [`JourneyError::Erased`], [`JourneyError::BeingErased`], or that it is not known here.
    pub(crate) fn standing_record(&self, record: RecordId) -> Result<KeptRecord, JourneyError> {
        let kept = self.live_record(record)?;
        if self.erasure_is_begun(record)? {
            return Err(JourneyError::BeingErased { record });
        }
        Ok(kept)
    }

    /// Those of which no erasure was begun: what is about to be erased is given to nobody.
    pub(crate) fn not_being_erased(
        &self,
        records: Vec<KeptRecord>,
    ) -> Result<Vec<KeptRecord>, JourneyError> {
        let mut standing = Vec::with_capacity(records.len());
        for kept in records {
            if !self.erasure_is_begun(kept.record())? {
                standing.push(kept);
            }
        }
        Ok(standing)
    }

    /// Refuses a record that was erased, or of which the erasure was begun.
    ///
    /// # Errors
    /// [`JourneyError::Erased`], [`JourneyError::BeingErased`], or that it is not known here.
    pub fn must_not_be_erased(&self, record: RecordId) -> Result<(), JourneyError> {
        self.standing_record(record).map(drop)
    }

    /// The same of what the chain says now, if it answers: what another device of the phrase erased is purged in the same act.
    ///
    /// # Errors
    /// [`JourneyError::Erased`]; that it is not here, or the vault fails.
    pub async fn must_not_be_erased_now(&self, record: RecordId) -> Result<(), JourneyError> {
        self.must_not_be_erased(record)?;
        self.must_not_be_gone_now(record).await
    }

    /// The same of any record that something is here of, own or not.
    ///
    /// # Errors
    /// [`JourneyError::Erased`]; that the vault fails.
    pub async fn must_not_be_gone_now(&self, record: RecordId) -> Result<(), JourneyError> {
        if self.known_facts(record).await?.is_some_and(|it| it.erased)
            && self.is_erased_by_now(record).await?
        {
            return Err(self.erased_error(record)?);
        }
        Ok(())
    }

    pub(crate) fn erased_error(&self, record: RecordId) -> Result<JourneyError, JourneyError> {
        let at = self.erasure(record)?.map(|erasure| erasure.at);
        Ok(JourneyError::Erased { record, at })
    }
}
