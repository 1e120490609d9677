//! The account is true: what is kept in the narrative has its words there, and what is converted is in the element that is named.

use medibloc_record::{Draft, EntryOutcome};

use super::document::{self, one, read};

/// What became of the facts whose path ends so.
fn fates(draft: &Draft, end: &str) -> Vec<EntryOutcome> {
    let lines = draft.loss.entries.iter();
    let found = lines.filter(|line| draft.loss.path(line).ends_with(end));
    found.map(|line| line.outcome).collect()
}

/// The words of the value of a number that nobody converts, as they may or may not stand in the text.
#[test]
fn what_is_kept_as_narrative_has_its_words_there() {
    use EntryOutcome::{KeptAsNarrative as Kept, Lost};
    for (part, text, fate) in [
        (
            r#"<id root="1.2.3" extension="AB-77"/>"#,
            "Number AB-77.",
            Kept,
        ),
        (
            r#"<id root="1.2.3" extension="AB-77"/>"#,
            "Number AB-78.",
            Lost,
        ),
        (r#"<id root="1.2.3" extension="AB-77"/>"#, "", Lost),
        (
            r#"<derivationExpr>a plus b</derivationExpr>"#,
            "It is A  plus\n b",
            Kept,
        ),
        (
            r#"<derivationExpr>a plus b</derivationExpr>"#,
            "It is a plus c",
            Lost,
        ),
        (
            r#"<derivationExpr>a plus b</derivationExpr>"#,
            r#"<content revised="delete">a plus b</content> a plus c"#,
            Lost,
        ),
        (
            r#"<repeatNumber value="250" unit="mg"/>"#,
            "up to 250mg",
            Kept,
        ),
        (
            r#"<repeatNumber value="250" unit="mg"/>"#,
            "up to 1250 mg",
            Lost,
        ),
        (r#"<repeatNumber value="2"/>"#, "2 of them", Lost),
        // A code is no word, and one of another statement would be as good.
        (r#"<priorityCode code="active"/>"#, "active", Lost),
        (
            r#"<priorityCode code="1" displayName="At once"/>"#,
            "at once",
            Kept,
        ),
        (
            r##"<priorityCode code="1"><originalText><reference value="#p"/></originalText></priorityCode>"##,
            r#"<content ID="p">now</content>"#,
            Kept,
        ),
        (
            r##"<priorityCode code="1"><originalText><reference value="#q"/></originalText></priorityCode>"##,
            r#"<content ID="p">now</content>"#,
            Lost,
        ),
    ] {
        // An observation has no place for any of these; its number is that of a region nobody draws.
        let name = part[1..].split([' ', '>']).next().unwrap();
        let part = if name == "id" {
            format!(
                r#"<entryRelationship typeCode="SPRT"><act classCode="ACT" moodCode="EVN">{part}<code code="1"/></act></entryRelationship>"#
            )
        } else {
            part.to_owned()
        };
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="ST">x</value>{part}</observation>"#
        );
        let draft = read("30954-2", text, &entry);
        assert_eq!(one(&draft, "Observation")["valueString"], "x");
        assert_eq!(fates(&draft, &format!("/{name}")), [fate], "{part} {text}");
    }
}

/// What a fact of the source must be found as in the element that it is said to be in.
fn sought(node: roxmltree::Node<'_, '_>) -> Option<String> {
    match node.tag_name().name() {
        "id" | "setId" => node.attribute("extension").map(str::to_owned),
        "effectiveTime" | "low" | "high" | "center" | "time" => {
            let value = node.attribute("value")?;
            let is_time = value.len() >= 4 && value.bytes().take(4).all(|one| one.is_ascii_digit());
            (is_time && node.attribute("unit").is_none()).then(|| value[..4].to_owned())
        }
        "family" | "given" | "city" | "streetAddressLine" => {
            let words: Vec<&str> = node.text()?.split_whitespace().collect();
            Some(words.join(" ")).filter(|words| !words.is_empty())
        }
        _ => None,
    }
}

/// Numbers, times and names of the whole corpus, where `MEDIBLOC_CORPUS` points to it.
#[test]
fn what_is_converted_is_in_the_element_that_is_named() {
    let Some(corpus) = std::env::var_os("MEDIBLOC_CORPUS") else {
        println!("SKIPPED corpus/cda: MEDIBLOC_CORPUS names no folder");
        return;
    };
    let mut folders = vec![std::path::PathBuf::from(corpus).join("ccda")];
    let (mut seen, mut wrong) = (0_usize, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let Ok(draft) =
                medibloc_record::Format::read(&medibloc_format_cda::Cda, text.as_bytes())
            else {
                continue;
            };
            let tree = roxmltree::Document::parse(text.trim_start_matches('\u{feff}')).unwrap();
            let shift = text.len() - text.trim_start_matches('\u{feff}').len();
            let nodes = tree.descendants().filter(roxmltree::Node::is_element);
            let by_start: std::collections::HashMap<_, _> = nodes
                .map(|node| ((node.range().start + shift) as u64, node))
                .collect();
            let bundle = serde_json::Value::from(draft.fhir.clone());
            let mut resources: std::collections::HashMap<String, &serde_json::Value> =
                bundle["entry"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|entry| &entry["resource"])
                    .map(|one| {
                        let part = |name: &str| one[name].as_str().unwrap();
                        (format!("{}/{}", part("resourceType"), part("id")), one)
                    })
                    .collect();
            resources.insert("Bundle".to_owned(), &bundle);
            for line in &draft.loss.entries {
                let Some(name) = draft.loss.resource(line) else {
                    continue;
                };
                let Some(sought) = by_start.get(&line.span.0).copied().and_then(sought) else {
                    continue;
                };
                let whole = resources[name];
                let element = &*line.element;
                let found = if element.is_empty() {
                    whole.to_string()
                } else {
                    let plain = element.trim_start_matches('_');
                    format!("{} {}", whole[plain], whole[format!("_{plain}")])
                };
                seen += 1;
                // What a statement names by its number is a reference to what has that number.
                let named = |one: &&str| one.len() == 36;
                let named = found
                    .split(['"', ':'])
                    .filter(named)
                    .find_map(|id| resources.iter().find(|(name, _)| name.ends_with(id)));
                let found = format!(
                    "{found} {}",
                    named.map_or(&serde_json::Value::Null, |(_, one)| *one)
                );
                let plain = |words: &str| {
                    words
                        .to_lowercase()
                        .replace(|one: char| !one.is_alphanumeric(), "")
                };
                if !plain(&found).contains(&plain(&sought)) {
                    wrong.push(format!(
                        "{}: {} {sought} is not in {name} {element}",
                        path.file_name().unwrap().to_string_lossy(),
                        draft.loss.path(line)
                    ));
                }
            }
        }
    }
    assert!(seen > 1_000, "{seen}");
    assert!(
        wrong.is_empty(),
        "{} of {seen}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What a supply says of its sort is in the device if that says nothing itself, or the same, and else nowhere.
#[test]
fn the_sort_of_a_supply_is_in_its_device_or_told_as_lost() {
    const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
    for (mood, kind, own, sort, is_told) in [
        ("EVN", "DeviceUseStatement", "", "1", true),
        ("EVN", "DeviceUseStatement", "1", "1", true),
        ("EVN", "DeviceUseStatement", "2", "2", false),
        ("INT", "DeviceRequest", "", "1", true),
        ("INT", "DeviceRequest", "2", "2", false),
    ] {
        let code = match own {
            "" => String::new(),
            own => format!(r#"<code code="{own}" {SCT}/>"#),
        };
        let entry = format!(
            r#"<supply classCode="SPLY" moodCode="{mood}"><code code="1" {SCT} displayName="Bed"/><statusCode code="completed"/><participant typeCode="PRD"><participantRole classCode="MANU"><id root="1.2.3" extension="d"/><playingDevice>{code}</playingDevice></participantRole></participant></supply>"#
        );
        let draft = read("46264-8", "", &entry);
        let made = one(&draft, kind);
        assert!(made.get("device").is_some() || made.get("codeReference").is_some());
        let device = one(&draft, "Device");
        assert_eq!(device["type"]["coding"][0]["code"], sort, "{entry}");
        let fate = fates(&draft, "supply/code");
        let wanted = match is_told {
            true => EntryOutcome::Converted,
            false => EntryOutcome::Lost,
        };
        assert_eq!(fate[0], wanted, "{entry}");
    }
}

/// What is normal may be told in a code: it is not in the words alone.
#[test]
fn a_normal_finding_keeps_its_code() {
    const NORMAL: &str = "https://medibloc.org/fhir/StructureDefinition/normal-value";
    for words in ["", "<text>none seen</text>"] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CD" code="260415000" codeSystem="2.16.840.1.113883.6.96" displayName="Not detected"/><referenceRange><observationRange>{words}<value xsi:type="CD" code="260385009" codeSystem="2.16.840.1.113883.6.96" displayName="Negative"/></observationRange></referenceRange></observation>"#
        );
        let range = one(&read("30954-2", "", &entry), "Observation")["referenceRange"][0].clone();
        let said = if words.is_empty() {
            "Negative"
        } else {
            "none seen"
        };
        assert_eq!(range["text"], said);
        assert_eq!(range["extension"][0]["url"], NORMAL);
        let code = &range["extension"][0]["valueCodeableConcept"]["coding"][0]["code"];
        assert_eq!(*code, "260385009");
    }
}

/// The number of an illness of a relative is in no element.
#[test]
fn the_number_of_an_illness_is_not_told_as_converted() {
    let entry = r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.45"/><statusCode code="completed"/><subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject><component><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.46"/><id root="1.2.3" extension="fh"/><code code="64572001" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><value xsi:type="CD" code="22298006" codeSystem="2.16.840.1.113883.6.96"/></observation></component></organizer>"#;
    let draft = read("10157-6", "", entry);
    let told = one(&draft, "FamilyMemberHistory").to_string();
    assert!(!told.contains(r#""fh""#));
    assert_eq!(fates(&draft, "observation/id"), [EntryOutcome::Lost]);
}

/// Whoever wrote something, did it or took part in it is in the element that is named.
#[test]
fn who_took_part_is_where_the_account_says() {
    let author = |id: &str, time: &str| {
        format!(
            r#"<author><time value="{time}"/><assignedAuthor><id root="1.2.7" extension="{id}"/><assignedPerson><name><family>{id}</family></name></assignedPerson></assignedAuthor></author>"#
        )
    };
    let two = [author("Ash", "2013"), author("Elm", "2014")].concat();
    let handed = r#"<participant typeCode="IRCP"><participantRole><id root="1.2.7" extension="Yew"/><playingEntity><name><family>Yew</family></name></playingEntity></participantRole></participant>"#;
    let sct = r#"<code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="active"/>"#;
    for (section, entry) in [
        (
            "61146-7",
            format!(r#"<observation classCode="OBS" moodCode="GOL">{sct}{two}</observation>"#),
        ),
        (
            "47519-4",
            format!(r#"<procedure classCode="PROC" moodCode="EVN">{sct}{two}{handed}</procedure>"#),
        ),
        (
            "62387-6",
            format!(
                r#"<act classCode="ACT" moodCode="INT">{sct}<entryRelationship typeCode="REFR"><procedure classCode="PROC" moodCode="EVN">{sct}{two}{handed}</procedure></entryRelationship></act>"#
            ),
        ),
        (
            "18776-5",
            format!(r#"<procedure classCode="PROC" moodCode="INT">{sct}{two}</procedure>"#),
        ),
    ] {
        let draft = read(section, "", &entry);
        let bundle = serde_json::Value::from(draft.fhir.clone());
        let entries = bundle["entry"].as_array().unwrap();
        let mut seen = 0;
        for line in &draft.loss.entries {
            let path = draft.loss.path(line);
            let is_part = ["author", "participant"]
                .iter()
                .any(|part| path.ends_with(part));
            let Some(resource) = draft.loss.resource(line).filter(|_| is_part) else {
                assert!(!is_part, "{path} {entry}");
                continue;
            };
            seen += 1;
            let (kind, id) = resource.split_once('/').unwrap();
            let mut found = entries.iter().map(|one| &one["resource"]);
            let found = found.find(|one| one["id"] == id && one["resourceType"] == kind);
            let told = &found.unwrap()[&*line.element];
            // When it was written down says that somebody wrote it then.
            let is_time = ["authoredOn", "recorded", "date"].contains(&&*line.element);
            let who = entries.iter().filter(|one| {
                let url = one["fullUrl"].as_str().unwrap();
                told.to_string().contains(url)
            });
            let [from, to] = [line.span.0, line.span.1].map(|at| usize::try_from(at).unwrap());
            let xml = document::whole("", section, "", &format!("<entry>{entry}</entry>"));
            let said = &xml[from..to];
            let is_there = who.clone().any(|one| {
                let name = one["resource"]["name"][0]["family"].as_str();
                name.is_some_and(|name| said.contains(name))
            });
            assert!(is_time || is_there, "{path} {resource} {}", line.element);
        }
        assert!(seen > 1, "{entry}");
    }
}

/// What stands in an entry as a relation to nothing is read, and of what became nothing no part is told as a part of something.
#[test]
fn what_became_nothing_is_no_part_of_anything() {
    let link =
        |inner: &str| format!(r#"<entryRelationship typeCode="COMP">{inner}</entryRelationship>"#);
    let code =
        r#"<code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>"#;
    let seen = format!(
        r#"<observation classCode="OBS" moodCode="EVN">{code}<value xsi:type="INT" value="3"/></observation>"#
    );
    let draft = read("30954-2", "", &link(&seen));
    assert_eq!(one(&draft, "Observation")["valueInteger"], 3);
    let nothing = format!(
        r#"<act classCode="ACT" moodCode="EVN">{code}<effectiveTime value="200802"/></act>"#
    );
    let draft = read("30954-2", "", &link(&nothing));
    let because: Vec<_> = draft
        .loss
        .entries
        .iter()
        .filter_map(|line| {
            let path = draft.loss.path(line);
            path.starts_with("act").then(|| line.because.clone())
        })
        .collect();
    assert!(
        because.len() == 4 && because.iter().all(|one| *one == because[0]),
        "{because:?}"
    );
}

/// Why a part is in no resource says what it is, where that is known.
#[test]
fn a_part_that_has_no_place_is_called_by_what_it_says() {
    let sct = r#"codeSystem="2.16.840.1.113883.6.96""#;
    for (part, end, wanted) in [
        (
            r#"<priorityCode code="S"/>"#,
            "observation/priorityCode",
            "how urgent it is",
        ),
        (
            r#"<repeatNumber value="2"/>"#,
            "observation/repeatNumber",
            "how often it is repeated",
        ),
        (
            r#"<derivationExpr>a</derivationExpr>"#,
            "observation/derivationExpr",
            "no mapping reads",
        ),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/>{part}<value xsi:type="INT" value="2"/></observation>"#
        );
        let why = document::why_lost(&read("30954-2", "", &entry), end);
        assert!(why.len() == 1 && why[0].starts_with(wanted), "{why:?}");
    }
    let indication = format!(
        r#"<procedure classCode="PROC" moodCode="EVN"><code code="1" {sct}/><statusCode code="completed"/><entryRelationship typeCode="RSON"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.19"/><code code="404684003" {sct}/><statusCode code="completed"/><effectiveTime><low value="2020"/></effectiveTime><value xsi:type="CD" code="2" {sct}/></observation></entryRelationship></procedure>"#
    );
    let why = document::why_lost(&read("47519-4", "", &indication), "observation/low");
    assert!(
        why.len() == 1 && why[0].starts_with("when it was"),
        "{why:?}"
    );
}
