//! What was sealed under a former signing key of its author, or for a former committee: its owner judges both as they are in the
//! anchor's block, so it is signed and dealt anew before it is anchored, or it would be refused for good.

use medibloc_keys::{DealerSeed, verify_attestation};
use medibloc_record::{Digest, SignedAttestation};
use medibloc_seal::deal_anew;

use super::WriteJob;
use crate::party::table;
use crate::{JourneyError, OwnAddress, Party};

impl Party {
    /// Brings a job that is not known to be anchored under the key that signs for its author now.
    pub(super) async fn sign_anew(
        &self,
        author: &OwnAddress,
        job: &mut WriteJob,
    ) -> Result<(), JourneyError> {
        let before = SignedAttestation::parse(&job.attestation)?;
        let signer = verify_attestation(&before, &self.ports.domain)?;
        if signer == self.signing_address(author) {
            return Ok(());
        }
        let record = job.anchor.record_id();
        // While the former key counted it may have got to the chain; from the block that ended the key on it cannot.
        if self.ports.facts.is_anchored(&job.anchor).await? {
            job.anchored = true;
            return self.put(table::JOBS, record.as_bytes(), job);
        }
        let attestation = before.attestation;
        let digest = attestation.digest(&self.ports.domain);
        let signature = self.signer(author).sign_digest(&digest);
        let signed = SignedAttestation::new(attestation, author.id(), signature);
        job.attestation = signed.to_bytes();
        job.anchor.attestation = Digest::of(&job.attestation);
        job.signed = None;
        self.put(table::JOBS, record.as_bytes(), job)
    }

    /// Brings a job that is not known to be anchored to the committee that is in force now. No keeper has a share of it yet.
    pub(super) async fn deal_anew(&self, job: &mut WriteJob) -> Result<(), JourneyError> {
        let sealed = job.sealed()?;
        let committee = self.ports.facts.committee().await?.committee;
        if sealed.key_set().committee == committee {
            return Ok(());
        }
        let record = job.anchor.record_id();
        if self.ports.facts.is_anchored(&job.anchor).await? {
            job.anchored = true;
            return self.put(table::JOBS, record.as_bytes(), job);
        }
        let sealed = deal_anew(&sealed, &DealerSeed::new(*job.dealer_seed), committee)?;
        job.key_set = sealed.key_set_bytes().to_vec();
        job.anchor.key_set = sealed.key_set_digest();
        job.signed = None;
        self.put(table::JOBS, record.as_bytes(), job)
    }

    /// Whether a record stands on chain in another form than its job has it, or was anchored when another committee had followed the
    /// one that it was sealed for: what was signed before can come to the chain for some minutes after. No owner takes it.
    pub(super) async fn is_anchored_in_vain(&self, job: &WriteJob) -> Result<bool, JourneyError> {
        let facts = &self.ports.facts;
        let Some(record) = facts.record(job.anchor.record_id()).await? else {
            return Ok(false);
        };
        if !facts.is_anchored(&job.anchor).await? {
            return Ok(true);
        }
        let Some(until) = self.committee_of(job.sealed()?.key_set()).await?.until else {
            return Ok(false);
        };
        let since = self.time_of(until).await?;
        Ok(since.is_some_and(|since| record.anchored_at >= since))
    }
}
