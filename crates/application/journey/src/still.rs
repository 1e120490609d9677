//! What a revocation does not end: other consents under which the same contact still reads the same, or still writes.

use medibloc_consent::Scope;
use medibloc_ledger::Call;
use medibloc_record::{AccountId, ClassId, GrantId, RecordId, Timestamp};

use crate::errand::errand_key;
use crate::grant::plan::is_in;
use crate::party::table;
use crate::{GivenGrant, JourneyError, KeptRecord, NotTaken, Party};

/// A consent that stands beside another one of the same contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillStanding {
    /// The consent.
    pub id: GrantId,
    /// First second after it.
    pub until: Timestamp,
    /// It is on its way to the chain.
    pub is_pending: bool,
}

impl Party {
    /// Other consents under which the contact of this one still reads any of its records, whichever reader address they are
    /// for: of one record, of classes, of all. Those that are being taken back are not among them.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn still_read(
        &self,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<Vec<StillStanding>, JourneyError> {
        let now = self.earlier_now().await?;
        let records = self.covered_by(given)?;
        let mut standing = Vec::new();
        for (other, beside) in self.grants()? {
            let Some(grant) = &beside.artefact.grant else {
                continue;
            };
            if other == id
                || beside.artefact.party != given.artefact.party
                || beside.revoked
                || grant.terms.until <= now
                || self.is_being_revoked(other, &beside)?
            {
                continue;
            }
            let covers = self.covered_by(&beside)?;
            if go_on_together(given, &beside) || covers.iter().any(|it| records.contains(it)) {
                standing.push(StillStanding {
                    id: other,
                    until: grant.terms.until,
                    is_pending: self.is_on_its_way(other)?,
                });
            }
        }
        Ok(standing)
    }

