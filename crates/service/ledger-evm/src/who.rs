//! Whether what stands at the addresses of a deployment are its contracts: each is asked what it alone answers, and whom it is bound
//! to.

use alloy::eips::BlockId;
use alloy::primitives::{Address as ChainAddress, B256};
use alloy::sol_types::SolCall;
use medibloc_ledger::LedgerError;
use medibloc_record::Address;

use crate::EvmLedger;
use crate::bindings::accounts::Accounts;
use crate::bindings::authority::Authority;
use crate::bindings::consent::Consent;
use crate::bindings::forwarder::Forwarder;
use crate::bindings::keepers::Keepers;
use crate::bindings::receipts::Receipts;
use crate::bindings::records::Records;
use crate::encode::chain;
use crate::refusal::bad;
use crate::rpc::Fault;

impl EvmLedger {
    /// Asks each contract of the deployment who it is: a file that names one in the place of another, or one of another deployment,
    /// is told before anything is done by it.
    ///
    /// # Errors
    /// That one is not what the deployment says; or that the nodes are silent.
    pub async fn check_contracts(&self) -> Result<(), LedgerError> {
        let at = self.deployed().contracts;
        let (forwarder, authority) = (
            chain(at.forwarder.to_bytes()),
            chain(at.authority.to_bytes()),
        );
        let nobody = ChainAddress::ZERO;
        let (name, of) = ("authority", at.authority);
        self.answer(name, of, &Authority::expirationCall {}).await?;
        let (name, of) = ("forwarder", at.forwarder);
        self.answer(name, of, &Forwarder::noncesCall { owner: nobody })
            .await?;

        let (name, of) = ("accounts", at.accounts);
        let question = Accounts::accountOfCall { signer: nobody };
        self.answer(name, of, &question).await?;
        let bound = Accounts::isTrustedForwarderCall { forwarder };
        is_bound(name, of, self.answer(name, of, &bound).await?)?;
        let bound = self.answer(name, of, &Accounts::authorityCall {}).await?;
        is_bound(name, of, bound == authority)?;

        let (name, of) = ("records", at.records);
        let question = Records::capsuleVersionCall {
            recordId: B256::ZERO,
        };
        self.answer(name, of, &question).await?;
        let bound = Records::isTrustedForwarderCall { forwarder };
        is_bound(name, of, self.answer(name, of, &bound).await?)?;

        let (name, of) = ("consent", at.consent);
        let question = Consent::grantStateCall {
            grantId: B256::ZERO,
        };
        self.answer(name, of, &question).await?;
        let bound = Consent::isTrustedForwarderCall { forwarder };
        is_bound(name, of, self.answer(name, of, &bound).await?)?;

        let (name, of) = ("receipts", at.receipts);
        let question = Receipts::readsUsedCall {
            grantId: B256::ZERO,
        };
        self.answer(name, of, &question).await?;
        let bound = Receipts::isTrustedForwarderCall { forwarder };
        is_bound(name, of, self.answer(name, of, &bound).await?)?;

        let (name, of) = ("keepers", at.keepers);
        self.answer(name, of, &Keepers::committeeCall {}).await?;
        let bound = self.answer(name, of, &Keepers::authorityCall {}).await?;
        is_bound(name, of, bound == authority)
    }

    async fn answer<C: SolCall>(
        &self,
        name: &str,
        of: Address,
        question: &C,
    ) -> Result<C::Return, LedgerError> {
        let asked = self
            .rpc()
            .call(chain(of.to_bytes()), question, BlockId::latest());
        asked.await.map_err(|fault| match fault {
            Fault::Ledger(error) if error.is_retryable() => error,
            fault @ Fault::Said { .. } => fault.into(),
            _ => bad(&format!(
                "what is at {of} is no contract of the kind that deployment.json calls `{name}`; get the file again from the operator"
            )),
        })
    }
}

fn is_bound(name: &str, of: Address, is: bool) -> Result<(), LedgerError> {
    match is {
        true => Ok(()),
        false => Err(bad(&format!(
            "the contract at {of}, which deployment.json calls `{name}`, is of another deployment; get the file again from the operator"
        ))),
    }
}
