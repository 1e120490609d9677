//! Who may read an own record, and who did.

use std::collections::BTreeMap;

use medibloc_consent::FeedFact;
use medibloc_journey::{GivenGrant, JourneyError, KeeperFeed, NamedLine, Party, counted};
use medibloc_record::{GrantId, RecordId};
use serde_json::{Value, json};

use super::elsewhere::Elsewhere;
use super::{find, who};
use crate::Problem;

/// Consents that stand and have the record's key, and receipts for it.
pub(super) struct Readers {
    given: Vec<(GrantId, GivenGrant, bool)>,
    /// What is not known of consents that other devices of the phrase gave.
    elsewhere: Elsewhere,
    /// Every read, or why they are not known.
    reads: Result<Vec<NamedLine>, String>,
    /// What each consent's reader is called, of all consents that were given.
    names: BTreeMap<GrantId, String>,
    /// What keepers told this home of releases and refusals.
    feeds: Vec<KeeperFeed>,
}

impl Readers {
    pub(super) async fn of(
        party: &Party,
        record: RecordId,
        elsewhere: Elsewhere,
    ) -> Result<Self, Problem> {
        let now = find::known_now(party).await?;
        let mut given = Vec::new();
        for (id, one) in party.given_with(record, now)? {
            given.push((id, one, party.is_to_be_given(id)?));
        }
        let reads = match party.reads_of(record).await {
            Err(JourneyError::Ledger(error)) => Err(error.to_string()),
            asked => Ok(asked?),
        };
        let called = party.names()?;
        let named = party.grants()?.into_iter().map(|(id, given)| {
            let artefact = given.artefact;
            (id, called.told(&artefact.name, Some(artefact.paired)))
        });
        let names = named.collect();
        Ok(Self {
            given,
            elsewhere,
            reads,
            names,
            feeds: party.feeds_kept()?,
        })
    }

    /// Whether a consent that stands has its key.
    pub(super) const fn have_it(&self) -> bool {
        !self.given.is_empty()
    }

    /// What is to be said before, if the chain did not say which consents stand.
    pub(super) fn only_known(&self) -> Option<String> {
        self.elsewhere.only_known.clone()
    }

    /// How many keepers say that they refused who read, since then, and why, where none says that it gave its share. What no keeper
    /// told this home yet is not known.
    fn refused(&self, read: &NamedLine) -> Option<(usize, String)> {
        if who::released(&self.feeds, read.line.receipt) > 0 {
            return None;
        }
        let (mut keepers, mut why) = (0, None);
        for feed in &self.feeds {
            let mut lines = feed.lines.iter().rev();
            let refused = lines.find_map(|line| match &line.fact {
                FeedFact::Refused { reader, reason }
                    if *reader == read.line.reader
                        && line.record == read.line.record
                        && line.last >= read.line.at =>
                {
                    Some(reason.to_string())
                }
                _ => None,
            });
            keepers += usize::from(refused.is_some());
            why = why.or(refused);
        }
        Some((keepers, why?))
    }

    fn called(&self, grant: GrantId, name: &str) -> String {
        let called = self.names.get(&grant).cloned();
        called.unwrap_or_else(|| find::told(name))
    }

    pub(super) fn told(&self) -> Vec<String> {
        let given = self.given.iter().map(|(id, given, waits)| {
            let grant = given.artefact.grant.as_ref();
            let until = grant.map_or_else(String::new, |grant| {
                format!(" until {}", find::moment(grant.terms.until))
            });
            format!(
                "{} may read it{until} on consent {}{}",
                self.called(*id, &given.artefact.name),
                &id.to_string()[..12],
                match waits {
                    true => ", which is on its way to the chain",
                    false => "",
                }
            )
        });
        let mut lines: Vec<String> = given.collect();
        lines.extend(self.elsewhere.unknown());
        match &self.reads {
            Ok(reads) => lines.extend(reads.iter().map(|read| {
                let refused = match self.refused(read) {
                    None => String::new(),
                    Some((keepers, why)) => format!(
                        ": a receipt, and no keeper said that it gave its share; refused by {}: {why}",
                        counted(keepers, "keeper")
                    ),
                };
                format!(
                    "{} was cleared to read it {} (block {}){refused}",
                    self.called(read.line.grant, &read.name),
                    find::moment(read.line.at),
                    read.line.block
                )
            })),
            Err(why) => lines.push(format!("who read it is not known now: {why}")),
        }
        lines
    }

    /// The same for programs.
    pub(super) fn note(&self, value: &mut Value) {
        let given = self.given.iter().map(|(id, given, waits)| {
            let grant = given.artefact.grant.as_ref();
            json!({
                "grant": id.to_string(), "name": given.artefact.name, "pending": waits,
                "until": grant.map(|grant| find::moment(grant.terms.until)),
            })
        });
        value["consents"] = given.collect();
        let reads = self.reads.as_ref().ok();
        value["reads"] = json!(reads.map(|reads| {
            let reads = reads.iter().map(|read| {
                json!({
                    "name": read.name, "at": find::moment(read.line.at), "block": read.line.block,
                    "receipt": read.line.receipt.to_string(), "grant": read.line.grant.to_string(),
                    "refusedBy": self.refused(read).map_or(0, |(keepers, _)| keepers),
                })
            });
            reads.collect::<Vec<_>>()
        }));
    }
}
