//! Who reads a process's memory, as a dump, a page that was swapped out or a machine's image gives it (Linux).

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt as _;

use memchr::memchr_iter;

/// What is read at once.
const CHUNK: usize = 1 << 20;
const MASK: u8 = 0x5a;

/// Bytes to look for, kept under a mask: a search through the own process's memory does not find what it looks for.
#[derive(Clone)]
pub struct Piece(Vec<u8>);

impl core::fmt::Debug for Piece {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Piece(…)")
    }
}

impl Piece {
    /// The piece with these bytes, at least one; the caller's are the caller's to wipe.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| byte ^ MASK).collect())
    }

    fn begins(&self, bytes: &[u8]) -> bool {
        let mut pairs = bytes.iter().zip(&self.0);
        bytes.len() >= self.0.len() && pairs.all(|(byte, masked)| byte ^ MASK == *masked)
    }

    fn count(&self, bytes: &[u8]) -> usize {
        let places = memchr_iter(self.0[0] ^ MASK, bytes);
        places.filter(|at| self.begins(&bytes[*at..])).count()
    }
}

/// How often each of these pieces stands in what this process can read of another's memory now, or of its own.
///
/// # Errors
/// If this process may not read the other's memory, or that ended.
pub fn count(process: u32, pieces: &[Piece]) -> Result<Vec<usize>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps"))?;
    let memory = File::open(format!("/proc/{process}/mem"))?;
    let longest = pieces.iter().map(|piece| piece.0.len()).max().unwrap_or(0);
    let mut counts = vec![0; pieces.len()];
    let (mut bytes, mut read_any) = (vec![0; CHUNK + longest], false);
    for (from, until) in maps.lines().filter_map(readable) {
        for at in (from..until).step_by(CHUNK) {
            // The next chunk's first bytes, too, for what stands across both.
            let length = (CHUNK + longest).min(usize::try_from(until - at).unwrap_or(CHUNK));
            // A mapping may be gone since its line was read.
            let Ok(()) = memory.read_exact_at(&mut bytes[..length], at) else {
                continue;
            };
            read_any = true;
            for (count, piece) in counts.iter_mut().zip(pieces) {
                let here = length.min(CHUNK + piece.0.len() - 1);
                *count += piece.count(&bytes[..here]);
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
