//! The walk that is disturbed: every step can be done again, as its user would after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fuse::{Fuse, fused};
use medibloc_consent::Purpose;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{
    Extent, GrantView, Invitation, JourneyError, Party, PendingRequest, Ports, VaultPort,
    medical_only,
};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::Events as _;
use medibloc_record::{
    AccountId, Draft, GrantId, LossReport, PartRole, RecordId, Role, Sensitivity, Timestamp,
};

pub(crate) const PATIENT: usize = 0;
pub(crate) const HOSPITAL: usize = 1;
pub(crate) const CLINIC: usize = 2;
const NAMES: [&str; 3] = ["", "Hana Hospital", "Bit Clinic"];
const DAY: u64 = 86_400;

/// One person or organisation: the vault is what stays of it after a crash.
struct Actor {
    vault: Arc<dyn VaultPort>,
    party: Party,
}

/// What the users know of what went well.
#[derive(Default)]
struct Known {
    credentials: BTreeMap<usize, String>,
    invitations: BTreeMap<usize, Invitation>,
    owners: BTreeMap<usize, AccountId>,
    records: Vec<RecordId>,
    request: Option<PendingRequest>,
    grant: Option<GrantId>,
}

pub(crate) struct Walk {
    pub(crate) world: Arc<World>,
    actors: Vec<Actor>,
    known: Known,
    until: Timestamp,
    wrap: Box<dyn Fn(&Ports) -> Ports>,
}

/// A step did not end well: what its user was told.
pub(crate) struct Stopped {
    pub(crate) told: String,
}

