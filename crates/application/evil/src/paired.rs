//! A party that is paired and sends what its own program never would: signed, sealed and tagged well.

use medibloc_dag::cbor;
use medibloc_journey::{JourneyError, Letter, Pairing, Ports};
use medibloc_keys::{PairingKey, SeededEntropy, SigningKey, hpke_seal, info};
use medibloc_record::{AccountId, Address, Digest, Signature, keccak256};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;
use zeroize::Zeroizing;

#[derive(Serialize, Deserialize)]
struct OpenPairing {
    #[serde(with = "serde_bytes")]
    key: Vec<u8>,
    token: ByteArray<32>,
}

#[derive(Serialize)]
struct Signed {
    message: Vec<u8>,
    signer: Address,
    signature: Signature,
}

/// The letter `number` of a paired party, with any bytes as its message.
///
/// # Errors
/// If the chain does not answer.
///
/// # Panics
/// If the pairing is none or the recipient is not registered.
pub async fn letter(
    ports: &Ports,
    from: &SigningKey,
    to: Address,
    pairing: &Pairing,
    message: Vec<u8>,
    number: u64,
) -> Result<Letter, JourneyError> {
    let mut id = [0xab; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let own: OpenPairing = cbor::from_slice(&cbor::to_vec(pairing)).expect("it is a pairing");
    let shared = PairingKey::from_bytes(Zeroizing::new(own.key.try_into().expect("32 bytes")));
    let account = AccountId::from_first_address(to);
    let to_key = ports
        .facts
        .account(account)
        .await?
        .expect("it is registered")
        .sealing_key;
    let context = info::mailbox(&ports.domain, from.address(), to, &id);
    let digest = keccak256(
        &[
            b"medibloc/v1/letter".as_slice(),
            &keccak256(&context),
            &keccak256(&message),
        ]
        .concat(),
    );
    let inner = cbor::to_vec(&Signed {
        message,
        signer: from.address(),
        signature: from.sign_digest(&digest),
    });
    let wrapped = hpke_seal(&to_key, &context, &inner, &mut SeededEntropy::new(number))?;
    let mut letter = Letter {
        version: 1,
        sender: from.address(),
        recipient: to,
        id,
        wrapped,
        tag: None,
    };
    let digest = Digest::of(&cbor::to_vec(&letter.wrapped));
    let tag = shared.tag(
        "medibloc/v1/letter-tag",
        &[
            letter.sender.as_bytes(),
            letter.recipient.as_bytes(),
            &letter.id,
            digest.as_bytes(),
        ],
    );
    letter.tag = Some(ByteArray::new(tag));
    Ok(letter)
}

/// Sends such letters, `count` of them, to one mailbox.
///
/// # Errors
/// If one is not taken.
pub async fn press(
    ports: &Ports,
    from: &SigningKey,
    to: Address,
    pairing: &Pairing,
    message: &medibloc_journey::Message,
    count: u64,
) -> Result<(), JourneyError> {
    let mailbox = ports.network.mailbox(from, &ports.network.own_node());
    for number in 0..count {
        let letter = letter(ports, from, to, pairing, cbor::to_vec(message), number).await?;
        mailbox.send(&letter).await?;
    }
    Ok(())
}
