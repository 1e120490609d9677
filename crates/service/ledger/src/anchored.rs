//! What the chain steps of the journey give.

use medibloc_consent::AnchorFields;
use medibloc_record::{AccountId, GrantId, ReceiptId, RecordId, Timestamp};
use medibloc_store::Stored;

use crate::{Call, Facts, LedgerError, Outcome, Refusal, Relay, SignedCall};

/// A record that stands on chain, final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchored {
    fields: AnchorFields,
    outcome: Outcome,
}

impl Anchored {
    /// The call that anchors what was stored; only `store` makes a [`Stored`]. What it amends is named by its fields.
    pub fn call(
        stored: &Stored,
        fields: AnchorFields,
        amended: Option<AnchorFields>,
    ) -> Result<Call, LedgerError> {
        let attestation = stored.attestation();
        let same = fields.record_id() == stored.record()
            && fields.package == stored.package()
            && fields.attestation == stored.attestation_digest()
            && fields.owner == attestation.owner
            && fields.kind == attestation.kind
            && fields.class == attestation.class
            && fields.amends == attestation.amends
            && fields.amends == amended.map(|amended| amended.record_id());
        if same {
            Ok(match amended {
                None => Call::Anchor(fields),
                Some(amended) => Call::Amend {
                    anchor: fields,
                    amended,
                },
            })
        } else {
            Err(LedgerError::BadRequest {
                what: "the anchor's fields are not those of the stored record".into(),
            })
        }
    }

    /// Sends the signed anchor; if the record is on chain already, nothing happens twice. The relay's word alone counts for
    /// nothing: the record must be among the facts.
    ///
    /// # Errors
    /// As [`Relay::relay`]; [`LedgerError::Unreachable`] if the relay says that it is final and the chain does not have it.
    pub async fn send(
        relay: &dyn Relay,
        facts: &dyn Facts,
        fields: AnchorFields,
        signed: &SignedCall,
    ) -> Result<Self, LedgerError> {
        match relay.relay(signed).await {
            Ok(outcome) => match facts.record(fields.record_id()).await? {
                Some(_) => Ok(Self { fields, outcome }),
                None => Err(LedgerError::not_shown(outcome)),
            },
            Err(LedgerError::Refused(Refusal::Exists { .. }))
                if facts.record(fields.record_id()).await?.is_some() =>
            {
                let head = facts.head().await?;
                Ok(Self {
                    fields,
                    outcome: Outcome {
                        block: head.number,
                        transaction: [0; 32],
                    },
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The record.
    pub fn record(&self) -> RecordId {
        self.fields.record_id()
    }

    /// What stands on chain.
    pub const fn fields(&self) -> &AnchorFields {
        &self.fields
    }

    /// Where.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }
}

/// The fact that a reader was cleared to get a key; written before any keeper releases it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: ReceiptId,
    /// The record.
    pub record: RecordId,
    /// The reader.
    pub reader: AccountId,
    /// On what grant.
    pub grant: GrantId,
    /// Where it stands.
    pub outcome: Outcome,
}

/// One line of "who read what".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// The receipt.
    pub receipt: ReceiptId,
    /// The record.
    pub record: RecordId,
    /// The reader's pseudonym; names come from the owner's own contacts.
    pub reader: AccountId,
    /// On what grant.
    pub grant: GrantId,
    /// When.
    pub at: Timestamp,
    /// In which block.
    pub block: u64,
    /// The transaction, for a proof.
    pub block_hash: [u8; 32],
}

/// Who was cleared to read what, when, on what basis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditTrail {
    /// Every receipt of the owner's records, in chain order.
    pub lines: Vec<AuditLine>,
}
