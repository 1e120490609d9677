//! Simulated lives: persons and hospitals with their real agents, over weeks of simulated time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use medibloc_consent::Purpose;
use medibloc_journey::memory::World;
use medibloc_journey::{
    Extent, JourneyError, Pace, Party, PendingRequest, Question, Sooner, medical_only,
};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{BlockEvents, Events as _};
use medibloc_record::{AccountId, Draft, LossReport, RecordId, Role, Sensitivity};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Days in which agents register their first spare addresses, before anybody pairs.
const WARM_UP: u64 = 3;

/// What persons do beside being written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Access to one record is asked for days before a visit: nobody waits.
    Quiet,
    /// Access to all records, under every pseudonym, days before a visit.
    Several,
    /// A doctor in the room: asked, granted and read within minutes, every second time under all pseudonyms.
    Room,
    /// As quiet; every third person takes back everything once.
    Everything,
}

impl Mix {
    /// All, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Quiet, Self::Several, Self::Room, Self::Everything];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "nobody waits",
            Self::Several => "several pseudonyms",
            Self::Room => "doctor in the room",
            Self::Everything => "revoke everything",
        }
    }
}

/// How a life is lived.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Persons.
    pub people: usize,
    /// Hospitals.
    pub hospitals: usize,
    /// Days.
    pub days: u64,
    /// Everything random follows from it.
    pub seed: u64,
    /// What persons do.
    pub mix: Mix,
    /// Longest delay in seconds of acts that nobody waits for; none is the agent as it was before it had a pace.
    pub delay: Option<u64>,
}

/// What was seen, and the truth.
#[derive(Clone, Debug)]
pub struct Lived {
    /// The chain.
    pub blocks: Vec<BlockEvents>,
    /// The hospitals' public accounts.
    pub accounts: Vec<AccountId>,
    /// Whose pseudonym.
    pub person_of: BTreeMap<AccountId, usize>,
    /// Which hospital's reader.
    pub hospital_of: BTreeMap<AccountId, usize>,
    /// Which hospital a pseudonym was paired with.
    pub paired: BTreeMap<AccountId, usize>,
    /// Acts that failed; a life with many is no measurement.
    pub failed: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Pair {
        person: usize,
        hospital: usize,
    },
    Write {
        person: usize,
        hospital: usize,
    },
    Ask {
        person: usize,
        hospital: usize,
        visit: u64,
    },
    Answer {
        person: usize,
        hospital: usize,
        visit: u64,
    },
    Room {
        person: usize,
        hospital: usize,
    },
    Read {
        hospital: usize,
    },
    Everything {
        person: usize,
    },
    Open {
        person: usize,
    },
    WakePerson {
        person: usize,
    },
    WakeHospital {
        hospital: usize,
    },
}

struct Person {
    party: Party,
    /// Its agent runs always; else it is opened twice a day.
    always: bool,
    /// It took back everything: nobody writes for it any more.
    over: bool,
    pseudonyms: BTreeMap<usize, AccountId>,
}

struct Hospital {
    party: Party,
    jwt: String,
    planned: BTreeSet<RecordId>,
}

struct Living {
    life: Life,
    world: Arc<World>,
    people: Vec<Person>,
    hospitals: Vec<Hospital>,
    queue: BinaryHeap<Reverse<(u64, u64, Act)>>,
    now: u64,
    count: u64,
    chance: Chance,
    woken: BTreeMap<(bool, usize), u64>,
    failed: Vec<String>,
}

/// Small numbers that follow from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1))
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next().checked_rem(n).unwrap_or(0)
    }

    /// True in so many of a hundred times.
    pub fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

/// Lives a life.
///
/// # Errors
/// If no agent can work at all; what single acts met is in the result.
pub async fn live(life: Life) -> Result<Lived, JourneyError> {
    let mut living = Living::begin(life).await?;
    living.write_calendar();
    while let Some(Reverse((at, _, act))) = living.queue.pop() {
        living.world.pass(at.saturating_sub(living.now));
        living.now = living.now.max(at);
        if let Err(error) = living.act(act).await {
            living.failed.push(format!("{act:?}: {error}"));
        }
    }
    living.end().await
}

