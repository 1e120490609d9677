//! The root brought forward is the root built anew, and no node is left behind.

use std::collections::BTreeMap;

use alloy::consensus::{Header, proofs};
use proptest::prelude::*;

use super::*;
use crate::disk::{Disk, Head, NewBlock};

type Model = BTreeMap<Address, (Account, BTreeMap<U256, U256>)>;

/// One thing that a block does to one of sixteen accounts.
#[derive(Debug, Clone)]
enum Step {
    Pay(u8, u64),
    Remove(u8),
    Wipe(u8),
    Set(u8, u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..16u8, 1..9u64).prop_map(|(who, coins)| Step::Pay(who, coins)),
        1 => (0..16u8).prop_map(Step::Remove),
        1 => (0..16u8).prop_map(Step::Wipe),
        9 => (0..16u8, 0..24u8, 0..3u8).prop_map(|(who, slot, value)| Step::Set(who, slot, value)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn root_is_as_built_anew(
        blocks in prop::collection::vec(prop::collection::vec(step(), 0..24), 1..12),
    ) {
        let disk = Disk::memory().unwrap();
        let mut model = Model::new();
        let mut root = EMPTY_ROOT_HASH;
        for (number, steps) in (0u64..).zip(blocks) {
            let before = model.clone();
            let mut wiped = Vec::new();
            for step in steps {
                apply_step(&mut model, &mut wiped, &step);
            }
            let mut changes = changes(&before, &model, &wiped);
            root = keep(&disk, number, root, &mut changes);
            prop_assert_eq!(root, built_anew(&model));
            prop_assert_eq!(Arc::new(disk.snapshot().unwrap()).stored_root(), root);
        }
        // A chain that came to this state in one block has as many nodes.
        let fresh = Disk::memory().unwrap();
        let mut all = changes(&Model::new(), &model, &[]);
        prop_assert_eq!(keep(&fresh, 0, EMPTY_ROOT_HASH, &mut all), root);
        let nodes = |disk: &Disk| disk.snapshot().unwrap().node_count().unwrap();
        prop_assert_eq!(nodes(&disk), nodes(&fresh));
    }
}

fn apply_step(model: &mut Model, wiped: &mut Vec<Address>, step: &Step) {
    let address = |who: u8| Address::repeat_byte(who);
    match *step {
        Step::Pay(who, coins) => {
            let fresh = Account {
                nonce: 1,
                balance: U256::ZERO,
                code_hash: alloy::primitives::KECCAK256_EMPTY,
                storage_root: EMPTY_ROOT_HASH,
            };
            let row = model
                .entry(address(who))
                .or_insert((fresh, BTreeMap::new()));
            row.0.balance += U256::from(coins);
        }
        Step::Remove(who) => {
            if model.remove(&address(who)).is_some() {
                wiped.push(address(who));
            }
        }
        Step::Wipe(who) => {
            if let Some((_, slots)) = model.get_mut(&address(who)) {
                slots.clear();
                wiped.push(address(who));
            }
        }
        Step::Set(who, slot, value) => {
            if let Some((_, slots)) = model.get_mut(&address(who)) {
                slots.insert(U256::from(slot), U256::from(value));
                slots.retain(|_, value| !value.is_zero());
            }
        }
    }
}

/// What the machine would say of a block that turned one model into another.
fn changes(before: &Model, after: &Model, wiped: &[Address]) -> Vec<Change> {
    let addresses: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let none = BTreeMap::new();
    addresses
        .into_iter()
        .map(|address| {
            let (old, new) = (before.get(address), after.get(address));
            let wiped = wiped.contains(address) && old.is_some();
            let old_slots = old.map_or(&none, |(_, slots)| slots);
            let new_slots = new.map_or(&none, |(_, slots)| slots);
            let start = if wiped { &none } else { old_slots };
            let keys: std::collections::BTreeSet<_> =
                start.keys().chain(new_slots.keys()).collect();
            let slots = keys.into_iter().filter_map(|key| {
                let value = |slots: &BTreeMap<U256, U256>| slots.get(key).copied();
                let was = value(start).unwrap_or_default();
                let is = value(new_slots).unwrap_or_default();
                (was != is).then_some((*key, (was, is)))
            });
            let root = proofs::storage_root_unhashed(hashed_slots(old_slots));
            Change {
                address: *address,
                before: old.map(|(account, _)| Account {
                    storage_root: root,
                    ..*account
                }),
                after: new.map(|(account, _)| *account),
                wiped,
                slots: slots.collect(),
                code: None,
            }
        })
        .collect()
}

fn keep(disk: &Disk, number: u64, root: B256, changes: &mut [Change]) -> B256 {
    let snapshot = Arc::new(disk.snapshot().unwrap());
    let (state_root, nodes) = advance(&snapshot, root, changes).unwrap();
    let header = Header {
        number,
        state_root,
        ..Default::default()
    };
    let head = Head {
        hash: header.hash_slow(),
        header,
    };
    disk.keep(&NewBlock {
        head: &head,
        body: &[],
        changes,
        nodes: &nodes,
        meta: &[],
    })
    .unwrap();
    state_root
}

fn built_anew(model: &Model) -> B256 {
    proofs::state_root_unhashed(model.iter().map(|(address, (account, slots))| {
        let storage_root = proofs::storage_root_unhashed(hashed_slots(slots));
        (
            *address,
            TrieAccount {
                storage_root,
                ..trie_account(account)
            },
        )
    }))
}

fn hashed_slots(slots: &BTreeMap<U256, U256>) -> impl Iterator<Item = (B256, U256)> {
    slots
        .iter()
        .map(|(slot, value)| (B256::from(*slot), *value))
}

impl Snapshot {
    /// The state root that what is on the disk has.
    pub(crate) fn stored_root(&self) -> B256 {
        let mut slots = BTreeMap::<Address, BTreeMap<U256, U256>>::new();
        for (address, slot, value) in self.all_slots().unwrap() {
            slots.entry(address).or_default().insert(slot, value);
        }
        let model = self
            .all_accounts()
            .unwrap()
            .into_iter()
            .map(|(address, account)| {
                (
                    address,
                    (account, slots.remove(&address).unwrap_or_default()),
                )
            });
        let root = built_anew(&model.collect());
        assert!(slots.is_empty(), "slots without an account");
        root
    }
}
