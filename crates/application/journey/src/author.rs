//! Who signed an attestation, judged at the anchor's block: what an author, the authority or a thief did afterwards
//! changes nothing about what was anchored before, and what was anchored is known from the final chain alone.

use medibloc_consent::AnchorFields;
use medibloc_keys::verify_attestation;
use medibloc_ledger::Event;
use medibloc_record::{Address, RecordId, SignedAttestation};

use crate::party::table;
use crate::{JourneyError, Party};

/// Blocks asked for at a time.
const PAGE: u32 = 500;

impl Party {
    /// The address that signed, if it acted for the anchor's author in the anchor's block.
    pub(crate) async fn author_at(
        &self,
        anchor: &AnchorFields,
        attestation: &SignedAttestation,
        block: u64,
    ) -> Result<Address, JourneyError> {
        let signer = verify_attestation(attestation, &self.ports.domain)?;
        match self.ports.facts.account_at(signer, block).await? {
            Some(account) if account == anchor.author => Ok(signer),
            _ => Err(JourneyError::Untrusted {
                what: "attestation",
                why: "it is not signed by the author that the anchor names, with a key that was the author's then"
                    .into(),
            }),
        }
    }

    /// The block of a record's anchor, from the final chain; remembered, for it never changes.
    pub(crate) async fn block_of(&self, anchor: &AnchorFields) -> Result<u64, JourneyError> {
        let record = anchor.record_id();
        if let Some(block) = self.row::<u64>(table::ANCHORED, record.as_bytes())? {
            return Ok(block);
        }
        let unknown = || JourneyError::Unknown {
            what: format!("an anchor of record {record} on the chain"),
            hint: "ask its owner whether it stands on this chain",
        };
        let facts = self.ports.facts.record(record).await?;
        let time = facts.ok_or_else(unknown)?.anchored_at;
        let mut next = self.first_block_at(time).await?;
        loop {
            let blocks = self.ports.events.events(next, PAGE).await?;
            let Some(last) = blocks.last().map(|block| block.number) else {
                return Err(unknown());
            };
            for block in &blocks {
                if block.time > time {
                    return Err(unknown());
                }
                if block.events.iter().any(|event| is_anchor_of(event, record)) {
                    self.put(table::ANCHORED, record.as_bytes(), &block.number)?;
                    return Ok(block.number);
                }
            }
            next = last + 1;
        }
    }

    /// The anchor of a record as it stands on the chain; none if there is none.
    pub(crate) async fn anchor_on_chain(
        &self,
        record: RecordId,
    ) -> Result<Option<AnchorFields>, JourneyError> {
        let Some(facts) = self.ports.facts.record(record).await? else {
            return Ok(None);
        };
        let from = self.first_block_at(facts.anchored_at).await?;
        let (events, _) = self.events_from(from).await?;
        let anchors = events.into_iter().filter_map(|(_, event)| match event {
            Event::Anchored(anchor) => Some(anchor),
            _ => None,
        });
        Ok(anchors
            .into_iter()
            .find(|anchor| anchor.record_id() == record))
    }

    /// A block at or before the first with events at this time: time never goes back from block to block.
    pub(crate) async fn first_block_at(
        &self,
        time: medibloc_record::Timestamp,
    ) -> Result<u64, JourneyError> {
        let (mut low, mut high) = (0, self.ports.facts.head().await?.number);
        while low < high {
            let middle = low + (high - low) / 2;
            let blocks = self.ports.events.events(middle, 1).await?;
            match blocks.first() {
                Some(block) if block.time < time => low = block.number + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }
}

fn is_anchor_of(event: &Event, record: RecordId) -> bool {
    matches!(event, Event::Anchored(anchor) if anchor.record_id() == record)
}