impl Living {
    async fn begin(life: Life) -> Result<Self, JourneyError> {
        let world = World::new(life.seed);
        let pace = |pace: Pace| match life.delay {
            None => Pace::NOW,
            Some(0) => pace.with_delay(0),
            Some(delay) => pace.with_delay(delay),
        };
        let party = |number: usize, role, kind| {
            let seed = life.seed.wrapping_mul(100_003).wrapping_add(number as u64);
            let phrase = Phrase::generate(&mut SeededEntropy::new(seed), Language::English);
            let mut ports = world.ports();
            ports.pace = pace(kind);
            Party::new(phrase.seed(), role, ports)
        };
        let mut chance = Chance::new(life.seed);
        let mut hospitals = Vec::new();
        for number in 0..life.hospitals {
            let party = party(number, Role::Provider, Pace::PROVIDER);
            party.register_account().await?;
            let jwt = world.accredit(party.account().id(), &format!("Hospital {number}"));
            hospitals.push(Hospital {
                party,
                jwt,
                planned: BTreeSet::new(),
            });
        }
        let people = (0..life.people).map(|number| Person {
            party: party(life.hospitals + number, Role::Person, Pace::PERSON),
            always: chance.percent(50),
            over: false,
            pseudonyms: BTreeMap::new(),
        });
        let people = people.collect();
        Ok(Self {
            life,
            world,
            people,
            hospitals,
            queue: BinaryHeap::new(),
            now: 0,
            count: 0,
            chance,
            woken: BTreeMap::new(),
            failed: Vec::new(),
        })
    }

    fn at(&mut self, time: u64, act: Act) {
        self.count += 1;
        self.queue.push(Reverse((time, self.count, act)));
    }

    /// A second of a day's office hours.
    fn office(&mut self, day: u64) -> u64 {
        day * DAY + 8 * HOUR + self.chance.below(10 * HOUR)
    }

    /// Everything that happens by itself: pairings, visits, openings of agents.
    fn write_calendar(&mut self) {
        let (days, mix) = (self.life.days, self.life.mix);
        for hospital in 0..self.life.hospitals {
            for pass in 0..(days + WARM_UP) * 6 {
                let at = pass * 4 * HOUR + self.chance.below(4 * HOUR);
                self.at(at, Act::WakeHospital { hospital });
            }
        }
        for person in 0..self.life.people {
            let (morning, evening) = (
                6 * HOUR + self.chance.below(4 * HOUR),
                17 * HOUR + self.chance.below(6 * HOUR),
            );
            for day in 0..days + WARM_UP {
                for habit in [morning, evening] {
                    let at = day * DAY + habit + self.chance.below(30 * MINUTE);
                    self.at(at, Act::Open { person });
                }
            }
            let mut all: Vec<usize> = (0..self.life.hospitals).collect();
            let wanted = 2 + usize::try_from(self.chance.below(3)).unwrap_or(0);
            while all.len() > wanted.min(self.life.hospitals) {
                let gone = usize::try_from(self.chance.below(all.len() as u64)).unwrap_or(0);
                all.swap_remove(gone);
            }
            for hospital in all {
                let mut day = WARM_UP + self.chance.below(days * 3 / 4);
                let mut first = true;
                while day < days + WARM_UP {
                    let visit = self.office(day);
                    if first {
                        self.at(visit, Act::Pair { person, hospital });
                    }
                    let written = visit + 20 * MINUTE + self.chance.below(4 * HOUR);
                    self.at(written, Act::Write { person, hospital });
                    if self.chance.percent(40) {
                        match mix {
                            Mix::Room => {
                                self.at(visit + 5 * MINUTE, Act::Room { person, hospital });
                            }
                            _ if first => {}
                            _ => {
                                let ahead = 3 + self.chance.below(5);
                                let asked = self.office(day.saturating_sub(ahead));
                                self.at(
                                    asked,
                                    Act::Ask {
                                        person,
                                        hospital,
                                        visit,
                                    },
                                );
                            }
                        }
                    }
                    first = false;
                    day += 5 + self.chance.below(35);
                }
            }
            if mix == Mix::Everything && person % 3 == 0 {
                let day = WARM_UP + days / 2 + self.chance.below(days / 2);
                let at = day * DAY + self.chance.below(DAY);
                self.at(at, Act::Everything { person });
            }
        }
    }

