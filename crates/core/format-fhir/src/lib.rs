//! FHIR R4 JSON documents to drafts with a loss report.
//!
//! The first step of the write journey (design 07): a bundle or one resource is kept as it is, in a tree
//! that changes no decimal and no order of members. It never fills in, drops or validates elements, and
//! never reads the network.
//!
//! ```
//! use medibloc_record::Format;
//! let draft = medibloc_format_fhir::FhirJson.read(br#"{"resourceType":"Patient"}"#).expect("FHIR");
//! assert_eq!(draft.fhir["resourceType"], "Patient");
//! ```

mod reader;

pub use reader::FhirJson;
