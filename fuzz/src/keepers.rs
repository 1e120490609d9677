//! What reaches a keeper: a share, a reader's request.

use medibloc_consent::{
    AnchorFields, BindingTag, Grant, KeeperReply, KeeperRequest, Purpose, Scope, ShareDeposit,
    SignedAcknowledgement, SignedReply, SignedRequest, Terms,
};
use medibloc_keeper::{
    Effect, Event, Facts, GrantView, KeeperIdentity, KeptShare, ReceiptView, RecordView, Reply,
    State, step,
};
use medibloc_keys::{SealingSecret, SeededEntropy, Share, SigningKey};
use medibloc_record::{
    AccountId, Address, ClassId, Committee, Digest, GrantId, Kind, Nonce, ReceiptId, Threshold,
    Timestamp, TypedDomain,
};

const NOW: Timestamp = Timestamp(1_000_000);

/// A chain with one record, one grant and one receipt, and the keeper of its first share.
pub(crate) struct World {
    pub(crate) keeper: KeeperIdentity,
    pub(crate) reader: SigningKey,
    anchor: AnchorFields,
    grant: Grant,
}

impl World {
    pub(crate) fn new() -> Self {
        let key = |byte| SigningKey::from_bytes(&[byte; 32]).expect("a small number is a key");
        let anchor = AnchorFields {
            nonce: Nonce::new([1; 32]),
            author: AccountId::new([2; 20]),
            owner: AccountId::new([3; 20]),
            package: Digest::new([4; 32]),
            key_set: Digest::new([5; 32]),
            capsule: Digest::new([6; 32]),
            attestation: Digest::new([7; 32]),
            kind: Kind::Medical,
            class: ClassId(1),
            amends: None,
        };
        let reader = key(8);
        let grant = Grant {
            id: GrantId::new([9; 32]),
            owner: anchor.owner,
            reader: AccountId::from_first_address(reader.address()),
            nonce: Nonce::new([10; 32]),
            terms: Terms {
                scope: Scope::All,
                purpose_tag: Purpose::Treatment.tag([11; 32]),
                from: Timestamp(0),
                until: Timestamp(2_000_000),
                reads: None,
                binding: BindingTag::default(),
                digest: Digest::new([12; 32]),
            },
        };
        let keeper = KeeperIdentity {
            index: 1,
            signer: key(13),
            wrap_keys: vec![SealingSecret::from_bytes(1, [14; 32])],
            domain: TypedDomain {
                chain_id: 31_337,
                records: Address::new([0x52; 20]),
            },
            finality_lag: 0,
        };
        Self {
            keeper,
            reader,
            anchor,
            grant,
        }
    }

    /// The request that is answered with the share.
    pub(crate) fn request(&self) -> KeeperRequest {
        KeeperRequest {
            version: 1,
            keeper: self.keeper.address(),
            record: self.anchor.record_id(),
            grant: self.grant.id,
            receipt: ReceiptId::new([15; 32]),
            one_time_key: SealingSecret::from_bytes(0, [16; 32]).public().key,
            binding: None,
            expiry: NOW.plus(60),
        }
    }

    pub(crate) fn grant(&self) -> Grant {
        self.grant.clone()
    }

    pub(crate) fn deposit(&self) -> ShareDeposit {
        ShareDeposit {
            record: self.anchor.record_id(),
            key_set: vec![1, 2, 3],
            index: 1,
            wrapped: medibloc_keys::hpke_seal(
                &self.keeper.wrap_keys[0].public(),
                b"info",
                &[7; 32],
                &mut SeededEntropy::new(1),
            )
            .expect("a key"),
        }
    }

    /// What the shell finds on chain for a request.
    fn facts(&self, request: &KeeperRequest, signer: Option<AccountId>) -> Facts {
        let record = self.anchor.record_id();
        Facts {
            head: NOW,
            record: (request.record == record).then_some(RecordView {
                anchor: self.anchor,
                committee: Committee {
                    id: 1,
                    threshold: Threshold::new(7, 4).expect("4 of 7"),
                },
                erased: false,
            }),
            grant: (request.grant == self.grant.id).then(|| GrantView {
                grant: self.grant.clone(),
                revoked: false,
            }),
            receipt: (request.receipt == ReceiptId::new([15; 32])).then_some(ReceiptView {
                record,
                reader: self.grant.reader,
                grant: self.grant.id,
                at: NOW,
            }),
            signer,
            signer_has_grant: true,
            bound_signer: None,
            bound_account_is_good: true,
        }
    }

    fn state(&self) -> State {
        let mut state = State::new();
        let share = KeptShare {
            share: Share::new([17; 32]),
            key_set: self.anchor.key_set,
            committee: 1,
        };
        state.restore_share(self.anchor.record_id(), share);
        state
    }

    /// Whether the keeper gives its share for a request.
    fn releases(&self, request: &SignedRequest, signer: Option<AccountId>) -> bool {
        let facts = self.facts(&request.request, signer);
        let event = Event::Release(Box::new(request.clone()));
        let mut state = self.state();
        let mut entropy = SeededEntropy::new(1);
        let effects = step(&mut state, &self.keeper, &event, &facts, NOW, &mut entropy);
        let released = |effect: &Effect| {
            matches!(effect, Effect::Reply(Reply::Released(reply))
                if matches!(reply.reply, KeeperReply::Released(_)))
        };
        assert!(
            effects
                .iter()
                .filter(|effect| matches!(effect, Effect::Reply(_)))
                .count()
                == 1,
            "one answer to one request"
        );
        effects.iter().any(released)
    }
}

/// Requests and shares that reach a keeper, and what it answers.
pub fn keeper_request(data: &[u8]) {
    let world = World::new();
    crate::object::<SignedReply>(data);
    crate::object::<SignedAcknowledgement>(data);
    if let Some(request) = crate::object::<SignedRequest>(data) {
        let signer = Some(world.grant.reader);
        let honest = SignedRequest {
            signature: world
                .reader
                .sign_digest(&request.request.digest(&world.keeper.domain)),
            ..request.clone()
        };
        if request != honest {
            assert!(!world.releases(&request, None), "nobody signed it");
        }
        let right = world.request();
        let own = KeeperRequest {
            one_time_key: right.one_time_key,
            expiry: right.expiry,
            binding: None,
            ..request.request.clone()
        };
        if world.releases(&honest, signer) {
            assert_eq!(
                own, right,
                "only the very record, grant and receipt are answered"
            );
        }
    }
    if let Some(deposit) = crate::object::<ShareDeposit>(data) {
        let facts = world.facts(&world.request(), None);
        let event = Event::Deposit {
            sender: world.anchor.author,
            deposit,
        };
        let mut state = State::new();
        let mut entropy = SeededEntropy::new(1);
        let effects = step(&mut state, &world.keeper, &event, &facts, NOW, &mut entropy);
        let stored = |effect: &Effect| matches!(effect, Effect::StoreShare { .. });
        assert!(
            !effects.iter().any(stored),
            "no key set has the anchored digest"
        );
    }
}