fn role(whose: usize) -> Role {
    if whose == PATIENT {
        Role::Person
    } else {
        Role::Provider
    }
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

pub(crate) const STEPS: usize = 20;

impl Walk {
    /// Ports of `disturbed` pass `disturb`; all ports pass `wrap`.
    pub(crate) fn new(
        seed: u64,
        disturbed: usize,
        disturb: impl Fn(&Ports) -> Ports,
        wrap: impl Fn(&Ports) -> Ports + 'static,
    ) -> Self {
        let world = World::new(seed);
        let mut actors = Vec::new();
        for whose in [PATIENT, HOSPITAL, CLINIC] {
            let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
            let mut ports = wrap(&world.ports_with(vault.clone()));
            if whose == disturbed {
                ports = disturb(&ports);
            }
            let party = Party::new(seed_of(whose), role(whose), ports);
            actors.push(Actor { vault, party });
        }
        let until = world.ports().clock.now().plus(7 * DAY);
        Self {
            world,
            actors,
            known: Known::default(),
            until,
            wrap: Box::new(wrap),
        }
    }

    /// What the one that was disturbed does next: a new process over what its vault kept, with whole ports, if it
    /// died; then it syncs.
    pub(crate) async fn recover(&mut self, whose: usize, died: bool) -> Result<(), JourneyError> {
        let actor = &mut self.actors[whose];
        if died {
            let ports = (self.wrap)(&self.world.ports_with(actor.vault.clone()));
            actor.party = Party::new(seed_of(whose), role(whose), ports);
        }
        let synced = actor.party.sync().await;
        if died { synced.map(|_| ()) } else { Ok(()) }
    }

    fn party(&self, whose: usize) -> &Party {
        &self.actors[whose].party
    }

    /// Does one step, or does it again.
    pub(crate) async fn step(&mut self, step: usize, attempt: usize) -> Result<(), Stopped> {
        let done = self.act(step, attempt).await;
        done.map_err(|error| Stopped {
            told: error.to_string(),
        })
    }

    async fn act(&mut self, step: usize, attempt: usize) -> Result<(), JourneyError> {
        match step {
            0 => self.register(HOSPITAL).await,
            1 => self.register(CLINIC).await,
            2 => self.invite(HOSPITAL).await,
            3 => self.answer(HOSPITAL).await,
            4 => self.meet(HOSPITAL, attempt).await,
            5 => self.invite(CLINIC).await,
            6 => self.answer(CLINIC).await,
            7 => self.meet(CLINIC, attempt).await,
            8 => {
                let patient = self.party(PATIENT);
                let owner = self.known.owners[&HOSPITAL];
                patient
                    .grant_write(owner, medical_only(), self.until)
                    .await?;
                self.write(0, "first").await
            }
            9 => self.accept(0).await,
            10 => self.ask().await,
            11 => self.approve(attempt).await,
            12 => self.read(0, "first").await,
            13 => self.write(1, "second").await,
            14 => self.approve_all().await,
            15 => self.write(2, "third").await,
            16 => self.accept(2).await,
            17 => self.read(2, "third").await,
            18 => self.end().await,
            19 => self.rotate().await,
            _ => Ok(()),
        }
    }

    async fn register(&mut self, whose: usize) -> Result<(), JourneyError> {
        let account = self.party(whose).register_account().await?;
        let world = &self.world;
        self.known
            .credentials
            .entry(whose)
            .or_insert_with(|| world.accredit(account.id(), NAMES[whose]));
        Ok(())
    }

    async fn invite(&mut self, whom: usize) -> Result<(), JourneyError> {
        let patient = self.party(PATIENT);
        // What was invited before a crash and not answered is shown again.
        let invitation = match patient.open_invitations()?.pop() {
            Some(open) => open,
            None => patient.invite().await?,
        };
        self.known.invitations.insert(whom, invitation);
        Ok(())
    }

    async fn answer(&mut self, whose: usize) -> Result<(), JourneyError> {
        let (invitation, credential) = (
            &self.known.invitations[&whose],
            &self.known.credentials[&whose],
        );
        let patron = self
            .party(whose)
            .answer(invitation, Some(credential))
            .await?;
        self.known.owners.insert(whose, patron.owner);
        Ok(())
    }

    async fn meet(&mut self, whom: usize, attempt: usize) -> Result<(), JourneyError> {
        if attempt > 1 {
            // "It has not come; please send it again."
            self.answer(whom).await?;
        }
        let patient = self.party(PATIENT);
        patient.sync().await?;
        patient.confirm(self.known.owners[&whom])?;
        Ok(())
    }

    async fn write(&mut self, number: usize, text: &str) -> Result<(), JourneyError> {
        let hospital = self.party(HOSPITAL);
        // The user looks at the list before writing again.
        let known = &self.known.records;
        let written = hospital.written()?;
        let new = written
            .iter()
            .find(|written| !known.contains(&written.record));
        let record = match new {
            Some(written) => written.record,
            None => {
                let owner = self.known.owners[&HOSPITAL];
                hospital.write_for(owner, draft(text)).await?.record
            }
        };
        assert_eq!(self.known.records.len(), number);
        self.known.records.push(record);
        Ok(())
    }

    async fn accept(&mut self, number: usize) -> Result<(), JourneyError> {
        let patient = self.party(PATIENT);
        patient.sync().await?;
        let record = patient.record(self.known.records[number])?;
        if record.is_accepted() {
            return Ok(());
        }
        Err(not_yet("acceptance"))
    }

    async fn ask(&mut self) -> Result<(), JourneyError> {
        let owner = self.known.owners[&CLINIC];
        self.party(CLINIC)
            .ask(owner, Purpose::Treatment, "second opinion", self.until)
            .await
    }

    async fn approve(&mut self, attempt: usize) -> Result<(), JourneyError> {
        if attempt > 1 {
            self.ask().await?;
        }
        let patient = self.party(PATIENT);
        patient.sync().await?;
        let request = patient
            .requests()?
            .pop()
            .ok_or_else(|| not_yet("request"))?;
        let grant = patient
            .approve(&request, self.known.records[0], self.until)
            .await?;
        (self.known.request, self.known.grant) = (Some(request), Some(grant));
        Ok(())
    }

    async fn approve_all(&mut self) -> Result<(), JourneyError> {
        let patient = self.party(PATIENT);
        patient.sync().await?;
        if !patient.record(self.known.records[1])?.is_accepted() {
            return Err(not_yet("acceptance"));
        }
        let request = self.known.request.as_ref().expect("step 11 was done");
        patient
            .approve_all(request, Extent::All, Sensitivity::Normal, self.until)
            .await?;
        Ok(())
    }

    async fn read(&mut self, number: usize, text: &str) -> Result<(), JourneyError> {
        let clinic = self.party(CLINIC);
        clinic.sync().await?;
        let record = self.known.records[number];
        // What was read and not shown before a crash is shown from the copy.
        let read = match clinic.read_before(record)? {
            Some(read) => read,
            None => clinic.read(record).await?,
        };
        let mut original = Vec::new();
        clinic.open_read_part(&read, PartRole::Original, &mut original)?;
        assert_eq!(String::from_utf8(original).unwrap(), text);
        Ok(())
    }

    /// An own record, a revocation, an erasure.
    async fn end(&mut self) -> Result<(), JourneyError> {
        let patient = self.party(PATIENT);
        patient.sync().await?;
        if patient.written()?.is_empty() {
            patient.write_own(draft("own")).await?;
        }
        patient
            .revoke(self.known.grant.expect("step 11 was done"))
            .await?;
        patient.erase(self.known.records[1]).await?;
        Ok(())
    }

    /// The next sealing key of the address that the hospital knows, and newer capsules.
    async fn rotate(&mut self) -> Result<(), JourneyError> {
        let patient = self.party(PATIENT);
        patient.sync().await?;
        let owner = self.known.owners[&HOSPITAL];
        let own = patient
            .addresses()?
            .into_iter()
            .find(|own| own.id() == owner);
        if own.is_some_and(|own| own.key_version == 1) {
            patient.rotate_sealing_key(owner).await?;
        }
        Ok(())
    }

    /// Everybody syncs until nothing is left to do.
    pub(crate) async fn settle(&self) -> Result<(), JourneyError> {
        for _ in 0..3 {
            for actor in &self.actors {
                actor.party.sync().await?;
            }
        }
        self.world.pass(DAY + 1);
        for _ in 0..2 {
            for actor in &self.actors {
                actor.party.sync().await?;
            }
        }
        Ok(())
    }

    /// Restores the patient into an empty vault; a restore that is cut off is begun again over what it left.
    pub(crate) async fn restore(&self, fuse: &Arc<Fuse>) -> Result<Restored, JourneyError> {
        let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
        let ports = |whole| {
            let ports = self.world.ports_with(vault.clone());
            if whole { ports } else { fused(&ports, fuse) }
        };
        let cut_off = Party::restore(&phrase_of(PATIENT), Role::Person, ports(false)).await;
        let party = match cut_off {
            Ok((party, report)) if report.advice().is_none() => party,
            _ => {
                let phrase = phrase_of(PATIENT);
                let again = Party::restore(&phrase, Role::Person, ports(true));
                again.await?.0
            }
        };
        drop(party);
        let party = Party::new(seed_of(PATIENT), Role::Person, ports(true));
        party.sync().await?;
        let contacts = party.contact_views()?;
        let mut names: Vec<_> = contacts.into_iter().map(|view| view.name).collect();
        names.sort();
        Ok(Restored {
            records: format!("{:?}", party.record_views()?),
            given: party.given_views().await?,
            names,
            audit: party.audit().await?.len(),
            jobs: party.job_views()?.len(),
        })
    }

    /// What must be the same however the walk went.
    pub(crate) async fn end_state(&mut self) -> EndState {
        for (whose, actor) in self.actors.iter_mut().enumerate() {
            let ports = self.world.ports_with(actor.vault.clone());
            actor.party = Party::new(seed_of(whose), role(whose), ports);
        }
        let patient = self.party(PATIENT);
        let mut originals = Vec::new();
        for kept in patient.records().unwrap() {
            let mut text = Vec::new();
            match patient.open_own_part(&kept, PartRole::Original, &mut text) {
                Err(JourneyError::Erased { .. }) => text = b"erased".to_vec(),
                other => other.unwrap(),
            }
            originals.push((
                String::from_utf8(text).unwrap(),
                format!("{:?}", kept.standing),
            ));
        }
        originals.sort();
        let mut grants: Vec<_> = patient
            .grants()
            .unwrap()
            .into_iter()
            .map(|(_, given)| {
                let scope = given.artefact.grant.unwrap().terms.scope;
                let scope = format!("{scope:?}");
                let scope = scope.split('(').next().unwrap_or_default().to_owned();
                (scope, given.artefact.name, given.revoked, given.purged)
            })
            .collect();
        grants.sort();
        let clinic = self.party(CLINIC);
        let count = |held| clinic.records_of(held).unwrap().len();
        let mut held: Vec<_> = clinic
            .held()
            .unwrap()
            .iter()
            .map(|held| (count(held), format!("{:?}", held.ended)))
            .collect();
        held.sort();
        let mut chain = BTreeMap::new();
        for block in self.world.ledger.events(0, u32::MAX).await.unwrap() {
            for event in block.events {
                let name = format!("{event:?}");
                let name = name
                    .split([' ', '(', '{'])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                // Keys may come in one list or in two.
                if name != "Delivered" {
                    *chain.entry(name).or_insert(0) += 1;
                }
            }
        }
        let mut unfinished = Vec::new();
        for (whose, actor) in self.actors.iter().enumerate() {
            for table in ["errands", "jobs", "reserved-addresses", "receipts"] {
                let rows = actor.vault.list(table).unwrap().len();
                if rows > 0 {
                    unfinished.push((whose, table.to_owned(), rows));
                }
            }
        }
        EndState {
            originals,
            grants,
            held,
            audit: patient
                .audit()
                .await
                .unwrap()
                .into_iter()
                .map(|line| line.name)
                .collect(),
            statements: patient.deletion_statements().unwrap(),
            chain,
            letters: self.world.letters().len(),
            unfinished,
        }
    }
}

fn seed_of(whose: usize) -> medibloc_keys::Seed {
    phrase_of(whose).seed()
}

fn phrase_of(whose: usize) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(whose as u64 + 1), Language::English)
}

