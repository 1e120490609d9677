//! Puts the contracts on a chain in the order of contracts/README.md, and gives every role to whom it belongs.

use core::time::Duration;

use alloy::eips::BlockId;
use alloy::primitives::{Address as ChainAddress, B256, Bytes, TxKind, U256};
use alloy::rpc::types::TransactionReceipt;
use alloy::sol_types::{SolCall, SolConstructor};
use medibloc_keys::SigningKey;
use medibloc_ledger::LedgerError;
use medibloc_record::{Address, Threshold};

use crate::bindings::accounts::Accounts;
use crate::bindings::authority::Authority;
use crate::bindings::consent::Consent;
use crate::bindings::forwarder::Forwarder;
use crate::bindings::keepers::Keepers;
use crate::bindings::receipts::Receipts;
use crate::bindings::records::Records;
use crate::encode::chain;
use crate::refusal::bad;
use crate::rpc::Rpc;
use crate::wallet::{Payload, Wallet};
use crate::{ChainRole, Contracts, Deployed};

const PATIENCE: Duration = Duration::from_secs(300);
const ADMIN: u64 = ChainRole::Administrator.id();
const ACCREDITOR: u64 = ChainRole::Accreditor.id();
const REGISTRAR: u64 = ChainRole::Registrar.id();

/// Who gets which role, and who keeps the shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployPlan {
    /// Gives and takes roles from now on. The deployer keeps none unless it is named here.
    pub authority: Address,
    /// Accredits and suspends.
    pub accreditor: Address,
    /// Registers keepers and forms committees.
    pub registrar: Address,
    /// The first committee: all of `keepers`.
    pub threshold: Threshold,
    /// The keepers: 1 to n of the threshold.
    pub keepers: Vec<KeeperPlan>,
    /// Coins of the chain for wallets that pay for transactions: the relay, the accreditor.
    pub funds: Vec<(Address, u128)>,
}

/// One keeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperPlan {
    /// The x of its share, from 1.
    pub index: u8,
    /// The address that signs its replies.
    pub signer: Address,
    /// The key that shares are wrapped to.
    pub wrap_key: [u8; 32],
    /// Where it is reached.
    pub endpoint: String,
}

/// Deploys all seven contracts from `deployer`'s wallet, sets the roles, registers the keepers and forms their
/// committee.
///
/// # Errors
/// If the chain is silent, a transaction fails, or a contract is not where the others expect it. What was deployed so
/// far then stays unused: deploy again.
pub async fn deploy(
    rpc: &Rpc,
    deployer: &SigningKey,
    plan: &DeployPlan,
) -> Result<Deployed, LedgerError> {
    let chain_id = rpc.chain_id().await?;
    let deployer = Deployer {
        wallet: Wallet::new(rpc.clone(), chain_id, deployer),
    };
    let deployed = deployer.contracts(chain_id).await?;
    deployer.roles(&deployed.contracts, plan).await?;
    deployer.keepers(&deployed.contracts, plan).await?;
    deployer.hand_over(&deployed.contracts, plan).await?;
    for (to, amount) in &plan.funds {
        deployer.pay(*to, *amount).await?;
    }
    Ok(deployed)
}

/// Pays coins from a wallet to others that pay for transactions.
///
/// # Errors
/// If the chain is silent, or the wallet has too few coins. Those before in the list have theirs then.
pub async fn fund(
    rpc: &Rpc,
    from: &SigningKey,
    funds: &[(Address, u128)],
) -> Result<(), LedgerError> {
    let payer = Deployer {
        wallet: Wallet::new(rpc.clone(), rpc.chain_id().await?, from),
    };
    for (to, amount) in funds {
        payer.pay(*to, *amount).await?;
    }
    Ok(())
}

struct Deployer {
    wallet: Wallet,
}

impl Deployer {
    async fn contracts(&self, chain_id: u64) -> Result<Deployed, LedgerError> {
        let me = self.wallet.address();
        let nonce = self.wallet.next_nonce().await?;
        let (authority, block) = {
            let arguments = Authority::constructorCall { admin: me };
            self.create(&Authority::BYTECODE, &arguments, nonce).await?
        };
        let forwarder = Forwarder::constructorCall {
            name: "MediBloc".into(),
        };
        let (forwarder, _) = self
            .create(&Forwarder::BYTECODE, &forwarder, nonce + 1)
            .await?;
        let accounts = Accounts::constructorCall {
            authority_: authority,
            forwarder,
        };
        let (accounts, _) = self
            .create(&Accounts::BYTECODE, &accounts, nonce + 2)
            .await?;
        let records = Records::constructorCall {
            forwarder,
            accounts,
            consent: me.create(nonce + 4),
        };
        let (records, _) = self.create(&Records::BYTECODE, &records, nonce + 3).await?;
        let consent = Consent::constructorCall {
            forwarder,
            accounts,
            records,
        };
        let (consent, _) = self.create(&Consent::BYTECODE, &consent, nonce + 4).await?;
        let receipts = Receipts::constructorCall {
            forwarder,
            accounts,
            consent,
            records,
        };
        let (receipts, _) = self
            .create(&Receipts::BYTECODE, &receipts, nonce + 5)
            .await?;
        let keepers = Keepers::constructorCall {
            authority_: authority,
        };
        let (keepers, _) = self.create(&Keepers::BYTECODE, &keepers, nonce + 6).await?;
        let ours = |address: ChainAddress| Address::new(address.0.0);
        let contracts = Contracts {
            authority: ours(authority),
            forwarder: ours(forwarder),
            accounts: ours(accounts),
            records: ours(records),
            consent: ours(consent),
            receipts: ours(receipts),
            keepers: ours(keepers),
        };
        Ok(Deployed {
            chain_id,
            block,
            contracts,
        })
    }

