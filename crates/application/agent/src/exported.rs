//! Files that were written out of the vault: deleted again when their record goes, if they are still what was written.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use medibloc_journey::FileFate;
use medibloc_record::Digest;
use sha2::{Digest as _, Sha256};

/// Where a file stands until it is whole.
pub(crate) fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    PathBuf::from(partial)
}

/// Deletes a file that still holds these bytes, and what a crash left of it.
pub(crate) fn delete(path: &Path, sha256: &Digest) -> FileFate {
    let stays = |why: String| FileFate::Stays { why };
    match hash(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Nobody else writes files of this name beside it.
            match std::fs::remove_file(partial(path)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    stays(error.to_string())
                }
                _ => FileFate::Gone,
            }
        }
        Err(error) => stays(format!("it cannot be read: {error}")),
        Ok(found) if found != *sha256 => {
            stays("it was changed since it was written; delete it yourself".into())
        }
        Ok(_) => match std::fs::remove_file(path) {
            Ok(()) => {
                // A crash may have left its other name.
                let half = partial(path);
                if hash(&half).is_ok_and(|found| found == *sha256) {
                    let _ = std::fs::remove_file(half);
                }
                FileFate::Removed
            }
            Err(error) => stays(format!("it cannot be deleted: {error}; delete it yourself")),
        },
    }
}

fn hash(path: &Path) -> std::io::Result<Digest> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::new(hasher.finalize().into())),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_unchanged_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.xml");
        let digest = Digest::of(b"as written");
        assert_eq!(delete(&path, &digest), FileFate::Gone, "it never was");
        std::fs::write(&path, b"as written").unwrap();
        assert_eq!(delete(&path, &digest), FileFate::Removed);
        assert!(!path.exists());
        for file in [path.clone(), partial(&path)] {
            std::fs::write(file, b"as written").unwrap();
        }
        assert_eq!(delete(&path, &digest), FileFate::Removed);
        assert!(!partial(&path).exists(), "its other name");
        std::fs::write(&path, b"with a note").unwrap();
        let fate = delete(&path, &digest);
        assert!(
            matches!(&fate, FileFate::Stays { why } if why.contains("changed")),
            "{fate:?}"
        );
        assert!(path.exists());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(partial(&path), b"as wri").unwrap();
        assert_eq!(delete(&path, &digest), FileFate::Gone);
        assert!(!partial(&path).exists(), "what a crash left");
    }
}
