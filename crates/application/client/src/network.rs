//! The network as one address sees it.

use std::sync::Arc;

use async_trait::async_trait;
use medibloc_api::{Code, limits, paths};
use medibloc_journey::{Clock, Keepers, Mailbox, Network, PortError};
use medibloc_keys::SigningKey;
use medibloc_ledger::Mark;
use medibloc_record::{Timestamp, TypedDomain};
use medibloc_store::Store;
use medibloc_transport::{NotReachable, Outgoing};

use crate::keepers::HttpKeepers;
use crate::mailbox::HttpMailbox;
use crate::peer::{ClientError, Failure, Peer, Timing, Wire};
use crate::store::HttpStore;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// URL of the own node; it is also the node's name in signed requests.
    pub node: String,
    /// URLs of the deployment's nodes: mailboxes at others are not called.
    pub nodes: Vec<String>,
    /// Index and URL of each keeper, as the contract `Keepers` says.
    pub keepers: Vec<(u8, String)>,
    /// The deployment that requests are signed for.
    pub domain: TypedDomain,
    /// How long is waited.
    pub timing: Timing,
    /// Whom connections may be made to, and how.
    pub outgoing: Outgoing,
}

/// Storage, mailboxes and keepers over HTTP.
pub struct HttpNetwork {
    wire: Wire,
    node: String,
    nodes: Vec<String>,
    keepers: Arc<[(u8, String)]>,
}

impl HttpNetwork {
    /// The network with this configuration.
    ///
    /// # Errors
    /// If the own node may not be called, or TLS cannot be set up. Another node or a keeper that may not be called is told
    /// when it is needed, and stops nothing else.
    pub fn new(config: NetworkConfig, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let outgoing = config.outgoing;
        outgoing.reach(&config.node)?;
        Ok(Self {
            wire: Wire::new(outgoing, config.domain, clock, config.timing)?,
            node: config.node,
            nodes: config.nodes,
            keepers: config.keepers.into(),
        })
    }
}

impl HttpNetwork {
    /// A keeper by its index, or the own node, with its name: as nobody in particular.
    fn named(&self, keeper: Option<u8>) -> Result<(String, Peer), PortError> {
        let Some(index) = keeper else {
            let name = format!("the node {}", self.node);
            return Ok((name, self.wire.peer(&self.node, None)));
        };
        let peer = format!("keeper {index}");
        let mut keepers = self.keepers.iter();
        match keepers.find(|(of, _)| *of == index) {
            Some((_, url)) => Ok((peer, self.wire.peer(url, None))),
            None => Err(PortError::Refused {
                peer,
                why: "there is no such keeper in the configuration".into(),
            }),
        }
    }

    /// Whether mailboxes at this URL may be called: the node is the own one or listed by the deployment, character for
    /// character (the URL is a node's name in signed requests), and its address is allowed.
    ///
    /// # Errors
    /// Why they are not.
    pub fn listed(&self, url: &str) -> Result<(), NotReachable> {
        let mut known = self.nodes.iter().chain([&self.node]);
        if !known.any(|node| node == url) {
            let shown = url.chars().filter(|it| !it.is_control()).take(200);
            return Err(NotReachable::Unlisted {
                url: shown.collect(),
            });
        }
        self.wire.outgoing().reach(url).map(drop)
    }
}

impl core::fmt::Debug for HttpNetwork {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("HttpNetwork")
            .field("node", &self.node)
            .field("keepers", &self.keepers.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Network for HttpNetwork {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        Arc::new(HttpStore(self.wire.peer(&self.node, Some(actor))))
    }

    fn others(&self, actor: &SigningKey) -> Vec<(String, Arc<dyn Store>)> {
        let others = self.nodes.iter().filter(|url| **url != self.node);
        let store = |url: &String| -> Arc<dyn Store> {
            let refused = self.listed(url).err();
            Arc::new(HttpStore(self.wire.peer_unless(refused, url, Some(actor))))
        };
        others.map(|url| (url.clone(), store(url))).collect()
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        let refused = self.listed(url).err();
        Arc::new(HttpMailbox(self.wire.peer_unless(
            refused,
            url,
            Some(actor),
        )))
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        let peers = self.keepers.iter();
        Arc::new(HttpKeepers::new(
            peers.map(|(index, url)| (*index, self.wire.peer(url, Some(actor)))),
        ))
    }

    async fn credential(&self, actor: &SigningKey) -> Result<Option<String>, PortError> {
        let node = self.wire.peer(&self.node, Some(actor));
        let name = format!("the node {}", self.node);
        match node.get(paths::CREDENTIAL).await {
            Ok(bytes) if bytes.len() > limits::CREDENTIAL => Err(PortError::Corrupt {
                peer: name,
                why: format!("a credential of {} bytes", bytes.len()),
            }),
            Ok(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| PortError::Corrupt {
                    peer: name,
                    why: "its credential is no text".into(),
                }),
            Err(Failure::Problem(problem)) if problem.code == Code::NotFound => Ok(None),
            Err(failure) => Err(node.port_error(&name, failure)),
        }
    }

    async fn ready(&self, keeper: u8) -> Result<(), PortError> {
        let (name, peer) = self.named(Some(keeper))?;
        let said = peer.get(paths::READYZ).await.map(drop);
        said.map_err(|failure| peer.port_error(&name, failure))
    }

    async fn mark(&self, keeper: Option<u8>) -> Result<Option<Mark>, PortError> {
        let (name, peer) = self.named(keeper)?;
        match peer.get_object(paths::MARK).await {
            // One of an earlier version.
            Err(Failure::Problem(problem)) if problem.code == Code::NotFound => Ok(None),
            answer => answer.map_err(|failure| peer.port_error(&name, failure)),
        }
    }

    async fn time(&self) -> Result<Option<Timestamp>, PortError> {
        let node = self.wire.peer(&self.node, None);
        let told = node.date(paths::HEALTHZ).await;
        told.map_err(|failure| node.port_error(&format!("the node {}", self.node), failure))
    }

    fn own_node(&self) -> String {
        self.node.clone()
    }

    fn is_listed(&self, url: &str) -> bool {
        self.listed(url).is_ok()
    }
}
