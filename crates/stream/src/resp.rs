//! Redis' answers as they come over the wire, taken apart without copying.
//!
//! A read of two thousand entries is an answer of forty thousand strings. The client library
//! gives each of them an allocation of its own, which takes longer than all that is done with
//! them afterwards. Here an answer stays the bytes that it came as, beside one list of tokens
//! that say where in them each string is, in the order in which they came. The protocol is RESP2:
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use redis::Value;

/// An answer may be nested that deep: Redis' own go to five.
const DEPTH_MAX: usize = 16;
/// A string of that length is kept however long the answer is: IDs and names of fields are not longer.
const SHORT_BYTES: u32 = 64;

/// A line, which all but a string is, is never that long: else whoever sends none of its end is read for ever.
const LINE_BYTES_MAX: usize = 64 << 10;

/// One piece of an answer. Places are offsets into its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// So many pieces follow, which belong to it.
    Array(u32),
    /// A string.
    Text {
        start: u32,
        end: u32,
    },
    /// A line that says what went wrong.
    Error {
        start: u32,
        end: u32,
    },
    Int(i64),
    Nil,
    /// A string of so many bytes that was not kept, since the answer is too long.
    Omitted(u32),
}

/// The bytes are no answer of Redis; what is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed(pub String);

/// Takes answers apart as their bytes come in.
#[derive(Debug)]
pub(super) struct Parser {
    tokens: Vec<Token>,
    /// How far the bytes have been taken apart.
    position: usize,
    /// How many pieces each open array still waits for.
    open: Vec<u32>,
    /// How many answers are whole.
    whole: usize,
    /// Beyond so many bytes only short strings are kept.
    kept: usize,
    /// Bytes still to come of a string that is not kept.
    omitted: usize,
}

impl Parser {
    /// One for answers of about so many tokens, of which about so many bytes are kept.
    pub fn new(tokens: usize, kept: usize) -> Self {
        Self { tokens: Vec::with_capacity(tokens), position: 0, open: Vec::new(), whole: 0, kept, omitted: 0 }
    }

    /// Goes on with what has come in since, up to so many answers; are they there? `bytes` are
    /// all bytes so far, without those that are not kept.
    pub fn advance(&mut self, bytes: &mut Vec<u8>, answers: usize) -> Result<bool, Malformed> {
        loop {
            self.omit(bytes);
            if self.omitted > 0 {
                return Ok(false);
            }
            if self.whole == answers {
                return Ok(true);
            }
            let Some((token, next)) = self.next_token(bytes)? else { return Ok(false) };
            self.position = next;
            self.tokens.push(token);
            match token {
                Token::Array(length) if length > 0 => {
                    if self.open.len() == DEPTH_MAX {
                        return Err(Malformed(format!("it is nested more than {DEPTH_MAX} deep")));
                    }
                    self.open.push(length);
                }
                _ => self.close(),
            }
        }
    }

    /// The next piece, and where the one after it begins, once it is there. One that is not kept is there with
    /// its length.
    fn next_token(&mut self, bytes: &mut Vec<u8>) -> Result<Option<(Token, usize)>, Malformed> {
        if self.position >= self.kept
            && let Some((length, start)) = long_string(bytes, self.position)?
        {
            bytes.drain(self.position..start);
            self.omitted = length as usize + b"\r\n".len();
            return Ok(Some((Token::Omitted(length), self.position)));
        }
        token(bytes, self.position)
    }

    /// Drops what has come of a string that is not kept.
    fn omit(&mut self, bytes: &mut Vec<u8>) {
        let here = self.omitted.min(bytes.len() - self.position);
        bytes.drain(self.position..self.position + here);
        self.omitted -= here;
    }

    /// A piece is whole, and with it each array that waited for no other.
    fn close(&mut self) {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        self.whole += 1;
    }

    /// The answers, once they are there.
    pub fn finish(self, bytes: Vec<u8>) -> Answer {
        Answer { bytes, tokens: self.tokens }
    }
}

/// The length of a long string at that place, and where its bytes begin; `None` where another piece stands
/// there, or its length is not there yet.
fn long_string(bytes: &[u8], at: usize) -> Result<Option<(u32, usize)>, Malformed> {
    if bytes.get(at) != Some(&b'$') {
        return Ok(None);
    }
    let Some(next) = line_end(bytes, at)? else { return Ok(None) };
    let line = bytes.get(at + 1..next - 2).unwrap_or_default();
    let length = number(line).ok_or_else(|| Malformed(format!("`{}` is no length", String::from_utf8_lossy(line))))?;
    // A length beyond all bounds is noise, and must not be waited for.
    if length > i64::from(u32::MAX) {
        return Err(Malformed("it is longer than 4 GiB".to_owned()));
    }
    Ok(u32::try_from(length).ok().filter(|length| *length > SHORT_BYTES).map(|length| (length, next)))
}

