//! A follower at a chain whose blocks are replaced.

use medibloc_ledger::{BlockEvents, Call, Event, Facts, Follow, LedgerError, Relay, Step, Submit};
use medibloc_record::{AccountId, Role};
use serde_json::{Value, json};

use crate::chains::{Scene, anvil, devchain, key};

/// A read model that can undo.
struct Reader {
    follow: Follow,
    blocks: Vec<BlockEvents>,
    undone: usize,
}

impl Reader {
    fn new(scene: &Scene) -> Self {
        Self {
            follow: Follow::from(scene.ledger.deployed().block),
            blocks: Vec::new(),
            undone: 0,
        }
    }

    async fn catch_up(&mut self, scene: &Scene) -> Result<(), LedgerError> {
        loop {
            let (state, steps) = scene.ledger.follow(&self.follow).await?;
            let at_rest = steps.is_empty();
            for step in steps {
                match step {
                    Step::Apply(block) => self.blocks.push(block),
                    Step::UndoFrom(number) => {
                        let before = self.blocks.len();
                        self.blocks.retain(|block| block.number < number);
                        self.undone += before - self.blocks.len();
                    }
                    Step::Ask(ask) => panic!("the driver answers questions: {ask:?}"),
                }
            }
            self.follow = state;
            if at_rest {
                return Ok(());
            }
        }
    }

    fn registered(&self) -> Vec<AccountId> {
        let events = self.blocks.iter().flat_map(|block| &block.events);
        events
            .filter_map(|event| match event {
                Event::Registered { account, .. } => Some(*account),
                _ => None,
            })
            .collect()
    }
}

async fn register(scene: &Scene, number: u8) -> AccountId {
    let who = key(number);
    let call = Call::Register {
        role: Role::Person,
        sealing_key: [7; 32],
    };
    let deadline = scene.ledger.head().await.unwrap().time.plus(3_600);
    let unsigned = scene
        .ledger
        .prepare(who.address(), &call, deadline)
        .await
        .unwrap();
    let signature = who.sign_digest(&unsigned.digest);
    scene.relay.relay(&unsigned.sign(signature)).await.unwrap();
    AccountId::from_first_address(who.address())
}

#[tokio::test]
async fn a_follower_undoes_what_the_chain_replaced() {
    let Some(chain) = anvil("follow", &[]) else {
        return;
    };
    let scene = Scene::set(chain, 0).await;
    let mut reader = Reader::new(&scene);
    let first = register(&scene, 1).await;
    reader.catch_up(&scene).await.unwrap();
    assert_eq!(reader.registered(), [first]);

    let snapshot: Value = scene.ask("evm_snapshot", json!([])).await;
    let lost = register(&scene, 2).await;
    for _ in 0..5 {
        scene.mine().await;
    }
    reader.catch_up(&scene).await.unwrap();
    assert_eq!(reader.registered(), [first, lost]);
    assert_eq!(reader.undone, 0);

    let reverted: Value = scene.ask("evm_revert", json!([snapshot])).await;
    assert_eq!(reverted, json!(true));
    // the chain is shorter now: nothing is known to be wrong yet
    scene.ask("evm_increaseTime", json!([100])).await;
    let other = register(&scene, 3).await;
    let third = register(&scene, 4).await;
    reader.catch_up(&scene).await.unwrap();
    assert_eq!(reader.registered(), [first, other, third]);
    assert_eq!(reader.undone, 6);
}

#[tokio::test]
async fn anvils_own_reorganisation_is_followed() {
    let Some(chain) = anvil("reorg", &[]) else {
        return;
    };
    let scene = Scene::set(chain, 0).await;
    let mut reader = Reader::new(&scene);
    let first = register(&scene, 1).await;
    for number in 2..=40 {
        scene.mine().await;
        if number % 10 == 0 {
            register(&scene, number).await;
        }
    }
    reader.catch_up(&scene).await.unwrap();
    assert_eq!(reader.registered().len(), 5);
    scene.ask("anvil_reorg", json!([38, []])).await;
    scene.mine().await;
    reader.catch_up(&scene).await.unwrap();
    assert_eq!(reader.undone, 38);
    let kept = reader.registered();
    assert_eq!(kept.first(), Some(&first));
    let facts = &scene.ledger;
    for number in [10, 20, 30, 40] {
        let id = AccountId::from_first_address(key(number).address());
        let stands = facts.account(id).await.unwrap().is_some();
        assert_eq!(kept.contains(&id), stands, "the account {number}");
    }
}

#[tokio::test]
async fn a_long_chain_is_read_in_leaps_and_a_restart_goes_on() {
    let scene = Scene::set(devchain(), 0).await;
    let mut reader = Reader::new(&scene);
    let mut all = Vec::new();
    for number in 1..=4 {
        all.push(register(&scene, number).await);
        for _ in 0..80 {
            scene.mine().await;
        }
    }
    reader.catch_up(&scene).await.unwrap();
    assert_eq!(reader.registered(), all);
    assert!(
        reader.blocks.len() < 150,
        "blocks without events are passed over"
    );
    let stored = serde_json::to_string(&reader.follow).unwrap();
    reader.follow = serde_json::from_str(&stored).unwrap();
    all.push(register(&scene, 5).await);
    reader.catch_up(&scene).await.unwrap();
    assert_eq!(reader.registered(), all);
}
