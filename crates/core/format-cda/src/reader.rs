//! The port: bytes to a draft.

use medibloc_record::{
    Category, Draft, Format, FormatError, FormatProblem, LossReport, Sensitivity,
};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    build::{Builder, reference},
    guard, header, section,
    value::{absent, concept_or_absent, list, put, time},
    xml::{attr, child, text},
};

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
        let (xml, encoding) = guard::decode(bytes)?;
        guard::scan(&xml)?;
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: 8_000_000,
            ..Default::default()
        };
        let tree = Document::parse_with_options(&xml, options).map_err(|problem| {
            let at = problem.pos();
            guard::error(
                FormatProblem::Malformed("not well-formed XML".to_owned()),
                format!("line {}, column {}", at.row, at.col),
                "mend the XML there, or get the document again from its source",
            )
        })?;
        let root = tree.root_element();
        if root.tag_name().name() != "ClinicalDocument" {
            return Err(guard::error(
                FormatProblem::Foreign,
                "the root element".to_owned(),
                "a CDA document starts with ClinicalDocument; try another format",
            ));
        }
        let span = |node: Node<'_, '_>| {
            let range = node.range();
            (
                encoding.source_offset(&xml, range.start),
                encoding.source_offset(&xml, range.end),
            )
        };
        Ok(draft(root, bytes, &span))
    }
}

fn draft(root: Node<'_, '_>, bytes: &[u8], span: &section::Span<'_>) -> Draft {
    let digest = hex::encode(Sha256::digest(bytes));
    let mut build = Builder::new(root, header::seed(root).unwrap_or_else(|| digest.clone()));
    build.patient = header::patient(root, &mut build);
    let authors = header::authors(root, &mut build);
    let custodian = header::custodian(root, &mut build);
    let written = child(root, "effectiveTime").and_then(time);
    let title = child(root, "title").and_then(text);
    let language = header::language(root);
    let context = section::Context {
        author: authors[0].clone(),
        written: written.clone(),
        span,
    };
    let mut loss = LossReport::default();
    let sections = section::all(root, &context, &mut build, &mut loss);

    let mut composition = Map::new();
    put(
        &mut composition,
        "language",
        language.clone().map(Value::String),
    );
    put(
        &mut composition,
        "identifier",
        child(root, "id").and_then(crate::value::identifier),
    );
    // FHIR demands a status: what nobody signed is unverified, which is `preliminary`.
    let signed = child(root, "legalAuthenticator").is_some();
    composition.insert(
        "status".into(),
        if signed { "final" } else { "preliminary" }.into(),
    );
    composition.insert(
        "type".into(),
        concept_or_absent(child(root, "code"), &build),
    );
    composition.insert("subject".into(), reference(&build.patient));
    match &written {
        Some(at) => composition.insert("date".into(), at.clone().into()),
        None => composition.insert("_date".into(), absent(child(root, "effectiveTime"))),
    };
    put(
        &mut composition,
        "author",
        list(authors.iter().map(|url| reference(url)).collect()),
    );
    match &title {
        Some(title) => composition.insert("title".into(), title.clone().into()),
        None => composition.insert("_title".into(), absent(child(root, "title"))),
    };
    let secrecy = header::confidentiality(root);
    put(
        &mut composition,
        "confidentiality",
        secrecy.map(Value::from),
    );
    put(
        &mut composition,
        "custodian",
        custodian.map(|url| reference(&url)),
    );
    put(&mut composition, "section", list(sections));

    let bundle = json!({
        "resourceType": "Bundle",
        "identifier": header::bundle_identifier(root, &digest),
        "type": "document",
        "timestamp": instant(written.as_deref()),
        "entry": build.finish(composition),
    });
    let mut draft = Draft::new("application/cda+xml", bytes.to_vec(), bundle, loss);
    draft.title = title;
    draft.language = language;
    draft.category = category(root);
    draft.sensitivity = match secrecy {
        Some("R") => Sensitivity::Restricted,
        Some("V") => Sensitivity::VeryRestricted,
        _ => Sensitivity::Normal,
    };
    draft.written = written;
    draft
}

/// What the document is about, by its LOINC type.
fn category(root: Node<'_, '_>) -> Category {
    match child(root, "code").and_then(|code| attr(code, "code")) {
        Some("11488-4" | "18842-5" | "34117-2" | "11506-3" | "34133-9") => {
            Category::EncountersAndNotes
        }
        Some("28570-0" | "11504-8") => Category::Procedures,
        Some("18748-4") => Category::Imaging,
        Some("11502-2") => Category::Laboratory,
        _ => Category::Documents,
    }
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