    async fn act(&mut self, act: Act) -> Result<(), JourneyError> {
        match act {
            Act::Pair { person, hospital } => self.pair(person, hospital).await?,
            Act::Write { person, hospital } => self.write(person, hospital).await?,
            Act::Ask {
                person,
                hospital,
                visit,
            } => self.ask(person, hospital, visit).await?,
            Act::Answer {
                person,
                hospital,
                visit,
            } => self.answer(person, hospital, visit).await?,
            Act::Room { person, hospital } => self.room(person, hospital).await?,
            Act::Read { hospital } => self.read(hospital, true).await?,
            Act::Everything { person } => {
                self.people[person].party.revoke_everything().await?;
                self.people[person].over = true;
            }
            Act::Open { person } => {
                self.people[person].party.sync().await?;
            }
            Act::WakePerson { person } => {
                self.people[person].party.catch_up().await?;
            }
            Act::WakeHospital { hospital } => {
                let party = &self.hospitals[hospital].party;
                party.catch_up().await?;
                if self.life.delay.is_some_and(|delay| delay > 0) && self.life.mix != Mix::Room {
                    self.read(hospital, false).await?;
                }
            }
        }
        self.wake(act)
    }

    /// Agents that run always do what is due within half a minute.
    fn wake(&mut self, act: Act) -> Result<(), JourneyError> {
        let (person, hospital) = match act {
            Act::Pair { person, hospital }
            | Act::Write { person, hospital }
            | Act::Ask {
                person, hospital, ..
            }
            | Act::Answer {
                person, hospital, ..
            }
            | Act::Room { person, hospital } => (Some(person), Some(hospital)),
            Act::Everything { person } | Act::Open { person } | Act::WakePerson { person } => {
                (Some(person), None)
            }
            Act::Read { hospital } | Act::WakeHospital { hospital } => (None, Some(hospital)),
        };
        let end = (self.life.days + WARM_UP) * DAY;
        let start = self.world.ports().clock.now().0.saturating_sub(self.now);
        let mut wakes = Vec::new();
        if let Some(person) = person.filter(|person| self.people[*person].always) {
            let due = self.people[person].party.next_due()?;
            wakes.push((true, person, due, Act::WakePerson { person }));
        }
        if let Some(hospital) = hospital {
            let due = self.hospitals[hospital].party.next_due()?;
            wakes.push((false, hospital, due, Act::WakeHospital { hospital }));
        }
        for (is_person, number, due, act) in wakes {
            let Some(due) = due else { continue };
            let at = (due.0.saturating_sub(start)).max(self.now) + 1 + self.chance.below(30);
            let known = self.woken.get(&(is_person, number)).copied();
            if at < end && known.is_none_or(|known| known <= self.now || at < known) {
                self.woken.insert((is_person, number), at);
                self.at(at, act);
            }
        }
        Ok(())
    }

    async fn pair(&mut self, person: usize, hospital: usize) -> Result<(), JourneyError> {
        let (a, b) = (&mut self.people[person], &self.hospitals[hospital]);
        let invitation = a.party.invite().await?;
        let owner = b.party.answer(&invitation, Some(&b.jwt)).await?.owner;
        a.party.sync().await?;
        a.party.confirm(owner)?;
        a.pseudonyms.insert(hospital, owner);
        let until = a.party.ports().clock.now().plus(365 * DAY);
        a.party.grant_write(owner, medical_only(), until).await?;
        // The hospital writes within the hour: what its patient signed at its desk goes at once.
        let write = a.party.write_grants()?;
        let write = write.into_iter().filter(|(_, given)| given.own == owner);
        let ids = write.map(|(id, _)| id).collect();
        a.party.bring_forward(&Sooner::Grants(ids)).await
    }

    fn pseudonym(&self, person: usize, hospital: usize) -> Option<AccountId> {
        let person = self.people.get(person).filter(|person| !person.over)?;
        person.pseudonyms.get(&hospital).copied()
    }

