//! Goldens of what travels sealed between agents: each form is written as it was, and what was written then opens for
//! ever (`testdata/messages/v1`; docs/format/messages.md). `MEDIBLOC_BLESS=1` writes those that are missing, never others.

use std::path::PathBuf;

use medibloc_consent::{
    Acknowledgement, AnchorFields, Binding, BindingTag, ClassSet, DeletionStatement, FeedFact,
    FeedLine, Grant, KeeperReply, KeeperRequest, KindSet, ListProof, ListRoot, Purpose, Reason,
    RefusalReason, Release, Scope, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply,
    SignedRequest, Terms, WriteGrant,
};
use medibloc_dag::cbor;
use medibloc_keys::{PairingKey, Seed, SeededEntropy, Slot};
use medibloc_record::{
    AccountId, Address, Category, ClassId, Digest, GrantId, Kind, Nonce, ReceiptId, RecordId,
    Sensitivity, Signature, Timestamp, TypedDomain, Wrapped,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_bytes::{ByteArray, ByteBuf};

use crate::dates::Dates;
use crate::doors::Pairing;
use crate::grant::{Artefact, Extent, SharedKey};
use crate::left::Outputs;
use crate::mail::{AccessRequest, Message, WhyDeclined};
use crate::notes::{self, About, Entry, HeldNote, Note};
use crate::pairing::ContactCard;
use crate::ports::Letter;
use crate::subject::Subject;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/messages/v1")
}

/// The same bytes as then, and the same value from the bytes of then.
fn check<T>(name: &str, value: &T)
where
    T: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug,
{
    let path = folder().join(format!("{name}.cbor"));
    let bytes = cbor::to_vec(value);
    if !path.exists() && std::env::var_os("MEDIBLOC_BLESS").is_some() {
        std::fs::create_dir_all(folder()).unwrap();
        std::fs::write(&path, &bytes).unwrap();
    }
    let golden = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; MEDIBLOC_BLESS=1 writes it", path.display()));
    assert_eq!(
        cbor::from_slice::<T>(&golden).unwrap(),
        *value,
        "{name} opens"
    );
    assert_eq!(bytes, golden, "{name} is written as it was");
}

fn account(byte: u8) -> AccountId {
    AccountId::new([byte; 20])
}

fn binding() -> Binding {
    Binding::unsigned([0x51; 32], account(2), account(3)).sign(Signature::new([0x52; 65]))
}

fn readers() -> Vec<(Address, Binding)> {
    vec![(Address::new([3; 20]), binding())]
}

fn grant() -> Grant {
    let terms = Terms {
        scope: Scope::One(RecordId::new([5; 32])),
        purpose_tag: Purpose::Treatment.tag([6; 32]),
        from: Timestamp(1_800_000_000),
        until: Timestamp(1_800_604_800),
        reads: Some(3),
        binding: BindingTag([7; 32]),
        digest: Digest::new([8; 32]),
    };
    Grant::new(account(1), account(3), Nonce::new([9; 32]), terms)
}

fn artefact() -> Artefact {
    Artefact {
        version: 1,
        purpose: Purpose::Treatment,
        reason: "second opinion".into(),
        erase_by: Timestamp(1_800_604_800),
        name: "Bit Clinic".into(),
        account: Some(account(2)),
        credential: Some("e30.e30.c2ln".into()),
        party: account(2),
        paired: account(4),
        node: "https://clinic.example".into(),
        owner_node: "https://node.example".into(),
        grant: Some(grant()),
        write: None,
        purpose_salt: [6; 32],
        reason_salt: None,
        binding: Some(binding()),
        request: Some(ByteArray::new([0x0a; 32])),
        records: vec![RecordId::new([5; 32])],
        extent: None,
        sensitivity: Sensitivity::Normal,
        categories: Vec::new(),
        dates: None,
        pairing: None,
    }
}

/// For tests of what days may be.
pub(crate) fn dated_request(since: &str) -> Message {
    Message::Access(AccessRequest {
        purpose: Purpose::Treatment,
        reason: String::new(),
        categories: Vec::new(),
        dates: Some(dates(since, None)),
        until: Timestamp(1_800_604_800),
        readers: Vec::new(),
        credential: None,
    })
}

/// The same of a consent.
pub(crate) fn dated_artefact(since: &str) -> Artefact {
    Artefact {
        dates: Some(dates(since, None)),
        ..artefact()
    }
}

fn dates(since: &str, before: Option<&str>) -> Dates {
    let before = before.map(|day| day.parse().unwrap());
    Dates::new(Some(since.parse().unwrap()), before).unwrap()
}

