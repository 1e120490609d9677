//! Small contracts in EVM code, and inputs for them.

use alloy::primitives::{Address, Bytes, U256, hex};

/// A generator of numbers that gives the same every time.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.roll().to_le_bytes()[0]).collect()
    }
}

/// Code that creates a contract with the code `runtime`.
pub(crate) fn creating(runtime: &[u8]) -> Bytes {
    let length = u16::try_from(runtime.len()).unwrap().to_be_bytes();
    // PUSH2 length DUP1 PUSH1 12 PUSH1 0 CODECOPY PUSH1 0 RETURN
    let mut code = vec![
        0x61, length[0], length[1], 0x80, 0x60, 12, 0x60, 0, 0x39, 0x60, 0, 0xf3,
    ];
    code.extend_from_slice(runtime);
    code.into()
}

/// sstore(word 0, word 1).
pub(crate) const STORE: &[u8] = &hex!("6020355f355500");
/// Reverts with its input.
pub(crate) const REVERT: &[u8] = &hex!("365f5f37365ffd");
/// Returns its input.
pub(crate) const ECHO: &[u8] = &hex!("365f5f37365ff3");
/// An invalid opcode.
pub(crate) const INVALID: &[u8] = &hex!("fe");
/// Runs until the gas is gone.
pub(crate) const LOOP: &[u8] = &hex!("5b5f56");
/// Creates what follows word 0, with salt word 0 (CREATE2); keeps and returns the address.
pub(crate) const CREATE2: &[u8] = &hex!("6020360360205f375f35602036035f5ff5805f555f5260205ff3");
/// As above with CREATE and no salt.
pub(crate) const CREATE: &[u8] = &hex!("365f5f37365f5ff0805f555f5260205ff3");
/// Calls the address in word 0 with what follows, keeps whether it returned and the hash of what
/// it returned, and returns that.
pub(crate) const CALL: &[u8] =
    &hex!("6020360360205f375f5f602036035f5f5f355af15f553d5f5f3e3d5f206001553d5ff3");
/// Sends its coins to the address in word 0 and is gone if it was created just now.
pub(crate) const DESTROY: &[u8] = &hex!("5f35ff");
/// What it sees of the block and the transaction: number, base fee, chain id, gas price, its
/// coins, blob fee, gas limit, coinbase, time.
pub(crate) const SEE: &[u8] = &hex!(
    "435f52" "48602052" "46604052" "3a606052" "47608052" "4a60a052" "4560c052" "4160e052"
    "4261010052" "6101205ff3"
);
/// Keeps word 0 for the transaction and returns it with a copy (Cancun's TSTORE and MCOPY).
pub(crate) const TRANSIENT: &[u8] = &hex!("5f355f5d5f5c5f5260205f60205e60405ff3");

/// Logs its input with its first `topics` words as topics.
pub(crate) fn log(topics: u8) -> Vec<u8> {
    let mut code = hex!("365f5f37").to_vec();
    for topic in (0..topics).rev() {
        code.extend_from_slice(&[0x60, topic * 32, 0x35]);
    }
    code.extend_from_slice(&[0x36, 0x5f, 0xa0 + topics, 0x00]);
    code
}

/// A program at random: arithmetic, memory, storage, logs; it may well break off.
pub(crate) fn random(dice: &mut Dice) -> Vec<u8> {
    const SIMPLE: &[u8] = &[
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14,
        0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x30, 0x32, 0x33, 0x34, 0x36, 0x38,
        0x3a, 0x3d, 0x46, 0x47, 0x50, 0x58, 0x59, 0x5a, 0x5b, 0x5f, 0x80, 0x81, 0x82, 0x83, 0x90,
        0x91, 0x92,
    ];
    let mut code = Vec::new();
    for _ in 0..6 {
        code.extend_from_slice(&[0x60, dice.roll().to_le_bytes()[0]]);
    }
    for _ in 0..40 + dice.below(80) {
        let small = u8::try_from(dice.below(128)).unwrap();
        match dice.below(12) {
            0 => code.extend_from_slice(&[0x60, small, 0x52]),
            1 => code.extend_from_slice(&[0x60, small, 0x51]),
            2 => code.extend_from_slice(&[0x60, small % 8, 0x55]),
            3 => code.extend_from_slice(&[0x60, small % 8, 0x54]),
            4 => code.extend_from_slice(&[0x60, small, 0x60, small / 2, 0x20]),
            5 => code.extend_from_slice(&[0x60, small, 0x5f, 0xa0]),
            6 => code.extend_from_slice(&[0x60, small, 0x35]),
            7 | 8 => code.extend_from_slice(&[0x60, small]),
            _ => {
                let place = usize::try_from(dice.below(SIMPLE.len() as u64)).unwrap();
                code.push(SIMPLE[place]);
            }
        }
    }
    code.extend_from_slice(&hex!("5f5260205ff3"));
    code
}

pub(crate) fn word(value: u64) -> [u8; 32] {
    U256::from(value).to_be_bytes()
}

pub(crate) fn address_word(address: Address) -> [u8; 32] {
    address.into_word().0
}

pub(crate) fn join(parts: &[&[u8]]) -> Bytes {
    parts.concat().into()
}

/// Inputs for the precompiled contracts 1 to 10, right ones and wrong ones.
pub(crate) fn precompiles() -> Vec<(u64, Bytes)> {
    let recover = hex!(
        "456e9aea5e197a1f1af7a3e85a3212fa4049a3ba34c2289b4c860fc0b0c64ef3"
        "000000000000000000000000000000000000000000000000000000000000001c"
        "9242685bf161793cc25603c231bc2f568eb630ea16aa137d2664ac8038825608"
        "4f8ae3bd7535248d0bd448298cc2e2071e56992d0774dc340c368ae950852ada"
    );
    let modulus = join(&[&word(1), &word(1), &word(1), &[3, 5, 7]]);
    let point = join(&[&word(1), &word(2)]);
    let add = join(&[&point, &point]);
    let multiply = join(&[&point, &word(9)]);
    let blake = hex!(
        "0000000c48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d182e6ad7f520e"
        "511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b6162630000000000000000000000000000"
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000300000000000000000000000000000001"
    );
    let proof = hex!(
        "01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b564c0a11a0f704f4fc3e8acf"
        "e0f8245f0ad1347b378fbf96e206da11a5d3630624d25032e67a7e6a4910df5834b8fe70e6bcfeeac0352434"
        "196bdf4b2485d5a18f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857"
        "bc3a7c2539ea8ec3a952b7873033e038326e87ed3e1276fd140253fa08e9fc25fb2d9a98527fc22a2c9612fbea"
        "fdad446cbc7bcdbdcd780af2c16a"
    );
    vec![
        (1, recover.into()),
        (1, Bytes::from_static(b"no signature")),
        (2, Bytes::from_static(b"abc")),
        (3, Bytes::from_static(b"abc")),
        (4, Bytes::from_static(b"abc")),
        (5, modulus),
        (6, add),
        (6, join(&[&word(1), &word(1)])),
        (7, multiply),
        (8, Bytes::new()),
        (8, Bytes::from_static(b"short")),
        (9, Bytes::copy_from_slice(&blake)),
        (9, Bytes::from_static(b"short")),
        (10, proof.into()),
        (10, Bytes::from_static(b"short")),
        (11, Bytes::from_static(b"nothing is there")),
    ]
}
