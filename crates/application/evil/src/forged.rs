//! Calls as no program writes them, with a valid signature: bytes behind their arguments, gas beyond any use.

use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, LedgerError, SignedCall, Submit};
use medibloc_record::{Abi, Address, Timestamp, domain_separator, keccak256, typed_digest};

/// What is other than a program's.
#[derive(Clone, Debug, Default)]
pub struct Forged {
    /// The gas that it asks for; a program's if none.
    pub gas: Option<u64>,
    /// Bytes behind its arguments.
    pub behind: Vec<u8>,
}

const REQUEST: &[u8] = b"ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,uint48 deadline,bytes data)";

/// A call for the forwarder of a chain, changed and signed (docs/format/ledger.md).
///
/// # Errors
/// If the chain is silent, or prepares what is no forward request.
pub async fn forge(
    chain: &dyn Submit,
    (chain_id, forwarder): (u64, Address),
    by: &SigningKey,
    call: &Call,
    (now, forged): (Timestamp, Forged),
) -> Result<SignedCall, LedgerError> {
    let bytes = chain
        .prepare(by.address(), call, now.plus(600))
        .await?
        .bytes;
    change(&bytes, (chain_id, forwarder), by, forged).ok_or_else(|| LedgerError::Corrupt {
        from: "the chain".into(),
        why: "it prepares what is no forward request".into(),
    })
}

fn change(
    bytes: &[u8],
    (chain_id, forwarder): (u64, Address),
    by: &SigningKey,
    forged: Forged,
) -> Option<SignedCall> {
    const HEAD: usize = 9 * 32;
    let number = |word: usize| -> Option<u64> {
        let bytes = bytes.get(word * 32 + 24..(word + 1) * 32)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    };
    let length = usize::try_from(number(8)?).ok()?;
    let mut data = bytes.get(HEAD..HEAD.checked_add(length)?)?.to_vec();
    data.extend(forged.behind);
    let gas = match forged.gas {
        Some(gas) => gas,
        None => number(4)?,
    };
    let to = Address::new(bytes.get(76..96)?.try_into().ok()?);
    let mut all = bytes.get(..HEAD)?.to_vec();
    for (word, value) in [(4, gas), (8, data.len() as u64)] {
        let place = all.get_mut(word * 32 + 24..(word + 1) * 32)?;
        place.copy_from_slice(&value.to_be_bytes());
    }
    all.extend(&data);
    all.resize(HEAD + data.len().next_multiple_of(32), 0);
    let hash = Abi::new()
        .word(keccak256(REQUEST))
        .address(by.address())
        .address(to)
        .uint(0)
        .uint(gas)
        .uint(number(5)?)
        .uint(number(6)?)
        .word(keccak256(&data))
        .keccak256();
    let domain = domain_separator("MediBloc", "1", chain_id, forwarder);
    Some(SignedCall {
        bytes: all,
        signature: by.sign_digest(&typed_digest(domain, hash)),
    })
}
