//! The gateway: storage, mailbox and relay for registered addresses.

mod access;
mod claim;
mod credential;
mod erasures;
mod flight;
mod held;
mod index;
mod led;
mod mailbox;
mod notes;
mod purse;
mod queue;
mod relay;
mod storage;
mod taking;

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use medibloc_api::{Code, paths};
use medibloc_ledger::{Events, Facts};
use medibloc_record::TypedDomain;
use medibloc_store::OwnStore;
use tokio::sync::Semaphore;

use crate::chain::{Follower, soon};
use crate::clock::Clock;
use crate::db::{Db, DbError, Durability};
use crate::fault::{Fault, object};
use crate::figures;
use crate::guard::Guard;
use crate::limits::DailyLimits;
use crate::readiness::{Board, Degraded, Part, Readiness, of_both, public, told, url};
use crate::refusing::Refusing;
use crate::source::Proxies;
use crate::upkeep::Upkeep;
use crate::watch::watched;
use access::Access;
use flight::Flights;
use purse::{Level, Purse};
pub use relay::{Caller, Forward, Weight};

/// What a gateway is told.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The URL that it is known by, without a slash at its end: its name in signed requests.
    pub url: String,
    /// The URLs that the deployment names nodes by; nothing is compared if it names none.
    pub known_as: Vec<String>,
    /// Where its databases are; in memory if none.
    pub folder: Option<PathBuf>,
    /// The deployment.
    pub domain: TypedDomain,
    /// The block of the deployment; no event is older.
    pub first_block: u64,
    /// What a day allows.
    pub limits: DailyLimits,
    /// Proxies that say where requests come from.
    pub proxies: Proxies,
}

/// What a gateway stands on.
#[derive(Clone)]
pub struct Gateway {
    /// Keeps blocks.
    pub store: Arc<dyn OwnStore>,
    /// Answers from the last final block.
    pub facts: Arc<dyn Facts>,
    /// Final events.
    pub events: Arc<dyn Events>,
    /// Sends calls to the chain.
    pub relay: Arc<dyn Forward>,
    /// Tells the time.
    pub clock: Clock,
}

