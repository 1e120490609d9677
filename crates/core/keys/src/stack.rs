//! What calls leave on the stack.

use zeroize::Zeroize as _;

/// More than any of our calls that open or make a secret goes down, in a build without optimisation, too.
const DEPTH: usize = 64 << 10;

/// Overwrites what calls that have returned left below the caller's frame on this thread's stack: ciphers and curves move
/// secrets by value, and no type wipes the place that a value was moved out of.
#[inline(never)]
pub fn wipe_stack() {
    let mut below = [0u8; DEPTH];
    below.zeroize();
    core::hint::black_box(&below);
}
