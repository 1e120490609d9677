//! The network as one address sees it.

use std::sync::Arc;

use async_trait::async_trait;
use medibloc_api::{Code, paths};
use medibloc_journey::{Clock, Keepers, Mailbox, Network, PortError};
use medibloc_keys::SigningKey;
use medibloc_record::TypedDomain;
use medibloc_store::Store;

use crate::keepers::HttpKeepers;
use crate::mailbox::HttpMailbox;
use crate::peer::{ClientError, Failure, Timing, Wire, check_url};
use crate::store::HttpStore;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// URL of the own node; it is also the node's name in signed requests.
    pub node: String,
    /// Index and URL of each keeper, as the contract `Keepers` says.
    pub keepers: Vec<(u8, String)>,
    /// The deployment that requests are signed for.
    pub domain: TypedDomain,
    /// How long is waited.
    pub timing: Timing,
}

/// Storage, mailboxes and keepers over HTTP.
pub struct HttpNetwork {
    wire: Wire,
    node: String,
    keepers: Arc<[(u8, String)]>,
}

impl HttpNetwork {
    /// The network with this configuration.
    ///
    /// # Errors
    /// If a URL is none.
    pub fn new(config: NetworkConfig, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        check_url(&config.node)?;
        for (_, url) in &config.keepers {
            check_url(url)?;
        }
        Ok(Self {
            wire: Wire::new(config.domain, clock, config.timing)?,
            node: config.node,
            keepers: config.keepers.into(),
        })
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

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        Arc::new(HttpMailbox(self.wire.peer(url, Some(actor))))
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

    fn own_node(&self) -> String {
        self.node.clone()
    }
}
