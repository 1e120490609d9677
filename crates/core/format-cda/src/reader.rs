//! The port: bytes to a draft.

use medibloc_record::{Category, Draft, Format, FormatError, FormatProblem, Sensitivity};
use roxmltree::{Document, ParsingOptions};

use sha2::{Digest, Sha256};

use crate::{
    account::Lines,
    doc::{Doc, reference},
    guard, header,
    json::json,
    labels,
    resource::Resource,
    section,
    statement::{self, encounter},
    value::{self, absent, code, list, time},
    xml::{N, attr, child},
};

/// Somebody else of whose record the document is a part.
const RECORD_TARGET: &str = "https://medibloc.org/fhir/StructureDefinition/record-target";

/// The vocabulary of CDA R2. Some leave it out.
const V3: &str = "urn:hl7-org:v3";

/// Reads HL7 CDA R2 documents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cda;

impl Format for Cda {
    fn name(&self) -> &'static str {
        "HL7 CDA"
    }

    fn sniff(&self, bytes: &[u8]) -> bool {
        let head: Vec<u8> = bytes
            .iter()
            .take(8192)
            .copied()
            .filter(|&byte| byte != 0)
            .collect();
        head.windows(16).any(|window| window == b"ClinicalDocument")
    }

    fn read(&self, bytes: &[u8]) -> Result<Draft, FormatError> {
        let decoded = guard::decode(bytes)?;
        let xml = decoded.text.as_ref();
        guard::scan(xml)?;
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: 8_000_000,
            ..Default::default()
        };
        let tree = Document::parse_with_options(xml, options).map_err(|problem| {
            let at = problem.pos();
            guard::error(
                FormatProblem::Malformed("not well-formed XML".to_owned()),
                format!("line {}, column {}", at.row, at.col),
                "mend the XML there, or get the document again from its source",
            )
        })?;
        let root = tree.root_element();
        let is_foreign = root
            .tag_name()
            .namespace()
            .is_some_and(|space| !space.starts_with(V3));
        if root.tag_name().name() != "ClinicalDocument" || is_foreign {
            return Err(guard::error(
                FormatProblem::Foreign,
                "the root element".to_owned(),
                "a CDA document starts with ClinicalDocument of urn:hl7-org:v3; try another format",
            ));
        }
        let span = |node: N<'_>| {
            let range = node.range();
            (
                decoded.source_offset(range.start),
                decoded.source_offset(range.end),
            )
        };
        // Nodes are numbered in order of the document.
        let mut last = tree.root();
        while let Some(inner) = last.last_child() {
            last = inner;
        }
        let nodes = last.id().get() as usize;
        Ok(draft(root, nodes, bytes, &span))
    }
}

