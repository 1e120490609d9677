//! What is named by a number, or by what came of it.

use medibloc_record::json::Value;

use super::{Doc, reference};

impl Doc<'_> {
    /// A statement with this id stands around those of all these resources.
    pub(crate) fn holds(&self, key: String, all: Vec<(&'static str, String)>) {
        self.state.borrow_mut().acts.entry(key).or_insert(all);
    }

    /// What a statement with this id became, or what became of all that stands in it.
    pub(crate) fn named(&self, key: &str) -> Vec<(&'static str, String)> {
        match self.of_id(key) {
            Some(one) => vec![one],
            None => self
                .state
                .borrow()
                .acts
                .get(key)
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// Something says how far a goal was reached, in what came of it or in the goal.
    pub(crate) fn progressed(&self, url: &str, around: &str) {
        let one = (url.to_owned(), around.to_owned());
        self.state.borrow_mut().progress.push(one);
    }

    /// All that says how far a goal was reached.
    pub(crate) fn progress(&self) -> Vec<(String, String)> {
        core::mem::take(&mut self.state.borrow_mut().progress)
    }

    /// Full URLs of the goals of which this came.
    pub(crate) fn goals_with(&self, outcome: &str) -> Vec<String> {
        let state = self.state.borrow();
        let outcome = reference(outcome);
        let has = |entry: &Value| {
            let all = entry["resource"]["outcomeReference"].as_array();
            all.is_some_and(|all| all.contains(&outcome))
        };
        let goals = state
            .entries
            .iter()
            .zip(&state.urls)
            .filter(|(entry, _)| has(entry));
        goals.map(|(_, url)| url.clone()).collect()
    }
}
