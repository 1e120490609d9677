//! Changes inside of objects that are sealed, digested and signed afterwards: hostile values where only the shape is checked.

use std::collections::BTreeMap;

use ipld_core::ipld::Ipld;
use medibloc_dag::{Cid, Codec, cbor};
use medibloc_keys::{Entropy, SeededEntropy};

/// Throws that follow from a seed.
#[derive(Debug)]
pub struct Dice(SeededEntropy);

impl Dice {
    /// The dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    /// A number below `sides`, which is not 0.
    pub fn roll(&mut self, sides: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % sides.max(1) as u64).unwrap_or_default()
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

impl Entropy for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
}

/// The object with one to three of its values changed, in the one encoding that its new value has; bytes that are no
/// object have some of their bits changed.
pub fn object(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let Ok(mut value) = cbor::from_slice::<Ipld>(bytes) else {
        return bits(dice, bytes);
    };
    for _ in 0..=dice.roll(3) {
        let places = count(&value);
        let mut at = dice.roll(places);
        change_at(dice, &mut value, &mut at);
    }
    cbor::to_vec(&value)
}

/// The bytes with some of their bits changed, cut, or longer.
pub fn bits(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    match dice.roll(4) {
        0 => bytes.truncate(dice.roll(bytes.len() + 1)),
        1 => bytes.push(0),
        _ if bytes.is_empty() => bytes.push(0xff),
        _ => {
            let at = dice.roll(bytes.len());
            bytes[at] ^= 1 << dice.roll(8);
        }
    }
    bytes
}

