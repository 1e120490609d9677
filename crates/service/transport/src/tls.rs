//! TLS 1.2 and 1.3 with the *ring* provider, and the reasons for which a connection is refused, in words.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, RootCertStore};

/// The cryptography of all our connections.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
        .clone()
}

/// Makes it what an HTTP client takes that is made without an [`crate::Outgoing`]: for tests and calls to this machine.
pub fn install_provider() {
    // Somebody was first; there is only one that could be.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The certificates in a PEM text.
///
/// # Errors
/// What is wrong with it, in words.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("it holds no certificate in PEM form".into()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("it is not PEM: {error}")),
    }
}

/// Who is trusted: the platform's roots and these.
pub(crate) fn roots(more: &[CertificateDer<'static>]) -> Result<RootCertStore, String> {
    let mut roots = platform().clone();
    for certificate in more {
        roots
            .add(certificate.clone())
            .map_err(|error| format!("a certificate is none of an authority: {error}"))?;
    }
    Ok(roots)
}

/// The platform's roots, read once. Where there are none, TLS fails with that as its reason, and plain HTTP to this machine works.
fn platform() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    })
}

/// A client's settings: TLS 1.2 at least, HTTP/1.1, no early data (a request could be replayed).
pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Why TLS was refused, if an error is of TLS.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(words(error));
        }
        // An I/O error hides what is within: its source is the source of that.
        let inner = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn words(error: &rustls::Error) -> String {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(Bad::Expired) => "its certificate has expired; its operator must renew it".into(),
        rustls::Error::InvalidCertificate(Bad::ExpiredContext { time, not_after }) => format!(
            "its certificate expired {} ago; its operator must renew it (or this machine's clock is wrong)",
            days(*not_after, *time)
        ),
        rustls::Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => {
            "its certificate is not valid yet; check this machine's clock".into()
        }
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => {
            "its certificate is from an authority that this machine does not trust; if it is the deployment's own, name its \
             file with --ca, else somebody may be in between"
                .into()
        }
        rustls::Error::InvalidCertificate(Bad::NotValidForNameContext { expected, presented }) => format!(
            "its certificate is for {}, not for {}; somebody may be in between, or its operator has named the wrong one",
            if presented.is_empty() { "no name".to_owned() } else { presented.iter().map(|it| bare(it)).collect::<Vec<_>>().join(", ") },
            name(expected)
        ),
        rustls::Error::InvalidCertificate(Bad::BadSignature) => {
            "its certificate is not signed by the authority that it names; somebody may be in between".into()
        }
        rustls::Error::InvalidCertificate(Bad::NotValidForName) => {
            "its certificate is for another name; somebody may be in between".into()
        }
        rustls::Error::InvalidCertificate(other) => format!("its certificate is not valid: {other}"),
        rustls::Error::InvalidMessage(_) => "it does not speak TLS; perhaps its URL is http".into(),
        other => format!("TLS failed: {other}"),
    }
}

fn name(expected: &ServerName<'_>) -> String {
    match expected {
        ServerName::DnsName(name) => name.as_ref().to_owned(),
        ServerName::IpAddress(address) => std::net::IpAddr::from(*address).to_string(),
        other => format!("{other:?}"),
    }
}

/// `DnsName("a")` without what is around the name.
fn bare(presented: &str) -> &str {
    presented.split('"').nth(1).unwrap_or(presented)
}

fn days(from: UnixTime, to: UnixTime) -> String {
    match to.as_secs().saturating_sub(from.as_secs()) / 86_400 {
        0 => "less than a day".into(),
        1 => "a day".into(),
        days => format!("{days} days"),
    }
}
