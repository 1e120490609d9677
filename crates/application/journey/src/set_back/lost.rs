//! Consents that stood on a chain that was left. What a home signed there, somebody else can send to the chain that it went on with
//! as long as the signed call lives.

use medibloc_ledger::Event;
use medibloc_record::{GrantId, Timestamp};

use crate::errand::errand_key;
use crate::grant::GivenGrant;
use crate::party::{change, table};
use crate::sync::or_later;
use crate::{JourneyError, Party, SyncReport};

impl GivenGrant {
    /// Nobody took it back: the chain that has it was left.
    pub fn is_only_lost(&self) -> bool {
        self.lost && self.revoked_at.is_none()
    }
}

impl Party {
    /// A consent of a chain that was left is not wanted any more: the order is kept. It ends when it comes to stand on this one,
    /// ordered or not; before, the chain has nothing to end.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn order_end_of_lost(&self, id: GrantId, now: Timestamp) -> Result<(), JourneyError> {
        for table in [table::GRANTS, table::WRITE_GRANTS] {
            let row: Option<GivenGrant> = self.row(table, id.as_bytes())?;
            if let Some(mut given) = row.filter(GivenGrant::is_only_lost) {
                given.revoked_at = Some(now);
                self.put(table, id.as_bytes(), &given)?;
            }
        }
        Ok(())
    }

    /// What the chain does not have counts as revoked; what was taken back before stays that.
    pub(super) fn mark_lost(&self, given: &mut GivenGrant) {
        if given.revoked && !given.lost && given.revoked_at.is_none() {
            given.revoked_at = Some(self.ports.clock.now());
        }
        (given.revoked, given.lost) = (true, true);
    }

    /// Takes back a consent that this home holds as lost and that stands on the chain now, and says so.
    pub(crate) async fn end_what_came_back(
        &self,
        event: &Event,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let (table, id) = match event {
            Event::Granted(grant) => (table::GRANTS, grant.id),
            Event::WriteGranted(write) => {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                (table::WRITE_GRANTS, id)
            }
            _ => return Ok(()),
        };
        let Some(mut given) = self
            .row::<GivenGrant>(table, id.as_bytes())?
            .filter(|given| given.lost)
        else {
            return Ok(());
        };
        let alarm = format!(
            "consent {id} of {} stood on the chain that was left, and somebody sent it to this one: it is taken back; give it again if \
             it is wanted, and ask your node's operator who sends what you signed",
            self.names()?.given(&given)
        );
        (given.revoked, given.revoked_at) = (false, None);
        let key = errand_key("came-back", &[id.as_bytes()]);
        self.ports.vault.apply(vec![
            change(table, id.as_bytes(), &given),
            change(table::ALARMS, &key, &alarm),
        ])?;
        report.alarms.push(alarm);
        let (done, end) = match event {
            Event::Granted(_) => (self.revoke(id).await, "revoke"),
            _ => (self.revoke_write(id).await, "revoke-write"),
        };
        let row: Option<GivenGrant> = self.row(table, id.as_bytes())?;
        let is_kept = self.errand(&errand_key(end, &[id.as_bytes()]))?.is_some();
        if let Some(mut given) = row.filter(|given| is_kept || given.revoked) {
            // From here on it is like any other that ends.
            given.lost = false;
            self.put(table, id.as_bytes(), &given)?;
        }
        or_later(done, report)
    }
}
