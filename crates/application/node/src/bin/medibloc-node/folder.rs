//! Whose a data folder is: one process, one part of one deployment. Databases of two parts, or of two deployments, in one folder
//! would be read as one.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use medibloc_api::Deployment;
use medibloc_node::private_folder;
use medibloc_record::Digest;
use serde::{Deserialize, Serialize};

/// What serves from a folder, and the database that it alone has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    Gateway,
    Keeper,
}

impl Role {
    const ALL: [Self; 2] = [Self::Gateway, Self::Keeper];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Keeper => "keeper",
        }
    }

    const fn database(self) -> &'static str {
        match self {
            Self::Gateway => "gateway.sqlite",
            Self::Keeper => "keeper.sqlite",
        }
    }
}

/// What stands in the folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    role: Role,
    /// SHA-256 of the chain's id and the contracts.
    deployment: String,
}

/// A data folder that this process holds.
pub(crate) struct Held {
    folder: PathBuf,
    mark: Mark,
    _lock: File,
}

/// Takes a data folder for one part of one deployment.
///
/// # Errors
/// If another process holds it, or it is of another part or deployment.
pub(crate) fn hold(folder: &Path, role: Role, deployment: &Deployment) -> anyhow::Result<Held> {
    private_folder(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (shown, name) = (folder.display(), role.name());
    let mark = Mark {
        role,
        deployment: digest(deployment),
    };
    let found = read(folder)?;
    let is_of = match &found {
        Some(found) => Some(found.role),
        // A folder of before has none.
        None => Role::ALL
            .into_iter()
            .find(|other| *other != role && folder.join(other.database()).exists()),
    };
    if let Some(other) = is_of.filter(|other| *other != role) {
        bail!(
            "{shown} is the data folder of a {}, and this is a {name}: nothing was changed; give each part a folder of its own (data_dir)",
            other.name()
        );
    }
    ensure!(
        found.is_none_or(|found| found == mark),
        "{shown} is the data folder of another deployment: its contracts or its chain are not those of the deployment file; nothing \
         was changed. Start it with the file that it began with, or give this one a folder of its own (data_dir)"
    );
    Ok(Held {
        folder: folder.to_owned(),
        mark,
        _lock: alone(folder)?,
    })
}

impl Held {
    /// Writes down whose it is, once the chain has that deployment: a folder that was begun with a wrong file is not marked.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn mark(&self) -> anyhow::Result<()> {
        if read(&self.folder)?.is_some() {
            return Ok(());
        }
        let (path, next) = (self.folder.join(NAME), self.folder.join("role.next"));
        let write = || {
            let mut file = File::options()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&next)?;
            file.write_all(&serde_json::to_vec_pretty(&self.mark)?)?;
            file.sync_all()?;
            std::fs::rename(&next, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

const NAME: &str = "role.json";

fn read(folder: &Path) -> anyhow::Result<Option<Mark>> {
    let path = folder.join(NAME);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mark = serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} does not say whose folder it is; take it from a backup, or remove it if you are sure",
            path.display()
        )
    })?;
    Ok(Some(mark))
}

/// What tells one deployment from another: its URLs, authorities and so on may change.
fn digest(deployment: &Deployment) -> String {
    let contracts = serde_json::json!([deployment.chain_id, deployment.contracts]);
    hex::encode(Digest::of(contracts.to_string().as_bytes()).as_bytes())
}

/// Holds a data folder, for as long as the file is open.
fn alone(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("lock");
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            bail!("another process holds {}; stop it first", path.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
