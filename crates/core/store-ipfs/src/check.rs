//! A full scrub: every byte of every pack is read, and the index is compared with what is there.

use std::collections::BTreeSet;

use medibloc_dag::Cid;

use crate::fault::{Fault, io_fault};
use crate::index;
use crate::pack::{self, Scan};
use crate::writer::Writer;

/// What a scrub found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Sound blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks of which no sound copy is left: fetch them from another node.
    pub corrupt: Vec<Cid>,
    /// Sound blocks that the index does not know.
    pub unindexed: Vec<Cid>,
    /// Erased blocks of which bytes are still there.
    pub remains: Vec<Cid>,
}

impl Report {
    /// Whether all is as it should be.
    pub const fn is_sound(&self) -> bool {
        self.corrupt.is_empty() && self.unindexed.is_empty() && self.remains.is_empty()
    }
}

impl Writer {
    pub(crate) fn check(&self) -> Result<Report, Fault> {
        let fault = io_fault("pack");
        let dead = self.log.places().map_err(&fault)?;
        let mut erased: BTreeSet<Cid> = index::erased(&self.index)?.into_iter().collect();
        erased.extend(self.pending.iter().map(|one| one.cid));
        let mut report = Report::default();
        let mut sound = BTreeSet::new();
        let mut listed = BTreeSet::new();
        for path in self.disk.list(&self.folder).map_err(&fault)? {
            let Some(id) = pack::number(&path) else {
                continue;
            };
            let mut rows: BTreeSet<_> = index::of_pack(&self.index, id)?
                .into_iter()
                .map(|(cid, place)| (place, cid))
                .collect();
            let file = self.disk.open(&path, false).map_err(&fault)?;
            let mut scan = Scan::new(file, id, pack::prologue().len() as u64).map_err(&fault)?;
            while let Some(found) = scan.next().map_err(&fault)? {
                if dead.contains(&(id, found.place.offset)) {
                    if erased.contains(&found.cid) && found.cid != zeros(found.place.length) {
                        report.remains.push(found.cid);
                    }
                    continue;
                }
                let known = rows.remove(&(found.place, found.cid));
                listed.insert(found.cid);
                if erased.contains(&found.cid) {
                    report.remains.push(found.cid);
                } else if !known {
                    report.unindexed.push(found.cid);
                } else if found.whole && sound.insert(found.cid) {
                    report.blocks += 1;
                    report.bytes += u64::from(found.place.length);
                }
            }
            listed.extend(rows.into_iter().map(|(_, cid)| cid));
        }
        listed.extend(index::all(&self.index)?);
        report.corrupt = listed.difference(&sound).copied().collect();
        report
            .corrupt
            .retain(|cid| !erased.contains(cid) && !report.unindexed.contains(cid));
        Ok(report)
    }
}

fn zeros(length: u32) -> Cid {
    Cid::of_raw(&vec![0; length as usize])
}
