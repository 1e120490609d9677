//! The home: a folder of this program's own.
//!
//! | File | What |
//! |---|---|
//! | `config.toml` | version, role, node |
//! | `deployment.json` | the deployment that it belongs to |
//! | `ca.pem` | authorities that are trusted for TLS beside the platform's and the deployment's, if `--ca` named some |
//! | `key` | the phrase under a passphrase (Argon2id) |
//! | `vault.db` | everything else, encrypted |
//! | `unfinished` | there while the home is made: until then nothing in it was acknowledged |
//! | `daemon.json` | where `serve` listens, with a token; there while it runs |
//! | `door.sock` | the door of `serve`; there while it runs |

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use medibloc_journey::{Pace, Party};
use medibloc_keys::{KeyFile, KeyFileCost, KeyFileError, Phrase, Seed};
use medibloc_record::Role;
use medibloc_vault::{Vault, VaultError, VaultLock};
use serde::{Deserialize, Serialize};

use crate::Problem;
use crate::answer::code;
use crate::connect;
use crate::ports::{SystemEntropy, VaultAdapter};

/// Stands while a home is made.
const UNFINISHED: &str = "unfinished";

/// `config.toml`. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// 1.
    pub version: u32,
    /// `person`, `provider` or `researcher`.
    pub role: HomeRole,
    /// The own node; the first of the deployment if it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// When acts go that nobody waits for.
    #[serde(default, skip_serializing_if = "HomePace::is_calm")]
    pub pace: HomePace,
    /// Plain HTTP to other machines is allowed.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub insecure_http: bool,
}

/// When acts go that nobody waits for (docs/unlinkability.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum HomePace {
    /// At random times of the next day, one address at a time.
    #[default]
    Calm,
    /// At once: whoever watches the chain sees which addresses act together.
    Now,
}

impl HomePace {
    const fn is_calm(&self) -> bool {
        matches!(self, Self::Calm)
    }

    /// The journey's policy for a home of this role.
    pub const fn policy(self, role: HomeRole) -> Pace {
        match (self, role) {
            (Self::Now, _) => Pace::NOW,
            (Self::Calm, HomeRole::Person) => Pace::PERSON,
            (Self::Calm, HomeRole::Provider | HomeRole::Researcher) => Pace::PROVIDER,
        }
    }
}

/// What the owner of a home is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum HomeRole {
    /// A person who owns records.
    Person,
    /// Somebody who writes them.
    Provider,
    /// Somebody who reads them for research.
    Researcher,
}

impl HomeRole {
    /// As `--role` takes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Provider => "provider",
            Self::Researcher => "researcher",
        }
    }
}

impl From<Role> for HomeRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Person => Self::Person,
            Role::Provider => Self::Provider,
            Role::Researcher => Self::Researcher,
        }
    }
}

impl From<HomeRole> for Role {
    fn from(role: HomeRole) -> Self {
        match role {
            HomeRole::Person => Self::Person,
            HomeRole::Provider => Self::Provider,
            HomeRole::Researcher => Self::Researcher,
        }
    }
}

/// A home on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

/// An unlocked home.
#[derive(Debug)]
pub struct OpenHome {
    /// Its seed.
    pub seed: Seed,
    /// Its settings.
    pub config: Config,
    /// Its vault.
    pub vault: Arc<Vault>,
}

impl Home {
    /// The home at a path, which stays there from whatever folder it is looked for.
    pub fn at(path: PathBuf) -> Self {
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The deployment file.
    pub fn deployment(&self) -> PathBuf {
        self.path.join("deployment.json")
    }

    /// Authorities for TLS that the owner named.
    pub fn authorities(&self) -> PathBuf {
        self.path.join("ca.pem")
    }

    /// Where `serve` says how to reach it.
    pub fn daemon(&self) -> PathBuf {
        self.path.join("daemon.json")
    }

    /// Makes a new home. The key file comes last, so that a home with one is whole; one that was broken off before is begun anew.
    ///
    /// # Errors
    /// If there is one already, or the folder cannot be written.
    pub fn create(
        &self,
        phrase: &Phrase,
        passphrase: &str,
        config: &Config,
        deployment: &[u8],
    ) -> Result<(), Problem> {
        self.make(phrase, passphrase, config, deployment, |_| Ok(()))
    }

    /// The same for a home that a restore is to fill: from its first moment on its lists say that they are not all.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_to_restore(
        &self,
        phrase: &Phrase,
        passphrase: &str,
        config: &Config,
        deployment: &[u8],
    ) -> Result<(), Problem> {
        self.make(phrase, passphrase, config, deployment, |vault| {
            self.restore_begins(config, vault)
        })
    }

