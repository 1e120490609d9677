//! Handing an account to another address, which must sign for it (contracts/README.md, EIP-712 of `rotateAddress`).

use medibloc_keys::SigningKey;
use medibloc_ledger::{Call, Facts, LedgerError, Outcome, Refusal, Relay, Submit as _};
use medibloc_record::{
    Abi, AccountId, Address, Timestamp, domain_separator, keccak256, typed_digest,
};

use crate::{Deployed, EvmLedger};

/// How long both signatures hold.
const TIME: u64 = 3_600;

/// What `next` signs to take over an account.
pub(crate) fn rotation_digest(
    at: &Deployed,
    account: AccountId,
    next: Address,
    deadline: Timestamp,
) -> [u8; 32] {
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
    let digest = rotation_digest(ledger.deployed(), account, next.address(), deadline);
    let call = Call::RotateAddress {
        next: next.address(),
        deadline,
        consent: next.sign_digest(&digest),
    };
    let request = ledger.prepare(who.address(), &call, deadline).await?;
    let signature = who.sign_digest(&request.digest);
    relay.relay(&request.sign(signature)).await
}
