//! Storage: blocks in for registered addresses, out only where a final fact entitles the signer (design 05).

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use medibloc_api::{Code, Problem, PutBlocks, RAW, limits};
use medibloc_dag::{Block, Cid, cbor};
use serde_bytes::ByteBuf;

use crate::fault::{Fault, done, object};
use crate::gateway::Parts;
use crate::gateway::access::Standing;

pub(super) async fn put(State(on): State<Arc<Parts>>, request: Request) -> Result<Response, Fault> {
    let admitted = on.guard.admit(request, limits::BODY).await?;
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
    let _keeping = on.access.keeping.read().await;
    on.access.store.put(blocks).await?;
    on.access
        .uploaded(admitted.account, cids, on.guard.now())
        .await?;
    Ok(done())
}

pub(super) async fn get(
    State(on): State<Arc<Parts>>,
    Path(cid): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit(request, 0).await?;
    let missing = || Fault::not_found("block");
    let cid: Cid = cid.parse().map_err(|_| missing())?;
    on.access.refresh().await?;
    match on.access.standing(admitted.account, &cid).await? {
        Standing::Entitled => {}
        Standing::OfErased => {
            return Err(
                Problem::new(Code::Erased, "the record was erased by its owner")
                    .about(cid.to_string())
                    .into(),
            );
        }
        Standing::None => return Err(missing()),
    }
    let bytes = on.access.store.get(&cid).await?.ok_or_else(missing)?;
    on.guard.count(admitted.address, 0, bytes.len()).await?;
    Ok((
        [(CONTENT_TYPE, RAW), (CACHE_CONTROL, "private, no-store")],
        bytes,
    )
        .into_response())
}

pub(super) async fn has(State(on): State<Arc<Parts>>, request: Request) -> Result<Response, Fault> {
    let admitted = on.guard.admit(request, limits::BODY).await?;
    let cids = ids(&admitted.body)?;
    on.access.refresh().await?;
    let there = on.access.store.has(&cids).await?;
    let mut flags = Vec::with_capacity(cids.len());
    for (cid, there) in cids.iter().zip(there) {
        let shown = there && on.access.standing(admitted.account, cid).await? == Standing::Entitled;
        flags.push(shown);
    }
    Ok(object(&flags))
}

pub(super) async fn erased(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit(request, limits::BODY).await?;
    let cids = ids(&admitted.body)?;
    on.access.refresh().await?;
    let mut flags = Vec::with_capacity(cids.len());
    for cid in &cids {
        let shown = on.access.store.erased(cid).await?
            && on.access.standing(admitted.account, cid).await? != Standing::None;
        flags.push(shown);
    }
    Ok(object(&flags))
}

pub(super) async fn erase(
    State(on): State<Arc<Parts>>,
    request: Request,
) -> Result<Response, Fault> {
    let admitted = on.guard.admit(request, limits::BODY).await?;
    let cids = ids(&admitted.body)?;
    on.access.refresh().await?;
    for cid in &cids {
        on.access.may_erase(admitted.account, cid).await?;
    }
    on.access.store.erase(&cids).await?;
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
