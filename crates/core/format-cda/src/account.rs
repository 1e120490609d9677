//! What became of every node of the source that can carry a fact (design 07): a mapping takes what it uses, and what nobody took
//! is lost by construction and said so.

mod kept;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use medibloc_record::{EntryOutcome, LossEntry, LossReport};

use crate::doc::Anchors;
use crate::value::time::UNSURE;
use crate::xml::{N, SDTC, attr, flag, is_statement, is_unread_denial, sure};
use kept::{Kept, Told};

/// Why something is in no resource. Never a value from the document.
pub(crate) type Because = &'static str;

/// What is taken of a node: itself, or that it is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facet {
    /// The node itself.
    Itself,
    /// Its `negationInd`.
    Denial,
}

/// A node that was taken.
pub(crate) type Taken = (u32, Facet);

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stands in an element of a resource.
    Carried {
        /// Which resource, in order of their making.
        resource: u32,
        /// Which of its elements.
        element: &'static str,
    },
    /// It is in no resource: its words stand in the section's narrative, or it is in the original alone.
    Lost(Because),
}

/// The account of one document.
#[derive(Debug)]
pub(crate) struct Account {
    fates: RefCell<Vec<Option<Fate>>>,
    /// Those of denials, which few statements are.
    denials: RefCell<HashMap<u32, Option<Fate>>>,
    /// Taken by a conversion, and not yet put anywhere.
    hand: RefCell<Vec<Taken>>,
}

pub(crate) fn index(node: N<'_>) -> u32 {
    node.id().get() - 1
}

impl Account {
    /// An empty account of a document with that many nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            fates: RefCell::new(vec![None; nodes]),
            denials: RefCell::default(),
            hand: RefCell::default(),
        }
    }

    /// A conversion used this node: whoever puts the value next says where.
    pub(crate) fn take(&self, node: N<'_>) {
        self.hand.borrow_mut().push((index(node), Facet::Itself));
    }

    /// A mapping heeded that this statement is denied, by itself or by those around it.
    pub(crate) fn take_denial(&self, node: N<'_>) {
        let around = node
            .ancestors()
            .filter(|one| is_statement(*one) && is_denied(*one));
        let all = around.map(|one| (index(one), Facet::Denial));
        self.hand.borrow_mut().extend(all);
    }

    /// All that was taken since the last call.
    pub(crate) fn put(&self) -> Vec<Taken> {
        core::mem::take(&mut self.hand.borrow_mut())
    }

    /// What is in hand was used for nothing.
    pub(crate) fn let_go(&self) {
        self.hand.borrow_mut().clear();
    }

    /// Takes back into the hand what [`Account::put`] gave.
    pub(crate) fn take_again(&self, taken: Vec<Taken>) {
        self.hand.borrow_mut().extend(taken);
    }

    /// Does something with an empty hand; what was in it stays for whoever puts next, and what is taken last with it.
    pub(crate) fn aside<T>(&self, does: impl FnOnce() -> T) -> T {
        let held = self.put();
        let done = does();
        let left = self.put();
        self.take_again(held);
        self.take_again(left);
        done
    }

    /// How much is in hand, to go back to with [`Account::drop_to`].
    pub(crate) fn mark(&self) -> usize {
        self.hand.borrow().len()
    }

    /// What was taken since the mark was used for nothing.
    pub(crate) fn drop_to(&self, mark: usize) {
        self.hand.borrow_mut().truncate(mark);
    }

    /// What was taken of a node and of all below was used for nothing, and what became of it is something else.
    pub(crate) fn instead(&self, node: N<'_>, fate: Fate) {
        let below: Vec<u32> = node.descendants().map(index).collect();
        let mut hand = self.hand.borrow_mut();
        hand.retain(|(taken, _)| !below.contains(taken));
        drop(hand);
        self.because(node, fate);
    }

    /// Says what became of nodes; the first word counts, but that something is carried counts most.
    pub(crate) fn settle(&self, taken: impl IntoIterator<Item = (Taken, Fate)>) {
        let mut fates = self.fates.borrow_mut();
        let mut denials = self.denials.borrow_mut();
        for ((node, facet), fate) in taken {
            let cell = match facet {
                Facet::Itself => fates.get_mut(node as usize),
                Facet::Denial => Some(denials.entry(node).or_default()),
            };
            if let Some(cell) = cell
                && (cell.is_none()
                    || matches!(fate, Fate::Carried { .. })
                        && !matches!(cell, Some(Fate::Carried { .. })))
            {
                *cell = Some(fate);
            }
        }
    }

    /// Says why nothing below a node that nobody took is in a resource.
    pub(crate) fn because(&self, node: N<'_>, fate: Fate) {
        let below = node.descendants().filter(N::is_element);
        self.settle(below.flat_map(|node| {
            let denial = is_denied(node).then_some(Facet::Denial);
            let facets = [Facet::Itself].into_iter().chain(denial);
            facets.map(move |facet| ((index(node), facet), fate))
        }));
    }

    pub(crate) fn fate(&self, node: N<'_>, facet: Facet) -> Option<Fate> {
        match facet {
            Facet::Itself => self.fates.borrow().get(index(node) as usize).copied()?,
            Facet::Denial => self.denials.borrow().get(&index(node)).copied()?,
        }
    }
}

