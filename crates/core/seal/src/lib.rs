//! Record to Sealed and back: Crypt4GH payloads, manifest, two-key rule.
