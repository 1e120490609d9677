//! An author who is a person and a device at once.

use medibloc_record::EntryOutcome::Converted;
use medibloc_record::Format as _;

use super::{
    document::{all, one, whole},
    fates,
};

/// Both are told where the author is: the number and the address of the role are the person's, the device has its name alone.
#[test]
fn a_person_and_a_device_are_both_authors() {
    let author = |device: &str| {
        format!(
            r#"<author><time value="2025"/><assignedAuthor><id root="1.2.7" extension="7"/><addr><city>Ulm</city></addr><assignedPerson><name><given>Ib</given><family>Ash</family></name></assignedPerson>{device}</assignedAuthor></author>"#
        )
    };
    let device = r#"<assignedAuthoringDevice><manufacturerModelName>M1</manufacturerModelName><softwareName>Export</softwareName></assignedAuthoringDevice>"#;
    for (device, many) in [("", 0), (device, 1)] {
        let author = author(device);
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="ST">x</value>{author}</observation>"#
        );
        let xml = whole(&author, "30954-2", "", &format!("<entry>{entry}</entry>"));
        let draft = medibloc_format_cda::Cda.read(xml.as_bytes()).unwrap();
        let person = one(&draft, "Practitioner");
        assert_eq!(person["name"][0]["family"], "Ash");
        assert_eq!(person["identifier"][0]["value"], "7");
        assert_eq!(person["address"][0]["city"], "Ulm");
        let devices = all(&draft, "Device");
        assert_eq!(devices.len(), many);
        let url = |one: &serde_json::Value| format!("urn:uuid:{}", one["id"].as_str().unwrap());
        let wanted: Vec<String> = [&person].into_iter().chain(&devices).map(url).collect();
        let told = |list: &serde_json::Value,
                    who: &dyn Fn(&serde_json::Value) -> serde_json::Value| {
            let all = list.as_array().unwrap().iter();
            let all = all.map(|one| who(one)["reference"].as_str().unwrap().to_owned());
            all.collect::<Vec<_>>()
        };
        let composition = one(&draft, "Composition");
        assert_eq!(told(&composition["author"], &|one| one.clone()), wanted);
        for one in all(&draft, "Provenance") {
            assert_eq!(told(&one["agent"], &|one| one["who"].clone()), wanted);
        }
        for device in &devices {
            assert_eq!(device["deviceName"][0]["name"], "Export");
            assert_eq!(device["modelNumber"], "M1");
            assert_eq!(device.get("identifier"), None);
            assert_eq!(device.get("location"), None);
        }
        for name in ["softwareName", "family", "addr", "city", "id"] {
            let fates = fates(&draft, &format!("author/{name}"));
            assert!(fates.iter().all(|fate| *fate == Converted), "{name}");
        }
    }
}
