//! Room that is kept aside on the home's disk, so that a full one never keeps a person from taking something back.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// As much as the vault's log grows before it is written back (1,000 pages), which is more than any such act needs but
/// the overwriting of large documents, which goes on when there is room.
const BYTES: usize = 4 << 20;

/// As much as the log grows by a row.
const LENT: u64 = 64 << 10;

/// What is never lent.
const KEPT: u64 = BYTES as u64 / 2;

/// Free bytes that must be there to make it anew: it takes no last room from anybody.
const ROOM: u64 = 4 * BYTES as u64;

fn file(home: &Path) -> PathBuf {
    home.join("reserve")
}

/// Gives the room free. Whatever fails, the act that needs it says so itself.
pub(crate) fn free(home: &Path) {
    let _ = std::fs::remove_file(file(home));
}

/// Gives a little of the room free on a full disk, as long as the greater part of it is left to what takes back.
pub(crate) fn lend(home: &Path, free: Option<u64>) -> bool {
    if free.is_none_or(|free| free > LENT) {
        return false;
    }
    let shorter = || -> std::io::Result<bool> {
        let file = std::fs::File::options().write(true).open(file(home))?;
        let left = file.metadata()?.len().saturating_sub(LENT);
        if left < KEPT {
            return Ok(false);
        }
        file.set_len(left)?;
        file.sync_all()?;
        Ok(true)
    };
    shorter().unwrap_or(false)
}

/// Whether all of the room is kept aside.
pub(crate) fn is_whole(home: &Path) -> bool {
    std::fs::metadata(file(home)).is_ok_and(|there| there.len() == BYTES as u64)
}

/// Keeps the room aside, unless it is, or so little is free. Nothing that fails here is worth stopping for.
pub(crate) fn keep(home: &Path, free: Option<u64>) {
    let path = file(home);
    if is_whole(home) || free.is_none_or(|free| free < ROOM) {
        return;
    }
    if write(&path).is_err() {
        let _ = std::fs::remove_file(&path);
    }
}

fn write(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::File::options();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut bytes = vec![0; BYTES];
    // A file system that compresses would keep nothing aside for zeros.
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    let mut file = options.open(path)?;
    file.write_all(&bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_it_is_lent_and_on_a_full_disk_alone() {
        let home = tempfile::tempdir().unwrap();
        assert!(!lend(home.path(), Some(0)), "there is none");
        keep(home.path(), Some(ROOM));
        for free in [None, Some(LENT + 1)] {
            assert!(!lend(home.path(), free), "{free:?}");
        }
        let lent = (0..1_000).filter(|_| lend(home.path(), Some(LENT))).count();
        assert_eq!(lent, 32);
        let left = std::fs::metadata(file(home.path())).unwrap().len();
        assert_eq!(left, KEPT);
        keep(home.path(), Some(ROOM));
        assert!(lend(home.path(), Some(0)), "it is whole again");
    }

    #[test]
    fn it_is_made_once_with_room_and_anew_when_it_is_cut() {
        let home = tempfile::tempdir().unwrap();
        let length = || std::fs::metadata(file(home.path())).ok().map(|it| it.len());
        for (free, expected) in [
            (None, None),
            (Some(ROOM - 1), None),
            (Some(ROOM), Some(BYTES as u64)),
        ] {
            keep(home.path(), free);
            assert_eq!(length(), expected, "{free:?}");
        }
        std::fs::write(file(home.path()), b"cut").unwrap();
        keep(home.path(), Some(ROOM));
        assert_eq!(length(), Some(BYTES as u64));
        assert!(is_whole(home.path()));
        free(home.path());
        assert_eq!(length(), None);
        assert!(!is_whole(home.path()));
        free(home.path());
    }
}
