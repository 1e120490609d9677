//! Units as documents print them, and the UCUM code of those that are certain (UCUM 2.1, section 2).

/// Units that are no UCUM and mean one thing alone, with their code.
const REPAIRS: &[(&str, &str)] = &[
    ("mmHg", "mm[Hg]"),
    ("mm Hg", "mm[Hg]"),
    ("MMHG", "mm[Hg]"),
    ("mm[HG]", "mm[Hg]"),
    ("mmhg", "mm[Hg]"),
    ("lb", "[lb_av]"),
    ("lbs", "[lb_av]"),
    ("LB", "[lb_av]"),
    ("[lb]", "[lb_av]"),
    ("pounds", "[lb_av]"),
    ("oz", "[oz_av]"),
    ("ounces", "[oz_av]"),
    ("in", "[in_i]"),
    ("inch", "[in_i]"),
    ("inches", "[in_i]"),
    ("[in_us]", "[in_us]"),
    ("ft", "[ft_i]"),
    ("feet", "[ft_i]"),
    ("degF", "[degF]"),
    ("°F", "[degF]"),
    ("deg F", "[degF]"),
    ("degC", "Cel"),
    ("°C", "Cel"),
    ("deg C", "Cel"),
    ("CEL", "Cel"),
    ("cel", "Cel"),
    ("bpm", "/min"),
    ("BPM", "/min"),
    ("beats/min", "/min"),
    ("breaths/min", "/min"),
    ("per minute", "/min"),
    ("mcg", "ug"),
    ("MCG", "ug"),
    ("µg", "ug"),
    ("μg", "ug"),
    ("mcg/mL", "ug/mL"),
    ("mcg/dL", "ug/dL"),
    ("mcg/h", "ug/h"),
    ("mcg/hr", "ug/h"),
    ("cc", "mL"),
    ("ml", "mL"),
    ("ML", "mL"),
    ("l", "L"),
    ("dl", "dL"),
    ("MG", "mg"),
    ("KG", "kg"),
    ("Kg", "kg"),
    ("CM", "cm"),
    ("gm", "g"),
    ("gms", "g"),
    ("grams", "g"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("sec", "s"),
    ("secs", "s"),
    ("seconds", "s"),
    ("second", "s"),
    ("minutes", "min"),
    ("minute", "min"),
    ("mins", "min"),
    ("day", "d"),
    ("days", "d"),
    ("week", "wk"),
    ("weeks", "wk"),
    ("month", "mo"),
    ("months", "mo"),
    ("year", "a"),
    ("years", "a"),
    ("yr", "a"),
    ("yrs", "a"),
    ("y", "a"),
    ("mEq/L", "meq/L"),
    ("MEQ/L", "meq/L"),
    ("mEq", "meq"),
    ("mmol/l", "mmol/L"),
    ("MMOL/L", "mmol/L"),
    ("umol/l", "umol/L"),
    ("mg/dl", "mg/dL"),
    ("MG/DL", "mg/dL"),
    ("g/dl", "g/dL"),
    ("G/DL", "g/dL"),
    ("gm/dl", "g/dL"),
    ("gm/dL", "g/dL"),
    ("ng/ml", "ng/mL"),
    ("pg/ml", "pg/mL"),
    ("ug/ml", "ug/mL"),
    ("mg/l", "mg/L"),
    ("g/l", "g/L"),
    ("ug/l", "ug/L"),
    ("NG/ML", "ng/mL"),
    ("PG/ML", "pg/mL"),
    ("IU", "[IU]"),
    ("iU", "[iU]"),
    ("IU/L", "[IU]/L"),
    ("IU/mL", "[IU]/mL"),
    ("mIU/L", "m[IU]/L"),
    ("mIU/mL", "m[IU]/mL"),
    ("uIU/mL", "u[IU]/mL"),
    ("u/l", "U/L"),
    ("Units/L", "U/L"),
    ("units/L", "U/L"),
    ("K/uL", "10*3/uL"),
    ("k/uL", "10*3/uL"),
    ("K/UL", "10*3/uL"),
    ("K/mm3", "10*3/mm3"),
    ("x10E3/uL", "10*3/uL"),
    ("x10E6/uL", "10*6/uL"),
    ("x10*3/uL", "10*3/uL"),
    ("x10*6/uL", "10*6/uL"),
    ("10E3/uL", "10*3/uL"),
    ("10E6/uL", "10*6/uL"),
    ("10^3/uL", "10*3/uL"),
    ("10^6/uL", "10*6/uL"),
    ("10^9/L", "10*9/L"),
    ("10^12/L", "10*12/L"),
    ("x10^9/L", "10*9/L"),
    ("x10^3/uL", "10*3/uL"),
    ("x10^6/uL", "10*6/uL"),
    ("10*3/ul", "10*3/uL"),
    ("10*6/ul", "10*6/uL"),
    ("10+3/ul", "10*3/uL"),
    ("10+6/ul", "10*6/uL"),
    ("10+3/uL", "10*3/uL"),
    ("10+6/uL", "10*6/uL"),
    ("M/uL", "10*6/uL"),
    ("/HPF", "/[HPF]"),
    ("/hpf", "/[HPF]"),
    ("/LPF", "/[LPF]"),
    ("/lpf", "/[LPF]"),
    ("kg/m^2", "kg/m2"),
    ("kg/m²", "kg/m2"),
    ("KG/M2", "kg/m2"),
    ("m²", "m2"),
    ("mL/min/1.73m2", "mL/min/{1.73_m2}"),
    ("mL/min/1.73 m2", "mL/min/{1.73_m2}"),
    ("mm/hr", "mm/h"),
    ("percent", "%"),
    ("pH", "[pH]"),
    ("PH", "[pH]"),
    ("fl", "fL"),
    ("FL", "fL"),
    ("PG", "pg"),
    ("lpm", "L/min"),
    ("LPM", "L/min"),
    ("l/min", "L/min"),
];

/// Units that take a prefix.
const METRIC: &[&str] = &[
    "m",
    "s",
    "g",
    "K",
    "Cel",
    "L",
    "l",
    "mol",
    "eq",
    "U",
    "kat",
    "Hz",
    "N",
    "Pa",
    "J",
    "W",
    "A",
    "V",
    "F",
    "Ohm",
    "T",
    "Bq",
    "Gy",
    "Sv",
    "[IU]",
    "[iU]",
    "osm",
    "cal",
    "bar",
    "lm",
    "lx",
    "B",
    "b",
    "C",
    "t",
    "u",
    "eV",
    "G",
    "Ci",
    "dyn",
    "erg",
    "P",
    "cd",
    "rad",
    "sr",
    "H",
    "S",
    "Wb",
    "m[H2O]",
    "m[Hg]",
    "[Amb'a'1'U]",
    "bit",
    "By",
    "[CFU]",
    "[PFU]",
    "[CCID_50]",
];

/// Units that take none.
const PLAIN: &[&str] = &[
    "%",
    "min",
    "h",
    "d",
    "wk",
    "mo",
    "a",
    "a_j",
    "mo_j",
    "deg",
    "'",
    "''",
    "gon",
    "[degF]",
    "[degR]",
    "[in_i]",
    "[ft_i]",
    "[yd_i]",
    "[mi_i]",
    "[in_us]",
    "[ft_us]",
    "[lb_av]",
    "[oz_av]",
    "[gr]",
    "[dr_av]",
    "[stone_av]",
    "[foz_us]",
    "[cup_us]",
    "[tbs_us]",
    "[tsp_us]",
    "[pt_us]",
    "[qt_us]",
    "[gal_us]",
    "[drp]",
    "[pH]",
    "[ppm]",
    "[ppb]",
    "[ppth]",
    "[HPF]",
    "[LPF]",
    "[arb'U]",
    "[USP'U]",
    "[GPL'U]",
    "[MPL'U]",
    "[APL'U]",
    "[beth'U]",
    "[anti'Xa'U]",
    "[todd'U]",
    "[dye'U]",
    "[Ch]",
    "[diop]",
    "[ELU]",
    "[EU]",
    "[AU]",
    "[BAU]",
    "[knk'U]",
    "[mclg'U]",
    "[hp'_X]",
    "[bdsk'U]",
    "[tb'U]",
    "[FEU]",
    "[D'ag'U]",
    "[smoot]",
    "[car_m]",
    "10*",
    "10^",
    "[pi]",
    "[m/s2/Hz^0.5]",
    "[psi]",
    "[Btu]",
    "[Cal]",
    "[nmi_i]",
    "mm[Hg]",
];

const PREFIXES: &[&str] = &[
    "da", "Y", "Z", "E", "P", "T", "G", "M", "k", "h", "d", "c", "m", "u", "n", "p", "f", "a", "z",
    "y", "Ki", "Mi", "Gi",
];

/// Letters that are seldom what they are in UCUM (coulomb, farad): degrees, where a temperature is measured.
const DEGREES: &[&str] = &["C", "F"];

/// The UCUM code of a printed unit, if it is certain.
pub(crate) fn ucum(printed: &str) -> Option<String> {
    let printed = printed.trim();
    if let Some((_, code)) = REPAIRS.iter().find(|(from, _)| *from == printed) {
        return Some((*code).to_owned());
    }
    (is_ucum(printed) && !DEGREES.contains(&printed)).then(|| printed.to_owned())
}

fn is_ucum(code: &str) -> bool {
    if code.is_empty() || code.len() > 60 || code.contains(char::is_whitespace) || !code.is_ascii()
    {
        return false;
    }
    let code = code.strip_prefix('/').unwrap_or(code);
    let mut depth = 0_u32;
    let mut part = String::new();
    let mut parts = Vec::new();
    for letter in code.chars() {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            _ => {}
        }
        if depth == 0 && matches!(letter, '.' | '/') {
            parts.push(core::mem::take(&mut part));
        } else {
            part.push(letter);
        }
    }
    parts.push(part);
    depth == 0 && parts.iter().all(|part| is_component(part))
}

