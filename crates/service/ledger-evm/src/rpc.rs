//! Nodes of one chain, tried in turn; what they say, told apart from their silence.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{Address, Bytes};
use alloy::providers::{Provider, RootProvider};
use alloy::rpc::client::{BatchRequest, RpcClient};
use alloy::rpc::types::{Block, Filter, Header, Log, TransactionRequest};
use alloy::sol_types::SolCall;
use alloy::transports::{RpcError, TransportError, TransportErrorKind};
use medibloc_ledger::LedgerError;
use medibloc_record::Line;
use medibloc_transport::Outgoing;

use crate::http::{Ahead, Endpoint, HttpFault};
use crate::refusal;

/// How often each node is asked before it counts as silent: every question may be asked twice.
const TRIES: usize = 3;

/// Gas that a question to a contract says that it needs, about ten times what one takes: the embedded chain answers those first that
/// need little.
pub(crate) const LOOK: u64 = 2_000_000;

/// Nodes of one chain: the first that answers is asked until it falls silent.
#[derive(Clone, Debug)]
pub struct Rpc {
    nodes: Arc<Vec<Node>>,
    current: Arc<AtomicUsize>,
    poll: Duration,
    ahead: Ahead,
}

#[derive(Debug)]
struct Node {
    name: String,
    provider: RootProvider,
}

/// What a node answered instead of a result.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A contract reverted, with this.
    Reverted(Bytes),
    /// The node refused the question.
    Said { from: String, message: Line },
    /// No answer, or one that makes no sense.
    Ledger(LedgerError),
}

impl From<Fault> for LedgerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Reverted(data) => refusal::decode(&data),
            Fault::Said { from, message } => {
                let why = message.into();
                Self::Corrupt { from, why }
            }
            Fault::Ledger(error) => error,
        }
    }
}

impl Rpc {
    /// Nodes at these addresses.
    ///
    /// # Errors
    /// If there is none, or one may not be called.
    pub fn http(urls: &[String], outgoing: &Outgoing) -> Result<Self, LedgerError> {
        let ahead = Ahead::default();
        let nodes = Endpoint::all(urls, outgoing, &ahead)?.into_iter();
        let rpc = Self::over(
            nodes
                .map(|node| (node.url().to_owned(), RpcClient::new(node, false)))
                .collect(),
        )?;
        Ok(Self { ahead, ..rpc })
    }

    /// Seconds by which this machine's clock is ahead of that of the node which answered last, by the `Date` of its answer; none if
    /// none said it, as in process. On the way from there to here some pass.
    pub fn clock_ahead(&self) -> Option<i64> {
        self.ahead.seconds()
    }

    /// Nodes behind these clients, each with a name for messages: an in-process chain, for one.
    ///
    /// # Errors
    /// If there is none.
    pub fn over(clients: Vec<(String, RpcClient)>) -> Result<Self, LedgerError> {
        if clients.is_empty() {
            return Err(LedgerError::BadRequest {
                what: "no node of the chain is named; configure at least one".into(),
            });
        }
        let nodes = clients.into_iter().map(|(name, client)| Node {
            name,
            provider: RootProvider::new(client),
        });
        Ok(Self {
            nodes: Arc::new(nodes.collect()),
            current: Arc::new(AtomicUsize::new(0)),
            poll: Duration::from_millis(250),
            ahead: Ahead::default(),
        })
    }

    /// Looks at the chain this often while it waits for something.
    #[must_use]
    pub const fn polling(mut self, every: Duration) -> Self {
        self.poll = every;
        self
    }

    pub(crate) async fn pause(&self) {
        tokio::time::sleep(self.poll).await;
    }

