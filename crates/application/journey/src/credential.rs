//! The authority's credential: a W3C Verifiable Credential as JWT, ES256K (RFC 8812), whose SHA-256 is the
//! `evidenceDigest` on chain.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_keys::{SigningKey, recover};
use medibloc_ledger::Event;
use medibloc_record::{AccountId, Address, Digest, Signature, Timestamp};
use serde_json::{Value, json};

use crate::authorities::Authorities;
use crate::bounds;
use crate::ports::Change;
use crate::{JourneyError, Lacks, Party};

/// Where the own credential is kept: among the rows that the agent keeps for itself.
const TABLE: &str = "agent";
const KEY: &[u8] = b"credential";

const HEADER: &str = r#"{"alg":"ES256K","typ":"JWT"}"#;

/// What the authority says of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
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
    /// Last second.
    pub until: Timestamp,
}

impl Credential {
    /// The credential, signed by the authority.
    pub fn issue(&self, authority: &SigningKey) -> String {
        let body = json!({
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

    /// The credential in a JWT, its signature checked against the authority of its time.
    ///
    /// # Errors
    /// If it is not a JWT of this form or not signed by the authority.
    pub fn parse(jwt: &str, authorities: &Authorities) -> Result<Self, JourneyError> {
        Ok(Self::signed(jwt, authorities)?.0)
    }

    /// The same, and who signed it.
    pub(crate) fn signed(
        jwt: &str,
        authorities: &Authorities,
    ) -> Result<(Self, Address), JourneyError> {
        let (credential, signers) = Self::read(jwt)?;
        let mut signers = signers.into_iter().flatten();
        match signers.find(|signer| authorities.vouches(*signer, credential.from)) {
            Some(signer) => Ok((credential, signer)),
            None => Err(bad(
                "it is not signed by this deployment's authority, nor by one of before that deployment.json lists \
                 (`authorities`) for its time; get the newest deployment.json from the operator",
            )),
        }
    }

    /// What a JWT says, and the two addresses of which one may have signed it; whoever that is, nothing of it is true by this.
    fn read(jwt: &str) -> Result<(Self, [Option<Address>; 2]), JourneyError> {
        if jwt.len() > bounds::MOST_CREDENTIAL {
            return Err(bad(
                "it has more than 16 KiB, which no credential has; get it again from the authority",
            ));
        }
        let mut pieces = jwt.split('.');
        let (Some(header), Some(body), Some(signature), None) =
            (pieces.next(), pieces.next(), pieces.next(), pieces.next())
        else {
            return Err(bad("it is not a JWT of three parts"));
        };
        let decode = |part: &str| {
            URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| bad("it is not base64url"))
        };
        if decode(header)? != HEADER.as_bytes() {
            return Err(bad("its header is not ES256K"));
        }
        let signature: [u8; 64] = decode(signature)?
            .try_into()
            .map_err(|_| bad("its signature has not 64 bytes"))?;
        let digest = Digest::of(&jwt.as_bytes()[..header.len() + 1 + body.len()]).to_bytes();
        let signers = [27u8, 28].map(|v| {
            let mut bytes = [0; 65];
            bytes[..64].copy_from_slice(&signature);
            bytes[64] = v;
            recover(&digest, &Signature::new(bytes)).ok()
        });
        let value: Value =
            serde_json::from_slice(&decode(body)?).map_err(|_| bad("its body is not JSON"))?;
        let from = Timestamp(value["nbf"].as_u64().ok_or_else(|| bad("it has no nbf"))?);
        let subject = &value["vc"]["credentialSubject"];
        let text = |value: &Value, what: &str| {
            value
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| bad(&format!("it has no {what}")))
        };
        let account = text(&value["sub"], "subject")?
            .rsplit(':')
            .next()
            .and_then(|address| address.parse::<Address>().ok())
            .ok_or_else(|| bad("its subject is not an account"))?;
        let credential = Self {
            account: AccountId::from_first_address(account),
            name: text(&subject["name"], "name")?,
            profession: text(&subject["profession"], "profession")?,
            jurisdiction: text(&subject["jurisdiction"], "jurisdiction")?,
            from,
            until: Timestamp(value["exp"].as_u64().ok_or_else(|| bad("it has no exp"))?),
        };
        Ok((credential, signers))
    }
}

fn bad(why: &str) -> JourneyError {
    JourneyError::Untrusted {
        what: "credential",
        why: why.into(),
    }
}

fn did(address: Address) -> String {
    format!("did:pkh:eip155:0:{address}")
}

impl Party {
    /// The own credential that this home keeps; none if it keeps none.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn credential(&self) -> Result<Option<String>, JourneyError> {
        let kept = self.ports.vault.get(TABLE, KEY)?;
        Ok(kept.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// Checks an own credential as [`Party::check_credential`] does and keeps it: cards and requests carry it from now on.
    ///
    /// # Errors
    /// With what is wrong about it, or if the vault fails.
    pub async fn keep_credential(&self, jwt: &str) -> Result<Credential, JourneyError> {
        let credential = self.check_credential(jwt).await?;
        self.ports.vault.apply(vec![Change::Put {
            table: TABLE,
            key: KEY.to_vec(),
            value: jwt.as_bytes().to_vec(),
        }])?;
        Ok(credential)
    }

    /// The own credential as the chain has it now; one that the own node has is kept. None for an account that was never
    /// accredited, and for a home that keeps none and cannot get it: others still have that of the pairing.
    pub(crate) async fn newest_credential(&self) -> Result<Option<String>, JourneyError> {
        let kept = self.credential()?;
        let Some(named) = self.named_on_chain(self.account().id()).await? else {
            return Ok(None);
        };
        if let Some(jwt) = &kept
            && Digest::of(jwt.as_bytes()) == named
        {
            return Ok(kept);
        }
        if let Ok(jwt) = self.fetch_credential().await {
            self.keep_credential(&jwt).await?;
            return Ok(Some(jwt));
        }
        if kept.is_none() {
            return Ok(None);
        }
        Err(JourneyError::Untrusted {
            what: "own credential",
            why: "the authority accredited this account again since it was given, and nobody takes a request with the one \
                  before: nothing was asked. Get the newest with `medibloc account credential`, or `medibloc account \
                  credential FILE` if the authority sent it, and ask again"
                .into(),
        })
    }

    /// The own credential to pair with: the newest that the chain names, from the own node if it is not here. None for an account
    /// that the authority never accredited.
    ///
    /// # Errors
    /// If the account is accredited and its credential is neither here nor at the node: whoever is paired without it is shown a
    /// private person.
    pub async fn credential_to_show(&self) -> Result<Option<String>, JourneyError> {
        if let Some(jwt) = self.newest_credential().await? {
            return Ok(Some(jwt));
        }
        let account = self.account().id();
        if self.named_on_chain(account).await?.is_none() {
            return Ok(None);
        }
        Err(JourneyError::Unknown {
            what: format!("the credential of {account}, which is accredited on the chain"),
            hint: "without it, others are shown a private person: get it with `medibloc account credential`, or with `medibloc \
                   account credential FILE` as the authority gave it",
        })
    }

    /// The digest of the newest credential that the chain names for an account; none if it was never accredited.
    async fn named_on_chain(&self, account: AccountId) -> Result<Option<Digest>, JourneyError> {
        let (events, _) = self.events_from(0).await?;
        Ok(events.into_iter().rev().find_map(|(_, event)| match event {
            Event::Accredited {
                account: of,
                evidence,
                ..
            } if of == account => Some(evidence),
            _ => None,
        }))
    }

    /// Whether the credential that a contact showed is the one whose digest the chain names for its account now; true of who
    /// showed none.
    ///
    /// # Errors
    /// If the chain does not answer.
    pub async fn shows_newest(&self, contact: &crate::Contact) -> Result<bool, JourneyError> {
        let (Some(account), Some(jwt)) = (contact.card.account, &contact.card.credential) else {
            return Ok(true);
        };
        let named = self.named_on_chain(account).await?;
        Ok(named == Some(Digest::of(jwt.as_bytes())))
    }

    /// The account's own credential from the own node: signed by the authority, for this account, and the one whose
    /// digest the chain names.
    ///
    /// # Errors
    /// If the node keeps none, or it is not that one.
    pub async fn fetch_credential(&self) -> Result<String, JourneyError> {
        let account = self.account();
        let network = &self.ports.network;
        let jwt = network
            .credential(&self.signer(&account))
            .await?
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("a credential of {} at {}", account.id(), network.own_node()),
                hint: "ask the authority for it, then `medibloc account credential FILE`",
            })?;
        self.check_credential(&jwt).await?;
        Ok(jwt)
    }

