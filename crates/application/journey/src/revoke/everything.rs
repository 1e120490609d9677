//! Taking back everything: what a person does who lost a phrase, or trusts nobody any more.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::Scope;
use medibloc_ledger::Call;
use medibloc_record::{AccountId, Timestamp};

use serde::{Deserialize, Serialize};

use crate::errand::Errand;
use crate::grant::plan::{Plan, forget_plan};
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::times::End;
use crate::{GivenGrant, JourneyError, Party};

use super::{all_key, end_of_plan};

/// Who still has something that is about to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StillGiven {
    /// The contact.
    pub name: String,
    /// The own address that the contact was paired with.
    pub paired: AccountId,
    /// Until when it may read at the latest; none if it may not.
    pub reads: Option<Timestamp>,
    /// Until when it may write at the latest; none if it may not.
    pub writes: Option<Timestamp>,
}

impl StillGiven {
    /// When all of it is taken back.
    pub fn until(&self) -> Option<Timestamp> {
        self.reads.max(self.writes)
    }
}

/// The row of an order that the chain must be asked about first.
const ELSEWHERE: &[u8] = b"revoke-elsewhere";

/// That everything is to be taken back which another device gave, as soon as the chain says what that is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    /// Within how many seconds the orders go.
    within: u64,
    /// Why the chain was not asked yet.
    pub(crate) why: String,
}

/// Orders that are kept.
struct Ordered {
    orders: Vec<Errand>,
    /// What kept the chain from saying what else was given.
    ended: Result<(), JourneyError>,
}

impl Party {
    /// Ends every grant and write grant that stands, now: each own address that gave one acts at once, with one call. An
    /// address that gave nothing does not act: its call would end nothing, and show whose it is. What has ended by the own clock
    /// and the chain's time alike is left out; what has by one of them alone is taken back.
    ///
    /// # Errors
    /// The first that kept an address from it. What was kept goes on with the next sync, and nothing of it keeps back
    /// another address. While the chain does not answer, or is not the right one, all of it is kept.
    pub async fn revoke_everything(&self) -> Result<(), JourneyError> {
        self.end_everything().await.map(drop)
    }

    /// The same; gives how many own addresses acted.
    ///
    /// # Errors
    /// As for [`Party::revoke_everything`].
    pub async fn end_everything(&self) -> Result<usize, JourneyError> {
        let Ordered { orders, mut ended } = self.order_everything(0).await?;
        let acting = orders.len();
        for order in orders {
            ended = ended.and(self.go_on(order).await.map(drop));
        }
        // The other devices hear of it whatever keeps the revocations here.
        Box::pin(self.tell_taken_back()).await?;
        ended?;
        Ok(acting)
    }

    /// The same one address at a time, so that they are not seen to belong together: one now, the others at random times
    /// of the pace's next hour, in random order. [`Party::still_given`] says who has something until then.
    ///
    /// # Errors
    /// As for [`Party::revoke_everything`].
    pub async fn revoke_everything_later(&self) -> Result<(), JourneyError> {
        let within = self.ports.pace.revoke_within;
        let Ordered { orders, mut ended } = self.order_everything(within).await?;
        for order in orders {
            if !self.is_planned(&order)? {
                ended = ended.and(self.go_on(order).await.map(drop));
            }
        }
        Box::pin(self.tell_taken_back()).await?;
        ended
    }

