//! The server's side of TLS: a certificate and its key in files, which may change while the program runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::figures;
use medibloc_record::Digest;
use medibloc_transport::{certificates, provider};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// Seconds before its end from which a certificate should be renewed.
const NEAR: u64 = 14 * 86_400;

/// Later than any certificate ends: the year 9999 is the last that one can name (RFC 5280, section 4.1.2.5).
const FOREVER: Duration = Duration::from_secs(300_000_000_000);

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
    /// By which clients call it; any, if it is not known.
    name: Option<ServerName<'static>>,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Shown {
    now: RwLock<Arc<CertifiedKey>>,
}

impl Shown {
    fn now(&self) -> Arc<CertifiedKey> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

/// How near a certificate's end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Far,
    Near,
    Over,
}

impl End {
    /// With so many seconds left.
    const fn of(left: u64) -> Self {
        match left {
            0 => Self::Over,
            1..=NEAR => Self::Near,
            _ => Self::Far,
        }
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

    /// The same for clients that know this URL: a certificate for another name is told, and replaces no good one.
    #[must_use]
    pub fn known_by(self, url: &str) -> Self {
        let host = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split('/').next());
        let name = host.map(|host| match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
            _ => host,
        });
        let name = name.map(|name| name.trim_matches(['[', ']']).to_owned());
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        Self { name, ..self }
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
            name: None,
            shown,
            config: Arc::new(config),
        };
        Ok((tls, files.digest()))
    }

    /// Says when the certificate that is shown ends; the log hears of it once when that is near, and once when it has.
    fn tell_end(&self, told: &mut End) {
        let Some(at) = end_of(&self.shown.now()) else {
            return;
        };
        figures::certificate_ends(at);
        let end = End::of(at.saturating_sub(UnixTime::now().as_secs()));
        if core::mem::replace(told, end) == end {
            return;
        }
        match end {
            End::Far => {}
            End::Near => tracing::warn!(
                "the TLS certificate ends within 14 days; renew it in place, it is read again"
            ),
            End::Over => tracing::error!(
                "the TLS certificate has ended, and no client takes it; renew it in place, it is read again"
            ),
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.clone())
    }

    /// Follows the files for as long as it is polled: what changes is used from the next connection on. What cannot be used is
    /// told once, and what was used stays. Contents are compared, not times: a file can change within one tick of a clock.
    pub async fn follow(&self) {
        let mut told = End::Far;
        let mut seen = Files::read(&self.certificate, &self.key)
            .map(|files| files.digest())
            .ok();
        let flaw = self.flaw(&self.shown.now());
        figures::certificate_is(flaw.clone());
        if let Some(why) = flaw {
            tracing::warn!(
                why,
                "no client takes the TLS certificate; renew it, it is read again"
            );
        }
        loop {
            self.tell_end(&mut told);
            tokio::time::sleep(LOOK).await;
            let (certificate, key) = (self.certificate.clone(), self.key.clone());
            let last = seen;
            let looked = tokio::task::spawn_blocking(move || look(&certificate, &key, last)).await;
            let Ok(looked) = looked else { continue };
            seen = looked.0;
            match looked.1 {
                None => {}
                Some(Ok(next)) => {
                    let flaw = self.flaw(&next);
                    figures::certificate_is(flaw.clone());
                    if let Some(why) = &flaw
                        && self.flaw(&self.shown.now()).is_none()
                    {
                        tracing::error!(
                            why,
                            "the changed TLS certificate is not used; the one before it stays"
                        );
                        continue;
                    }
                    *self
                        .shown
                        .now
                        .write()
                        .unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
                    match flaw {
                        None => tracing::info!("the TLS certificate was read again"),
                        Some(why) => tracing::warn!(
                            why,
                            "the TLS certificate was read again; no client takes it, nor the one before"
                        ),
                    }
                }
                Some(Err(error)) => {
                    figures::certificate_is(Some(error.to_string()));
                    tracing::error!(%error, "the changed TLS files are not used; the certificate before them stays");
                }
            }
        }
    }
}

impl Tls {
    /// Why every client would refuse a certificate, whoever it trusts; none if there is no such reason.
    fn flaw(&self, shown: &CertifiedKey) -> Option<String> {
        let Some(parsed) = shown.cert.first().map(ParsedCertificate::try_from) else {
            return Some("there is none".into());
        };
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(error) => return Some(error.to_string()),
        };
        if let Some(name) = &self.name
            && verify_server_name(&parsed, name).is_err()
        {
            return Some(format!(
                "it is not for {}, by which clients call this",
                name.to_str()
            ));
        }
        // Nobody is trusted here: only what is wrong before that question counts.
        let judged = verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &RootCertStore::empty(),
            shown.cert.get(1..).unwrap_or_default(),
            UnixTime::now(),
            provider().signature_verification_algorithms.all,
        );
        match judged {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => Some("it has expired, or this machine's clock is wrong".into()),
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
            )) => Some("it is not valid yet, or this machine's clock is wrong".into()),
            _ => None,
        }
    }
}

/// When a certificate ends, in seconds since 1970.
fn end_of(shown: &CertifiedKey) -> Option<u64> {
    let parsed = ParsedCertificate::try_from(shown.cert.first()?).ok()?;
    // Long after its end the answer says when that was.
    let judged = verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &RootCertStore::empty(),
        &[],
        UnixTime::since_unix_epoch(FOREVER),
        provider().signature_verification_algorithms.all,
    );
    match judged {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
            not_after,
            ..
        })) => Some(not_after.as_secs()),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_when_it_ends() {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        std::fs::write(path("crt"), certificate.pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        let tls = Tls::open(&path("crt"), &path("key")).unwrap();
        assert_eq!(end_of(&tls.shown.now()), Some(2_208_988_800));
    }
}
