//! A keeper that takes every question and sends its answer a byte a second: over real HTTP it is never done.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use medibloc_client::{HttpNetwork, NetworkConfig, SystemClock, Timing};
use medibloc_consent::{
    DeletionStatement, ShareDeposit, SignedAcknowledgement, SignedLine, SignedReply, SignedRequest,
};
use medibloc_journey::memory::World;
use medibloc_journey::{Clock, Keepers, Mailbox, Network, Party, PortError};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_record::{Address, Draft, LossReport, RecordId, Role, Timestamp, TypedDomain};
use medibloc_store::Store;
use medibloc_transport::{Outgoing, Policy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const SLOW: u8 = 7;

/// Answers with a byte a second, without end; tells how many questions came.
async fn drip() -> (String, watch::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (count, asked) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(answer(stream, count));
        }
    });
    (url, asked)
}

async fn answer(mut stream: TcpStream, count: watch::Sender<usize>) -> std::io::Result<()> {
    let read = stream.read(&mut [0; 65_536]).await?;
    if read == 0 {
        return Ok(());
    }
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/cbor\r\nContent-Length: 100000\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    count.send_modify(|asked| *asked += 1);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        stream.write_all(&[0xa0]).await?;
    }
}

/// The world's clock, by which waiting takes its time.
struct Slow(Arc<dyn Clock>);

#[async_trait]
impl Clock for Slow {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A world in memory, one of whose keepers is asked over HTTP.
struct Mixed {
    memory: Arc<dyn Network>,
    http: Arc<HttpNetwork>,
}

struct MixedKeepers {
    memory: Arc<dyn Keepers>,
    http: Arc<dyn Keepers>,
}

impl MixedKeepers {
    fn of(&self, index: u8) -> &dyn Keepers {
        match index {
            SLOW => self.http.as_ref(),
            _ => self.memory.as_ref(),
        }
    }
}

impl Network for Mixed {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.memory.store(actor)
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.memory.mailbox(actor, url)
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        Arc::new(MixedKeepers {
            memory: self.memory.keepers(actor),
            http: self.http.keepers(actor),
        })
    }

    fn own_node(&self) -> String {
        self.memory.own_node()
    }
}

#[async_trait]
impl Keepers for MixedKeepers {
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError> {
        self.of(index).deposit(index, deposit).await
    }

    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError> {
        self.of(index).acknowledgement(index, record).await
    }

    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError> {
        self.of(index).release(index, request).await
    }

    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError> {
        self.of(index).feed(index).await
    }

    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError> {
        self.of(index).deletion(index, record).await
    }
}

#[tokio::test]
async fn a_sync_that_reads_a_byte_a_second_ends_when_something_is_taken_back() {
    let world = World::new(4_400);
    let phrase = Phrase::generate(&mut SeededEntropy::new(4_401), Language::English);
    let vault = Arc::new(medibloc_journey::memory::MemoryVault::default());
    let before = Party::new(phrase.seed(), Role::Person, world.ports_with(vault.clone()));
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let loss = LossReport::default();
    let draft = Draft::new("application/cda+xml", b"<one/>".to_vec(), bundle, loss);
    let record = before.write_own(draft).await.unwrap().record;
    assert_eq!(before.sync().await.unwrap().accepted, [record]);
    world.set_down(SLOW, true);
    assert_eq!(before.erase(record).await.unwrap(), 6);

    let (url, mut asked) = drip().await;
    let domain = TypedDomain {
        chain_id: 1,
        records: Address::new([1; 20]),
    };
    let config = NetworkConfig {
        node: url.clone(),
        nodes: vec![url.clone()],
        keepers: vec![(SLOW, url)],
        domain,
        timing: Timing::default(),
        outgoing: Outgoing::new(Policy::LOCAL),
    };
    let mut ports = world.ports_with(vault);
    ports.clock = Arc::new(Slow(ports.clock));
    ports.network = Arc::new(Mixed {
        memory: ports.network,
        http: Arc::new(HttpNetwork::new(config, Arc::new(SystemClock)).unwrap()),
    });
    let party = Party::new(phrase.seed(), Role::Person, ports);
    let urgency = party.urgency();
    let urgent = async {
        asked.wait_for(|asked| *asked > 0).await.unwrap();
        urgency.wait()
    };
    let (report, urgent) = tokio::join!(party.sync(), urgent);
    let report = report.unwrap();
    assert!(report.gave_way, "{report:?}");
    drop(urgent);
    // It was not known as silent by then, or it would not be asked again.
    let again = async { asked.wait_for(|asked| *asked > 1).await.map(|asked| *asked) };
    tokio::select! {
        biased;
        asked = again => assert!(asked.unwrap() > 1),
        report = party.sync() => panic!("the keeper was waited for until its time was over: {report:?}"),
    }
    println!("ATTACK fourth-2: the sync ends before the keeper answers");
}
