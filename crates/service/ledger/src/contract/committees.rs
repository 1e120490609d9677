//! A committee is known by its id and by the blocks in which it was in force, for ever.

use medibloc_record::{Committee, Threshold};

use super::Play;
use crate::{Event, LedgerError};

pub(super) async fn play(play: &mut Play<'_>) -> Result<(), LedgerError> {
    let facts = play.stage.facts();
    let first = facts.committee().await?;
    let id = first.committee.id;
    assert_eq!(first.keepers.len(), 7, "one fact a keeper");
    assert!(
        first.keepers.iter().map(|it| it.index).eq(1..=7),
        "in their order"
    );
    assert!(
        first.is_of(facts.head().await?.number),
        "the newest is in force"
    );
    assert_eq!(facts.committee_of(id).await?.as_ref(), Some(&first));
    for none in [0, id + 1, u32::MAX] {
        assert_eq!(facts.committee_of(none).await?, None, "committee {none}");
    }
    let threshold = Threshold::new(3, 2).expect("2 of 3 is a threshold");
    play.stage.form_committee(threshold).await?;
    let second = facts.committee().await?;
    let committee = Committee {
        id: id + 1,
        threshold,
    };
    play.happened
        .push((None, Event::CommitteeFormed { committee }));
    assert_eq!(second.committee, committee);
    assert_eq!(second.keepers, first.keepers[..3], "the first three");
    let past = facts
        .committee_of(id)
        .await?
        .expect("a committee is not forgotten");
    assert_eq!(
        (past.committee, past.since),
        (first.committee, first.since),
        "nor changed"
    );
    assert_eq!(past.keepers, first.keepers, "its keepers are still named");
    assert_eq!(past.until, Some(second.since), "one follows the other");
    assert!(past.is_of(second.since - 1) && !past.is_of(second.since));
    assert!(!second.is_of(second.since - 1) && second.is_of(second.since));
    Ok(())
}