/// What a restore must bring back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    records: String,
    given: Vec<GrantView>,
    names: Vec<String>,
    audit: usize,
    jobs: usize,
}

impl Restored {
    /// There is something to bring back.
    pub(crate) fn is_whole(&self) -> bool {
        self.given.len() == 5 && self.names.len() == 2 && self.audit == 2 && self.jobs == 0
    }
}

fn not_yet(what: &str) -> JourneyError {
    JourneyError::Unknown {
        what: format!("the {what}"),
        hint: "it has not come yet",
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EndState {
    originals: Vec<(String, String)>,
    grants: Vec<(String, String, bool, bool)>,
    held: Vec<(usize, String)>,
    audit: Vec<String>,
    statements: usize,
    chain: BTreeMap<String, usize>,
    letters: usize,
    unfinished: Vec<(usize, String, usize)>,
}

impl EndState {
    /// The fields that differ.
    pub(crate) fn otherwise_than(&self, expected: &Self) -> String {
        let fields = |state: &Self| {
            let text = format!("{state:?}");
            let pieces: Vec<String> = text.split(", ").map(str::to_owned).collect();
            pieces
        };
        let (own, other) = (fields(self), fields(expected));
        let new: Vec<_> = own.iter().filter(|piece| !other.contains(piece)).collect();
        let lost: Vec<_> = other.iter().filter(|piece| !own.contains(piece)).collect();
        format!("has {new:?} for {lost:?}")
    }

    /// The walk itself did what it should.
    pub(crate) fn is_whole(&self) -> bool {
        self.originals.len() == 4 && self.audit.len() == 2 && self.unfinished.is_empty()
    }
}