/// Elements that say how the document is built and nothing of a person, with the reason.
const STRUCTURE: &[&str] = &[
    // which template it follows: the mapping is chosen by it
    "templateId",
    "typeId",
    "realmCode",
    // in which order the parts of an organizer stand
    "sequenceNumber",
    // that the next relation is one of several: no template of C-CDA gives it a meaning
    "conjunctionCode",
    "seperatableInd",
];

/// Attributes that say how the document is built.
const SHAPE: &[&str] = &[
    "classCode",
    "moodCode",
    "determinerCode",
    "typeCode",
    "contextControlCode",
    "contextConductionInd",
    "inversionInd",
    "negationInd",
    "nullFlavor",
    "ID",
    "independentInd",
    "type",
    "schemaLocation",
    "partType",
    "operator",
    "unsorted",
    "inclusive",
    "institutionSpecified",
    // which system a code would be of, and who gives a number: nothing without the code and the number
    "codeSystem",
    "codeSystemName",
    "codeSystemVersion",
    "assigningAuthorityName",
    "displayable",
    "preserve",
    "alignment",
];

/// Elements with an own meaning even without attributes and text: who takes part, and in what.
const PARTS: &[&str] = &[
    "author",
    "informant",
    "participant",
    "performer",
    "subject",
    "specimen",
];

/// Whether it can carry a fact: a statement, a participation of somebody, or a value of its own that is not the document's
/// structure.
pub(crate) fn is_fact(node: N<'_>) -> bool {
    if !node.is_element() || STRUCTURE.contains(&node.tag_name().name()) {
        return false;
    }
    is_statement(node)
        || has_value(node)
        || is_part(node) && node.descendants().skip(1).any(is_valued)
}

/// A participation; the person inside a relative's is called `subject`, too.
fn is_part(node: N<'_>) -> bool {
    let name = node.tag_name().name();
    PARTS.contains(&name)
        && node.tag_name().namespace() != Some(SDTC)
        && (name != "subject"
            || node
                .parent_element()
                .is_none_or(|above| above.tag_name().name() != "relatedSubject"))
}

fn is_valued(node: N<'_>) -> bool {
    node.is_element() && !STRUCTURE.contains(&node.tag_name().name()) && has_value(node)
}

fn has_value(node: N<'_>) -> bool {
    let said = |words: &str| !words.trim().is_empty();
    // What a name or an address is for says something where there is one.
    let used = || {
        node.attribute("value").is_some()
            || node
                .children()
                .any(|one| one.is_text() && one.text().is_some_and(said))
            || node.descendants().skip(1).any(is_valued)
    };
    node.attributes().any(|one| {
        !SHAPE.contains(&one.name()) && said(one.value()) && (one.name() != "use" || used())
    }) || node
        .children()
        .any(|one| one.is_text() && one.text().is_some_and(said))
}

pub(crate) fn is_denied(node: N<'_>) -> bool {
    flag(node, "negationInd") == Some(true) || is_unread_denial(node)
}

/// The account as a report, one line for every fact, in order of the source.
pub(crate) struct Lines<'s> {
    account: &'s Account,
    /// Bytes of the original that a node has.
    span: &'s dyn Fn(N<'_>) -> (u64, u64),
    /// `Type/id` of the resources in order of their making.
    resources: Vec<String>,
    report: LossReport,
    /// Places of names in the report.
    names: HashMap<&'s str, u32>,
    told: Told<'s>,
    /// The narratives of the sections so far.
    kept: Vec<Kept<'s>>,
}

/// Where a fact stands: its section, the line of the statement around it, and what that section's narrative keeps.
#[derive(Clone, Copy)]
struct Place {
    section: u32,
    within: Option<u32>,
    /// Which of [`Lines::kept`].
    kept: u32,
}

