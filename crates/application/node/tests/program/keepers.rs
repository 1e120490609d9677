//! Keepers are registered by what their operators give away, change places, and roles go from wallet to wallet.

use std::path::Path;

use serde_json::Value;

use super::start::{Institution, Running, done, keeper_keys, ready, refused};

/// An institution with wallets that have coins.
struct Operators {
    world: Institution,
}

impl Operators {
    fn new() -> Self {
        Self {
            world: Institution::new(),
        }
    }

    fn at(&self) -> &Path {
        self.world.folder.path()
    }

    /// A new wallet, NAME.json, with coins.
    fn wallet(&self, name: &str) -> String {
        let file = format!("{name}.json");
        let made = done(self.at(), &["keys", "wallet", "--out", &file]);
        let address = made["address"].as_str().unwrap().to_owned();
        let fund = ["chain", "fund", "--from", "deployer.json", "--to"];
        done(self.at(), &[fund.as_slice(), &[&address]].concat());
        address
    }

    /// A command with the deployment, and this wallet's key.
    fn words<'a>(command: &[&'a str], key: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
        let common = ["--deployment", "deployment.json", "--key", key];
        [command, &common, rest].concat()
    }

    fn role(&self, verb: &str, key: &str, role: &str, wallet: &str) -> Value {
        let rest = ["--role", role, "--wallet", wallet];
        done(
            self.at(),
            &Self::words(&["authority", "role", verb], key, &rest),
        )
    }

    fn role_refused(&self, verb: &str, key: &str, role: &str, wallet: &str) -> String {
        let rest = ["--role", role, "--wallet", wallet];
        refused(
            self.at(),
            &Self::words(&["authority", "role", verb], key, &rest),
        )
    }

    fn holders(&self) -> Value {
        let list = [
            "authority",
            "role",
            "list",
            "--deployment",
            "deployment.json",
        ];
        done(self.at(), &list)
    }

    fn keepers(&self) -> Value {
        let list = ["keepers", "list", "--deployment", "deployment.json"];
        done(self.at(), &list)
    }
}

