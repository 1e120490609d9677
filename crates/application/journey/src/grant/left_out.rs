//! What a consent to several records leaves out, because it is more sensitive than the consent says or of another category or date:
//! told, never left out silently.

use medibloc_consent::Scope;
use medibloc_record::{Category, GrantId, Sensitivity, Timestamp};

use crate::accept::KeptRecord;
use crate::dates::Dates;
use crate::grant::plan::is_in;
use crate::grant::{Artefact, GivenGrant};
use crate::{JourneyError, Party};

/// Which records a consent to several gives, of those that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most sensitive.
    pub up_to: Sensitivity,
    /// The only categories; empty for any.
    pub categories: Vec<Category>,
    /// The only dates; none for any.
    pub dates: Option<Dates>,
    /// The chain lets no other one be read, whoever has its key; a consent of before is held by which keys are delivered alone.
    pub are_held_by_chain: bool,
}

impl Limits {
    /// Of this sensitivity at most, of these categories and dates, as they are given now.
    pub fn new(up_to: Sensitivity, categories: &[Category], dates: Option<Dates>) -> Self {
        Self {
            up_to,
            categories: categories.to_vec(),
            dates,
            are_held_by_chain: true,
        }
    }

    /// Those of a consent.
    pub fn of(artefact: &Artefact) -> Self {
        Self {
            are_held_by_chain: artefact.is_listed(),
            ..Self::new(artefact.sensitivity, &artefact.categories, artefact.dates)
        }
    }

    /// Whether a consent of this scope is about an own record that stands, and leaves it out for its sensitivity alone.
    pub fn leaves_out(&self, scope: Scope, kept: &KeptRecord) -> bool {
        let fits = |up_to| kept.fits(up_to, &self.categories, self.dates.as_ref());
        let stands = kept.is_accepted() && !kept.retracted;
        stands && is_in(scope, kept) && fits(Sensitivity::VeryRestricted) && !fits(self.up_to)
    }

    /// Whether an own record is among what a consent of this scope gives, if it stands.
    pub fn gives(&self, scope: Scope, kept: &KeptRecord) -> bool {
        is_in(scope, kept) && kept.fits(self.up_to, &self.categories, self.dates.as_ref())
    }

    /// Whether a consent of this scope leaves out an own record that stands for its category or date.
    pub fn is_beside(&self, scope: Scope, kept: &KeptRecord) -> bool {
        let up_to = Sensitivity::VeryRestricted;
        let fits = kept.fits(up_to, &self.categories, self.dates.as_ref());
        kept.is_accepted() && !kept.retracted && is_in(scope, kept) && !fits
    }

    /// Whether categories or dates leave out anything at all.
    pub fn are_of_some(&self) -> bool {
        !self.categories.is_empty() || self.dates.is_some()
    }
}

impl Party {
    /// Own records that a consent to several is about and leaves out because they are more sensitive, under whichever address.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn left_out(&self, scope: Scope, limits: &Limits) -> Result<Vec<KeptRecord>, JourneyError> {
        let mut records = self.records()?;
        records.retain(|kept| limits.leaves_out(scope, kept));
        self.not_being_erased(records)
    }

    /// How many own records a consent to several leaves out for their category or date, under whichever address.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn beside(&self, scope: Scope, limits: &Limits) -> Result<usize, JourneyError> {
        if !limits.are_of_some() {
            return Ok(0);
        }
        let mut records = self.records()?;
        records.retain(|kept| limits.is_beside(scope, kept));
        Ok(self.not_being_erased(records)?.len())
    }

    /// Consents that stand and leave an own record out, each with whether that is for its category or date; else it is more
    /// sensitive.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn consents_without(
        &self,
        kept: &KeptRecord,
        now: Timestamp,
    ) -> Result<Vec<(GrantId, GivenGrant, bool)>, JourneyError> {
        let mut found = Vec::new();
        for (id, given) in self.grants()? {
            let limits = Limits::of(&given.artefact);
            let Some(scope) = given.artefact.about() else {
                continue;
            };
            let is_beside = limits.is_beside(scope, kept);
            let is_without = is_beside || limits.leaves_out(scope, kept);
            if is_without
                && kept.anchor.owner == given.own
                && self.goes_on(&given, now)?
                // What a list has is not left out, whatever was found of it since.
                && !self.in_lists(id, &given)?.contains(&kept.record())
            {
                found.push((id, given, is_beside));
            }
        }
        Ok(found)
    }
}
