//! Who reads a process's memory, as a dump, a page that was swapped out or a machine's image gives it (Linux).

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt as _;

use memchr::memmem;

/// What is read at once.
const PIECE: usize = 1 << 20;

/// How often each of these pieces stands in what a process can read of its memory now.
///
/// # Errors
/// If this process may not read the other's memory, or that ended.
pub fn count<const N: usize>(process: u32, pieces: [&[u8]; N]) -> Result<[usize; N]> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let longest = pieces.iter().map(|piece| piece.len()).max().unwrap_or(0);
    let (mut counts, mut bytes, mut read_any) = ([0; N], vec![0; PIECE + longest], false);
    for line in maps.lines() {
        let Some((from, until)) = readable(line) else {
            continue;
        };
        for at in (from..until).step_by(PIECE) {
            // The next piece's first bytes, too, for what stands across both.
            let length = (PIECE + longest).min(usize::try_from(until - at).unwrap_or(PIECE));
            // A mapping may be gone since its line was read.
            let Ok(()) = memory.read_exact_at(&mut bytes[..length], at) else {
                continue;
            };
            read_any = true;
            for (count, piece) in counts.iter_mut().zip(pieces) {
                let begins = length.min(PIECE + piece.len() - 1);
                *count += memmem::find_iter(&bytes[..begins], piece).count();
            }
        }
    }
    if read_any {
        Ok(counts)
    } else {
        Err(Error::new(ErrorKind::NotFound, "no memory could be read"))
    }
}

/// Where a readable mapping of memory begins and ends.
fn readable(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (from, until) = words.next()?.split_once('-')?;
    let is_readable = words.next()?.starts_with('r');
    // The kernel's own, which holds nothing of the process.
    if !is_readable || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
        return None;
    }
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(from)?, number(until)?))
}
