//! Concern acts: what stands in them becomes resources, and what they say themselves has hardly a place in FHIR.

use medibloc_record::json::Value;

use crate::{
    account::{Because, Fate},
    codes::status,
    context::{Statement, Subject},
    doc::{Doc, key_of, reference},
    json::json,
    people,
    resource::Resource,
    statement::{
        self, HEALTH_CONCERN, Inside, Made, family, inside, outside, own_writer, recorded, relation,
    },
    value::{self, code, time, time::Stamp},
    xml::{N, child, children, writers},
};

/// How long somebody was concerned about it, which is not how long it lasted.
pub(crate) const CONCERN_PERIOD: &str =
    "https://medibloc.org/fhir/StructureDefinition/concern-period";

/// Whether somebody is concerned still, where no status of the resource says so.
const CONCERN_STATUS: &str = "https://medibloc.org/fhir/StructureDefinition/concern-status";

/// What somebody is concerned about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// The resource that each statement of the concern becomes.
    pub(crate) kind: &'static str,
    /// Nothing of that kind stands in it.
    pub(crate) nothing: Because,
    /// Why whoever treats it is in no resource.
    pub(crate) who_treats: Because,
    /// Why the time of the concern is in no resource.
    pub(crate) how_long: Because,
}

/// The concern around a statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Concern<'d> {
    pub(crate) act: Statement<'d>,
    /// Whether it is about one thing alone, whose number is that of the concern, too.
    is_alone: bool,
}

impl<'d> Concern<'d> {
    /// Puts what a resource can have of it.
    pub(crate) fn put(&self, doc: &Doc<'d>, out: &mut Resource<'d>) {
        out.says(doc, Some(self.act.node));
        out.says(doc, child(self.act.node, "code"));
        if self.is_alone
            && let Some(Value::Array(ids)) = value::identifiers(doc, self.act.node)
        {
            out.push_all(doc, "identifier", ids);
        }
        out.push(doc, "extension", span(doc, self.act.node));
    }

    /// Whether nobody is concerned any more, since a time that nobody knows. Formats before C-CDA have such an end in each concern.
    fn is_over_since_unknown(&self) -> bool {
        const WITH_ENDS: &[&str] = &[
            "2.16.840.1.113883.10.20.22.4.3",
            "2.16.840.1.113883.10.20.22.4.30",
        ];
        let when = self.act.child("effectiveTime");
        self.act.has(WITH_ENDS) && when.is_some_and(time::has_unknown_end)
    }

    /// What it says by its status and time of what it is about: whether that is active.
    pub(crate) fn clinical(&self) -> Option<&'static str> {
        let said = self.act.child("statusCode").and_then(code::state);
        let said = said.and_then(status::concern);
        match said {
            Some("active") | None if self.is_over_since_unknown() => Some("inactive"),
            said => said,
        }
    }

    /// Puts its status, where the resource's own does not say it.
    pub(crate) fn put_state(
        &self,
        doc: &Doc<'d>,
        out: &mut Resource<'d>,
        is_said: impl Fn(&str) -> bool,
    ) {
        let Some(code) = child(self.act.node, "statusCode") else {
            return;
        };
        if code::state(code).is_some_and(is_said) {
            doc.account.take(code);
        } else {
            let state = || state(doc, self.act.node);
            doc.account.aside(|| out.push(doc, "extension", state()));
        }
    }
}

/// What names the authors of a statement: itself, or else the concern around it (CDA R2, section 4.4).
fn authored<'d>(of: &Statement<'d>, concern: Option<Concern<'d>>) -> N<'d> {
    match (writers(of.node).next(), concern) {
        (None, Some(concern)) => concern.act.node,
        _ => of.node,
    }
}

/// When a statement was written down, or else the concern around it.
pub(crate) fn written<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    concern: Option<Concern<'d>>,
) -> Option<Stamp> {
    recorded(doc, authored(of, concern))
}

