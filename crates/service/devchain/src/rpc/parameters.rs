//! The parameters of a question, one after another.

use std::collections::VecDeque;

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::U256,
    rpc::{json_rpc::ErrorPayload, types::Filter},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

use super::{PARAMETERS, failure};

/// Addresses and topics of one filter, at most.
const MOST_VALUES: usize = 1_000;

/// Values in the parameters of one question, at most: a filter has [`MOST_VALUES`], a proof as many slots.
const MOST_NODES: usize = 4_096;

/// Refuses parameters that are longer than a method has a use for, before anything is made of them: as values they would take up
/// to a hundred times their bytes.
pub(super) fn bound(method: &str, raw: Option<&RawValue>) -> Result<(), ErrorPayload> {
    let text = raw.map_or("", RawValue::get);
    let most = most_bytes(method);
    if text.len() > most {
        let message = format!(
            "params of {} bytes; {method} takes {most} at most, split it",
            text.len()
        );
        return Err(failure(PARAMETERS, message));
    }
    // Each value but the first of a list or object follows a comma.
    let begins = |byte: &u8| matches!(byte, b',' | b'[' | b'{');
    if text.bytes().filter(|byte| begins(byte)).count() > MOST_NODES {
        let message = format!("params of more than {MOST_NODES} values; split it");
        return Err(failure(PARAMETERS, message));
    }
    Ok(())
}

/// Bytes of the parameters of a method.
fn most_bytes(method: &str) -> usize {
    match method {
        // As long as a body.
        "eth_sendRawTransaction" => usize::MAX,
        // Five of the longest contracts.
        "eth_call" | "eth_estimateGas" => 512 << 10,
        // A thousand values of 32 bytes and more.
        "eth_getLogs" | "eth_getProof" => 128 << 10,
        _ => 8 << 10,
    }
}

/// What is left of a question's parameters.
#[derive(Debug)]
pub(super) struct Parameters {
    rest: VecDeque<Value>,
    taken: usize,
}

impl Parameters {
    pub(super) fn read(method: &str, raw: Option<&RawValue>) -> Result<Self, ErrorPayload> {
        bound(method, raw)?;
        let value = match raw {
            Some(raw) => serde_json::from_str(raw.get())
                .map_err(|error| failure(PARAMETERS, error.to_string()))?,
            None => Value::Null,
        };
        let rest = match value {
            Value::Null => VecDeque::new(),
            Value::Array(values) => values.into(),
            _ => return Err(failure(PARAMETERS, "params must be an array; send [...]")),
        };
        Ok(Self { rest, taken: 0 })
    }

    /// Refuses parameters that a method does not have: what is left out of an answer must not look as if it were in it.
    pub(super) fn at_most(&self, names: &[&str], method: &str) -> Result<(), ErrorPayload> {
        let most = names.len();
        let mut more = self.rest.iter().enumerate().skip(most);
        match more.find(|(_, value)| !is_nothing(value)) {
            None => Ok(()),
            Some((place, _)) => {
                let what = match (method, place) {
                    ("eth_call" | "eth_estimateGas", 2) => "state overrides",
                    ("eth_call" | "eth_estimateGas", 3) => "block overrides",
                    _ => "more parameters",
                };
                let message = format!(
                    "parameter {place}: {method} takes no {what} on this chain, only [{}]; leave it out",
                    names.join(", ")
                );
                Err(failure(PARAMETERS, message))
            }
        }
    }

    /// The next one as a number that must be there.
    pub(super) fn some_number(&mut self) -> Result<u64, ErrorPayload> {
        let place = self.taken;
        self.number()?
            .ok_or_else(|| failure(PARAMETERS, format!("parameter {place} is missing")))
    }

    /// The next one.
    pub(super) fn next<T: DeserializeOwned>(&mut self) -> Result<T, ErrorPayload> {
        let place = self.taken;
        let value = self.take();
        if value.is_null() {
            return Err(failure(PARAMETERS, format!("parameter {place} is missing")));
        }
        parse(value, place)
    }

    /// The next one, or nothing.
    pub(super) fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ErrorPayload> {
        let place = self.taken;
        match self.take() {
            Value::Null => Ok(None),
            value => parse(value, place).map(Some),
        }
    }

    /// The next one as a storage slot, or a list of them: of at most 32 bytes, also where all that is too much is zeros.
    pub(super) fn slots<T: DeserializeOwned>(&mut self) -> Result<T, ErrorPayload> {
        let place = self.taken;
        let next = self.rest.front().unwrap_or(&Value::Null);
        let slots = next
            .as_array()
            .map_or(core::slice::from_ref(next), |all| all);
        let digits = |slot: &Value| {
            slot.as_str()
                .map(|text| text.trim_start_matches("0x").len())
        };
        if slots.iter().filter_map(digits).any(|digits| digits > 64) {
            let message = format!("parameter {place}: a slot has at most 32 bytes");
            return Err(failure(PARAMETERS, message));
        }
        self.next()
    }

