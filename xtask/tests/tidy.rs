//! A workspace that breaks a rule fails `tidy`, with a line that names rule and place.
//! One fixture a rule, and one that keeps them all.

use std::path::Path;
use xtask::tidy;

#[track_caller]
fn check(fixture: &str, expected: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(fixture);
    let report = tidy::check(&root).expect("a fixture is a workspace");
    let mut broken = report.broken.clone();
    broken.sort();
    assert_eq!(broken, expected);
    assert_eq!(report.into_result().is_err(), !expected.is_empty());
}

#[test]
fn a_workspace_that_keeps_the_rules_passes() {
    check("clean", &[]);
}

#[test]
fn i1_a_node_that_can_open_a_record_through_a_foreign_crate() {
    check(
        "i1",
        &[
            "I1: medibloc-node contains medibloc-journey, which can open a record; \
             see `cargo tree -p medibloc-node -e normal -i medibloc-journey`",
            "I1: medibloc-node contains medibloc-seal, which can open a record; \
             see `cargo tree -p medibloc-node -e normal -i medibloc-seal`",
        ],
    );
}

#[test]
fn i4_an_outside_crate_where_it_does_not_belong() {
    check(
        "i4",
        &[
            "I4: medibloc-api depends on alloy, which only ledger-evm and devchain may use",
            "I4: medibloc-ledger-evm depends on revm-state, which only devchain may use",
            "I4: medibloc-record depends on hpke, which only seal and keys may use",
        ],
    );
}

#[test]
fn i5_an_event_field_that_is_not_on_the_list() {
    check(
        "i5",
        &[
            "I5: Records.Anchored.patientName: string is not on contracts/event-fields.txt",
            "I5: Records.Anchored.time: uint64 is on contracts/event-fields.txt, but in no event",
        ],
    );
}

#[test]
fn i8_an_inner_layer_that_uses_an_outer_one() {
    check(
        "i8",
        &[
            "I8: crates/core/seal may not depend on crates/service/ledger",
            "I8: crates/core/utils has a name that says nothing of what is in it",
            "I8: crates/other/odd is in none of core, service, application",
        ],
    );
}

#[test]
fn i10_an_edge_that_is_not_in_the_table() {
    check(
        "i10",
        &[
            "I10: medibloc-api may not depend on medibloc-ledger: the edge is not in xtask/edges.txt",
            "I10: medibloc-node may not depend on medibloc-seal: the edge is not in xtask/edges.txt",
            "I10: medibloc-vault has no row in xtask/edges.txt; write an ADR",
            "I1: medibloc-node contains medibloc-seal, which can open a record; \
             see `cargo tree -p medibloc-node -e normal -i medibloc-seal`",
        ],
    );
}

#[test]
fn names_that_do_not_exist_and_crates_that_are_not_named() {
    check(
        "names",
        &[
            "names: ARCHITECTURE.md does not mention `crates/core/dag`",
            "names: ARCHITECTURE.md:2: `gone::Kind`: there is no crate gone",
            "names: ARCHITECTURE.md:2: `record::Gone`: crates/core/record has no Gone",
            "names: ARCHITECTURE.md:2: there is no `crates/core/gone`",
            "names: ARCHITECTURE.md:2: there is no `docs/gone.md`",
            "names: ARCHITECTURE.md:2: there is no crate or program `medibloc-gone`",
            "names: crates/core/record/src/old/mod.rs: write foo.rs and foo/, not mod.rs",
        ],
    );
}
