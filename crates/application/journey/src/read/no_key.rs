//! Why there is no key of a record: what is known is said, and that it was granted only of a record that a held consent covers.

use medibloc_consent::{AnchorFields, Scope};
use medibloc_record::{RecordId, Timestamp};

use crate::grant::HeldGrant;
use crate::{JourneyError, Party};

/// What helps who has no consent.
pub(super) const ASK: &str = "ask the owner: `medibloc request create`, then `medibloc sync`";

fn no_consent(record: RecordId) -> JourneyError {
    JourneyError::Unknown {
        what: format!("a grant for record {record}: no consent that is held here covers it"),
        hint: ASK,
    }
}

/// Whether a consent is in force and about a record, by whose it is and by its class. What else its owner leaves out is not known
/// to who holds it.
fn covers(held: &HeldGrant, anchor: &AnchorFields, now: Timestamp) -> bool {
    let grant = held.artefact.grant.as_ref();
    let is_in = match held.artefact.about() {
        Some(Scope::One(record)) => record == anchor.record_id(),
        Some(Scope::Classes(classes)) => classes.contains(anchor.class),
        Some(Scope::All | Scope::Listed(_)) => true,
        None => false,
    };
    let is_in = is_in && grant.is_some_and(|grant| grant.terms.until > now);
    is_in && held.ended.is_none() && held.owner == anchor.owner
}

impl Party {
    /// What is known of a record of which this home has no key.
    pub(super) async fn why_no_key(&self, record: RecordId) -> Result<JourneyError, JourneyError> {
        let held = self.held()?;
        if held.iter().all(|held| held.ended.is_some()) {
            // The chain need not be asked about what nobody gave.
            return Ok(no_consent(record));
        }
        let Some(anchor) = self.anchor_on_chain(record).await? else {
            return Ok(JourneyError::Unknown {
                what: format!("record {record}: the chain has none with this id"),
                hint: "compare it with the one that you were told; `medibloc grant list` shows which records are held",
            });
        };
        let now = self.chain_now().await?;
        Ok(match held.iter().any(|held| covers(held, &anchor, now)) {
            true => JourneyError::Unknown {
                what: format!("the key of record {record}"),
                hint: "granted, key not delivered yet: the owner's agent delivers it when it is online; then run `medibloc sync`. What \
                       the owner left out of the consent, restricted records, say, or those of other categories, is never \
                       delivered: ask the owner",
            },
            false => no_consent(record),
        })
    }
}
