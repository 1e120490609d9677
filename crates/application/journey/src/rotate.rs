//! Sealing-key rotation: an own address gets its next key on chain, then every capsule that was sealed to an older key
//! is sealed anew (`replaceCapsule`). Older keys still open what was sealed to them; only re-keying a record would
//! keep out who copied an old capsule and has the old key.

use medibloc_dag::{Block, Codec, cbor};
use medibloc_ledger::Call;
use medibloc_record::{AccountId, Capsule, Digest};
use medibloc_seal::recapsule;

use crate::accept::KeptRecord;
use crate::errand::{Luggage, errand_key};
use crate::write::parties_of;
use crate::{JourneyError, OwnAddress, Party, SyncReport};

impl Party {
    /// Gives an own address, or the account, its next sealing key, and seals its capsules to it. Gives how many
    /// capsules were replaced; a `sync` goes on with those that were not.
    pub async fn rotate_sealing_key(&self, id: AccountId) -> Result<usize, JourneyError> {
        let own = self.own_address(id)?;
        let next = own.key_version + 1;
        let key = errand_key("rotate", &[id.as_bytes(), &next.to_be_bytes()]);
        if self.errand(&key)?.is_some() {
            self.finish(&key).await?;
        } else {
            let sealing_key = self.sealing_at(&own, next).public().key;
            let what = format!("sealing key {next} of {}", own.address);
            let call = Call::RotateSealingKey { sealing_key };
            self.begin(key, what, id, call, Luggage::default()).await?;
        }
        self.replace_capsules(&self.own_address(id)?).await
    }

    /// Goes on with capsules that are sealed to an older key.
    pub(crate) async fn resume_capsules(
        &self,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        for own in self.addresses()? {
            if own.key_version > 1
                && let Err(error) = self.replace_capsules(&own).await
            {
                report.later.push(error.to_string());
            }
        }
        Ok(())
    }

    async fn replace_capsules(&self, own: &OwnAddress) -> Result<usize, JourneyError> {
        let mut replaced = 0;
        for kept in self.records()? {
            if kept.anchor.owner == own.id() && kept.is_accepted() {
                replaced += usize::from(self.replace_capsule(own, &kept).await?);
            }
        }
        Ok(replaced)
    }

    async fn replace_capsule(
        &self,
        own: &OwnAddress,
        kept: &KeptRecord,
    ) -> Result<bool, JourneyError> {
        let record = kept.record();
        let version = own.key_version.to_be_bytes();
        let key = errand_key("capsule", &[record.as_bytes(), &version]);
        if self.errand(&key)?.is_some() {
            self.finish(&key).await?;
            return Ok(true);
        }
        let store = self.store_of(own);
        let bytes = self.object(store.as_ref(), kept.capsule, "capsule").await?;
        let capsule: Capsule = crate::party::decode("capsule", &bytes)?;
        let sealed_to = capsule.wrapped.key_version;
        if sealed_to >= own.key_version {
            return Ok(false);
        }
        let (parties, domain) = (parties_of(&kept.anchor), &self.ports.domain);
        let newer = {
            let mut entropy = self
                .ports
                .entropy
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let to = self.sealing(own).public();
            let current = self.sealing_at(own, sealed_to);
            recapsule(&capsule, &current, &to, &parties, domain, &mut *entropy)?
        };
        let block = Block::of(Codec::DagCbor, cbor::to_vec(&newer)).map_err(|source| {
            JourneyError::Malformed {
                what: "capsule",
                source,
            }
        })?;
        self.ports.vault.put_blob(&block)?;
        let call = Call::ReplaceCapsule {
            anchor: kept.anchor,
            capsule: Digest::new(block.cid().digest()),
        };
        let luggage = Luggage {
            objects: vec![*block.cid()],
            ..Luggage::default()
        };
        let what = format!("newer capsule of record {record}");
        self.begin(key, what, own.id(), call, luggage).await?;
        Ok(true)
    }
}
