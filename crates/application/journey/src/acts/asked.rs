//! What own accounts did as the chain has it now, before a sync takes it: who vouches for a device asks first.

use crate::party::table;
use crate::set_back::AsOf;
use crate::sync::Cursor;
use crate::{JourneyError, Party, UnknownAct};

impl Party {
    /// As [`Party::unknown_acts`], after the chain was asked for what no sync took; with the block as of which that is said. While
    /// the chain does not answer, it is the last that a sync took.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn unknown_acts_as_of(&self) -> Result<(AsOf, Vec<UnknownAct>), JourneyError> {
        // Before the events: they are then of this block at least.
        let mut as_of = self.as_of().await?;
        if as_of.silent.is_none()
            && let Err(error) = self.judge_newest().await
        {
            as_of = self.as_of_taken(error.to_string())?;
        }
        Ok((as_of, self.unknown_acts()?))
    }

    /// A sync judges the same events again and finds nothing new in them.
    async fn judge_newest(&self) -> Result<(), JourneyError> {
        let taken: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let (events, _) = self.events_from(taken.next).await?;
        let mut own = self.own_accounts()?;
        self.take_addresses(&mut own, &events)?;
        // Alarms are kept, and `status` tells them.
        self.judge_acts(&own, &events).await.map(drop)
    }
}
