//! Consents that stood on a chain that was left. What a home signed there, somebody else can send to the chain that it went on with
//! as long as the signed call lives.

use medibloc_consent::{ClassSet, Grant, Scope, Terms};
use medibloc_ledger::{Call, Event};
use medibloc_record::{ClassId, Digest, GrantId, Timestamp};

use crate::deadline::REQUEST_LIFE;
use crate::errand::{Luggage, errand_key};
use crate::grant::GivenGrant;
use crate::party::{change, table};
use crate::sync::or_later;
use crate::{JourneyError, Party, SyncReport};

/// Names no object: no consent that anybody may read by has it.
const NO_OBJECT: Digest = Digest::new([0; 32]);

/// A consent with the id of another one that opens nothing: of the last class, in the last second, without an object. The contract
/// takes an id once, so the other one cannot come to stand any more, whoever sends it.
fn worthless(lost: &Grant) -> Grant {
    let terms = Terms {
        scope: Scope::Classes(ClassSet::of(&[ClassId(63)])),
        from: Timestamp(lost.terms.until.0.saturating_sub(1)),
        reads: Some(1),
        digest: NO_OBJECT,
        ..lost.terms.clone()
    };
    Grant::new(lost.owner, lost.reader, lost.nonce, terms)
}

/// Whether a consent only uses up its id.
pub(crate) fn is_worthless(grant: &Grant) -> bool {
    grant.terms.digest == NO_OBJECT
}

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

    /// Whether what was signed for a consent of the chain that was left can still be sent to this one: it was signed before that chain
    /// took it, and nothing that is signed lives longer than [`REQUEST_LIFE`].
    pub(super) fn may_be_sent(&self, grant: &Grant, now: Timestamp) -> Result<bool, JourneyError> {
        let given = self.times_of(grant.id)?.given.and_then(|at| at.time);
        Ok(grant.terms.until > now && given.is_none_or(|at| at.plus(REQUEST_LIFE) > now))
    }

    /// Uses up the id of a consent that stood on the chain that was left, and ends what used it up. Both calls are kept and go on
    /// with the next sync if nobody carries them now; should somebody have sent the old one first, the second ends that.
    pub(super) async fn use_up(&self, lost: &Grant) -> Result<(), JourneyError> {
        let grant = worthless(lost);
        let (own, id) = (grant.owner, grant.id);
        let what = format!("that consent {id} of the chain that was left is of no use on this one");
        let ends = Call::Revoke(grant.clone());
        let takes = Call::Grant {
            grant,
            anchor: None,
        };
        let mut kept = Vec::new();
        for (key, call) in [("use-up", takes), ("used-up", ends)] {
            let key = errand_key(key, &[id.as_bytes()]);
            let luggage = Luggage::default();
            let errand = self.keep_errand(None, key, what.clone(), own, call, luggage);
            kept.push(errand.await?);
        }
        let mut done = Ok(());
        for errand in kept {
            done = done.and(self.go_on(errand).await.map(drop));
        }
        done
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
            Event::Granted(grant) if !is_worthless(grant) => (table::GRANTS, grant.id),
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
        // What was to use up its id may have ended it already.
        let is_over = match event {
            Event::Granted(grant) => self.ports.facts.grant(grant).await?.revoked,
            _ => false,
        };
        if let Some(mut given) = row.filter(|given| is_kept || is_over || given.revoked) {
            // From here on it is like any other that ends.
            given.lost = false;
            given.revoked |= is_over;
            self.put(table, id.as_bytes(), &given)?;
        }
        or_later(done, report)
    }
}
