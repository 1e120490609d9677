//! A keeper against an independent model of the chain: 100,000 random steps. No share without a final receipt of exactly
//! that reader, record and grant, a live grant, and a reader in good standing; every refusal of what was asked of this keeper reaches
//! the owner's feed, once.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use medibloc_consent::{
    AnchorFields, Binding, FeedFact, Grant, KeeperReply, KeeperRequest, Purpose, RefusalReason,
    Scope, ShareDeposit, SignedRequest, Terms,
};
use medibloc_dag::cbor;
use medibloc_keeper::{
    Effect, Event, Facts, GrantView, KeeperIdentity, ReceiptView, RecordView, Reply, State, step,
};
use medibloc_keys::{
    DealerSeed, Dealing, Entropy, OneTimeKey, SealingSecret, SeededEntropy, Share, SigningKey,
    hpke_seal, info,
};
use medibloc_record::{
    AccountId, Address, ClassId, Committee, Digest, KeySet, Kind, Nonce, ReceiptId, RecordId,
    Threshold, Timestamp, TypedDomain,
};

const STEPS: usize = 100_000;
const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 31_337,
    records: Address::new([0x52; 20]),
};

struct OneRecord {
    id: RecordId,
    anchor: AnchorFields,
    seed: DealerSeed,
    key_set: Vec<u8>,
    committee: Committee,
    deposited: bool,
    erased: bool,
}

struct OneGrant {
    grant: Grant,
    reader: usize,
    binding: Option<Binding>,
    revoked: bool,
}

struct OneReceipt {
    id: ReceiptId,
    view: ReceiptView,
    grant: usize,
    record: usize,
}

struct Model {
    dice: SeededEntropy,
    now: Timestamp,
    head: Timestamp,
    keeper: KeeperIdentity,
    state: State,
    /// What the shell made durable, in order.
    disk: Vec<Effect>,
    reloads: u64,
    readers: Vec<SigningKey>,
    /// The keys that signed for the accredited account, the current one last.
    accounts: Vec<SigningKey>,
    suspended: bool,
    records: Vec<OneRecord>,
    grants: Vec<OneGrant>,
    receipts: Vec<OneReceipt>,
    past: Vec<SignedRequest>,
    answered: BTreeMap<[u8; 32], Timestamp>,
    /// When the requests end that were answered on a receipt since the last start.
    on_receipts: BTreeMap<ReceiptId, Vec<Timestamp>>,
    /// Of which requests, by which reader, an owner was told since the last start.
    told: BTreeMap<([u8; 32], AccountId), Timestamp>,
    released: u64,
    refused: u64,
}

