//! Pure decision: may X read or write Y for Z now, and why.
