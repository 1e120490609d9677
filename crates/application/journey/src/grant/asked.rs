//! The letter of a request: a key that ends before it leaves takes nothing of it along.

use medibloc_record::AccountId;

use super::READERS;
use crate::mail::{AccessRequest, Message};
use crate::outbox::{Outgoing, letter_row};
use crate::party::table;
use crate::{JourneyError, Party, Question};

impl Party {
    /// Makes the letter of a request and keeps it, before it leaves.
    pub(super) async fn keep_request(
        &self,
        key: [u8; 32],
        owner: AccountId,
        question: Question,
    ) -> Result<Outgoing, JourneyError> {
        let patron = self.patron(owner)?;
        let credential = self.newest_credential().await?;
        let (readers, mut changes) = self.bound_readers(READERS, owner).await?;
        let asked = question.clone();
        let request = AccessRequest {
            purpose: asked.purpose,
            reason: asked.reason,
            categories: asked.categories,
            dates: asked.dates,
            until: asked.until,
            readers,
            credential,
        };
        let (to, to_key) = self.reached(owner).await?;
        let mut letter = self.compose(
            key,
            patron.pairing.as_ref(),
            &self.account(),
            (to, &to_key),
            &patron.node,
            &Message::Access(request),
        )?;
        letter.question = Some((owner, question));
        changes.push(letter_row(&letter));
        self.ports.vault.apply(changes)?;
        Ok(letter)
    }

    /// Whether a letter is signed by another key than the one that is known to sign for its address.
    pub(crate) fn is_signed_before(&self, letter: &Outgoing) -> Result<bool, JourneyError> {
        let own = self.own_address(letter.from)?;
        Ok(letter.letter.sender != self.signing_address(&own))
    }

    /// Makes requests that wait anew if the key that signed them ended: what a former key signed nobody takes. Tells what could not
    /// be done now; it waits on.
    pub(crate) async fn ask_anew(&self, later: &mut Vec<String>) -> Result<(), JourneyError> {
        let mut waiting: Vec<Outgoing> = self.rows(table::LETTERS)?;
        waiting.retain(|letter| letter.sent.is_none() && letter.question.is_some());
        if waiting.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.signed_for_now(self.account().id()).await {
            later.push(format!("requests that wait: {error}"));
            return Ok(());
        }
        for letter in waiting {
            let is_before = self.is_signed_before(&letter)?;
            if let (true, Some((owner, question))) = (is_before, letter.question)
                && let Err(error) = self.keep_request(letter.key, owner, question).await
            {
                later.push(format!("a request to {owner}: {error}"));
            }
        }
        Ok(())
    }
}
