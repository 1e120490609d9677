//! Whether this home knows whose a document is, before it is written for an owner.

use medibloc_journey::{Party, Subject};
use medibloc_record::{AccountId, Draft};

use super::{find, retracted};
use crate::Problem;
use crate::answer::code;
use crate::convert::About;

/// Identifiers of a patient that are shown.
const MOST_IDS: usize = 4;

/// Refuses a document of a person that this home does not know as the owner: an address says nothing of whose it is.
pub(super) async fn must_be_known(
    party: &Party,
    owner: AccountId,
    draft: &Draft,
) -> Result<(), Problem> {
    let Some(about) = Subject::of(&draft.fhir) else {
        return Ok(());
    };
    let mut others = party.known_exactly_as(&about).await?;
    let is_exact = others.contains(&owner);
    others.retain(|other| *other != owner);
    let is_known = party.is_known_as(owner, &about).await?;
    if is_known && (is_exact || others.is_empty()) {
        return Ok(());
    }
    let mut why = match is_known {
        true => Vec::new(),
        false => vec![format!(
            "nothing here says that this is the patient of {}: no record that was written here for this owner, and no label that names it",
            find::owner(party, owner)?
        )],
    };
    for other in others {
        why.push(format!(
            "of exactly this name and day of birth is {} here",
            find::owner(party, other)?
        ));
    }
    let ids = identifiers(&draft.fhir);
    let ids = match ids.is_empty() {
        true => String::new(),
        false => format!(", {}", ids.join(", ")),
    };
    Err(Problem::new(
        code::USAGE,
        format!(
            "this document names {}{ids}; {}. Nothing was written. `--yes` says that it is the patient of {}; `medibloc contact \
             label` keeps a name for the owner. It would be written as {}",
            retracted::subject(&about),
            why.join("; "),
            find::owner(party, owner)?,
            About::of(draft).told()
        ),
    ))
}

/// Identifiers of a bundle's first patient, as they are written.
fn identifiers(bundle: &medibloc_record::json::Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let mut resources = entries.map(|entry| &entry["resource"]);
    let patient = resources.find(|resource| resource["resourceType"] == "Patient");
    let ids = patient.and_then(|patient| patient["identifier"].as_array());
    let ids = ids.into_iter().flatten().filter_map(|id| {
        let (value, system) = (id["value"].as_str()?, id["system"].as_str());
        let system = system.map_or_else(String::new, |system| format!(" ({})", find::told(system)));
        Some(format!("identifier {}{system}", find::told(value)))
    });
    ids.take(MOST_IDS).collect()
}
