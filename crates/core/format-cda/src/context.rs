//! What a statement inherits: whose fact it is, whether it is denied, whether it happened, and who says so (CDA R2, section 4.4).
//! No mapping sees a bare node: it gets a [`Statement`], which can be made from a context alone.

use crate::{
    account::is_denied,
    statement::shape,
    xml::{N, attr, child, children, has_template, is_unread_denial, writers},
};

/// Whose fact it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'d> {
    /// The patient of the record.
    Patient,
    /// Somebody of the family, by the `subject` that says so.
    Relative(N<'d>),
    /// Another being or thing (a newborn beside its mother, a fetus, a donor, a device), by the `subject` that says so.
    Other(N<'d>),
}

/// Whether something happened, is wanted, or is hoped for (HL7 v3 `ActMood`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// `EVN`: it happened or is so.
    Event,
    /// `INT`: somebody means to.
    Intent,
    /// `RQO`: somebody asks somebody to.
    Order,
    /// `PRMS`: somebody promised.
    Promise,
    /// `PRP`: somebody proposes.
    Proposal,
    /// `APT`: it has a place in a calendar.
    Appointment,
    /// `ARQ`: it shall have one.
    AppointmentRequest,
    /// `GOL`: it is to be reached.
    Goal,
    /// `RSK`, `EXPEC`, `OPT`, `PERM`, `DEF`, `EVN.CRT`, and whatever else: no fact and no plan.
    Other,
}

impl Mood {
    fn of(code: &str) -> Self {
        match code {
            "EVN" => Self::Event,
            "INT" => Self::Intent,
            "RQO" => Self::Order,
            "PRMS" => Self::Promise,
            "PRP" => Self::Proposal,
            "APT" => Self::Appointment,
            "ARQ" => Self::AppointmentRequest,
            "GOL" => Self::Goal,
            _ => Self::Other,
        }
    }

    /// `intent` of a request (FHIR R4, `request-intent`).
    pub(crate) fn intent(self) -> &'static str {
        match self {
            Self::Order | Self::AppointmentRequest => "order",
            Self::Proposal => "proposal",
            _ => "plan",
        }
    }
}

/// What an act around a statement, or its own code, says of it beside that it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The patient may come to have it, or is looked at for it: that is no illness of anybody.
    Risk,
    /// Somebody suspects it.
    Suspicion,
}

/// What is known of a place in the document before it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'d> {
    /// LOINC code of the section, or empty.
    pub(crate) section: &'d str,
    subject: Subject<'d>,
    denied: bool,
    mood: Mood,
    /// The nearest element around it that names its authors.
    authors: Option<N<'d>>,
    /// The nearest element around it that names who told it.
    informants: Option<N<'d>>,
    /// Whether it stands inside another statement: then its section says nothing of what it is.
    pub(crate) is_inside: bool,
    /// The nearest element around it that says of which language it is.
    pub(crate) language: Option<N<'d>>,
    /// Whether it, or a statement around it, says by its `nullFlavor` that nothing is known.
    is_void: bool,
    /// Whether it, or a statement around it, has a denial that cannot be read.
    is_unread: bool,
    /// Whether a group around it was withdrawn, and so all that stands in it.
    is_withdrawn: bool,
    doubt: Option<Doubt>,
    /// Its time, if the statement around it has one: what is in a panel has the panel's.
    when: Option<N<'d>>,
}

/// A statement in its context: what every mapping is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'d> {
    pub(crate) node: N<'d>,
    pub(crate) context: Context<'d>,
}

/// Family members who are born or unborn beside the patient: their findings are theirs, and no family history.
const BESIDE: &[&str] = &["NBOR", "NCHILD", "FETUS", "NEWBORN"];

impl<'d> Context<'d> {
    /// That of the document.
    pub(crate) fn of_document(root: N<'d>) -> Self {
        Self {
            section: "",
            subject: Subject::Patient,
            denied: false,
            mood: Mood::Event,
            authors: child(root, "author").map(|_| root),
            informants: child(root, "informant").map(|_| root),
            is_inside: false,
            language: None,
            is_void: false,
            is_unread: false,
            is_withdrawn: false,
            doubt: None,
            when: None,
        }
    }

    /// That of the body.
    pub(crate) fn of_body(self, node: N<'d>) -> Self {
        self.below(node)
    }

    /// That of a section.
    pub(crate) fn of_section(self, node: N<'d>) -> Self {
        let code = child(node, "code").and_then(|code| attr(code, "code"));
        let code = code.or_else(|| of_template(node));
        Self {
            section: code.unwrap_or(self.section),
            when: None,
            ..self.below(node)
        }
    }