fn is_component(part: &str) -> bool {
    // An annotation stands behind a unit, or alone for one.
    let bare = match part.find('{') {
        Some(at) if part.ends_with('}') => &part[..at],
        Some(_) => return false,
        None => part,
    };
    if bare.is_empty() {
        return part.len() > 2;
    }
    let digits = bare.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let stem = digits.strip_suffix(['-', '+']).unwrap_or(digits);
    bare.bytes().all(|byte| byte.is_ascii_digit())
        || is_atom(bare)
        || is_atom(stem)
        || bare.starts_with("10*") && is_atom(stem)
}

fn is_atom(atom: &str) -> bool {
    PLAIN.contains(&atom)
        || METRIC.contains(&atom)
        || PREFIXES.iter().any(|prefix| {
            atom.strip_prefix(prefix)
                .is_some_and(|rest| METRIC.contains(&rest))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_units_get_their_code_where_it_is_certain() {
        for (printed, code) in [
            ("mg/dL", Some("mg/dL")),
            ("mmHg", Some("mm[Hg]")),
            ("mm[Hg]", Some("mm[Hg]")),
            ("10*3/uL", Some("10*3/uL")),
            ("K/uL", Some("10*3/uL")),
            ("mL/min/{1.73_m2}", Some("mL/min/{1.73_m2}")),
            ("{tablet}", Some("{tablet}")),
            ("kg/m2", Some("kg/m2")),
            ("meq/L", Some("meq/L")),
            ("/min", Some("/min")),
            ("[lb_av]", Some("[lb_av]")),
            ("%", Some("%")),
            ("m2", Some("m2")),
            ("s-1", Some("s-1")),
            ("tablets", None),
            ("mg per dl", None),
            ("Units", None),
            ("F", None),
            ("{", None),
            ("", None),
            ("mg//dL", None),
        ] {
            assert_eq!(ucum(printed).as_deref(), code, "{printed}");
        }
    }
}
