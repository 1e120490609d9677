//! What it means that a consent of a decision (`--all`, `--class`) was taken back: no further address follows, and the others stand.

use medibloc_consent::Scope;
use medibloc_record::{AccountId, GrantId};

use crate::grant::plan::Plan;
use crate::party::table;
use crate::{GivenGrant, JourneyError, Party};

impl Party {
    /// Whether taking back this consent ends a decision that stands.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn ends_a_decision(&self, given: &GivenGrant) -> Result<bool, JourneyError> {
        let Some(request) = given.artefact.request.filter(|_| is_wide(given)) else {
            return Ok(false);
        };
        Ok(self.row::<Plan>(table::PLANS, request.as_ref())?.is_some())
    }

    /// Consents of an account that stand, by whichever decision, and give it what is accepted from now on. The chain is asked for
    /// each, since another device may have taken it back; one of which it does not say that counts as standing.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn going_on(&self, party: AccountId) -> Result<Vec<GrantId>, JourneyError> {
        let now = self.known_now().await?;
        let mut found = Vec::new();
        for (id, given) in self.grants()? {
            let is_of = given.artefact.party == party && self.goes_on(&given, now)?;
            if !is_of || self.is_being_revoked(id, &given)? {
                continue;
            }
            let has_ended = match &given.artefact.grant {
                Some(grant) if !self.is_to_be_given(id)? => {
                    let facts = self.ports.facts.grant(grant).await;
                    facts.is_ok_and(|facts| facts.revoked)
                }
                _ => false,
            };
            if !has_ended {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// What follows of it that this consent was taken back, in words, and the consents that go on; nothing of one that gave a
    /// record alone. `decision` is what [`Party::ends_a_decision`] said before.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn what_goes_on(
        &self,
        given: &GivenGrant,
        decision: bool,
    ) -> Result<(Option<String>, Vec<GrantId>), JourneyError> {
        if !is_wide(given) {
            return Ok((None, Vec::new()));
        }
        let artefact = &given.artefact;
        let go_on = self.going_on(artefact.party).await?;
        let name = self.names()?.given(given);
        let ended = decision.then(|| no_further(&name));
        let on = on(&name, artefact.paired, &go_on);
        let told: Vec<String> = ended.into_iter().chain(on).collect();
        Ok(((!told.is_empty()).then(|| told.join("; ")), go_on))
    }
}

/// Whether it is about several records, those that come later too.
fn is_wide(given: &GivenGrant) -> bool {
    !matches!(given.artefact.about(), Some(Scope::One(_)) | None)
}

/// That a decision is over.
pub(super) fn no_further(name: &str) -> String {
    format!(
        "no further address of yours gives {name} such a consent by itself, for one that was given so was taken back; `medibloc grant \
         create` decides it anew"
    )
}

/// What goes on all the same, and what ends it; nothing if nothing does.
pub(super) fn on(name: &str, paired: AccountId, go_on: &[GrantId]) -> Option<String> {
    let ids: Vec<String> = go_on.iter().map(ToString::to_string).collect();
    (!ids.is_empty()).then(|| {
        format!(
            "{name} is given later records all the same, by what stands: {}; `medibloc grant revoke --contact {paired}` ends that",
            ids.join(", ")
        )
    })
}
