//! Revoke and erase (design 11, rows 16 and 16b).

use medibloc_consent::DeletionStatement;
use medibloc_keys::recover;
use medibloc_ledger::Call;
use medibloc_record::{GrantId, RecordId};

use crate::party::table;
use crate::{GivenGrant, JourneyError, Party};

impl Party {
    /// Ends one grant; from the next block on no key is released for it.
    pub async fn revoke(&self, id: GrantId) -> Result<(), JourneyError> {
        let mut given: GivenGrant =
            self.row(table::GRANTS, id.as_bytes())?
                .ok_or_else(|| JourneyError::Unknown {
                    what: format!("grant {id}"),
                    hint: "`medibloc grant list` shows the grants that were given",
                })?;
        let own = self.own_address(given.own)?;
        if let Some(grant) = given.artefact.grant.clone() {
            self.call(&own, &Call::Revoke(grant)).await?;
        }
        given.revoked = true;
        self.put(table::GRANTS, id.as_bytes(), &given)
    }

    /// Ends every grant and write grant of every own address.
    pub async fn revoke_everything(&self) -> Result<(), JourneyError> {
        for own in self.addresses()? {
            if self.ports.facts.account_of(own.address).await?.is_some() {
                self.call(&own, &Call::RevokeAll).await?;
            }
        }
        for (id, mut given) in self.grants()? {
            given.revoked = true;
            self.put(table::GRANTS, id.as_bytes(), &given)?;
        }
        Ok(())
    }

    /// Erases a record: final on chain first, then keepers destroy their local keys and storage deletes. Gives the
    /// number of keepers that signed a deletion; n − t + 1 of them are final.
    pub async fn erase(&self, record: RecordId) -> Result<usize, JourneyError> {
        let kept = self.record(record)?;
        let own = self.own_address(kept.anchor.owner)?;
        if !self
            .ports
            .facts
            .record(record)
            .await?
            .is_some_and(|facts| facts.erased)
        {
            self.call(&own, &Call::Erase(kept.anchor)).await?;
        }
        let committee = self.ports.facts.committee().await?;
        let keepers = self.ports.network.keepers(&self.signer(&own));
        let mut statements = 0;
        for keeper in &committee.keepers {
            if let Ok(Some(statement)) = keepers.deletion(keeper.index, record).await
                && recover(
                    &DeletionStatement::digest(keeper.signer, record, &self.ports.domain),
                    &statement.signature,
                )
                .is_ok_and(|signer| signer == keeper.signer)
            {
                let key = [record.as_bytes().as_slice(), &[keeper.index]].concat();
                self.put(table::STATEMENTS, &key, &statement)?;
                statements += 1;
            }
        }
        self.mark_erased(record)?;
        Ok(statements)
    }
}