    /// Marks a vault as one that a restore is to fill, and its own node as not decided where any of several may be it.
    ///
    /// # Errors
    /// If the deployment file is not valid, or the vault fails.
    pub(crate) fn restore_begins(&self, config: &Config, vault: Arc<Vault>) -> Result<(), Problem> {
        let vault = VaultAdapter(vault);
        let nodes = connect::nodes(self)?;
        if Party::restore_begins(&vault)? && config.node.is_none() && nodes.len() > 1 {
            Party::own_node_waits_for(&vault, &nodes)?;
        }
        Ok(())
    }

    fn make(
        &self,
        phrase: &Phrase,
        passphrase: &str,
        config: &Config,
        deployment: &[u8],
        begin: impl FnOnce(Arc<Vault>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let path = &self.path;
        std::fs::create_dir_all(path).map_err(|error| self.failed(&error))?;
        // Nobody else makes a home here, or uses this one, until it is whole.
        let lock = VaultLock::take(path)?;
        if self.exists() {
            return Err(Problem::new(
                code::FAILED,
                format!(
                    "{} is a home already; choose another with --home",
                    path.display()
                ),
            ));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
                .map_err(|error| self.failed(&error))?;
        }
        let sealed = KeyFile::Phrase(phrase.clone())
            .seal(passphrase, KeyFileCost::RECOMMENDED, &mut SystemEntropy)
            .map_err(|error| locked(&error))?;
        let key = phrase.seed().local_key("vault");
        let made = if self.is_unfinished() {
            Vault::dangerous_remove(&lock, path)?;
            Vault::create_locked(lock, path, &key)
        } else if self.has_vault() {
            // The key file of a home was lost; only its own phrase opens what is here.
            Vault::open_locked(lock, path, &key)
        } else {
            self.write(UNFINISHED, b"")?;
            Vault::create_locked(lock, path, &key)
        };
        let vault = made.map_err(|error| match error {
            VaultError::WrongKey { path } => VaultError::Exists { path },
            other => other,
        })?;
        self.renew(config, deployment)?;
        // Before the key file: without that nobody takes this for a home.
        begin(Arc::new(vault))?;
        self.write("key", &sealed)?;
        self.finish()
    }

    /// A home with a key file is whole, and what is in its vault counts from now on.
    fn finish(&self) -> Result<(), Problem> {
        match std::fs::remove_file(self.path.join(UNFINISHED)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(&error)),
            _ => Ok(()),
        }
    }

