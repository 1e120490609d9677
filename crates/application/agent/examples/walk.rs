//! Walks the record's journey with real documents: one chain, one node, seven keepers and three parties over memory
//! adapters, in one process. Exits 0 only if every step held.
#![allow(
    clippy::print_stdout,
    reason = "the walk is told to the person who runs it"
)]

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use medibloc_consent::{FeedFact, Purpose};
use medibloc_format_cda::Cda;
use medibloc_journey::memory::World;
use medibloc_journey::{Invitation, Party, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{AccountId, EntryOutcome, Format, PartRole, RecordId, Role};
use sha2::{Digest as _, Sha256};

const WEEK: u64 = 7 * 86_400;

/// Tells each step with what it proves and its time.
struct Tale {
    step: u32,
    since: Instant,
}

impl Tale {
    fn told(&mut self, what: &str) {
        self.step += 1;
        println!(
            "{:>2}  {what}  ({} ms)",
            self.step,
            self.since.elapsed().as_millis()
        );
        self.since = Instant::now();
    }
}

fn documents() -> Result<Vec<(String, Vec<u8>)>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../testdata/cda");
    let mut found = Vec::new();
    for entry in
        std::fs::read_dir(folder).context("testdata/cda is missing; clone the repository again")?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            found.push((name.unwrap_or_default(), std::fs::read(&path)?));
        }
    }
    found.sort();
    ensure!(
        found.len() >= 3,
        "testdata/cda has {} documents, the walk needs 3",
        found.len()
    );
    Ok(found)
}

async fn provider(world: &std::sync::Arc<World>, seed: u64, name: &str) -> Result<(Party, String)> {
    let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
    let party = Party::new(phrase.seed(), Role::Provider, world.ports());
    party.register_account().await?;
    let credential = world.accredit(party.account().id(), name);
    Ok((party, credential))
}

async fn pair(patient: &Party, provider: &Party, credential: &str) -> Result<AccountId> {
    let text = patient.invite().await?.to_text();
    let patron = provider
        .answer(&Invitation::parse(&text)?, Some(credential))
        .await?;
    patient.sync().await?;
    patient.confirm(patron.owner)?;
    Ok(patron.owner)
}

fn hash_of(patient: &Party, record: RecordId) -> Result<String> {
    let mut original = Vec::new();
    patient.open_own_part(&patient.record(record)?, PartRole::Original, &mut original)?;
    Ok(hex::encode(Sha256::digest(&original)))
}

async fn walk() -> Result<()> {
    let mut tale = Tale {
        step: 0,
        since: Instant::now(),
    };
    let begin = Instant::now();
    let documents = documents()?;
    let world = World::new(20);
    let phrase = Phrase::generate(&mut SeededEntropy::new(21), Language::Korean);
    let patient = Party::new(phrase.seed(), Role::Person, world.ports());
    let (hana, hana_credential) = provider(&world, 22, "Hana Hospital").await?;
    let (bit, bit_credential) = provider(&world, 23, "Bit Clinic").await?;
    tale.told("setup: one chain, one node, seven keepers (4 of 7), a patient and two accredited hospitals");

    let owner = pair(&patient, &hana, &hana_credential).await?;
    let bits_owner = pair(&patient, &bit, &bit_credential).await?;
    ensure!(
        owner != bits_owner,
        "each hospital knows the patient by another address"
    );
    tale.told("pairing: a signed one-use invitation each, under a fresh address each; names read in credentials");

    let until = world.ports().clock.now().plus(WEEK);
    patient.grant_write(owner, medical_only(), until).await?;
    let mut written = Vec::new();
    for (name, bytes) in documents.iter().take(3) {
        let draft = Cda
            .read(bytes)
            .with_context(|| format!("testdata/cda/{name}"))?;
        let (entries, converted) = (
            draft.loss.entries.len(),
            draft.loss.count(EntryOutcome::Converted),
        );
        let record = hana.write_for(owner, draft).await?;
        ensure!(record.acknowledged == 7, "all keepers hold a share");
        written.push((record.record, hex::encode(Sha256::digest(bytes))));
        tale.told(&format!(
            "write: {name}, {converted} of {entries} entries coded; sealed, stored, anchored, 7 shares dealt"
        ));
    }

    ensure!(
        patient.sync().await?.accepted.len() == 3,
        "the patient accepts all three"
    );
    for (record, hash) in &written {
        ensure!(
            hash_of(&patient, *record)? == *hash,
            "the original came back byte for byte"
        );
    }
    tale.told("accept: the patient's agent checked all, has the originals byte for byte, accepted on chain");

    bit.ask(bits_owner, Purpose::Treatment, "second opinion", until)
        .await?;
    patient.sync().await?;
    let request = patient.requests()?.pop().context("the request arrived")?;
    let (record, hash) = written[0].clone();
    let grant = patient.approve(&request, record, until).await?;
    bit.sync().await?;
    tale.told("grant: Bit Clinic asked; it may read one record for one week, to treat");

    let read = bit.read(record).await?;
    let mut original = Vec::new();
    bit.open_read_part(&read, PartRole::Original, &mut original)?;
    ensure!(
        hex::encode(Sha256::digest(&original)) == hash,
        "the reader has the author's bytes"
    );
    tale.told(
        "read: receipt on chain first, then 4 of 7 keepers; the reader has the author's bytes",
    );

    ensure!(
        bit.read(written[1].0).await.is_err(),
        "another record is refused"
    );
    tale.told("refused: the other records stay closed");

    patient.revoke(grant).await?;
    ensure!(
        bit.read(record).await.is_err(),
        "after revocation the chain gives no receipt"
    );
    let refused = bit.read_with_receipt(record, read.receipt).await;
    ensure!(
        refused.is_err(),
        "after revocation no keeper releases, not even on the old receipt"
    );
    tale.told("revoked: no receipt any more, and all keepers refuse the old one though the reader holds its half");

    let trail = patient.audit().await?;
    ensure!(
        trail.len() == 1 && trail[0].name == "Bit Clinic",
        "one read, by name"
    );
    let feeds = patient.feeds().await?;
    let refusals = feeds
        .iter()
        .filter(|feed| {
            feed.lines
                .iter()
                .any(|line| matches!(line.fact, FeedFact::Refused { .. }))
        })
        .count();
    ensure!(refusals == 7, "every keeper told its refusal");
    tale.told("audit: Bit Clinic was cleared to read once; 7 keepers report the refusals after the revocation");

    drop(patient);
    let (restored, report) = Party::restore(&phrase, Role::Person, world.ports()).await?;
    ensure!(report.sync.accepted.len() == 3, "all records are back");
    for (record, hash) in &written {
        ensure!(
            hash_of(&restored, *record)? == *hash,
            "each original is back byte for byte"
        );
    }
    ensure!(
        restored.audit().await? == trail,
        "the trail is the same, names included"
    );
    ensure!(restored.grants()?.len() == 1, "the consent is back");
    tale.told(
        "restore: an empty vault and 24 words; originals, consents, names and the trail are back",
    );
    println!("all steps held in {} ms", begin.elapsed().as_millis());
    Ok(())
}

fn main() -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .build()?
        .block_on(walk())
}