    async fn write(&mut self, person: usize, hospital: usize) -> Result<(), JourneyError> {
        let Some(owner) = self.pseudonym(person, hospital) else {
            return Ok(());
        };
        let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
        let text = format!("{person} {hospital} {}", self.now).into_bytes();
        let draft = Draft::new("application/cda+xml", text, bundle, LossReport::default());
        let party = &self.hospitals[hospital].party;
        party.write_for(owner, draft).await?;
        if self.people[person].always {
            let at = self.now + self.chance.below(30);
            self.at(at, Act::WakePerson { person });
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        person: usize,
        hospital: usize,
        visit: u64,
    ) -> Result<(), JourneyError> {
        if !self.question(person, hospital).await? {
            return Ok(());
        }
        // The person answers when the agent is opened next.
        let at = self.now + HOUR + self.chance.below(20 * HOUR);
        self.at(
            at,
            Act::Answer {
                person,
                hospital,
                visit,
            },
        );
        Ok(())
    }

    async fn question(&mut self, person: usize, hospital: usize) -> Result<bool, JourneyError> {
        let Some(owner) = self.pseudonym(person, hospital) else {
            return Ok(false);
        };
        let party = &self.hospitals[hospital].party;
        let days = [7, 14, 30][usize::try_from(self.chance.below(3)).unwrap_or(0)];
        let question = Question {
            purpose: Purpose::Treatment,
            reason: format!("visit {}", self.now),
            categories: Vec::new(),
            dates: None,
            until: party.ports().clock.now().plus(days * DAY + 7 * DAY),
        };
        party.ask_for(owner, question).await?;
        Ok(true)
    }

    async fn answer(
        &mut self,
        person: usize,
        hospital: usize,
        visit: u64,
    ) -> Result<(), JourneyError> {
        self.people[person].party.sync().await?;
        let all = self.life.mix == Mix::Several;
        self.approve(person, hospital, all).await?;
        if self.life.delay.is_none_or(|delay| delay == 0) {
            // Nothing was read ahead: the doctor opens what was granted when the patient is there.
            self.at(visit.max(self.now + MINUTE), Act::Read { hospital });
        }
        Ok(())
    }

    async fn approve(
        &mut self,
        person: usize,
        hospital: usize,
        all: bool,
    ) -> Result<Vec<medibloc_record::GrantId>, JourneyError> {
        let a = &self.people[person];
        let own = a.pseudonyms.get(&hospital).copied();
        let requests = a.party.requests()?;
        let asked = requests.iter().filter(|request| Some(request.own) == own);
        let Some(request): Option<&PendingRequest> =
            asked.max_by_key(|request| request.request.until)
        else {
            return Ok(Vec::new());
        };
        let until = request.request.until;
        let grants = if all {
            let given = a
                .party
                .approve_all(request, Extent::All, Sensitivity::Normal, until);
            given.await?.grants
        } else {
            let mut records = a.party.records()?;
            records.retain(|kept| kept.is_accepted() && Some(kept.anchor.owner) != own);
            let Some(last) = records.last() else {
                return Ok(Vec::new());
            };
            vec![a.party.approve(request, last.record(), until).await?]
        };
        a.party.deny(request)?;
        Ok(grants)
    }

    async fn room(&mut self, person: usize, hospital: usize) -> Result<(), JourneyError> {
        if !self.question(person, hospital).await? {
            return Ok(());
        }
        self.people[person].party.sync().await?;
        let all = self.chance.percent(50);
        let grants = self.approve(person, hospital, all).await?;
        let a = &self.people[person];
        a.party.bring_forward(&Sooner::Grants(grants)).await?;
        self.hospitals[hospital].party.catch_up().await?;
        self.read(hospital, true).await
    }

    /// Opens everything that was granted and not opened, now or at the agent's pace.
    async fn read(&mut self, hospital: usize, now: bool) -> Result<(), JourneyError> {
        let b = &mut self.hospitals[hospital];
        b.party.catch_up().await?;
        for held in b.party.held()? {
            if held.ended.is_some() {
                continue;
            }
            for record in held.records() {
                if !b.planned.insert(record) {
                    continue;
                }
                match now {
                    true => drop(b.party.read(record).await?),
                    false => b.party.plan_read(record).await?,
                }
            }
        }
        Ok(())
    }

    async fn end(self) -> Result<Lived, JourneyError> {
        let blocks = self.world.ledger.events(0, u32::MAX).await?;
        let (mut person_of, mut hospital_of) = (BTreeMap::new(), BTreeMap::new());
        for (number, person) in self.people.iter().enumerate() {
            for own in person.party.addresses()? {
                person_of.insert(own.id(), number);
            }
        }
        for (number, hospital) in self.hospitals.iter().enumerate() {
            for own in hospital.party.addresses()? {
                hospital_of.insert(own.id(), number);
            }
        }
        let accounts = self.hospitals.iter();
        let pairings = self.people.iter().flat_map(|person| &person.pseudonyms);
        Ok(Lived {
            paired: pairings.map(|(hospital, own)| (*own, *hospital)).collect(),
            blocks,
            accounts: accounts.map(|it| it.party.account().id()).collect(),
            person_of,
            hospital_of,
            failed: self.failed,
        })
    }
}
