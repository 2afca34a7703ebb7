use std::io::{self, Read};

use serde::Serialize;

use super::Commit;

/// What every segment starts with; the last byte is the version of the format.
pub(crate) const MAGIC: &[u8; 8] = b"EMPJRNL\x01";

const PREFIX_BYTES: usize = 8;

/// Appends one frame that holds `payload`.
pub(super) fn encode(payload: &impl Serialize, mut buffer: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
    let start = buffer.len();
    buffer.extend([0; PREFIX_BYTES]);
    let mut buffer = postcard::to_extend(payload, buffer)?;
    let (place, body) = buffer[start..].split_at_mut(PREFIX_BYTES);
    u32::try_from(body.len()).map_err(|_| postcard::Error::SerializeBufferFull)?;
    place.copy_from_slice(&prefix(body));
    Ok(buffer)
}

/// The eight bytes before a payload of less than 4 GiB: its length and its checksum.
pub(super) fn prefix(payload: &[u8]) -> [u8; PREFIX_BYTES] {
    let mut prefix = [0; PREFIX_BYTES];
    prefix[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    prefix[4..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    prefix
}

/// What was found at a position in a segment.
pub(super) enum Frame {
    /// A whole frame of so many bytes; its payload is in the buffer.
    Whole(u64),
    /// The end of the segment.
    End,
    /// A frame of that many bytes whose checksum does not hold: the commit was cut short, or damaged
    /// later. Its length may be wrong, too.
    Broken(u64),
    /// Bytes that are no frame at all.
    Torn,
}

/// Reads the next frame into `payload`; `left` is how many bytes the file still has.
pub(super) fn read(source: &mut impl Read, left: u64, payload: &mut Vec<u8>) -> io::Result<Frame> {
    if left == 0 {
        return Ok(Frame::End);
    }
    if left < PREFIX_BYTES as u64 {
        return Ok(Frame::Torn);
    }
    let mut found = [0; PREFIX_BYTES];
    source.read_exact(&mut found)?;
    let length = u64::from(u32::from_le_bytes([found[0], found[1], found[2], found[3]]));
    // A length that reaches past the end is noise: never allocate on its word.
    if length == 0 || length > left - PREFIX_BYTES as u64 {
        return Ok(Frame::Torn);
    }
    payload.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
    source.read_exact(payload)?;
    let bytes = PREFIX_BYTES as u64 + length;
    Ok(if prefix(payload) == found { Frame::Whole(bytes) } else { Frame::Broken(bytes) })
}

/// Where in these bytes, which do not begin with a whole frame, the next whole commit begins.
/// `claimed` is where the first frame ends by its own word: there its successor is, unless just
/// those bytes are damaged that tell its length.
pub(super) fn find_commit(bytes: &[u8], claimed: Option<usize>) -> Option<usize> {
    claimed.into_iter().chain(1..bytes.len()).find(|offset| bytes.get(*offset..).is_some_and(begins_with_commit))
}

/// Cheap tests first: this is asked at each byte.
fn begins_with_commit(bytes: &[u8]) -> bool {
    let Some((found, rest)) = bytes.split_first_chunk::<PREFIX_BYTES>() else { return false };
    let length = u32::from_le_bytes([found[0], found[1], found[2], found[3]]) as usize;
    let Some(payload) = rest.get(..length).filter(|payload| !payload.is_empty()) else { return false };
    let is_commit = postcard::take_from_bytes::<Commit<'_>>(payload).is_ok_and(|(_, rest)| rest.is_empty());
    is_commit && prefix(payload) == *found
}