/// Why a fact that no mapping took is in no resource, by what it is.
fn nobody(account: &Account, node: N<'_>) -> Fate {
    let above = node.parent_element();
    let carried = |node: Option<N<'_>>| {
        node.and_then(|node| account.fate(node, Facet::Itself))
            .is_some_and(|fate| matches!(fate, Fate::Carried { .. }))
    };
    Fate::Lost(match node.tag_name().name() {
        _ if attr(node, "value").is_some() && sure(node).is_none() => UNSURE,
        "qualifier" => "FHIR has no place for what qualifies a code",
        "name" | "value" if above.is_some_and(|above| above.tag_name().name() == "qualifier") => {
            "FHIR has no place for what qualifies a code"
        }
        "originalText" if carried(above) => "the words for a code that is carried",
        "reference" => {
            "it points to words that the document does not have, or that another element has"
        }
        "id" => "the number of something that the resource has no place for",
        "time" => {
            "when somebody took part: the resource has no place for it, or wants the full moment"
        }
        "author" | "performer" | "participant" | "informant" if !carried(Some(node)) => {
            "somebody whom the resource has no place for, or of whom nothing is said"
        }
        "addr" | "telecom" | "streetAddressLine" | "city" | "state" | "postalCode" | "country"
        | "county" | "given" | "family" | "prefix" | "suffix" => {
            "details of somebody whom the resource has no place for"
        }
        "statusCode" if carried(above) => {
            "the status of something that became a part of another resource"
        }
        "translation" => "another code or amount for what is carried in one",
        "effectiveTime" | "low" | "high" | "center" | "width" if is_of_when(node) => {
            "when it was, or how long: the resource has no place for it"
        }
        "priorityCode" => "how urgent it is: the resource has no place for it",
        "repeatNumber" => "how often it is repeated: the resource has no place for it",
        _ => "no mapping reads this part of such a statement",
    })
}

/// Whether it says when a statement was.
fn is_of_when(node: N<'_>) -> bool {
    node.ancestors()
        .take_while(|one| !is_statement(*one))
        .any(|one| one.tag_name().name() == "effectiveTime")
}

impl<'s> Lines<'s> {
    pub(crate) fn new(
        account: &'s Account,
        span: &'s dyn Fn(N<'_>) -> (u64, u64),
        resources: Vec<String>,
        anchors: Rc<Anchors<'s>>,
    ) -> Self {
        Self {
            account,
            span,
            resources,
            report: LossReport::default(),
            names: HashMap::new(),
            told: Told::new(anchors),
            kept: Vec::new(),
        }
    }

    /// All facts of a document.
    pub(crate) fn of(mut self, root: N<'s>) -> LossReport {
        self.report.resources = core::mem::take(&mut self.resources);
        self.walk(root);
        self.report
    }

    fn walk(&mut self, root: N<'s>) {
        let outside = Place {
            section: self.section(""),
            within: None,
            kept: self.keep(Kept::default()),
        };
        let mut stack: Vec<(N<'s>, Place)> = vec![(root, outside)];
        while let Some((node, mut place)) = stack.pop() {
            let is_section = node.tag_name().name() == "section";
            if is_section {
                let code = crate::xml::child(node, "code").and_then(|code| attr(code, "code"));
                place.section = self.section(code.unwrap_or_default());
                place.kept = self.keep(Kept::of(node));
            }
            if node != root && is_fact(node) {
                let line = self.line(node, Facet::Itself, place);
                if is_statement(node) {
                    place.within = Some(line);
                    if is_denied(node) {
                        self.line(node, Facet::Denial, place);
                    }
                }
            }
            for inner in node.children().rev().filter(N::is_element) {
                // The narrative itself is kept whole.
                if is_section && inner.tag_name().name() == "text" {
                    continue;
                }
                stack.push((inner, place));
            }
        }
    }

    fn keep(&mut self, kept: Kept<'s>) -> u32 {
        self.kept.push(kept);
        u32::try_from(self.kept.len() - 1).unwrap_or(u32::MAX)
    }

    fn is_kept(&self, node: N<'s>, place: Place) -> bool {
        let kept = self.kept.get(place.kept as usize);
        kept.is_some_and(|kept| kept.has(node, &self.told))
    }

    fn section(&mut self, code: &str) -> u32 {
        let found = self.report.sections.iter().position(|one| one == code);
        let at = found.unwrap_or_else(|| {
            self.report.sections.push(code.to_owned());
            self.report.sections.len() - 1
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    fn line(&mut self, node: N<'s>, facet: Facet, place: Place) -> u32 {
        let fate = self
            .account
            .fate(node, facet)
            .unwrap_or_else(|| nobody(self.account, node));
        let (outcome, resource, element, because) = match fate {
            Fate::Carried { resource, element } => {
                (EntryOutcome::Converted, Some(resource), element, None)
            }
            // That something is denied is no word of its own.
            Fate::Lost(why) if facet == Facet::Itself && self.is_kept(node, place) => {
                (EntryOutcome::KeptAsNarrative, None, "", Some(why))
            }
            Fate::Lost(why) => (EntryOutcome::Lost, None, "", Some(why)),
        };
        let name = match facet {
            Facet::Itself => node.tag_name().name(),
            Facet::Denial => "@negationInd",
        };
        let name = match self.names.get(name) {
            Some(at) => *at,
            None => {
                let at = self.report.name(name);
                self.names.insert(name, at);
                at
            }
        };
        let at = self.report.entries.len();
        self.report.entries.push(LossEntry {
            outcome,
            section: place.section,
            name,
            within: place.within,
            span: (self.span)(node),
            resource,
            element: element.into(),
            because: because.map(Into::into),
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}
