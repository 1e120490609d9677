//! The words of the door over any stream (docs/format/door.md): each side proves that it can read the token before the
//! other says anything that matters, and every step has its time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::proof::{Claim, Nonce, Token, nonce};

/// Largest command.
pub(super) const LIMIT: usize = 64 * 1024;

/// Largest answer: a list of very many records.
const ANSWER_LIMIT: usize = 64 << 20;

/// What a greeting begins with.
const HELLO: &[u8; 8] = b"mbdoor/1";

/// For each step until both are known, and for a command to arrive.
pub(super) const GREETING: Duration = Duration::from_secs(5);

/// How often a side that works says that it is there.
const BEAT: Duration = Duration::from_secs(5);

/// How long nothing may be heard of a side that works, and how long an answer may wait to be taken.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

const PROOF: usize = 32;

/// Why nothing was answered.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Whoever is there did not prove that it serves this home. Nothing was said to it.
    Stranger(String),
    /// The command was sent; what became of it is not known.
    Broken(String),
}

/// Greets, and asks if the other side proves itself.
pub(super) async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    token: &Token,
    command: &[u8],
) -> Result<Vec<u8>, Unanswered> {
    let stranger = |why: &dyn core::fmt::Display| Unanswered::Stranger(why.to_string());
    let mine = nonce().map_err(|error| stranger(&error))?;
    let greeted = async {
        stream.write_all(&[&HELLO[..], &mine].concat()).await?;
        let mut answer = [0; 32 + PROOF];
        stream.read_exact(&mut answer).await.map(|_| answer)
    };
    let answer = within(GREETING, greeted)
        .await
        .map_err(|error| stranger(&error))?;
    let (theirs, proof) = answer.split_at(32);
    let theirs: Nonce = theirs.try_into().map_err(|error| stranger(&error))?;
    if !token.holds(Claim::Server, &mine, &theirs, b"", proof) {
        return Err(stranger(&"its proof does not hold"));
    }
    let broken = |why: &dyn core::fmt::Display| Unanswered::Broken(why.to_string());
    let proof = token.prove(Claim::Command, &mine, &theirs, command);
    let parts = [&proof[..], command];
    within(PATIENCE, send(&mut stream, &parts))
        .await
        .map_err(|error| broken(&error))?;
    loop {
        let frame = within(PATIENCE, receive(&mut stream, PROOF + ANSWER_LIMIT)).await;
        let frame = frame.map_err(|error| broken(&error))?;
        let Some((proof, answer)) = frame.split_at_checked(PROOF) else {
            continue;
        };
        if token.holds(Claim::Answer, &mine, &theirs, answer, proof) {
            return Ok(answer.to_vec());
        }
        return Err(broken(&"the proof of its answer does not hold"));
    }
}

/// Answers one command, if who asks proves itself. The work goes on when it has gone away.
pub(super) async fn answer<W>(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    token: &Token,
    work: impl FnOnce(Vec<u8>) -> W,
) -> io::Result<()>
where
    W: Future<Output = Vec<u8>> + Send + 'static,
{
    let mine = nonce().map_err(io::Error::other)?;
    let greeted = async {
        let mut hello = [0; 8 + 32];
        stream.read_exact(&mut hello).await?;
        let (word, theirs) = hello.split_at(8);
        if word != HELLO {
            return Err(refused("another greeting"));
        }
        let theirs: Nonce = theirs.try_into().map_err(io::Error::other)?;
        let proof = token.prove(Claim::Server, &theirs, &mine, b"");
        stream.write_all(&[mine, proof].concat()).await?;
        let frame = receive(&mut stream, PROOF + LIMIT).await?;
        Ok((theirs, frame))
    };
    let (theirs, frame) = within(GREETING, greeted).await?;
    let (proof, command) = frame
        .split_at_checked(PROOF)
        .ok_or_else(|| refused("no proof"))?;
    if !token.holds(Claim::Command, &theirs, &mine, command, proof) {
        return Err(refused("its proof does not hold"));
    }
    let mut working = tokio::spawn(work(command.to_vec()));
    let answer = loop {
        match timeout(BEAT, &mut working).await {
            Ok(done) => break done.map_err(io::Error::other)?,
            Err(_) => {
                let _ = timeout(BEAT, send(&mut stream, &[])).await;
            }
        }
    };
    let proof = token.prove(Claim::Answer, &theirs, &mine, &answer);
    within(PATIENCE, send(&mut stream, &[&proof, &answer])).await
}

/// Length in 4 bytes, big-endian, then the parts.
async fn send(stream: &mut (impl AsyncWrite + Unpin), parts: &[&[u8]]) -> io::Result<()> {
    let whole = parts.concat();
    let length = u32::try_from(whole.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&whole).await?;
    stream.flush().await
}

async fn receive(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = u64::from(u32::from_be_bytes(length));
    if length > limit as u64 {
        return Err(refused("more bytes than are taken"));
    }
    // It grows with what comes, not with what is announced.
    let mut frame = Vec::new();
    stream.take(length).read_to_end(&mut frame).await?;
    if frame.len() as u64 == length {
        Ok(frame)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || {
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {} s", time.as_secs()),
        )
    };
    timeout(time, work).await.unwrap_or_else(|_| Err(late()))
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}
