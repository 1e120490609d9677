//! The first vaults of a process may be made and opened by many threads at once. The database library answers before its
//! encryption is there if two threads are the first to call it; a new process is needed to be first again.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::Command;
use std::sync::Barrier;

use medibloc_vault::Vault;

const CHILD: &str = "MEDIBLOC_TEST_FIRST";
const PROCESSES: usize = 120;
const THREADS: usize = 16;

#[test]
fn the_first_vaults_of_a_process_are_made_by_many_threads() {
    if std::env::var_os(CHILD).is_some() {
        return together();
    }
    let name = "the_first_vaults_of_a_process_are_made_by_many_threads";
    for number in 0..PROCESSES {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "process {number}: {told}");
    }
}

fn together() {
    let folder = tempfile::tempdir().unwrap();
    let start = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let (start, home) = (&start, folder.path().join(number.to_string()));
            scope.spawn(move || {
                std::fs::create_dir(&home).unwrap();
                start.wait();
                let vault = Vault::create(&home, &[7; 32]).unwrap();
                assert_eq!(vault.list("records").unwrap(), []);
            });
        }
    });
}
