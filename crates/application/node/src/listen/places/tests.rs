use super::*;

fn source(last: u8) -> Source {
    Source::of([192, 0, 2, last].into())
}

fn places(connections: usize, a_source: usize) -> Arc<Places> {
    Places::new(Bounds {
        connections,
        a_source,
        memory: 100,
        memory_a_source: 60,
        ..Bounds::default()
    })
}

/// As if its peer's turn had begun long ago: at the begin of a listener that is made [`later`].
fn waits(place: &Place) {
    place.seat.since.store(0, Relaxed);
}

/// As if the listener had begun a minute ago.
fn later(places: &mut Arc<Places>) {
    let inner = Arc::get_mut(places).expect("no connection yet");
    inner.start -= Duration::from_secs(60);
}

fn is_away(place: &Place) -> bool {
    let table = place.places.table.lock().unwrap();
    let crowd = match place.seat.whose().source {
        Some(source) => table.sources.get(&source),
        None => Some(&table.proxies),
    };
    !crowd.is_some_and(|crowd| crowd.seats.contains_key(&place.id))
}

#[test]
fn a_source_at_its_cap_gives_up_its_own_slowest_and_shuts_nobody_else_out() {
    let mut places = places(10, 2);
    later(&mut places);
    let one = places.take(source(1)).unwrap();
    let two = places.take(source(1)).unwrap();
    assert!(places.take(source(1)).is_none(), "nobody waits for long");
    let other = places.take(source(2)).unwrap();
    waits(&two);
    let three = places.take(source(1)).unwrap();
    assert!(is_away(&two) && !is_away(&one) && !is_away(&other) && !is_away(&three));
    waits(&one);
    one.seat.own_turn();
    assert!(places.take(source(1)).is_none(), "it is being worked on");
    drop(one);
    assert!(places.take(source(1)).is_some());
}

#[test]
fn a_full_listener_takes_the_place_from_the_largest_source() {
    let mut places = places(4, 3);
    later(&mut places);
    let crowd: Vec<Place> = (0..3).map(|_| places.take(source(1)).unwrap()).collect();
    let other = places.take(source(2)).unwrap();
    waits(&other);
    waits(&crowd[1]);
    let new = places.take(source(3)).unwrap();
    assert!(is_away(&crowd[1]) && !is_away(&other) && !is_away(&new));
    let fifth = places.take_for_proxy().unwrap();
    assert!(
        !is_away(&crowd[0]) && !is_away(&crowd[2]) && !is_away(&fifth),
        "its line is beyond all places"
    );
    fifth.speaks_for(Named::Other(source(9))).unwrap();
    assert!(
        !is_away(&other) && !is_away(&new) && !is_away(&fifth),
        "of the largest again"
    );
    assert!(is_away(&crowd[0]) != is_away(&crowd[2]));
}

#[test]
fn who_comes_through_a_proxy_is_counted_by_whom_it_speaks_for() {
    let mut places = places(3, 2);
    later(&mut places);
    let named = |last| Named::Other(source(last));
    let lines: Vec<Place> = (0..5).map(|_| places.take_for_proxy().unwrap()).collect();
    for line in &lines[..2] {
        line.speaks_for(named(1)).unwrap();
    }
    let third = lines[2].speaks_for(named(1));
    assert_eq!(third, Err(NoPlace::OfSource), "nobody waits for long");
    lines[2].speaks_for(named(2)).unwrap();
    waits(&lines[1]);
    lines[3].speaks_for(named(3)).unwrap();
    assert!(is_away(&lines[1]) && !is_away(&lines[0]) && !is_away(&lines[2]));
    assert_eq!(lines[1].speaks_for(named(1)), Err(NoPlace::Full), "it went");
    // Once it rests, its place is free, and the next request on it may be anybody's.
    lines[3].rests();
    lines[4].speaks_for(named(4)).unwrap();
    assert!(!is_away(&lines[0]) && !is_away(&lines[2]));
    lines[0].seat.own_turn();
    lines[2].seat.own_turn();
    lines[4].seat.own_turn();
    let full = lines[3].speaks_for(named(5));
    assert_eq!(full, Err(NoPlace::Full), "all are worked on");
    drop(lines);
    let table = places.table.lock().unwrap();
    assert!(table.sources.is_empty() && table.count == 0 && table.proxies.len() == 0);
}

#[test]
fn lines_of_proxies_beyond_all_places_are_bounded_and_idle_ones_go_first() {
    let mut places = places(4, 4);
    later(&mut places);
    let most = 4 + places.bounds.reserve();
    let lines: Vec<Place> = (0..most)
        .map(|_| places.take_for_proxy().unwrap())
        .collect();
    assert!(places.take_for_proxy().is_none(), "all came just now");
    assert!(places.take(source(1)).is_none());
    waits(&lines[3]);
    let next = places.take_for_proxy().unwrap();
    assert!(is_away(&lines[3]) && !is_away(&next));
    waits(&lines[5]);
    let direct = places.take(source(1)).unwrap();
    assert!(is_away(&lines[5]) && !is_away(&direct));
}

#[test]
fn of_many_sources_with_one_connection_the_one_that_waits_longest_goes() {
    let mut places = places(3, 3);
    later(&mut places);
    let crowd: Vec<Place> = [9, 1, 5]
        .iter()
        .map(|last| places.take(source(*last)).unwrap())
        .collect();
    waits(&crowd[1]);
    let new = places.take(source(7)).unwrap();
    assert!(is_away(&crowd[1]) && !is_away(&crowd[0]) && !is_away(&crowd[2]) && !is_away(&new));
}

#[test]
fn what_is_held_counts_for_whom_a_proxy_speaks_for() {
    let places = places(10, 10);
    let (one, two) = (
        places.take_for_proxy().unwrap(),
        places.take_for_proxy().unwrap(),
    );
    one.speaks_for(Named::Other(source(1))).unwrap();
    assert!(one.hold(50) && !one.hold(20), "60 of one source");
    two.speaks_for(Named::Other(source(2))).unwrap();
    assert!(two.hold(40), "another has its own");
    // What is not taken yet goes with the connection, and is given back once.
    one.speaks_for(Named::Other(source(3))).unwrap();
    assert!(!one.hold(20));
    drop((one, two));
    assert_eq!(places.held.load(Relaxed), 0);
    assert!(places.table.lock().unwrap().sources.is_empty());
}

#[test]
fn what_is_held_is_bounded_and_the_largest_holder_goes_first() {
    let mut places = places(10, 10);
    later(&mut places);
    let one = places.take(source(1)).unwrap();
    assert!(one.hold(50) && !one.hold(20), "60 of one source");
    let two = places.take(source(2)).unwrap();
    assert!(two.hold(40));
    let three = places.take(source(3)).unwrap();
    assert!(!three.hold(30), "nobody waits for long");
    waits(&one);
    assert!(three.hold(30) && is_away(&one) && !is_away(&two));
    drop(one);
    assert_eq!(places.held.load(Relaxed), 70, "given back once");
    two.release();
    drop((two, three));
    assert_eq!(places.held.load(Relaxed), 0);
    assert!(places.table.lock().unwrap().sources.is_empty());
}
