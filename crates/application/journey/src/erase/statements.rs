//! What keepers sign when they destroyed their part of a key.

use std::collections::BTreeSet;

use medibloc_consent::DeletionStatement;
use medibloc_keys::recover;

use super::Signed;
use crate::party::table;
use crate::ports::PortError;
use crate::together::{Asked, all};
use crate::{JourneyError, KeptRecord, Party, Standing};

/// What keepers were asked about an erasure.
pub(crate) struct AskedKeepers {
    pub(crate) signed: Signed,
    /// Those that did not sign, by index.
    missing: BTreeSet<u8>,
}

impl Party {
    /// Asks keepers for their deletion statements, those that are `away` not; keeps those that are signed, and counts them and
    /// the keepers. Whose they are, and how many make it final, is of the committee that the record was dealt to.
    pub(crate) async fn collect_statements(
        &self,
        kept: &KeptRecord,
        away: &mut BTreeSet<u8>,
    ) -> Result<AskedKeepers, JourneyError> {
        let record = kept.record();
        let own = self.own_address(kept.anchor.owner)?;
        let committee = self.committee_at(kept.block).await?;
        let keepers = self.ports.network.keepers(&self.signer(&own));
        let mut missing: BTreeSet<u8> = committee.keepers.iter().map(|it| it.index).collect();
        let mut open: Vec<Asked<'_, _>> = Vec::new();
        for keeper in &committee.keepers {
            let key = [record.as_bytes().as_slice(), &[keeper.index]].concat();
            if self.ports.vault.get(table::STATEMENTS, &key)?.is_some() {
                missing.remove(&keeper.index);
                continue;
            }
            if away.contains(&keeper.index) {
                continue;
            }
            let keepers = keepers.clone();
            open.push(Box::pin(async move {
                let answer = keepers.deletion(keeper.index, record).await;
                (keeper, key, answer)
            }));
        }
        for (keeper, key, answer) in all(open).await {
            if let Err(PortError::Unreachable { .. }) = &answer {
                away.insert(keeper.index);
            }
            if let Ok(Some(statement)) = answer
                && recover(
                    &DeletionStatement::digest(keeper.signer, record, &self.ports.domain),
                    &statement.signature,
                )
                .is_ok_and(|signer| signer == keeper.signer)
            {
                self.put(table::STATEMENTS, &key, &statement)?;
                missing.remove(&keeper.index);
            }
        }
        let threshold = committee.committee.threshold;
        let signed = Signed {
            by: committee.keepers.len() - missing.len(),
            of: committee.keepers.len(),
            needed: Some(usize::from(threshold.n() - threshold.t() + 1)),
        };
        if let Some(mut erasure) = self.erasure(record)?
            && erasure.signed != Some(signed)
        {
            erasure.signed = Some(signed);
            self.put(table::ERASED, record.as_bytes(), &erasure)?;
        }
        Ok(AskedKeepers { signed, missing })
    }

    /// Goes on asking for deletion statements until every keeper has signed. Of those that are in service no more nothing is owed once
    /// the erasure is final without them.
    pub(crate) async fn resume_erasures(
        &self,
        later: &mut Vec<String>,
    ) -> Result<(), JourneyError> {
        let mut erased = self.records()?;
        // For what this chain does not have no keeper signs; nothing of it can be read either.
        erased.retain(|kept| kept.standing == Standing::Erased && !kept.is_off_chain());
        // Who does not answer is not asked for the next one.
        let mut away = BTreeSet::new();
        let mut serving = None;
        for kept in erased {
            if self.patience.is_called() {
                break;
            }
            let asked = self.collect_statements(&kept, &mut away).await?;
            if asked.missing.is_empty() {
                continue;
            }
            let serving = match &serving {
                Some(serving) => serving,
                None => serving.insert(self.serving().await?),
            };
            if asked.signed.is_final() && asked.missing.is_disjoint(serving) {
                continue;
            }
            let (got, of) = (asked.signed.by, asked.signed.of);
            later.push(format!(
                "erasure of record {}: {got} of {of} keepers signed",
                kept.record()
            ));
        }
        Ok(())
    }
}
