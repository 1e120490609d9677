//! `medibloc chain`: what this home, its node and the keepers read of the chain, and to go on with another history.

use medibloc_journey::{Party, Says, Witness};
use medibloc_ledger::Mark;
use serde_json::{Value, json};

use crate::answer::{code, rows};
use crate::{Answer, Problem, command};

pub(super) async fn run(party: &Party, command: &command::Chain) -> Result<Answer, Problem> {
    match command {
        command::Chain::Show => show(party).await,
        command::Chain::Accept { anyway } => accept(party, *anyway).await,
    }
}

async fn show(party: &Party) -> Result<Answer, Problem> {
    let head = party
        .ports()
        .facts
        .head()
        .await
        .map_err(medibloc_journey::JourneyError::from)?;
    let here = party.last_seen()?;
    let alarm = party.chain_alarm().await?;
    let witnesses = party.others_on_chain().await?;
    let head = Mark {
        number: head.number,
        hash: head.hash,
    };
    let mut lines = vec![format!("the chain is at block {}", words(&head))];
    lines.push(match (&here, &alarm) {
        (None, _) => "this home read no block yet".into(),
        (Some(mark), None) => format!("this home read block {}, which the chain has", words(mark)),
        (Some(_), Some(why)) => format!("ALARM: {why}"),
    });
    lines.extend(witnesses.iter().map(|witness| match witness.says {
        Says::Another | Says::Ahead => format!("ALARM: {witness}"),
        Says::Same | Says::Nothing(_) => witness.to_string(),
    }));
    let is_good = alarm.is_none() && told(&witnesses).0;
    if alarm.is_some() {
        lines.push(
            "if the chain is the right one and this home followed an older copy, `medibloc chain accept` goes on with the chain"
                .into(),
        );
    }
    let value = json!({
        "chain": value(&head), "here": here.as_ref().map(value), "alarm": alarm,
        "others": witnesses.iter().map(|witness| json!({
            "keeper": witness.keeper, "block": witness.block, "says": says(&witness.says), "told": witness.to_string(),
        })).collect::<Vec<_>>(),
    });
    let code = if is_good { 0 } else { code::FAILED };
    Ok(Answer::new(value, rows(&lines)).with_code(code))
}

async fn accept(party: &Party, anyway: bool) -> Result<Answer, Problem> {
    let ports = party.ports();
    let committee = ports.facts.committee().await;
    let needed = committee
        .map_err(medibloc_journey::JourneyError::from)?
        .committee
        .threshold
        .t();
    if party.chain_alarm().await?.is_some() && !anyway {
        let witnesses = party.others_on_chain().await?;
        let same = witnesses
            .iter()
            .filter(|witness| is_keeper(witness, &Says::Same))
            .count();
        if same < usize::from(needed) {
            let seen: Vec<String> = witnesses.iter().map(ToString::to_string).collect();
            return Err(Problem::new(
                code::FAILED,
                format!(
                    "{same} keepers read this chain, {needed} are needed to tell it from an older copy; nothing was changed. Ask your \
                     node's operator; `--anyway` goes on with it all the same, if it is decided that it is the right one\n{}",
                    rows(&seen)
                ),
            ));
        }
    }
    let accepted = party.accept_chain().await?;
    let mut lines = vec![format!(
        "this home goes on with the chain from block {}; run `medibloc sync`",
        words(&accepted.shared)
    )];
    lines.extend(
        accepted
            .lacking
            .iter()
            .map(|lacking| format!("this chain does not have: {lacking}")),
    );
    let value = json!({
        "shared": value(&accepted.shared), "left": value(&accepted.left), "lacking": accepted.lacking,
    });
    Ok(Answer::new(value, rows(&lines)))
}

fn is_keeper(witness: &Witness, says: &Says) -> bool {
    witness.keeper.is_some() && witness.says == *says
}

/// What the own node and the keepers read against the chain, in words.
pub(super) fn told(witnesses: &[Witness]) -> (bool, String) {
    let others: Vec<String> = witnesses
        .iter()
        .filter(|witness| matches!(witness.says, Says::Another | Says::Ahead))
        .map(ToString::to_string)
        .collect();
    if !others.is_empty() {
        return (false, others.join("; "));
    }
    let same = witnesses
        .iter()
        .filter(|witness| is_keeper(witness, &Says::Same));
    let keepers = witnesses.iter().filter(|witness| witness.keeper.is_some());
    let node = witnesses
        .iter()
        .any(|witness| witness.keeper.is_none() && witness.says == Says::Same);
    let node = match node {
        true => "so does the node",
        false => "the node does not say which it read",
    };
    let told = format!(
        "{} of {} keepers read a block that the chain has, {node}",
        same.count(),
        keepers.count()
    );
    (true, told)
}

fn says(says: &Says) -> &'static str {
    match says {
        Says::Same => "same",
        Says::Another => "another",
        Says::Ahead => "ahead",
        Says::Nothing(_) => "nothing",
    }
}

fn hash(mark: &Mark) -> String {
    format!("0x{}", hex::encode(mark.hash))
}

fn words(mark: &Mark) -> String {
    format!("{} ({})", mark.number, hash(mark))
}

fn value(mark: &Mark) -> Value {
    json!({"block": mark.number, "hash": hash(mark)})
}