/// The first committee, and the one that was formed after it.
fn committee(id: u32) -> Committee {
    let (n, t) = if id == 1 { (7, 4) } else { (5, 3) };
    Committee {
        id,
        threshold: Threshold::new(n, t).unwrap(),
    }
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut dice = SeededEntropy::new(seed);
        let mut key = || {
            let mut bytes = [0; 32];
            dice.fill(&mut bytes);
            SigningKey::from_bytes(&bytes).unwrap()
        };
        let readers = (0..3).map(|_| key()).collect();
        let (accounts, signer) = (vec![key()], key());
        let keeper = KeeperIdentity {
            index: 1,
            signer,
            wrap_keys: vec![SealingSecret::from_bytes(1, [7; 32])],
            domain: DOMAIN,
            finality_lag: 0,
        };
        Self {
            dice,
            now: Timestamp(1_000_000),
            head: Timestamp(1_000_000),
            keeper,
            state: State::new(),
            disk: Vec::new(),
            reloads: 0,
            readers,
            accounts,
            suspended: false,
            records: Vec::new(),
            grants: Vec::new(),
            receipts: Vec::new(),
            past: Vec::new(),
            answered: BTreeMap::new(),
            on_receipts: BTreeMap::new(),
            told: BTreeMap::new(),
            released: 0,
            refused: 0,
        }
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.dice.fill(&mut bytes);
        bytes
    }

    fn roll(&mut self, sides: usize) -> usize {
        usize::from(u16::from_le_bytes([self.bytes()[0], self.bytes()[1]])) % sides
    }

    fn one_step(&mut self) {
        match self.roll(100) {
            0..=4 => self.anchor(),
            5..=8 => self.deposit(),
            9..=22 => self.give(),
            23..=26 => self.revoke(),
            27..=44 => self.open_read(),
            45 => {
                if self.roll(10) == 0 {
                    self.erase();
                }
            }
            46 => self.reload(),
            47..=48 => self.suspended = self.roll(3) == 0,
            49 => self.rotate(),
            50..=59 => {
                let step = self.roll(120) as u64;
                self.now = self.now.plus(step);
                self.head = self.now;
            }
            // The chain stands still while the clock goes on, or its blocks are ahead of it.
            60 => self.now = self.now.plus(200),
            61 => self.head = self.head.plus(30),
            _ => self.release(),
        }
    }

    /// One step, with what it makes durable.
    fn act(&mut self, event: &Event, facts: &Facts) -> Vec<Effect> {
        let effects = step(
            &mut self.state,
            &self.keeper,
            event,
            facts,
            self.now,
            &mut self.dice,
        );
        let durable = effects
            .iter()
            .filter(|effect| !matches!(effect, Effect::Reply(_)));
        self.disk.extend(durable.cloned());
        effects
    }

    /// The process dies and another reads the disk.
    fn reload(&mut self) {
        let mut state = self.state_again(State::new());
        for (digest, expiry) in self.answered.iter().filter(|(_, at)| **at >= self.now) {
            state.restore_answered(*digest, *expiry);
        }
        assert_eq!(state.share_count(), self.state.share_count());
        self.state = state;
        self.told.clear();
        self.on_receipts.clear();
        self.reloads += 1;
    }

    /// What is on the disk, in a new state.
    fn state_again(&self, mut state: State) -> State {
        for effect in &self.disk {
            match effect.clone() {
                Effect::StoreShare { record, share } => state.restore_share(record, share),
                Effect::DestroyShare { record } => state.restore_erased(record),
                Effect::Feed { owner, line } => state.feed_mut().restore(owner, line),
                _ => {}
            }
        }
        state
    }

    /// A walk until records of two owners have their shares here, and nothing that was asked lasts; these records.
    fn shared_by_two_owners(&mut self) -> [usize; 2] {
        loop {
            self.one_step();
            let mut open = (0..self.records.len())
                .filter(|at| self.records[*at].deposited && !self.records[*at].erased);
            let Some(first) = open.next() else { continue };
            let owner = self.records[first].anchor.owner;
            if let Some(other) = open.find(|at| self.records[*at].anchor.owner != owner) {
                self.now = self.now.plus(10_000);
                self.head = self.now;
                return [first, other];
            }
        }
    }

    /// Another key signs for the accredited account from now on.
    fn rotate(&mut self) {
        if self.accounts.len() < 40 {
            let key = SigningKey::from_bytes(&self.bytes()).unwrap();
            self.accounts.push(key);
        }
    }

    fn anchor(&mut self) {
        if self.records.len() >= 12 {
            if self.roll(20) != 0 {
                return;
            }
            let at = self.roll(self.records.len());
            self.records.swap_remove(at);
            self.receipts.clear();
        }
        let nonce = Nonce::new(self.bytes());
        let seed = DealerSeed::new(self.bytes());
        let owner = AccountId::new([u8::try_from(self.roll(3)).unwrap() + 1; 20]);
        let author = AccountId::new([0xaa; 20]);
        let mut anchor = AnchorFields {
            nonce,
            author,
            owner,
            package: Digest::new([1; 32]),
            key_set: Digest::new([0; 32]),
            capsule: Digest::new([1; 32]),
            attestation: Digest::new([1; 32]),
            kind: Kind::Medical,
            class: ClassId(0),
            amends: None,
        };
        let committee = committee(u32::from(self.roll(2) == 0) + 1);
        let dealing = Dealing::from_seed(&seed, anchor.record_id(), committee.threshold);
        let set = KeySet {
            version: 1,
            suite: 1,
            committee,
            commitments: dealing
                .commitments()
                .into_iter()
                .map(serde_bytes::ByteArray::new)
                .collect(),
            owner_half: [0; 32],
        };
        let key_set = cbor::to_vec(&set);
        anchor.key_set = Digest::of(&key_set);
        self.records.push(OneRecord {
            id: anchor.record_id(),
            anchor,
            seed,
            key_set,
            committee,
            deposited: false,
            erased: false,
        });
    }

    fn facts(&self, record: Option<usize>, request: Option<&SignedRequest>) -> Facts {
        let view = record.map(|at| &self.records[at]).map(|one| RecordView {
            anchor: one.anchor,
            committee: one.committee,
            erased: one.erased,
        });
        let signer = request.and_then(|signed| {
            medibloc_keys::recover(&signed.request.digest(&DOMAIN), &signed.signature)
                .ok()
                .map(AccountId::from_first_address)
        });
        let grant = request.and_then(|signed| {
            self.grants
                .iter()
                .find(|one| one.grant.id == signed.request.grant)
        });
        let receipt = request.and_then(|signed| {
            self.receipts
                .iter()
                .find(|one| one.id == signed.request.receipt)
        });
        Facts {
            head: self.head,
            record: view,
            grant: grant.map(|one| GrantView {
                grant: one.grant.clone(),
                revoked: one.revoked,
            }),
            receipt: receipt.map(|one| one.view),
            signer,
            signer_has_grant: view.is_some_and(|view| {
                self.grants.iter().any(|one| {
                    one.grant.owner == view.anchor.owner && Some(one.grant.reader) == signer
                })
            }),
            bound_signer: self.accounts.last().map(SigningKey::address),
            bound_account_is_good: !self.suspended,
        }
    }

    fn deposit(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let at = self.roll(self.records.len());
        let (honest, foreign) = (self.roll(4) != 0, self.roll(8) == 0);
        let outdated = self.roll(8) == 0;
        let one = &self.records[at];
        let (anchor, erased, committee_of) = (one.anchor, one.erased, one.committee);
        let dealing = Dealing::from_seed(&one.seed, anchor.record_id(), committee_of.threshold);
        let mut share = dealing.share(1).unwrap();
        if !honest {
            let mut other = *share.expose();
            other[0] ^= 1;
            share = Share::new(other);
        }
        let info = info::share(
            &DOMAIN,
            anchor.record_id(),
            anchor.author,
            anchor.owner,
            committee_of.id,
            1,
            1,
        );
        let to = self.keeper.wrap_keys[0].public();
        let key_set = one.key_set.clone();
        let wrapped = hpke_seal(&to, &info, share.expose(), &mut self.dice).unwrap();
        let deposit = ShareDeposit {
            record: anchor.record_id(),
            key_set,
            index: 1,
            wrapped,
        };
        let sender = if foreign {
            AccountId::new([0xbb; 20])
        } else {
            anchor.author
        };
        let mut facts = self.facts(Some(at), None);
        if outdated && let Some(view) = &mut facts.record {
            // The set names the committee before or after the one of its anchor.
            view.committee = committee(3 - committee_of.id);
        }
        let effects = self.act(&Event::Deposit { sender, deposit }, &facts);
        let taken = matches!(effects.last(), Some(Effect::Reply(Reply::Acknowledged(_))));
        assert_eq!(
            taken,
            honest && !foreign && !outdated && !erased,
            "a share is taken if it is good"
        );
        self.records[at].deposited |= taken;
    }

    fn give(&mut self) {
        if self.records.is_empty() {
            return;
        }
        if self.grants.len() > 60 {
            self.grants.clear();
            self.receipts.clear();
        }
        let (at, reader) = (self.roll(self.records.len()), self.roll(self.readers.len()));
        let anchor = self.records[at].anchor;
        let reader_id = AccountId::from_first_address(self.readers[reader].address());
        let binding = (self.roll(2) == 0).then(|| {
            let account = AccountId::from_first_address(self.accounts[0].address());
            let unsigned = Binding::unsigned([5; 32], account, reader_id);
            // Now and then a key that was stolen, and another took its place since.
            let stolen = self.roll(4) == 0;
            let at = if stolen {
                self.roll(self.accounts.len())
            } else {
                self.accounts.len() - 1
            };
            let signature = self.accounts[at].sign_digest(&unsigned.digest(&DOMAIN));
            unsigned.sign(signature)
        });
        let scope = if self.roll(4) == 0 {
            Scope::All
        } else {
            Scope::One(anchor.record_id())
        };
        let until = self.now.plus(self.roll(2000) as u64);
        let terms = Terms {
            scope,
            purpose_tag: Purpose::Treatment.tag([1; 32]),
            from: self.now,
            until,
            reads: None,
            binding: binding.as_ref().map(Binding::tag).unwrap_or_default(),
            digest: Digest::new([0; 32]),
        };
        let nonce = Nonce::new(self.bytes());
        let grant = Grant::new(anchor.owner, reader_id, nonce, terms);
        self.grants.push(OneGrant {
            grant,
            reader,
            binding,
            revoked: false,
        });
    }

    fn revoke(&mut self) {
        if !self.grants.is_empty() {
            let at = self.roll(self.grants.len());
            self.grants[at].revoked = true;
        }
    }

    /// The chain gives receipts only for live grants that cover the record.
    fn open_read(&mut self) {
        if self.grants.is_empty() || self.records.is_empty() {
            return;
        }
        let (g, r) = (self.roll(self.grants.len()), self.roll(self.records.len()));
        let r = match self.grants[g].grant.terms.scope {
            Scope::One(id) => self
                .records
                .iter()
                .position(|one| one.id == id)
                .unwrap_or(r),
            _ => r,
        };
        let (one, record) = (&self.grants[g], &self.records[r]);
        let terms = &one.grant.terms;
        let live = !one.revoked && self.head >= terms.from && self.head < terms.until;
        let id = record.anchor.record_id();
        if !live
            || record.erased
            || one.grant.owner != record.anchor.owner
            || !one.grant.covers(id, ClassId(0))
        {
            return;
        }
        let view = ReceiptView {
            record: id,
            reader: one.grant.reader,
            grant: one.grant.id,
            at: self.head,
        };
        let receipt = ReceiptId::new(self.bytes());
        if self.receipts.len() > 15 {
            self.receipts.remove(0);
        }
        self.receipts.push(OneReceipt {
            id: receipt,
            view,
            grant: g,
            record: r,
        });
    }

    fn erase(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let at = self.roll(self.records.len());
        self.records[at].erased = true;
        let record = self.records[at].id;
        let facts = self.facts(Some(at), None);
        let event = Event::Erased { record };
        let effects = self.act(&event, &facts);
        assert!(matches!(
            effects.last(),
            Some(Effect::Reply(Reply::Deleted(_)))
        ));
    }

    fn release(&mut self) {
        if self.receipts.is_empty() {
            return;
        }
        let replay = self.roll(12) == 0 && !self.past.is_empty();
        let signed = if replay {
            let at = self.roll(self.past.len());
            self.past[at].clone()
        } else {
            self.request()
        };
        self.past.push(signed.clone());
        if self.past.len() > 50 {
            self.past.remove(0);
        }
        let at = self
            .records
            .iter()
            .position(|one| one.id == signed.request.record);
        let facts = self.facts(at, Some(&signed));
        // What has expired once is forgotten, though the model's chain may lie behind its clock again.
        let time = self.now.max(self.head);
        for ends in self.on_receipts.values_mut() {
            ends.retain(|end| *end >= time);
        }
        let expected = self.oracle(at, &signed, &facts);
        let before = at.map_or(0, |at| self.refusals(at));
        let event = Event::Release(Box::new(signed.clone()));
        let effects = self.act(&event, &facts);
        let Some(Effect::Reply(Reply::Released(reply))) = effects.last() else {
            panic!("no signed reply")
        };
        match &reply.reply {
            KeeperReply::Released(_) => {
                assert!(expected, "released against the rules");
                let (digest, expiry) = (signed.request.digest(&DOMAIN), signed.request.expiry);
                self.answered.insert(digest, expiry);
                let on = self.on_receipts.entry(signed.request.receipt);
                on.or_default().push(expiry);
                self.released += 1;
            }
            KeeperReply::Refused(reason) => {
                assert!(!expected, "refused though all rules hold: {reason}");
                self.refused += 1;
                if let Some(at) = at {
                    let told = u32::from(self.is_told(&signed, reason, &facts));
                    assert_eq!(
                        self.refusals(at),
                        before + told,
                        "the refusal reaches the owner's feed once, if it is about the reader: {reason}"
                    );
                }
            }
        }
    }

    /// Whether an owner is to be told: of what a reader asked this keeper while the request lasts, once a request.
    fn is_told(&mut self, signed: &SignedRequest, reason: &RefusalReason, facts: &Facts) -> bool {
        let (request, time) = (&signed.request, self.now.0.max(self.head.0));
        let digest = request.digest(&DOMAIN);
        let asked_here = request.keeper == self.keeper.address()
            && (time..=time + 600).contains(&request.expiry.0)
            && !self.answered.contains_key(&digest);
        let about_nobody = [
            RefusalReason::WrongKeeper,
            RefusalReason::RequestExpired,
            RefusalReason::ExpiryTooFar,
            RefusalReason::Replayed,
        ];
        assert_eq!(!asked_here, about_nobody.contains(reason), "{reason}");
        // What has expired once is forgotten, though the model's chain may lie behind its clock again.
        self.told.retain(|_, expiry| expiry.0 >= time);
        let of_grantee = facts.signer.filter(|_| facts.signer_has_grant);
        let mut is_first = |reader| self.told.insert((digest, reader), request.expiry).is_none();
        asked_here && of_grantee.is_none_or(&mut is_first)
    }

    fn refusals(&self, at: usize) -> u32 {
        let one = &self.records[at];
        let lines = self.state.feed().of(one.anchor.owner).iter();
        lines
            .map(|signed| &signed.line)
            .filter(|line| line.record == one.id && !matches!(line.fact, FeedFact::Released { .. }))
            .map(|line| line.count)
            .sum()
    }

    /// A request that is right, or wrong in one way.
    fn request(&mut self) -> SignedRequest {
        let pick = self.roll(self.receipts.len());
        let (receipt, g, r) = {
            let one = &self.receipts[pick];
            (one.id, one.grant, one.record)
        };
        let fault = self.roll(16);
        let one_time = OneTimeKey::generate(&mut self.dice);
        let other_record = self.roll(self.records.len());
        let other_grant = self.roll(self.grants.len());
        let g = g.min(self.grants.len() - 1);
        let r = r.min(self.records.len() - 1);
        let mut request = KeeperRequest {
            version: 1,
            keeper: self.keeper.address(),
            record: self.records[r].id,
            grant: self.grants[g].grant.id,
            receipt,
            one_time_key: one_time.public(),
            binding: self.grants[g].binding.clone(),
            expiry: self.now.plus(60),
        };
        let mut reader = self.grants[g].reader;
        match fault {
            0 => request.keeper = Address::new([9; 20]),
            1 => request.record = self.records[other_record].id,
            2 => request.grant = self.grants[other_grant].grant.id,
            3 => request.receipt = ReceiptId::new([9; 32]),
            4 => request.binding = None,
            5 => request.expiry = Timestamp(self.now.0 - 1),
            7 => request.expiry = Timestamp(self.now.0.saturating_add(601 << self.roll(60))),
            8 => request.expiry = Timestamp(u64::MAX),
            9 => request.expiry = self.now.plus(600),
            6 => reader = (reader + 1) % self.readers.len(),
            _ => {}
        }
        let signature = self.readers[reader].sign_digest(&request.digest(&DOMAIN));
        SignedRequest { request, signature }
    }

    /// A request that all rules allow, on a receipt of its own.
    fn flood(&mut self) -> Result<(), RefusalReason> {
        let at = self
            .records
            .iter()
            .position(|one| one.deposited && !one.erased);
        let receipt = ReceiptId::new(self.bytes());
        let signed = self.good_request(at.unwrap(), 0, receipt);
        self.ask(at.unwrap(), signed)
    }

    /// A request for a record, that all rules allow.
    fn good_request(&mut self, at: usize, reader: usize, receipt: ReceiptId) -> SignedRequest {
        let anchor = self.records[at].anchor;
        let reader_id = AccountId::from_first_address(self.readers[reader].address());
        let terms = Terms {
            scope: Scope::All,
            purpose_tag: Purpose::Treatment.tag([1; 32]),
            from: self.now,
            until: self.now.plus(10_000),
            reads: None,
            binding: medibloc_consent::BindingTag::default(),
            digest: Digest::new([0; 32]),
        };
        let grant = Grant::new(anchor.owner, reader_id, Nonce::new(self.bytes()), terms);
        self.receipts = vec![OneReceipt {
            id: receipt,
            view: ReceiptView {
                record: anchor.record_id(),
                reader: reader_id,
                grant: grant.id,
                at: self.head,
            },
            grant: 0,
            record: at,
        }];
        let request = KeeperRequest {
            version: 1,
            keeper: self.keeper.address(),
            record: anchor.record_id(),
            grant: grant.id,
            receipt,
            one_time_key: OneTimeKey::generate(&mut self.dice).public(),
            binding: None,
            expiry: self.now.plus(600),
        };
        self.grants = vec![OneGrant {
            grant,
            reader,
            binding: None,
            revoked: false,
        }];
        let signature = self.readers[reader].sign_digest(&request.digest(&DOMAIN));
        SignedRequest { request, signature }
    }

    fn ask(&mut self, at: usize, signed: SignedRequest) -> Result<(), RefusalReason> {
        let facts = self.facts(Some(at), Some(&signed));
        let effects = self.act(&Event::Release(Box::new(signed)), &facts);
        match effects.into_iter().next_back() {
            Some(Effect::Reply(Reply::Released(reply))) => match reply.reply {
                KeeperReply::Released(_) => Ok(()),
                KeeperReply::Refused(reason) => Err(reason),
            },
            other => panic!("no signed reply: {other:?}"),
        }
    }

    /// The rules of design 06, said once more in another way.
    fn oracle(&self, at: Option<usize>, signed: &SignedRequest, facts: &Facts) -> bool {
        let request = &signed.request;
        let (Some(at), Some(signer)) = (at, facts.signer) else {
            return false;
        };
        let record = &self.records[at];
        let receipt = self
            .receipts
            .iter()
            .find(|one| one.id == request.receipt)
            .map(|one| one.view);
        let grant = self.grants.iter().find(|one| one.grant.id == request.grant);
        let (Some(receipt), Some(grant)) = (receipt, grant) else {
            return false;
        };
        let terms = &grant.grant.terms;
        let is_current = |binding: &Binding| {
            let signed = binding.digest(&DOMAIN);
            medibloc_keys::recover(&signed, &binding.signature).ok()
                == self.accounts.last().map(SigningKey::address)
        };
        let on = self.on_receipts.get(&request.receipt);
        let bound = terms.binding.is_none()
            || (request.binding == grant.binding
                && grant.binding.as_ref().is_some_and(is_current)
                && !self.suspended);
        // Whatever is over by the clock or by the chain is over.
        let time = if self.head > self.now {
            self.head
        } else {
            self.now
        };
        [
            request.keeper == self.keeper.address(),
            self.now.since(self.head) <= 300,
            request.expiry >= time && request.expiry.0 - time.0 <= 600,
            !self.answered.contains_key(&request.digest(&DOMAIN)),
            on.is_none_or(|ends| ends.len() < 16),
            record.deposited && !record.erased,
            receipt.record == request.record
                && receipt.grant == request.grant
                && receipt.reader == signer,
            time.since(receipt.at) <= 600,
            !grant.revoked && time >= terms.from && time < terms.until,
            grant.grant.reader == signer && grant.grant.owner == record.anchor.owner,
            grant.grant.covers(request.record, record.anchor.class),
            bound,
        ]
        .iter()
        .all(|holds| *holds)
    }
}