/// Who wrote a statement, or else the concern around it.
pub(crate) fn writer<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    concern: Option<Concern<'d>>,
) -> Option<String> {
    own_writer(doc, authored(of, concern))
}

/// What one statement states, several things of one kind, by the first of them.
pub(crate) fn several<'d>(
    doc: &Doc<'d>,
    of: &Statement<'d>,
    about: &About,
    urls: Vec<String>,
) -> Result<Made, Because> {
    let first = urls.first().cloned().ok_or(about.nothing)?;
    if urls.len() > 1 {
        let all = urls.into_iter().map(|url| (url, of.node));
        doc.concerns(&first, all.collect());
    }
    Ok(Some((about.kind, first)))
}

/// Converts each of the statements that a concern is about; one may state several things.
pub(crate) fn convert<'d>(
    doc: &Doc<'d>,
    act: &Statement<'d>,
    about: &About,
    all: &[Statement<'d>],
    one: impl Fn(&Doc<'d>, Option<Concern<'d>>, &Statement<'d>) -> Result<Vec<String>, Because>,
) -> Result<Made, Because> {
    // What supports what somebody is concerned about is no further concern.
    let supports = |inner: &&Statement<'d>| !relation::is_support(inner.node);
    let own: Vec<_> = all.iter().filter(supports).copied().collect();
    let all = if own.is_empty() { all } else { &own };
    let concern = Concern {
        act: *act,
        is_alone: all.len() == 1,
    };
    let (mut made, mut because) = (Vec::new(), about.nothing);
    let mut of_another = None;
    for inner in all {
        let is_own = matches!(inner.subject(), Subject::Patient) && !family::is_family(inner);
        if inner.is_risk() || !is_own {
            match statement::convert(doc, inner) {
                Ok(found) => of_another = of_another.or(found),
                Err(why) => {
                    because = why;
                    doc.account.because(inner.node, Fate::Lost(why));
                }
            }
            continue;
        }
        match one(doc, Some(concern), inner) {
            Ok(urls) => made.extend(urls.into_iter().map(|url| (url, inner.node))),
            Err(why) => {
                because = why;
                doc.account.because(inner.node, Fate::Lost(why));
            }
        }
    }
    let Some((first, _)) = made.first().cloned() else {
        return of_another.map_or(Err(because), |found| Ok(Some(found)));
    };
    doc.concerns(&first, made.clone());
    let made: Vec<String> = made.into_iter().map(|(url, _)| url).collect();
    if about.kind == "Condition" {
        treaters(doc, act, &made);
    }
    // What else stands in a concern about one thing is about that thing.
    let alone = made.first().filter(|_| made.len() == 1);
    let others = inside(doc, act, alone.map(String::as_str));
    if made.len() > 1 {
        relation::visit::of_each(doc, act, &made, &others);
    }
    outside::keep(doc, act.node, &made);
    let made: Vec<_> = made.into_iter().map(|url| (about.kind, url)).collect();
    around(doc, act, made, &others);
    for (name, why) in [
        ("performer", about.who_treats),
        ("id", "the number of a concern about several things"),
        ("effectiveTime", about.how_long),
    ] {
        for part in children(act.node, name) {
            doc.account.because(part, Fate::Lost(why));
        }
    }
    Ok(Some((about.kind, first)))
}

/// Says of all that a concern is about what is said of the concern: how much somebody wants it, what supports it, and of what no
/// other element has it, since when somebody is concerned and whether they still are.
pub(crate) fn around<'d>(
    doc: &Doc<'d>,
    act: &Statement<'d>,
    made: Vec<(&'static str, String)>,
    others: &[Inside<'d>],
) {
    let is_concern = act.has(HEALTH_CONCERN) || act.is_risk();
    let is_wish = |one: &&Inside<'d>| relation::is_preference(one.node);
    let named = others.iter().filter(|one| {
        is_concern && one.relation == "REFR" && one.kind == "Observation" && !is_wish(one)
    });
    let named: Vec<String> = named.map(|one| one.url.clone()).collect();
    for url in &named {
        doc.account.aside(|| concerned(doc, act, url));
    }
    let mut all = made.clone();
    for url in named {
        if !all.iter().any(|(_, known)| *known == url) {
            all.push(("Observation", url));
        }
    }
    let urls: Vec<String> = all.iter().map(|(_, url)| url.clone()).collect();
    for wish in others.iter().filter(is_wish) {
        relation::focus(doc, &wish.url, &urls);
    }
    let evident = |one: &Inside<'d>| {
        relation::is_support(one.node) && ["Condition", "Observation"].contains(&one.kind)
    };
    for (_, url) in made.iter().filter(|(kind, _)| *kind == "Condition") {
        let detail = |one| json!({"detail": [one]});
        relation::link(doc, url, "evidence", others, detail, evident);
    }
    match (&*all, key_of(act.node)) {
        ([(kind, url)], Some(key)) => doc.is_about(key, kind, url),
        ([_, ..], Some(key)) => doc.holds(key, all),
        _ => {}
    }
}

/// An observation that somebody is concerned about has no element for that.
fn concerned<'d>(doc: &Doc<'d>, act: &Statement<'d>, url: &str) {
    let known = doc.element(url, "extension").unwrap_or_default();
    let is_told = |one: &Value| {
        [CONCERN_PERIOD, CONCERN_STATUS]
            .iter()
            .any(|own| one["url"] == **own)
    };
    if known.as_array().is_some_and(|all| all.iter().any(is_told)) {
        return;
    }
    let push = |element: &'static str, value: Value| {
        doc.account.take(act.node);
        doc.change(url, element, |resource| {
            if let Value::Array(all) = resource.entry(element).or_insert_with(|| json!([])) {
                all.push(value);
            }
        });
    };
    if let Some(span) = span(doc, act.node) {
        push("extension", span);
    }
    if let Some(state) = state(doc, act.node) {
        push("extension", state);
    }
    if act.has(HEALTH_CONCERN) {
        if let Some(code) = child(act.node, "code") {
            doc.account.take(code);
        }
        push(
            "category",
            code::coded(relation::US_CORE, relation::HEALTH_CONCERN),
        );
    }
}

