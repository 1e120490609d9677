//! Simulated lives: persons and hospitals with their real agents, over weeks of simulated time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use medibloc_journey::memory::World;
use medibloc_journey::{JourneyError, Pace, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{BlockEvents, Calldata, Events as _};
use medibloc_record::{AccountId, RecordId, Role};

mod acts;
mod calendar;
mod clock;

use clock::Off;

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
    /// As quiet; every third person takes back everything once, with `--later`.
    Everything,
    /// As quiet; a third of the persons erases a record of each pseudonym in one evening, another third gives all pseudonyms new
    /// sealing keys.
    Erases,
}

impl Mix {
    /// All, in the order of the tables.
    pub const ALL: [Self; 5] = [
        Self::Quiet,
        Self::Several,
        Self::Room,
        Self::Everything,
        Self::Erases,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "nobody waits",
            Self::Several => "several pseudonyms",
            Self::Room => "doctor in the room",
            Self::Everything => "revoke everything",
            Self::Erases => "erase or rotate",
        }
    }

    /// Its name as an argument.
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Several => "several",
            Self::Room => "room",
            Self::Everything => "everything",
            Self::Erases => "erases",
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
    /// Seconds that a device's clock is off at most, one way or the other.
    pub clocks: u64,
}

impl Life {
    /// Consents of several pseudonyms take long, unless they go at once.
    const fn is_planned_long_ahead(&self) -> bool {
        matches!(self.mix, Mix::Several) && self.delay.is_some()
    }
}

/// What was seen, and the truth.
#[derive(Clone, Debug)]
pub struct Lived {
    /// The chain.
    pub blocks: Vec<BlockEvents>,
    /// What calls tell beside their events.
    pub calldata: Vec<Calldata>,
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
    Erase {
        person: usize,
    },
    Rotate {
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
    /// Requests that were answered: nobody answers one twice.
    answered: BTreeSet<[u8; 32]>,
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
            ports.clock = Off::of(ports.clock, seed, life.clocks);
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
            answered: BTreeSet::new(),
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
            calldata: self.world.ledger.calldata(),
            accounts: accounts.map(|it| it.party.account().id()).collect(),
            person_of,
            hospital_of,
            failed: self.failed,
        })
    }
}
