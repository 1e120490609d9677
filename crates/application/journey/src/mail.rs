//! Sealed letters between agents: the sender's signature is inside, the node sees ids only.

use medibloc_consent::{Binding, Purpose};
use medibloc_dag::cbor;
use medibloc_keys::{hpke_open, hpke_seal, info, recover};
use medibloc_record::{
    AccountId, Address, GrantId, RecordId, SealingKey, Signature, Timestamp, keccak256,
};
use serde::{Deserialize, Serialize};

use crate::dates::Dates;
use crate::left::Outputs;
use crate::pairing::ContactCard;
use crate::party::OwnAddress;
use crate::ports::Letter;
use crate::{JourneyError, Party};

/// What agents tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Message {
    /// The answer to an invitation.
    Card(ContactCard),
    /// A request to read.
    Access(AccessRequest),
    /// More reader addresses, as asked for.
    MoreReaders {
        /// Each with its binding.
        readers: Vec<(Address, Binding)>,
        /// The newest credential of the account, as in [`AccessRequest`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<String>,
    },
    /// Grants were revoked: purge what was read under them.
    Ended {
        /// The grants.
        grants: Vec<GrantId>,
        /// The records that they opened.
        records: Vec<RecordId>,
    },
    /// The owner has more own addresses than the reader gave addresses: send more.
    WantReaders {
        /// How many.
        count: u8,
    },
    /// What was read under these grants, or of these erased records, is no longer kept.
    Purged {
        /// Grants that have ended.
        grants: Vec<GrantId>,
        /// Records that their owner erased.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        records: Vec<RecordId>,
        /// Files that were written out of the vault before and stay.
        #[serde(default, skip_serializing_if = "crate::grant::is_none")]
        files: u32,
        /// Another home of the phrase read it: which files that one wrote out is not known. Absent in letters of before.
        #[serde(default, skip_serializing_if = "crate::left::is_false")]
        unknown: bool,
        /// What was written to standard output, where nothing can delete it. Absent in letters of before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outputs: Option<Outputs>,
    },
    /// The invitation that a card answered was not open any more.
    Declined {
        /// Why.
        why: WhyDeclined,
    },
}

/// Why an answer to an invitation came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhyDeclined {
    /// Somebody else answered before.
    Used,
    /// It came too late.
    Expired,
}

/// What a reader asks an owner for (design 11, row 10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessRequest {
    /// What for.
    pub purpose: Purpose,
    /// In words, for the person who decides.
    pub reason: String,
    /// Record categories asked for; empty for any.
    pub categories: Vec<medibloc_record::Category>,
    /// Of which dates; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<Dates>,
    /// Until when.
    pub until: Timestamp,
    /// Fresh registered addresses, each bound to the account.
    pub readers: Vec<(Address, Binding)>,
    /// The newest credential of the account (a JWT), which may be younger than the pairing; none if the asking home keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// What a reader asks for, in the words of [`Party::ask_for`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What for.
    pub purpose: Purpose,
    /// In words, for the person who decides.
    pub reason: String,
    /// Record categories; empty for any.
    pub categories: Vec<medibloc_record::Category>,
    /// Dates of the records; none for any.
    pub dates: Option<Dates>,
    /// Until when.
    pub until: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    message: Vec<u8>,
    signer: Address,
    signature: Signature,
}

/// A letter that was opened and whose signature is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Who signed.
    pub signer: Address,
    /// The account that this address acts for now.
    pub account: AccountId,
    /// To which own address it came.
    pub recipient: AccountId,
    /// Its id.
    pub id: [u8; 32],
    /// What it says.
    pub message: Message,
}

impl Party {
    /// Signs and seals a message for the mailbox of `to`.
    pub(crate) fn seal_letter(
        &self,
        from: &OwnAddress,
        to: Address,
        to_key: &SealingKey,
        message: &Message,
    ) -> Result<Letter, JourneyError> {
        let id = self.ports.random();
        let signer = self.signer(from);
        let info = info::mailbox(&self.ports.domain, signer.address(), to, &id);
        let message = cbor::to_vec(message);
        let signature = signer.sign_digest(&letter_digest(&info, &message));
        let inner = cbor::to_vec(&Signed {
            message,
            signer: signer.address(),
            signature,
        });
        let wrapped = {
            let mut entropy = self
                .ports
                .entropy
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            hpke_seal(to_key, &info, &inner, &mut *entropy)?
        };
        Ok(Letter {
            version: 1,
            sender: signer.address(),
            recipient: to,
            id,
            wrapped,
            tag: None,
        })
    }

    /// A letter whose tag is good: opened, its signature checked, and the chain asked for whom its signer acts now. A key
    /// that was rotated away acts for nobody.
    pub(crate) async fn open_letter(
        &self,
        own: &OwnAddress,
        letter: &Letter,
    ) -> Result<Opened, JourneyError> {
        crate::bounds::letter(letter)?;
        let info = info::mailbox(&self.ports.domain, letter.sender, own.address, &letter.id);
        let secret = self.sealing_at(own, letter.wrapped.key_version);
        let inner = hpke_open(&secret, &info, &letter.wrapped)?;
        let signed: Signed = crate::party::decode("letter", &inner)?;
        let signer = recover(&letter_digest(&info, &signed.message), &signed.signature)?;
        let bad = |why: &str| JourneyError::Untrusted {
            what: "letter",
            why: why.into(),
        };
        if signer != signed.signer || signer != letter.sender {
            return Err(bad("its signature is not the sender's"));
        }
        let message: Message = crate::party::decode("message", &signed.message)?;
        message.within_bounds(signed.message.len())?;
        let account = self.ports.facts.account_of(signer).await?;
        Ok(Opened {
            signer,
            account: account
                .ok_or_else(|| bad("its sender acts for no account, or not any more"))?,
            recipient: own.id(),
            id: letter.id,
            message,
        })
    }
}

fn letter_digest(info: &[u8], message: &[u8]) -> [u8; 32] {
    keccak256(
        &[
            b"medibloc/v1/letter".as_slice(),
            &keccak256(info),
            &keccak256(message),
        ]
        .concat(),
    )
}
