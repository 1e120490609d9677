//! The pure state machine of one keeper.
