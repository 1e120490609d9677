//! `Submit`, `Facts` and `Events` over a node's JSON-RPC.

use std::collections::BTreeSet;

use alloy::eips::BlockId;
use alloy::primitives::{Address as ChainAddress, B256, U256, keccak256};
use alloy::rpc::types::Header;
use alloy::sol_types::SolValue as _;
use async_trait::async_trait;
use medibloc_consent::{AnchorFields, Grant};
use medibloc_ledger::{
    AccountFacts, BlockEvents, Call, CommitteeFacts, Event, Events, Facts, GrantFacts, Head,
    KeeperFacts, LedgerError, ReceiptProof, RecordFacts, Standing, Submit, UnsignedCall,
};
use medibloc_record::{
    AccountId, Address, Committee, ReceiptId, RecordId, Role, SealingKey, Threshold, Timestamp,
};

use crate::Deployed;
use crate::bindings::accounts::Accounts;
use crate::bindings::consent::Consent;
use crate::bindings::forwarder::Forwarder;
use crate::bindings::keepers::Keepers;
use crate::bindings::receipts::Receipts;
use crate::bindings::records::Records;
use crate::deploy::is_contract;
use crate::encode::{ForwardRequest, chain, consent_grant, record_anchor, target};
use crate::look::Wanted;
use crate::refusal::{as_error, bad};
use crate::rotation::rotation_digest;
use crate::rpc::{Fault, Rpc};

/// How many blocks one question for events looks through.
pub(crate) const SPAN: u64 = 2_000;

/// The contracts on one chain, seen from its last final block.
#[derive(Clone, Debug)]
pub struct EvmLedger {
    rpc: Rpc,
    deployed: Deployed,
    finality_depth: u64,
}

impl EvmLedger {
    /// The deployment as these nodes have it. A block is final with `finality_depth` blocks above it: 0 for the
    /// embedded chain.
    ///
    /// # Errors
    /// If the nodes are silent, are of another chain, or have no contracts there.
    pub async fn connect(
        rpc: Rpc,
        deployed: Deployed,
        finality_depth: u64,
    ) -> Result<Self, LedgerError> {
        let chain_id = rpc.chain_id().await?;
        if chain_id != deployed.chain_id {
            return Err(bad(&format!(
                "the node is of chain {chain_id}, the deployment of chain {}; use a node of that chain",
                deployed.chain_id
            )));
        }
        let at = &deployed.contracts;
        let all = [
            at.authority,
            at.forwarder,
            at.accounts,
            at.records,
            at.consent,
            at.receipts,
            at.keepers,
        ];
        for address in all {
            if !is_contract(&rpc, address).await? {
                return Err(bad(&format!(
                    "there is no contract at {address}; check deployment.json"
                )));
            }
        }
        Ok(Self {
            rpc,
            deployed,
            finality_depth,
        })
    }

    /// Where the contracts are.
    pub const fn deployed(&self) -> &Deployed {
        &self.deployed
    }

    /// How many blocks make one final.
    pub const fn finality_depth(&self) -> u64 {
        self.finality_depth
    }

    pub(crate) const fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// The nonce of a signer's next request.
    pub(crate) async fn next_nonce(&self, owner: ChainAddress) -> Result<U256, Fault> {
        let forwarder = chain(self.deployed.contracts.forwarder.to_bytes());
        let question = Forwarder::noncesCall { owner };
        self.rpc.call(forwarder, &question, BlockId::latest()).await
    }

    /// The number of the last final block.
    pub(crate) async fn final_number(&self) -> Result<u64, Fault> {
        let newest = self.rpc.block_number().await?;
        Ok(newest.saturating_sub(self.finality_depth))
    }

    /// Where facts are read. A chain whose newest block is final need not keep older states.
    async fn at(&self) -> Result<BlockId, Fault> {
        if self.finality_depth == 0 {
            return Ok(BlockId::latest());
        }
        Ok(BlockId::number(self.final_number().await?))
    }

    async fn state_of(&self, id: RecordId) -> Result<Records::stateReturn, LedgerError> {
        let records = chain(self.deployed.contracts.records.to_bytes());
        let question = Records::stateCall {
            recordId: B256::new(id.to_bytes()),
        };
        Ok(self.rpc.call(records, &question, self.at().await?).await?)
    }

    pub(crate) async fn known_header(&self, at: BlockId) -> Result<Header, LedgerError> {
        self.rpc.header(at).await?.ok_or_else(|| missing(at))
    }
}

