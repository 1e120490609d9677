//! `medibloc grant revoke --everything`: what ended, what goes later, and what the chain still has in force.

use medibloc_journey::{GrantState, GrantView, Party, Sooner, counted_as};
use serde_json::json;

use super::super::find;
use crate::answer::code;
use crate::{Answer, Problem};

/// Everything of everybody.
pub(in crate::run) async fn everything(party: &Party, later: bool) -> Result<Answer, Problem> {
    let given = party.given_views().await?;
    let stands = |view: &GrantView| {
        matches!(
            view.state,
            GrantState::Pending | GrantState::Live | GrantState::Ending
        )
    };
    let standing = given.iter().filter(|view| stands(view)).count();
    let over = given
        .iter()
        .filter(|view| view.state == GrantState::Expired);
    let over = over.count();
    let acting = match later {
        true => {
            party.revoke_everything_later().await?;
            0
        }
        false => party.end_everything().await?,
    };
    let (planned, still) = (
        party.planned_of(&Sooner::Revocations)?,
        party.still_given()?,
    );
    let text = match planned.last() {
        None if standing + acting == 0 => {
            "nothing is to be taken back: no consent of your addresses stands on the chain"
                .to_owned()
        }
        None => {
            let together = match acting {
                0 | 1 => String::new(),
                many => format!(
                    "; {many} of your addresses did so together, which shows whoever watches the chain that they belong together"
                ),
            };
            format!(
                "every consent is taken back; no keeper releases a share, and nothing that is written counts, from now on{together}"
            )
        }
        Some(last) => {
            let called = party.names()?;
            let lines = still.iter().map(|still| {
                let may = [("read", still.reads), ("write", still.writes)].map(|(may, until)| {
                    until.map(|until| format!("may {may} until {}", find::moment(until)))
                });
                let may: Vec<String> = may.into_iter().flatten().collect();
                format!(
                    "\n  {} {}",
                    called.told(&still.name, Some(still.paired)),
                    may.join(" and ")
                )
            });
            format!(
                "not everything is taken back yet: {} so one by one until {}, so that nobody sees that \
                 they belong together; keep `medibloc serve` running or run `medibloc sync` then, else they do not; \
                 `medibloc grant revoke --everything` does it at once{}",
                counted_as(
                    planned.len(),
                    "of your addresses does",
                    "of your addresses do"
                ),
                find::moment(last.due),
                lines.collect::<String>()
            )
        }
    };
    let text = match over {
        0 => text,
        over => format!(
            "{text}; left out: {} by the chain's time and this machine's clock alike",
            counted_as(over, "consent that has ended", "consents that have ended")
        ),
    };
    // What is said of all is what the chain shows of all.
    let left = match planned.is_empty() {
        true => left_standing(party).await,
        false => None,
    };
    let text = left.clone().unwrap_or(text);
    let clock = find::clock_warning(party).await;
    let text = text + &clock.map_or_else(String::new, |told| format!("\n{told}"));
    let still: Vec<_> = still
        .iter()
        .map(|still| {
            json!({
                "name": still.name, "until": still.until().map(find::moment), "readsUntil": still.reads.map(find::moment),
                "writesUntil": still.writes.map(find::moment),
            })
        })
        .collect();
    let mut value =
        json!({"revoked": "everything", "waiting": planned.len(), "still": still, "ended": over});
    let Some(left) = left else {
        return Ok(Answer::new(value, text));
    };
    value["leftOver"] = json!(left);
    Ok(Answer::new(value, text).with_code(code::UNREACHABLE))
}

/// What the chain still has in force after everything was taken back; none if nothing.
async fn left_standing(party: &Party) -> Option<String> {
    let next = "say `medibloc grant revoke --everything` again when the chain answers";
    match Box::pin(party.consents_on_chain()).await {
        Ok(left) if left.is_empty() => None,
        Ok(left) => {
            let ids: Vec<String> = left.iter().map(|one| one.id.to_string()).collect();
            Some(format!(
                "not everything is taken back: {} on the chain: {}; {next}",
                counted_as(left.len(), "consent still stands", "consents still stand"),
                ids.join(", ")
            ))
        }
        Err(error) => Some(format!(
            "the orders to take back everything went out, and the chain does not say whether a consent still stands ({error}); {next}"
        )),
    }
}