/// How long somebody was concerned about it.
pub(crate) fn span<'d>(doc: &Doc<'d>, act: N<'d>) -> Option<Value> {
    let when = child(act, "effectiveTime")?;
    // A single time is when somebody began to be concerned, if they still are.
    let goes_on = child(act, "statusCode").and_then(code::state) == Some("active");
    let span = match goes_on {
        true => time::period_from(doc, when),
        false => time::period_within(doc, when),
    }?;
    Some(json!({"url": CONCERN_PERIOD, "valuePeriod": span}))
}

/// Whether somebody still is.
pub(crate) fn state<'d>(doc: &Doc<'d>, act: N<'d>) -> Option<Value> {
    let code = child(act, "statusCode")?;
    let state = code::state(code)?;
    doc.account.take(code);
    Some(json!({"url": CONCERN_STATUS, "valueCode": state.to_owned()}))
}

/// Who treats what somebody is concerned about: a team of those for these conditions.
fn treaters<'d>(doc: &Doc<'d>, act: &Statement<'d>, conditions: &[String]) {
    for part in children(act.node, "performer") {
        let Some(url) = people::entity(doc, part) else {
            continue;
        };
        let mut out = Resource::plain("CareTeam", None);
        out.body.insert("subject".into(), reference(&doc.patient()));
        let member = json!([{"member": reference(&url)}]);
        out.put(doc, "participant", Some(member));
        let about = people::references(conditions.iter().cloned());
        out.put(doc, "reasonReference", about);
        let _ = out.join(doc, Some(format!("treats|{url}")));
    }
}