    /// The next one as a filter of logs, of as many values as are looked for at once.
    pub(super) fn filter(&mut self) -> Result<Filter, ErrorPayload> {
        let place = self.taken;
        let filter: Filter = self.next()?;
        let topics = filter.topics.iter().map(|topic| topic.iter().count());
        let values = filter.address.iter().count() + topics.sum::<usize>();
        if values > MOST_VALUES {
            let message = format!(
                "parameter {place}: {values} addresses and topics; {MOST_VALUES} at most, split it"
            );
            return Err(failure(PARAMETERS, message));
        }
        Ok(filter)
    }

    /// The next one as a block, `latest` when there is none.
    pub(super) fn block(&mut self) -> Result<BlockId, ErrorPayload> {
        Ok(self
            .optional()?
            .unwrap_or(BlockId::Number(BlockNumberOrTag::Latest)))
    }

    /// The next one as a number: 1, "1" or "0x1".
    pub(super) fn number(&mut self) -> Result<Option<u64>, ErrorPayload> {
        let place = self.taken;
        let text = match self.take() {
            Value::Null => return Ok(None),
            Value::String(text) => text,
            other => other.to_string(),
        };
        let number = (!text.is_empty() && text != "0x")
            .then(|| text.parse::<U256>().ok())
            .flatten()
            .and_then(|number| u64::try_from(number).ok());
        let message = || format!("parameter {place} is no number of 64 bits");
        number
            .map(Some)
            .ok_or_else(|| failure(PARAMETERS, message()))
    }

    fn take(&mut self) -> Value {
        self.taken += 1;
        self.rest.pop_front().unwrap_or(Value::Null)
    }
}

/// Null, or an object or list that asks for nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

fn parse<T: DeserializeOwned>(value: Value, place: usize) -> Result<T, ErrorPayload> {
    serde_json::from_value(value)
        .map_err(|error| failure(PARAMETERS, format!("parameter {place}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_three_forms() {
        let raw = RawValue::from_string(
            r#"[7, "7", "0x7", null, -1, "x", 18446744073709551616]"#.to_owned(),
        );
        let mut parameters = Parameters::read("", Some(&raw.unwrap())).unwrap();
        for expected in [Some(7), Some(7), Some(7), None] {
            assert_eq!(parameters.number().unwrap(), expected);
        }
        for place in 4..7 {
            let error = parameters.number().unwrap_err();
            assert_eq!(
                error.message,
                format!("parameter {place} is no number of 64 bits")
            );
        }
        assert_eq!(
            parameters.next::<String>().unwrap_err().message,
            "parameter 7 is missing"
        );
    }

    #[test]
    fn each_method_has_a_bound_of_bytes_and_of_values() {
        let list = |one: &str, count: usize| format!("[{}]", vec![one; count].join(","));
        let word = format!("\"0x{}\"", "0".repeat(64));
        for (method, params, refused) in [
            ("eth_chainId", list("[1]", 1_000), None),
            ("eth_chainId", list("[1]", 2_100), Some("8192 at most")),
            ("nothing", list("[1]", 500_000), Some("8192 at most")),
            ("eth_getBalance", list(&word, 200), Some("8192 at most")),
            ("eth_getLogs", list(&word, 1_800), None),
            ("eth_getLogs", list(&word, 2_000), Some("131072 at most")),
            ("eth_getLogs", list("{}", 4_000), Some("4096 values")),
            ("eth_getProof", list("1", 4_097), Some("4096 values")),
            ("eth_call", list("[1]", 100_000), Some("4096 values")),
            ("eth_call", format!("[\"{}\"]", "0".repeat(500 << 10)), None),
            (
                "eth_estimateGas",
                format!("[\"{}\"]", "0".repeat(512 << 10)),
                Some("524288 at most"),
            ),
            (
                "eth_sendRawTransaction",
                format!("[\"{}\"]", "0".repeat(2 << 20)),
                None,
            ),
            (
                "eth_sendRawTransaction",
                list("[1]", 500_000),
                Some("4096 values"),
            ),
        ] {
            let raw = RawValue::from_string(params).unwrap();
            let told = bound(method, Some(&raw)).err().map(|error| error.message);
            match (told, refused) {
                (None, None) => {}
                (Some(told), Some(refused)) => assert!(told.contains(refused), "{told}"),
                other => panic!("{method}: {other:?}"),
            }
        }
    }
}
