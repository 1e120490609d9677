//! `medibloc audit` while the chain does not answer: what syncs took of it, and nothing as if it were all.

use medibloc_journey::{AsOf, KeptReceipt, Party, counted_as};
use serde_json::json;

use super::{find, said, who};
use crate::answer::{code, rows};
use crate::{Answer, Problem};

/// What this home took of reads of the own records. Alarms stay until the chain was asked.
pub(super) fn kept(party: &Party, as_of: &AsOf, only_known: &str) -> Result<Answer, Problem> {
    let (reads, feeds) = (party.audit_kept()?, party.feeds_kept()?);
    let titles = who::titles(party, reads.iter().map(|read| read.record))?;
    let corrections = party.all_corrections()?;
    let mut lines = vec![
        only_known.to_owned(),
        match party.synced_to()? {
            Some(block) => format!(
                "the chain was not asked: reads since block {block} are missing, and so is what this home read of others; \
                 `medibloc audit` again when it answers"
            ),
            None => "the chain was not asked, and no sync took any read before".to_owned(),
        },
    ];
    let mut values = Vec::with_capacity(reads.len());
    for read in &reads {
        let mark = said::mark(party, &corrections, read.record)?;
        lines.push(line(
            read,
            titles.get(&read.record),
            &mark,
            who::released(&feeds, read.receipt),
        ));
        let basis = read.basis.as_ref();
        let until = basis.and_then(|basis| Some(basis.grant.as_ref()?.terms.until));
        values.push(json!({
            "record": read.record.to_string(), "reader": read.reader.to_string(), "grant": read.grant.to_string(),
            "receipt": read.receipt.to_string(), "at": null, "block": read.block, "until": until.map(find::moment),
            "purpose": basis.map(|basis| basis.purpose.code()), "reason": basis.map(|basis| &basis.reason),
            "name": read.called, "contact": basis.map(|basis| basis.paired.to_string()),
            "title": titles.get(&read.record), "givenBy": read.is_given.filter(|is_given| *is_given), "released": who::released(&feeds, read.receipt),
        }));
    }
    let given: Vec<_> = party
        .grants()?
        .into_iter()
        .map(|(_, it)| it.artefact)
        .collect();
    let names = who::readers(&party.names()?, given.iter());
    let mut refused = Vec::new();
    for feed in &feeds {
        for line in feed.lines.iter().filter(|line| !who::is_release(line)) {
            let (told, value) = who::refusal(feed.index, line, &names);
            lines.push(told);
            refused.push(value);
        }
    }
    let alarms = party.alarms()?;
    lines.extend(alarms.iter().map(|alarm| format!("ALARM: {alarm}")));
    let value = json!({
        "ownReads": null, "reads": values, "silent": null, "refused": refused, "proofs": [], "alarms": alarms,
        "asOf": find::as_of_value(as_of),
    });
    Ok(Answer::new(value, rows(&lines)).with_code(code::UNREACHABLE))
}

fn line(read: &KeptReceipt, title: Option<&String>, mark: &str, released: usize) -> String {
    let at = read.block.map_or_else(
        || "in a block that this home did not keep".to_owned(),
        |block| format!("in block {block}"),
    );
    format!(
        "{at}  {} was cleared to read {}{mark}  on {}{}; receipt {}; {} to have given a share",
        read.called,
        find::titled(read.record, title),
        who::basis(read.grant, read.basis.as_ref(), who::GIVEN_IS_LOST),
        match read.is_given {
            Some(false) => ", of which this home does not know that it gave it",
            _ => "",
        },
        &read.receipt.to_string()[..12],
        counted_as(released, "keeper said", "keepers said"),
    )
}
