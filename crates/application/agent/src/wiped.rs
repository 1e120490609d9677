//! What commands leave on the stack.

use medibloc_keys::wipe_stack;

/// As `work`; whichever threads it ran on, nothing that it moved by value is left on their stacks: `serve` lives long after it.
pub(crate) async fn wiped<T>(work: impl Future<Output = T>) -> T {
    let mut work = Box::pin(work);
    core::future::poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        wipe_stack();
        polled
    })
    .await
}
