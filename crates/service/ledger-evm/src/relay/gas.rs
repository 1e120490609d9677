//! What a batch costs beyond what its requests ask for: their bytes, and what the forwarder does around each of them.

/// Gas for the forwarder around a request, and for the transaction around all: about 40,000 are used of each.
pub(super) const FORWARDER: u64 = 60_000;

/// Bytes of the calls in one transaction, with what stands around each: geth takes no transaction above 128 KiB.
const MOST_BYTES: u64 = 120_000;

/// A request without its call, as it stands in the transaction: eight words, its signature, the lengths of both, padding.
const AROUND: u64 = 512;

/// Gas of a byte that is not zero (EIP-2028), of its two copies into memory, and of its hash: three, three and six for a word.
const A_BYTE: u64 = 18;

/// Gas of a byte that a transaction costs at least, whatever it does (EIP-7623).
const FLOOR: u64 = 40;

/// The requests of a transaction, summed up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    forwarder: u64,
    requests: u64,
    asked: u64,
    bytes: u64,
}

impl Load {
    /// Of no request, with so much gas for the forwarder around each.
    pub(super) const fn none(forwarder: u64) -> Self {
        Self {
            forwarder,
            requests: 0,
            asked: 0,
            bytes: 0,
        }
    }

    /// With one more, that asks for so much gas and whose call has so many bytes.
    pub(super) const fn with(self, gas: u64, bytes: usize) -> Self {
        Self {
            forwarder: self.forwarder,
            requests: self.requests + 1,
            asked: self.asked.saturating_add(gas),
            bytes: self.bytes.saturating_add(bytes as u64 + AROUND),
        }
    }

    /// Whether a transaction holds it, with that much gas at most.
    pub(super) const fn fits(self, most_gas: u64) -> bool {
        self.bytes <= MOST_BYTES && self.limit() <= most_gas
    }

    /// What it may cost, without the transaction itself.
    pub(super) const fn gas(self) -> u64 {
        let forwarder = self.forwarder.saturating_mul(self.requests);
        self.asked
            .saturating_add(forwarder)
            .saturating_add(self.bytes.saturating_mul(A_BYTE))
            .saturating_add(memory(self.bytes))
    }

    /// The gas limit of the transaction. A call is given at most 63 of 64 parts of what is left.
    pub(super) const fn limit(self) -> u64 {
        let gas = self.gas().saturating_add(self.forwarder);
        let gas = gas.saturating_add(gas / 30);
        let floor = 21_000 + self.bytes.saturating_mul(FLOOR);
        if gas > floor { gas } else { floor }
    }
}

/// Gas of the memory in which the forwarder copies each call twice and frees nothing (Yellow Paper, appendix H).
const fn memory(bytes: u64) -> u64 {
    let words = bytes / 16;
    words
        .saturating_mul(3)
        .saturating_add(words.saturating_mul(words) / 512)
}
