//! That the chain is the one that this vault followed, and not an older copy or another one.

use medibloc_ledger::{Head, LedgerError, Mark, Marks};

use crate::party::{change, table};
use crate::ports::Change;
use crate::together::{Asked, all};
use crate::{JourneyError, Party};

mod accept;
mod known;
mod lost;

pub use accept::Accepted;
pub(crate) use accept::NOT_ON_CHAIN;
pub use known::AsOf;
pub(crate) use known::taken_row;
pub(crate) use lost::is_worthless;

/// The last final block that a sync took.
const LAST: &[u8] = b"last-block";

/// Final blocks that were seen, whether a sync took them yet or not.
const SEEN: &[u8] = b"blocks-seen";

impl Party {
    /// That the chain still has the last final block that this vault took or saw. A vault knows better than a node that has lost
    /// its copy.
    ///
    /// # Errors
    /// [`LedgerError::SetBack`] if not: then nothing is signed and nothing taken until the chain is the right one again.
    pub async fn check_chain(&self) -> Result<(), JourneyError> {
        self.right_head().await.map(drop)
    }

    /// The last final block of the right chain.
    ///
    /// # Errors
    /// Like [`Party::check_chain`].
    pub(crate) async fn right_head(&self) -> Result<Head, JourneyError> {
        let head = self.ports.facts.head().await?;
        let mut seen = self.blocks_seen()?;
        let Some(newest) = seen.newest() else {
            self.note_known(&head);
            return Ok(head);
        };
        newest.check(&head, &*self.ports.events).await?;
        self.note_known(&head);
        let told = head;
        let head = Mark {
            number: head.number,
            hash: head.hash,
        };
        // The head may be of another node of the chain than the answer about the block before.
        if head.number > newest.number
            && self.ports.events.hash_of(head.number).await? == Some(head.hash)
            && seen.note(head)
        {
            // It is worth no failed command: a home that cannot be written to checks by what it kept before.
            let _ = self.put(table::CURSOR, SEEN, &seen);
        }
        Ok(told)
    }

    /// Why the chain is not the one that this vault followed; none if it is, or does not answer.
    pub async fn chain_alarm(&self) -> Result<Option<String>, JourneyError> {
        match self.check_chain().await {
            Err(JourneyError::Ledger(error @ LedgerError::SetBack { .. })) => Ok(Some(format!(
                "{error}; `medibloc chain show` compares it with what node and keepers read"
            ))),
            Err(error @ JourneyError::Port(_)) => Err(error),
            _ => Ok(None),
        }
    }

    /// The newest final block that this vault took or saw.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn last_seen(&self) -> Result<Option<Mark>, JourneyError> {
        Ok(self.blocks_seen()?.newest())
    }

    /// What the own node and the keepers took last, each against the chain as it stands.
    ///
    /// # Errors
    /// If the chain does not answer. Of a peer that does not answer, that is said.
    pub async fn others_on_chain(&self) -> Result<Vec<Witness>, JourneyError> {
        let committee = self.ports.facts.committee().await?;
        let keepers = committee.keepers.iter().map(|keeper| Some(keeper.index));
        let asked = std::iter::once(None).chain(keepers);
        let asked = asked.map(|keeper| Box::pin(self.witness(keeper)) as Asked<'_, _>);
        all(asked.collect()).await.into_iter().collect()
    }

    /// The own node, which hears of this home at each sync anyway, or a keeper.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub(crate) async fn witness(&self, keeper: Option<u8>) -> Result<Witness, JourneyError> {
        let (block, says) = match self.ports.network.mark(keeper).await {
            Err(error) => (None, Says::Nothing(Some(error.to_string()))),
            Ok(None) => (None, Says::Nothing(None)),
            Ok(Some(mark)) => {
                let says = match self.ports.events.hash_of(mark.number).await? {
                    Some(hash) if hash == mark.hash => Says::Same,
                    Some(_) => Says::Another,
                    None => Says::Ahead,
                };
                (Some(mark.number), says)
            }
        };
        Ok(Witness {
            keeper,
            block,
            says,
        })
    }

    /// The last final block that a sync took.
    pub(crate) fn last_taken(&self) -> Result<Option<Mark>, JourneyError> {
        self.row(table::CURSOR, LAST)
    }

    fn blocks_seen(&self) -> Result<Marks, JourneyError> {
        let mut seen: Marks = self.row(table::CURSOR, SEEN)?.unwrap_or_default();
        // A home of before kept one alone.
        if let Some(last) = self.last_taken()? {
            seen.note(last);
        }
        Ok(seen)
    }

    /// The rows of the last final block that was taken, and of those that were read up to it.
    pub(crate) fn rows_of(&self, last: &Mark, read: &Marks) -> Result<[Change; 2], JourneyError> {
        let mut seen = self.blocks_seen()?;
        seen.extend(read);
        Ok([
            change(table::CURSOR, LAST, last),
            change(table::CURSOR, SEEN, &seen),
        ])
    }
}

/// What a node or a keeper took last, against the chain as it answers here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its index, if it is a keeper; the own node if not.
    pub keeper: Option<u8>,
    /// The block.
    pub block: Option<u64>,
    /// What that says.
    pub says: Says,
}

/// What another's last block says of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// The chain has it.
    Same,
    /// The chain has another block there: one of both is an older copy that went on, or another chain.
    Another,
    /// The chain has no such block yet: it lags, or is an older copy.
    Ahead,
    /// It read no block yet, or does not answer well, and why.
    Nothing(Option<String>),
}

impl core::fmt::Display for Witness {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let block = self.block.unwrap_or_default();
        let peer = match self.keeper {
            Some(index) => format!("keeper {index}"),
            None => "the node".into(),
        };
        match &self.says {
            Says::Same => write!(f, "{peer} read block {block}, which the chain has"),
            Says::Another => write!(
                f,
                "{peer} read another block {block} than the chain has now: one of them is an older copy that went on, or another chain"
            ),
            Says::Ahead => write!(
                f,
                "{peer} read block {block}, which the chain does not have: the chain's node lags, or is an older copy"
            ),
            Says::Nothing(Some(why)) => f.write_str(why),
            Says::Nothing(None) => write!(f, "{peer} does not say which block it read"),
        }
    }
}
