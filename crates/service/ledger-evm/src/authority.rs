//! What the authority itself sends: these calls count for the direct caller, so no relay can carry them.

use core::time::Duration;

use alloy::primitives::{B256, FixedBytes};
use alloy::sol_types::SolCall;
use medibloc_keys::SigningKey;
use medibloc_ledger::{LedgerError, Outcome};
use medibloc_record::{AccountId, Address, Digest, Threshold, Timestamp};

use crate::EvmLedger;
use crate::bindings::accounts::Accounts;
use crate::bindings::keepers::Keepers;
use crate::encode::chain;
use crate::wallet::{Payload, Wallet};

const PATIENCE: Duration = Duration::from_secs(600);

/// An accreditation: while `from` ≤ time < `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accreditation {
    /// A provider's or researcher's account.
    pub account: AccountId,
    /// keccak256 of the profession's code, or zero.
    pub profession: [u8; 32],
    /// ISO 3166-1 alpha-2.
    pub jurisdiction: [u8; 2],
    /// First second.
    pub from: Timestamp,
    /// First second after.
    pub until: Timestamp,
    /// SHA-256 of the signed credential.
    pub evidence: Digest,
}

/// The wallet of an administrator's, the accreditor's or the registrar's role, or of a keeper's signer.
#[derive(Debug)]
pub struct AuthorityWallet {
    wallet: Wallet,
    pub(crate) manager: Address,
    accounts: Address,
    pub(crate) keepers: Address,
    finality_depth: u64,
}

fn accredit(what: &Accreditation) -> Accounts::accreditCall {
    Accounts::accreditCall {
        account_: chain(what.account.to_bytes()),
        profession: B256::new(what.profession),
        jurisdiction: FixedBytes(what.jurisdiction),
        from: what.from.0,
        to: what.until.0,
        evidenceDigest: B256::new(what.evidence.to_bytes()),
    }
}

impl AuthorityWallet {
    /// The wallet with this key.
    pub fn new(ledger: &EvmLedger, key: &SigningKey) -> Self {
        Self {
            wallet: Wallet::new(ledger.rpc().clone(), ledger.deployed().chain_id, key),
            manager: ledger.deployed().contracts.authority,
            accounts: ledger.deployed().contracts.accounts,
            keepers: ledger.deployed().contracts.keepers,
            finality_depth: ledger.finality_depth(),
        }
    }

    /// Accredits, or renews for another time; returns when it is final.
    ///
    /// # Errors
    /// If the contracts refuse: no such account, a person's account, an empty period, not the accreditor's wallet.
    pub async fn accredit(&self, what: &Accreditation) -> Result<Outcome, LedgerError> {
        self.send(&accredit(what)).await
    }

    /// That [`Self::accredit`] would be taken and paid for, before anything is written for it.
    ///
    /// # Errors
    /// If the contracts refuse, or the wallet has too few coins.
    pub async fn can_accredit(&self, what: &Accreditation) -> Result<(), LedgerError> {
        let to = chain(self.accounts.to_bytes());
        let payload = Payload::call(to, accredit(what).abi_encode());
        self.wallet.must_afford(&payload).await
    }

    /// Suspends an account from the next block on.
    ///
    /// # Errors
    /// If the contracts refuse.
    pub async fn suspend(&self, account: AccountId) -> Result<Outcome, LedgerError> {
        let account_ = chain(account.to_bytes());
        self.send(&Accounts::suspendCall { account_ }).await
    }

    /// Lifts a suspension.
    ///
    /// # Errors
    /// If the contracts refuse.
    pub async fn reinstate(&self, account: AccountId) -> Result<Outcome, LedgerError> {
        let account_ = chain(account.to_bytes());
        self.send(&Accounts::reinstateCall { account_ }).await
    }

    /// Puts the keepers 1 to n in force as another committee, as the registrar.
    ///
    /// # Errors
    /// If the contracts refuse: a keeper is not registered, not the registrar's wallet.
    pub async fn form_committee(&self, threshold: Threshold) -> Result<Outcome, LedgerError> {
        let (n, t) = (threshold.n(), threshold.t());
        let call = Keepers::formCommitteeCall { n, t };
        self.send_to(self.keepers, &call).await
    }

    /// Sets a keeper's next wrap key, as its signer.
    ///
    /// # Errors
    /// If the contracts refuse: no such keeper, not its signer's wallet.
    pub async fn rotate_wrap_key(&self, index: u8, key: [u8; 32]) -> Result<Outcome, LedgerError> {
        let key = B256::new(key);
        let call = Keepers::rotateWrapKeyCall { index, key };
        self.send_to(self.keepers, &call).await
    }

    /// That [`Self::rotate_wrap_key`] would be taken and paid for, before anything is changed for it.
    ///
    /// # Errors
    /// If the contracts refuse, or the wallet has too few coins.
    pub async fn can_rotate_wrap_key(&self, index: u8, key: [u8; 32]) -> Result<(), LedgerError> {
        let key = B256::new(key);
        let call = Keepers::rotateWrapKeyCall { index, key };
        let payload = Payload::call(chain(self.keepers.to_bytes()), call.abi_encode());
        self.wallet.must_afford(&payload).await
    }

    async fn send(&self, call: &impl SolCall) -> Result<Outcome, LedgerError> {
        self.send_to(self.accounts, call).await
    }

    pub(crate) async fn send_to(
        &self,
        to: Address,
        call: &impl SolCall,
    ) -> Result<Outcome, LedgerError> {
        let payload = Payload::call(chain(to.to_bytes()), call.abi_encode());
        let receipt = self
            .wallet
            .transact(payload, self.finality_depth, PATIENCE)
            .await?;
        Ok(Outcome {
            block: receipt.block_number.unwrap_or(0),
            transaction: receipt.transaction_hash.0,
        })
    }
}
