//! What strangers make of themselves gives them no room in a mailbox that is another's.

use medibloc_api::{Code, LetterPage, paths};
use medibloc_consent::{BindingTag, Grant, Purpose, Scope, Terms};
use medibloc_dag::cbor;
use medibloc_keys::SigningKey;
use medibloc_ledger::Call;
use medibloc_node::Upkeep;
use medibloc_record::{Address, Digest, Nonce, Role};

use crate::attacks::{id, over};
use crate::http::{Draft, Ground, NOW, code, letter};

struct Post {
    ground: Ground,
    url: String,
    _upkeep: Upkeep,
}

impl Post {
    async fn new() -> Self {
        let ground = Ground::new();
        let (url, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
        Self {
            ground,
            url,
            _upkeep: upkeep,
        }
    }

    async fn send(
        &self,
        from: &SigningKey,
        to: &SigningKey,
        number: u16,
        bytes: usize,
    ) -> Option<Code> {
        let mut letter = letter(from, to, 0, bytes);
        letter.id[..2].copy_from_slice(&number.to_be_bytes());
        letter.id[2..22].copy_from_slice(from.address().as_bytes());
        let draft = Draft::post(paths::MAILBOX, cbor::to_vec(&letter));
        code(draft.by(&self.url, from).await)
    }

    /// A grant that nobody asked for.
    async fn give(&self, owner: &SigningKey, reader: &SigningKey) {
        let terms = Terms {
            scope: Scope::All,
            purpose_tag: Purpose::Treatment.tag([1; 32]),
            from: NOW,
            until: NOW.plus(90_000),
            reads: None,
            binding: BindingTag::default(),
            digest: Digest::of(owner.address().as_bytes()),
        };
        let grant = Grant::new(id(owner), id(reader), Nonce::new([1; 32]), terms);
        let call = Call::Grant {
            grant,
            anchor: None,
        };
        self.ground.call(owner, &call).await;
    }

    /// Who sent what waits for somebody.
    async fn senders(&self, of: &SigningKey) -> Vec<Address> {
        let (mut senders, mut after) = (Vec::new(), 0);
        loop {
            let page = Draft::get(paths::letters(after)).by(&self.url, of).await;
            let page: LetterPage = cbor::from_slice(&page.unwrap()).unwrap();
            senders.extend(page.letters.iter().map(|letter| letter.sender));
            match page.next {
                Some(next) => after = next,
                None => return senders,
            }
        }
    }
}

#[tokio::test]
async fn grants_that_nobody_asked_for_keep_no_hospital_out() {
    let post = Post::new().await;
    let victim = post.ground.registered(1).await;
    let hospital = post.ground.registered_as(2, Role::Provider).await;
    assert_eq!(post.send(&hospital, &victim, 1, 500).await, None);
    let until = NOW.plus(1_000_000);
    let ledger = &post.ground.ledger;
    ledger.accredit(id(&hospital), NOW, until, Digest::of(b"jwt"));
    let mut kept = 0;
    for seed in 10..14 {
        let stranger = post.ground.registered(seed).await;
        post.give(&stranger, &victim).await;
        for number in 0..260 {
            kept += u32::from(post.send(&stranger, &victim, number, 100).await.is_none());
        }
    }
    assert_eq!(kept, 4 * 50, "each has what one stranger has");
    assert_eq!(post.send(&hospital, &victim, 2, 5_000).await, None);
    let senders = post.senders(&victim).await;
    let its = senders.iter().filter(|it| **it == hospital.address());
    let its = its.count();
    assert_eq!(its, 2);
    println!(
        "ATTACK mail-1: {kept} of 1,040 letters of four self-made pairs kept, {its} of 2 of an accredited hospital wait"
    );
}

#[tokio::test]
async fn no_stranger_however_made_throws_out_a_contacts_letter() {
    let post = Post::new().await;
    let victim = post.ground.registered(1).await;
    let (granted, written, later) = (
        post.ground.registered(2).await,
        post.ground.registered(3).await,
        post.ground.registered(4).await,
    );
    // Contacts by what the victim does: before their letters came, and after.
    post.give(&victim, &granted).await;
    for contact in [&granted, &written, &later] {
        assert_eq!(post.send(contact, &victim, 1, 50_000).await, None);
    }
    assert_eq!(post.send(&victim, &written, 1, 10).await, None);
    post.give(&victim, &later).await;
    // Who answers an invitation is a stranger yet.
    let answering = post.ground.registered(5).await;
    assert_eq!(post.send(&answering, &victim, 1, 5_000).await, None);
    let mut kept = 0;
    for seed in 10..=250 {
        let stranger = post.ground.registered(seed).await;
        post.give(&stranger, &victim).await;
        for number in 0..4 {
            kept += u32::from(post.send(&stranger, &victim, number, 50).await.is_none());
        }
    }
    let senders = post.senders(&victim).await;
    let waits = |of: &SigningKey| senders.contains(&of.address());
    assert_eq!([&granted, &written, &later].map(waits), [true; 3]);
    assert!(waits(&answering), "one letter is the last to go");
    assert!(senders.len() <= 403);
    let late = post.ground.registered(251).await;
    assert_eq!(post.send(&late, &victim, 1, 5_000).await, None);
    println!(
        "ATTACK mail-2: 241 self-made pairs, {kept} letters taken: all of 3 contacts' letters and an invitation's answer wait"
    );
}

#[tokio::test]
async fn contacts_that_send_too_much_are_refused_and_leave_the_others_room() {
    let post = Post::new().await;
    let victim = post.ground.registered(1).await;
    let mut kept = 0;
    for seed in 10..12 {
        let greedy = post.ground.registered(seed).await;
        post.give(&victim, &greedy).await;
        for number in 0..250 {
            kept += usize::from(post.send(&greedy, &victim, number, 50).await.is_none());
        }
    }
    assert_eq!(kept, 400);
    let quiet = post.ground.registered(20).await;
    post.give(&victim, &quiet).await;
    assert_eq!(post.send(&quiet, &victim, 1, 5_000).await, None);
    assert_eq!(post.senders(&victim).await.len(), kept + 1);
}
