//! FHIR R4 JSON documents to drafts with a loss report.
