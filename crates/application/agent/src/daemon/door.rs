//! Where the door is: a Unix socket inside the home, or beside it where the path would be too long; `daemon.json` says
//! which. Who holds the vault's lock owns it, so that a socket that is there before is a dead one's and is replaced.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::proof::Token;
use crate::Problem;
use crate::answer::code;
use crate::home::Home;

/// `daemon.json`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Door {
    pub(super) version: u32,
    /// The socket; none where the system has none.
    #[serde(default)]
    pub(super) socket: Option<PathBuf>,
    /// The port of a web face.
    #[serde(default)]
    pub(super) port: Option<u16>,
    token: String,
    pub(super) process: u32,
}

impl Door {
    pub(super) fn write(
        home: &Home,
        token: &Token,
        socket: Option<PathBuf>,
        port: Option<u16>,
    ) -> Result<(), Problem> {
        let door = Self {
            version: 2,
            socket,
            port,
            token: token.to_text().to_string(),
            process: std::process::id(),
        };
        let text = serde_json::to_vec(&door)
            .map_err(|error| Problem::new(code::FAILED, error.to_string()))?;
        home.write("daemon.json", &text)
    }

    /// None if there is no file, or one that this program did not write.
    pub(super) fn read(home: &Home) -> Option<(Self, Token)> {
        let door: Self = serde_json::from_slice(&std::fs::read(home.daemon()).ok()?).ok()?;
        let token = Token::parse(&door.token)?;
        (door.version == 2).then_some((door, token))
    }
}

/// A bound socket; its file goes when this is dropped.
#[cfg(unix)]
pub(super) struct Bound {
    pub(super) listener: tokio::net::UnixListener,
    pub(super) path: PathBuf,
    /// Made for a home whose path is too long; removed with the socket.
    folder: Option<PathBuf>,
}

/// The longest path of a socket that every system takes (macOS: 104 bytes with the end).
#[cfg(unix)]
const LONGEST: usize = 100;

#[cfg(unix)]
impl Bound {
    pub(super) fn new(home: &Path) -> Result<Self, Problem> {
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        let mut path = home.join("door.sock");
        let mut folder = None;
        if path.as_os_str().as_bytes().len() > LONGEST {
            let random = hex::encode(&super::proof::nonce()?[..12]);
            let beside = std::env::temp_dir().join(format!("medibloc-{random}"));
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&beside)
                .map_err(|error| failed(&beside, &error))?;
            path = beside.join("door.sock");
            folder = Some(beside);
        }
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&path, &error));
            }
            _ => {}
        }
        let listener =
            tokio::net::UnixListener::bind(&path).map_err(|error| failed(&path, &error))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .map_err(|error| failed(&path, &error))?;
        Ok(Self {
            listener,
            path,
            folder,
        })
    }
}

#[cfg(unix)]
impl Drop for Bound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

#[cfg(unix)]
fn failed(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(
        code::FAILED,
        format!(
            "cannot open the socket {}: {error}; check the folder",
            path.display()
        ),
    )
}

/// Whether the other side runs as the user who owns the home.
#[cfg(unix)]
pub(super) fn is_owner(stream: &tokio::net::UnixStream, home: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let owner = std::fs::metadata(home).map(|home| home.uid());
    let peer = stream.peer_cred().map(|peer| peer.uid());
    matches!((owner, peer), (Ok(owner), Ok(peer)) if owner == peer)
}
