//! What a document states must come out of it: as the resource that FHIR has for it, or with the reason why not.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "missing/another.rs"]
mod another;
#[path = "shared/document.rs"]
mod document;
#[path = "missing/doses.rs"]
mod doses;
#[path = "missing/inside.rs"]
mod inside;
#[path = "missing/several.rs"]
mod several;
#[path = "missing/specimen.rs"]
mod specimen;
#[path = "missing/unknown.rs"]
mod unknown;
#[path = "missing/values.rs"]
mod values;
#[path = "missing/vitals.rs"]
mod vitals;
