//! The authority's credential: a W3C Verifiable Credential as JWT, ES256K (RFC 8812). Agents check it against the
//! authority's account and against the SHA-256 that stands on chain as evidence.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_keys::SigningKey;
use medibloc_record::{AccountId, Address, Digest, Timestamp};

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