    /// Of consents that only the chain tells of, those under which the contact of this one may still read any of its records. Whom
    /// one is for is not known here, unless its reader address is.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn may_still_read(
        &self,
        given: &GivenGrant,
        not_taken: &[NotTaken],
    ) -> Result<Vec<GrantId>, JourneyError> {
        let Some(about) = given.artefact.about() else {
            return Ok(Vec::new());
        };
        let mut may = Vec::new();
        for one in not_taken.iter().filter(|one| one.own == given.own) {
            let Some(scope) = one.scope else { continue };
            let whose = self.party_of_reader(one.to)?;
            if whose.is_none_or(|party| party == given.artefact.party)
                && self.do_meet(about, scope)?
            {
                may.push(one.id);
            }
        }
        Ok(may)
    }

    /// Whether the chain lets two consents of one own address open the same record.
    fn do_meet(&self, one: Scope, other: Scope) -> Result<bool, JourneyError> {
        Ok(match (one, other) {
            (Scope::One(one), Scope::One(other)) => one == other,
            (Scope::One(record), wide) | (wide, Scope::One(record)) => {
                let kept: Option<KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
                kept.is_none_or(|kept| is_in(wide, &kept))
            }
            (Scope::Classes(one), Scope::Classes(other)) => {
                one.numbers().any(|class| other.contains(ClassId(class)))
            }
            _ => true,
        })
    }

    /// Which contact's account a reader address is of, as far as this device was told.
    fn party_of_reader(&self, reader: AccountId) -> Result<Option<AccountId>, JourneyError> {
        for (_, given) in self.grants()? {
            let grant = given.artefact.grant.as_ref();
            if grant.is_some_and(|grant| grant.reader == reader) {
                return Ok(Some(given.artefact.party));
            }
        }
        for contact in self.contacts()? {
            let mut offered = contact.unused.iter();
            if contact.party == reader || offered.any(|(_, binding)| binding.reader == reader) {
                return Ok(Some(contact.party));
            }
        }
        Ok(None)
    }

    /// Every other consent, to read or to write, that the contact of this one has and that is not being taken back, whatever it
    /// opens; none for a record that was erased.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn others_of(
        &self,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<Vec<StillStanding>, JourneyError> {
        let now = self.known_now().await?;
        let mut standing = Vec::new();
        let reads = self.grants()?.into_iter().map(|one| (one, false));
        let writes = self.write_grants()?.into_iter().map(|one| (one, true));
        for ((other, beside), is_write) in reads.chain(writes) {
            let grant = beside.artefact.grant.as_ref();
            let until = match is_write {
                true => beside.artefact.write.map(|write| write.until),
                false => grant.map(|grant| grant.terms.until),
            };
            let Some(until) = until.filter(|until| *until > now) else {
                continue;
            };
            let ends = match is_write {
                true => self.is_write_being_revoked(&beside)?,
                false => self.is_being_revoked(other, &beside)?,
            };
            let same = beside.artefact.party == given.artefact.party;
            // What is erased nobody opens any more.
            let opens = match beside.artefact.about() {
                Some(Scope::One(record)) if !is_write => self.erasure(record)?.is_none(),
                _ => true,
            };
            let is_replaced = self.replaced_by(other, &beside)?.is_some();
            if opens && other != id && same && !beside.revoked && !ends && !is_replaced {
                standing.push(StillStanding {
                    id: other,
                    until,
                    is_pending: self.is_on_its_way(other)?,
                });
            }
        }
        Ok(standing)
    }

    /// Other permissions to write that the contact of this one has, under whichever own address.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn still_write(
        &self,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<Vec<StillStanding>, JourneyError> {
        let now = self.earlier_now().await?;
        let mut standing = Vec::new();
        for (other, beside) in self.write_grants()? {
            let Some(write) = beside.artefact.write else {
                continue;
            };
            if other != id
                && beside.artefact.party == given.artefact.party
                && !beside.revoked
                && write.until > now
                && !self.is_write_being_revoked(&beside)?
                && self.replaced_by(other, &beside)?.is_none()
            {
                standing.push(StillStanding {
                    id: other,
                    until: write.until,
                    is_pending: self.is_on_its_way(other)?,
                });
            }
        }
        Ok(standing)
    }

    /// Whether a consent was begun and is not on the chain yet, whatever of it has left.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn is_on_its_way(&self, id: GrantId) -> Result<bool, JourneyError> {
        let key = errand_key("grant", &[id.as_bytes()]);
        Ok(self.errand(&key)?.is_some())
    }

    /// Whether a consent to read is being taken back: the order is kept and not on the chain yet.
    pub(crate) fn is_being_revoked(
        &self,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<bool, JourneyError> {
        if given.revoked || self.is_to_be_given(id)? {
            return Ok(false);
        }
        let key = errand_key("revoke", &[id.as_bytes()]);
        Ok(self.errand(&key)?.is_some() || self.ends_all(given.own)?)
    }

    /// The same for a permission to write, which ends with every other one of its author under the same address.
    pub(crate) fn is_write_being_revoked(&self, given: &GivenGrant) -> Result<bool, JourneyError> {
        let Some(write) = given.artefact.write.filter(|_| !given.revoked) else {
            return Ok(false);
        };
        let id = GrantId::derive(write.owner, write.author, write.nonce);
        if self.is_to_be_given(id)? {
            return Ok(false);
        }
        let ends =
            |call: &Call| matches!(call, Call::RevokeWrite { author } if *author == write.author);
        let errands = self.errands()?;
        let ended = errands
            .iter()
            .any(|errand| errand.own == given.own && ends(&errand.call));
        Ok(ended || self.ends_all(given.own)?)
    }

    /// Own records that a consent opens, now or with the next sync.
    pub(crate) fn covered_by(&self, given: &GivenGrant) -> Result<Vec<RecordId>, JourneyError> {
        let mut records = given.artefact.records.clone();
        let (Some(grant), Some(about)) = (&given.artefact.grant, given.artefact.about()) else {
            return Ok(records);
        };
        for delivery in self.deliveries(grant.id)? {
            records.extend(delivery.records);
        }
        if matches!(about, Scope::One(_)) {
            return Ok(records);
        }
        let artefact = &given.artefact;
        let fits = |kept: &KeptRecord| {
            kept.anchor.owner == given.own
                && kept.is_accepted()
                && is_in(about, kept)
                && kept.fits(
                    artefact.sensitivity,
                    &artefact.categories,
                    artefact.dates.as_ref(),
                )
        };
        let kept = self.records()?;
        records.extend(
            kept.iter()
                .filter(|kept| fits(kept))
                .map(KeptRecord::record),
        );
        Ok(records)
    }
}

/// Whether two consents of one address both go on with what comes later: they meet there, even if no record is under both
/// of them now.
fn go_on_together(one: &GivenGrant, other: &GivenGrant) -> bool {
    one.own == other.own
        && match (one.artefact.about(), other.artefact.about()) {
            (Some(Scope::Classes(one)), Some(Scope::Classes(other))) => one == other,
            (Some(one), Some(other)) => {
                !matches!(one, Scope::One(_)) && !matches!(other, Scope::One(_))
            }
            _ => false,
        }
}