    /// Checks that a credential is the authority's, for the own account, and the one whose digest the chain names.
    ///
    /// # Errors
    /// With what is wrong about it.
    pub async fn check_credential(&self, jwt: &str) -> Result<Credential, JourneyError> {
        self.vouched(self.account().id(), jwt).await
    }

    /// The same for any account.
    pub(crate) async fn vouched(
        &self,
        account: AccountId,
        jwt: &str,
    ) -> Result<Credential, JourneyError> {
        let credential = match Credential::parse(jwt, &self.ports.authority) {
            Ok(credential) => credential,
            Err(error) => {
                // Only the chain's own accreditor has a digest named there: then it is the file that is old.
                let is_of = Credential::read(jwt).is_ok_and(|(read, _)| read.account == account);
                let digest = Digest::of(jwt.as_bytes());
                if is_of && self.named_on_chain(account).await? == Some(digest) {
                    let (what, lacks) = ("credential", Lacks::Authority(jwt.to_owned()));
                    return Err(JourneyError::Outdated { what, lacks });
                }
                return Err(error);
            }
        };
        let bad = |why: String| JourneyError::Untrusted {
            what: "credential",
            why,
        };
        if credential.account != account {
            let of = credential.account;
            return Err(bad(format!(
                "it is for {of}, not for {account}; ask the authority for the right one"
            )));
        }
        let named = self.named_on_chain(account).await?;
        if named != Some(Digest::of(jwt.as_bytes())) {
            return Err(bad(
                "its digest is not the one on the chain; ask the authority for the newest one"
                    .into(),
            ));
        }
        Ok(credential)
    }
}