    /// Who may still read or write until an order of [`Party::revoke_everything_later`] goes, each contact once, whatever it was
    /// given, the next first.
    pub fn still_given(&self) -> Result<Vec<StillGiven>, JourneyError> {
        let mut still: BTreeMap<AccountId, StillGiven> = BTreeMap::new();
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
                    let contact = still.entry(given.artefact.party).or_insert(StillGiven {
                        name: given.artefact.name,
                        paired: given.artefact.paired,
                        reads: None,
                        writes: None,
                    });
                    let may = if writes {
                        &mut contact.writes
                    } else {
                        &mut contact.reads
                    };
                    *may = (*may).max(Some(until.min(end)));
                }
            }
        }
        let mut still: Vec<StillGiven> = still.into_values().collect();
        still.sort_by(|a, b| (a.until(), &a.name).cmp(&(b.until(), &b.name)));
        Ok(still)
    }

    /// Keeps the orders and drops what would grant again, all in one step: what breaks this off leaves all of it or nothing.
    async fn order_everything(&self, within: u64) -> Result<Ordered, JourneyError> {
        self.ports.vault.free_reserve();
        let plans = self.rows::<Plan>(table::PLANS)?;
        let over = plans.iter().map(|plan| forget_plan(&plan.request.id));
        let mut rows: Vec<Change> = over.collect();
        // A phrase that has no address yet has no notes, and no device that could have given anything.
        if !matches!(self.notes_home().await, Ok(None)) {
            rows.push(self.taken_back_row(None, self.earlier_now().await?)?);
        }
        rows.extend(self.drop_planned(|_| true)?);
        let mut giving = self.giving().await?;
        let ended = match self.giving_on_chain().await {
            Ok(mut elsewhere) => {
                giving.append(&mut elsewhere);
                Ok(())
            }
            // Of what another device gave the chain is asked when it answers.
            Err(error @ JourneyError::Ledger(_)) => {
                let why = error.to_string();
                rows.push(change(table::CURSOR, ELSEWHERE, &Elsewhere { within, why }));
                Err(error)
            }
            Err(error) => return Err(error),
        };
        let orders = self.keep_orders(&giving, within, rows).await?;
        Ok(Ordered { orders, ended })
    }

    /// Keeps an order for each of these addresses, with these rows, all or nothing. One that has an order keeps it.
    async fn keep_orders(
        &self,
        giving: &BTreeSet<AccountId>,
        within: u64,
        mut rows: Vec<Change>,
    ) -> Result<Vec<Errand>, JourneyError> {
        // The account, too: this program gives nothing under it, and another one that has the phrase may.
        let mut owning: Vec<OwnAddress> = self.own_accounts()?.into_values().collect();
        owning.retain(|own| giving.contains(&own.id()));
        owning
            .sort_by_cached_key(|own| (if within > 0 { self.ports.draw() } else { 0 }, own.index));
        let since = self.begins_at(&Call::RevokeAll).await?;
        let mut number = self.next_number()?;
        let (mut due, mut orders) = (None, Vec::new());
        for own in owning {
            let key = all_key(own.id());
            if let Some(order) = self.errand(&key)? {
                orders.push(order);
                continue;
            }
            for (_, given) in self.grants()? {
                if given.own == own.id() && !given.revoked {
                    rows.extend(end_of_plan(&given));
                }
            }
            rows.extend(self.ordered_rows(End::All(own.id()), since)?);
            let letters = match since {
                Some(_) => self.letters_of_end(own.id(), &Call::RevokeAll).await?,
                // They are asked for before it leaves.
                None => Vec::new(),
            };
            let order = Errand::of_everything((key, number), own.id(), since, due, letters);
            rows.push(order.row());
            orders.push(order);
            number += 1;
            due = (within > 0).then(|| self.ports.clock.now().plus(self.ports.up_to(within)));
        }
        self.ports.vault.apply(rows)?;
        Ok(orders)
    }

    /// Orders that could not be made while the chain did not answer: for addresses under which another device gave something.
    ///
    /// # Errors
    /// If the chain does not answer: then it waits for the next time.
    pub(crate) async fn order_elsewhere(&self) -> Result<(), JourneyError> {
        let Some(waits) = self.elsewhere_waits()? else {
            return Ok(());
        };
        let giving = self.giving_on_chain().await?;
        let done = Change::Delete {
            table: table::CURSOR,
            key: ELSEWHERE.to_vec(),
        };
        let kept = self.keep_orders(&giving, waits.within, vec![done]);
        kept.await.map(drop)
    }

    /// After another chain was accepted: what stands again on it, if everything was to be taken back before.
    ///
    /// # Errors
    /// If the chain does not answer or the vault fails.
    pub(crate) async fn order_again(
        &self,
        addresses: &BTreeSet<AccountId>,
    ) -> Result<(), JourneyError> {
        match self.elsewhere_waits()? {
            Some(waits) if !addresses.is_empty() => {
                let kept = self.keep_orders(addresses, waits.within, Vec::new());
                kept.await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Whether what another device gave is to be taken back, too, and why it is not yet.
    pub(crate) fn elsewhere_waits(&self) -> Result<Option<Elsewhere>, JourneyError> {
        self.row(table::CURSOR, ELSEWHERE)
    }

    /// Own addresses under which a consent may stand that this home knows of, or whose order to take back all is on its way.
    /// What is dropped because nothing of it has left is not among them.
    async fn giving(&self) -> Result<BTreeSet<AccountId>, JourneyError> {
        let now = self.earlier_now().await?;
        let mut giving = BTreeSet::new();
        for own in self.addresses()? {
            if self.ends_all(own.id())? {
                giving.insert(own.id());
            }
        }
        let given = self.grants()?.into_iter().chain(self.write_grants()?);
        for (id, given) in given {
            let stands = !given.revoked && end_of(&given).is_none_or(|until| until > now);
            let scope = given.artefact.grant.as_ref().map(|grant| grant.terms.scope);
            if stands && !self.is_of_erased(scope)? && !self.is_to_be_given(id)? {
                giving.insert(given.own);
            }
        }
        Ok(giving)
    }

    /// Own addresses under which a consent stands on the chain: what of it is known here says nothing of what another device gave,
    /// and nothing of what a restore could not fetch.
    async fn giving_on_chain(&self) -> Result<BTreeSet<AccountId>, JourneyError> {
        let standing = self.consents_on_chain().await?;
        Ok(standing.into_iter().map(|given| given.own).collect())
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
