//! The port Store, its memory double and its contract tests.
