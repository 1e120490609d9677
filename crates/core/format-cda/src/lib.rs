//! HL7 CDA R2 documents to drafts with a FHIR R4 form and a loss report.
