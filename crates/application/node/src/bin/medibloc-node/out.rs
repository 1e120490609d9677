//! New files that commands write. Standard output has each command's answer.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A file's name as an argument; `-` is none.
pub(crate) fn new_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if is_standard_output(&path) {
        return Err(
            "this is written to a file, since standard output has the command's answer; name one (a file called - is ./-)".into(),
        );
    }
    Ok(path)
}

/// `-`, as everywhere; a file of that name is `./-`.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// That no file of this name is there, before anything else is done.
pub(crate) fn must_be_new(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        path.symlink_metadata().is_err(),
        "{} exists; name a new file. Nothing was done",
        path.display()
    );
    Ok(())
}

/// Writes what is not secret to a file that is not there yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    let written: std::io::Result<()> = write();
    written.with_context(|| {
        format!(
            "cannot write {}; name a new file in a folder that is there",
            path.display()
        )
    })
}
