//! The main job, on real documents: one chain, one node, seven keepers and three agents as processes of their own, which
//! share nothing but what they send. Everything is done as a person would: by the programs' command lines.

mod certificate;
mod world;

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::canary::{Canary, Report};
use crate::run::Run;
use world::{Agent, World};

/// Keepers, and how many a read needs.
pub const KEEPERS: u8 = 7;

/// Builds and runs the demo; `--once` ends with 0 only if every step held, `--keep` leaves all running, `--tls` lets chain, node
/// and keepers speak TLS alone, with an authority made for it.
pub fn demo(run: &Run, args: &[String]) -> Result<()> {
    if let Some(unknown) = args
        .iter()
        .find(|arg| !["--once", "--keep", "--tls"].contains(&arg.as_str()))
    {
        bail!("demo knows --once, --keep and --tls, not `{unknown}`");
    }
    let keep = args.iter().any(|arg| arg == "--keep");
    let once = args.iter().any(|arg| arg == "--once");
    let tls = args.iter().any(|arg| arg == "--tls");
    run.cargo(["build", "-q", "-p", "medibloc-agent", "-p", "medibloc-node"])?;
    let folder = env::temp_dir().join(format!("medibloc-demo-{}", std::process::id()));
    let mut world = World::new(run, &folder, tls)?;
    let walked = walk(&mut world, &documents(run.root())?);
    match &walked {
        Ok(()) if keep || !once => {
            println!("\nAll is still running; data in {}.", folder.display());
            println!("Stop it with: kill {}", world.processes());
            if keep {
                world.leave();
            } else {
                println!("Press Enter to stop.");
                let mut line = String::new();
                std::io::stdin().read_line(&mut line)?;
            }
        }
        Ok(()) => {}
        Err(_) => println!("\nThe logs are in {}.", folder.display()),
    }
    drop(world);
    if walked.is_ok() && !keep {
        fs::remove_dir_all(&folder).context("the demo's folder cannot be removed")?;
    }
    walked
}

/// A real CDA document.
struct Document {
    name: String,
    path: PathBuf,
    bytes: Vec<u8>,
}

fn documents(root: &Path) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join("testdata/cda"))
        .context("testdata/cda is missing; clone the repository again")?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let bytes = fs::read(&path)?;
            found.push(Document {
                name: name.unwrap_or_default(),
                path,
                bytes,
            });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found.truncate(3);
    ensure!(
        found.len() == 3,
        "testdata/cda has {} documents, the demo needs 3",
        found.len()
    );
    Ok(found)
}

/// Tells each step with what it proves and its time.
struct Tale {
    step: u32,
    begin: Instant,
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

fn text(value: &Value, pointer: &str) -> Result<String> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("{pointer} is missing in {value}"))
}

fn count(value: &Value, pointer: &str) -> usize {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}

/// A provider: registered, accredited, with its credential, serving.
fn provider(world: &mut World, key: &str, name: &str) -> Result<Agent> {
    let agent = world.agent(key, "provider")?;
    let account = text(&agent.say(&["account", "register"])?, "/account")?;
    world.accredit(&account, name)?;
    agent.say(&["account", "credential"])?;
    let shown = agent.say(&["account", "show"])?;
    ensure!(
        text(&shown, "/state")? == "accredited",
        "{name} is not accredited: {shown}"
    );
    Ok(agent)
}

/// The patient invites, the provider answers, the patient confirms the name; gives the owner's address.
fn pair(patient: &Agent, provider: &Agent, name: &str) -> Result<String> {
    let invitation = text(&patient.say(&["contact", "invite"])?, "/invitation")?;
    let owner = text(
        &provider.say(&["contact", "accept", &invitation])?,
        "/owner",
    )?;
    patient.say(&["sync"])?;
    patient.say(&["contact", "confirm", name])?;
    Ok(owner)
}

/// What must come back from the phrase alone.
#[derive(PartialEq, Eq, Debug)]
struct Memory {
    originals: Vec<Vec<u8>>,
    consents: Vec<(String, String, bool)>,
    readers: Vec<(String, String)>,
}

