//! What was sealed under a former signing key of its author: its owner judges the attestation by whose key it was in the
//! anchor's block, so it is signed anew before it is anchored, or it would be refused for good.

use medibloc_keys::verify_attestation;
use medibloc_record::{Digest, SignedAttestation};

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
}
