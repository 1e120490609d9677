//! The invitation: shown as text or QR, signed by the inviter's fresh address.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_dag::cbor;
use medibloc_keys::recover;
use medibloc_record::{Address, SealingKey, Signature, Timestamp, keccak256};
use serde::{Deserialize, Serialize};

use crate::JourneyError;
use crate::bounds;
use crate::party::decode;
use crate::secret::Secret;

const PREFIX: &str = "medibloc:invite:2:";
const OLDER: &str = "medibloc:invite:1:";

/// A signed one-use invitation, shown as text or QR.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// 2.
    pub version: u8,
    /// Id of the chain that it is for.
    pub chain: u64,
    /// The `Records` contract of the deployment that it is for.
    pub records: Address,
    /// The inviter's fresh address.
    pub owner: Address,
    /// Its sealing key.
    pub sealing_key: SealingKey,
    /// The inviter's node.
    pub node: String,
    /// How many reader addresses are wanted.
    pub readers_wanted: u8,
    /// Until when it is good.
    pub expiry: Timestamp,
    /// One-use secret.
    #[serde(with = "serde_bytes")]
    pub(super) secret: [u8; 32],
    pub(super) signature: Signature,
}

impl core::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Invitation({})", self.owner)
    }
}

impl Invitation {
    /// The text that is shown.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(cbor::to_vec(self)))
    }

    /// The invitation in a text, its signature checked.
    ///
    /// # Errors
    /// If the text is cut, foreign, or signed by another.
    pub fn parse(text: &str) -> Result<Self, JourneyError> {
        let bad = |why: &str| JourneyError::Untrusted {
            what: "invitation",
            why: why.into(),
        };
        if text.len() > bounds::MOST_INVITATION {
            return Err(bad("it is longer than an invitation can be; copy it again"));
        }
        if text.trim().starts_with(OLDER) {
            return Err(bad(
                "it is of version 1, which does not say for which chain it is; ask for a new one, made by a newer program",
            ));
        }
        let body = text.trim().strip_prefix(PREFIX).ok_or_else(|| {
            bad("it does not begin with medibloc:invite:2:; copy the whole text or scan the code again")
        })?;
        let bytes = URL_SAFE_NO_PAD
            .decode(body)
            .map_err(|_| bad("the text is cut or changed; copy it again"))?;
        let invitation: Self = decode("invitation", &bytes)?;
        if invitation.node.len() > bounds::MOST_URL {
            return Err(bad("its node has more than 2,048 bytes"));
        }
        if invitation.version != 2 {
            return Err(bad("it is of a later version; use a newer program"));
        }
        let signer = recover(&invitation.digest(), &invitation.signature)?;
        if signer != invitation.owner {
            return Err(bad("its signature is not of the address that it names"));
        }
        Ok(invitation)
    }

    pub(crate) fn secret(&self) -> Secret {
        Secret::new(self.secret)
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        let unsigned = Self {
            signature: Signature::new([0; 65]),
            ..self.clone()
        };
        keccak256(
            &[
                b"medibloc/v2/invitation".as_slice(),
                &cbor::to_vec(&unsigned),
            ]
            .concat(),
        )
    }
}
