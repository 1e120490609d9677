//! The questions of JSON-RPC 2.0, answered by a chain.

mod bodies;
mod health;
mod in_process;
mod methods;
mod outgoing;
mod parameters;
mod server;
mod turns;

use std::{borrow::Cow, io};

use alloy::rpc::json_rpc::ErrorPayload;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

pub use in_process::InProcess;
pub use server::{Limits, ServeError, router, serve, serve_with};

use crate::{chain::Meter, disk::DiskError, error::ChainError};

/// An answer in JSON, or what JSON-RPC says instead.
type Answer = Result<Box<RawValue>, ErrorPayload>;

const PARSE: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const UNKNOWN_METHOD: i64 = -32601;
const PARAMETERS: i64 = -32602;
const INTERNAL: i64 = -32603;

fn failure(code: i64, message: impl Into<Cow<'static, str>>) -> ErrorPayload {
    ErrorPayload {
        code,
        message: message.into(),
        data: None,
    }
}

fn refusal(error: &ChainError) -> ErrorPayload {
    // What the disk refuses is told once, where it is noticed.
    let is_told = matches!(
        error,
        ChainError::Disk(DiskError::Store(_) | DiskError::Resting | DiskError::Moved)
    );
    if let (ChainError::Disk(_) | ChainError::Machine(_), false) = (error, is_told) {
        tracing::error!(%error, source = ?std::error::Error::source(error), "chain");
    }
    ErrorPayload {
        code: error.code(),
        message: error.to_string().into(),
        data: error.data().and_then(|data| to_raw_value(data).ok()),
    }
}

/// An answer that has room; `meter` is that of its request.
fn answer<T: Serialize>(result: Result<T, ChainError>, meter: &Meter) -> Answer {
    let text = match result {
        Ok(value) => bounded(&value, meter.room()),
        // What a contract refuses with is as long as it likes, too.
        Err(error) => {
            let refusal = refusal(&error);
            bounded(&refusal, meter.room()).and(Err(Some(refusal)))
        }
    };
    let text = text.map_err(|error| error.unwrap_or_else(|| refusal(&meter.too_long())))?;
    let bug = |error: String| failure(INTERNAL, error);
    let text = String::from_utf8(text).map_err(|error| bug(error.to_string()))?;
    RawValue::from_string(text).map_err(|error| bug(error.to_string()))
}

/// A value in JSON; nothing to say but that it is longer than `most`, or what broke.
fn bounded(value: &impl Serialize, most: usize) -> Result<Vec<u8>, Option<ErrorPayload>> {
    let mut text = Bounded {
        bytes: Vec::new(),
        left: most,
    };
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => Ok(text.bytes),
        Err(error) if error.is_io() => Err(None),
        Err(error) => Err(Some(failure(INTERNAL, error.to_string()))),
    }
}

/// Bytes up to a number of them.
struct Bounded {
    bytes: Vec<u8>,
    left: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(more.len()) else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        self.left = left;
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
