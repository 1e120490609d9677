//! The authority's credential: a W3C Verifiable Credential as JWT, ES256K (RFC 8812). Agents check it against the
//! authority's account and against the SHA-256 that stands on chain as evidence.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_keys::SigningKey;
use medibloc_record::{AccountId, Address, Digest, Timestamp};

use crate::private::private_folder;

const HEADER: &str = r#"{"alg":"ES256K","typ":"JWT"}"#;

/// What the authority says of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderCredential {
    /// The provider's account.
    pub account: AccountId,
    /// Its name, for people.
    pub name: String,
    /// Its profession.
    pub profession: String,
    /// ISO 3166-1 country.
    pub jurisdiction: String,
    /// First second.
    pub from: Timestamp,
    /// First second after.
    pub until: Timestamp,
}

impl ProviderCredential {
    /// The credential, signed by the authority.
    pub fn issue(&self, authority: &SigningKey, chain_id: u64) -> String {
        let did = |address: Address| format!("did:pkh:eip155:{chain_id}:{address}");
        let body = serde_json::json!({
            "iss": did(authority.address()),
            "sub": did(self.account.first_address()),
            "nbf": self.from.0,
            "exp": self.until.0,
            "vc": {
                "@context": ["https://www.w3.org/2018/credentials/v1"],
                "type": ["VerifiableCredential", "HealthcareProviderCredential"],
                "credentialSubject": {
                    "name": self.name,
                    "profession": self.profession,
                    "jurisdiction": self.jurisdiction,
                },
            },
        });
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HEADER),
            URL_SAFE_NO_PAD.encode(body.to_string())
        );
        let signature = authority.sign_digest(Digest::of(input.as_bytes()).as_bytes());
        format!(
            "{input}.{}",
            URL_SAFE_NO_PAD.encode(&signature.as_bytes()[..64])
        )
    }
}

/// Where a gateway with this data folder has an account's credential.
pub(crate) fn credential_path(data: &Path, account: AccountId) -> PathBuf {
    data.join("credentials").join(format!("{account}.jwt"))
}

/// Keeps an account's credential where the gateway with this data folder hands it out; durable and whole when it returns.
/// Gives the one that it replaces.
///
/// # Errors
/// If the folder cannot be written; the older one is untouched then.
pub fn keep_credential(data: &Path, account: AccountId, jwt: &str) -> io::Result<Option<String>> {
    let path = credential_path(data, account);
    let folder = path.parent().unwrap_or(data);
    private_folder(folder)?;
    let before = match fs::read_to_string(&path) {
        Ok(jwt) => Some(jwt),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let partial = path.with_extension("partial");
    let mut options = File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = options.open(&partial)?;
    file.write_all(jwt.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, &path)?;
    File::open(folder)?.sync_all()?;
    Ok(before)
}

/// Takes a credential back that the chain refused, and puts the older one in its place.
///
/// # Errors
/// If the folder cannot be written.
pub fn forget_credential(data: &Path, account: AccountId, before: Option<&str>) -> io::Result<()> {
    match before {
        Some(jwt) => keep_credential(data, account, jwt).map(drop),
        None => fs::remove_file(credential_path(data, account)),
    }
}