    /// Creates a contract and checks that it stands where the nonce puts it.
    async fn create(
        &self,
        bytecode: &Bytes,
        arguments: &impl SolConstructor,
        nonce: u64,
    ) -> Result<(ChainAddress, u64), LedgerError> {
        let data = [bytecode.as_ref(), &arguments.abi_encode()].concat();
        let payload = Payload {
            to: TxKind::Create,
            value: U256::ZERO,
            data: data.into(),
            gas: None,
        };
        let receipt = self.done(payload).await?;
        let expected = self.wallet.address().create(nonce);
        if receipt.contract_address == Some(expected) {
            return Ok((expected, receipt.block_number.unwrap_or(0)));
        }
        Err(bad(&format!(
            "a contract stands at {:?} instead of {expected}: another program uses the deployer's wallet; deploy again",
            receipt.contract_address
        )))
    }

    async fn roles(&self, at: &Contracts, plan: &DeployPlan) -> Result<(), LedgerError> {
        let authority = chain(at.authority.to_bytes());
        let functions = [
            (
                at.accounts,
                vec![
                    Accounts::accreditCall::SELECTOR.into(),
                    Accounts::suspendCall::SELECTOR.into(),
                    Accounts::reinstateCall::SELECTOR.into(),
                ],
                ACCREDITOR,
            ),
            (
                at.keepers,
                vec![
                    Keepers::registerCall::SELECTOR.into(),
                    Keepers::formCommitteeCall::SELECTOR.into(),
                ],
                REGISTRAR,
            ),
        ];
        for (target, selectors, role) in functions {
            let call = Authority::setTargetFunctionRoleCall {
                target: chain(target.to_bytes()),
                selectors,
                roleId: role,
            };
            self.call(authority, &call).await?;
        }
        for (role, label) in [(ACCREDITOR, "accreditor"), (REGISTRAR, "keeper registrar")] {
            let call = Authority::labelRoleCall {
                roleId: role,
                label: label.into(),
            };
            self.call(authority, &call).await?;
        }
        self.grant(authority, ACCREDITOR, chain(plan.accreditor.to_bytes()))
            .await?;
        self.grant(authority, REGISTRAR, self.wallet.address())
            .await
    }

    async fn keepers(&self, at: &Contracts, plan: &DeployPlan) -> Result<(), LedgerError> {
        let contract = chain(at.keepers.to_bytes());
        for keeper in &plan.keepers {
            let call = Keepers::registerCall {
                index: keeper.index,
                operatorSigner: chain(keeper.signer.to_bytes()),
                wrapKey_: B256::new(keeper.wrap_key),
                endpoint: keeper.endpoint.clone(),
            };
            self.call(contract, &call).await?;
        }
        let call = Keepers::formCommitteeCall {
            n: plan.threshold.n(),
            t: plan.threshold.t(),
        };
        self.call(contract, &call).await
    }

    /// Gives the deployer's own roles away, last of all that of the admin.
    async fn hand_over(&self, at: &Contracts, plan: &DeployPlan) -> Result<(), LedgerError> {
        let (authority, me) = (chain(at.authority.to_bytes()), self.wallet.address());
        let registrar = chain(plan.registrar.to_bytes());
        if registrar != me {
            self.grant(authority, REGISTRAR, registrar).await?;
            self.renounce(authority, REGISTRAR).await?;
        }
        let admin = chain(plan.authority.to_bytes());
        if admin != me {
            self.grant(authority, ADMIN, admin).await?;
            self.renounce(authority, ADMIN).await?;
        }
        Ok(())
    }

    async fn grant(
        &self,
        authority: ChainAddress,
        role: u64,
        account: ChainAddress,
    ) -> Result<(), LedgerError> {
        let call = Authority::grantRoleCall {
            roleId: role,
            account,
            executionDelay: 0,
        };
        self.call(authority, &call).await
    }

    async fn renounce(&self, authority: ChainAddress, role: u64) -> Result<(), LedgerError> {
        let call = Authority::renounceRoleCall {
            roleId: role,
            callerConfirmation: self.wallet.address(),
        };
        self.call(authority, &call).await
    }

    async fn pay(&self, to: Address, amount: u128) -> Result<(), LedgerError> {
        let payload = Payload {
            value: U256::from(amount),
            ..Payload::call(chain(to.to_bytes()), Vec::new())
        };
        self.done(payload).await.map(|_| ())
    }

    async fn call(&self, to: ChainAddress, call: &impl SolCall) -> Result<(), LedgerError> {
        let payload = Payload::call(to, call.abi_encode());
        self.done(payload).await.map(|_| ())
    }

    async fn done(&self, payload: Payload) -> Result<TransactionReceipt, LedgerError> {
        self.wallet.transact(payload, 0, PATIENCE).await
    }
}

/// Whether there is a contract at an address.
pub(crate) async fn is_contract(rpc: &Rpc, at: Address) -> Result<bool, LedgerError> {
    use alloy::providers::Provider;
    let address = chain(at.to_bytes());
    let code = rpc
        .ask(|node| async move { node.get_code_at(address).block_id(BlockId::latest()).await })
        .await?;
    Ok(!code.is_empty())
}