/// Where the line at that place ends, behind its end; `None` where that is not there yet.
fn line_end(bytes: &[u8], at: usize) -> Result<Option<usize>, Malformed> {
    let line = &bytes[at..bytes.len().min(at + LINE_BYTES_MAX)];
    match line.iter().position(|byte| *byte == b'\n') {
        Some(length) => Ok(Some(at + length + 1)),
        None if line.len() == LINE_BYTES_MAX => Err(Malformed("a line of it does not end".to_owned())),
        None => Ok(None),
    }
}

/// The piece at that place, and where the next one begins; `None` where it is not whole yet.
fn token(bytes: &[u8], at: usize) -> Result<Option<(Token, usize)>, Malformed> {
    let Some(kind) = bytes.get(at) else { return Ok(None) };
    let start = at + 1;
    let Some(next) = line_end(bytes, at)? else { return Ok(None) };
    let end = next.saturating_sub(2).max(start);
    let line = &bytes[start..end];
    let number = || number(line).ok_or_else(|| Malformed(format!("`{}` is no number", String::from_utf8_lossy(line))));
    let place = |start: usize, end: usize| -> Result<(u32, u32), Malformed> {
        u32::try_from(end).map(|end| (start as u32, end)).map_err(|_| Malformed("it is longer than 4 GiB".to_owned()))
    };
    let token = match kind {
        b'+' => place(start, end).map(|(start, end)| Token::Text { start, end })?,
        b'-' => place(start, end).map(|(start, end)| Token::Error { start, end })?,
        b':' => Token::Int(number()?),
        b'*' => match number()? {
            ..0 => Token::Nil,
            length => Token::Array(u32::try_from(length).map_err(|_| Malformed("a list is too long".to_owned()))?),
        },
        b'$' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some((Token::Nil, next))) };
            let (end, whole) = (next.saturating_add(length), next.saturating_add(length).saturating_add(2));
            if bytes.len() < whole {
                // A length beyond all bounds is noise, and must not be waited for.
                return place(next, whole).map(|_| None);
            }
            return place(next, end).map(|(start, end)| Some((Token::Text { start, end }, whole)));
        }
        other => return Err(Malformed(format!("it begins with byte {other}"))),
    };
    Ok(Some((token, next)))
}

fn number(line: &[u8]) -> Option<i64> {
    std::str::from_utf8(line).ok()?.parse().ok()
}

/// Whole answers to one request.
#[derive(Debug, Default)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    tokens: Vec<Token>,
}

impl Answer {
    /// How many bytes it came as, and of how many tokens it is.
    pub fn size(&self) -> (usize, usize) {
        (self.bytes.len(), self.tokens.len())
    }

    /// The piece of that number.
    pub fn token(&self, at: usize) -> Token {
        self.tokens.get(at).copied().unwrap_or(Token::Nil)
    }

    /// The bytes of a string; none where the piece is none.
    pub fn text(&self, at: usize) -> Option<&[u8]> {
        match self.token(at) {
            Token::Text { start, end } => self.bytes.get(start as usize..end as usize),
            _ => None,
        }
    }

    /// How many bytes the strings among these pieces take, and what stands between them.
    pub fn span(&self, from: usize, to: usize) -> usize {
        let place = |at: usize| match self.token(at) {
            Token::Text { start, end } => Some((start as usize, end as usize)),
            _ => None,
        };
        let mut places = (from..to).filter_map(place);
        let Some((start, end)) = places.next() else { return 0 };
        places.next_back().map_or(end, |(_, end)| end) - start
    }

    /// The first line that says what went wrong.
    pub fn error(&self) -> Option<&[u8]> {
        self.tokens.iter().find_map(|token| match *token {
            Token::Error { start, end } => self.bytes.get(start as usize..end as usize),
            _ => None,
        })
    }

    /// Where the piece behind that one begins.
    pub fn behind(&self, at: usize) -> usize {
        let (mut at, mut open) = (at, 1_usize);
        while open > 0 && at < self.tokens.len() {
            open -= 1;
            if let Token::Array(length) = self.token(at) {
                open += length as usize;
            }
            at += 1;
        }
        at
    }

    /// Where the parts of a list begin; none where the piece is no list.
    pub fn parts(&self, at: usize) -> Vec<usize> {
        let Token::Array(length) = self.token(at) else { return Vec::new() };
        let mut next = at + 1;
        let mut parts = Vec::new();
        for _ in 0..length {
            parts.push(next);
            next = self.behind(next);
        }
        parts
    }

    /// A piece as the client library's type: for answers that are small.
    pub fn value(&self, at: usize) -> Value {
        match self.token(at) {
            Token::Array(_) => Value::Array(self.parts(at).into_iter().map(|part| self.value(part)).collect()),
            Token::Int(number) => Value::Int(number),
            Token::Text { .. } => Value::BulkString(self.text(at).unwrap_or_default().to_vec()),
            Token::Nil | Token::Omitted(_) | Token::Error { .. } => Value::Nil,
        }
    }
}
