//! A call for a home's vault lasts as long as who calls. In a file of its own: a process that is being started holds every file
//! lock of its parent for a moment.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_vault::VaultCall;

#[test]
fn a_call_lasts_as_long_as_who_calls() {
    let home = tempfile::tempdir().unwrap();
    assert!(!VaultCall::is_raised(home.path()));
    let one = VaultCall::raise(home.path()).unwrap();
    let two = VaultCall::raise(home.path()).unwrap();
    assert!(VaultCall::is_raised(home.path()));
    drop(one);
    assert!(VaultCall::is_raised(home.path()));
    drop(two);
    // The file is still there, as after a kill.
    assert!(home.path().join("vault.call").exists());
    assert!(!VaultCall::is_raised(home.path()));
}
