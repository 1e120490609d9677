//! Packs that are half dead: what lives moves to the end, the rest goes.

use std::borrow::Cow;
use std::sync::Arc;

use crate::fault::{Fault, io_fault};
use crate::index;
use crate::pack::{self, PackId};
use crate::writer::Writer;

impl Writer {
    /// Compacts every closed pack of which less than half lives; gives them.
    pub(crate) fn compact(&mut self) -> Result<Vec<PackId>, Fault> {
        self.settle()?;
        let growing = self.tail.as_ref().map(|tail| tail.pack);
        let half_dead: Vec<_> = index::packs(&self.index)?
            .into_iter()
            .filter(|(pack, length, live)| Some(*pack) != growing && *live < *length / 2)
            .map(|(pack, ..)| pack)
            .collect();
        let mut gone = Vec::new();
        for pack in half_dead {
            if self.compact_one(pack)? {
                gone.push(pack);
            }
        }
        Ok(gone)
    }

    /// A pack with a damaged block stays, as evidence and because a part of it may yet be read.
    fn compact_one(&mut self, pack: PackId) -> Result<bool, Fault> {
        let path = pack::path(&self.folder, pack);
        let fault = io_fault("pack");
        let Ok(file) = self.disk.open(&path, false) else {
            return Ok(false);
        };
        let blocks = index::of_pack(&self.index, pack)?;
        for (cid, place) in &blocks {
            if pack::read(&*file, cid, place).map_err(&fault)?.is_none() {
                return Ok(false);
            }
        }
        let source = Arc::clone(&file);
        let moved = blocks.iter().map(|(cid, place)| {
            let bytes = pack::read(&*source, cid, place).map_err(io_fault("pack"))?;
            let rotten = std::io::Error::from(std::io::ErrorKind::InvalidData);
            let bytes = bytes.ok_or_else(|| Fault::io("pack", &rotten))?;
            Ok((*cid, Cow::Owned(bytes)))
        });
        self.append(moved, Some(pack))?;
        self.disk.remove(&path).map_err(&fault)?;
        self.disk.sync_folder(&self.folder).map_err(&fault)?;
        Ok(true)
    }
}
