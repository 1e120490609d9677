//! Final events, folded.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::names::Names;
use medibloc_consent::{AnchorFields, Decision, Grant, WriteGrant, is_live};
use medibloc_dag::Cid;
use medibloc_keeper::ReceiptView;
use medibloc_ledger::{BlockEvents, Event, Withdrawal};
use medibloc_record::{
    AccountId, Address, Committee, Digest, GrantId, ReceiptId, RecordId, Timestamp,
};

mod standing;

/// Seconds that receipts are remembered: keepers take them for ten minutes.
const RECEIPTS: u64 = 3_600;

/// A record as the chain has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordEntry {
    pub(crate) anchor: AnchorFields,
    /// The block of its anchor.
    pub(crate) block: u64,
    /// Its place among all anchors.
    pub(crate) order: u64,
    /// The place of what its anchor names among all names.
    pub(crate) named: u64,
    /// Its owner accepted it.
    pub(crate) accepted: bool,
    pub(crate) erased: bool,
}

/// A grant as the chain has it.
#[derive(Clone, Debug)]
pub(crate) struct GrantEntry {
    pub(crate) grant: Grant,
    pub(crate) revoked: bool,
}

/// What an object's digest stands for on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// Package, key set or attestation.
    Of(RecordId),
    /// A capsule.
    Capsule(RecordId),
    /// A grant's object or key list.
    Grant(GrantId),
    /// A write grant's object.
    Write(AccountId, AccountId),
}

impl Object {
    /// The record that has it.
    pub(crate) const fn record(self) -> Option<RecordId> {
        match self {
            Self::Of(record) | Self::Capsule(record) => Some(record),
            Self::Grant(_) | Self::Write(..) => None,
        }
    }
}

/// What final events say.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(super) next: u64,
    pub(super) now: Timestamp,
    records: HashMap<RecordId, RecordEntry>,
    grants: HashMap<GrantId, GrantEntry>,
    between: HashMap<(AccountId, AccountId), Vec<GrantId>>,
    given: HashMap<AccountId, Vec<GrantId>>,
    writes: HashMap<(AccountId, AccountId), WriteGrant>,
    pub(super) addresses: HashMap<Address, AccountId>,
    /// Addresses that were rotated away: letters to them still arrive.
    former: HashMap<Address, AccountId>,
    /// From and until when accounts are accredited.
    accredited: HashMap<AccountId, (Timestamp, Timestamp)>,
    suspended: BTreeSet<AccountId>,
    /// Since which blocks which committees are in force.
    committees: Vec<(u64, Committee)>,
    /// How often the committee or its keepers changed.
    pub(super) changes: u64,
    /// Since when places have the wrap keys that they have.
    wrap_keys: HashMap<u8, Timestamp>,
    receipts: HashMap<ReceiptId, ReceiptView>,
    recent: VecDeque<(Timestamp, ReceiptId)>,
    objects: HashMap<Digest, Names>,
    /// How many digests were ever named.
    named: u64,
    /// Capsules that replaced a record's first, and their places.
    capsules: HashMap<RecordId, Vec<(u64, Digest)>>,
    /// Records for which their owners stand since this was dealt with last.
    pub(crate) stood_for: BTreeSet<RecordId>,
    /// Records whose blocks are not known yet.
    pub(crate) unindexed: BTreeSet<RecordId>,
    /// Erased records that are not dealt with yet.
    pub(crate) to_erase: BTreeSet<RecordId>,
}

impl Model {
    pub(crate) fn record(&self, id: RecordId) -> Option<RecordEntry> {
        self.records.get(&id).copied()
    }

    pub(crate) fn grant(&self, id: GrantId) -> Option<&GrantEntry> {
        self.grants.get(&id)
    }

    pub(crate) fn receipt(&self, id: ReceiptId) -> Option<ReceiptView> {
        self.receipts.get(&id).copied()
    }

    pub(crate) fn has_any_grant(&self, owner: AccountId, reader: AccountId) -> bool {
        self.between.contains_key(&(owner, reader))
    }

    /// Whether an account ever gave another anything to read or to write. What others give it makes no pair: anybody
    /// can give anybody anything.
    pub(crate) fn has_given_to(&self, account: AccountId, other: AccountId) -> bool {
        let pair = (account, other);
        self.between.contains_key(&pair) || self.writes.contains_key(&pair)
    }

