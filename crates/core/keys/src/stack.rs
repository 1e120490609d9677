//! What calls leave on the stack.

use zeroize::Zeroize as _;

/// Overwrites what calls that have returned left below the caller's frame on this thread's stack, as far down as any of our
/// calls that open or make a secret goes, in a build without optimisation, too: ciphers and curves move secrets by value, and
/// no type wipes the place that a value was moved out of.
pub fn wipe_stack() {
    wipe_stack_of::<{ 64 << 10 }>();
}

/// As [`wipe_stack`], so many bytes down: after one call of a cipher.
#[inline(never)]
pub fn wipe_stack_of<const BYTES: usize>() {
    let mut below = [0u8; BYTES];
    below.zeroize();
    core::hint::black_box(&below);
}
