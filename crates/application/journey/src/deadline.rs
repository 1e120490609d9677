//! Until when what is signed for the chain holds. That stands in calldata for ever, so it is no second of anybody's: from the chain's
//! own time, up to the full hour, the same for everybody who signs in it (`docs/adr/0028-deadlines-tell-no-clock.md`).

use medibloc_record::Timestamp;

use crate::{JourneyError, Party};

/// Deadlines are full hours.
const GRID: u64 = 3_600;

/// How long a request holds at least, as of the last block that the party knows.
const LIFE: u64 = 20 * 60;

/// How much older than the own clock that block may be: without more, the own clock has no say. It leaves half of [`LIFE`].
const FRESH: u64 = 10 * 60;

/// How long a request holds at most. What is not on the chain by then never comes to be there.
pub(crate) const REQUEST_LIFE: u64 = LIFE + GRID;

impl Party {
    /// Until when a request holds that is signed now.
    pub(crate) async fn request_deadline(&self) -> Result<Timestamp, JourneyError> {
        self.deadline_after(LIFE).await
    }

    /// A full hour, so many seconds from now or up to an hour later.
    pub(crate) async fn deadline_after(&self, seconds: u64) -> Result<Timestamp, JourneyError> {
        let (head, own) = (self.chain_now().await?, self.ports.clock.now());
        Ok(deadline((head, own), seconds))
    }
}

fn deadline((head, own): (Timestamp, Timestamp), seconds: u64) -> Timestamp {
    // A chain without acts makes no blocks: its time stands still meanwhile.
    let now = if own.since(head) <= FRESH { head } else { own };
    let end = now.plus(seconds).0;
    Timestamp(end.checked_next_multiple_of(GRID).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_full_hour_of_the_chains_time() {
        let hour = 500_000 * GRID;
        for (head, own, expected) in [
            (0, 0, 1),
            (0, FRESH, 1),
            (GRID - LIFE, 0, 1),
            (GRID - LIFE, GRID, 2),
            (GRID - LIFE + 1, 0, 2),
            // Behind by more than that, the own clock counts.
            (0, FRESH + 1, 1),
            (0, 3 * GRID - LIFE, 3),
            (0, 3 * GRID - LIFE + 1, 4),
        ] {
            let told = deadline((Timestamp(hour + head), Timestamp(hour + own)), LIFE);
            let wanted = Timestamp(hour + expected * GRID);
            assert_eq!(told, wanted, "head {head}, own {own}");
        }
        let last = Timestamp(u64::MAX);
        assert_eq!(deadline((last, last), LIFE), last);
    }
}
