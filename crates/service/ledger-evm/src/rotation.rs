//! Handing an account to another address, which must sign for it (contracts/README.md, EIP-712 of `rotateAddress`).

use alloy::primitives::{Bytes, U256};
use alloy::sol_types::SolCall;
use medibloc_keys::SigningKey;
use medibloc_ledger::{Facts, LedgerError, Outcome, Refusal, Relay};
use medibloc_record::{
    Abi, AccountId, Address, Timestamp, domain_separator, keccak256, typed_digest,
};

use crate::bindings::accounts::Accounts;
use crate::encode::{ForwardRequest, chain};
use crate::{Deployed, EvmLedger};

/// What the rotation may use: three slots, a signature and its event.
const GAS: u64 = 200_000;
/// How long both signatures hold.
const TIME: u64 = 3_600;

/// What `next` signs to take over an account.
fn digest(at: &Deployed, account: AccountId, next: Address, deadline: Timestamp) -> [u8; 32] {
    let kind = b"RotateAddress(address account,address next,uint256 deadline)";
    let hash = Abi::new()
        .word(keccak256(kind))
        .address(Address::new(account.to_bytes()))
        .address(next)
        .uint(deadline.0)
        .keccak256();
    let domain = domain_separator("MediBloc Accounts", "1", at.chain_id, at.contracts.accounts);
    typed_digest(domain, hash)
}

/// Hands the account that `who` signs for to `next`, from this block on; returns when it is final.
///
/// # Errors
/// If `who` signs for no account, `next` signs or signed for one, or as [`Relay::relay`].
pub async fn rotate_address(
    ledger: &EvmLedger,
    relay: &dyn Relay,
    who: &SigningKey,
    next: &SigningKey,
) -> Result<Outcome, LedgerError> {
    let account = ledger.account_of(who.address()).await?;
    let account = account.ok_or(Refusal::NotRegistered)?;
    let deadline = ledger.head().await?.time.plus(TIME);
    let consent = digest(ledger.deployed(), account, next.address(), deadline);
    let consent = next.sign_digest(&consent);
    let call = Accounts::rotateAddressCall {
        next: chain(next.address().to_bytes()),
        deadline: U256::from(deadline.0),
        signatureByNext: Bytes::copy_from_slice(consent.as_bytes()),
    };
    let to = chain(ledger.deployed().contracts.accounts.to_bytes());
    let from = chain(who.address().to_bytes());
    let nonce = ledger.next_nonce(from).await?;
    let target = (to, call.abi_encode(), GAS);
    let request = ForwardRequest::new(from, target, nonce, deadline).unsigned(ledger.deployed());
    let signature = who.sign_digest(&request.digest);
    relay.relay(&request.sign(signature)).await
}
