//! Opening: what a crash left is brought to order, and a lost or old index is made again from the packs.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use medibloc_dag::Cid;
use medibloc_store::StoreError;
use rusqlite::{Connection, ErrorCode};

use crate::disk::{Disk, DiskFile};
use crate::erasures::{Erasure, Erasures};
use crate::fault::{Fault, io_fault};
use crate::index;
use crate::pack::{self, PackId, Place, Scan};
use crate::writer::{Tail, Writer};

/// The index, its place, and the writer ready to go.
pub(crate) fn open(
    root: &Path,
    disk: Arc<dyn Disk>,
    pack_bytes: u64,
) -> Result<Writer, StoreError> {
    let folder = root.join("packs");
    let log = disk
        .open(&root.join("erasures"), true)
        .map_err(io_fault("erasures"))
        .map_err(StoreError::from)?;
    let (log, records) = Erasures::open(log).map_err(|error| Fault::io("erasures", &error))?;
    let (index, fresh) = open_index(&root.join("index.db"))?;
    let mut writer = Writer {
        disk,
        folder,
        index,
        log,
        pending: Vec::new(),
        tail: None,
        next: 1,
        pack_bytes,
        erased_again: 0,
    };
    recover(&mut writer, &records, fresh)?;
    Ok(writer)
}

/// The index; a damaged one is put away, since the packs hold all that it said.
fn open_index(path: &Path) -> Result<(Connection, bool), StoreError> {
    let opened = match index::open(path) {
        Err(error) if is_damaged(&error) => {
            for end in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(end);
                let _ = std::fs::remove_file(PathBuf::from(name));
            }
            index::open(path)
        }
        opened => opened,
    };
    let (index, form) = opened.map_err(Fault::from)?;
    if form > index::FORM {
        return Err(StoreError::Refused {
            why: format!("index.db has form {form}; use the program that made it or a newer one"),
        });
    }
    Ok((index, form == 0))
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn recover(writer: &mut Writer, records: &[(u64, Erasure)], fresh: bool) -> Result<(), Fault> {
    let followed = if fresh {
        0
    } else {
        index::log_length(&writer.index)?
    };
    let erased = records.iter().filter(|(_, one)| !one.only_removed);
    let logged: HashSet<Cid> = erased.map(|(_, one)| one.cid).collect();
    let only_indexed = keep_log(writer, &logged, followed)?;
    // Erasures first: what they destroy must not be found again.
    writer.pending = records
        .iter()
        .filter(|(end, _)| *end > followed)
        .map(|(_, erasure)| *erasure)
        .collect();
    writer.settle()?;
    writer.erase_again(records, &only_indexed)?;
    let dead: HashSet<_> = records
        .iter()
        .map(|(_, one)| (one.place.pack, one.place.offset))
        .collect();

    let mut files: Vec<PackId> = writer
        .disk
        .list(&writer.folder)
        .map_err(io_fault("packs"))?
        .iter()
        .filter_map(|path| pack::number(path))
        .collect();
    files.sort_unstable();
    let indexed: HashMap<PackId, u64> = index::packs(&writer.index)?
        .into_iter()
        .map(|(pack, length, _)| (pack, length))
        .collect();
    let numbers = files.iter().chain(indexed.keys());
    let logs = records.iter().map(|(_, one)| &one.place.pack);
    writer.next = numbers.chain(logs).max().map_or(1, |last| last + 1);
    for pack in &files {
        let tail = read_pack(writer, *pack, indexed.get(pack).copied(), &dead)?;
        writer.tail = tail.filter(|tail| tail.length < writer.pack_bytes);
    }
    for pack in indexed.keys().filter(|pack| !files.contains(pack)) {
        index::forget_pack(&writer.index, *pack)?;
    }
    Ok(())
}

