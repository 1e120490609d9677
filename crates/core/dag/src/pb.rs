//! dag-pb, as much as UnixFS file nodes need (IPLD DAG-PB specification; UnixFS v1).

use crate::unixfs::{LEAF, WIDTH};
use crate::walk::{OBJECT, bad};
use crate::{Cid, Codec, DagError};

/// One link of a file node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) cid: Cid,
    /// Bytes of the file below it.
    pub(crate) content: u64,
    /// Bytes of all blocks below it.
    pub(crate) total: u64,
}

const TYPE_FILE: u64 = 2;

/// Bytes of the file below a node, and of all blocks below it.
pub(crate) fn sums(links: &[Link]) -> Result<(u64, u64), DagError> {
    let sum = |(content, total): (u64, u64), link: &Link| {
        let content = content.checked_add(link.content)?;
        Some((content, total.checked_add(link.total)?))
    };
    let sums = links.iter().try_fold((0, 0), sum);
    sums.ok_or_else(|| bad("sizes overflow"))
}

/// The canonical bytes of a file node over `content` bytes: links first, then data.
pub(crate) fn encode_file(links: &[Link], content: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for link in links {
        let mut body = Vec::with_capacity(48);
        field_bytes(&mut body, 1, &link.cid.to_bytes());
        field_bytes(&mut body, 2, b"");
        field_varint(&mut body, 3, link.total);
        field_bytes(&mut out, 2, &body);
    }
    let mut data = Vec::new();
    field_varint(&mut data, 1, TYPE_FILE);
    field_varint(&mut data, 3, content);
    for link in links {
        field_varint(&mut data, 4, link.content);
    }
    field_bytes(&mut out, 1, &data);
    out
}

/// The links of a file node in the only encoding that [`encode_file`] makes.
pub(crate) fn decode_file(bytes: &[u8]) -> Result<Vec<Link>, DagError> {
    let mut rest = bytes;
    let mut links = Vec::new();
    let mut data: Option<&[u8]> = None;
    while !rest.is_empty() {
        match read_field(&mut rest)? {
            (2, Field::Bytes(_)) if links.len() == WIDTH => {
                return Err(bad("more than 1,024 links"));
            }
            (2, Field::Bytes(body)) => links.push(decode_link(body)?),
            (1, Field::Bytes(body)) => data = Some(body),
            _ => return Err(bad("an unknown field")),
        }
    }
    let mut data = data.ok_or_else(|| bad("no data"))?;
    let mut sizes = Vec::new();
    while !data.is_empty() {
        match read_field(&mut data)? {
            (1, Field::Varint(TYPE_FILE)) | (3, Field::Varint(_)) => {}
            (4, Field::Varint(_)) if sizes.len() == links.len() => break,
            (4, Field::Varint(size)) => sizes.push(size),
            _ => return Err(bad("a node that is no file")),
        }
    }
    if sizes.len() != links.len() || !data.is_empty() {
        return Err(bad("sizes and links differ in number"));
    }
    for (link, size) in links.iter_mut().zip(sizes) {
        link.content = size;
        check_sizes(link)?;
    }
    if links.is_empty() {
        return Err(bad("a node without links"));
    }
    let (content, _) = sums(&links)?;
    if encode_file(&links, content) != bytes {
        return Err(bad("another encoding of the same node"));
    }
    Ok(links)
}

/// A child has bytes, a leaf no more than 1 MiB and no others below it, and a node is not larger than what is below it.
fn check_sizes(link: &Link) -> Result<(), DagError> {
    if link.content == 0 {
        return Err(bad("a link to no bytes"));
    }
    match link.cid.codec() {
        Codec::Raw if link.content > LEAF as u64 => Err(bad("a leaf of more than 1 MiB")),
        Codec::Raw if link.total != link.content => Err(bad("a leaf of two sizes")),
        Codec::DagPb if link.total <= link.content => Err(bad("a node smaller than its file")),
        Codec::DagCbor => Err(bad(OBJECT)),
        Codec::Raw | Codec::DagPb => Ok(()),
    }
}

fn decode_link(mut body: &[u8]) -> Result<Link, DagError> {
    let (mut cid, mut total) = (None, None);
    while !body.is_empty() {
        match read_field(&mut body)? {
            (1, Field::Bytes(bytes)) => cid = Some(Cid::from_bytes(bytes)?),
            (2, Field::Bytes(b"")) => {}
            (3, Field::Varint(size)) => total = Some(size),
            _ => return Err(bad("a link with a name or an unknown field")),
        }
    }
    match (cid, total) {
        (Some(cid), Some(total)) => Ok(Link {
            cid,
            content: 0,
            total,
        }),
        _ => Err(bad("a link without identifier or size")),
    }
}

enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

fn read_field<'a>(rest: &mut &'a [u8]) -> Result<(u64, Field<'a>), DagError> {
    let tag = varint(rest)?;
    match tag & 7 {
        0 => Ok((tag >> 3, Field::Varint(varint(rest)?))),
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| bad("a length too large"))?;
            let (body, tail) = rest
                .split_at_checked(length)
                .ok_or_else(|| bad("a cut field"))?;
            *rest = tail;
            Ok((tag >> 3, Field::Bytes(body)))
        }
        _ => Err(bad("an unknown wire type")),
    }
}

fn varint(rest: &mut &[u8]) -> Result<u64, DagError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first().ok_or_else(|| bad("a cut number"))?;
        *rest = tail;
        if shift == 63 && *byte > 1 {
            return Err(bad("a number too long"));
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(bad("a number too long"))
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn field_varint(out: &mut Vec<u8>, number: u64, value: u64) {
    put_varint(out, number << 3);
    put_varint(out, value);
}

fn field_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
