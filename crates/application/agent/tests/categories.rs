//! A consent that is limited to a category or a time gives no document that has something of another in it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say};

/// An own record, accepted and confirmed, and what its import said.
async fn imported(two: &Two, name: &str, document: &str) -> (String, Value) {
    let path = two.folder.path().join(name);
    std::fs::write(&path, document).unwrap();
    let told = say(&two.patient, &["record", "import", path.to_str().unwrap()]).await;
    let record = text(&told, "/record");
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "confirm", &record]).await;
    (record, told)
}

async fn written(two: &Two, name: &str, tree: &Value) -> String {
    imported(two, name, &tree.to_string()).await.0
}

/// The reader asks for so much and is given it, of all records.
async fn asked(two: &Two, reader: &Party, limits: &[&str]) {
    let owner = text(&say(reader, &["contact", "list"]).await, "/owners/0/owner");
    say(reader, &[&["request", "create", &owner], limits].concat()).await;
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["request", "approve", "reader", "--all"]).await;
    say(reader, &["sync"]).await;
}

/// How many of these the reader was given.
async fn given(reader: &Party, records: &[String]) -> usize {
    let mut many = 0;
    for record in records {
        match try_say(reader, &["read", record]).await {
            Ok(_) => many += 1,
            Err(_) => drop(refused(reader, &["read", record], code::UNKNOWN).await),
        }
    }
    many
}

fn bundle(kind: &str, resources: &[Value]) -> Value {
    let entry = resources.iter().map(|one| json!({"resource": one}));
    json!({"resourceType": "Bundle", "type": kind, "entry": entry.collect::<Vec<_>>()})
}

fn seen(category: &str, at: &str) -> Value {
    json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": at, "code": {"text": "x"},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": category}]}]})
}

fn composition(loinc: &str, date: &str) -> Value {
    json!({"resourceType": "Composition", "status": "final", "date": date, "title": loinc,
        "type": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "section": [section(loinc)]})
}

fn section(loinc: &str) -> Value {
    json!({"title": "x", "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]}, "text": {"status": "generated",
        "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Recurrent depression</div>"}})
}

const NOW: &str = "2025-03-01";

#[tokio::test]
async fn a_consent_to_laboratory_and_vitals_gives_nothing_else_that_stands_with_them() {
    let world = World::new(1210);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let (lab, vital) = (seen("laboratory", NOW), seen("vital-signs", NOW));
    let report = composition("11502-2", NOW);
    let condition =
        json!({"resourceType": "Condition", "code": {"text": "x"}, "recordedDate": NOW});
    let mut contains = vital.clone();
    contains["contained"] = json!([condition]);
    let visit =
        json!({"resourceType": "Encounter", "status": "finished", "reasonCode": [{"text": "x"}]});
    let psychiatric = composition("11488-4", NOW);
    let service = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "GE"}]});
    let mut variant = lab.clone();
    variant["category"].as_array_mut().unwrap().push(service);
    let lab_report = json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}, "issued": "2025-03-01T00:00:00Z",
        "category": lab["category"]});
    let mut local = lab.clone();
    local["category"] = json!([{"text": "Psychiatry"}]);
    let team = json!({"resourceType": "CareTeam", "reasonCode": [{"text": "x"}]});
    let mut others = Vec::new();
    for (at, tree) in [
        bundle("searchset", &[report.clone(), lab.clone(), psychiatric]),
        bundle("document", &[composition("34108-1", NOW), vital.clone()]),
        bundle("collection", &[contains]),
        bundle("collection", &[visit, vital.clone()]),
        bundle("document", &[report.clone(), lab.clone(), condition]),
        bundle("collection", &[variant]),
        bundle("collection", &[lab_report, local]),
        bundle("collection", &[team, lab.clone()]),
    ]
    .iter()
    .enumerate()
    {
        others.push(written(&two, &format!("other{at}.json"), tree).await);
    }
    let mut own = Vec::new();
    for (at, tree) in [
        bundle("document", &[report, lab]),
        bundle("collection", &[vital]),
    ]
    .iter()
    .enumerate()
    {
        own.push(written(&two, &format!("own{at}.json"), tree).await);
    }
    let limits = ["--category", "laboratory", "--category", "vitals"];
    asked(&two, &reader, &limits).await;
    let many = given(&reader, &others).await;
    println!(
        "ATTACK twelfth-1: {many} of {} documents of several kinds go out under a consent to laboratory and vitals",
        others.len()
    );
    assert_eq!((many, given(&reader, &own).await), (0, own.len()));
}