fn count(value: &Ipld) -> usize {
    1 + match value {
        Ipld::List(list) => list.iter().map(count).sum(),
        Ipld::Map(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

fn change_at(dice: &mut Dice, value: &mut Ipld, at: &mut usize) -> bool {
    if *at == 0 {
        change(dice, value);
        return true;
    }
    *at -= 1;
    match value {
        Ipld::List(list) => list.iter_mut().any(|value| change_at(dice, value, at)),
        Ipld::Map(map) => map.values_mut().any(|value| change_at(dice, value, at)),
        _ => false,
    }
}

/// Numbers at every edge.
const EDGES: [i128; 17] = [
    0,
    1,
    2,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    (1 << 31) - 1,
    (1 << 32) - 1,
    1 << 32,
    1 << 40,
    (1 << 53) + 1,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
];

fn change(dice: &mut Dice, value: &mut Ipld) {
    if dice.roll(12) == 0 {
        *value = match dice.roll(5) {
            0 => Ipld::Null,
            1 => Ipld::Integer(dice.pick(&EDGES)),
            2 => Ipld::List((0..60).fold(vec![], |inside, _| vec![Ipld::List(inside)])),
            3 => Ipld::Bool(true),
            _ => Ipld::String("x".repeat(dice.pick(&[0, 1, 70, 5_000, 70_000]))),
        };
        return;
    }
    match value {
        Ipld::Integer(number) => {
            *number = match dice.roll(4) {
                0 => (*number + 1).min((1 << 64) - 1),
                1 => (*number - 1).max(0),
                _ => dice.pick(&EDGES),
            }
        }
        Ipld::String(text) => {
            *text = match dice.roll(6) {
                0 => String::new(),
                1 => format!("{text}\u{0}\u{202e}"),
                2 => "가".repeat(dice.pick(&[1, 22, 2_000, 100_000])),
                3 => text.to_uppercase(),
                4 => "../".repeat(20),
                _ => text.repeat(dice.pick(&[2, 300])),
            }
        }
        Ipld::Bytes(bytes) => {
            *bytes = match dice.roll(4) {
                0 => Vec::new(),
                1 => vec![0xff; bytes.len()],
                2 => vec![0; dice.pick(&[31, 33, 64, 100_000])],
                _ => bits(dice, bytes),
            }
        }
        Ipld::List(list) => match dice.roll(5) {
            0 => list.clear(),
            1 => list.reverse(),
            2 => drop(list.pop()),
            3 => list.extend(list.clone()),
            _ => {
                let times = dice.pick(&[2, 64, 1_001, 2_000]);
                let again = list.clone();
                (1..times).for_each(|_| list.extend(again.iter().cloned()));
            }
        },
        Ipld::Map(map) => {
            let name = map.keys().nth(dice.roll(map.len())).cloned();
            match (dice.roll(3), name) {
                (0, Some(name)) => drop(map.remove(&name)),
                (1, Some(name)) => {
                    let other = map.keys().nth(dice.roll(map.len())).cloned();
                    let moved = other.and_then(|other| map.get(&other).cloned());
                    map.insert(name, moved.unwrap_or(Ipld::Null));
                }
                _ => drop(map.insert("extra".into(), Ipld::Integer(1))),
            }
        }
        Ipld::Link(link) => {
            let codec = dice.pick(&[Codec::Raw, Codec::DagPb, Codec::DagCbor]);
            let other = Cid::of(codec, &link.to_bytes());
            if let Ok(other) = ipld_core::cid::Cid::try_from(other.to_bytes().as_slice()) {
                *link = other;
            }
        }
        Ipld::Null => *value = Ipld::Integer(dice.pick(&EDGES)),
        Ipld::Bool(yes) => *yes = !*yes,
        Ipld::Float(_) => *value = Ipld::Null,
    }
}

/// Trees that no writer makes, over the bytes of a part; each has its own name.
pub const TREES: [&str; 13] = [
    "no bytes",
    "no bytes, four levels",
    "one block again and again",
    "2^64",
    "2^64 together",
    "five levels",
    "small leaves",
    "a leaf that is missing",
    "leaves in another order",
    "an object as a leaf",
    "sizes that do not add up",
    "no links",
    "cut",
];

/// The root and the blocks of such a tree.
pub fn tree(dice: &mut Dice, kind: &str, bytes: &[u8]) -> (Cid, BTreeMap<Cid, Vec<u8>>) {
    let mut blocks = BTreeMap::new();
    let size = bytes.len() as u64;
    let mut leaf = |bytes: &[u8]| {
        let cid = Cid::of_raw(bytes);
        blocks.insert(cid, bytes.to_vec());
        (cid, bytes.len() as u64)
    };
    let half = bytes.len() / 2;
    let wide = dice.pick(&[2, 40, 1_024]);
    let (whole, first, second) = (leaf(bytes), leaf(&bytes[..half]), leaf(&bytes[half..]));
    let none = leaf(b"");
    let small: Vec<_> = bytes.chunks(8).map(&mut leaf).collect();
    let mut node = |children: &[(Cid, u64)], says: u64| {
        let bytes = file_node(children, says);
        let cid = Cid::of_dag_pb(&bytes);
        blocks.insert(cid, bytes);
        (cid, says)
    };
    let root = match kind {
        "no bytes" => node(&[whole, none, none], size),
        "no bytes, four levels" => {
            let below = (0..4).fold(none, |below, _| node(&vec![below; wide], 0));
            node(&[whole, below], size)
        }
        "one block again and again" => {
            let below = node(&vec![whole; wide], size * wide as u64);
            node(&vec![below; wide], below.1.wrapping_mul(wide as u64))
        }
        "2^64" => node(&[(whole.0, u64::MAX)], u64::MAX),
        "2^64 together" => {
            let most = |of: (Cid, u64)| (of.0, u64::MAX - 1);
            let (one, other) = (node(&[first], size), node(&[second], size));
            node(&[most(one), most(other)], u64::MAX - 3)
        }
        "five levels" => (0..5).fold(whole, |below, _| node(&[below], size)),
        "small leaves" => {
            let nodes: Vec<_> = small
                .chunks(1_024)
                .map(|leaves| node(leaves, leaves.iter().map(|leaf| leaf.1).sum()))
                .collect();
            node(&nodes, size)
        }
        "a leaf that is missing" => {
            let absent = Cid::of_raw(&[bytes, b"absent"].concat());
            node(&[first, (absent, second.1)], size)
        }
        "leaves in another order" => node(&[second, first], size),
        "an object as a leaf" => node(&[(Cid::of_dag_cbor(b"x"), size)], size),
        "sizes that do not add up" => node(&[first, (second.0, second.1 + 1)], size + 1),
        "no links" => node(&[], size),
        _ => (Cid::of_raw(&bytes[..half]), half as u64),
    };
    (root.0, blocks)
}

/// A file node (IPLD DAG-PB specification; UnixFS v1) of these children and whatever sizes.
pub fn file_node(children: &[(Cid, u64)], says: u64) -> Vec<u8> {
    let (mut out, mut data) = (Vec::new(), vec![0x08, 2, 0x18]);
    varint(&mut data, says);
    for (cid, length) in children {
        let mut link = Vec::new();
        field(&mut link, 0x0a, &cid.to_bytes());
        link.extend_from_slice(&[0x12, 0, 0x18]);
        let node = u64::from(cid.codec() == Codec::DagPb);
        varint(&mut link, length.saturating_add(node));
        field(&mut out, 0x12, &link);
        data.push(0x20);
        varint(&mut data, *length);
    }
    field(&mut out, 0x0a, &data);
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn field(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    varint(out, body.len() as u64);
    out.extend_from_slice(body);
}
