//! Degrees that are printed as a letter, which is coulomb or farad in UCUM.

use medibloc_record::json::Value;

use crate::{
    statement::shape,
    xml::{N, attr, child, is_statement, text},
};

/// The UCUM code of a letter for degrees: certain only of what is measured as a temperature, and of a number that a body may have.
pub(super) fn ucum(node: N<'_>, printed: &str, number: Option<&Value>) -> Option<String> {
    let (code, of_bodies) = match printed {
        "C" => ("Cel", 10.0..=45.0),
        "F" => ("[degF]", 50.0..=113.0),
        _ => return None,
    };
    let number: f64 = number?.to_string().parse().ok()?;
    let of = node.ancestors().find(|one| is_statement(*one))?;
    (of_bodies.contains(&number) && is_temperature(of)).then(|| code.to_owned())
}

/// Whether a statement measures a temperature, by its code (LOINC, SNOMED CT) or by a word of its name.
fn is_temperature(of: N<'_>) -> bool {
    const CODES: &[&str] = &[
        "8310-5",
        "8328-7",
        "8329-5",
        "8331-1",
        "8332-5",
        "8333-3",
        "386725007",
    ];
    const WORDS: &[&str] = &["temp", "temperature"];
    let name = child(of, "code").and_then(|code| {
        let said = child(code, "originalText").and_then(text);
        attr(code, "displayName").map(str::to_owned).or(said)
    });
    let is_named = name.is_some_and(|name| {
        let mut words = name.split(|letter: char| !letter.is_alphanumeric());
        words.any(|word| WORDS.contains(&word.to_lowercase().as_str()))
    });
    shape::is_coded(of, CODES) || is_named
}
