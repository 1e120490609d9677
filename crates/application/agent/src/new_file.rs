//! Files that commands write: each is new, whole or absent, and only its owner can read it.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use crate::Problem;
use crate::answer::code;
use crate::exported::partial;
use crate::home::private_new_file;

/// That a file can be written there, before anything else is done.
///
/// # Errors
/// If one of that name is there, or its folder is not.
pub(crate) fn must_be_new(path: &Path) -> Result<(), Problem> {
    // A link to nowhere is something, too.
    if path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let partial = partial(path);
    if partial.symlink_metadata().is_ok() {
        return Err(left_over(path, &partial));
    }
    if folder(path).is_some_and(|folder| !folder.is_dir()) {
        return Err(Problem::new(
            code::FAILED,
            format!(
                "the folder of {} is not there; make it first",
                path.display()
            ),
        ));
    }
    Ok(())
}

/// Writes a new file; what breaks it off leaves none of that name.
///
/// # Errors
/// As for [`must_be_new`], or if it cannot be written.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    must_be_new(path)?;
    let partial = partial(path);
    let mut file = match private_new_file(&partial) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(left_over(path, &partial));
        }
        opened => opened.map_err(|error| unwritten(path, &error))?,
    };
    let whole = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| give_name(&partial, path));
    if whole.is_err() {
        // Half a document in the clear; a disk that is full needs the room, too.
        let _ = std::fs::remove_file(&partial);
    }
    whole
        .and_then(|()| folder(path).map_or(Ok(()), |folder| File::open(folder)?.sync_all()))
        .map_err(|error| unwritten(path, &error))
}

/// Gives a whole file its name, unless another one has got it meanwhile: a plain rename would take that one's place.
fn give_name(partial: &Path, path: &Path) -> std::io::Result<()> {
    match std::fs::hard_link(partial, path) {
        Ok(()) => std::fs::remove_file(partial),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // A file system without links.
        Err(_) if path.symlink_metadata().is_err() => std::fs::rename(partial, path),
        Err(_) => Err(ErrorKind::AlreadyExists.into()),
    }
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

fn exists(path: &Path) -> Problem {
    Problem::new(
        code::FAILED,
        format!("{} exists; choose another file", path.display()),
    )
}

fn left_over(path: &Path, partial: &Path) -> Problem {
    let told = format!(
        "{} exists, where {} stands until it is whole: a command that was broken off left it, or it is yours. Nothing was \
         written; delete or rename it, or choose another file",
        partial.display(),
        path.display()
    );
    Problem::new(code::FAILED, told)
}

/// Why a file could not be written, and what to do.
fn unwritten(path: &Path, error: &std::io::Error) -> Problem {
    let at = path.display();
    let told = match error.kind() {
        ErrorKind::AlreadyExists => return exists(path),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!(
            "no space left for {at}; free space or name a file on another disk, and give the command again"
        ),
        _ => format!("cannot write {at}: {error}; choose another file"),
    };
    Problem::new(code::FAILED, told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_told_with_what_to_do() {
        for (kind, told) in [
            (ErrorKind::StorageFull, "no space left for /x/y; free space"),
            (
                ErrorKind::QuotaExceeded,
                "no space left for /x/y; free space",
            ),
            (ErrorKind::PermissionDenied, "choose another file"),
        ] {
            let problem = unwritten(Path::new("/x/y"), &kind.into());
            assert!(problem.message.contains(told), "{problem}");
            assert_eq!(problem.code, code::FAILED);
        }
    }

    #[test]
    fn a_file_that_came_meanwhile_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let half = partial(&path);
        std::fs::write(&half, b"mine").unwrap();
        std::fs::write(&path, b"theirs").unwrap();
        let refused = give_name(&half, &path).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
    }
}
