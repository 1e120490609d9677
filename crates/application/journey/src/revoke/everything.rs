//! Taking back everything: what a person does who lost a phrase, or trusts nobody any more.

use std::collections::BTreeSet;

use medibloc_consent::Scope;
use medibloc_ledger::{Call, Event};
use medibloc_record::{AccountId, GrantId, Timestamp};

use crate::errand::{Errand, Luggage};
use crate::grant::plan::{Plan, forget_plan};
use crate::party::table;
use crate::ports::Change;
use crate::sync::Cursor;
use crate::{GivenGrant, JourneyError, Party};

use super::{all_key, end_of_plan};

/// Who still has something that is about to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillGiven {
    /// The contact.
    pub name: String,
    /// Whether it may write; it may read otherwise.
    pub writes: bool,
    /// When it is taken back.
    pub until: Timestamp,
}

impl Party {
    /// Ends every grant and write grant that stands, now: each own address that gave one acts at once, with one call. An
    /// address that gave nothing does not act: its call would end nothing, and show whose it is.
    ///
    /// # Errors
    /// The first that kept an address from it. What was kept goes on with the next sync, and nothing of it keeps back
    /// another address.
    pub async fn revoke_everything(&self) -> Result<(), JourneyError> {
        let orders = self.order_everything(0).await?;
        let mut ended = Ok(());
        for order in orders {
            ended = ended.and(self.go_on(order).await.map(drop));
        }
        ended
    }

    /// The same one address at a time, so that they are not seen to belong together: one now, the others at random times
    /// of the pace's next hour, in random order. [`Party::still_given`] says who has something until then.
    ///
    /// # Errors
    /// As for [`Party::revoke_everything`].
    pub async fn revoke_everything_later(&self) -> Result<(), JourneyError> {
        let mut ended = Ok(());
        for order in self.order_everything(self.ports.pace.revoke_within).await? {
            if !self.is_planned(&order)? {
                ended = ended.and(self.go_on(order).await.map(drop));
            }
        }
        ended
    }

    /// Who may still read or write until an order of [`Party::revoke_everything_later`] goes, the next first.
    pub fn still_given(&self) -> Result<Vec<StillGiven>, JourneyError> {
        let mut still = Vec::new();
        for errand in self.errands()? {
            let Some(until) = self.waits_until(&errand)? else {
                continue;
            };
            if errand.call != Call::RevokeAll {
                continue;
            }
            let reads = self.grants()?.into_iter().map(|(_, given)| (given, false));
            let writes = self
                .write_grants()?
                .into_iter()
                .map(|(_, given)| (given, true));
            for (given, writes) in reads.chain(writes) {
                let end = end_of(&given).unwrap_or(until);
                if given.own == errand.own && !given.revoked && end > self.ports.clock.now() {
                    still.push(StillGiven {
                        name: given.artefact.name,
                        writes,
                        until: until.min(end),
                    });
                }
            }
        }
        still.sort_by(|a, b| (a.until, &a.name, a.writes).cmp(&(b.until, &b.name, b.writes)));
        still.dedup();
        Ok(still)
    }

    /// Keeps the orders, all before the first of them leaves: what breaks this off leaves none behind.
    async fn order_everything(&self, within: u64) -> Result<Vec<Errand>, JourneyError> {
        self.ports.vault.free_reserve();
        // First what would grant again.
        let plans = self.rows::<Plan>(table::PLANS)?;
        let over = plans.iter().map(|plan| forget_plan(&plan.request.id));
        let mut over: Vec<Change> = over.collect();
        over.extend(self.drop_planned(|_| true)?);
        self.ports.vault.apply(over)?;
        let giving = self.giving().await?;
        let mut owning = self.addresses()?;
        owning.retain(|own| giving.contains(&own.id()));
        owning
            .sort_by_cached_key(|own| (if within > 0 { self.ports.draw() } else { 0 }, own.index));
        let (mut due, mut orders) = (None, Vec::new());
        for own in owning {
            let key = all_key(own.id());
            if let Some(order) = self.errand(&key)? {
                orders.push(order);
                continue;
            }
            let given = |given: &GivenGrant| given.own == own.id() && !given.revoked;
            let mut luggage = Luggage::default();
            for (id, grant) in self.grants()? {
                if given(&grant) {
                    luggage.letters.extend(self.ended_letter(id, &grant).await?);
                    luggage.rows.extend(end_of_plan(&grant));
                }
            }
            let what = "revocation of everything".to_owned();
            let order = self.keep_errand(due, key, what, own.id(), Call::RevokeAll, luggage);
            orders.push(order.await?);
            due = (within > 0).then(|| self.ports.clock.now().plus(self.ports.up_to(within)));
        }
        Ok(orders)
    }

    /// Own addresses under which a consent may stand, or whose order to take back all is on its way: as this home knows,
    /// and as the chain says of what another device gave, which this one has not taken yet.
    async fn giving(&self) -> Result<BTreeSet<AccountId>, JourneyError> {
        let now = self.chain_now().await?;
        let mut giving = BTreeSet::new();
        for own in self.addresses()? {
            if self.ends_all(own.id())? {
                giving.insert(own.id());
            }
        }
        let given = self.grants()?.into_iter().chain(self.write_grants()?);
        for (_, given) in given {
            let stands = !given.revoked && end_of(&given).is_none_or(|until| until > now);
            let scope = given.artefact.grant.as_ref().map(|grant| grant.terms.scope);
            if stands && !self.is_of_erased(scope)? {
                giving.insert(given.own);
            }
        }
        let since: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let (events, _) = self.events_from(since.next).await?;
        let new = events.into_iter().map(|(_, event)| event);
        let mut elsewhere = BTreeSet::new();
        for event in self.missed_events()?.into_iter().chain(new) {
            let (owner, id, until, scope) = match event {
                Event::Granted(it) => (it.owner, it.id, it.terms.until, Some(it.terms.scope)),
                Event::WriteGranted(it) => {
                    let id = GrantId::derive(it.owner, it.author, it.nonce);
                    (it.owner, id, it.until, None)
                }
                Event::AllRevoked { owner } => {
                    elsewhere.remove(&owner);
                    continue;
                }
                _ => continue,
            };
            // What stands here is judged by its row.
            let is_known = self
                .ports
                .vault
                .get(table::GRANTS, id.as_bytes())?
                .is_some()
                || self
                    .ports
                    .vault
                    .get(table::WRITE_GRANTS, id.as_bytes())?
                    .is_some();
            if until > now && !is_known && !self.is_of_erased(scope)? {
                elsewhere.insert(owner);
            }
        }
        giving.append(&mut elsewhere);
        Ok(giving)
    }

    /// Whether a consent is of one record that was erased: it opens nothing, however it stands.
    fn is_of_erased(&self, scope: Option<Scope>) -> Result<bool, JourneyError> {
        match scope {
            Some(Scope::One(record)) => Ok(self.erasure(record)?.is_some()),
            _ => Ok(false),
        }
    }
}

/// First second in which a consent does not stand any more; none if nothing says so.
fn end_of(given: &GivenGrant) -> Option<Timestamp> {
    let read = given.artefact.grant.as_ref().map(|grant| grant.terms.until);
    read.or(given.artefact.write.map(|write| write.until))
}