/// What a reader with valid keys, receipts and grants can make a keeper remember.
#[test]
fn the_memory_of_requests_is_bounded_by_time_by_reader_and_in_all() {
    let mut model = Model::new(12);
    while !model.records.iter().any(|one| one.deposited && !one.erased) {
        model.one_step();
    }
    let mut counts = Vec::new();
    let mut most = 0;
    for round in 0..3_u64 {
        // One reader asks as fast as it can, with another one-time key each time.
        let (mut answered, mut busy) = (0_u32, 0_u32);
        for _ in 0..2_000 {
            match model.flood() {
                Ok(()) => answered += 1,
                Err(RefusalReason::Busy) => busy += 1,
                Err(other) => panic!("round {round}: {other}"),
            }
            most = most.max(model.state.answered_count());
        }
        counts.push((answered, busy));
        model.now = model.now.plus(601);
        model.head = model.now;
    }
    assert_eq!(
        counts,
        [(512, 1_488); 3],
        "one reader's share, free again when they expire"
    );
    assert!(most <= 512, "{most} remembered");
    println!("ATTACK security-17: 6,000 requests of one reader, {most} remembered");
}

/// A receipt costs gas: what is asked on one has a bound of its own.
#[test]
fn one_receipt_is_answered_so_often_and_another_opens_again() {
    let mut model = Model::new(14);
    let at = model.shared_by_two_owners()[0];
    for receipt in [1, 2] {
        let mut answered = 0;
        for _ in 0..40 {
            let signed = model.good_request(at, 0, ReceiptId::new([receipt; 32]));
            match model.ask(at, signed) {
                Ok(()) => answered += 1,
                Err(reason) => assert_eq!(reason, RefusalReason::Busy),
            }
        }
        assert_eq!(answered, 16);
    }
}

