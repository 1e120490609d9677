//! The record's journey, one file a step.
