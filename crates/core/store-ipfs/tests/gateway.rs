//! The trustless gateway: what is asked, what is answered, and that the answer proves itself.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_dag::car::Reader;
use medibloc_dag::unixfs::{self, FileBuilder};
use medibloc_dag::{Block, Budget, Cid, Codec};
use medibloc_store::{MemoryStore, Store};
use medibloc_store_ipfs::gateway::{CAR, Form, RAW, Range, Refusal, Request};

/// A file of so many leaves of ten bytes, and its blocks with the root last.
fn file(leaves: u32) -> (Cid, Vec<Block>) {
    let mut builder = FileBuilder::new();
    let mut blocks = Vec::new();
    for n in 0..leaves {
        let leaf = Block::of(Codec::Raw, format!("{n:010}").into_bytes()).unwrap();
        blocks.extend(builder.push(*leaf.cid(), 10).unwrap());
        blocks.push(leaf);
    }
    let (root, last) = builder.finish().unwrap();
    blocks.extend(last);
    (root, blocks)
}

async fn kept(blocks: Vec<Block>) -> MemoryStore {
    let store = MemoryStore::new();
    store.put(blocks).await.unwrap();
    store
}

fn request(cid: &Cid, query: &str, accept: &str) -> Result<Request, Refusal> {
    Request::parse(&format!("/ipfs/{cid}"), query, accept)
}

async fn car(store: &dyn Store, root: &Cid, query: &str) -> Vec<Block> {
    let request = request(root, query, CAR).unwrap();
    assert_eq!(request.content_type(), CAR);
    let bytes = request
        .answer(store)
        .await
        .unwrap()
        .all(store)
        .await
        .unwrap();
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let blocks = reader.by_ref().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(reader.roots(), [*root]);
    blocks
}

