//! Messages as bytes.

use std::io::{self, Read, Write};

use super::{Column, Value};

/// Of a message before the client has said who it is.
const FIRST_BYTES_MAX: usize = 10_000;
/// Of any other.
const BYTES_MAX: usize = 1 << 20;

/// A message: its kind and what it holds.
pub(crate) struct Message {
    pub kind: u8,
    body: Vec<u8>,
    at: usize,
}

/// The first message of a connection has no kind; `None` where the client has gone.
pub(crate) fn read_first(input: &mut impl Read) -> io::Result<Option<Message>> {
    read_body(input, 0, FIRST_BYTES_MAX)
}

/// The next message; `None` where the client has gone.
pub(crate) fn read(input: &mut impl Read) -> io::Result<Option<Message>> {
    let mut kind = [0];
    if input.read(&mut kind)? == 0 {
        return Ok(None);
    }
    read_body(input, kind[0], BYTES_MAX)
}

fn read_body(input: &mut impl Read, kind: u8, most: usize) -> io::Result<Option<Message>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = usize::try_from(i32::from_be_bytes(length)).ok().and_then(|length| length.checked_sub(4));
    let length = length.filter(|length| *length <= most).ok_or_else(malformed)?;
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(Message { kind, body, at: 0 }))
}

/// That is no message of the protocol.
pub(crate) fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message that is none of PostgreSQL's")
}

impl Message {
    pub fn integer(&mut self) -> io::Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into().map_err(|_| malformed())?))
    }

    pub fn short(&mut self) -> io::Result<i16> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into().map_err(|_| malformed())?))
    }

    pub fn byte(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// Up to the next zero.
    pub fn text(&mut self) -> io::Result<String> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == 0).ok_or_else(malformed)?;
        let text = String::from_utf8(rest[..length].to_vec()).map_err(|_| malformed())?;
        self.at += length + 1;
        Ok(text)
    }

    pub fn take(&mut self, bytes: usize) -> io::Result<&[u8]> {
        let end = self.at.checked_add(bytes).filter(|end| *end <= self.body.len()).ok_or_else(malformed)?;
        let taken = &self.body[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// All that is left.
    pub fn rest(&mut self) -> String {
        let rest = String::from_utf8_lossy(self.body.get(self.at..).unwrap_or_default()).into_owned();
        self.at = self.body.len();
        rest
    }
}

/// Writes a message of that kind.
pub(crate) fn write(output: &mut impl Write, kind: u8, body: &[u8]) -> io::Result<()> {
    let length = i32::try_from(body.len() + 4).map_err(|_| malformed())?;
    output.write_all(&[kind])?;
    output.write_all(&length.to_be_bytes())?;
    output.write_all(body)
}

/// What is wrong, for a person.
pub(crate) fn write_error(output: &mut impl Write, code: &str, message: &str) -> io::Result<()> {
    let clean = message.replace('\0', "\u{fffd}");
    let mut body = Vec::new();
    for (field, text) in [(b'S', "ERROR"), (b'V', "ERROR"), (b'C', code), (b'M', clean.as_str())] {
        body.push(field);
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    write(output, b'E', &body)
}

/// The columns of the rows that come; `is_binary` says which of them.
pub(crate) fn write_columns(
    output: &mut impl Write,
    columns: &[Column],
    is_binary: impl Fn(usize) -> bool,
) -> io::Result<()> {
    let mut body = i16::try_from(columns.len()).map_err(|_| malformed())?.to_be_bytes().to_vec();
    for (index, column) in columns.iter().enumerate() {
        body.extend_from_slice(column.name.replace('\0', "\u{fffd}").as_bytes());
        body.push(0);
        // Of no table, and no column of one.
        body.extend_from_slice(&[0; 6]);
        body.extend_from_slice(&column.of.oid().to_be_bytes());
        body.extend_from_slice(&column.of.size().to_be_bytes());
        body.extend_from_slice(&(-1i32).to_be_bytes());
        body.extend_from_slice(&i16::from(is_binary(index)).to_be_bytes());
    }
    write(output, b'T', &body)
}

/// One row.
pub(crate) fn write_row(
    output: &mut impl Write,
    row: &[Option<Value>],
    is_binary: impl Fn(usize) -> bool,
) -> io::Result<()> {
    let mut body = i16::try_from(row.len()).map_err(|_| malformed())?.to_be_bytes().to_vec();
    for (index, value) in row.iter().enumerate() {
        match value {
            None => body.extend_from_slice(&(-1i32).to_be_bytes()),
            Some(value) => {
                let bytes = value.bytes(is_binary(index));
                body.extend_from_slice(&i32::try_from(bytes.len()).map_err(|_| malformed())?.to_be_bytes());
                body.extend_from_slice(&bytes);
            }
        }
    }
    write(output, b'D', &body)
}
