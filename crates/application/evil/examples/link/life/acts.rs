//! What persons and hospitals do, and when their agents wake.

use std::collections::BTreeMap;

use medibloc_consent::Purpose;
use medibloc_journey::{
    Extent, JourneyError, Party, PendingRequest, Question, Sooner, medical_only,
};
use medibloc_record::{AccountId, Draft, GrantId, LossReport, RecordId, Sensitivity, Timestamp};

use super::{Act, DAY, HOUR, Living, MINUTE, Mix, WARM_UP};

impl Living {
    pub(super) async fn act(&mut self, act: Act) -> Result<(), JourneyError> {
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
                // At once there is nothing to measure: one block shows whose they are.
                let party = &self.people[person].party;
                party.revoke_everything_later().await?;
                self.people[person].over = true;
            }
            Act::Erase { person } => self.erase(person).await?,
            Act::Rotate { person } => self.rotate(person).await?,
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
            Act::Everything { person }
            | Act::Erase { person }
            | Act::Rotate { person }
            | Act::Open { person }
            | Act::WakePerson { person } => (Some(person), None),
            Act::Read { hospital } | Act::WakeHospital { hospital } => (None, Some(hospital)),
        };
        let end = (self.life.days + WARM_UP) * DAY;
        let now = self.now;
        // A device goes by its own clock.
        let after = |party: &Party, due: Timestamp| now + due.since(party.ports().clock.now());
        let mut wakes = Vec::new();
        if let Some(person) = person.filter(|person| self.people[*person].always) {
            let party = &self.people[person].party;
            let due = party.next_due()?.map(|due| after(party, due));
            wakes.push((true, person, due, Act::WakePerson { person }));
        }
        if let Some(hospital) = hospital {
            let party = &self.hospitals[hospital].party;
            let due = party.next_due()?.map(|due| after(party, due));
            wakes.push((false, hospital, due, Act::WakeHospital { hospital }));
        }
        for (is_person, number, due, act) in wakes {
            let Some(due) = due else { continue };
            let at = due + 1 + self.chance.below(30);
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

    /// The newest record of each pseudonym, one after the other.
    async fn erase(&mut self, person: usize) -> Result<(), JourneyError> {
        let party = &self.people[person].party;
        party.sync().await?;
        let newest: BTreeMap<AccountId, RecordId> = party
            .records()?
            .iter()
            .filter(|kept| kept.is_accepted())
            .map(|kept| (kept.anchor.owner, kept.record()))
            .collect();
        for record in newest.into_values() {
            self.people[person].party.erase(record).await?;
            self.take_a_moment();
        }
        Ok(())
    }

    /// New sealing keys for all pseudonyms, one after the other.
    async fn rotate(&mut self, person: usize) -> Result<(), JourneyError> {
        let pseudonyms: Vec<AccountId> = self.people[person].pseudonyms.values().copied().collect();
        for own in pseudonyms {
            self.people[person].party.rotate_sealing_key(own).await?;
            self.take_a_moment();
        }
        Ok(())
    }

    /// Between two commands that a person types.
    fn take_a_moment(&mut self) {
        let seconds = 5 + self.chance.below(2 * MINUTE);
        self.world.pass(seconds);
        self.now += seconds;
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
        // As long after the visit, however long it was asked for ahead.
        let ahead = if self.life.is_planned_long_ahead() {
            21
        } else {
            7
        };
        let question = Question {
            purpose: Purpose::Treatment,
            reason: format!("visit {}", self.now),
            categories: Vec::new(),
            dates: None,
            until: party.ports().clock.now().plus((days + ahead) * DAY),
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
    ) -> Result<Vec<GrantId>, JourneyError> {
        let a = &mut self.people[person];
        let own = a.pseudonyms.get(&hospital).copied();
        let requests = a.party.requests()?;
        let asked = requests
            .iter()
            .filter(|request| Some(request.own) == own && !a.answered.contains(&request.id));
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
        a.answered.insert(request.id);
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
            for record in b.party.records_of(&held)? {
                if !b.planned.insert(record) {
                    continue;
                }
                match now {
                    true => drop(b.party.read(record).await?),
                    false => drop(b.party.plan_read(record, None).await?),
                }
            }
        }
        Ok(())
    }
}
