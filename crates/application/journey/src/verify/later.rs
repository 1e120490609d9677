//! What an author said of a record after it was anchored, by the chain alone.

use medibloc_consent::AnchorFields;
use medibloc_ledger::Event;
use medibloc_record::RecordId;

use super::VerifyReport;
use crate::OnChain;
use crate::moment::Moment;

/// What the chain has of an author's later words about a record: what was anchored stays what it was, and they warn.
#[derive(Default)]
pub(crate) struct SaidLater {
    retracted: Option<OnChain>,
    erased: Option<OnChain>,
    /// What corrects it, and what corrects that, in their order.
    corrections: Vec<LaterCorrection>,
}

/// A correction, and what became of it.
struct LaterCorrection {
    record: RecordId,
    anchored: OnChain,
    retracted: Option<OnChain>,
    erased: Option<OnChain>,
}

impl SaidLater {
    /// What an event says of it, in the order of the chain.
    pub(crate) fn take(&mut self, of: &AnchorFields, event: &Event, at: OnChain) {
        let id = of.record_id();
        match event {
            Event::Anchored(anchor) if (anchor.author, anchor.owner) == (of.author, of.owner) => {
                let is_known = |amends: &RecordId| {
                    let mut known = self.corrections.iter();
                    *amends == id || known.any(|one| one.record == *amends)
                };
                if anchor.amends.as_ref().is_some_and(is_known) {
                    self.corrections.push(LaterCorrection {
                        record: anchor.record_id(),
                        anchored: at,
                        retracted: None,
                        erased: None,
                    });
                }
            }
            Event::Retracted { record } if *record == id => self.retracted = Some(at),
            Event::Retracted { record } => {
                let mut known = self.corrections.iter_mut();
                if let Some(one) = known.find(|one| one.record == *record) {
                    one.retracted = Some(at);
                }
            }
            Event::Erased { record } if *record == id => self.erased = Some(at),
            Event::Erased { record } => {
                let mut known = self.corrections.iter_mut();
                if let Some(one) = known.find(|one| one.record == *record) {
                    one.erased = Some(at);
                }
            }
            _ => {}
        }
    }

    /// The line of whether its owner erased it.
    pub(crate) fn tell_erased(&self, report: &mut VerifyReport) {
        let told = match &self.erased {
            Some(at) => format!("warning: its owner erased it {}", place(at)),
            None => "not erased".into(),
        };
        report.line("erasure", true, told);
    }

    /// Lines of what its author said.
    pub(crate) fn tell(&self, report: &mut VerifyReport) {
        let told = match &self.retracted {
            Some(at) => format!("warning: its author took it back {}", place(at)),
            None => "not taken back".into(),
        };
        report.line("retraction", true, told);
        let stands = |one: &&LaterCorrection| one.retracted.is_none() && one.erased.is_none();
        let newest = self.corrections.iter().rev().find(stands);
        let told = match (newest, self.corrections.last()) {
            (Some(one), _) => format!(
                "warning: its author corrected it {}: record {} is what stands now",
                place(&one.anchored),
                one.record
            ),
            (None, Some(one)) => format!(
                "warning: its author corrected it {} by record {}, which was {}; ask its author what stands",
                place(&one.anchored),
                one.record,
                match (&one.retracted, &one.erased) {
                    (Some(at), _) => format!("taken back since {}", place(at)),
                    (None, at) => format!(
                        "erased since {}",
                        at.as_ref().map_or_else(String::new, place)
                    ),
                }
            ),
            (None, None) => "not corrected".into(),
        };
        report.line("correction", true, told);
    }
}

fn place(at: &OnChain) -> String {
    format!("at {} (block {})", Moment(at.at), at.block)
}