    /// Writes the settings and the deployment file where one of them is gone.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn renew(&self, config: &Config, deployment: &[u8]) -> Result<(), Problem> {
        let settings = settings(config)?;
        let unfinished = !self.exists() && self.is_unfinished();
        for (name, bytes) in [
            ("config.toml", settings.as_bytes()),
            ("deployment.json", deployment),
        ] {
            if unfinished || !self.path.join(name).exists() {
                self.write(name, bytes)?;
            }
        }
        Ok(())
    }

    /// Writes the settings, whatever was there.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn settle(&self, config: &Config) -> Result<(), Problem> {
        self.write("config.toml", settings(config)?.as_bytes())
    }

    /// The seed of this home.
    ///
    /// # Errors
    /// [`code::LOCKED`] for a wrong passphrase; [`code::FAILED`] if there is no home here.
    pub fn unlock(&self, passphrase: &str) -> Result<Seed, Problem> {
        let sealed = self.read("key")?;
        let opened = KeyFile::open(&sealed, passphrase).map_err(|error| locked(&error))?;
        Ok(opened.seed())
    }

    /// Opens the vault.
    ///
    /// # Errors
    /// If it is gone, damaged or held by another process.
    pub fn open(&self, seed: Seed) -> Result<OpenHome, Problem> {
        self.open_locked(VaultLock::take(&self.path)?, seed)
    }

    /// Opens the vault whose lock was taken.
    ///
    /// # Errors
    /// If it is gone or damaged.
    pub fn open_locked(&self, lock: VaultLock, seed: Seed) -> Result<OpenHome, Problem> {
        let config = self.config()?;
        self.finish()?;
        let vault = Vault::open_locked(lock, &self.path, &seed.local_key("vault"))?;
        Ok(OpenHome {
            seed,
            config,
            vault: Arc::new(vault),
        })
    }

    /// Opens the vault, or makes an empty one where it is gone: a restore fills it again.
    ///
    /// # Errors
    /// If it is damaged or held by another process.
    pub fn open_or_renew(&self, seed: Seed) -> Result<OpenHome, Problem> {
        let key = seed.local_key("vault");
        match Vault::open(&self.path, &key) {
            Err(VaultError::Missing { .. }) => drop(Vault::create(&self.path, &key)?),
            other => drop(other?),
        }
        self.open(seed)
    }

    /// Removes a home that was made just now and holds nothing.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn remove(&self) -> Result<(), Problem> {
        std::fs::remove_dir_all(&self.path).map_err(|error| self.failed(&error))
    }

    /// That there is one here: said before anybody types a passphrase.
    ///
    /// # Errors
    /// With what to do if there is none.
    pub fn must_exist(&self) -> Result<(), Problem> {
        let at = self.path.display();
        let told = match std::fs::metadata(self.path.join("key")) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(self.denied(&error));
            }
            Err(_) if self.is_unfinished() => format!(
                "the home at {at} was not finished; give the same `medibloc init` or `medibloc restore` again, it goes on"
            ),
            Err(_) if self.has_vault() => format!(
                "the home at {at} has lost its key file; `medibloc restore` with its phrase makes it again, nothing else is lost"
            ),
            Err(_) => format!(
                "there is no home at {at}; run `medibloc init` or `medibloc restore`, or give --home"
            ),
        };
        Err(Problem::new(code::FAILED, told))
    }

    fn has_vault(&self) -> bool {
        std::fs::metadata(self.path.join("vault.db")).is_ok_and(|vault| vault.len() > 0)
    }

    /// Of a home without a key file. A vault has a journal only while it is made.
    fn is_unfinished(&self) -> bool {
        let mut marks = [UNFINISHED, "vault.db-journal"].into_iter();
        marks.any(|mark| self.path.join(mark).exists())
    }

    fn denied(&self, error: &std::io::Error) -> Problem {
        Problem::new(
            code::FAILED,
            format!(
                "{} cannot be read: {error}; it is another user's, or its rights were changed",
                self.path.display()
            ),
        )
    }

    /// Whether there is one here.
    pub fn exists(&self) -> bool {
        self.path.join("key").exists()
    }

    /// The settings.
    ///
    /// # Errors
    /// If the file is missing or has a key that is not known.
    pub fn config(&self) -> Result<Config, Problem> {
        let text = self.read("config.toml")?;
        toml::from_slice(&text).map_err(|error| {
            Problem::new(
                code::FAILED,
                format!(
                    "{}: {error}; correct it",
                    self.path.join("config.toml").display()
                ),
            )
        })
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, Problem> {
        std::fs::read(self.path.join(name)).map_err(|error| {
            if error.kind() == ErrorKind::PermissionDenied {
                return self.denied(&error);
            }
            Problem::new(
                code::FAILED,
                format!(
                    "the home {} has no {name} ({error}); the same `medibloc restore` with its phrase writes it again, \
                     nothing else is lost",
                    self.path.display()
                ),
            )
        })
    }

    /// Writes a file whole or not at all.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Problem> {
        let path = self.path.join(name);
        let partial = self.path.join(format!("{name}.partial"));
        private_file(&partial)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&partial, &path))
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &std::io::Error) -> Problem {
        Problem::new(
            code::FAILED,
            format!(
                "cannot write to {}: {error}; check the folder and the free space",
                self.path.display()
            ),
        )
    }
}

fn settings(config: &Config) -> Result<String, Problem> {
    toml::to_string(config).map_err(|error| {
        Problem::new(
            code::FAILED,
            format!("the settings cannot be written: {error}"),
        )
    })
}

fn locked(error: &KeyFileError) -> Problem {
    Problem::new(code::LOCKED, error.to_string())
}

/// A new or emptied file that only its owner can read.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    private(File::options().create(true).truncate(true), path)
}

/// A file that was not there, which only its owner can read.
pub(crate) fn private_new_file(path: &Path) -> std::io::Result<File> {
    private(File::options().create_new(true), path)
}

fn private(options: &mut std::fs::OpenOptions, path: &Path) -> std::io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.write(true).open(path)
}