/// What stands in a section of a document of one category, under a number that its report names on another server, or beside a
/// panel, is not of that category.
#[tokio::test]
async fn a_consent_to_a_category_gives_no_section_and_no_result_that_is_not_known_to_be_of_it() {
    let world = World::new(1213);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let mut all = Vec::new();
    for code in [
        "11348-0", "29308-4", "10162-6", "11535-2", "46241-6", "42348-3", "75310-3",
    ] {
        let mut summary = composition("11369-6", NOW);
        let more = [section("11369-6"), section(code)];
        summary["section"] = json!(more);
        all.push(bundle("document", &[summary]).to_string());
    }
    let history = |code: &str| {
        let body = format!(
            r#"<structuredBody><component><section><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><text>HIV infection since 2009</text></section></component></structuredBody>"#
        );
        cda("11369-6", "N", "20250301", &body)
    };
    all.push(history("11348-0"));
    let unknown = |id: &str| json!({"resourceType": "Observation", "id": id, "status": "final", "effectiveDateTime": NOW, "code": {"text": "PHQ-9 total"}});
    let report = |of: &str| {
        let mut report = seen("laboratory", NOW);
        report["resourceType"] = "DiagnosticReport".into();
        report["result"] = json!([{"reference": of}]);
        report
    };
    let mut lab = seen("laboratory", NOW);
    lab["id"] = "17".into();
    let mut two_servers = bundle(
        "collection",
        &[
            report("http://lab.org/fhir/Observation/17"),
            lab.clone(),
            unknown("17"),
        ],
    );
    two_servers["entry"][1]["fullUrl"] = "http://lab.org/fhir/Observation/17".into();
    two_servers["entry"][2]["fullUrl"] = "http://psych.org/fhir/Observation/17".into();
    all.push(two_servers.to_string());
    let versioned = report("Observation/17/_history/1");
    all.push(bundle("collection", &[versioned, lab, unknown("1")]).to_string());
    let mut panel = seen("vital-signs", NOW);
    panel["hasMember"] = json!([{"reference": "Observation/q"}]);
    all.push(bundle("collection", &[panel, unknown("q")]).to_string());
    let mut others = Vec::new();
    for (at, text) in all.iter().enumerate() {
        others.push(imported(&two, &format!("other{at}"), text).await.0);
    }
    let mut own = Vec::new();
    for (at, text) in [
        bundle("document", &[composition("11369-6", NOW)]).to_string(),
        history("11369-6"),
        bundle("collection", &[report("Observation/1"), unknown("1")]).to_string(),
    ]
    .iter()
    .enumerate()
    {
        own.push(imported(&two, &format!("own{at}"), text).await.0);
    }
    let limits = ["immunisations", "laboratory", "vitals"];
    let limits: Vec<&str> = limits.iter().flat_map(|it| ["--category", it]).collect();
    asked(&two, &reader, &limits).await;
    let many = given(&reader, &others).await;
    println!(
        "ATTACK fourteenth-b1: {many} of {} documents with a section or a result that is not known to be of their category go out under a consent to three",
        others.len()
    );
    assert_eq!((many, given(&reader, &own).await), (0, own.len()));
}

#[tokio::test]
async fn a_consent_to_some_time_gives_nothing_of_another() {
    let world = World::new(1211);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let (new, old) = (seen("laboratory", NOW), seen("laboratory", "2010-05-05"));
    let report = json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"}, "issued": NOW});
    let mut others = Vec::new();
    for (at, tree) in [
        bundle("collection", &[new.clone(), old.clone()]),
        bundle("collection", &[old.clone(), new.clone()]),
        bundle("collection", &[report, old.clone()]),
        bundle("searchset", &[composition("11502-2", NOW), old]),
    ]
    .iter()
    .enumerate()
    {
        others.push(written(&two, &format!("other{at}.json"), tree).await);
    }
    let later = seen("laboratory", "2025-06-01");
    let own = written(&two, "own.json", &bundle("collection", &[new, later])).await;
    asked(&two, &reader, &["--since", "2024-01-01"]).await;
    let many = given(&reader, &others).await;
    println!(
        "ATTACK twelfth-m2: {many} of {} documents with a result of 2010 go out under a consent to what is since 2024",
        others.len()
    );
    assert_eq!((many, given(&reader, &[own]).await), (0, 1));
}