impl core::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Gateway")
    }
}

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS uploads (
    cid BLOB NOT NULL, account BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (cid, account)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS erased (record BLOB PRIMARY KEY) WITHOUT ROWID;
";

/// Bodies and answers of up to 9 MiB at a time: what memory must hold, three times over.
const LARGE: usize = 6;

pub(crate) struct Parts {
    /// What the chain said to the last call, if it takes none.
    refusing: Mutex<Option<Refusing>>,
    guard: Guard,
    follower: Arc<Follower>,
    access: Arc<Access>,
    /// Requests with large bodies or answers at a time.
    large: Semaphore,
    db: Db,
    relay: Arc<dyn Forward>,
    flights: Flights,
    purse: Purse,
    board: Board,
    clock: Clock,
    config: GatewayConfig,
}

/// The gateway's router.
///
/// # Errors
/// If its databases cannot be opened.
pub fn gateway(on: Gateway, config: GatewayConfig) -> Result<Router, DbError> {
    Ok(gateway_with_upkeep(on, config)?.0)
}

/// The gateway's router, and what follows the chain for it while nobody asks.
///
/// # Errors
/// If its databases cannot be opened.
pub fn gateway_with_upkeep(
    on: Gateway,
    config: GatewayConfig,
) -> Result<(Router, Upkeep), DbError> {
    let follower = Arc::new(Follower::open(
        on.facts,
        on.events,
        config.first_block,
        config.folder.as_deref(),
    )?);
    let path = config.folder.as_ref().map(|it| it.join("gateway.sqlite"));
    let db = Db::open(
        path.as_deref(),
        Durability::PowerCut,
        &[
            SCHEMA,
            held::SCHEMA,
            mailbox::SCHEMA,
            notes::SCHEMA,
            index::SCHEMA,
            led::SCHEMA,
        ]
        .concat(),
    )?;
    let guard = Guard::open(
        config.folder.as_deref(),
        &config.url,
        config.domain,
        on.clock.clone(),
        follower.clone(),
        config.limits.clone(),
    )?;
    let parts = Arc::new(Parts {
        guard,
        large: Semaphore::new(LARGE),
        access: Arc::new(Access::open(
            on.store,
            follower.clone(),
            db.clone(),
            config.limits.clone(),
        )?),
        follower,
        db,
        purse: Purse::new(on.relay.clone(), config.limits.reserve),
        board: Board::default(),
        refusing: Mutex::default(),
        relay: on.relay,
        flights: Flights::default(),
        clock: on.clock,
        config,
    });
    let router = Router::new()
        .route(paths::BLOCK, get(storage::get))
        .route(paths::BLOCKS, post(storage::put))
        .route(paths::GET, post(storage::get_many))
        .route(paths::HAS, post(storage::has))
        .route(paths::ERASED, post(storage::erased))
        .route(paths::ERASE, post(storage::erase))
        .route(paths::MAILBOX, post(mailbox::send).get(mailbox::fetch))
        .route(paths::LETTER, delete(mailbox::done))
        .route(paths::LETTERS_DONE, post(mailbox::done_all))
        .route(paths::NOTES, post(notes::keep).get(notes::own))
        .route(paths::REGISTRATION, get(relay::registration))
        .route(paths::RELAY, post(relay::relay))
        .route(paths::CREDENTIAL, get(credential::own))
        .route(paths::NODE, get(node))
        .route(paths::MARK, get(mark))
        .route(paths::READYZ, get(ready))
        .with_state(parts.clone());
    let shown = parts.clone();
    let figures = move |text: &mut String| shown.figures(text);
    let asked = parts.clone();
    let ready = move || {
        let on = asked.clone();
        async move { told(&on.readiness().await, &on.follower) }
    };
    let (router, operator) = watched(router, figures, ready);
    Ok((router, Upkeep::of_gateway(parts, operator)))
}

impl Parts {
    fn figures(&self, to: &mut String) {
        self.board.figures(to);
        self.purse.figures(to);
        figures::of_chain(to, &self.follower, &self.clock);
        figures::of_disk(to, self.config.folder.as_deref());
        if let Some(bytes) = self.access.store.bytes_on_disk() {
            figures::gauge(
                to,
                "medibloc_pack_bytes",
                "Bytes of the files that blocks are kept in.",
                bytes,
            );
        }
        figures::gauge(
            to,
            "medibloc_damaged_blocks",
            "Stored blocks that were found damaged and were not brought again since.",
            self.access.count_damaged(),
        );
        let again = self.access.erased_again.load(Ordering::Relaxed);
        figures::counter(
            to,
            "medibloc_erased_again_total",
            "Erased blocks that an older copy had brought back, and that were deleted again.",
            again + self.access.store.erased_again(),
        );
        self.guard.figures(to);
    }

    /// The chain answers, the read model is at its head, and the wallet pays for taking back at least; what is not well,
    /// whether it serves or not.
    async fn readiness(&self) -> Readiness {
        let found = self.look().await;
        self.board.note(&found, &self.follower);
        found
    }

    async fn look(&self) -> Readiness {
        let looked = self.look_at_chain().await;
        let mut found = Readiness {
            degraded: of_both(
                &self.follower,
                &self.clock,
                self.config.folder.as_deref(),
                self.config.limits.little_room,
            ),
            ..Readiness::default()
        };
        let url = url(&self.config.url, &self.config.known_as);
        found.degraded.extend(url);
        match looked {
            Ok(Level::Ample) => {}
            Ok(Level::Low) => found.degraded.push(Degraded {
                part: Part::Wallet,
                why: "the relay's wallet pays for revocations and erasures alone; add coins".into(),
            }),
            Ok(Level::Empty) => {
                let why = "the relay's wallet cannot pay for a revocation any more; its operator must add coins";
                found.faults.push(Fault::new(Code::Unavailable, why));
                found.degraded.push(Degraded {
                    part: Part::Wallet,
                    why: "the relay's wallet is empty".into(),
                });
            }
            Err(fault) => {
                found.unseen.push(Part::Wallet);
                found.faults.push(fault);
            }
        }
        let refusing = *self.refusing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(refusing) = refusing {
            found.degraded.push(Degraded {
                part: Part::Chain,
                why: refusing.to_operator().into(),
            });
        }
        let damaged = self.access.count_damaged();
        if damaged > 0 {
            let why = format!(
                "stored blocks are damaged ({damaged}); look at the disk, and let their owners give them again with \
                 `medibloc record store`"
            );
            found.degraded.push(Degraded {
                part: Part::Blocks,
                why,
            });
        }
        found
    }

    /// What the wallet pays for, by a chain that the read model is at the head of.
    async fn look_at_chain(&self) -> Result<Level, Fault> {
        if !self.follower.has_just_looked() {
            soon(self.follower.refresh()).await??;
        }
        Ok(soon(self.purse.level()).await??)
    }

    /// Follows the chain, deletes what was erased and collects what nothing names.
    pub(crate) async fn upkeep(&self) -> Result<(), Fault> {
        let refreshed = self.access.refresh().await;
        // Told though nobody asks.
        drop(self.readiness().await);
        // Who did what on the days before goes though the chain is away.
        self.guard.forget_days_before().await?;
        mailbox::upkeep(self).await?;
        refreshed?;
        self.purse.count(self.guard.gas_today().await?);
        self.access.wait_for_work().await;
        self.access.collect(self.guard.now()).await
    }
}

/// Who this is; unsigned.
async fn node(State(on): State<Arc<Parts>>) -> Response {
    axum::Json(serde_json::json!({
        "url": on.config.url,
        "chain_id": on.config.domain.chain_id,
        "records": on.config.domain.records.to_string(),
        "limits": on.config.limits,
        "version": env!("CARGO_PKG_VERSION"),
    }))
    .into_response()
}

/// The last final block that was taken; unsigned, for whoever compares what the parties read.
async fn mark(State(on): State<Arc<Parts>>) -> Response {
    object(&on.follower.mark())
}

/// Whether it can do its work; unsigned.
async fn ready(State(on): State<Arc<Parts>>) -> Result<&'static str, Fault> {
    public(&on.readiness().await)
}
