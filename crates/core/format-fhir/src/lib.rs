//! FHIR JSON and FHIR XML documents to drafts with a loss report, and FHIR XML of a tree.
//!
//! The first step of the write journey (design 07): a bundle is kept as it is, in a tree
//! that changes no decimal and no order of members; a single resource, and resources a line each (NDJSON), are put into one. XML is
//! read to the tree that its JSON has. What R5 calls otherwise is moved to where R4 has it. It never fills in, drops or validates
//! elements, and never reads the network.
//!
//! ```
//! use medibloc_record::Format;
//! let draft = medibloc_format_fhir::FhirJson.read(br#"{"resourceType":"Bundle","entry":[]}"#).expect("FHIR");
//! assert_eq!(draft.fhir["resourceType"], "Bundle");
//! let xml = medibloc_format_fhir::to_xml(&(&draft.fhir).into()).expect("XML");
//! assert!(xml.contains("<Bundle xmlns=\"http://hl7.org/fhir\""));
//! ```

mod about;
mod budget;
mod definition;
mod labels;
mod note;
mod r5;
mod reader;
mod release;
mod report;
mod twice;
mod xml;

pub use reader::FhirJson;
pub use xml::{FhirXml, XmlError, to_xml};