/// If the log of erasures lost records that the index still has, they are written again; gives whose.
fn keep_log(
    writer: &mut Writer,
    logged: &HashSet<Cid>,
    followed: u64,
) -> Result<HashSet<Cid>, Fault> {
    let mut only_indexed: HashSet<Cid> = index::erased(&writer.index)?.into_iter().collect();
    only_indexed.retain(|cid| !logged.contains(cid));
    let lost: Vec<_> = only_indexed
        .iter()
        .copied()
        .map(Erasure::of_nothing)
        .collect();
    if !lost.is_empty() || writer.log.length() < followed {
        writer.log.append(&lost).map_err(io_fault("erasures"))?;
        index::set_log_length(&writer.index, writer.log.length())?;
    }
    Ok(only_indexed)
}

/// Takes into the index what it does not know of a pack, and cuts a torn end. Gives the pack as the one that may grow,
/// if its end is sound.
fn read_pack(
    writer: &mut Writer,
    pack: PackId,
    indexed: Option<u64>,
    dead: &HashSet<(PackId, u64)>,
) -> Result<Option<Tail>, Fault> {
    let path = pack::path(&writer.folder, pack);
    let fault = io_fault("pack");
    let file = writer.disk.open(&path, false).map_err(&fault)?;
    let length = file.length().map_err(&fault)?;
    let begin = pack::prologue().len() as u64;
    if indexed.is_none() && length <= begin {
        // Made, and nothing acknowledged in it.
        writer.disk.remove(&path).map_err(&fault)?;
        return Ok(None);
    }
    let known = indexed.unwrap_or(begin);
    if length < known {
        return Ok(None);
    }
    let mut end = known;
    if length > known {
        let found = scan(&file, pack, known).map_err(&fault)?;
        end = take(writer, &file, found, known, indexed.is_none(), dead)?;
        if end < length {
            file.set_length(end).map_err(&fault)?;
            file.sync().map_err(&fault)?;
        }
    }
    Ok(Some(Tail {
        pack,
        file,
        length: end,
    }))
}

fn scan(
    file: &Arc<dyn DiskFile>,
    pack: PackId,
    from: u64,
) -> std::io::Result<Vec<(Cid, Place, bool)>> {
    let mut scan = Scan::new(Arc::clone(file), pack, from)?;
    let mut found = Vec::new();
    while let Some(one) = scan.next()? {
        found.push((one.cid, one.place, one.whole));
    }
    Ok(found)
}

/// Indexes what a scan found; gives the end of it. In a pack that the index knew, a broken end was never acknowledged;
/// in one it did not know, a broken block is kept by name, so that its loss is told.
fn take(
    writer: &mut Writer,
    file: &Arc<dyn DiskFile>,
    mut found: Vec<(Cid, Place, bool)>,
    known: u64,
    unknown_pack: bool,
    dead: &HashSet<(PackId, u64)>,
) -> Result<u64, Fault> {
    while !unknown_pack && found.pop_if(|(_, _, whole)| !*whole).is_some() {}
    let end = found
        .last()
        .map_or(known, |(_, place, _)| place.offset + place.total());
    let mut again = Vec::new();
    let mut rows = Vec::new();
    for (cid, place, _) in found {
        if dead.contains(&(place.pack, place.offset)) {
            continue;
        }
        if index::is_erased(&writer.index, &cid)? {
            again.push(Erasure {
                cid,
                place,
                only_removed: false,
            });
        } else {
            rows.push((cid, place));
        }
    }
    // They may have been read from memory only.
    file.sync().map_err(io_fault("pack"))?;
    let pack = rows.first().map(|(_, place)| place.pack);
    let pack = pack.or_else(|| again.first().map(|one| one.place.pack));
    let transaction = writer.index.transaction()?;
    for (cid, place) in &rows {
        index::insert(&transaction, cid, place)?;
    }
    if let Some(pack) = pack {
        index::set_length(&transaction, pack, end)?;
    }
    transaction.commit()?;
    writer.destroy_again(again)?;
    Ok(end)
}