/// Addresses are free, receipts and shares of junk records cost little: whoever fills a keeper's memory with them pushes out its
/// own, and a reader of another owner's record is answered, and remembered.
#[test]
fn whoever_fills_the_memory_of_requests_keeps_nobody_from_reading() {
    const MOST: usize = 64;
    let mut model = Model::new(15);
    let [junk, good] = model.shared_by_two_owners();
    model.state = model.state_again(State::remembering(MOST));
    let honest = model.good_request(good, 0, ReceiptId::new([1; 32]));
    model.ask(good, honest.clone()).unwrap();
    let mut refused = 0;
    for _ in 0..10 * MOST {
        // Another free address each time.
        let key = SigningKey::from_bytes(&model.bytes()).unwrap();
        model.readers[1] = key;
        let receipt = ReceiptId::new(model.bytes());
        let signed = model.good_request(junk, 1, receipt);
        model.ask(junk, signed).unwrap();
        let receipt = ReceiptId::new(model.bytes());
        let of_another = model.good_request(good, 2, receipt);
        // The honest one asks now and then.
        if refused == 0 && model.roll(MOST) == 0 && model.ask(good, of_another).is_err() {
            refused += 1;
        }
        assert!(model.state.answered_count() <= MOST);
    }
    assert_eq!(refused, 0);
    // What it asked first is still known: not it was the greediest.
    let receipt = honest.request.receipt;
    model.good_request(good, 0, receipt);
    assert_eq!(model.ask(good, honest), Err(RefusalReason::Replayed));
    println!(
        "ATTACK eighth-2: {} free addresses fill the memory of {MOST} requests, {refused} of another owner's readers refused",
        10 * MOST
    );
}

