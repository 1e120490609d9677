//! The one place where clients are made.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Proxy, Url, redirect};
use rustls::pki_types::CertificateDer;

use crate::proxies::{self, Proxies};
use crate::reach::{NotReachable, Policy, Reachable};
use crate::resolve::Checked;
use crate::tls;

/// How long an idle connection is kept: less than a node keeps it.
const POOL: Duration = Duration::from_secs(10);

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A certificate of an authority that is none.
    #[error("{from} names no authority for TLS: {why}; get it again from whoever gave it")]
    Authority {
        /// Where it is from.
        from: String,
        /// What is wrong.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up; this is a fault of the program")]
    Tls(#[source] rustls::Error),
    /// HTTP cannot be set up.
    #[error("the HTTP client cannot be made; check the machine's network settings")]
    Http(#[source] reqwest::Error),
}

/// How long a client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// For a connection, TLS too.
    pub connect: Duration,
    /// For a whole answer.
    pub answer: Duration,
}

/// What is refused of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// It is at an address that is not called.
    Address,
    /// Its certificate, or how it speaks TLS.
    Certificate,
}

/// How a program reaches others: whom it may call, whom it trusts for TLS, and through which proxies.
#[derive(Clone, Debug)]
pub struct Outgoing {
    policy: Policy,
    authorities: Vec<CertificateDer<'static>>,
    proxies: Proxies,
}

impl Outgoing {
    /// By this policy, with the platform's roots and no proxy.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            authorities: Vec::new(),
            proxies: Proxies::default(),
        }
    }

    /// Trusts the authorities of a PEM text, too; `from` names it in errors.
    ///
    /// # Errors
    /// If it holds none.
    pub fn trusting(mut self, from: &str, pem: &[u8]) -> Result<Self, TransportError> {
        let fault = |why| TransportError::Authority {
            from: from.to_owned(),
            why,
        };
        let found = tls::certificates(pem).map_err(fault)?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in &found {
            roots.add(certificate.clone()).map_err(|error| {
                fault(format!("a certificate is not one of an authority: {error}"))
            })?;
        }
        self.authorities.extend(found);
        Ok(self)
    }

    /// Through these proxies.
    #[must_use]
    pub fn through(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// The URL, if it may be called.
    ///
    /// # Errors
    /// Why it may not.
    pub fn reach(&self, url: &str) -> Result<Reachable, NotReachable> {
        Reachable::parse(url, self.policy)
    }

    /// A client that follows no redirect and connects to checked addresses alone. It must be given only what
    /// [`Outgoing::reach`] allows: an address that stands in the URL itself is checked there.
    ///
    /// # Errors
    /// If the machine does not let it.
    pub fn client(&self, waits: Waits) -> Result<Client, TransportError> {
        let roots = tls::roots(&self.authorities).map_err(|why| TransportError::Authority {
            from: "the deployment".into(),
            why,
        })?;
        let proxies = self.proxies.clone();
        Client::builder()
            .tls_backend_preconfigured(tls::client(roots).map_err(TransportError::Tls)?)
            .dns_resolver(Arc::new(Checked::new(self.policy, self.proxies.hosts())))
            .no_proxy()
            .proxy(Proxy::custom(move |url| proxies.choose(url)))
            .redirect(redirect::Policy::none())
            .connect_timeout(waits.connect)
            .timeout(waits.answer)
            .pool_idle_timeout(POOL)
            .build()
            .map_err(TransportError::Http)
    }

    /// What went wrong in a few words, without the target (it may name a record), with the proxy if there was one.
    pub fn words(&self, url: &str, error: &reqwest::Error) -> String {
        let what = tls::reason(error)
            .or_else(|| refused(error))
            .unwrap_or_else(|| {
                if error.is_timeout() {
                    "it took too long".into()
                } else if error.is_connect() {
                    "no connection".into()
                } else {
                    "the connection broke".into()
                }
            });
        let proxy = Url::parse(url)
            .ok()
            .and_then(|url| self.proxies.choose(&url));
        match proxy {
            Some(proxy) => format!(
                "{what} (through the proxy {}, which the environment names)",
                proxies::shown(&proxy)
            ),
            None => what,
        }
    }

    /// What of a peer was refused here, if that was the reason: trying again at once cannot help.
    pub fn refusal(error: &reqwest::Error) -> Option<Refused> {
        match (refused(error), tls::reason(error)) {
            (Some(_), _) => Some(Refused::Address),
            (None, Some(_)) => Some(Refused::Certificate),
            (None, None) => None,
        }
    }
}

/// Why an address was not called, if that was the reason.
fn refused(error: &reqwest::Error) -> Option<String> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(refused) = error.downcast_ref::<NotReachable>() {
            return Some(refused.to_string());
        }
        next = error.source();
    }
    None
}
