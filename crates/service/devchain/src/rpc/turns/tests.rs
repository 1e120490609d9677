use super::*;

fn of(number: u8) -> Source {
    Source::named([192, 0, 2, number].into())
}

/// Those who wait, and their sources.
type Line = Vec<(u8, Turn, oneshot::Receiver<()>)>;

fn line_up(turns: &Arc<Turns>, to: &mut Line, source: u8, cost: u64) {
    let (turn, go) = turns.line_up(of(source), cost).unwrap();
    to.push((source, turn, go));
}

/// Ends whatever is worked on, one at a time, and gives the order in which sources had their turns.
fn order(mut line: Line) -> Vec<u8> {
    let mut order = Vec::new();
    while !line.is_empty() {
        let at = line.iter_mut().position(|(_, _, go)| go.try_recv().is_ok());
        let (source, turn, _) = line.remove(at.expect("somebody is worked for"));
        order.push(source);
        drop(turn);
    }
    order
}

#[test]
fn sources_take_turns_however_many_one_asks_before_the_others() {
    let turns = Turns::new(1);
    let mut line = Line::new();
    for _ in 0..20 {
        line_up(&turns, &mut line, 1, 100);
    }
    for source in [2, 3, 2, 3] {
        line_up(&turns, &mut line, source, 100);
    }
    let order = order(line);
    assert_eq!(order[..7], [1, 2, 3, 1, 2, 3, 1], "{order:?}");
    assert_eq!(order.len(), 24);
    assert_eq!(turns.state().busy, 0);
}

#[test]
fn whoever_asks_little_goes_before_many_who_ask_much() {
    let turns = Turns::new(1);
    let mut line = Line::new();
    for source in 1..=200 {
        line_up(&turns, &mut line, source, 100);
    }
    for _ in 0..4 {
        line_up(&turns, &mut line, 250, 20);
    }
    let order = order(line);
    assert_eq!(
        order[..5],
        [1, 250, 250, 250, 250],
        "the one that was begun goes on"
    );
}

#[test]
fn ever_new_sources_starve_nobody() {
    let turns = Turns::new(1);
    let (first, _go) = turns.line_up(of(1), 100).unwrap();
    let mut running = first;
    // One that had much already, and strangers that were never there before.
    let (mine, mut go) = turns.line_up(of(1), 1_000).unwrap();
    let mut served = 0;
    for port in 1..=1_000 {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let (next, _) = turns.line_up(Source::Connection(address), 100).unwrap();
        drop(running);
        if go.try_recv().is_ok() {
            break;
        }
        running = next;
        served += 1;
    }
    assert!(served < 50, "{served} were served before");
    drop(mine);
}

#[test]
fn no_source_has_every_place_and_who_leaves_gives_its_own_back() {
    let turns = Turns::new(4);
    let mut line = Line::new();
    for _ in 0..5 {
        line_up(&turns, &mut line, 1, 1);
    }
    let working = |line: &mut Line| -> Vec<bool> {
        let is = |(_, turn, _): &(u8, Turn, _)| !turn.turns.state().waiting.contains_key(&turn.key);
        line.iter().map(is).collect()
    };
    assert_eq!(working(&mut line), [true, true, false, false, false]);
    line_up(&turns, &mut line, 2, 1);
    assert!(working(&mut line)[5]);
    // One that waits goes away, then one that is worked for, whose word was not heard yet.
    line.remove(2);
    line.remove(0);
    assert_eq!(working(&mut line), [true, true, false, true]);
    line.clear();
    let state = turns.state();
    assert!(state.waiting.is_empty() && state.running == 0 && state.busy == 0);
}

#[test]
fn the_line_of_one_source_has_an_end_and_that_is_not_anothers() {
    let turns = Turns::new(1);
    let mut line = Line::new();
    for _ in 0..=WAITING {
        line_up(&turns, &mut line, 1, 1);
    }
    assert!(turns.line_up(of(1), 1).is_none());
    assert!(turns.line_up(of(2), 1).is_some());
}

#[test]
fn one_who_changes_addresses_within_a_site_is_one_source() {
    let of = |text: &str| Source::named(text.parse().unwrap());
    assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:ff::4"));
    assert_ne!(of("2001:db8:1::"), of("2001:db8:2::"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
}

#[test]
fn what_was_not_known_before_is_owed_afterwards() {
    let turns = Turns::new(1);
    let mut line = Line::new();
    for source in [1, 2, 3, 1, 2, 3] {
        line_up(&turns, &mut line, source, 10);
    }
    // The first one took much more, and has its next turn after the others; the second one has some back.
    line[0].1.settle(100);
    line.remove(0);
    line_up(&turns, &mut line, 1, 1);
    line_up(&turns, &mut line, 2, 1);
    let order = order(line);
    assert_eq!(order[..2], [2, 3], "{order:?}");
    assert_eq!(order.last(), Some(&1), "{order:?}");
}
