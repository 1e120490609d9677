//! What is said of a key that opens its record under a consent that was not to give it, before one is given and after one ended.

use medibloc_journey::{Party, PendingRequest, StillStanding};
use medibloc_record::RecordId;
use serde_json::json;

use super::find;
use crate::answer::code;
use crate::command::Haste;
use crate::{Answer, Problem};

/// Why, in words.
const WHY: &str = "on the chain that consent is to every record of an address, and what it does not give is kept by which keys go out \
under it alone";

/// What is to be told with what is given.
pub(super) struct Warned {
    name: &'static str,
    ids: Vec<String>,
    told: String,
}

/// What ended does not keep its record from whoever kept the key.
pub(super) fn kept_key(whom: &str, opens: &[StillStanding]) -> Vec<String> {
    let told = opens.iter().map(|one| {
        let (id, until) = (one.id, find::moment(one.until));
        format!(
            "if {whom} kept the key, it opens the record under {id}, too, until {until}, which was not to give it: {WHY}; `medibloc \
             grant revoke {id}` ends that"
        )
    });
    told.collect()
}

pub(super) fn ids(opens: &[StillStanding]) -> Vec<String> {
    opens.iter().map(|one| one.id.to_string()).collect()
}

/// Before a record is given to who has a wider consent that does not give it: its end would not be the end.
pub(super) async fn before_one(
    party: &Party,
    request: &PendingRequest,
    record: RecordId,
    haste: Haste,
) -> Result<Warned, Problem> {
    let opens = party.key_will_open_under(request.own, record).await?;
    let name = party.names()?.told(&request.name, Some(request.own));
    let ends = opens.iter().map(|one| find::moment(one.until));
    let told = format!(
        "{name} has a wider consent that does not give this record ({}, until {}): {WHY}, so that who keeps the record's key opens it \
         under that one, too, when this consent has ended; `medibloc grant revoke` of the wider one ends that",
        ids(&opens).join(", "),
        ends.max().unwrap_or_default(),
    );
    Warned::unless_meant("keyOpensUnder", ids(&opens), told, haste)
}

impl Warned {
    fn unless_meant(
        name: &'static str,
        ids: Vec<String>,
        told: String,
        haste: Haste,
    ) -> Result<Self, Problem> {
        if ids.is_empty() || haste.yes {
            return Ok(Self { name, ids, told });
        }
        Err(Problem::new(
            code::USAGE,
            format!("{told}. Nothing was given; say `--yes` if it is meant"),
        ))
    }

    /// The answer with what was told before.
    pub(super) fn with(self, mut answer: Answer) -> Answer {
        if !self.ids.is_empty() {
            answer.text.push_str(&format!("\nWARNING: {}", self.told));
        }
        answer.value[self.name] = json!(self.ids);
        answer
    }
}
