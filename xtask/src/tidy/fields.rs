//! I5: every field of every event is on the list, so that no personal data reaches the chain unseen.

use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const LIST: &str = "contracts/event-fields.txt";

/// The lines that break the rule; nothing to say when there are no contracts.
pub(super) fn check(root: &Path) -> Result<Vec<String>> {
    let Ok(files) = fs::read_dir(root.join("contracts/abi")) else {
        return Ok(Vec::new());
    };
    let list =
        fs::read_to_string(root.join(LIST)).with_context(|| format!("cannot read {LIST}"))?;
    let listed: BTreeSet<String> = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.contains("()")) // calldata
        .map(str::to_owned)
        .collect();
    let mut found = BTreeSet::new();
    for file in files {
        let path = file?.path();
        let Some(contract) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let artifact: Value = serde_json::from_str(&fs::read_to_string(&path)?)
            .with_context(|| format!("{} is not JSON", path.display()))?;
        for event in array(&artifact["abi"])
            .iter()
            .filter(|entry| entry["type"] == "event")
        {
            let name = event["name"].as_str().unwrap_or_default();
            put(&format!("{contract}.{name}"), &event["inputs"], &mut found);
        }
    }
    let unlisted = found
        .difference(&listed)
        .map(|f| format!("I5: {f} is not on {LIST}"));
    let gone = listed
        .difference(&found)
        .map(|f| format!("I5: {f} is on {LIST}, but in no event"));
    Ok(unlisted.chain(gone).collect())
}

fn put(prefix: &str, inputs: &Value, found: &mut BTreeSet<String>) {
    for input in array(inputs) {
        let (name, kind) = (text(&input["name"]), text(&input["type"]));
        if input["components"].is_array() {
            let suffix = kind.strip_prefix("tuple").unwrap_or_default();
            put(
                &format!("{prefix}.{name}{suffix}"),
                &input["components"],
                found,
            );
        } else {
            let indexed = if input["indexed"] == true {
                " indexed"
            } else {
                ""
            };
            found.insert(format!("{prefix}.{name}: {kind}{indexed}"));
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
