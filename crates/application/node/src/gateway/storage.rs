//! Storage: blocks in for registered addresses, out only where a final fact entitles the signer (design 05).

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use medibloc_api::{Code, GotBlocks, Problem, PutBlocks, RAW, limits};
use medibloc_dag::{Block, Cid, cbor};
use medibloc_store::StoreError;
use serde_bytes::ByteBuf;

use crate::fault::{Fault, damaged, done, object};
use crate::gateway::Parts;
use crate::gateway::access::Standing;

pub(super) async fn put(State(on): State<Arc<Parts>>, request: Request) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, limits::BODY).await?;
    // After its turn has come: whoever waits for it keeps nobody else from storing. The listener bounds bodies that wait.
    let _place = on.large.acquire().await;
    let batch: PutBlocks =
        cbor::from_slice(&admitted.body).map_err(|_| Fault::malformed("a batch of blocks"))?;
    if batch.version != 1 || batch.blocks.is_empty() {
        return Err(Fault::malformed("a batch of blocks of version 1"));
    }
    if batch.blocks.len() > limits::BLOCKS {
        return Err(too_many());
    }
    let mut blocks = Vec::with_capacity(batch.blocks.len());
    for block in batch.blocks {
        let cid = Cid::from_bytes(&block.cid).map_err(|_| Fault::malformed("a CID"))?;
        blocks.push(Block::new(cid, block.bytes).map_err(|error| {
            Fault::from(Problem::new(Code::Malformed, error.to_string()).about(cid.to_string()))
        })?);
    }
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    let size = admitted.body.len();
    let most = on.guard.most_held(admitted.account);
    // From here on nothing is taken away: what is acknowledged was there when it was, and whose it is, is known.
    let keeping = on.access.keeping.read().await;
    let new = on.access.hold(admitted.account, &blocks, most).await?;
    let taken = match on.guard.count(&admitted, 1, size).await {
        Ok(taken) => taken,
        Err(fault) => {
            on.access.unhold(admitted.account, new).await;
            return Err(fault);
        }
    };
    let kept = async {
        on.access.store.put(blocks).await?;
        on.access.no_more_damaged(&cids);
        let now = on.guard.now();
        on.access.uploaded(admitted.account, cids, now).await
    };
    if let Err(fault) = kept.await {
        on.guard.give_back(taken).await;
        on.access.unhold(admitted.account, new).await;
        return Err(fault);
    }
    drop(keeping);
    on.access.kick();
    Ok(done())
}

pub(super) async fn get(
    State(on): State<Arc<Parts>>,
    Path(cid): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, 0).await?;
    let missing = || Fault::not_found("block");
    let cid: Cid = cid.parse().map_err(|_| missing())?;
    on.access.kick();
    let standing = on.access.standing(admitted.account, &cid).await?;
    match standing {
        Standing::Own | Standing::Entitled => {}
        Standing::OfErased => {
            on.access.wait_for_erasures(admitted.account).await;
            return Err(
                Problem::new(Code::Erased, "the record was erased by its owner")
                    .about(cid.to_string())
                    .into(),
            );
        }
        Standing::None => return Err(missing()),
    }
    let bytes = on.access.read_block(&cid).await?.ok_or_else(missing)?;
    if standing != Standing::Own {
        on.guard.count(&admitted, 1, bytes.len()).await?;
    }
    Ok((
        [(CONTENT_TYPE, RAW), (CACHE_CONTROL, "private, no-store")],
        bytes,
    )
        .into_response())
}

/// Many blocks in one answer: what is one's own is not counted, and what does not fit is asked for again.
pub(super) async fn get_many(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, limits::IDS).await?;
    let cids = ids(&admitted.body)?;
    on.access.kick();
    on.access.wait_for(admitted.account).await;
    let standings = on.access.standings(admitted.account, &cids).await?;
    let _place = on.large.acquire().await;
    let (mut blocks, mut size, mut counted) = (Vec::new(), 0, 0);
    for (cid, standing) in cids.iter().zip(standings) {
        let block = if standing.is_entitled() {
            match on.access.read_block(cid).await {
                // One that is damaged keeps back none of the others.
                Err(StoreError::Corrupt { .. }) => {
                    damaged();
                    None
                }
                found => found?,
            }
        } else {
            None
        };
        let length = block.as_ref().map_or(0, Vec::len);
        if size + length > limits::GOT_BYTES && !blocks.is_empty() {
            break;
        }
        size += length;
        if standing != Standing::Own {
            counted += length;
        }
        blocks.push(block.map(ByteBuf::from));
    }
    if counted > 0 {
        on.guard.count(&admitted, 1, counted).await?;
    }
    Ok(object(&GotBlocks { version: 1, blocks }))
}

pub(super) async fn has(State(on): State<Arc<Parts>>, request: Request) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, limits::IDS).await?;
    let cids = ids(&admitted.body)?;
    on.access.kick();
    on.access.wait_for(admitted.account).await;
    let there = on.access.store.has(&cids).await?;
    let standings = on.access.standings(admitted.account, &cids).await?;
    if standings.iter().any(|it| *it != Standing::Own) {
        on.guard.count(&admitted, 1, admitted.body.len()).await?;
    }
    let flags = there.iter().zip(&standings);
    let flags: Vec<bool> = flags
        .map(|(there, it)| *there && it.is_entitled())
        .collect();
    Ok(object(&flags))
}

pub(super) async fn erased(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, limits::IDS).await?;
    let cids = ids(&admitted.body)?;
    on.access.kick();
    on.access.wait_for_erasures(admitted.account).await;
    let standings = on.access.standings(admitted.account, &cids).await?;
    if standings.contains(&Standing::None) {
        on.guard.count(&admitted, 1, admitted.body.len()).await?;
    }
    let mut flags = Vec::with_capacity(cids.len());
    for (cid, standing) in cids.iter().zip(&standings) {
        let erased = on.access.store.erased(cid).await?;
        flags.push(erased && *standing != Standing::None);
    }
    Ok(object(&flags))
}

pub(super) async fn erase(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit_free(request, limits::IDS).await?;
    let cids = ids(&admitted.body)?;
    on.access.kick();
    on.access.take_away(admitted.account, cids).await?;
    Ok(done())
}

fn ids(body: &[u8]) -> Result<Vec<Cid>, Fault> {
    let ids: Vec<ByteBuf> =
        cbor::from_slice(body).map_err(|_| Fault::malformed("a list of CIDs"))?;
    if ids.len() > limits::BLOCKS {
        return Err(too_many());
    }
    ids.iter()
        .map(|id| Cid::from_bytes(id).map_err(|_| Fault::malformed("a list of CIDs")))
        .collect()
}

fn too_many() -> Fault {
    Fault::new(
        Code::TooLarge,
        format!("over {} blocks at once", limits::BLOCKS),
    )
}