#[test]
fn artefacts_and_key_lists_open_for_ever() {
    check("artefact", &artefact());
    let limited = Artefact {
        categories: vec![Category::Laboratory],
        dates: Some(dates("2026-01-01", Some("2026-07-01"))),
        ..artefact()
    };
    check("artefact-limited", &limited);
    let write = WriteGrant {
        owner: account(1),
        author: account(2),
        nonce: Nonce::new([9; 32]),
        kinds: KindSet::of(&[Kind::Medical]),
        until: Timestamp(1_800_604_800),
        digest: Digest::new([8; 32]),
    };
    let of_write = Artefact {
        grant: None,
        write: Some(write),
        binding: None,
        request: None,
        records: Vec::new(),
        ..artefact()
    };
    check("artefact-write", &of_write);
    // What it became: with what proves the pairing. The forms above still open.
    let key = PairingKey::derive(
        &[0x71; 32],
        &DOMAIN,
        Address::new([4; 20]),
        Address::new([2; 20]),
    );
    let paired = Artefact {
        pairing: Some(Pairing::new(&key, [0x72; 32])),
        ..artefact()
    };
    check("artefact-paired", &paired);
    let reasoned = Artefact {
        reason_salt: Some(ByteArray::new([0x73; 32])),
        ..paired
    };
    check("artefact-reason", &reasoned);
    let anchor = AnchorFields {
        nonce: Nonce::new([9; 32]),
        author: account(2),
        owner: account(1),
        package: Digest::new([0x11; 32]),
        key_set: Digest::new([0x12; 32]),
        capsule: Digest::new([0x13; 32]),
        attestation: Digest::new([0x14; 32]),
        kind: Kind::Medical,
        class: ClassId(7),
        amends: Some(RecordId::new([0x15; 32])),
    };
    let key = SharedKey {
        anchor,
        owner_half: [0x16; 32].into(),
        proof: None,
    };
    check("key-list", &vec![key.clone()]);
    // Under a listed consent: what it is about, and that each record is in its list.
    let mut listed = grant();
    listed.terms.scope = Scope::Listed(ListRoot([0x17; 32]));
    let listed = Artefact {
        grant: Some(listed),
        extent: Some(Extent::Classes(ClassSet::of(&[ClassId(7)]))),
        ..limited
    };
    check("artefact-listed", &listed);
    let proof = Some(ListProof {
        salt: [0x18; 32],
        path: vec![ByteArray::new([0x19; 32]), ByteArray::new([0x1a; 32])],
    });
    check("key-list-listed", &vec![SharedKey { proof, ..key }]);
}

#[test]
fn letters_open_for_ever() {
    let letter = Letter {
        version: 1,
        sender: Address::new([1; 20]),
        recipient: Address::new([2; 20]),
        id: [3; 32],
        wrapped: Wrapped {
            key_version: 1,
            enc: [4; 32],
            ciphertext: vec![5; 48],
        },
        tag: None,
    };
    check("letter", &letter);
    let mut tagged = letter;
    let key = PairingKey::derive(&[0x71; 32], &DOMAIN, tagged.recipient, tagged.sender);
    crate::doors::tag(&mut tagged, &key);
    check("letter-tagged", &tagged);
    let card = ContactCard::restored(Some(account(2)), None, "https://clinic.example".into());
    check("message-card", &Message::Card(card));
    let access = AccessRequest {
        purpose: Purpose::Treatment,
        reason: "second opinion".into(),
        categories: vec![Category::Laboratory],
        dates: None,
        until: Timestamp(1_800_604_800),
        readers: readers(),
        credential: None,
    };
    check("message-access", &Message::Access(access.clone()));
    let dated = AccessRequest {
        dates: Some(dates("2026-01-01", None)),
        ..access.clone()
    };
    check("message-access-dates", &Message::Access(dated));
    let vouched = AccessRequest {
        credential: Some("e30.e30.c2ln".into()),
        ..access
    };
    check("message-access-credential", &Message::Access(vouched));
    let readers = readers();
    let more = |credential: Option<&str>| Message::MoreReaders {
        readers: readers.clone(),
        credential: credential.map(str::to_owned),
    };
    check("message-more-readers", &more(None));
    let vouched = more(Some("e30.e30.c2ln"));
    check("message-more-readers-credential", &vouched);
    let by_both = binding().sign_as_reader(Signature::new([0x53; 65]));
    let by_both = Message::MoreReaders {
        readers: vec![(Address::new([3; 20]), by_both)],
        credential: None,
    };
    check("message-more-readers-both", &by_both);
    check("message-want-readers", &Message::WantReaders { count: 4 });
    let grants = vec![GrantId::new([6; 32])];
    let ended = Message::Ended {
        grants: grants.clone(),
        records: vec![RecordId::new([7; 32])],
    };
    check("message-ended", &ended);
    check(
        "message-purged",
        &Message::Purged {
            grants,
            records: Vec::new(),
            files: 0,
            unknown: false,
            outputs: None,
        },
    );
    check(
        "message-purged-erased",
        &Message::Purged {
            grants: Vec::new(),
            records: vec![RecordId::new([5; 32])],
            files: 2,
            unknown: false,
            outputs: None,
        },
    );
    check(
        "message-purged-unknown",
        &Message::Purged {
            grants: vec![GrantId::new([6; 32])],
            records: Vec::new(),
            files: 1,
            unknown: true,
            outputs: Some(Outputs {
                times: 3,
                last: Timestamp(1_795_000_000),
            }),
        },
    );
    let why = WhyDeclined::Used;
    check("message-declined", &Message::Declined { why });
}

