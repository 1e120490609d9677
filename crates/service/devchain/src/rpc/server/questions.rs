//! What a body asks, and what is said to it (JSON-RPC 2.0).

use core::fmt;
use std::borrow::Cow;

use alloy::{primitives::U64, rpc::json_rpc::ErrorPayload};
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    super::{Answer, INTERNAL, INVALID_REQUEST, PARSE, failure},
    Limits,
};

/// What a body asks.
pub(super) enum Asked<'a> {
    /// Nothing that can be answered; this is said to it.
    Nothing(String),
    One(&'a RawValue),
    Batch(Vec<&'a RawValue>),
}

impl<'a> Asked<'a> {
    pub(super) fn read(body: &'a [u8], limits: &Limits) -> Self {
        let refuse =
            |code, message| Self::Nothing(text(&Reply::new(None, Err(failure(code, message)))));
        if body.trim_ascii_start().first() != Some(&b'[') {
            return match serde_json::from_slice(body) {
                Ok(raw) => Self::One(raw),
                Err(error) => refuse(PARSE, error.to_string()),
            };
        }
        let mut from = serde_json::Deserializer::from_slice(body);
        let batch = UpTo(limits.batch).deserialize(&mut from);
        match batch.and_then(|batch| from.end().map(|()| batch)) {
            Ok((_, 0)) => refuse(INVALID_REQUEST, "an empty batch asks nothing".into()),
            Ok((_, count)) if count > limits.batch => {
                let message = format!("a batch of {count}; {} at most, split it", limits.batch);
                refuse(INVALID_REQUEST, message)
            }
            Ok((all, _)) => Self::Batch(all),
            Err(error) => refuse(PARSE, error.to_string()),
        }
    }
}

/// The first so many of a list, and how many there are: no more is kept of one that is too long.
struct UpTo(usize);

impl<'de> DeserializeSeed<'de> for UpTo {
    type Value = (Vec<&'de RawValue>, usize);

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for UpTo {
    type Value = (Vec<&'de RawValue>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let (mut all, mut count) = (Vec::new(), 0);
        while let Some(one) = list.next_element::<&RawValue>()? {
            count += 1;
            if count <= self.0 {
                all.push(one);
            }
        }
        Ok((all, count))
    }
}

/// One question.
#[derive(Deserialize)]
pub(super) struct Question<'a> {
    jsonrpc: Cow<'a, str>,
    /// None: a notification, which gets no answer (JSON-RPC 2.0, section 4.1). Null is an id like others.
    #[serde(borrow, default, deserialize_with = "given")]
    pub(super) id: Option<&'a RawValue>,
    pub(super) method: String,
    #[serde(borrow)]
    pub(super) params: Option<&'a RawValue>,
}

/// Its answer.
#[derive(Serialize)]
pub(super) struct Reply<'a> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorPayload>,
}

impl<'a> Reply<'a> {
    pub(super) fn new(id: Option<&'a RawValue>, answer: Answer) -> Self {
        let (result, error) = match answer {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            jsonrpc: "2.0",
            id,
            result,
            error,
        }
    }
}

fn given<'a, D: Deserializer<'a>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl<'a> Question<'a> {
    /// A question, or what is said to one that is none.
    pub(super) fn read(raw: &'a RawValue) -> Result<Self, Reply<'a>> {
        let refuse = |why: String| Reply::new(None, Err(failure(INVALID_REQUEST, why)));
        let question: Self =
            serde_json::from_str(raw.get()).map_err(|error| refuse(error.to_string()))?;
        match question.fault() {
            Some(why) => Err(refuse(why.into())),
            None => Ok(question),
        }
    }

    /// The gas that a call says it needs, if it says so.
    pub(super) fn gas(&self) -> Option<u64> {
        #[derive(Deserialize)]
        struct Needs {
            gas: Option<U64>,
        }
        let all: Vec<&RawValue> = serde_json::from_str(self.params?.get()).ok()?;
        let needs: Needs = serde_json::from_str(all.first()?.get()).ok()?;
        needs.gas.map(|gas| gas.to())
    }

    /// Why it is no request (section 4).
    fn fault(&self) -> Option<&'static str> {
        if self.jsonrpc != "2.0" {
            return Some("jsonrpc must be \"2.0\"");
        }
        let id = self.id.map_or("null", RawValue::get);
        let fits = id == "null"
            || id.starts_with(['"', '-'])
            || id.starts_with(|c: char| c.is_ascii_digit());
        (!fits).then_some("id must be a string, a number or null")
    }
}

/// The answers of a batch as they are sent, one after another.
#[derive(Default)]
pub(super) struct Replies(String);

impl Replies {
    pub(super) fn push(&mut self, reply: &Reply<'_>) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        self.0.push_str(&text(reply));
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Nothing where all were notifications.
    pub(super) fn end(mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| {
            self.0.push(']');
            self.0
        })
    }
}

/// An answer as it is sent.
pub(super) fn text(reply: &impl Serialize) -> String {
    serde_json::to_string(reply).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer is no JSON");
        format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{INTERNAL},"message":"bug"}}}}"#)
    })
}