/// What says when it was written, indexed or claimed is no newer than what it holds.
#[tokio::test]
async fn a_consent_to_some_time_gives_no_scan_and_no_claim_of_what_was_before() {
    let world = World::new(1214);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let with = |kind: &str, name: &str, value: Value| {
        let mut one = reference("application/pdf", "%PDF-1.7");
        if kind != "DocumentReference" {
            one = json!({"status": "active", "created": NOW});
        }
        one["resourceType"] = kind.into();
        one[name] = value;
        one
    };
    let old = json!({"start": "2010-02-01", "end": "2010-02-01"});
    let mut scan = reference("application/pdf", "%PDF-1.7");
    scan["content"][0]["attachment"]["creation"] = "2010-02-01".into();
    let mut others = Vec::new();
    for (at, tree) in [
        scan,
        with("DocumentReference", "context", json!({"period": old})),
        with("Claim", "item", json!([{"servicedDate": "2010-02-01"}])),
        with(
            "ExplanationOfBenefit",
            "item",
            json!([{"servicedPeriod": old}]),
        ),
    ]
    .iter()
    .enumerate()
    {
        others.push(written(&two, &format!("other{at}.json"), tree).await);
    }
    let mut own = Vec::new();
    for (at, tree) in [
        reference("application/pdf", "%PDF-1.7"),
        with("Claim", "item", json!([{"servicedDate": "2025-02-01"}])),
    ]
    .iter()
    .enumerate()
    {
        own.push(written(&two, &format!("own{at}.json"), tree).await);
    }
    asked(&two, &reader, &["--since", "2024-01-01"]).await;
    let many = given(&reader, &others).await;
    println!(
        "ATTACK fourteenth-b3: {many} of {} scans and claims of what was in 2010 go out under a consent to what is since 2024",
        others.len()
    );
    assert_eq!((many, given(&reader, &own).await), (0, own.len()));
}

const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

fn cda(kind: &str, level: &str, at: &str, body: &str) -> String {
    format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3.4"/><code code="{kind}" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime value="{at}"/>
        <confidentialityCode code="{level}" codeSystem="2.16.840.1.113883.5.25"/><component>{body}</component></ClinicalDocument>"#
    )
}

fn reference(kind: &str, bytes: impl AsRef<[u8]>) -> Value {
    json!({"resourceType": "DocumentReference", "status": "current", "date": NOW,
        "type": {"coding": [{"system": "http://loinc.org", "code": "11502-2"}]},
        "content": [{"attachment": {"contentType": kind, "data": STANDARD.encode(bytes)}}]})
}