const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 31_337,
    records: Address::new([0x52; 20]),
};

fn wrapped() -> Wrapped {
    Wrapped {
        key_version: 1,
        enc: [4; 32],
        ciphertext: vec![5; 48],
    }
}

#[test]
fn what_keepers_are_sent_opens_for_ever() {
    let deposit = ShareDeposit {
        record: RecordId::new([5; 32]),
        key_set: vec![0xa0],
        index: 3,
        wrapped: wrapped(),
    };
    check("keeper-deposit", &deposit);
    let request = KeeperRequest {
        version: 1,
        keeper: Address::new([0x61; 20]),
        record: RecordId::new([5; 32]),
        grant: GrantId::new([6; 32]),
        receipt: ReceiptId::new([0x62; 32]),
        one_time_key: [0x63; 32],
        binding: Some(binding()),
        expiry: Timestamp(1_800_000_300),
    };
    let signature = Signature::new([0x52; 65]);
    check("keeper-request", &SignedRequest { request, signature });
}

/// The text of a note, and the same sealed for one place of one address; the place of an entry follows from the phrase.
#[test]
fn notes_open_for_ever_with_their_phrase() {
    let held = HeldNote {
        owner: account(1),
        artefact: artefact(),
        credential: None,
    };
    let said = |about, at, says| Entry {
        about,
        at: Timestamp(at),
        says,
    };
    let label = ByteBuf::from(cbor::to_vec(&"Eve Betterhalf"));
    let person = Subject::said(Some("Eve Betterhalf"), Some("1980-02-03"));
    let abouts = [
        About::Label(account(4)),
        About::Person,
        About::Confirmed(RecordId::new([5; 32])),
        About::Held(grant().id),
        About::Given(GrantId::new([6; 32])),
    ];
    let says = [
        Some(label),
        person.map(|person| ByteBuf::from(cbor::to_vec(&person))),
        None,
        Some(ByteBuf::from(cbor::to_vec(&held))),
        Some(ByteBuf::from(cbor::to_vec(&artefact()))),
    ];
    let entries = abouts.into_iter().zip(says).zip(1..);
    let entries = entries.map(|((about, says), at)| said(about, at, says));
    let (note, left) = Note::of(7, entries.collect(), notes::OF_PROVIDER);
    assert_eq!(left, 0);
    check("note", &note);
    let key = Seed::new([7; 64]).note_key(Slot::Relationship(1));
    let bound = notes::bound(&DOMAIN, Address::new([3; 20]), 9);
    let sealed = key.seal(&bound, &note.to_plain(), &mut SeededEntropy::new(1));
    check("note-sealed", &ByteBuf::from(sealed.clone()));
    let plain = key.open(&bound, &sealed).unwrap();
    assert_eq!(Note::parse(&plain).unwrap(), note);
    let places = abouts.map(|about| about.place(&key));
    check("note-places", &places.to_vec());
}

/// What a keeper signs, as its digest under a fixed domain, goes with each golden: words may change, digests never.
#[test]
fn what_keepers_say_opens_for_ever_and_is_signed_as_it_was() {
    let (keeper, record) = (Address::new([0x61; 20]), RecordId::new([5; 32]));
    let signature = Signature::new([0x52; 65]);
    let acknowledgement = Acknowledgement {
        keeper,
        record,
        key_set: Digest::new([0x12; 32]),
        index: 3,
    };
    let digest = Digest::new;
    let signed = SignedAcknowledgement {
        acknowledgement,
        signature,
    };
    check(
        "keeper-acknowledgement",
        &(signed, digest(acknowledgement.digest(&DOMAIN))),
    );
    let released = KeeperReply::Released(Release {
        index: 3,
        wrapped: wrapped(),
    });
    let refused = KeeperReply::Refused(RefusalReason::Consent(Reason::Revoked));
    for (name, reply) in [("keeper-released", released), ("keeper-refused", refused)] {
        let request = [0x64; 32];
        let said = SignedReply::digest_of(request, &reply.to_bytes(), &DOMAIN);
        let signed = SignedReply {
            request,
            reply,
            signature,
        };
        check(name, &(signed, digest(said)));
    }
    let facts = [
        FeedFact::Released {
            reader: account(3),
            grant: GrantId::new([6; 32]),
            receipt: ReceiptId::new([0x62; 32]),
        },
        FeedFact::Refused {
            reader: account(3),
            reason: RefusalReason::NoReceipt,
        },
        FeedFact::Strangers,
    ];
    let lines = facts.map(|fact| {
        let line = FeedLine {
            record,
            fact,
            count: 2,
            first: Timestamp(1_800_000_000),
            last: Timestamp(1_800_000_300),
        };
        let said = digest(line.digest(keeper, account(1), &DOMAIN));
        (SignedLine { line, signature }, said)
    });
    check("keeper-feed", &lines.to_vec());
    let statement = DeletionStatement {
        keeper,
        record,
        signature,
    };
    let said = DeletionStatement::digest(keeper, record, &DOMAIN);
    check("keeper-deletion", &(statement, digest(said)));
}
