use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Binary digits of a duration that a sketch drops: of 52 it keeps 9.
pub const DROPPED_BITS: u32 = 43;

/// How durations are spread, in a few bytes for each that differs: those whose first nine binary digits agree count as
/// one, so that a quantile is off by 0.1 % of its value at most. Sketches add up to the sketch of all.
///
/// The bins are those of HdrHistogram's sub-buckets, which is DDSketch (Masson, Rim and Lee, VLDB 2019) with a logarithm that
/// is read off the number itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch(#[serde(with = "bytes")] Vec<u8>);

impl Sketch {
    /// Of bins with their counts. A bin is a duration's bits without the last [`DROPPED_BITS`].
    pub(super) fn of(bins: &BTreeMap<u32, u64>) -> Self {
        let mut encoded = Vec::with_capacity(3 * bins.len());
        let mut before = 0;
        for (bin, count) in bins {
            // Most bins count one: that takes a bit, and no number of its own.
            let is_one = *count == 1;
            push(&mut encoded, u64::from(bin - before) << 1 | u64::from(!is_one));
            if !is_one {
                push(&mut encoded, *count);
            }
            before = *bin;
        }
        Self(encoded)
    }

    /// As a column of a table holds it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Each bin of a sketch with its count. Bytes that are no sketch are read as far as they are one.
pub fn each_bin(mut sketch: &[u8], mut take: impl FnMut(u32, u64)) {
    let mut bin = 0_u32;
    while let Some(more) = pull(&mut sketch) {
        let Some(count) = (if more & 1 == 0 { Some(1) } else { pull(&mut sketch) }) else { return };
        let Some(next) = u32::try_from(more >> 1).ok().and_then(|more| bin.checked_add(more)) else { return };
        bin = next;
        take(bin, count);
    }
}

/// The value that stands for a bin: the middle of those whose bits are the bin's without the last `dropped_bits`.
pub fn middle_of(bin: u64, dropped_bits: u32) -> f64 {
    let least = f64::from_bits(bin << dropped_bits);
    if least == 0.0 {
        // Zero is counted apart from what is near to it.
        return 0.0;
    }
    if least.is_infinite() {
        // Above infinity there are only the bits of NaN.
        return least;
    }
    f64::from_bits(least.to_bits() + (1_u64 << dropped_bits) / 2)
}

/// Seven bits a byte, the lowest first, as LEB128 has it.
pub(super) fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(super) fn pull(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// As bytes, not as a list of numbers: read in one go.
pub(super) mod bytes {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