    /// A statement, with all that it inherits and all that it says itself.
    pub(crate) fn enter(self, node: N<'d>) -> Statement<'d> {
        let mood = mood_of(node).unwrap_or(self.mood);
        let context = Self {
            mood,
            denied: self.denied || denies(node),
            // What is a risk stays one, whatever is suspected of it.
            doubt: match (self.doubt, doubt_of(node)) {
                (Some(Doubt::Risk), _) => Some(Doubt::Risk),
                (around, own) => own.or(around),
            },
            is_void: self.is_void || attr(node, "nullFlavor").is_some(),
            is_unread: self.is_unread || is_unread_denial(node),
            ..self.below(node)
        };
        Statement { node, context }
    }

    fn below(self, node: N<'d>) -> Self {
        Self {
            subject: child(node, "subject")
                .map_or(self.subject, |subject| subject_of(node, subject)),
            authors: writers(node).next().map_or(self.authors, |_| Some(node)),
            informants: child(node, "informant").map_or(self.informants, |_| Some(node)),
            language: child(node, "languageCode").map_or(self.language, |_| Some(node)),
            ..self
        }
    }
}

/// The code of a section that has none, by its template: IHE PCC (which Swiss and other European documents use) and HL7 Germany.
fn of_template(node: N<'_>) -> Option<&'static str> {
    const KNOWN: &[(&str, &str)] = &[
        ("1.3.6.1.4.1.19376.1.5.3.1.3.13", "48765-2"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.6", "11450-4"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.8", "11348-0"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.19", "10160-0"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.23", "11369-6"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.14", "10157-6"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.15", "10157-6"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.16", "29762-2"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.25", "8716-3"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.27", "30954-2"),
        ("1.3.6.1.4.1.19376.1.5.3.1.3.28", "30954-2"),
        ("1.2.276.0.76.10.3027", "29548-5"),
        ("1.2.276.0.76.10.3044", "8716-3"),
        ("1.2.276.0.76.10.3051", "48765-2"),
    ];
    let found = KNOWN
        .iter()
        .find(|(template, _)| has_template(node, &[template]));
    found.map(|(_, code)| *code)
}

/// The mood that a statement has itself. What somebody means to do about a pregnancy has the mood of an intention and a value: it is
/// asked and answered, and so observed (C-CDA on FHIR, social history).
fn mood_of(node: N<'_>) -> Option<Mood> {
    let is_answer = is_pregnancy_intention(node) && child(node, "value").is_some();
    let said = attr(node, "moodCode").map(Mood::of);
    said.map(|said| if is_answer { Mood::Event } else { said })
}

/// A risk concern (C-CDA), and the context of a finding that is one of risk (SNOMED CT).
const RISK_CONCERN: &[&str] = &["2.16.840.1.113883.10.20.22.4.136"];
const AT_RISK: &[&str] = &["281694009", "410519009"];
const SUSPECTED: &[&str] = &["415684004"];

/// What a statement says itself of whether it is so, by its template, its code or that code's name.
fn doubt_of(node: N<'_>) -> Option<Doubt> {
    const SUSPICIONS: &[&str] = &["suspected", "suspicion of", "rule out"];
    let context = qualified(node, "408729009").and_then(|context| attr(context, "code"));
    let is_qualified = context.is_some_and(|code| AT_RISK.contains(&code));
    // A deed may be named so, too: what was found by a screening was found.
    let code = child(node, "code").filter(|code| match node.tag_name().name() {
        "act" => !shape::begins(*code, &["screening"]),
        name => name == "observation",
    });
    let is_suspected =
        |code: N<'_>| shape::is_any(code, SUSPECTED) || shape::begins(code, SUSPICIONS);
    if has_template(node, RISK_CONCERN) || is_qualified || code.is_some_and(names_risk) {
        Some(Doubt::Risk)
    } else {
        code.is_some_and(is_suspected).then_some(Doubt::Suspicion)
    }
}

/// Whether a code says that somebody may come to have something, or is looked at for it.
pub(crate) fn names_risk(code: N<'_>) -> bool {
    const RISKS: &[&str] = &["at risk", "risk for", "risk of", "screening for"];
    shape::is_any(code, AT_RISK) || shape::begins(code, RISKS)
}

/// Whether a statement says itself that it is not so: by its `negationInd`, or because what it names is qualified so.
pub(crate) fn denies(node: N<'_>) -> bool {
    is_denied(node) || finding_context(node) == Some("refuted")
}

/// What SNOMED CT says in the context of a finding (408729009), as `Condition.verificationStatus`.
pub(crate) fn finding_context(node: N<'_>) -> Option<&'static str> {
    Some(match attr(qualified(node, "408729009")?, "code")? {
        "410516002" | "410594000" => "refuted",
        "410590009" | "410592001" | "410593006" | "415684004" => "provisional",
        "410605003" => "confirmed",
        _ => return None,
    })
}

/// Whether what a statement names is qualified as that of another person: SNOMED CT, subject relationship (408732007).
pub(crate) fn is_of_another(node: N<'_>) -> bool {
    const OF_THE_RECORD: &str = "410604004";
    let whose = qualified(node, "408732007").and_then(|whose| attr(whose, "code"));
    whose.is_some_and(|whose| whose != OF_THE_RECORD)
}

/// Whether a value says itself whether it is there, or whose it is: a statement takes that for its own.
pub(crate) fn has_context(value: N<'_>) -> bool {
    crate::value::code::qualifier(value, &["408729009", "408732007"]).is_some()
}

fn qualified<'d>(node: N<'d>, name: &str) -> Option<N<'d>> {
    ["value", "code"].iter().find_map(|part| {
        let code = child(node, part)?;
        crate::value::code::qualifier(code, &[name])
    })
}

pub(crate) fn is_pregnancy_intention(node: N<'_>) -> bool {
    has_template(node, &["2.16.840.1.113883.10.20.22.4.443"]) || shape::is_coded(node, &["86645-9"])
}

fn subject_of<'d>(node: N<'d>, subject: N<'d>) -> Subject<'d> {
    let related = child(subject, "relatedSubject");
    let class = related
        .and_then(|one| attr(one, "classCode"))
        .unwrap_or("PRS");
    let code = related
        .and_then(|one| child(one, "code"))
        .and_then(|code| attr(code, "code"));
    let family = has_template(node, crate::statement::family::ORGANIZER)
        || (class == "PRS" && !code.is_some_and(|code| BESIDE.contains(&code)));
    match (class, code) {
        ("PAT", _) | (_, Some("SELF" | "ONESELF")) => Subject::Patient,
        _ if family => Subject::Relative(subject),
        _ => Subject::Other(subject),
    }
}

impl<'d> Statement<'d> {
    pub(crate) fn subject(&self) -> Subject<'d> {
        self.context.subject
    }

    /// Whether it, or a statement around it, says that this is not so.
    pub(crate) fn is_denied(&self) -> bool {
        self.context.denied
    }

    /// Whether it cannot be read if this is so or not.
    pub(crate) fn is_unread(&self) -> bool {
        self.context.is_unread
    }

    /// Whether it says that nothing is known, and indeed nothing stands in it that would be.
    pub(crate) fn is_void(&self) -> bool {
        self.context.is_void && !shape::says_something(self.node)
    }

    /// Whether the group that it stands in was made in error (`nullified`).
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.context.is_withdrawn
    }