fn memory(patient: &Agent, records: &[String], to: &Path) -> Result<Memory> {
    fs::create_dir_all(to)?;
    let mut originals = Vec::new();
    for record in records {
        let out = to.join(record);
        let path = out.to_string_lossy();
        // The three sample documents are of three persons, which an export asks about.
        patient.say(&["record", "export", record, "--yes", "--out", &path])?;
        originals.push(fs::read(&out)?);
    }
    let grants = patient.say(&["grant", "list"])?;
    let given = grants
        .pointer("/given")
        .and_then(Value::as_array)
        .context("no consents")?;
    let mut consents = Vec::new();
    for grant in given {
        let revoked = text(grant, "/state")? == "revoked";
        consents.push((text(grant, "/id")?, text(grant, "/name")?, revoked));
    }
    consents.sort();
    let audit = patient.say(&["audit"])?;
    let reads = audit
        .pointer("/reads")
        .and_then(Value::as_array)
        .context("no reads")?;
    let mut readers = Vec::new();
    for read in reads {
        readers.push((text(read, "/receipt")?, text(read, "/name")?));
    }
    Ok(Memory {
        originals,
        consents,
        readers,
    })
}

fn walk(world: &mut World, documents: &[Document]) -> Result<()> {
    let begin = Instant::now();
    let mut tale = Tale {
        step: 0,
        begin,
        since: begin,
    };
    world.start()?;
    tale.told(
        "setup: a chain with seven contracts, a node and seven keepers (4 of 7 open a record)",
    );
    let patient = world.agent("patient", "person")?;
    let hana = provider(world, "hana", "Hana Hospital")?;
    let bit = provider(world, "bit", "Bit Clinic")?;
    println!("{world}");
    println!(
        "    All agents act at once (`--pace now`): whoever watches this chain sees which addresses belong together. Agents put off what nobody waits for unless told so."
    );
    tale.told("agents: a patient and two hospitals, each with its own home; the authority accredited the hospitals, and the node handed them their credentials");

    let owner = pair(&patient, &hana, "Hana Hospital")?;
    let bits_owner = pair(&patient, &bit, "Bit Clinic")?;
    ensure!(
        owner != bits_owner,
        "each hospital knows the patient by another address"
    );
    tale.told("pairing: one-use invitations; each hospital knows the patient by another address");

    let first = &documents[0];
    let path = first.path.to_string_lossy();
    let early = hana.refused(&["record", "import", &path, "--for", &owner, "--yes"])?;
    tale.told(&format!("write without consent is refused: {early}"));

    patient.say(&["grant", "create", "--to", "Hana Hospital", "--write"])?;
    let mut records = Vec::new();
    for document in documents {
        let path = document.path.to_string_lossy();
        // The samples are of different persons; here they stand for one.
        let words = [
            "record",
            "import",
            &path,
            "--for",
            &owner,
            "--yes",
            "--other-person",
        ];
        let written = hana.say(&words)?;
        ensure!(
            written["acknowledged"] == u64::from(KEEPERS),
            "not all keepers hold a share: {written}"
        );
        println!(
            "      {}: {} facts converted, {} kept as narrative, {} only in the original",
            document.name,
            written["facts"]["converted"],
            written["facts"]["keptAsNarrative"],
            written["facts"]["lost"]
        );
        records.push(text(&written, "/record")?);
    }
    tale.told("written with consent: three real CDA documents, sealed, stored, anchored; every keeper holds a share");

    patient.say(&["sync"])?;
    let listed = patient.say(&["record", "list"])?;
    let accepted = listed
        .as_array()
        .into_iter()
        .flatten()
        .filter(|record| record["state"] == "accepted");
    ensure!(
        accepted.count() == documents.len(),
        "the patient has not accepted all: {listed}"
    );
    for record in &records {
        patient.say(&["record", "verify", record])?;
    }
    tale.told("accepted: the patient opened each, recomputed every key and hash, and took it over");

    bit.say(&[
        "request",
        "create",
        &bits_owner,
        "--reason",
        "second opinion",
    ])?;
    patient.say(&["sync"])?;
    let asked = patient.say(&["request", "list"])?;
    ensure!(
        count(&asked, "") == 1,
        "the request did not arrive: {asked}"
    );
    let granted = patient.say(&[
        "request",
        "approve",
        "Bit Clinic",
        "--record",
        &records[0],
        // As above: the samples are of different persons.
        "--other-person",
        "--days",
        "7",
    ])?;
    let grant = text(&granted, "/grant")?;
    tale.told("granted: Bit Clinic asked; the patient allows one record for a week");

    bit.say(&["sync"])?;
    let copy = world.folder().join("bit-copy");
    let read = bit.say(&["read", &records[0], "--out", &copy.to_string_lossy()])?;
    ensure!(
        fs::read(&copy)? == documents[0].bytes,
        "the document read is not the one written"
    );
    tale.told(&format!(
        "read: receipt in block {}, four keepers released their shares, byte for byte the same document",
        read["block"]
    ));

    let other = bit.refused(&["read", &records[1]])?;
    tale.told(&format!("another record is refused: {other}"));

    let proofs = world.folder().join("proofs");
    let audit = patient.say(&["audit", "--proofs", &proofs.to_string_lossy()])?;
    ensure!(
        count(&audit, "/reads") == 1 && text(&audit, "/reads/0/name")? == "Bit Clinic",
        "the audit is wrong: {audit}"
    );
    ensure!(
        text(&audit, "/reads/0/receipt")? == text(&read, "/receipt")?,
        "the audit names another receipt"
    );
    let proof = patient.say(&["verify", &text(&audit, "/proofs/0")?])?;
    ensure!(
        proof["verified"] == true && proof["chainAgrees"] == true,
        "the proof file does not hold: {proof}"
    );
    let shown = world.verify_without_home(&text(&audit, "/proofs/0")?)?;
    ensure!(
        shown["verified"] == true && shown["chainAgrees"] == true,
        "the proof file does not hold for whoever has no home: {shown}"
    );
    let clocks = patient.say(&["doctor"])?.to_string();
    ensure!(
        clocks.contains("s from its node"),
        "the node's clock was not compared: {clocks}"
    );
    tale.told(
        "audit: the patient sees who was cleared to read what, when and on what basis; the proof file holds, offline and on the chain, \
         for whoever has no home, too",
    );

    patient.say(&["grant", "revoke", &grant])?;
    let after = bit.refused(&["read", &records[0]])?;
    tale.told(&format!(
        "revoked, and refused from the next block on: {after}"
    ));

    let before = memory(&patient, &records, &world.folder().join("before"))?;
    let phrase = patient.phrase().to_owned();
    world.lose(&patient)?;
    let restored = world.restore("patient-again", "person", &phrase)?;
    let again = memory(&restored, &records, &world.folder().join("again"))?;
    ensure!(
        again == before,
        "not everything came back:\nbefore {:?} {:?}\nagain {:?} {:?}",
        before.consents,
        before.readers,
        again.consents,
        again.readers
    );
    for (document, original) in documents.iter().zip(&again.originals) {
        ensure!(&document.bytes == original, "{} differs", document.name);
    }
    tale.told(&format!(
        "restored from phrase and deployment file alone: {} originals byte for byte, {} consents, {} names in the audit",
        again.originals.len(),
        again.consents.len(),
        again.readers.len()
    ));

    erase(
        world,
        &mut tale,
        (&restored, &phrase),
        (&bit, &bits_owner),
        &hana,
        (&records[1], &documents[1]),
    )?;

    let report = scan(world, documents, &phrase)?;
    tale.told(&format!(
        "no name, text or key of the patient in {} files ({} KiB) of chain, node, keepers and logs",
        report.files,
        report.bytes / 1024
    ));
    println!("done in {:.1} s", tale.begin.elapsed().as_secs_f64());
    Ok(())
}

