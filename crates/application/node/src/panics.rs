//! A panic ends the task that it is in, and is counted; nothing else ends with it.

use core::fmt::Write as _;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

/// Where a panic was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// An answer.
    Answer,
    /// A look at the chain.
    Upkeep,
    /// A part of a package.
    Index,
    /// A thread that waits for a disk.
    Disk,
}

const TASKS: [(Task, &str); 4] = [
    (Task::Answer, "answer"),
    (Task::Upkeep, "upkeep"),
    (Task::Index, "index"),
    (Task::Disk, "disk"),
];

/// Of this process.
static COUNTS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// The task ended by a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Counts a panic that was caught elsewhere.
pub(crate) fn count(task: Task) {
    COUNTS[task as usize].fetch_add(1, Ordering::Relaxed);
    // The message may hold what others sent: it is not told.
    tracing::error!(?task, "a panic ended this task; the others go on");
}

/// A future whose panic ends it alone.
pub(crate) async fn caught<T>(task: Task, future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(_) => {
                count(task);
                Poll::Ready(Err(Panicked))
            }
        },
    )
    .await
}

/// The counts in the text form of Prometheus.
pub(crate) fn text(to: &mut String) {
    to.push_str("# HELP medibloc_panics_total Tasks that ended by a panic.\n# TYPE medibloc_panics_total counter\n");
    for (task, name) in TASKS {
        let mut count = COUNTS[task as usize].load(Ordering::Relaxed);
        if task == Task::Disk {
            count += medibloc_store_ipfs::panics();
        }
        let _ = writeln!(to, "medibloc_panics_total{{task=\"{name}\"}} {count}");
    }
}