    /// Whether an account is accredited now and not suspended.
    pub(crate) fn is_accredited(&self, account: AccountId, now: Timestamp) -> bool {
        let term = self.accredited.get(&account);
        term.is_some_and(|(from, until)| *from <= now && now <= *until)
            && !self.suspended.contains(&account)
    }

    /// Whether an account has what it would take back: a standing grant, a record that is not erased.
    pub(crate) fn has_given(&self, owner: AccountId, what: Withdrawal) -> bool {
        let any = |ids: Option<&Vec<GrantId>>| {
            let mut given = ids.into_iter().flatten();
            given.any(|id| self.grants.get(id).is_some_and(|it| self.is_standing(it)))
        };
        let stands = |write: &WriteGrant| self.now < write.until;
        match what {
            Withdrawal::Grant(id) => self
                .grants
                .get(&id)
                .is_some_and(|it| it.grant.owner == owner && self.is_standing(it)),
            Withdrawal::Reader(reader) => any(self.between.get(&(owner, reader))),
            Withdrawal::Author(author) => self.writes.get(&(owner, author)).is_some_and(stands),
            Withdrawal::All => {
                let mut writes = self.writes.iter();
                any(self.given.get(&owner))
                    || writes.any(|((giver, _), write)| *giver == owner && stands(write))
            }
            Withdrawal::Record(id) => self
                .records
                .get(&id)
                .is_some_and(|it| it.anchor.owner == owner && !it.erased),
            _ => false,
        }
    }

    /// Whether an address was rotated away: it acts for nobody.
    pub(crate) fn is_former(&self, address: Address) -> bool {
        self.former.contains_key(&address)
    }

    /// The account that an address is or was of.
    pub(crate) fn reaches(&self, address: Address) -> Option<AccountId> {
        let now = self.addresses.get(&address);
        now.or_else(|| self.former.get(&address)).copied()
    }

    /// The committee in force at the end of a block.
    pub(crate) fn committee_at(&self, block: u64) -> Option<Committee> {
        let mut older = self.committees.iter().rev();
        older
            .find(|(since, _)| *since <= block)
            .map(|(_, committee)| *committee)
    }

    /// Since when a keeper has its wrap key.
    pub(crate) fn wrap_key_since(&self, index: u8) -> Option<Timestamp> {
        self.wrap_keys.get(&index).copied()
    }

    pub(crate) fn objects(&self, digest: Digest) -> &[Object] {
        self.objects.get(&digest).map_or(&[], Names::objects)
    }

    /// Capsules that replaced a record's first.
    pub(crate) fn capsules_of(&self, record: RecordId) -> Vec<Cid> {
        let digests = self.capsules.get(&record).into_iter().flatten();
        digests
            .map(|(_, digest)| Cid::from_dag_cbor_digest(digest.to_bytes()))
            .collect()
    }

    /// Who gave what a consent object says.
    pub(crate) fn giver(&self, object: Object) -> Option<AccountId> {
        match object {
            Object::Grant(id) => self.grants.get(&id).map(|entry| entry.grant.owner),
            Object::Write(owner, _) => Some(owner),
            Object::Of(_) | Object::Capsule(_) => None,
        }
    }

    /// Who of these, in order, must have brought an object for its name to count: digests are public, so anyone can name
    /// another's.
    pub(crate) fn is_brought(&self, uploaders: &[AccountId], object: Object) -> bool {
        let brought = |account: AccountId| uploaders.binary_search(&account).is_ok();
        match object.record() {
            Some(id) => self
                .records
                .get(&id)
                .is_some_and(|it| brought(it.anchor.author) || brought(it.anchor.owner)),
            None => self.giver(object).is_some_and(brought),
        }
    }

    /// Whether a final fact entitles an account to an object.
    pub(crate) fn may_have(&self, account: AccountId, object: Object) -> bool {
        match object {
            Object::Of(record) => self.may_read(account, record),
            Object::Capsule(record) => self
                .records
                .get(&record)
                .is_some_and(|entry| !entry.erased && is_party(&entry.anchor, account)),
            Object::Grant(id) => self.grants.get(&id).is_some_and(|entry| {
                entry.grant.owner == account
                    || (entry.grant.reader == account && self.is_standing(entry))
            }),
            Object::Write(owner, author) => {
                account == owner
                    || (account == author
                        && self
                            .writes
                            .get(&(owner, author))
                            .is_some_and(|write| self.now < write.until))
            }
        }
    }

