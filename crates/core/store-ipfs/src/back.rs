//! What was destroyed and is there again: somebody put an older copy of the packs, or of the log of erasures, beside newer files. It is
//! destroyed again before anything is read.

use std::collections::{BTreeMap, HashSet};
use std::io;

use medibloc_dag::{Cid, car};

use crate::disk::DiskFile;
use crate::erasures::Erasure;
use crate::fault::{Fault, io_fault};
use crate::index;
use crate::pack::{self, PackId, Place, Scan};
use crate::writer::Writer;

impl Writer {
    /// Destroys again what the log says was destroyed, and every copy of blocks of which only the index says so. The first costs a look
    /// at each place's head; the second reads the packs whole, and is needed only when the log lost records.
    pub(crate) fn erase_again(
        &mut self,
        logged: &[(u64, Erasure)],
        only_indexed: &HashSet<Cid>,
    ) -> Result<(), Fault> {
        let mut packs: BTreeMap<PackId, Vec<Erasure>> = BTreeMap::new();
        for (_, one) in logged {
            packs.entry(one.place.pack).or_default().push(*one);
        }
        let mut back = Vec::new();
        for path in self.disk.list(&self.folder).map_err(io_fault("packs"))? {
            let Some(id) = pack::number(&path) else {
                continue;
            };
            let erasures = packs.remove(&id).unwrap_or_default();
            if erasures.is_empty() && only_indexed.is_empty() {
                continue;
            }
            let fault = io_fault("pack");
            let file = self.disk.open(&path, false).map_err(&fault)?;
            for one in erasures {
                // What was only removed may have been kept again.
                let is_kept =
                    one.only_removed && index::copies(&self.index, &one.cid)?.contains(&one.place);
                if !is_kept && is_at(&*file, &one.cid, &one.place).map_err(&fault)? {
                    back.push(one);
                }
            }
            if only_indexed.is_empty() {
                continue;
            }
            let mut scan = Scan::new(file, id, pack::prologue().len() as u64).map_err(&fault)?;
            while let Some(found) = scan.next().map_err(&fault)? {
                if only_indexed.contains(&found.cid) {
                    back.push(Erasure {
                        cid: found.cid,
                        place: found.place,
                        only_removed: false,
                    });
                }
            }
        }
        self.destroy_again(back)
    }

    /// Destroys erased copies that were found, and counts them.
    pub(crate) fn destroy_again(&mut self, back: Vec<Erasure>) -> Result<(), Fault> {
        if back.is_empty() {
            return Ok(());
        }
        self.erased_again += back.len() as u64;
        self.log.append(&back).map_err(io_fault("erasures"))?;
        self.pending = back;
        self.settle()
    }
}

/// Whether a section with this identifier begins at a place.
fn is_at(file: &dyn DiskFile, cid: &Cid, place: &Place) -> io::Result<bool> {
    let head = car::prefix(cid, place.length as usize);
    let mut found = vec![0; head.len()];
    match file.read_at(&mut found, place.offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
        Ok(()) => Ok(found == head),
    }
}