/// A document that another one holds has labels of its own.
#[tokio::test]
async fn a_document_within_another_is_as_sensitive_as_it_says() {
    const BODY: &str = "<structuredBody/>";
    const UNREAD: &str = "it holds another document whose labels are not read";
    let world = World::new(1212);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let secret = cda("11502-2", "V", "20250301", BODY);
    let labelled =
        json!({"resourceType": "Condition", "meta": {"security": [{"system": V3, "code": "R"}]}})
            .to_string();
    let twice = bundle(
        "collection",
        &[reference("application/hl7-cda+xml", &secret)],
    )
    .to_string();
    let thrice = bundle("collection", &[reference("application/fhir+json", &twice)]).to_string();
    let binary = json!({"resourceType": "Binary", "contentType": "application/octet-stream", "data": STANDARD.encode(&secret)});
    let media = json!({"resourceType": "Media", "status": "completed", "createdDateTime": NOW,
        "content": {"contentType": "text/plain", "data": STANDARD.encode(&secret)}});
    let by_url = json!({"resourceType": "DocumentReference", "status": "current", "content": [{"attachment": {
        "url": format!("data:application/hl7-cda+xml;base64,{}", STANDARD.encode(&secret))}}]});
    // Without its padding, in the alphabet of RFC 4648, section 5; this one has signs in which they differ.
    let special = cda("11502-2", "V", "20250301", "<!-- ÿþ?>~~ -->");
    let mut url_safe = reference("application/octet-stream", "");
    url_safe["content"][0]["attachment"]["data"] = URL_SAFE_NO_PAD.encode(&special).into();
    let commented = format!("<!-- {} -->{secret}", "x".repeat(20_000));
    let of_v = "in a document within it, the header's confidentialityCode is V";
    let held = |text: &str| {
        cda(
            "34133-9",
            "N",
            "20250301",
            &format!("<nonXMLBody>{text}</nonXMLBody>"),
        )
    };
    let encoded = STANDARD.encode(&secret);
    let kept = held(&format!(
        r#"<text mediaType="text/xml" representation="B64">{encoded}</text>"#
    ));
    let packed = held(
        r#"<text mediaType="text/xml" representation="B64" compression="GZ">eJwDAAAAAAE=</text>"#,
    );
    let cases = [
        (
            reference("application/hl7-cda+xml", &secret).to_string(),
            "very-restricted",
            of_v,
        ),
        (
            reference("text/xml; charset=utf-8", &secret).to_string(),
            "very-restricted",
            of_v,
        ),
        (
            reference("application/octet-stream", &secret).to_string(),
            "very-restricted",
            of_v,
        ),
        (
            reference("application/fhir+json", labelled).to_string(),
            "restricted",
            "in a document within it, Condition.meta.security is R",
        ),
        (binary.to_string(), "very-restricted", of_v),
        (media.to_string(), "very-restricted", of_v),
        (by_url.to_string(), "very-restricted", of_v),
        (
            reference("application/fhir+json", &twice).to_string(),
            "very-restricted",
            of_v,
        ),
        (
            reference("application/fhir+json", &thrice).to_string(),
            "restricted",
            UNREAD,
        ),
        (
            reference("text/xml", "<other/>").to_string(),
            "restricted",
            UNREAD,
        ),
        (
            reference("application/gzip", "x").to_string(),
            "restricted",
            UNREAD,
        ),
        (url_safe.to_string(), "very-restricted", of_v),
        (
            reference("text/plain", &commented).to_string(),
            "very-restricted",
            of_v,
        ),
        (
            reference("application/octet-stream", b"\x1f\x8b\x08\x00").to_string(),
            "restricted",
            UNREAD,
        ),
        (
            reference("application/x-xdm", b"PK\x03\x04").to_string(),
            "restricted",
            UNREAD,
        ),
        (kept, "very-restricted", of_v),
        (packed, "restricted", UNREAD),
    ];
    let mut others = Vec::new();
    for (at, (text, sensitivity, why)) in cases.iter().enumerate() {
        let (record, told) = imported(&two, &format!("held{at}"), text).await;
        assert_eq!(
            (told["sensitivity"].as_str(), told["labelled"].as_str()),
            (Some(*sensitivity), Some(*why)),
            "{text}"
        );
        others.push(record);
    }
    // An office's document: ZIP with these names first (ECMA-376, part 2).
    let letter = [b"PK\x03\x04".as_slice(), &[0; 26], b"[Content_Types].xml"].concat();
    // One that says nothing of it leaves it as it is, if it is of the same category and day; so does what is no document.
    let usual = |kind: &str, at: &str| reference("text/xml", cda(kind, "N", at, BODY)).to_string();
    let mut own = Vec::new();
    for (at, (text, category)) in [
        (usual("11502-2", "20250301"), "laboratory"),
        (
            reference("application/pdf", "%PDF-1.7").to_string(),
            "laboratory",
        ),
        (
            reference("text/html", "<html><p>Potassium 4.1</p></html>").to_string(),
            "laboratory",
        ),
        (
            reference("application/msword", letter).to_string(),
            "laboratory",
        ),
        (usual("34133-9", "20250301"), "documents"),
        (usual("11502-2", "20100505"), "laboratory"),
    ]
    .iter()
    .enumerate()
    {
        let (record, told) = imported(&two, &format!("own{at}"), text).await;
        assert_eq!(
            (told["sensitivity"].as_str(), told["category"].as_str()),
            (Some("normal"), Some(*category)),
            "{text}"
        );
        own.push(record);
    }
    asked(
        &two,
        &reader,
        &["--category", "laboratory", "--since", "2024-01-01"],
    )
    .await;
    let many = given(&reader, &others).await;
    println!(
        "ATTACK twelfth-m1: {many} of {} documents with a restricted one within go out under a consent to what is usual",
        others.len()
    );
    assert_eq!(
        (
            many,
            given(&reader, &own[..4]).await,
            given(&reader, &own[4..]).await
        ),
        (0, 4, 0)
    );
}