#[test]
fn a_deployment_takes_public_files_alone_that_their_signers_have_signed() {
    let operators = Operators::new();
    let at = operators.at();
    let deployment = std::fs::read(at.join("deployment.json")).unwrap();
    let deployment: Value = serde_json::from_slice(&deployment).unwrap();
    let rpc = deployment["rpc_urls"][0].as_str().unwrap();
    let deploy = |keepers: &[&str]| -> Vec<String> {
        let words = [
            "chain",
            "deploy",
            "--rpc",
            rpc,
            "--deployer",
            "deployer.json",
        ];
        let rest = [
            "--authority",
            &operators.world.authority,
            "--node",
            "http://127.0.0.1:9",
        ];
        let last = ["--threshold", "1", "--out", "second.json"];
        let named = keepers.iter().flat_map(|keeper| ["--keeper", keeper]);
        let all = words.into_iter().chain(rest).chain(last).chain(named);
        all.map(str::to_owned).collect()
    };
    let said = |keepers: &[&str]| {
        let words = deploy(keepers);
        refused(at, &words.iter().map(String::as_str).collect::<Vec<_>>())
    };

    let secrets = said(&["keepers/keeper-1.json=http://127.0.0.1:9"]);
    for word in ["private keys", "keys public keepers/keeper-1.json"] {
        assert!(secrets.contains(word), "{word}: {secrets}");
    }
    let wallet = said(&["authority.json=http://127.0.0.1:9"]);
    assert!(wallet.contains("private keys"), "{wallet}");

    keeper_keys(at, "other", "1");
    let read = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    let (own, other) = (
        serde_json::from_str::<Value>(&read("keepers/keeper-1.public.json")).unwrap(),
        serde_json::from_str::<Value>(&read("other/keeper-1.public.json")).unwrap(),
    );
    for field in ["signer", "wrap_key", "proof"] {
        let mut changed = own.clone();
        changed[field] = other[field].clone();
        std::fs::write(at.join("changed.json"), changed.to_string()).unwrap();
        let told = said(&["changed.json=http://127.0.0.1:9"]);
        assert!(
            told.contains("the proof in changed.json"),
            "{field}: {told}"
        );
    }

    let twice = "keepers/keeper-1.public.json=http://127.0.0.1:9";
    let told = said(&[twice, "other/keeper-1.public.json=http://127.0.0.1:8"]);
    assert!(told.contains("of place 2"), "{told}");
    assert!(!at.join("second.json").exists());

    // The private files are out of reach: nothing of a deployment needs them.
    std::fs::rename(at.join("other/keeper-1.json"), at.join("at-home.json")).unwrap();
    let words = deploy(&["other/keeper-1.public.json=http://127.0.0.1:9"]);
    done(at, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(at.join("second.json").exists());
}

#[test]
fn public_keys_go_to_standard_output_or_a_new_file_and_nothing_secret_with_them() {
    let operators = Operators::new();
    let at = operators.at();
    let file = "keepers/keeper-1.json";
    let secrets: Value = serde_json::from_slice(&std::fs::read(at.join(file)).unwrap()).unwrap();
    let said = done(at, &["keys", "public", file]);
    assert_eq!(done(at, &["keys", "public", file, "--out", "-"]), said);
    assert!(!at.join("-").exists(), "no file is called -");
    for secret in [
        &secrets["signer"],
        &secrets["storage"],
        &secrets["wrap_keys"][0]["secret"],
    ] {
        assert!(!said.to_string().contains(secret.as_str().unwrap()));
    }
    let again = refused(
        at,
        &[
            "keys",
            "public",
            file,
            "--out",
            "keepers/keeper-1.public.json",
        ],
    );
    assert!(again.contains("name a new file"), "{again}");
    for words in [
        vec!["keys", "wallet", "--out", "-"],
        vec!["keys", "keeper", "--index", "2", "--out", "-"],
    ] {
        let told = refused(at, &words);
        assert!(told.contains("./-"), "{told}");
        assert!(!at.join("-").exists(), "{words:?}");
    }
}

#[test]
fn each_role_goes_to_another_wallet_and_an_administrator_is_always_left() {
    let operators = Operators::new();
    let old = operators.world.authority.clone();
    let (next, other) = (operators.wallet("next"), operators.wallet("other"));
    let all = |address: &str| serde_json::json!({"administrator": [address], "accreditor": [address], "registrar": [address]});
    assert_eq!(operators.holders(), all(&old));

    let told = operators.role_refused("give", "next.json", "registrar", &next);
    assert!(told.contains("no administrator"), "{told}");
    for role in ["accreditor", "registrar", "administrator"] {
        let given = operators.role("give", "authority.json", role, &next);
        assert_eq!(given["done"], "given");
        // What was signed before a hand-over counts on only if everybody's deployment.json says so.
        let entry = &given["next"];
        assert_eq!(entry.is_object(), role == "accreditor", "{given}");
        if role == "accreditor" {
            assert_eq!(entry["authority"], *next);
            assert_eq!(entry["authorities"][0]["address"], *old);
            assert!(entry["authorities"][0]["until"].as_u64().unwrap() > 1_600_000_000);
            // As it is: every field of it goes into the file.
            let file = std::fs::read(operators.at().join("deployment.json")).unwrap();
            let mut file: Value = serde_json::from_slice(&file).unwrap();
            let fields = entry.as_object().unwrap().clone();
            file.as_object_mut().unwrap().extend(fields);
            medibloc_api::Deployment::parse(file.to_string().as_bytes()).unwrap();
            assert!(
                given["told"].as_str().unwrap().contains("deployment.json"),
                "{given}"
            );
        }
        let again = operators.role_refused("give", "authority.json", role, &next);
        assert!(again.contains("already"), "{again}");
    }
    let own = operators.role_refused("take", "authority.json", "administrator", &old);
    assert!(own.contains("always is an administrator"), "{own}");
    let none = operators.role_refused("take", "next.json", "registrar", &other);
    assert!(none.contains("role list"), "{none}");
    for role in ["accreditor", "registrar", "administrator"] {
        assert_eq!(
            operators.role("take", "next.json", role, &old)["done"],
            "taken"
        );
    }
    assert_eq!(operators.holders(), all(&next));
    let told = operators.role_refused("give", "authority.json", "registrar", &old);
    assert!(
        told.contains("no administrator"),
        "the old wallet may nothing more: {told}"
    );

    // Split: each its own wallet.
    operators.role("give", "next.json", "registrar", &other);
    operators.role("take", "next.json", "registrar", &next);
    assert_eq!(operators.holders()["registrar"], serde_json::json!([other]));
}

#[tokio::test]
async fn a_keeper_is_added_and_another_takes_its_place_and_serves() {
    let operators = Operators::new();
    let at = operators.at();
    let register = |keeper: &str, rest: &[&str]| -> Vec<String> {
        let named = [&["--keeper", keeper], rest].concat();
        let words = Operators::words(&["keepers", "register"], "authority.json", &named);
        words.into_iter().map(str::to_owned).collect()
    };
    let words = |all: &[String]| -> Vec<String> { all.to_vec() };
    let said = |all: Vec<String>| {
        let all = words(&all);
        refused(at, &all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let sent = |all: Vec<String>| done(at, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let committee = |n: &'static str, t: &'static str| {
        let rest = ["--keepers", n, "--threshold", t];
        Operators::words(&["keepers", "committee"], "authority.json", &rest)
    };

    let early = refused(at, &committee("2", "1"));
    assert!(early.contains("place 2 has no keeper"), "{early}");
    keeper_keys(at, "keepers", "2");
    let public = "keepers/keeper-2.public.json=http://127.0.0.1:9";
    let secret = said(register("keepers/keeper-2.json=http://127.0.0.1:9", &[]));
    assert!(secret.contains("private keys"), "{secret}");
    assert_eq!(sent(register(public, &[]))["keeper"], 2);
    assert_eq!(
        operators.keepers()["committee"]["keepers"],
        1,
        "not in force yet"
    );
    done(at, &committee("2", "2"));
    let listed = operators.keepers();
    let formed = serde_json::json!({"id": 2, "keepers": 2, "threshold": 2});
    assert_eq!(listed["committee"], formed);

    // Place 1 goes to another operator, whose keeper runs where the old one was.
    let old = listed["keepers"][0]["signer"].as_str().unwrap().to_owned();
    let url = operators.world.keeper.clone();
    let new = keeper_keys(at, "new", "1");
    let first = format!("new/keeper-1.public.json={url}");
    let told = said(register(&first, &[]));
    for word in ["--replace", &old, "record store"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    let told = said(register(&first, &["--replace", &new]));
    assert!(told.contains(&old), "{told}");
    let told = said(register(&first, &["--replace", &old]));
    assert!(told.contains("--wrap-version 2"), "{told}");
    let made = [
        "keys",
        "keeper",
        "--index",
        "1",
        "--wrap-version",
        "2",
        "--out",
        "new/second.json",
    ];
    let signer = done(at, &made)["address"].as_str().unwrap().to_owned();
    done(
        at,
        &[
            "keys",
            "public",
            "new/second.json",
            "--out",
            "new/second.public.json",
        ],
    );
    sent(register(
        &format!("new/second.public.json={url}"),
        &["--replace", &old],
    ));
    assert_eq!(operators.keepers()["keepers"][0]["signer"], *signer);

    let config = std::fs::read_to_string(at.join("keepers/keeper-1.toml")).unwrap();
    let config = config.replace("keeper-1.json", "second.json");
    std::fs::write(at.join("new/keeper-1.toml"), config).unwrap();
    let keeping = Running::start(
        at,
        &[
            "keeper",
            "--config",
            "new/keeper-1.toml",
            "--data-dir",
            "new/data",
        ],
    );
    ready(&url).await;
    keeping.end();
}