fn draft<'d>(root: N<'d>, nodes: usize, bytes: &[u8], span: &section::Span<'_>) -> Draft {
    let digest = || hex::encode(Sha256::digest(bytes));
    let seed = header::seed(root).unwrap_or_else(digest);
    let doc = Doc::new(root, nodes, bytes.len(), seed);
    let mut composition = Resource::plain("Composition", None);
    header::patient(&doc);
    doc.account.let_go();
    for other in header::others(&doc) {
        let other = json!({"url": RECORD_TARGET, "valueReference": reference(&other)});
        composition.push(&doc, "extension", Some(other));
    }
    let authors = header::authors(&doc);
    composition.put(&doc, "author", list(authors.clone()));
    let language = header::language(&doc);
    composition.put(&doc, "language", language.clone());
    let identifier = header::bundle_identifier(&doc, digest);
    let of_bundle = doc.account.put();
    let set = child(root, "setId").and_then(|id| value::identifier(&doc, id));
    // What stays the same over all versions is the composition's; the version's own is the bundle's.
    composition.put(
        &doc,
        "identifier",
        set.or_else(|| child(root, "id").and_then(|id| value::identifier(&doc, id))),
    );
    let version = child(root, "versionNumber").and_then(|one| {
        let number = attr(one, "value")?;
        doc.account.take(one);
        Some(json!({
            "url": "http://hl7.org/fhir/StructureDefinition/composition-clinicaldocument-versionNumber",
            "valueString": number.to_owned(),
        }))
    });
    composition.push(&doc, "extension", version);
    // FHIR demands a status: what nobody signed is unverified, which is `preliminary`.
    let signed = child(root, "legalAuthenticator").is_some();
    composition.body.insert(
        "status".into(),
        if signed { "final" } else { "preliminary" }.into(),
    );
    composition.put(
        &doc,
        "type",
        Some(code::concept_or_absent(&doc, child(root, "code"))),
    );
    composition
        .body
        .insert("subject".into(), reference(&doc.patient()));
    encounter::encompassing(&doc, &mut composition);
    let written = child(root, "effectiveTime").and_then(|at| time::time(&doc, at));
    let partial = written.clone().filter(|at| !at.at.contains('T'));
    let dated = time::put_at(&mut composition, &doc, "date", written.clone());
    let written = written.filter(time::Stamp::is_read).map(|at| at.at);
    if !dated {
        composition
            .body
            .insert("_date".into(), absent(child(root, "effectiveTime")));
    }
    let title = header::title(&doc);
    if !composition.put(&doc, "title", title.clone()) {
        composition
            .body
            .insert("_title".into(), absent(child(root, "title")));
    }
    let secrecy = header::confidentiality(&doc);
    composition.put(&doc, "confidentiality", secrecy);
    let custodian = header::custodian(&doc);
    composition.put(&doc, "custodian", custodian.map(|url| reference(&url)));
    header::rest(&doc, &mut composition);
    let whole = section::Whole {
        author: authors[0]["reference"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        written: written.clone(),
        span,
    };
    let sections = section::all(&doc, &whole);
    statement::relation::pointers(&doc);
    composition.put(&doc, "section", list(sections));
    doc.account.let_go();

    let (body, taken) = composition.parts();
    let category = category(root);
    let anchors = doc.anchors.clone();
    let (entries, resources, account) = doc.finish(body, taken, of_bundle);
    let mut bundle = json!({
        "resourceType": "Bundle",
        "identifier": identifier,
        "type": "document",
        "timestamp": instant(written.as_deref()),
        "entry": entries,
    });
    if let Some(partial) = partial {
        bundle["_timestamp"] = time::beside(&partial);
    } else if written.is_none() {
        // `bdl-10` wants an instant even so: it is marked as one that nobody states.
        bundle["_timestamp"] = absent(child(root, "effectiveTime"));
    }
    let lines = Lines::new(&account, span, resources, anchors);
    let mut draft = Draft::new(
        "application/cda+xml",
        bytes.to_vec(),
        bundle,
        lines.of(root),
    );
    draft.title = title;
    draft.language = language;
    draft.category = match category {
        broad @ (Category::Documents | Category::EncountersAndNotes) => broad,
        // The type of a document that is of one category alone is believed only if all of it is.
        _ => Category::of_bundle(&(&draft.fhir).into()),
    };
    draft.sensitivity = match secrecy {
        Some("R") => Sensitivity::Restricted,
        Some("V") => Sensitivity::VeryRestricted,
        _ => Sensitivity::Normal,
    };
    // What a section or an entry says counts as much as the header, and the form has a place for the header's alone.
    let labels = labels::of(root);
    draft.raise(labels.sensitivity(), labels.why().unwrap_or_default());
    draft.labelled = labels.why().map(str::to_owned);
    draft.written = written;
    draft
}

/// What the document is about, by its LOINC type.
fn category(root: N<'_>) -> Category {
    let code = child(root, "code").and_then(|code| attr(code, "code"));
    let category = code.and_then(Category::of_document);
    category.unwrap_or(Category::Documents)
}

/// `bdl-10` wants an instant: the document's time, filled up with its first moment in UTC.
/// `Composition.date` keeps the precision of the source.
pub(crate) fn instant(written: Option<&str>) -> String {
    match written {
        Some(at) if at.contains('T') => at.to_owned(),
        Some(at) => match at.len() {
            4 => format!("{at}-01-01T00:00:00Z"),
            7 => format!("{at}-01T00:00:00Z"),
            _ => format!("{at}T00:00:00Z"),
        },
        None => "1970-01-01T00:00:00Z".to_owned(),
    }
}
