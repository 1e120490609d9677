//! FHIR R4 JSON documents to drafts with a loss report.
//!
//! The first step of the write journey (design 07): a bundle is kept as it is, in a tree
//! that changes no decimal and no order of members; a single resource, and resources a line each (NDJSON), are put into one. It never fills in, drops or validates elements, and
//! never reads the network.
//!
//! ```
//! use medibloc_record::Format;
//! let draft = medibloc_format_fhir::FhirJson.read(br#"{"resourceType":"Bundle","entry":[]}"#).expect("FHIR");
//! assert_eq!(draft.fhir["resourceType"], "Bundle");
//! ```

mod about;
mod kinds;
mod reader;
mod twice;

pub use reader::FhirJson;
