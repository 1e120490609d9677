//! The server's side of TLS: a certificate and its key in files, which may change while the program runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use medibloc_record::Digest;
use medibloc_transport::{certificates, provider};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// The most that is read of a file.
const MOST: u64 = 1 << 20;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("the TLS file {path} cannot be read; check its path and rights")]
    Io {
        /// Which.
        path: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file is no certificate or key, or they do not belong together.
    #[error("the TLS file {path} is not used: {why}")]
    Malformed {
        /// Which.
        path: String,
        /// What is wrong, without any of the key.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up; this is a fault of the program")]
    Setup(#[source] rustls::Error),
}

/// What a listener proves its name with.
#[derive(Clone, Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Shown {
    now: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        Some(now.clone())
    }
}

/// Both files as they are now.
struct Files {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Tls {
    /// From a file with the certificate and those between it and its authority (PEM, its own first), and one with its key.
    ///
    /// # Errors
    /// If a file is not what it should be, or they do not belong together.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self::read(certificate, key)?.0)
    }

    fn read(certificate: &Path, key: &Path) -> Result<(Self, Digest), TlsError> {
        let files = Files::read(certificate, key)?;
        let shown = Arc::new(Shown {
            now: RwLock::new(Arc::new(files.parse(certificate, key)?)),
        });
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // No early data (a request could be replayed); two tickets a connection, kept for 256 sessions in memory.
        config.max_early_data_size = 0;
        config.send_tls13_tickets = 2;
        let tls = Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            shown,
            config: Arc::new(config),
        };
        Ok((tls, files.digest()))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// Follows the files for as long as it is polled: what changes is used from the next connection on. What cannot be used is
    /// told once, and what was used stays. Contents are compared, not times: a file can change within one tick of a clock.
    pub async fn follow(&self) {
        let mut seen = Files::read(&self.certificate, &self.key)
            .map(|files| files.digest())
            .ok();
        loop {
            tokio::time::sleep(LOOK).await;
            let (certificate, key) = (self.certificate.clone(), self.key.clone());
            let last = seen;
            let looked = tokio::task::spawn_blocking(move || look(&certificate, &key, last)).await;
            let Ok(looked) = looked else { continue };
            seen = looked.0;
            match looked.1 {
                None => {}
                Some(Ok(next)) => {
                    *self
                        .shown
                        .now
                        .write()
                        .unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
                    tracing::info!("the TLS certificate was read again");
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "the changed TLS files are not used; the certificate before them stays");
                }
            }
        }
    }
}

/// What the files are now, and what to make of it if that is new.
fn look(
    certificate: &Path,
    key: &Path,
    last: Option<Digest>,
) -> (Option<Digest>, Option<Result<CertifiedKey, TlsError>>) {
    match Files::read(certificate, key) {
        Ok(files) if last == Some(files.digest()) => (last, None),
        Ok(files) => (Some(files.digest()), Some(files.parse(certificate, key))),
        Err(_) if last.is_none() => (None, None),
        Err(error) => (None, Some(Err(error))),
    }
}

impl Files {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: read(certificate)?,
            key: Zeroizing::new(read(key)?),
        })
    }

    fn digest(&self) -> Digest {
        let both = [
            *Digest::of(&self.certificate).as_bytes(),
            *Digest::of(&self.key).as_bytes(),
        ];
        Digest::of(both.as_flattened())
    }

    fn parse(&self, certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
        let bad = |path: &Path, why: String| TlsError::Malformed {
            path: path.display().to_string(),
            why,
        };
        let chain = certificates(&self.certificate).map_err(|why| bad(certificate, why))?;
        let secret = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| bad(key, "it holds no private key in PEM form".into()))?;
        CertifiedKey::from_der(chain, secret, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => bad(
                key,
                "it is not the certificate's key; both must be renewed together".into(),
            ),
            other => bad(certificate, other.to_string()),
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST).read_to_end(&mut bytes))
        .map_err(|source| TlsError::Io {
            path: path.display().to_string(),
            source,
        })?;
    Ok(bytes)
}