    pub(crate) fn mood(&self) -> Mood {
        self.context.mood
    }

    /// Whether the patient is at risk of it, and need not have it.
    pub(crate) fn is_risk(&self) -> bool {
        self.context.doubt == Some(Doubt::Risk)
    }

    /// Whether it, or what stands around it, says that it is suspected.
    pub(crate) fn is_suspected(&self) -> bool {
        self.context.doubt == Some(Doubt::Suspicion)
    }

    /// A statement inside.
    pub(crate) fn enter(&self, node: N<'d>) -> Self {
        // What stands in a panel has the panel's time; no other time is inherited.
        let when = (self.name() == "organizer")
            .then(|| child(self.node, "effectiveTime").or(self.context.when));
        let inner = mood_of(node).unwrap_or(self.context.mood);
        // That something did not happen denies nothing of what is wanted beside it: who refused a vaccine is still to be taught.
        let is_beside = self.context.mood == Mood::Event && inner != Mood::Event;
        let state = child(self.node, "statusCode").and_then(crate::value::code::state);
        let is_withdrawn = self.name() == "organizer" && state == Some("nullified");
        let mut inner = Context {
            is_withdrawn: self.context.is_withdrawn || is_withdrawn,
            when: when.flatten(),
            is_inside: self.context.is_inside || !shape::is_group(self),
            denied: self.context.denied && !is_beside,
            ..self.context
        }
        .enter(node);
        if self.is_told_by(node) {
            inner.context.mood = self.context.mood;
        }
        inner
    }

    /// Whether a statement inside says what this one is, which has a number and no name: it has its number, and is of its kind.
    fn is_told_by(&self, node: N<'d>) -> bool {
        let number = crate::doc::key_of(self.node);
        number.is_some()
            && self.child("code").is_none()
            && number == crate::doc::key_of(node)
            && self.name() == node.tag_name().name()
    }

    /// The statements behind its relations, each with its relation.
    pub(crate) fn related(&self) -> impl Iterator<Item = (N<'d>, Self)> {
        let this = *self;
        crate::xml::related(self.node).map(move |(link, node)| (link, this.enter(node)))
    }

    /// Its own time, or that of the statement around it.
    pub(crate) fn when(&self) -> Option<N<'d>> {
        child(self.node, "effectiveTime").or(self.context.when)
    }

    /// Who wrote it, nearest first.
    pub(crate) fn authors(&self) -> impl Iterator<Item = N<'d>> + use<'d> {
        self.context.authors.into_iter().flat_map(writers)
    }

    /// Who told it, nearest first.
    pub(crate) fn informants(&self) -> impl Iterator<Item = N<'d>> + use<'d> {
        self.context
            .informants
            .into_iter()
            .flat_map(|node| children(node, "informant"))
    }

    pub(crate) fn child(&self, name: &'static str) -> Option<N<'d>> {
        child(self.node, name)
    }

    pub(crate) fn has(&self, templates: &[&str]) -> bool {
        has_template(self.node, templates)
    }

    pub(crate) fn name(&self) -> &'d str {
        self.node.tag_name().name()
    }
}
