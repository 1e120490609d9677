//! The words of every refusal: which object, what is wrong, what to do.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_dag::{Cid, cbor};
use medibloc_keys::DealerSeed;
use medibloc_record::{AccountId, Address, ClassId, Committee, Kind, RecordId, Threshold};
use medibloc_seal::{Expectations, OwnerHalf, check_for_owner, deal_anew, open_capsule};

#[path = "support/made.rs"]
mod made;
use made::*;

/// What parsing says of one of the four objects in another's place.
fn refusal(made: &Made, which: usize, bytes: Vec<u8>) -> String {
    let mut objects = objects(made);
    objects[which] = bytes;
    try_objects(made, &objects).unwrap_err().to_string()
}

#[test]
fn another_version_or_suite_of_any_object_says_so() {
    let made = make(b"a document");
    let sealed = &made.out.sealed;
    let mut package = sealed.package().clone();
    let mut key_set = sealed.key_set().clone();
    let mut capsule = sealed.capsule().clone();
    let mut signed = made.signed.clone();
    (
        package.version,
        key_set.version,
        capsule.version,
        signed.version,
    ) = (2, 2, 2, 2);
    let versions = [
        cbor::to_vec(&package),
        cbor::to_vec(&key_set),
        cbor::to_vec(&capsule),
        cbor::to_vec(&signed),
    ];
    for (which, bytes) in versions.into_iter().enumerate() {
        let error = refusal(&made, which, bytes);
        assert!(
            error.contains("version 2") && error.contains("update"),
            "{error}"
        );
    }
    (package.version, key_set.version, capsule.version) = (1, 1, 1);
    (package.suite, key_set.suite, capsule.suite) = (9, 9, 9);
    let suites = [
        cbor::to_vec(&package),
        cbor::to_vec(&key_set),
        cbor::to_vec(&capsule),
    ];
    for (which, bytes) in suites.into_iter().enumerate() {
        let error = refusal(&made, which, bytes);
        assert!(error.contains("suite 9"), "{error}");
    }
}

#[test]
fn objects_that_are_foreign_oversize_in_each_others_place_or_against_a_rule_say_so() {
    let made = make(b"a document");
    let names = ["package", "key set", "capsule", "attestation"];
    let good = objects(&made);
    for (which, name) in names.into_iter().enumerate() {
        for foreign in [&b""[..], b"%PDF-1.7", b"{}", &[0xa0], &[0xff; 40]] {
            let error = refusal(&made, which, foreign.to_vec());
            assert!(error.contains(name), "{error}");
        }
        let error = refusal(&made, which, vec![0; (1 << 20) + 1]);
        assert!(error.contains("limit is 1 MiB"), "{error}");
        let other = good[(which + 1) % 4].clone();
        assert!(refusal(&made, which, other).contains(name));
    }
    let sealed = &made.out.sealed;
    let mut package = sealed.package().clone();
    package.parts.clear();
    assert!(refusal(&made, 0, cbor::to_vec(&package)).contains("at least one part"));
    let mut package = sealed.package().clone();
    package.manifest.clear();
    assert!(refusal(&made, 0, cbor::to_vec(&package)).contains("inside or linked"));
    package.manifest_cid = Some(Cid::of_raw(b"x"));
    let error = refusal(&made, 0, cbor::to_vec(&package));
    assert!(error.contains("missing"), "{error}");
    let mut key_set = sealed.key_set().clone();
    key_set.commitments.pop();
    assert!(refusal(&made, 1, cbor::to_vec(&key_set)).contains("exactly t commitments"));
}

#[test]
fn what_is_dealt_anew_is_good_for_that_committee_alone_and_only_its_key_set_is_another() {
    let made = make(b"a document");
    let before = &made.out.sealed;
    let held = open_capsule(before.capsule(), &owner_secret(), &made.parties, &DOMAIN).unwrap();
    for (n, t) in [(5, 3), (7, 4), (9, 7), (1, 1)] {
        let another = Committee {
            id: 2,
            threshold: Threshold::new(n, t).unwrap(),
        };
        let anew = deal_anew(before, &made.out.dealer_seed, another).unwrap();
        let check = |sealed, committee| {
            let expected = expectations(&made);
            check_for_owner(sealed, &made.signed, &held, committee, &expected, &DOMAIN)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        assert_eq!(check(&anew, another), Ok(()), "{n}, {t}");
        let is_refused =
            |checked: Result<(), String>, why: &str| checked.unwrap_err().ends_with(why);
        let why = "the key set names another committee than the chain";
        assert!(is_refused(check(&anew, committee()), why), "{n}, {t}");
        assert!(is_refused(check(before, another), why), "{n}, {t}");
        assert_eq!(anew.package_bytes(), before.package_bytes());
        assert_eq!(anew.capsule_bytes(), before.capsule_bytes());
        // The seed of another record fits nothing.
        let foreign = deal_anew(before, &DealerSeed::new([3; 32]), another).unwrap();
        let why = "the commitments do not follow from the capsule's seed";
        assert!(is_refused(check(&foreign, another), why), "{n}, {t}");
    }
}

/// Everything of the manifest that must be the anchor's, and whose failing has its own words.
#[test]
fn a_record_that_is_not_the_anchored_one_is_not_accepted_because() {
    let made = make(b"a document");
    let sealed = &made.out.sealed;
    let held = open_capsule(sealed.capsule(), &owner_secret(), &made.parties, &DOMAIN).unwrap();
    let good = expectations(&made);
    let check = |expected: Expectations, committee: Committee| {
        check_for_owner(sealed, &made.signed, &held, committee, &expected, &DOMAIN)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(check(good, committee()), Ok(()));
    let id = RecordId::new([1; 32]);
    let stranger = AccountId::new([0x77; 20]);
    for (expected, why) in [
        (Expectations { record: id, ..good }, "another record's"),
        (
            Expectations {
                author: stranger,
                ..good
            },
            "not signed by the author",
        ),
        (
            Expectations {
                author_address: Address::new([0x77; 20]),
                ..good
            },
            "not signed by the author",
        ),
        (
            Expectations {
                owner: stranger,
                ..good
            },
            "another owner",
        ),
        (
            Expectations {
                kind: Kind::Family,
                ..good
            },
            "kind is not the anchor's",
        ),
        (
            Expectations {
                class: ClassId(3),
                ..good
            },
            "class is not the anchor's",
        ),
        (
            Expectations {
                amends: Some(id),
                ..good
            },
            "amended record",
        ),
    ] {
        let error = check(expected, committee()).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let other = Committee {
        id: 2,
        ..committee()
    };
    assert!(
        check(good, other)
            .unwrap_err()
            .contains("another committee")
    );
    let three = Committee {
        threshold: Threshold::new(7, 3).unwrap(),
        ..committee()
    };
    assert!(
        check(good, three)
            .unwrap_err()
            .contains("another committee")
    );
    let other_seed = medibloc_seal::CapsuleContent {
        dealer_seed: DealerSeed::new([1; 32]),
        ..held.clone()
    };
    let error = check_for_owner(
        sealed,
        &made.signed,
        &other_seed,
        committee(),
        &good,
        &DOMAIN,
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("do not follow from the capsule's seed"),
        "{error}"
    );
    let other_half = medibloc_seal::CapsuleContent {
        owner_half: OwnerHalf::new([1; 32]),
        ..held.clone()
    };
    let error = check_for_owner(
        sealed,
        &made.signed,
        &other_half,
        committee(),
        &good,
        &DOMAIN,
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("owner's half"), "{error}");
}