    /// Owner, author, or reader with a live grant.
    pub(crate) fn may_read(&self, account: AccountId, record: RecordId) -> bool {
        let Some(entry) = self.records.get(&record).filter(|entry| !entry.erased) else {
            return false;
        };
        if is_party(&entry.anchor, account) {
            return true;
        }
        let grants = self.between.get(&(entry.anchor.owner, account));
        grants.into_iter().flatten().any(|id| {
            self.grants.get(id).is_some_and(|given| {
                given.grant.covers(record, entry.anchor.class) && self.is_live(given)
            })
        })
    }

    /// Whether an account is owner or author of a record, erased or not.
    pub(crate) fn is_party(&self, account: AccountId, record: RecordId) -> bool {
        self.records
            .get(&record)
            .is_some_and(|entry| is_party(&entry.anchor, account))
    }

    /// Whether an object is an account's own: of its record, or given by it.
    pub(crate) fn owns(&self, account: AccountId, object: Object) -> bool {
        match object.record() {
            Some(record) => {
                let entry = self.records.get(&record);
                entry.is_some_and(|it| it.anchor.owner == account)
            }
            None => self.giver(object) == Some(account),
        }
    }

    /// Whether an owner stands for a record: it accepted it. A consent to one record takes that on the chain, too.
    pub(crate) fn is_stood_for(&self, record: RecordId) -> bool {
        self.records
            .get(&record)
            .is_some_and(|entry| entry.accepted)
    }

    pub(crate) fn is_erased(&self, record: RecordId) -> bool {
        self.records.get(&record).is_some_and(|entry| entry.erased)
    }

    /// The time of the last final block that was seen.
    pub(crate) const fn time(&self) -> Timestamp {
        self.now
    }

    /// How many records were ever anchored.
    pub(crate) fn anchored_records(&self) -> u64 {
        self.records.len() as u64
    }

    fn is_live(&self, entry: &GrantEntry) -> bool {
        is_live(&entry.grant, true, entry.revoked, self.now) == Decision::Allowed
    }

    /// As live, but it may begin later: its object is there to be fetched.
    fn is_standing(&self, entry: &GrantEntry) -> bool {
        !entry.revoked && self.now < entry.grant.terms.until
    }

    pub(super) fn from(first: u64) -> Self {
        Self {
            next: first,
            ..Self::default()
        }
    }

    pub(super) fn take(&mut self, block: BlockEvents) {
        self.next = self.next.max(block.number + 1);
        for event in block.events {
            self.fold(block.number, block.time, event);
        }
    }

