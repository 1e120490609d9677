//! Keepers that are in service, and those that are not any more: a committee with fewer places was formed after them. What such a one does
//! not do any more is owed by nobody, as long as enough others did it; that is told once.

use std::collections::BTreeSet;

use medibloc_ledger::CommitteeFacts;

use crate::party::table;
use crate::{JourneyError, Party, SyncReport};

/// Where it is kept of which keepers it was told.
const TOLD: &[u8] = b"keepers out of service";

impl Party {
    /// The keepers of the committee in force, by index.
    pub(crate) async fn serving(&self) -> Result<BTreeSet<u8>, JourneyError> {
        let newest = self.ports.facts.committee().await?;
        Ok(newest.keepers.iter().map(|keeper| keeper.index).collect())
    }

    /// How many keepers of a committee are to hold a share in the end, where those with a bit set from index 1 do: all, and without those
    /// that are in service no more as soon as a read needs no more.
    pub(crate) async fn to_hold(
        &self,
        committee: &CommitteeFacts,
        holding: u64,
    ) -> Result<usize, JourneyError> {
        let all = committee.keepers.len();
        let is_enough = holding.count_ones() >= u32::from(committee.committee.threshold.t());
        if holding.count_ones() as usize == all || !is_enough {
            return Ok(all);
        }
        let serving = self.serving().await?;
        let holds = |index: u8| holding & (1 << (index - 1)) != 0;
        let keepers = committee.keepers.iter().map(|keeper| keeper.index);
        let owed = keepers.filter(|index| holds(*index) || serving.contains(index));
        Ok(owed.count())
    }

    /// Says once of keepers that they are in service no more.
    pub(crate) fn tell_out_of_service(
        &self,
        gone: BTreeSet<u8>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let told: BTreeSet<u8> = self.row(table::CURSOR, TOLD)?.unwrap_or_default();
        let news: Vec<String> = gone.difference(&told).map(ToString::to_string).collect();
        if news.is_empty() {
            return Ok(());
        }
        let (who, are) = match news.len() {
            1 => ("keeper", "is"),
            _ => ("keepers", "are"),
        };
        let which = news.join(", ");
        report.done.push(format!(
            "{who} {which} {are} no longer in service, for a committee with fewer places was formed: what they hold of records of \
             before they give to nobody and destroy for nobody; `medibloc doctor` says whether enough others hold theirs"
        ));
        let told: BTreeSet<u8> = told.union(&gone).copied().collect();
        self.put(table::CURSOR, TOLD, &told)
    }
}
