//! The Trustless Gateway, as values: a request is parsed, its answer is formed from a store; no server is here.
//!
//! After the IPFS Trustless Gateway specification: `GET /ipfs/{cid}` as one block (`application/vnd.ipld.raw`) or as a
//! CAR (`application/vnd.ipld.car`, version 1, depth first, no block twice), with `dag-scope` and `entity-bytes`. Whoever
//! asks checks every block, and whether he may have it was decided before.

use std::collections::HashSet;

use medibloc_dag::{Cid, Codec, car, unixfs};
use medibloc_store::{Store, StoreError};

/// The content type of one block.
pub const RAW: &str = "application/vnd.ipld.raw";
/// The content type of a CAR, with what ours are.
pub const CAR: &str = "application/vnd.ipld.car; version=1; order=dfs; dups=n";

/// Levels of nodes that are followed, as readers of files do.
const MAX_LEVELS: usize = 4;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Of what.
    pub root: Cid,
    /// In which form.
    pub form: Form,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// The block alone, its bytes as they are.
    Raw,
    /// The block alone, as a CAR.
    Block,
    /// The file, or those of its blocks that hold these bytes, as a CAR.
    Entity(Option<Range>),
}

/// Bytes of a file, both ends included; a negative number counts from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub from: i64,
    /// The last byte, or none for the end of the file.
    pub to: Option<i64>,
}

/// Why there is no answer, with the HTTP status that says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The request is not one of the specification, or needs what this gateway does not do.
    #[error("the request is refused: {why}")]
    Bad {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Neither a block nor a CAR is acceptable to whoever asks.
    #[error("only {RAW} and application/vnd.ipld.car are served; name one in Accept or format")]
    NotAcceptable,
    /// It is not here.
    #[error("{cid} is not here")]
    NotFound {
        /// What.
        cid: Cid,
    },
    /// It was erased.
    #[error("{cid} was erased by its owner; do not ask again")]
    Gone {
        /// What.
        cid: Cid,
    },
    /// The store failed.
    #[error("the store did not give the block")]
    Store(#[source] StoreError),
}

impl Refusal {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Bad { .. } => 400,
            Self::NotFound { .. } => 404,
            Self::NotAcceptable => 406,
            Self::Gone { .. } => 410,
            Self::Store(_) => 500,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { cid } => Self::NotFound { cid },
            StoreError::Erased { cid } => Self::Gone { cid },
            other => Self::Store(other),
        }
    }
}

impl Request {
    /// Reads the path, the query and the `Accept` header of a request; `format` in the query wins over the header.
    ///
    /// # Errors
    /// [`Refusal::Bad`] or [`Refusal::NotAcceptable`].
    pub fn parse(path: &str, query: &str, accept: &str) -> Result<Self, Refusal> {
        let bad = |why| Refusal::Bad { why };
        let name = path
            .strip_prefix("/ipfs/")
            .ok_or_else(|| bad("the path does not begin with /ipfs/"))?;
        let root = name
            .parse()
            .map_err(|_| bad("the path names no CIDv1 of this platform, or something below it"))?;
        let (mut format, mut scope, mut range) = (None, None, None);
        for (name, value) in query.split('&').filter_map(|part| part.split_once('=')) {
            match name {
                "format" => format = Some(value),
                "dag-scope" => scope = Some(value),
                "entity-bytes" => range = Some(Range::parse(value)?),
                _ => {}
            }
        }
        let is_car = match format {
            Some("car") => true,
            Some("raw") => false,
            Some(_) => return Err(Refusal::NotAcceptable),
            None => accepts_car(accept)?,
        };
        let form = match (is_car, scope) {
            (false, _) => Form::Raw,
            (true, Some("block")) => Form::Block,
            (true, None | Some("entity" | "all")) => Form::Entity(range),
            (true, Some(_)) => return Err(bad("dag-scope is none of block, entity and all")),
        };
        Ok(Self { root, form })
    }

    /// The `Content-Type` of the answer.
    pub const fn content_type(&self) -> &'static str {
        match self.form {
            Form::Raw => RAW,
            Form::Block | Form::Entity(_) => CAR,
        }
    }

    /// The answer, ready to be read in pieces; the first block is known to be there.
    ///
    /// # Errors
    /// If that block is not there, was erased or is corrupt, or the range is not in the file.
    pub async fn answer(&self, store: &dyn Store) -> Result<Answer, Refusal> {
        let root = self.root;
        let bytes = fetch(store, &root).await?;
        let mut answer = Answer {
            ready: Vec::new(),
            open: Vec::new(),
            sent: HashSet::new(),
            wanted: (0, u64::MAX),
        };
        let range = match self.form {
            Form::Raw => {
                answer.ready = bytes;
                return Ok(answer);
            }
            Form::Block => None,
            Form::Entity(range) => Some(range),
        };
        answer.ready = car::header(&[root]);
        if let Some(range) = range {
            let size = size(&root, &bytes)?;
            if let Some(range) = range {
                answer.wanted = range.within(size)?;
            }
            answer.open_children(&root, &bytes, 0, 0)?;
        }
        answer.add(&root, &bytes);
        Ok(answer)
    }
}

