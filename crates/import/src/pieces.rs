//! The lines of a file, or the elements of a JSON array: one is held at a time.

use std::io::{self, BufRead};

/// Bytes of the longest line that is read.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 20;
/// Bytes that are kept of a longer one.
const HEAD_BYTES: usize = 64 << 10;

/// How a piece ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should: by a line's end, or a comma or bracket of an array.
    Whole,
    /// The file was over.
    File,
    /// It had that many bytes, more than are read: its beginning was kept.
    TooLong(u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Unknown,
    Lines,
    Array,
}

/// Cuts a file into pieces.
pub(crate) struct Pieces<R> {
    input: R,
    form: Form,
    bytes_read: u64,
}

impl<R: BufRead> Pieces<R> {
    pub fn new(input: R) -> Self {
        Self { input, form: Form::Unknown, bytes_read: 0 }
    }

    /// How many bytes were read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Reads the next piece into `piece`; `None` where there is none.
    ///
    /// # Errors
    /// What reading fails with.
    pub fn next(&mut self, piece: &mut Vec<u8>) -> io::Result<Option<End>> {
        piece.clear();
        if self.form == Form::Unknown {
            self.skip(|byte| byte.is_ascii_whitespace())?;
            let begins_array = self.input.fill_buf()?.first() == Some(&b'[');
            self.form = if begins_array { Form::Array } else { Form::Lines };
            self.advance(usize::from(begins_array));
        }
        if self.form == Form::Array {
            self.skip(|byte| byte.is_ascii_whitespace() || byte == b',')?;
            if self.input.fill_buf()?.first() != Some(&b']') {
                return self.read(piece, &mut Element::default());
            }
            // Lines may follow an array.
            self.advance(1);
            self.form = Form::Lines;
            self.skip(|byte| byte.is_ascii_whitespace())?;
        }
        self.read(piece, &mut Line)
    }

    /// Reads up to where `cut` says that the piece ends.
    fn read(&mut self, piece: &mut Vec<u8>, cut: &mut dyn Cut) -> io::Result<Option<End>> {
        let mut length = 0;
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Ok((length > 0).then(|| end_of(length, End::File)));
            }
            let end = cut.end(bytes);
            let part = &bytes[..end.map_or(bytes.len(), |end| end.piece)];
            length += part.len() as u64;
            if length <= LINE_BYTES_MAX as u64 {
                piece.extend_from_slice(part);
            } else {
                piece.truncate(HEAD_BYTES);
            }
            let used = end.map_or(bytes.len(), |end| end.used);
            self.advance(used);
            if end.is_some() {
                return Ok(Some(end_of(length, End::Whole)));
            }
        }
    }

    fn skip(&mut self, is_between: impl Fn(u8) -> bool) -> io::Result<()> {
        loop {
            let bytes = self.input.fill_buf()?;
            let between = bytes.iter().take_while(|byte| is_between(**byte)).count();
            if between == 0 {
                return Ok(());
            }
            self.advance(between);
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.bytes_read += bytes as u64;
    }
}

fn end_of(length: u64, end: End) -> End {
    if length > LINE_BYTES_MAX as u64 { End::TooLong(length) } else { end }
}

/// Where a piece ends among the bytes that come next.
#[derive(Clone, Copy)]
struct PieceEnd {
    /// How many bytes are the piece's.
    piece: usize,
    /// How many are read with them.
    used: usize,
}

trait Cut {
    fn end(&mut self, bytes: &[u8]) -> Option<PieceEnd>;
}

struct Line;

impl Cut for Line {
    fn end(&mut self, bytes: &[u8]) -> Option<PieceEnd> {
        let piece = bytes.iter().position(|byte| *byte == b'\n')?;
        Some(PieceEnd { piece, used: piece + 1 })
    }
}

/// An element of an array, as far as it was read.
#[derive(Default)]
struct Element {
    depth: usize,
    is_in_text: bool,
    is_escaped: bool,
}

impl Cut for Element {
    fn end(&mut self, bytes: &[u8]) -> Option<PieceEnd> {
        for (index, byte) in bytes.iter().enumerate() {
            if std::mem::take(&mut self.is_escaped) {
                continue;
            }
            match (byte, self.is_in_text) {
                (b'\\', true) => self.is_escaped = true,
                (b'"', _) => self.is_in_text = !self.is_in_text,
                (_, true) => {}
                (b'{' | b'[', _) => self.depth += 1,
                (b',' | b']', _) if self.depth == 0 => return Some(PieceEnd { piece: index, used: index }),
                (b'}' | b']', _) => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn pieces(text: &[u8]) -> Vec<(String, End)> {
        // Ends of what is read fall everywhere.
        [1, 2, 7, 4096]
            .map(|capacity| {
                let mut pieces = Pieces::new(BufReader::with_capacity(capacity, text));
                let (mut all, mut piece) = (Vec::new(), Vec::new());
                while let Some(end) = pieces.next(&mut piece).unwrap() {
                    all.push((String::from_utf8_lossy(piece.trim_ascii()).into_owned(), end));
                }
                assert_eq!(pieces.bytes_read(), text.len() as u64);
                all
            })
            .into_iter()
            .reduce(|a, b| {
                assert_eq!(a, b);
                b
            })
            .unwrap()
    }

    fn whole(texts: &[&str]) -> Vec<(String, End)> {
        texts.iter().map(|text| ((*text).to_owned(), End::Whole)).collect()
    }

    #[test]
    fn lines_end_at_their_ends() {
        assert_eq!(pieces(b"{\"a\":1}\r\n\n{\"b\":[2]}\n"), whole(&["{\"a\":1}", "", "{\"b\":[2]}"]));
        assert_eq!(pieces(b"a\nhal"), [("a".to_owned(), End::Whole), ("hal".to_owned(), End::File)]);
        assert_eq!(pieces(b""), []);
    }

    #[test]
    fn an_array_gives_its_elements_whatever_they_hold() {
        let text = b" [\n {\"a\": \"x,]}\\\"\\\\\", \"b\": [1, {}]},\n 7 , \"t,\", [1]\n]\n{\"c\":1}\n";
        let elements = ["{\"a\": \"x,]}\\\"\\\\\", \"b\": [1, {}]}", "7", "\"t,\"", "[1]", "{\"c\":1}"];
        assert_eq!(pieces(text), whole(&elements));
        assert_eq!(pieces(b"[]"), []);
        assert_eq!(pieces(b"[{\"a\":1},{\"b"), [("{\"a\":1}".to_owned(), End::Whole), ("{\"b".to_owned(), End::File)]);
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_a_line_may_have() {
        let input = std::io::Read::take(std::io::repeat(b'x'), 3 * LINE_BYTES_MAX as u64);
        let text = std::io::Read::chain(input, &b"\nnext\n"[..]);
        let mut pieces = Pieces::new(BufReader::new(text));
        let mut piece = Vec::new();
        assert_eq!(pieces.next(&mut piece).unwrap(), Some(End::TooLong(3 * LINE_BYTES_MAX as u64)));
        assert_eq!(piece.len(), HEAD_BYTES);
        assert!(piece.capacity() <= 2 * LINE_BYTES_MAX);
        assert_eq!((pieces.next(&mut piece).unwrap(), piece.as_slice()), (Some(End::Whole), b"next".as_slice()));
    }
}