    fn fold(&mut self, block: u64, at: Timestamp, event: Event) {
        match event {
            Event::Registered { account, .. } => {
                self.former.remove(&account.first_address());
                self.addresses.insert(account.first_address(), account);
            }
            Event::AddressRotated { account, from, to } => {
                self.addresses.remove(&from);
                self.former.insert(from, account);
                self.former.remove(&to);
                self.addresses.insert(to, account);
            }
            Event::Accredited {
                account,
                from,
                until,
                ..
            } => {
                self.accredited.insert(account, (from, until));
            }
            Event::Suspended { account } => {
                self.suspended.insert(account);
            }
            Event::Reinstated { account } => {
                self.suspended.remove(&account);
            }
            Event::CommitteeFormed { committee } => {
                self.committees.push((block, committee));
                self.changes += 1;
            }
            Event::KeeperRegistered { index } | Event::WrapKeyRotated { index, .. } => {
                self.changes += 1;
                self.wrap_keys.insert(index, at);
            }
            Event::Anchored(anchor) => self.anchored(block, anchor),
            Event::Accepted { record } => {
                if let Some(entry) = self.records.get_mut(&record) {
                    entry.accepted = true;
                }
                self.stand_for(record);
            }
            Event::Erased { record } => {
                if let Some(entry) = self.records.get_mut(&record) {
                    entry.erased = true;
                }
                self.to_erase.insert(record);
            }
            Event::CapsuleReplaced { record, digest, .. } => {
                let anchor = self.records.get(&record).map(|entry| entry.anchor);
                if let Some(anchor) = anchor {
                    let by = [anchor.author, anchor.owner];
                    self.name(digest, by, Object::Capsule(record));
                }
                let capsules = self.capsules.entry(record).or_default();
                capsules.push((self.named, digest));
                self.stand_for(record);
            }
            Event::WriteGranted(write) => {
                let object = Object::Write(write.owner, write.author);
                self.name(write.digest, [write.owner; 2], object);
                self.writes.insert((write.owner, write.author), write);
            }
            Event::WriteRevoked { owner, author } => {
                self.writes.remove(&(owner, author));
            }
            Event::Granted(grant) => {
                let between = (grant.owner, grant.reader);
                self.name(
                    grant.terms.digest,
                    [grant.owner; 2],
                    Object::Grant(grant.id),
                );
                self.between.entry(between).or_default().push(grant.id);
                self.given.entry(grant.owner).or_default().push(grant.id);
                let id = grant.id;
                let revoked = false;
                self.grants.insert(id, GrantEntry { grant, revoked });
            }
            Event::Delivered { grant, digest, .. } => {
                if let Some(giver) = self.grants.get(&grant).map(|it| it.grant.owner) {
                    self.name(digest, [giver; 2], Object::Grant(grant));
                }
            }
            Event::Revoked { grant } => self.revoke(&[grant]),
            Event::ReaderRevoked { owner, reader } => {
                let ids = self.between.get(&(owner, reader)).cloned();
                self.revoke(&ids.unwrap_or_default());
            }
            Event::AllRevoked { owner } => {
                let ids = self.given.get(&owner).cloned();
                self.revoke(&ids.unwrap_or_default());
                self.writes.retain(|(giver, _), _| *giver != owner);
            }
            Event::ReadOpened {
                receipt,
                record,
                reader,
                grant,
                ..
            } => {
                let view = ReceiptView {
                    record,
                    reader,
                    grant,
                    at,
                };
                self.receipts.insert(receipt, view);
                self.recent.push_back((at, receipt));
            }
            _ => {}
        }
    }

    fn anchored(&mut self, block: u64, anchor: AnchorFields) {
        let id = anchor.record_id();
        let by = [anchor.author, anchor.owner];
        for digest in [anchor.package, anchor.key_set, anchor.attestation] {
            self.name(digest, by, Object::Of(id));
        }
        self.name(anchor.capsule, by, Object::Capsule(id));
        let entry = RecordEntry {
            anchor,
            named: self.named,
            block,
            order: self.records.len() as u64,
            accepted: false,
            erased: false,
        };
        self.records.insert(id, entry);
        self.unindexed.insert(id);
    }

    /// What a record names counts from now on, however often others name it, if its owner stands for it.
    fn stand_for(&mut self, record: RecordId) {
        let Some(entry) = self.record(record).filter(|_| self.is_stood_for(record)) else {
            return;
        };
        self.stood_for.insert(record);
        let RecordEntry { anchor, named, .. } = entry;
        let of = [anchor.package, anchor.key_set, anchor.attestation];
        let of = of.map(|digest| (named, digest, Object::Of(record)));
        let capsules = self.capsules.get(&record).into_iter().flatten().copied();
        let capsules = std::iter::once((named, anchor.capsule)).chain(capsules);
        let capsules = capsules.map(|(place, digest)| (place, digest, Object::Capsule(record)));
        for (place, digest, object) in of.into_iter().chain(capsules) {
            self.objects.entry(digest).or_default().stand(place, object);
        }
    }

    /// A digest is an object's name: said by an author for an owner, or by a giver.
    fn name(&mut self, digest: Digest, by: [AccountId; 2], object: Object) {
        self.named += 1;
        let names = self.objects.entry(digest).or_default();
        names.add(by, self.named, object);
    }

    fn revoke(&mut self, ids: &[GrantId]) {
        for id in ids {
            if let Some(entry) = self.grants.get_mut(id) {
                entry.revoked = true;
            }
        }
    }

    pub(super) fn forget_old_receipts(&mut self) {
        while let Some((at, id)) = self.recent.front().copied() {
            if self.now.since(at) <= RECEIPTS {
                break;
            }
            self.recent.pop_front();
            self.receipts.remove(&id);
        }
    }
}

fn is_party(anchor: &AnchorFields, account: AccountId) -> bool {
    anchor.owner == account || anchor.author == account
}
