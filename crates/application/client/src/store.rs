//! Storage at a node.

use async_trait::async_trait;
use medibloc_api::{Code, GotBlocks, PutBlock, PutBlocks, block_ids, limits, paths};
use medibloc_dag::{Block, Cid};
use medibloc_store::{Store, StoreError};

use crate::peer::{Failure, Peer, Repeat, limit};

pub(crate) struct HttpStore(pub(crate) Peer);

#[async_trait]
impl Store for HttpStore {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        let mut batch = PutBlocks {
            version: 1,
            blocks: Vec::new(),
        };
        let mut size = 0;
        for block in blocks {
            let length = block.bytes().len();
            if !batch.blocks.is_empty()
                && (size + length > limits::PUT_BYTES || batch.blocks.len() == limits::BLOCKS)
            {
                self.put_batch(&batch).await?;
                batch.blocks.clear();
                size = 0;
            }
            size += length;
            batch.blocks.push(PutBlock {
                cid: block.cid().to_bytes(),
                bytes: block.into_bytes(),
            });
        }
        if batch.blocks.is_empty() {
            return Ok(());
        }
        self.put_batch(&batch).await
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        match self.0.get(&paths::block(&cid.to_string())).await {
            Ok(bytes) => {
                cid.verify(&bytes)
                    .map_err(|_| StoreError::Corrupt { cid: *cid })?;
                Ok(Some(bytes))
            }
            Err(Failure::Problem(problem))
                if matches!(problem.code, Code::NotFound | Code::Erased) =>
            {
                Ok(None)
            }
            Err(Failure::Problem(problem)) if problem.code == Code::Corrupt => {
                Err(StoreError::Corrupt { cid: *cid })
            }
            Err(failure) => Err(self.error(failure)),
        }
    }

    async fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut found = Vec::with_capacity(cids.len());
        while let Some(rest) = cids.get(found.len()..).filter(|rest| !rest.is_empty()) {
            let asked = rest.get(..limits::BLOCKS).unwrap_or(rest);
            let body = block_ids(asked.iter().map(Cid::to_bytes));
            let got: GotBlocks = self
                .0
                .ask(paths::GET, &body, Repeat::Safe)
                .await
                .map_err(|failure| self.error(failure))?;
            if got.blocks.is_empty() || got.blocks.len() > asked.len() {
                return Err(self.error(Failure::Corrupt("an answer of another length".into())));
            }
            for (cid, bytes) in asked.iter().zip(got.blocks) {
                let bytes = bytes.map(|bytes| bytes.into_vec());
                if let Some(bytes) = &bytes {
                    cid.verify(bytes)
                        .map_err(|_| StoreError::Corrupt { cid: *cid })?;
                }
                found.push(bytes);
            }
        }
        Ok(found)
    }

    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        self.flags(paths::HAS, cids).await
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        for cids in cids.chunks(limits::BLOCKS) {
            let body = block_ids(cids.iter().map(Cid::to_bytes));
            self.0
                .post(paths::ERASE, &body, Repeat::Safe)
                .await
                .map_err(|failure| self.error(failure))?;
        }
        Ok(())
    }

    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        Ok(self.flags(paths::ERASED, &[*cid]).await? == [true])
    }
}

impl HttpStore {
    async fn put_batch(&self, batch: &PutBlocks) -> Result<(), StoreError> {
        self.0
            .post(paths::BLOCKS, batch, Repeat::Safe)
            .await
            .map(drop)
            .map_err(|failure| self.error(failure))
    }

    async fn flags(&self, target: &str, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        let mut flags = Vec::with_capacity(cids.len());
        for cids in cids.chunks(limits::BLOCKS) {
            let body = block_ids(cids.iter().map(Cid::to_bytes));
            let part: Vec<bool> = self
                .0
                .ask(target, &body, Repeat::Safe)
                .await
                .map_err(|failure| self.error(failure))?;
            if part.len() != cids.len() {
                return Err(self.error(Failure::Corrupt("an answer of another length".into())));
            }
            flags.extend(part);
        }
        Ok(flags)
    }

    fn error(&self, failure: Failure) -> StoreError {
        let node = self.0.url();
        match failure {
            Failure::Unreachable(why) | Failure::Untrusted(why) => StoreError::Unreachable {
                why: format!("{node}: {why}"),
            },
            Failure::Clock(why) => StoreError::Clock {
                why: format!("{node}: {why}"),
            },
            Failure::Barred(why) => StoreError::Refused { why: why.into() },
            Failure::Corrupt(why) => StoreError::Refused {
                why: format!("{node} gave an answer that is not valid: {why}"),
            },
            Failure::Problem(problem) => {
                let cid = || problem.what.as_deref().and_then(|cid| cid.parse().ok());
                match problem.code {
                    Code::Erased => match cid() {
                        Some(cid) => StoreError::Erased { cid },
                        None => StoreError::Refused {
                            why: problem.detail.into(),
                        },
                    },
                    Code::Limit => StoreError::Limit {
                        what: limit(&problem),
                    },
                    Code::Full => StoreError::Full {
                        what: problem.detail.into(),
                    },
                    Code::Replayed => StoreError::Unreachable {
                        why: problem.detail.into(),
                    },
                    _ => StoreError::Refused {
                        why: format!("{}; {}", problem.detail, problem.next),
                    },
                }
            }
        }
    }
}
