//! An authority for TLS that lives as long as the demo, and one certificate for this machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Where they are.
#[derive(Clone)]
pub(super) struct Files {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// Makes them; the authority's own key is kept nowhere.
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        let certificate = params.signed_by(&key, &authority)?;
        let files = Self {
            authority: folder.join("ca.pem"),
            certificate: folder.join("server.crt"),
            key: folder.join("server.key"),
        };
        fs::write(&files.authority, authority.pem())?;
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }

    /// Flags for what serves.
    pub(super) fn served(&self) -> Vec<String> {
        vec![
            "--tls-certificate".into(),
            self.certificate.display().to_string(),
            "--tls-key".into(),
            self.key.display().to_string(),
        ]
    }

    /// Flags for what deploys: the authority goes into deployment.json.
    pub(super) fn deployed(&self) -> Vec<String> {
        let mut flags = self.served();
        flags.extend(["--ca".into(), self.authority.display().to_string()]);
        flags
    }

    /// The section of a node's configuration.
    pub(super) fn section(&self) -> String {
        format!(
            "[tls]\ncertificate = {:?}\nkey = {:?}\n\n",
            self.certificate.display().to_string(),
            self.key.display().to_string()
        )
    }
}