pub(crate) fn missing(at: BlockId) -> LedgerError {
    LedgerError::Unreachable {
        from: "the chain".into(),
        why: format!("the node does not have block {at} yet"),
    }
}

#[async_trait]
impl Submit for EvmLedger {
    async fn prepare(
        &self,
        from: Address,
        call: &Call,
        deadline: Timestamp,
    ) -> Result<UnsignedCall, LedgerError> {
        let target = target(&self.deployed, call)?;
        let owner = chain(from.to_bytes());
        let nonce = self.next_nonce(owner).await?;
        Ok(ForwardRequest::new(owner, target, nonce, deadline).unsigned(&self.deployed))
    }

    async fn rotation_digest(
        &self,
        account: AccountId,
        next: Address,
        deadline: Timestamp,
    ) -> Result<[u8; 32], LedgerError> {
        Ok(rotation_digest(&self.deployed, account, next, deadline))
    }
}

#[async_trait]
impl Facts for EvmLedger {
    async fn head(&self) -> Result<Head, LedgerError> {
        let header = self.known_header(self.at().await?).await?;
        Ok(Head {
            number: header.number,
            hash: header.hash.0,
            time: Timestamp(header.timestamp),
        })
    }

    async fn account_of(&self, address: Address) -> Result<Option<AccountId>, LedgerError> {
        let signer = chain(address.to_bytes());
        let id = self
            .rpc
            .call(
                self.accounts(),
                &Accounts::accountOfCall { signer },
                self.at().await?,
            )
            .await?;
        Ok((!id.is_zero()).then(|| AccountId::new(id.0.0)))
    }

    async fn account_at(
        &self,
        address: Address,
        block: u64,
    ) -> Result<Option<AccountId>, LedgerError> {
        // What a node says that is behind the block would be taken for good: that nobody had the address then.
        if self.final_number().await? < block {
            return Err(missing(BlockId::number(block)));
        }
        let question = Accounts::accountAtCall {
            signer: chain(address.to_bytes()),
            blockNumber: block,
        };
        let at = self.at().await?;
        let id = self.rpc.call(self.accounts(), &question, at).await?;
        Ok((!id.is_zero()).then(|| AccountId::new(id.0.0)))
    }

    async fn account(&self, id: AccountId) -> Result<Option<AccountFacts>, LedgerError> {
        let (at, key) = (self.at().await?, chain(id.to_bytes()));
        let found = self
            .rpc
            .call(self.accounts(), &Accounts::accountCall { id: key }, at)
            .await?;
        let role = match found.role {
            0 => return Ok(None),
            1 => Role::Person,
            2 => Role::Provider,
            3 => Role::Researcher,
            other => return Err(corrupt(&format!("role {other}"))),
        };
        let version = found.keyVersion;
        let sealing_key = self
            .rpc
            .call(
                self.accounts(),
                &Accounts::sealingKeyCall { id: key, version },
                at,
            )
            .await?;
        let question = Accounts::signerOfCall { id: key };
        let signer = self.rpc.call(self.accounts(), &question, at).await?;
        Ok(Some(AccountFacts {
            id,
            role,
            signer: signer.0.0.into(),
            sealing_key: SealingKey {
                version,
                key: sealing_key.0,
            },
            registered_at: Timestamp(found.registeredAt),
        }))
    }

    async fn standing(&self, id: AccountId, at: Timestamp) -> Result<Standing, LedgerError> {
        let question = Accounts::statusAtCall {
            account_: chain(id.to_bytes()),
            at: at.0,
        };
        let found = self
            .rpc
            .call(self.accounts(), &question, self.at().await?)
            .await?;
        Ok(Standing {
            accredited: found.accredited,
            suspended: found.suspended,
        })
    }

    async fn record(&self, id: RecordId) -> Result<Option<RecordFacts>, LedgerError> {
        let found = self.state_of(id).await?;
        Ok((found.anchoredAt != 0).then_some(RecordFacts {
            anchored_at: Timestamp(found.anchoredAt),
            accepted: found.accepted,
            retracted: found.retracted,
            erased: found.erased,
        }))
    }

