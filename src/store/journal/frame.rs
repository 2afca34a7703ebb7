use std::io::{self, Read};

use serde::Serialize;

/// What every segment starts with; the last byte is the version of the format.
pub(super) const MAGIC: &[u8; 8] = b"EMPJRNL\x01";

const PREFIX_BYTES: usize = 8;

/// Appends one frame that holds `payload`.
pub(super) fn encode(payload: &impl Serialize, mut buffer: Vec<u8>) -> Result<Vec<u8>, postcard::Error> {
    let start = buffer.len();
    buffer.extend([0; PREFIX_BYTES]);
    let mut buffer = postcard::to_extend(payload, buffer)?;
    let (prefix, body) = buffer[start..].split_at_mut(PREFIX_BYTES);
    let length = u32::try_from(body.len()).map_err(|_| postcard::Error::SerializeBufferFull)?;
    prefix[..4].copy_from_slice(&length.to_le_bytes());
    prefix[4..].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    Ok(buffer)
}

/// What stands at a place in a segment.
pub(super) enum Frame {
    /// A whole frame of so many bytes; its payload is in the buffer.
    Whole(u64),
    /// The end of the segment.
    End,
    /// Bytes that are no whole frame: a commit that was cut short.
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
    let mut prefix = [[0; 4]; 2];
    source.read_exact(prefix.as_flattened_mut())?;
    let [length, checksum] = prefix.map(u32::from_le_bytes);
    // A length that reaches past the end is noise: never allocate on its word.
    if u64::from(length) > left - PREFIX_BYTES as u64 {
        return Ok(Frame::Torn);
    }
    payload.resize(length as usize, 0);
    source.read_exact(payload)?;
    let whole = length > 0 && crc32fast::hash(payload) == checksum;
    Ok(if whole { Frame::Whole(PREFIX_BYTES as u64 + u64::from(length)) } else { Frame::Torn })
}
