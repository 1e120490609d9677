//! Memory with keys and plaintext: overwritten when it is freed, and written to no dump.

use std::alloc::System;

use rustix::process::{Resource, Rlimit, setrlimit};
use zeroizing_alloc::ZeroAlloc;

/// Buffers of libraries, what grew and was copied, messages: none of them wipes itself.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

/// No core dump, and no other process of the same user reads this one's memory; root still does. A system that refuses either
/// runs the program as it would have: an operator forbids dumps for all programs.
pub(crate) fn keep_to_itself() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