    async fn is_anchored(&self, anchor: &AnchorFields) -> Result<bool, LedgerError> {
        let found = self.state_of(anchor.record_id()).await?;
        let hash = keccak256(record_anchor(anchor).abi_encode());
        // The contract keeps as much of it as its slot has room for.
        Ok(found.anchoredAt != 0 && found.commitment[..] == hash[..found.commitment.len()])
    }

    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError> {
        let none = GrantFacts {
            granted: false,
            revoked: false,
            reads_used: 0,
        };
        let at = self.at().await?;
        let consent = chain(self.deployed.contracts.consent.to_bytes());
        let question = Consent::checkCall {
            g: consent_grant(grant)?,
        };
        let revoked = match self.rpc.call(consent, &question, at).await {
            Ok(_) => false,
            Err(Fault::Reverted(data)) => {
                if as_error::<Consent::GrantRevoked>(&data).is_some() {
                    true
                } else if as_error::<Consent::GrantExpired>(&data).is_some()
                    || as_error::<Consent::GrantNotYetValid>(&data).is_some()
                {
                    false
                } else if as_error::<Consent::UnknownGrant>(&data).is_some()
                    || as_error::<Consent::WrongPreimage>(&data).is_some()
                {
                    return Ok(none);
                } else {
                    return Err(Fault::Reverted(data).into());
                }
            }
            Err(fault) => return Err(fault.into()),
        };
        let receipts = chain(self.deployed.contracts.receipts.to_bytes());
        let question = Receipts::readsUsedCall {
            grantId: B256::new(grant.id.to_bytes()),
        };
        let reads_used = self.rpc.call(receipts, &question, at).await?;
        Ok(GrantFacts {
            granted: true,
            revoked,
            reads_used,
        })
    }

    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        let at = self.at().await?;
        let found = self.rpc.call(self.roll(), &Keepers::committeeCall {}, at);
        let id = found.await?.id;
        let found = self.committee_at(id, at).await?;
        found.ok_or_else(|| corrupt(&format!("there is no committee {id}")))
    }

    async fn committee_of(&self, id: u32) -> Result<Option<CommitteeFacts>, LedgerError> {
        self.committee_at(id, self.at().await?).await
    }
}

impl EvmLedger {
    fn roll(&self) -> ChainAddress {
        chain(self.deployed.contracts.keepers.to_bytes())
    }

    async fn committee_at(
        &self,
        id: u32,
        at: BlockId,
    ) -> Result<Option<CommitteeFacts>, LedgerError> {
        let question = Keepers::committeeOfCall { id };
        let found = self.rpc.call(self.roll(), &question, at).await?;
        if found.n == 0 {
            return Ok(None);
        }
        let threshold =
            Threshold::new(found.n, found.t).map_err(|error| corrupt(&error.to_string()))?;
        let mut keepers = Vec::with_capacity(found.n.into());
        for index in 1..=found.n {
            let question = Keepers::keeperCall { index };
            let keeper = self.rpc.call(self.roll(), &question, at).await?;
            keepers.push(KeeperFacts {
                index,
                signer: keeper.signer.0.0.into(),
                wrap_key: SealingKey {
                    version: keeper.version,
                    key: keeper.wrapKey_.0,
                },
                endpoint: keeper.endpoint,
            });
        }
        Ok(Some(CommitteeFacts {
            committee: Committee { id, threshold },
            keepers,
            since: found.since,
            until: (found.until != 0).then_some(found.until),
        }))
    }
}

impl EvmLedger {
    fn accounts(&self) -> ChainAddress {
        chain(self.deployed.contracts.accounts.to_bytes())
    }
}

fn corrupt(why: &str) -> LedgerError {
    LedgerError::Corrupt {
        from: "the chain".into(),
        why: why.into(),
    }
}

#[async_trait]
impl Events for EvmLedger {
    fn clock_ahead(&self) -> Option<i64> {
        self.rpc.clock_ahead()
    }

    async fn events(&self, from: u64, limit: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        let newest = self.final_number().await?;
        if from > newest || limit == 0 {
            return Ok(Vec::new());
        }
        let to = newest.min(from.saturating_add(SPAN - 1));
        let limit = limit as usize;
        let wanted = Wanted {
            from,
            to,
            always: BTreeSet::from([to]),
            newest,
            limit,
        };
        self.look(&wanted).await
    }

    async fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        let header = self.rpc.header(BlockId::number(number)).await?;
        Ok(header.map(|header| header.hash.0))
    }

    async fn proof(
        &self,
        block: u64,
        receipt: ReceiptId,
    ) -> Result<Option<ReceiptProof>, LedgerError> {
        let is_wanted = |event: &Event| matches!(event, Event::ReadOpened { receipt: found, .. } if *found == receipt);
        self.prove(block, is_wanted).await.map(Some)
    }

    async fn proof_of(
        &self,
        block: u64,
        event: &Event,
    ) -> Result<Option<ReceiptProof>, LedgerError> {
        self.prove(block, |found| found == event).await.map(Some)
    }
}
