//! Calls that no program of ours writes, with valid keys, against the real programs.

use medibloc_api::{Code, Problem};
use medibloc_evil::forged::{Forged, forge};
use medibloc_evil::stranger::{Answer, Stranger};
use medibloc_ledger::{Call, SignedCall};
use medibloc_node::system_clock;
use medibloc_record::Role;

use crate::attacks::World;

const JUNK: usize = 150_000;

fn rotation(seed: u8) -> Call {
    Call::RotateSealingKey {
        sealing_key: [seed; 32],
    }
}

async fn forged(world: &World, by: &Stranger, call: &Call, forged: Forged) -> SignedCall {
    let deployed = world.ledger.deployed();
    let domain = (deployed.chain_id, deployed.contracts.forwarder);
    let now = system_clock()();
    forge(&world.ledger, domain, &by.key, call, (now, forged))
        .await
        .unwrap()
}

fn refused(answer: &Answer, why: &str) -> Problem {
    let problem = Problem::parse(&answer.1).unwrap_or_else(|| panic!("{} is no problem", answer.0));
    assert_eq!(problem.code, Code::BadCall, "{}", problem.detail);
    assert!(problem.detail.contains(why), "{}", problem.detail);
    problem
}

#[tokio::test]
async fn bytes_behind_a_call_are_refused_before_they_cost_the_wallet_anything() {
    let world = World::new("requests = 1000\n").await;
    let (victim, author) = (world.registered(1).await, world.registered(2).await);
    let thief = world.registered(100).await;
    world.permit(&victim, &author).await;
    let before = world.coins().await;
    let mut sent = 0;
    for (junk, byte) in [(1, 0), (32, 0), (10_000, 0xff), (JUNK, 0), (JUNK, 0xff)] {
        let fat = Forged {
            gas: Some(60_000),
            behind: vec![byte; junk],
        };
        let call = forged(&world, &thief, &rotation(1), fat).await;
        let why = if junk < JUNK {
            "one form"
        } else {
            "98304 are carried"
        };
        refused(&thief.relay(&call, None).await, why);
        sent += 1;
    }
    let nobody = world.stranger(900);
    let register = Call::Register {
        role: Role::Person,
        sealing_key: [3; 32],
    };
    let fat = Forged {
        gas: None,
        behind: vec![0xff; 90_000],
    };
    let call = forged(&world, &nobody, &register, fat).await;
    let work = nobody.work(&call).await;
    refused(&nobody.relay(&call, work).await, "one form");
    sent += 1;
    assert_eq!(world.coins().await, before, "nothing left the wallet");
    let answer = world.call(&victim, &Call::RevokeAll).await;
    assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    let answer = world.call(&thief, &rotation(2)).await;
    assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    println!(
        "ATTACK fresh-1: {sent} of {sent} calls with junk behind refused at once, the wallet paid 0; the revocation beside them passed"
    );
}

#[tokio::test]
async fn a_call_asks_for_no_more_gas_than_it_can_use() {
    let world = World::new("requests = 1000\n").await;
    let thief = world.registered(100).await;
    let before = world.coins().await;
    let rows = [
        (rotation(1), 2_900_000, "may ask for 400000 at most"),
        (Call::RevokeAll, 2_900_000, "may ask for 300000 at most"),
        (Call::RevokeAll, 300_001, "may ask for 300000 at most"),
    ];
    for (call, gas, why) in &rows {
        let greedy = Forged {
            gas: Some(*gas),
            behind: Vec::new(),
        };
        let call = forged(&world, &thief, call, greedy).await;
        refused(&thief.relay(&call, None).await, why);
    }
    assert_eq!(world.coins().await, before, "nothing left the wallet");
    println!(
        "ATTACK fresh-3: {} of {} calls that ask for up to 2.9 M gas refused with what to ask for",
        rows.len(),
        rows.len()
    );
}
