//! Calls that failed in transactions of their own: they cost the wallet gas that nobody asked for.

use medibloc_record::{AccountId, Address};

use super::{Guard, Line};
use crate::fault::Fault;
use crate::limits::{self, Use, What};
use crate::source::Origin;

/// Calls of one address that fail in transactions of their own before its day ends, and of one source: no program sends one.
const BURNT: u64 = 3;
const BURNT_OF_SOURCE: u64 = 12;

impl Guard {
    /// Refuses whoever's calls failed too often today; what takes something back goes on.
    pub(crate) async fn check_burnt(
        &self,
        source: Origin,
        address: Address,
        line: Line,
    ) -> Result<(), Fault> {
        // Taking back is never refused: such a call has one short form and little gas, so that it cannot fail alone by its own doing.
        if matches!(line, Line::Withdrawals) {
            return Ok(());
        }
        let uses = burnt_of(source, address, 0).to_vec();
        limits::check(&self.db, self.now(), uses).await
    }

    /// Charges a call that failed in a transaction of its own: to its address and source, and its gas beyond what was taken for
    /// it to its address and the node.
    pub(crate) async fn charge_burnt(
        &self,
        source: Origin,
        (address, account): (Address, Option<AccountId>),
        gas: u64,
    ) {
        let mut uses = burnt_of(source, address, 1).to_vec();
        match account {
            Some(account) => uses.extend(self.gas(account, gas)),
            None => uses.push(self.gas_of_node(None, gas)),
        }
        if let Err(error) = limits::charge(&self.db, self.now(), uses, &self.fullest).await {
            tracing::error!(%error, "what a failed call cost could not be counted");
        }
    }
}

/// Calls that failed in transactions of their own, of an address and of a source.
fn burnt_of(source: Origin, address: Address, amount: u64) -> [Use; 2] {
    let of = |what, who, most| Use {
        what,
        who,
        amount,
        most,
    };
    [
        of(What::Burnt, address.as_bytes().to_vec(), BURNT),
        of(
            What::BurntOfSource,
            source.to_string().into_bytes(),
            BURNT_OF_SOURCE,
        ),
    ]
}
