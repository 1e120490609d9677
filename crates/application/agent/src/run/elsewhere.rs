//! What other devices of the phrase gave and took back, before this one says or does something about consents.

use medibloc_journey::{NotTaken, Party, counted_as};
use medibloc_record::GrantId;
use serde_json::json;

use super::find;
use crate::answer::code;
use crate::{Answer, Problem};

/// What this home knows of consents, after it asked the chain.
pub(super) struct Elsewhere {
    /// Why the chain did not say it, and as of which block this home knows it.
    pub(super) only_known: Option<String>,
    /// Consents that stand, of which only the chain tells.
    pub(super) not_taken: Vec<NotTaken>,
}

impl Elsewhere {
    pub(super) async fn of(party: &Party) -> Result<Self, Problem> {
        let (as_of, not_taken) = Box::pin(party.consents_as_of()).await?;
        Ok(Self {
            only_known: find::only_known(&as_of),
            not_taken,
        })
    }

    /// The same before something is taken back: what was given elsewhere is kept on a full disk, too.
    pub(super) async fn before_taking_back(party: &Party) -> Result<Self, Problem> {
        party.ports().vault.free_reserve();
        Self::of(party).await
    }

    /// Consents that stand, of which only the chain tells.
    pub(super) fn not_taken(&self) -> &[NotTaken] {
        &self.not_taken
    }

    /// After some of them were taken back.
    pub(super) fn without(mut self, ended: &[GrantId]) -> Self {
        self.not_taken.retain(|one| !ended.contains(&one.id));
        self
    }

    /// Consents that stand, of which nobody here knows whom they are for, in a line; none if there are none.
    pub(super) fn unknown(&self) -> Option<String> {
        let first = self.not_taken.first()?;
        let ids: Vec<String> = self
            .not_taken
            .iter()
            .map(|one| one.id.to_string())
            .collect();
        Some(format!(
            "{} on the chain that another device of yours gave, and whom to is not known here ({}): {}; `medibloc sync` looks \
             for it, `medibloc grant revoke` with its id ends it, and `medibloc grant revoke --everything` ends all",
            counted_as(ids.len(), "consent stands", "consents stand"),
            first.because,
            ids.join(", ")
        ))
    }

    /// What is to be said after something was taken back: nothing if all that stands is known here.
    fn left_over(&self) -> Option<String> {
        let silent = self.only_known.as_ref().map(|known| {
            format!(
                "{known}; what another device of yours gave since is not known here and is not taken back: say this again when the \
                 chain answers"
            )
        });
        silent.or_else(|| self.unknown())
    }

    /// What was taken back, with what that does not end.
    pub(super) fn after(&self, done: Result<Answer, Problem>) -> Result<Answer, Problem> {
        let Some(left) = self.left_over() else {
            return done;
        };
        match done {
            Ok(mut answer) => {
                answer.text = format!("{}\n{left}", answer.text);
                answer.value["leftOver"] = json!(left);
                Ok(answer.with_code(code::UNREACHABLE))
            }
            Err(problem) => Err(self.beside(problem)),
        }
    }

    /// Whether all that stands is known here, but for so many of which only the chain tells.
    pub(super) const fn is_all_but(&self, count: usize) -> bool {
        self.only_known.is_none() && self.not_taken.len() == count
    }

    /// A problem, with what is not known here.
    pub(super) fn beside(&self, problem: Problem) -> Problem {
        match self.left_over() {
            Some(left) => Problem::new(problem.code, format!("{}; {left}", problem.message)),
            None => problem,
        }
    }
}
