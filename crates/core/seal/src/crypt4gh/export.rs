//! Making a `.c4gh` file: of a part that rests as blocks, or of any stream.

use std::io::{Read, Write};

use medibloc_dag::BlockSource;
use medibloc_keys::Entropy;
use medibloc_record::{ManifestPart, PartKey};
use zeroize::Zeroizing;

use super::{Crypt4ghError, Recipient, write_header};
use crate::SealError;
use crate::body::{
    BATCH, OVERHEAD, SEALED_SEGMENT, SEGMENT, cipher, fill_segments, nonces, seal_in_place,
    seal_segments,
};
use crate::open::each_segment;

/// Writes a part as a `.c4gh` file for the recipients: a header, then the very segments at rest, as far as the true
/// length reaches. Where padding was sealed with the last bytes, that one segment is sealed anew without it, so that any
/// Crypt4GH tool gives the original exactly. Everything is checked as [`open_part`](crate::open_part) does; what was
/// written before an error is not to be used. Gives the file's bytes.
///
/// # Errors
/// If a recipient is none, a block is missing or changed, or the plaintext is not the manifest's.
pub fn export(
    part: &ManifestPart,
    recipients: &[Recipient],
    source: &dyn BlockSource,
    entropy: &mut dyn Entropy,
    writer: &mut dyn Write,
) -> Result<u64, SealError> {
    let header = write_header(&part.key, recipients, entropy)?;
    writer.write_all(&header).map_err(SealError::Write)?;
    let mut written = header.len() as u64;
    let cipher = cipher(&part.key);
    each_segment(part, source, &mut |segment| {
        let mut last = Vec::new();
        let bytes = if segment.real == segment.plain.len() {
            segment.sealed
        } else {
            let plain = &segment.plain[..segment.real];
            last.resize(plain.len() + plain.len().min(1) * OVERHEAD, 0);
            seal_segments(&cipher, plain, &nonces(plain.len(), entropy), &mut last);
            &last
        };
        written += bytes.len() as u64;
        writer.write_all(bytes).map_err(SealError::Write)
    })?;
    Ok(written)
}

/// Writes a stream as a `.c4gh` file for the recipients, in constant memory. Gives the file's bytes.
///
/// # Errors
/// If a recipient is none, or reading or writing fails.
pub fn encrypt(
    source: &mut dyn Read,
    recipients: &[Recipient],
    entropy: &mut dyn Entropy,
    writer: &mut dyn Write,
) -> Result<u64, Crypt4ghError> {
    let mut key = Zeroizing::new([0; 32]);
    entropy.fill(key.as_mut());
    let key = PartKey::new(*key);
    let header = write_header(&key, recipients, entropy)?;
    writer.write_all(&header).map_err(Crypt4ghError::Write)?;
    let mut written = header.len() as u64;
    let cipher = cipher(&key);
    let mut count = 1;
    let mut segments = Zeroizing::new(vec![0; SEALED_SEGMENT]);
    loop {
        let got = fill_segments(source, &mut segments).map_err(Crypt4ghError::Read)?;
        let out = &mut segments[..got + got.div_ceil(SEGMENT) * OVERHEAD];
        seal_in_place(&cipher, &nonces(got, entropy), out);
        writer.write_all(out).map_err(Crypt4ghError::Write)?;
        written += out.len() as u64;
        if got < SEGMENT * count {
            return Ok(written);
        }
        // Small files stay small: the buffer grows only when more than one segment comes.
        if count == 1 {
            count = BATCH;
            segments = Zeroizing::new(vec![0; SEALED_SEGMENT * BATCH]);
        }
    }
}
