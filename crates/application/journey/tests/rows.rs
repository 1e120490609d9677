//! A row of the vault that cannot be read is set aside and told, and stops nothing.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_dag::cbor;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Change, Party, Patron, VaultPort, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{Draft, LossReport, PartRole, Role};

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    Draft::new(
        "text/xml",
        text.as_bytes().to_vec(),
        bundle,
        LossReport::default(),
    )
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

/// Every table of the vault with rows of a type.
const TABLES: [&str; 27] = [
    "addresses",
    "invitations",
    "contacts",
    "patrons",
    "requests",
    "records",
    "grants",
    "write-grants",
    "written",
    "held-grants",
    "jobs",
    "reads",
    "cursor",
    "statements",
    "errands",
    "letters",
    "seen-letters",
    "reserved-addresses",
    "offered-readers",
    "deliveries",
    "plans",
    "may-write",
    "receipts",
    "alarms",
    "feeds",
    "own-acts",
    "unknown-acts",
];

fn garbage(vault: &MemoryVault) {
    for (table, bytes) in TABLES
        .iter()
        .flat_map(|table| [(table, b"garbage".to_vec()), (table, vec![0xa0])])
    {
        let key = [bytes.as_slice(), &[0xff; 25]].concat();
        let put = Change::Put {
            table,
            key,
            value: bytes,
        };
        vault.apply(vec![put]).unwrap();
    }
}

#[tokio::test]
async fn garbage_in_every_table_stops_nothing_and_is_told() {
    let world = World::new(1);
    let vaults = [
        Arc::new(MemoryVault::default()),
        Arc::new(MemoryVault::default()),
    ];
    let patient = Party::new(
        phrase(1).seed(),
        Role::Person,
        world.ports_with(vaults[0].clone()),
    );
    let clinic = Party::new(
        phrase(2).seed(),
        Role::Provider,
        world.ports_with(vaults[1].clone()),
    );
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let spoil = || vaults.iter().for_each(|vault| garbage(vault));
    spoil();
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    spoil();
    patient.confirm(owner).unwrap();
    let until = world.ports().clock.now().plus(86_400);
    patient
        .grant_write(owner, medical_only(), until)
        .await
        .unwrap();
    clinic.sync().await.unwrap();
    let record = clinic.write_for(owner, draft("x")).await.unwrap().record;
    spoil();
    assert_eq!(patient.sync().await.unwrap().accepted, [record]);
    clinic
        .ask(owner, Purpose::Treatment, "care", until)
        .await
        .unwrap();
    patient.sync().await.unwrap();
    spoil();
    let request = patient.requests().unwrap().remove(0);
    let grant = patient.approve(&request, record, until).await.unwrap();
    clinic.sync().await.unwrap();
    spoil();
    let read = clinic.read(record).await.unwrap();
    let mut original = Vec::new();
    clinic
        .open_read_part(&read, PartRole::Original, &mut original)
        .unwrap();
    assert_eq!(original, b"x");
    spoil();
    assert_eq!(patient.audit().await.unwrap().len(), 1);
    patient.revoke(grant).await.unwrap();
    clinic.sync().await.unwrap();
    patient.sync().await.unwrap();
    spoil();
    for party in [&patient, &clinic] {
        party.look_through().unwrap();
        party.record_views().unwrap();
        party.contact_views().unwrap();
        party.request_views().unwrap();
        party.given_views().await.unwrap();
        party.held_views().await.unwrap();
        let told = party.status().await.unwrap().set_aside;
        for table in TABLES
            .iter()
            .filter(|table| !["cursor", "seen-letters"].contains(table))
        {
            let name = format!("`{table}`");
            assert!(told.iter().any(|row| row.contains(&name)), "{table}");
        }
    }
    // Good rows were not touched.
    assert_eq!(patient.contacts().unwrap().len(), 1);
    assert_eq!(clinic.patrons().unwrap().len(), 1);
    assert_eq!(patient.records().unwrap().len(), 1);
}

/// Part 1 kept patrons in the table of contacts.
#[tokio::test]
async fn patrons_of_the_first_form_move_to_their_own_table() {
    let world = World::new(1);
    let vault = Arc::new(MemoryVault::default());
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let clinic = Party::new(
        phrase(2).seed(),
        Role::Provider,
        world.ports_with(vault.clone()),
    );
    clinic.register_account().await.unwrap();
    let invitation = patient.invite().await.unwrap();
    clinic.answer(&invitation, None).await.unwrap();
    let (key, value) = vault.list("patrons").unwrap().remove(0);
    let patron: Patron = cbor::from_slice(&value).unwrap();
    // As part 1 left it, and what accepting one's own invitation left there.
    let own = Patron {
        owner: clinic.account().id(),
        ..patron.clone()
    };
    let value = cbor::to_vec(&patron);
    let (old, new) = ("contacts", "patrons");
    vault
        .apply(vec![
            Change::Delete {
                table: new,
                key: key.clone(),
            },
            Change::Put {
                table: old,
                key,
                value,
            },
            Change::Put {
                table: old,
                key: own.owner.as_bytes().to_vec(),
                value: cbor::to_vec(&own),
            },
        ])
        .unwrap();
    let again = Party::new(
        phrase(2).seed(),
        Role::Provider,
        world.ports_with(vault.clone()),
    );
    assert!(again.contacts().unwrap().is_empty());
    assert_eq!(again.patrons().unwrap(), [patron]);
    assert!(vault.list(old).unwrap().is_empty());
    assert!(again.status().await.unwrap().set_aside.is_empty());
}
