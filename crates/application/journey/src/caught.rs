//! A fault of this program, met while it looked at one thing from outside, ends the look at that thing and nothing else.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::JourneyError;

/// Runs a step over one record, letter or event; a panic inside it is an error that says so, never the end of the others.
///
/// What the panic said is not repeated: it may quote what was read. The panic hook of the program has seen it.
pub(crate) async fn caught<T>(
    what: &'static str,
    step: impl Future<Output = Result<T, JourneyError>>,
) -> Result<T, JourneyError> {
    let mut step = pin!(step);
    std::future::poll_fn(|context| {
        // Rows change in one transaction at the end of a step, so what is broken off has changed none.
        let polled = catch_unwind(AssertUnwindSafe(|| step.as_mut().poll(context)));
        polled.unwrap_or(Poll::Ready(Err(JourneyError::Fault { what })))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_that_step_and_anything_else_is_as_it_was() {
        let broken = caught("letter", async {
            Err(JourneyError::Fault { what: broken() })
        });
        let error: Result<(), _> = broken.await;
        let told = error.unwrap_err().to_string();
        assert!(
            told.contains("program failed on the letter") && told.contains("ours"),
            "{told}"
        );
        assert_eq!(caught("letter", async { Ok(7) }).await.unwrap(), 7);
    }

    fn broken() -> &'static str {
        let none: &[&str] = &[];
        none[std::env::args().count()]
    }
}