    /// Asks the node in use, and the next one if it is silent, a few times around.
    pub(crate) async fn ask<T, F>(&self, question: impl Fn(RootProvider) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, TransportError>>,
    {
        let answered = |node| {
            let answer = question(node);
            async move { answer.await.map(Some) }
        };
        let answer = self.ask_for(answered).await?;
        Ok(answer.expect("whatever was answered is an answer"))
    }

    /// The same for what a node that is behind lacks, and the next one may have; none if each that answers lacks it.
    async fn ask_for<T, F>(&self, question: impl Fn(RootProvider) -> F) -> Result<Option<T>, Fault>
    where
        F: Future<Output = Result<Option<T>, TransportError>>,
    {
        let first = self.current.load(Ordering::Relaxed);
        let (mut lacks, mut last) = (false, None);
        for place in first..first + self.nodes.len() * TRIES {
            let place = place % self.nodes.len();
            let node = &self.nodes[place];
            match question(node.provider.clone()).await {
                Ok(Some(answer)) => {
                    self.current.store(place, Ordering::Relaxed);
                    return Ok(Some(answer));
                }
                Ok(None) => lacks = true,
                Err(error) => match self.fault(node, error) {
                    silent @ Fault::Ledger(_) => last = Some(silent),
                    spoken => return Err(spoken),
                },
            }
        }
        // One that answers says more than one that is silent.
        match last.filter(|_| !lacks) {
            Some(silent) => Err(silent),
            None => Ok(None),
        }
    }

    #[allow(clippy::unused_self, reason = "reads as a step of ask")]
    fn fault(&self, node: &Node, error: TransportError) -> Fault {
        let from = node.name.clone();
        match error {
            RpcError::ErrorResp(payload) => match payload.as_revert_data() {
                Some(data) => Fault::Reverted(data),
                None if payload.message.to_lowercase().contains("revert") => {
                    Fault::Reverted(Bytes::new())
                }
                None => Fault::Said {
                    from,
                    message: Line::of(&payload.message),
                },
            },
            RpcError::DeserError { err, .. } => Fault::Ledger(LedgerError::Corrupt {
                from,
                why: Line::from(err.to_string()).into(),
            }),
            RpcError::NullResp => Fault::Ledger(LedgerError::Corrupt {
                from,
                why: "null".into(),
            }),
            RpcError::Transport(TransportErrorKind::Custom(error)) => {
                let why = Line::from(error.to_string()).into();
                Fault::Ledger(match error.downcast_ref::<HttpFault>() {
                    Some(HttpFault::TooLarge(_) | HttpFault::Redirects(_)) => {
                        LedgerError::Corrupt { from, why }
                    }
                    _ => LedgerError::Unreachable { from, why },
                })
            }
            RpcError::Transport(TransportErrorKind::HttpError(status)) => {
                Fault::Ledger(LedgerError::Unreachable {
                    from,
                    why: format!("status {}", status.status),
                })
            }
            other => Fault::Ledger(LedgerError::Unreachable {
                from,
                why: Line::from(other.to_string()).into(),
            }),
        }
    }

    /// The answer of a contract at a block.
    pub(crate) async fn call<C: SolCall>(
        &self,
        to: Address,
        call: &C,
        at: BlockId,
    ) -> Result<C::Return, Fault> {
        let request = TransactionRequest::default()
            .to(to)
            .gas_limit(LOOK)
            .input(call.abi_encode().into());
        let answer = self.call_raw(request, at).await?;
        C::abi_decode_returns(&answer).map_err(|error| {
            Fault::Ledger(LedgerError::Corrupt {
                from: format!("the contract at {to}"),
                why: Line::from(error.to_string()).into(),
            })
        })
    }

    pub(crate) async fn call_raw(
        &self,
        request: TransactionRequest,
        at: BlockId,
    ) -> Result<Bytes, Fault> {
        let request = &request;
        self.ask(|node| async move { node.call(request.clone()).block(at).await })
            .await
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, Fault> {
        self.ask(|node| async move { node.get_chain_id().await })
            .await
    }

    pub(crate) async fn block_number(&self) -> Result<u64, Fault> {
        self.ask(|node| async move { node.get_block_number().await })
            .await
    }

    /// The header of a block, if a node has it: one that is behind does not, and the next may.
    pub(crate) async fn header(&self, at: BlockId) -> Result<Option<Header>, Fault> {
        let block = self
            .ask_for(|node| async move { node.get_block(at).await })
            .await?;
        Ok(block.map(|block| block.header))
    }

    /// The headers of these blocks, in their order, asked for in one request; none if each node that answers lacks one of them.
    pub(crate) async fn headers(&self, numbers: &[u64]) -> Result<Option<Vec<Header>>, Fault> {
        self.ask_for(|node| async move {
            let mut all = BatchRequest::new(node.client());
            let mut asked = Vec::with_capacity(numbers.len());
            for number in numbers {
                let at = BlockNumberOrTag::Number(*number);
                asked.push(all.add_call::<_, Option<Block>>("eth_getBlockByNumber", &(at, false))?);
            }
            all.send().await?;
            let mut headers = Vec::with_capacity(asked.len());
            for block in asked {
                match block.await? {
                    Some(block) => headers.push(block.header),
                    None => return Ok(None),
                }
            }
            Ok(Some(headers))
        })
        .await
    }

    /// The logs of a filter, and the block with this number: in one request, so that one node answers both.
    pub(crate) async fn logs_and_block(
        &self,
        filter: &Filter,
        number: u64,
    ) -> Result<(Vec<Log>, Option<Block>), Fault> {
        self.ask(|node| async move {
            let mut both = BatchRequest::new(node.client());
            let logs = both.add_call("eth_getLogs", &(filter,))?;
            let at = BlockNumberOrTag::Number(number);
            let block = both.add_call("eth_getBlockByNumber", &(at, false))?;
            both.send().await?;
            Ok((logs.await?, block.await?))
        })
        .await
    }
}
