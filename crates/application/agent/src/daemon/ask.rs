//! The other side: a command that finds the vault held asks who serves.

use std::time::Duration;

use super::door::Door;
use super::talk::{self, Unanswered};
use crate::answer::code;
use crate::home::Home;
use crate::{Answer, Command, Problem};

/// What came of asking.
#[derive(Debug)]
pub enum Asked {
    /// The process that serves this home did it, or said why not.
    Done(Result<Answer, Problem>),
    /// Nobody serves here.
    Nobody,
    /// Somebody is at the door who cannot prove that it serves this home; nothing was said to it.
    Stranger(String),
}

/// Sends a command to a running `serve`. It never waits for somebody who does not prove itself, and never believes one.
pub async fn ask(home: &Home, command: &Command) -> Asked {
    let Some((door, token)) = Door::read(home) else {
        return Asked::Nobody;
    };
    let failed = |why: String| Asked::Done(Err(Problem::new(code::FAILED, why)));
    let text = match serde_json::to_vec(command) {
        Ok(text) if text.len() <= talk::LIMIT => text,
        Ok(text) => {
            return failed(format!(
                "the command has {} bytes, `medibloc serve` takes {}; make it shorter",
                text.len(),
                talk::LIMIT
            ));
        }
        Err(error) => return failed(error.to_string()),
    };
    let Some(asked) = through(home, &door, &token, &text).await else {
        return Asked::Nobody;
    };
    match asked {
        Ok(answer) => Asked::Done(serde_json::from_slice(&answer).unwrap_or_else(|error| {
            Err(Problem::new(
                code::FAILED,
                format!(
                    "`medibloc serve` gave no valid answer: {error}; update both to one version"
                ),
            ))
        })),
        Err(Unanswered::Stranger(why)) => Asked::Stranger(why),
        Err(Unanswered::Broken(why)) => failed(format!(
            "`medibloc serve` (process {}) did not answer: {why}; the command may have been done, see `medibloc status`",
            door.process
        )),
    }
}

#[cfg(unix)]
async fn through(
    home: &Home,
    door: &Door,
    token: &super::proof::Token,
    text: &[u8],
) -> Option<Result<Vec<u8>, Unanswered>> {
    let path = door.socket.as_ref()?;
    let connecting = tokio::net::UnixStream::connect(path);
    let stream = match tokio::time::timeout(Duration::from_secs(2), connecting).await {
        Ok(stream) => stream.ok()?,
        Err(_) => return Some(Err(Unanswered::Stranger("no answer within 2 s".into()))),
    };
    if !super::door::is_owner(&stream, home.path()) {
        return Some(Err(Unanswered::Stranger("it runs as another user".into())));
    }
    Some(talk::ask(stream, token, text).await)
}

/// Without Unix sockets nothing is asked: commands wait until `serve` is stopped.
#[cfg(not(unix))]
async fn through(
    _home: &Home,
    _door: &Door,
    _token: &super::proof::Token,
    _text: &[u8],
) -> Option<Result<Vec<u8>, Unanswered>> {
    None
}
