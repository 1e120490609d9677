//! Consents that were to be given and never were.

use medibloc_journey::{DroppedConsent, Names};
use serde_json::{Value, json};

use super::find;

/// One that never came to be.
pub(super) fn line(called: &Names, dropped: &DroppedConsent) -> String {
    let id = dropped.id.to_string();
    format!(
        "{}  to {}  {}  dropped {} by this machine's clock: it was never on the chain",
        id.get(..12).unwrap_or(&id),
        called.told(&dropped.name, Some(dropped.paired)),
        match dropped.scope.as_str() {
            "write" => "was to write".to_owned(),
            "one" => "was to read one record".to_owned(),
            scope => format!("was to read {scope}"),
        },
        find::moment(dropped.at)
    )
}

/// The same for programs.
pub(super) fn value(dropped: &DroppedConsent) -> Value {
    json!({
        "id": dropped.id.to_string(), "name": dropped.name, "own": dropped.own.to_string(), "scope": dropped.scope,
        "dropped": find::moment(dropped.at),
    })
}