/// The first of the two types that the header names; a CAR of another version or order is not ours.
fn accepts_car(accept: &str) -> Result<bool, Refusal> {
    for one in accept.split(',') {
        let mut parts = one.split(';').map(str::trim);
        match parts.next() {
            Some(RAW) => return Ok(false),
            Some("application/vnd.ipld.car") => {
                let ours = |part: &str| match part.split_once('=') {
                    Some(("version", value)) => value == "1",
                    Some(("order", value)) => value == "dfs" || value == "unk",
                    // With `dups=y` blocks may come twice; they need not in a file without repetition, ours do not.
                    Some(("dups", value)) => value == "n",
                    _ => true,
                };
                if parts.all(ours) {
                    return Ok(true);
                }
            }
            _ => {}
        }
    }
    Err(Refusal::NotAcceptable)
}

impl Range {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let bad = || Refusal::Bad {
            why: "entity-bytes is not from:to",
        };
        let (from, to) = text.split_once(':').ok_or_else(bad)?;
        let number = |text: &str| text.parse().map_err(|_| bad());
        Ok(Self {
            from: number(from)?,
            to: if to == "*" { None } else { Some(number(to)?) },
        })
    }

    /// From the first byte to the one after the last, in a file of this size.
    fn within(&self, size: u64) -> Result<(u64, u64), Refusal> {
        let place = |at: i64| {
            if at < 0 {
                size.saturating_sub(at.unsigned_abs())
            } else {
                at.unsigned_abs()
            }
        };
        let from = place(self.from);
        let to = match self.to {
            None => size,
            Some(to) if to < 0 && to.unsigned_abs() > size => 0,
            Some(to) => place(to).saturating_add(1).min(size),
        };
        if from > to || (from >= size && size > 0) {
            return Err(Refusal::Bad {
                why: "entity-bytes is not in the file",
            });
        }
        Ok((from, to))
    }
}

/// An answer that is read piece by piece: at most one block is in memory.
#[derive(Debug)]
pub struct Answer {
    ready: Vec<u8>,
    /// Blocks still to come, the next one last.
    open: Vec<Open>,
    sent: HashSet<Cid>,
    wanted: (u64, u64),
}

#[derive(Debug)]
struct Open {
    cid: Cid,
    level: usize,
    offset: u64,
    length: u64,
}

impl Answer {
    /// The next piece, or none at the end. An error here ends the answer cut, which whoever asked will see.
    ///
    /// # Errors
    /// If a block is not there, was erased or is corrupt.
    pub async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<u8>>, Refusal> {
        while self.ready.is_empty() {
            let Some(open) = self.open.pop() else {
                return Ok(None);
            };
            if self.sent.contains(&open.cid) && open.cid.codec() == Codec::Raw {
                continue;
            }
            let bytes = fetch(store, &open.cid).await?;
            if open.cid.codec() == Codec::DagPb {
                self.open_children(&open.cid, &bytes, open.level, open.offset)?;
                let below: u64 = size(&open.cid, &bytes)?;
                if below != open.length {
                    return Err(Refusal::Store(StoreError::Corrupt { cid: open.cid }));
                }
            }
            self.add(&open.cid, &bytes);
        }
        Ok(Some(core::mem::take(&mut self.ready)))
    }

    /// The whole answer, for small ones.
    ///
    /// # Errors
    /// As [`Answer::next`].
    pub async fn all(mut self, store: &dyn Store) -> Result<Vec<u8>, Refusal> {
        let mut whole = Vec::new();
        while let Some(piece) = self.next(store).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    fn add(&mut self, cid: &Cid, bytes: &[u8]) {
        if self.sent.insert(*cid) {
            self.ready.extend_from_slice(&car::prefix(cid, bytes.len()));
            self.ready.extend_from_slice(bytes);
        }
    }

    fn open_children(
        &mut self,
        cid: &Cid,
        bytes: &[u8],
        level: usize,
        mut offset: u64,
    ) -> Result<(), Refusal> {
        if cid.codec() != Codec::DagPb {
            // A leaf has nothing below it; what an object names is for those who can open it.
            return Ok(());
        }
        if level == MAX_LEVELS {
            return Err(Refusal::Bad {
                why: "the file has too many levels",
            });
        }
        let begin = self.open.len();
        for (cid, length) in unixfs::children(bytes).map_err(StoreError::from)? {
            let end = offset.saturating_add(length);
            if end > self.wanted.0 && offset < self.wanted.1 {
                self.open.push(Open {
                    cid,
                    level: level + 1,
                    offset,
                    length,
                });
            }
            offset = end;
        }
        self.open[begin..].reverse();
        Ok(())
    }
}

fn size(cid: &Cid, bytes: &[u8]) -> Result<u64, Refusal> {
    if cid.codec() != Codec::DagPb {
        return Ok(bytes.len() as u64);
    }
    let children = unixfs::children(bytes).map_err(StoreError::from)?;
    children
        .iter()
        .try_fold(0u64, |sum, (_, length)| sum.checked_add(*length))
        .ok_or(Refusal::Store(StoreError::Corrupt { cid: *cid }))
}

async fn fetch(store: &dyn Store, cid: &Cid) -> Result<Vec<u8>, Refusal> {
    if let Some(bytes) = store.get(cid).await? {
        return Ok(bytes);
    }
    if store.erased(cid).await? {
        return Err(Refusal::Gone { cid: *cid });
    }
    Err(Refusal::NotFound { cid: *cid })
}