/// A record that a reader has and a second device too is erased: nothing of it is left in any file of anybody.
fn erase(
    world: &mut World,
    tale: &mut Tale,
    (patient, phrase): (&Agent, &str),
    (reader, reader_owner): (&Agent, &str),
    author: &Agent,
    (record, document): (&str, &Document),
) -> Result<()> {
    reader.say(&["request", "create", reader_owner, "--reason", "once more"])?;
    patient.say(&["sync"])?;
    let approve = ["request", "approve", "Bit Clinic", "--record", record];
    // The samples are of different persons.
    patient.say(&[approve.as_slice(), &["--other-person"]].concat())?;
    reader.say(&["sync"])?;
    let copy = world.folder().join("bit-copy-2");
    reader.say(&["read", record, "--out", &copy.to_string_lossy()])?;
    ensure!(
        fs::read(&copy)? == document.bytes,
        "the reader's copy is not the document"
    );
    let tablet = world.restore("tablet", "person", phrase)?;
    let exported = world.folder().join("exported.xml");
    let out = exported.to_string_lossy();
    tablet.say(&["record", "export", record, "--yes", "--out", &out])?;

    let done = patient.say(&["record", "erase", record, "--yes"])?;
    ensure!(
        done["statements"] == u64::from(KEEPERS),
        "not every keeper signed: {done}"
    );
    for agent in [&tablet, reader, author, patient] {
        agent.say(&["sync"])?;
    }
    let refused = world.folder().join("never.xml");
    let refused = refused.to_string_lossy();
    for agent in [patient, &tablet] {
        agent.refused(&["record", "export", record, "--out", &refused])?;
        agent.refused(&["request", "approve", "Bit Clinic", "--record", record])?;
    }
    reader.refused(&["read", record, "--out", &refused])?;
    for file in [&copy, &exported, &world.folder().join("again").join(record)] {
        ensure!(!file.exists(), "{} is still there", file.display());
    }
    let shown = patient.say(&["record", "show", record])?;
    ensure!(
        text(&shown, "/state")? == "erased" && text(&shown, "/readers/0/name")? == "Bit Clinic",
        "the tombstone is wrong: {shown}"
    );
    // A letter reaches the device that syncs first: the reader's own sync may have sent it before this one's turn.
    let other = tablet.say(&["record", "show", record])?;
    ensure!(
        [&shown, &other]
            .iter()
            .any(|shown| !shown["readers"][0]["purged"].is_null()),
        "the reader has not said that it purged: {shown} {other}"
    );

    // What the demo itself wrote out by the lost home, and of other records, is no part of the search.
    for folder in ["before", "again"] {
        fs::remove_dir_all(world.folder().join(folder))?;
    }
    let _ = fs::remove_file(world.folder().join("bit-copy"));
    let mut canary = Canary::default();
    canary.document(&document.name, &document.bytes);
    let report = search(&canary, world.folder())?;
    tale.told(&format!(
        "erased: {KEEPERS} keepers signed; reader, second device and author purged; every command refuses it, and nothing \
         of it is in {} files ({} KiB) of all agents, node, keepers and chain",
        report.files,
        report.bytes / 1024
    ));
    Ok(())
}

/// Searches a folder for what must not be there, with a control that must be found.
fn search(canary: &Canary, folder: &Path) -> Result<Report> {
    let planted = folder.join("planted");
    fs::write(&planted, canary.planted()?)?;
    let control = canary.scan(folder)?;
    fs::remove_file(&planted)?;
    ensure!(
        control.found.len() >= canary.forms(),
        "the search missed what was planted: {} of {} found",
        control.found.len(),
        canary.forms()
    );
    let report = canary.scan(folder)?;
    ensure!(
        report.found.is_empty(),
        "found: {}",
        report.found.join("; ")
    );
    Ok(report)
}

/// Searches everything that operators hold, with a control that must be found.
fn scan(world: &World, documents: &[Document], phrase: &str) -> Result<Report> {
    let mut canary = Canary::default();
    for document in documents {
        canary.document(&document.name, &document.bytes);
    }
    let words: Vec<&str> = phrase.split_whitespace().collect();
    for pair in words.windows(3) {
        canary.secret("phrase", &pair.join(" "));
    }
    canary.secret("passphrase", world::PASSPHRASE);
    search(&canary, &world.operators())
}
