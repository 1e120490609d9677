//! HL7 CDA R2 documents to drafts with a FHIR R4 form and a loss report.
//!
//! The first step of the write journey (design 07): C-CDA, CCD, C32 and national CDA documents become a
//! FHIR R4 document bundle beside the untouched original. It never refuses a well-formed CDA document,
//! never invents a value, and never reads DTDs, external entities, clocks or the network.
//!
//! ```
//! use medibloc_record::Format;
//! let xml = br#"<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/></ClinicalDocument>"#;
//! let draft = medibloc_format_cda::Cda.read(xml).expect("it is a CDA document");
//! assert_eq!(draft.fhir["entry"][0]["resource"]["resourceType"], "Composition");
//! ```

mod account;
mod codes;
mod context;
mod doc;
mod guard;
mod header;
mod json;
mod labels;
mod language;
mod local;
mod narrative;
mod people;
mod reader;
mod resource;
mod section;
mod statement;
mod value;
mod xml;

pub use reader::Cda;
