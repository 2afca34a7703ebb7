//! A file as it is read: unpacked, and without what editors put before the first line.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use crate::ImportError;

/// Bytes read at once.
const READ_BYTES: usize = 256 << 10;
/// As many bytes as the longest mark below has.
const MARK_BYTES: usize = 6;

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// How a Parquet file begins.
pub(crate) const PARQUET: &[u8] = b"PAR1";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is recognised and not read, by its first bytes.
const FOREIGN: [(&[u8], &str); 6] = [
    (b"\xfd7zXZ\0", "it is packed by xz: unpack it first, as in `xz -dc FILE | emp-events import -`"),
    (b"BZh", "it is packed by bzip2: unpack it first, as in `bzip2 -dc FILE | emp-events import -`"),
    (b"PK\x03\x04", "it is a zip archive: unpack it first, as in `unzip -p FILE | emp-events import -`"),
    (b"\xff\xfe", "it is UTF-16: convert it first, as in `iconv -f UTF-16 -t UTF-8 FILE | emp-events import -`"),
    (b"\xfe\xff", "it is UTF-16: convert it first, as in `iconv -f UTF-16 -t UTF-8 FILE | emp-events import -`"),
    (
        PARQUET,
        "it is a Parquet file, whose end has to be read first: name the file instead of sending it through a pipe",
    ),
];

/// Opens what is plain, or packed by gzip or zstd, be it in several parts.
///
/// # Errors
/// [`ImportError::Foreign`] for what is recognised and cannot be read.
pub(crate) fn open<'a>(input: impl Read + 'a) -> Result<Box<dyn BufRead + 'a>, ImportError> {
    let (mark, input) = peek(input)?;
    let plain: Box<dyn Read + 'a> = if mark.starts_with(GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(READ_BYTES, input)))
    } else if mark.starts_with(ZSTD) {
        Box::new(zstd::Decoder::new(input)?)
    } else {
        Box::new(input)
    };
    let (mark, plain) = peek(plain)?;
    if let Some((_, remedy)) = FOREIGN.iter().find(|(foreign, _)| mark.starts_with(foreign)) {
        return Err(ImportError::Foreign(remedy));
    }
    let mut reader = BufReader::with_capacity(READ_BYTES, plain);
    if mark.starts_with(BYTE_ORDER_MARK) {
        reader.read_exact(&mut [0; BYTE_ORDER_MARK.len()])?;
    }
    Ok(Box::new(reader))
}

/// The first bytes, and all of it.
fn peek<'a>(mut input: impl Read + 'a) -> io::Result<(Vec<u8>, impl Read + 'a)> {
    let mut mark = Vec::with_capacity(MARK_BYTES);
    input.by_ref().take(MARK_BYTES as u64).read_to_end(&mut mark)?;
    Ok((mark.clone(), Cursor::new(mark).chain(input)))
}
