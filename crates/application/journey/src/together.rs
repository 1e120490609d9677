//! Several questions in flight at once, without spawning: they live and end with the step that asks.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// A question on its way.
pub(crate) type Asked<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The first answer of those that are open; none if there are none. Cancel-safe: an answer is taken or still open.
pub(crate) async fn first<T>(open: &mut Vec<Asked<'_, T>>) -> Option<T> {
    poll_fn(|context| {
        for at in 0..open.len() {
            if let Poll::Ready(answer) = open[at].as_mut().poll(context) {
                drop(open.swap_remove(at));
                return Poll::Ready(Some(answer));
            }
        }
        if open.is_empty() {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    })
    .await
}

/// All answers, in the order of the questions.
pub(crate) async fn all<T>(questions: Vec<Asked<'_, T>>) -> Vec<T> {
    let mut answers: Vec<(usize, T)> = Vec::with_capacity(questions.len());
    let mut open: Vec<Asked<'_, (usize, T)>> = Vec::with_capacity(questions.len());
    for (number, question) in questions.into_iter().enumerate() {
        open.push(Box::pin(async move { (number, question.await) }));
    }
    while let Some(answer) = first(&mut open).await {
        answers.push(answer);
    }
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_keep_the_order_of_the_questions_and_the_first_does_not_wait_for_the_rest() {
        let (send, slow) = tokio::sync::oneshot::channel::<u8>();
        let mut open: Vec<Asked<'_, u8>> = vec![
            Box::pin(async { slow.await.unwrap() }),
            Box::pin(async { 2 }),
        ];
        assert_eq!(first(&mut open).await, Some(2));
        send.send(1).unwrap();
        assert_eq!(first(&mut open).await, Some(1));
        assert_eq!(first(&mut open).await, None);

        let (send, slow) = tokio::sync::oneshot::channel::<u8>();
        let both = all::<u8>(vec![
            Box::pin(async { slow.await.unwrap() }),
            Box::pin(async {
                send.send(1).unwrap();
                2
            }),
        ]);
        assert_eq!(both.await, [1, 2]);
    }

    /// A daemon spawns the steps: they can move between threads.
    #[test]
    fn the_steps_can_be_spawned() {
        fn spawnable<T: Send>(_: T) {}
        let world = crate::memory::World::new(1);
        let seed = medibloc_keys::Seed::new([7; 64]);
        let party = crate::Party::new(seed, medibloc_record::Role::Person, world.ports());
        let record = medibloc_record::RecordId::new([1; 32]);
        spawnable(party.sync());
        spawnable(party.read(record));
        spawnable(party.verify_record(record));
        spawnable(party.audit_proofs());
    }
}
