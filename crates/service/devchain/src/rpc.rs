//! The questions of JSON-RPC 2.0, answered by a chain.

mod in_process;
mod methods;
mod parameters;
mod server;
mod turns;

use std::borrow::Cow;

use alloy::rpc::json_rpc::ErrorPayload;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

pub use in_process::InProcess;
pub use server::{Limits, ServeError, router, serve, serve_with};

use crate::error::ChainError;

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

fn answer<T: Serialize>(result: Result<T, ChainError>) -> Answer {
    let value = result.map_err(|error| {
        let data = error.data().and_then(|data| to_raw_value(data).ok());
        if let ChainError::Disk(_) | ChainError::Machine(_) = error {
            tracing::error!(%error, source = ?std::error::Error::source(&error), "chain");
        }
        ErrorPayload {
            code: error.code(),
            message: error.to_string().into(),
            data,
        }
    })?;
    to_raw_value(&value).map_err(|error| failure(INTERNAL, error.to_string()))
}
