//! Published vectors and our own, by the crate's front door.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_keys::{
    DealerSeed, Dealing, Seed, Share, SigningKey, Slot, check_share, combine, recover,
};
use medibloc_record::{
    Abi, Address, RecordId, Signature, Threshold, domain_separator, keccak256, typed_digest,
};
use serde_json::Value;

fn file(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

#[test]
fn the_mail_of_eip_712_has_its_hashes_and_its_signature() {
    let mail = file(include_str!("../../../../testdata/vectors/eip712.json"));
    let text = |value: &Value| keccak256(value.as_str().unwrap().as_bytes());
    let domain = &mail["domain"];
    let separator = domain_separator(
        domain["name"].as_str().unwrap(),
        domain["version"].as_str().unwrap(),
        domain["chain_id"].as_u64().unwrap(),
        Address::new(array(&domain["verifying_contract"])),
    );
    assert_eq!(separator, array(&mail["domain_separator"]));
    let person = |person: &Value| {
        Abi::new()
            .word(text(&mail["person_type"]))
            .word(text(&person["name"]))
            .address(Address::new(array(&person["wallet"])))
            .keccak256()
    };
    assert_eq!(text(&mail["mail_type"]), array(&mail["mail_type_hash"]));
    let hash = Abi::new()
        .word(text(&mail["mail_type"]))
        .word(person(&mail["from"]))
        .word(person(&mail["to"]))
        .word(text(&mail["contents"]))
        .keccak256();
    assert_eq!(hash, array(&mail["struct_hash"]));
    let digest = typed_digest(separator, hash);
    assert_eq!(digest, array(&mail["digest"]));
    let key = SigningKey::from_bytes(&text(&mail["private_key_is_keccak256_of"])).unwrap();
    assert_eq!(key.address(), Address::new(array(&mail["from"]["wallet"])));
    let signature = Signature::new(array(&mail["signature"]));
    assert_eq!(key.sign_digest(&digest), signature);
    assert_eq!(recover(&digest, &signature), Ok(key.address()));
}

#[test]
fn dealings_follow_from_their_seeds() {
    for vector in file(include_str!("../../../../testdata/vectors/shares.json"))
        .as_array()
        .unwrap()
    {
        let number = |name: &str| u8::try_from(vector[name].as_u64().unwrap()).unwrap();
        let threshold = Threshold::new(number("n"), number("t")).unwrap();
        let seed = DealerSeed::new(array(&vector["dealer_seed"]));
        let dealing = Dealing::from_seed(&seed, RecordId::new(array(&vector["record"])), threshold);
        let half: [u8; 32] = array(&vector["keeper_half"]);
        assert_eq!(*dealing.keeper_half().expose(), half);
        let commitments: Vec<[u8; 32]> = vector["commitments"]
            .as_array()
            .unwrap()
            .iter()
            .map(array)
            .collect();
        assert_eq!(dealing.commitments(), commitments);
        let shares: Vec<(u8, Share)> = (1..)
            .zip(vector["shares"].as_array().unwrap())
            .map(|(index, share)| (index, Share::new(array(share))))
            .collect();
        assert_eq!(shares.len(), usize::from(threshold.n()));
        for (index, share) in &shares {
            assert_eq!(dealing.share(*index).unwrap(), *share);
            assert_eq!(check_share(&commitments, *index, share), Ok(()));
        }
        let last = &shares[shares.len() - usize::from(threshold.t())..];
        assert_eq!(*combine(threshold, last).unwrap().expose(), half);
    }
}

#[test]
fn every_key_follows_from_its_seed() {
    for vector in file(include_str!("../../../../testdata/vectors/derivation.json"))
        .as_array()
        .unwrap()
    {
        let seed = Seed::new(array(&vector["seed"]));
        assert_eq!(
            seed.account_key().dangerous_bytes()[..],
            bytes(&vector["account"])
        );
        for (index, key) in vector["relationships"].as_object().unwrap() {
            let own = seed.relationship_key(index.parse().unwrap());
            assert_eq!(own.dangerous_bytes()[..], bytes(key), "{index}");
        }
        for sealing in vector["sealing"].as_array().unwrap() {
            let slot = match sealing["slot"].as_str().unwrap() {
                "account" => Slot::Account,
                index => Slot::Relationship(index.parse().unwrap()),
            };
            let version = u32::try_from(sealing["version"].as_u64().unwrap()).unwrap();
            let own = seed.sealing(slot, version);
            assert_eq!(own.to_bytes()[..], bytes(&sealing["secret"]));
            assert_eq!(own.public().key[..], bytes(&sealing["public"]));
            assert_eq!(own.public().version, version);
        }
        for (label, key) in vector["local"].as_object().unwrap() {
            assert_eq!(seed.local_key(label)[..], bytes(key));
        }
    }
}
