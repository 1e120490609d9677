//! Who administers, accredits and registers keepers: OpenZeppelin's `AccessManager`, whose roles several wallets may hold.

use std::collections::BTreeSet;

use alloy::eips::BlockId;
use alloy::primitives::{Address as ChainAddress, B256};
use alloy::rpc::types::Filter;
use alloy::sol_types::SolEvent as _;
use medibloc_ledger::{LedgerError, Outcome};
use medibloc_record::Address;

use crate::bindings::authority::Authority;
use crate::bindings::keepers::Keepers;
use crate::deploy::KeeperPlan;
use crate::encode::chain;
use crate::ledger::SPAN;
use crate::{AuthorityWallet, EvmLedger};

/// What a wallet may do beside what everybody may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainRole {
    /// Gives and takes all roles, its own too.
    Administrator,
    /// Accredits, suspends and reinstates.
    Accreditor,
    /// Registers keepers and forms committees.
    Registrar,
}

impl ChainRole {
    /// The contracts' number of it.
    pub(crate) const fn id(self) -> u64 {
        match self {
            Self::Administrator => 0,
            Self::Accreditor => 1,
            Self::Registrar => 2,
        }
    }
}

/// A place among the keepers, as the newest block has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperPlace {
    /// The address that signs its replies.
    pub signer: Address,
    /// How many wrap keys the place has had: the version of its present one.
    pub wrap_version: u32,
    /// Where it is reached.
    pub endpoint: String,
}

impl EvmLedger {
    /// Who holds a role at the newest block.
    ///
    /// # Errors
    /// If the chain is silent.
    pub async fn role_holders(&self, role: ChainRole) -> Result<Vec<Address>, LedgerError> {
        let manager = self.manager();
        let newest = self.rpc().block_number().await?;
        let mut known = BTreeSet::new();
        let mut from = self.deployed().block;
        while from <= newest {
            let to = newest.min(from.saturating_add(SPAN - 1));
            let filter = Filter::new().address(manager).from_block(from).to_block(to);
            let filter = &filter
                .event_signature(Authority::RoleGranted::SIGNATURE_HASH)
                .topic1(B256::left_padding_from(&role.id().to_be_bytes()));
            for log in self.logs_by(filter, to).await? {
                let granted = Authority::RoleGranted::decode_log(&log.inner).ok();
                known.extend(granted.map(|granted| Address::new(granted.account.0.0)));
            }
            from = to.saturating_add(1);
        }
        let mut holders = Vec::new();
        for wallet in known {
            if self.has_role(role, wallet).await? {
                holders.push(wallet);
            }
        }
        Ok(holders)
    }

    /// Whether a wallet holds a role at the newest block.
    ///
    /// # Errors
    /// If the chain is silent.
    pub async fn has_role(&self, role: ChainRole, wallet: Address) -> Result<bool, LedgerError> {
        let question = Authority::hasRoleCall {
            roleId: role.id(),
            account: chain(wallet.to_bytes()),
        };
        let at = BlockId::latest();
        Ok(self
            .rpc()
            .call(self.manager(), &question, at)
            .await?
            .isMember)
    }

    /// Who has a place among the keepers at the newest block; none if nobody ever had it.
    ///
    /// # Errors
    /// If the chain is silent.
    pub async fn keeper_place(&self, index: u8) -> Result<Option<KeeperPlace>, LedgerError> {
        let contract = chain(self.deployed().contracts.keepers.to_bytes());
        let question = Keepers::keeperCall { index };
        let found = self
            .rpc()
            .call(contract, &question, BlockId::latest())
            .await?;
        Ok((!found.signer.is_zero()).then(|| KeeperPlace {
            signer: Address::new(found.signer.0.0),
            wrap_version: found.version,
            endpoint: found.endpoint,
        }))
    }

    fn manager(&self) -> ChainAddress {
        chain(self.deployed().contracts.authority.to_bytes())
    }
}

impl AuthorityWallet {
    /// Gives a role to a wallet, as an administrator; whoever has it keeps it.
    ///
    /// # Errors
    /// If the contracts refuse: not an administrator's wallet.
    pub async fn give_role(&self, role: ChainRole, to: Address) -> Result<Outcome, LedgerError> {
        let call = Authority::grantRoleCall {
            roleId: role.id(),
            account: chain(to.to_bytes()),
            executionDelay: 0,
        };
        self.send_to(self.manager, &call).await
    }

    /// Takes a role away from a wallet, as an administrator.
    ///
    /// # Errors
    /// If the contracts refuse: not an administrator's wallet.
    pub async fn take_role(&self, role: ChainRole, from: Address) -> Result<Outcome, LedgerError> {
        let call = Authority::revokeRoleCall {
            roleId: role.id(),
            account: chain(from.to_bytes()),
        };
        self.send_to(self.manager, &call).await
    }

    /// Registers a keeper at a place that is free, or in place of the one there, as the registrar.
    ///
    /// # Errors
    /// If the contracts refuse: not the registrar's wallet.
    pub async fn register_keeper(&self, keeper: &KeeperPlan) -> Result<Outcome, LedgerError> {
        let call = Keepers::registerCall {
            index: keeper.index,
            operatorSigner: chain(keeper.signer.to_bytes()),
            wrapKey_: B256::new(keeper.wrap_key),
            endpoint: keeper.endpoint.clone(),
        };
        self.send_to(self.keepers, &call).await
    }
}