#[test]
fn a_hundred_thousand_random_steps_keep_the_rules() {
    let mut model = Model::new(11);
    for _ in 0..STEPS {
        model.one_step();
    }
    println!(
        "{} released, {} refused, {} restarts",
        model.released, model.refused, model.reloads
    );
    assert!(
        model.released > 1_000 && model.refused > 1_000 && model.reloads > 100,
        "the walk reaches both answers"
    );
}

/// Whoever runs another keeper has readers' requests, and sends them on: to a keeper that they do not name, late, and again.
#[test]
fn requests_that_somebody_passes_on_tell_owners_nothing_of_the_reader() {
    let mut model = Model::new(13);
    while !model.records.iter().any(|one| one.deposited && !one.erased) {
        model.one_step();
    }
    model.now = model.now.plus(601);
    model.head = model.now;
    model.flood().unwrap();
    let at = model
        .records
        .iter()
        .position(|one| model.receipts[0].view.record == one.id);
    let at = at.unwrap();
    let mut request = KeeperRequest {
        version: 1,
        keeper: Address::new([3; 20]),
        record: model.records[at].id,
        grant: model.grants[0].grant.id,
        receipt: model.receipts[0].id,
        one_time_key: OneTimeKey::generate(&mut model.dice).public(),
        binding: None,
        expiry: model.now.plus(600),
    };
    let ask = |model: &mut Model, request: &KeeperRequest| {
        let signature = model.readers[0].sign_digest(&request.digest(&DOMAIN));
        let signed = SignedRequest {
            request: request.clone(),
            signature,
        };
        let facts = model.facts(Some(at), Some(&signed));
        assert!(facts.signer_has_grant);
        let effects = model.act(&Event::Release(Box::new(signed)), &facts);
        let Some(Effect::Reply(Reply::Released(reply))) = effects.last() else {
            panic!("no signed reply")
        };
        let KeeperReply::Refused(reason) = reply.reply.clone() else {
            return (None, effects.len());
        };
        (Some(reason), effects.len())
    };
    let before = model.refusals(at);
    let mut told = 0;
    // Addressed to another keeper, before and after the revocation.
    for revoked in [false, true] {
        model.grants[0].revoked = revoked;
        for _ in 0..100 {
            let (reason, effects) = ask(&mut model, &request);
            assert_eq!(reason, Some(RefusalReason::WrongKeeper));
            told += effects - 1;
        }
    }
    // Of another version, over, and answered before.
    model.grants[0].revoked = false;
    request.keeper = model.keeper.address();
    assert_eq!(ask(&mut model, &request).0, None);
    let expired = Timestamp(model.now.0 - 1);
    for (version, expiry, why) in [
        (2, request.expiry, RefusalReason::WrongKeeper),
        (1, expired, RefusalReason::RequestExpired),
        (1, request.expiry, RefusalReason::Replayed),
    ] {
        let request = KeeperRequest {
            version,
            expiry,
            ..request.clone()
        };
        for _ in 0..100 {
            let (reason, effects) = ask(&mut model, &request);
            assert_eq!(reason.as_ref(), Some(&why));
            told += effects - 1;
        }
    }
    assert_eq!((told, model.refusals(at)), (0, before));
    // What the reader itself asked of this keeper under a consent that has ended is told, once.
    model.grants[0].revoked = true;
    request.one_time_key = OneTimeKey::generate(&mut model.dice).public();
    for _ in 0..100 {
        let (reason, effects) = ask(&mut model, &request);
        assert!(
            matches!(reason, Some(RefusalReason::Consent(_))),
            "{reason:?}"
        );
        told += effects - 1;
    }
    assert_eq!((told, model.refusals(at)), (1, before + 1));
    println!("ATTACK sixth-6: 0 lines of 500 requests passed on, 1 of 100 of one that was refused");
}
