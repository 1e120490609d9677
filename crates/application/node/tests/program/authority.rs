//! What the authority did stands on the chain, for whoever must know after its wallet was stolen.

use medibloc_api::Deployment;
use medibloc_evil::stranger::Stranger;
use medibloc_ledger::Call;
use medibloc_node::{connect, system_clock};
use medibloc_record::{AccountId, Role};
use serde_json::Value;

use crate::start::{Institution, done, ready, refused};

#[tokio::test]
async fn accreditations_suspensions_and_reinstatements_are_listed_with_block_and_time() {
    let world = Institution::new();
    let at = world.folder.path();
    let gateway = world.start_gateway();
    ready(&world.node).await;
    let file = std::fs::read(at.join("deployment.json")).unwrap();
    let deployment = Deployment::parse(&file).unwrap();
    let ledger = connect(&deployment).await.unwrap();
    let mut accounts = Vec::new();
    for number in 1..3_u8 {
        let stranger = Stranger::new(number.into(), &world.node, deployment.domain());
        let call = Call::Register {
            role: Role::Provider,
            sealing_key: [number; 32],
        };
        let call = stranger
            .sign(&ledger, &call, system_clock()())
            .await
            .unwrap();
        let work = stranger.work(&call).await;
        let answer = stranger.relay(&call, work).await;
        assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
        accounts.push(AccountId::from_first_address(stranger.key.address()).to_string());
    }
    let act = |verb: &str, account: &str, rest: &[&str]| {
        let words = [
            "authority",
            verb,
            "--deployment",
            "deployment.json",
            "--key",
            "authority.json",
        ];
        done(
            at,
            &[&words, ["--account", account].as_slice(), rest].concat(),
        )
    };
    let list = |rest: &[&str]| {
        let words = ["authority", "list", "--deployment", "deployment.json"];
        done(at, &[words.as_slice(), rest].concat())
    };
    assert_eq!(list(&[])["acts"], serde_json::json!([]));
    // Patients confirm a provider by its name: it is what they see.
    for name in ["", " ", "Hana ", "Ha\u{200b}na", "Ha\nna", "\u{202e}anaH"] {
        let words = [
            "authority",
            "accredit",
            "--deployment",
            "deployment.json",
            "--key",
            "authority.json",
            "--account",
            &accounts[0],
            "--name",
            name,
            "--profession",
            "hospital",
            "--jurisdiction",
            "KR",
            "--out",
            "no.jwt",
        ];
        let told = refused(at, &words);
        assert!(told.contains("nothing was sent"), "{name:?}: {told}");
    }
    for (number, account) in accounts.iter().enumerate() {
        let out = format!("{number}.jwt");
        let rest = [
            "--name",
            "Hana",
            "--profession",
            "hospital",
            "--jurisdiction",
            "KR",
            "--days",
            "30",
            "--out",
            &out,
        ];
        act("accredit", account, &rest);
    }
    let suspended = act("suspend", &accounts[0], &[]);
    let other = act("reinstate", &accounts[1], &[]);
    assert_eq!(other["done"], "nothing", "{other}");
    let again = act("suspend", &accounts[0], &[]);
    assert_eq!(again["done"], "nothing", "{again}");
    assert!(again["because"].as_str().unwrap().contains("already"));
    act("reinstate", &accounts[0], &[]);
    let listed = list(&[]);
    let done_to = |listed: &Value| -> Vec<(String, String)> {
        let acts = listed["acts"].as_array().unwrap().iter();
        acts.map(|act| {
            assert!(act["time"].as_u64().unwrap() > 1_600_000_000, "{act}");
            assert_eq!(act["wallet"], deployment.authority.to_string(), "{act}");
            let word = |name: &str| act[name].as_str().unwrap().to_owned();
            (word("done"), word("account"))
        })
        .collect()
    };
    let of = |what: &str, number: usize| (what.to_owned(), accounts[number].clone());
    assert_eq!(
        done_to(&listed),
        [
            of("accredited", 0),
            of("accredited", 1),
            of("suspended", 0),
            of("reinstated", 0)
        ]
    );
    assert_eq!(listed["acts"][2]["block"], suspended["block"]);
    assert!(
        listed["as_of_block"].as_u64() >= suspended["block"].as_u64(),
        "{listed}"
    );
    let first = &listed["acts"][0];
    assert_eq!(
        first["until"].as_u64().unwrap() - first["from"].as_u64().unwrap(),
        30 * 86_400
    );
    let jwt = std::fs::read(at.join("0.jwt")).unwrap();
    assert_eq!(
        first["credential"],
        medibloc_record::Digest::of(&jwt).to_string()
    );
    let one = list(&["--account", &accounts[1]]);
    assert_eq!(done_to(&one), [of("accredited", 1)]);
    // A wallet that may and cannot pay leaves no credential that does not count.
    let poor = done(at, &["keys", "wallet", "--out", "poor.json"]);
    let key = ["--deployment", "deployment.json", "--key"];
    let give = [
        &["authority", "role", "give"],
        key.as_slice(),
        &["authority.json", "--role", "accreditor", "--wallet"],
    ]
    .concat();
    done(
        at,
        &[give.as_slice(), &[poor["address"].as_str().unwrap()]].concat(),
    );
    let rest = [
        "--name",
        "Hana",
        "--profession",
        "hospital",
        "--jurisdiction",
        "KR",
        "--out",
        "poor.jwt",
    ];
    let accredit = [
        &["authority", "accredit"],
        key.as_slice(),
        &["poor.json", "--account", &accounts[1]],
        &rest,
    ]
    .concat();
    // The file still names the wallet before: its credentials would count for nobody, and replace one that does.
    let told = refused(at, &accredit);
    for part in ["names", "as the authority", "Nothing was sent"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!at.join("poor.jwt").exists());
    let mut handed: Value = serde_json::from_slice(&file).unwrap();
    handed["authority"] = poor["address"].clone();
    std::fs::write(at.join("handed.json"), handed.to_string()).unwrap();
    let handed: Vec<&str> = accredit
        .iter()
        .map(|word| match *word {
            "deployment.json" => "handed.json",
            word => word,
        })
        .collect();
    let told = refused(at, &handed);
    assert!(told.contains("has 0 wei"), "{told}");
    assert!(!at.join("poor.jwt").exists());
    // One that does not accredit is told so.
    done(at, &["keys", "wallet", "--out", "none.json"]);
    let none: Vec<&str> = handed
        .iter()
        .map(|word| match *word {
            "poor.json" => "none.json",
            word => word,
        })
        .collect();
    let told = refused(at, &none);
    assert!(told.contains("does not accredit on the chain"), "{told}");
    // What is replaced is said.
    let rest = [rest.as_slice(), &[]].concat();
    let rest: Vec<&str> = rest
        .into_iter()
        .map(|word| match word {
            "poor.jwt" => "again.jwt",
            word => word,
        })
        .collect();
    let again = act("accredit", &accounts[0], &rest);
    assert_eq!(again["replaced"]["credential"], first["credential"]);
    assert_eq!(done_to(&list(&[])).len(), 5);
    gateway.end();
}
