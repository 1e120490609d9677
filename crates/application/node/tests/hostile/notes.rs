//! Notes of an account are given to it alone, and nobody else writes, removes or takes room of them.

use medibloc_api::{Code, KeepNote, NotePage, limits, paths};
use medibloc_dag::cbor;
use medibloc_keys::SigningKey;
use medibloc_node::DailyLimits;
use medibloc_record::Digest;

use crate::http::{Draft, Ground, code, serve};

pub(crate) fn keep(place: u8, follows: Option<&[u8]>, sealed: Vec<u8>) -> Draft {
    let follows = follows.map(|before| *Digest::of(before).as_bytes());
    let note = KeepNote::new(place, follows, sealed);
    Draft::post(paths::NOTES, cbor::to_vec(&note))
}

async fn kept(url: &str, by: &SigningKey, draft: Draft) -> bool {
    cbor::from_slice(&draft.by(url, by).await.unwrap()).unwrap()
}

async fn own(url: &str, by: &SigningKey) -> Vec<(u8, usize)> {
    let (mut notes, mut from) = (Vec::new(), 0);
    loop {
        let page = Draft::get(paths::notes(from)).by(url, by).await.unwrap();
        let page: NotePage = cbor::from_slice(&page).unwrap();
        let found = page
            .notes
            .iter()
            .map(|note| (note.place, note.sealed.len()));
        notes.extend(found);
        match page.next {
            Some(next) => from = next,
            None => return notes,
        }
    }
}

#[tokio::test]
async fn a_stranger_neither_reads_nor_writes_nor_fills_anothers_notes() {
    let ground = Ground::new();
    let url = serve(|url| ground.gateway(url, DailyLimits::default())).await;
    let (anna, eve) = (ground.registered(1).await, ground.registered(2).await);
    let first = vec![1; 4 << 10];
    assert!(kept(&url, &anna, keep(3, None, first.clone())).await);
    assert_eq!(own(&url, &eve).await, []);
    // Whatever a request of hers names, it is about her own notes.
    let over = keep(3, Some(&first), vec![2; 4 << 10]);
    assert!(!kept(&url, &eve, over).await, "she has none there");
    let mut place = 0;
    let full = loop {
        let draft = keep(place, None, vec![place; 256 << 10]);
        match draft.by(&url, &eve).await {
            Ok(_) => place += 1,
            refused => break code(refused),
        }
    };
    assert_eq!((place, full), (4, Some(Code::Limit)), "1 MiB is hers");
    let smaller = keep(0, Some(&[0; 256 << 10]), vec![9; 4 << 10]);
    assert!(kept(&url, &eve, smaller).await, "her own make room");
    assert_eq!(own(&url, &anna).await, [(3, 4 << 10)]);
    let next = keep(3, Some(&first), vec![3; 16 << 10]);
    assert!(kept(&url, &anna, next).await);
    assert_eq!(own(&url, &anna).await, [(3, 16 << 10)]);
    let nobody = SigningKey::from_bytes(&[9; 32]).unwrap();
    let stranger = Draft::get(paths::notes(0)).by(&url, &nobody).await;
    assert_eq!(code(stranger), Some(Code::NotRegistered));
}

#[tokio::test]
async fn a_note_of_no_place_or_size_is_refused() {
    let ground = Ground::new();
    let url = serve(|url| ground.gateway(url, DailyLimits::default())).await;
    let anna = ground.registered(1).await;
    for (draft, why) in [
        (
            keep(limits::PLACES, None, vec![0; 4 << 10]),
            Code::Malformed,
        ),
        (keep(0, None, vec![0; 5 << 10]), Code::Malformed),
        (keep(0, None, vec![]), Code::Malformed),
        (keep(0, None, vec![0; 512 << 10]), Code::TooLarge),
        (Draft::post(paths::NOTES, vec![0xff]), Code::Malformed),
        (Draft::post(paths::NOTES, vec![0xa0]), Code::Malformed),
    ] {
        assert_eq!(code(draft.by(&url, &anna).await), Some(why));
    }
    let from = Draft::get(format!("{}?from=999", paths::NOTES));
    let page: NotePage = cbor::from_slice(&from.by(&url, &anna).await.unwrap()).unwrap();
    assert_eq!(page.notes, [], "no place is behind the last");
    assert_eq!(own(&url, &anna).await, []);
}

/// A day's bytes are the account's own: who has used them up keeps nobody else from noting.
#[tokio::test]
async fn notes_cost_their_own_account_alone() {
    let ground = Ground::new();
    let limits = DailyLimits {
        bytes: 300 << 10,
        ..DailyLimits::default()
    };
    let url = serve(|url| ground.gateway(url, limits)).await;
    let (anna, eve) = (ground.registered(1).await, ground.registered(2).await);
    assert!(kept(&url, &eve, keep(0, None, vec![0; 256 << 10])).await);
    let more = keep(1, None, vec![0; 256 << 10]).by(&url, &eve).await;
    assert_eq!(code(more), Some(Code::Limit));
    assert!(kept(&url, &anna, keep(0, None, vec![0; 256 << 10])).await);
}
