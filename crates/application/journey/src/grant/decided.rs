//! A request that is decided otherwise than before: what was planned of the earlier answer is not given.

use std::collections::BTreeSet;

use medibloc_consent::Scope;
use medibloc_record::{GrantId, RecordId, Sensitivity, Timestamp};

use crate::errand::errand_key;
use crate::grant::plan::{Extent, Plan, forget_plan};
use crate::grant::{GivenGrant, PendingRequest, WhyClosed};
use crate::party::table;
use crate::ports::Change;
use crate::views::JobView;
use crate::{JourneyError, Party};

/// Said again within a day, an answer until the same number of days is the same.
const DAY: u64 = 86_400;

/// What a person says to a request, all of it.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What may be read.
    pub about: Scope,
    /// Of several records, the most sensitive ones that are meant.
    pub up_to: Sensitivity,
    /// First second after it.
    pub until: Timestamp,
    /// Of several records, those of another person's name that are meant, too.
    pub also: &'a [RecordId],
    /// One record, although its author took it back.
    pub is_known_retracted: bool,
}

impl Party {
    /// Drops a request, with what was planned to answer it; the other side is told nothing.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn deny(&self, request: &PendingRequest) -> Result<(), JourneyError> {
        let mut over = self.unsent_of(&request.id)?;
        over.extend(request.close(WhyClosed::Denied));
        Ok(self.ports.vault.apply(over)?)
    }

    /// Drops what was planned to answer a request, which waits as before.
    ///
    /// # Errors
    /// If something of the answer has left, or if the vault fails.
    pub fn drop_answer(&self, request: &PendingRequest) -> Result<(), JourneyError> {
        for (id, given) in self.grants()? {
            if given.answers(&request.id) && !given.revoked && !self.is_to_be_given(id)? {
                return Err(JourneyError::Untrusted {
                    what: "answer",
                    why: format!(
                        "consent {id}, which answers the same request, has left already; `medibloc grant revoke {id}` takes it back"
                    ),
                });
            }
        }
        Ok(self.ports.vault.apply(self.unsent_of(&request.id)?)?)
    }

    /// Whether a consent is what a person says, in all its terms. Its end is never later than what is said.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn is_as_said(
        &self,
        id: GrantId,
        given: &GivenGrant,
        said: &Said<'_>,
    ) -> Result<bool, JourneyError> {
        let (artefact, plan) = (&given.artefact, self.plan_of(given)?);
        let Some(ends) = artefact.grant.as_ref().map(|grant| grant.terms.until) else {
            return Ok(false);
        };
        let is_soon = |end: Timestamp| end <= said.until && said.until.since(end) < DAY;
        let is_end = match &plan {
            Some(plan) => ends <= said.until && is_soon(plan.until),
            None => is_soon(ends) || self.ports.pace.is_end_of(said.until, ends, None),
        };
        let set = |records: &[RecordId]| records.iter().copied().collect::<BTreeSet<_>>();
        let is_meant = match said.about {
            Scope::One(_) => {
                let errand = self.errand(&errand_key("grant", &[id.as_bytes()]))?;
                errand.is_none_or(|it| it.is_known_retracted == said.is_known_retracted)
            }
            _ => {
                artefact.sensitivity == said.up_to
                    && set(&self.meant_under(given)?) == set(said.also)
            }
        };
        Ok(artefact.about() == Some(said.about) && is_end && is_meant)
    }

    /// The decision that a consent to several records was given under, if it stands.
    fn plan_of(&self, given: &GivenGrant) -> Result<Option<Plan>, JourneyError> {
        match (given.artefact.about(), given.artefact.request.as_ref()) {
            (Some(Scope::One(_)) | None, _) | (_, None) => Ok(None),
            (_, Some(request)) => self.row(table::PLANS, request.as_ref()),
        }
    }

    /// The end of a decision about this request and of every consent by it of which nothing has left.
    fn unsent_of(&self, request: &[u8; 32]) -> Result<Vec<Change>, JourneyError> {
        let mut over = vec![forget_plan(request)];
        for (id, given) in self.grants()? {
            if given.answers(request) && self.is_to_be_given(id)? {
                over.extend(self.drop_consent(id)?);
            }
        }
        Ok(over)
    }

    /// The end of a decision about this request of which nothing was begun.
    pub(super) fn not_begun_of(&self, request: &[u8; 32]) -> Result<Vec<Change>, JourneyError> {
        let plan: Option<Plan> = self.row(table::PLANS, request)?;
        let over = match plan {
            Some(plan) if self.all_given_under(&plan)?.is_empty() => vec![forget_plan(request)],
            _ => Vec::new(),
        };
        Ok(over)
    }

    /// Whether a decision of which nothing was begun is not what the person said last: the request was closed since, or answered
    /// with something else. Homes of before kept such ones.
    pub(super) fn is_decided_otherwise(&self, plan: &Plan) -> Result<bool, JourneyError> {
        if !self.all_given_under(plan)?.is_empty() {
            return Ok(false);
        }
        let request = &plan.request.id;
        let mut given = self.grants()?.into_iter();
        Ok(given.any(|(_, given)| given.answers(request))
            || self.closed_requests()?.iter().any(|it| it.id == *request))
    }

    /// Decisions of which nothing is begun, since the other side has no address left to be granted to.
    pub(crate) fn decisions_that_wait(&self) -> Result<Vec<JobView>, JourneyError> {
        let mut jobs = Vec::new();
        for plan in self.rows::<Plan>(table::PLANS)? {
            if !self.all_given_under(&plan)?.is_empty() {
                continue;
            }
            let own = plan.request.own;
            let name = self.names()?.told(&plan.request.name, Some(own));
            let what = match plan.extent {
                Extent::All => "all your records",
                Extent::Classes(_) => "all your records of a class",
            };
            jobs.push(JobView {
                what: format!("grant to {name} of {what}"),
                reason: Some(format!(
                    "no consent of it is begun: it waits for reader addresses of {name}, and `medibloc sync` goes on with it; `medibloc \
                     request deny` of the request, or `medibloc grant revoke --contact {own}`, drops it"
                )),
            });
        }
        Ok(jobs)
    }
}