#[test]
fn requests_are_read_as_the_specification_says() {
    let cid = Cid::of_raw(b"x");
    let form = |query: &str, accept: &str| request(&cid, query, accept).map(|one| one.form);
    for (query, accept, expected) in [
        ("", RAW, Form::Raw),
        ("format=raw", CAR, Form::Raw),
        ("", CAR, Form::Entity(None)),
        (
            "",
            "text/html, application/vnd.ipld.car",
            Form::Entity(None),
        ),
        ("format=car&dag-scope=block", "", Form::Block),
        ("format=car&dag-scope=all&x=y", "*/*", Form::Entity(None)),
        (
            "format=car&dag-scope=entity&entity-bytes=5:-1",
            "",
            Form::Entity(Some(Range {
                from: 5,
                to: Some(-1),
            })),
        ),
        (
            "format=car&entity-bytes=-7:*",
            "",
            Form::Entity(Some(Range { from: -7, to: None })),
        ),
    ] {
        assert_eq!(form(query, accept).unwrap(), expected, "{query} {accept}");
    }
    for (query, accept, status) in [
        ("", "text/html", 406),
        ("", "", 406),
        ("format=tar", RAW, 406),
        ("", "application/vnd.ipld.car;version=2", 406),
        ("", "application/vnd.ipld.car;dups=y", 406),
        ("dag-scope=some", CAR, 400),
        ("entity-bytes=5", CAR, 400),
        ("entity-bytes=*:5", CAR, 400),
        ("entity-bytes=1:99999999999999999999", CAR, 400),
    ] {
        assert_eq!(
            form(query, accept).unwrap_err().status(),
            status,
            "{query} {accept}"
        );
    }
    for path in [
        "/ipns/x",
        "/ipfs/",
        "/ipfs/nothing",
        &format!("/ipfs/{cid}/below"),
    ] {
        assert_eq!(
            Request::parse(path, "", RAW).unwrap_err().status(),
            400,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_file_comes_whole_depth_first_and_no_block_twice() {
    let (root, blocks) = file(1030);
    let store = kept(blocks.clone()).await;
    let got = car(&store, &root, "").await;
    assert_eq!(got.len(), blocks.len());
    assert_eq!(got[0].cid(), &root, "the root first");
    assert_eq!(got[1].cid().codec(), Codec::DagPb, "then down");
    assert_eq!(got[2].bytes(), b"0000000000");
    assert_eq!(got.last().unwrap().bytes(), b"0000001029");

    let same = Block::of(Codec::Raw, b"same".to_vec()).unwrap();
    let mut builder = FileBuilder::new();
    for _ in 0..5 {
        builder.push(*same.cid(), 4).unwrap();
    }
    let (root, mut nodes) = builder.finish().unwrap();
    nodes.push(same);
    let store = kept(nodes).await;
    assert_eq!(car(&store, &root, "").await.len(), 2);
    assert_eq!(car(&store, &root, "dag-scope=block").await.len(), 1);
}

#[tokio::test]
async fn a_range_comes_with_just_the_blocks_that_prove_it() {
    let (root, blocks) = file(1030);
    let store = kept(blocks).await;
    for (range, first, last, nodes) in [
        ("0:0", 0, 0, 2),
        ("9:10", 0, 1, 2),
        ("10:19", 1, 1, 2),
        ("-1:*", 1029, 1029, 2),
        ("10235:10245", 1023, 1024, 3),
        ("10290:99999", 1029, 1029, 2),
        ("-20:-11", 1028, 1028, 2),
    ] {
        let got = car(&store, &root, &format!("entity-bytes={range}")).await;
        let leaves: Vec<_> = got
            .iter()
            .filter(|block| block.cid().codec() == Codec::Raw)
            .map(|block| String::from_utf8(block.bytes().to_vec()).unwrap())
            .collect();
        let expected: Vec<_> = (first..=last).map(|n| format!("{n:010}")).collect();
        assert_eq!(leaves, expected, "{range}");
        assert_eq!(got.len() - leaves.len(), nodes, "{range}");
        // With these blocks alone a reader can check the range.
        let map = got
            .into_iter()
            .map(|block| (*block.cid(), block.into_bytes()))
            .collect::<std::collections::BTreeMap<_, _>>();
        let budget = Budget::new(2_000, 1 << 20);
        unixfs::leaves(&root, 10300, (first * 10, last * 10 + 1), &map, budget).unwrap();
    }
    for range in ["10300:*", "20:10", "5:-10299"] {
        let request = request(&root, &format!("entity-bytes={range}"), CAR).unwrap();
        assert_eq!(
            request.answer(&store).await.unwrap_err().status(),
            400,
            "{range}"
        );
    }
}

#[tokio::test]
async fn what_is_absent_erased_or_cut_is_said() {
    let (root, blocks) = file(3);
    let store = kept(blocks.clone()).await;
    let raw = request(&root, "", RAW).unwrap();
    let bytes = raw.answer(&store).await.unwrap().all(&store).await.unwrap();
    assert_eq!(bytes, blocks.last().unwrap().bytes());
    let absent = request(&Cid::of_raw(b"absent"), "", RAW).unwrap();
    assert_eq!(absent.answer(&store).await.unwrap_err().status(), 404);
    store.erase(&[*blocks[1].cid()]).await.unwrap();
    let gone = request(blocks[1].cid(), "", RAW).unwrap();
    assert_eq!(gone.answer(&store).await.unwrap_err().status(), 410);
    let file = request(&root, "", CAR).unwrap();
    let cut = file.answer(&store).await.unwrap().all(&store).await;
    assert!(
        matches!(cut, Err(Refusal::Gone { .. })),
        "the answer ends before the gap"
    );
    // An object is one block.
    let object = Block::of(Codec::DagCbor, vec![0xa0]).unwrap();
    let store = kept(vec![object.clone()]).await;
    assert_eq!(car(&store, object.cid(), "dag-scope=all").await, [object]);
}
