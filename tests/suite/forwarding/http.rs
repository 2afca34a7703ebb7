//! As much of HTTP/1.1 as the stub needs.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};

use flate2::read::GzDecoder;

/// What stands before a request's body.
pub struct Head {
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// Reads the head of the next request; `None` where the client has gone.
pub fn read_head(reader: &mut impl BufRead) -> Option<Head> {
    let request = read_line(reader)?;
    let path = request.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else {
            return Some(Head { path, headers });
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    // A line that has no end is that of a client that was killed.
    (reader.read_line(&mut line).ok()? > 0 && line.ends_with('\n')).then(|| line.trim_end().to_owned())
}

/// Reads the body that belongs to it, unpacked; `None` where it did not come whole.
pub fn read_body(reader: &mut impl BufRead, head: &Head) -> Option<Vec<u8>> {
    let length = head.headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if head.headers.get("content-encoding").is_none_or(|encoding| encoding != "gzip") {
        return Some(body);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(body.as_slice()).read_to_end(&mut unpacked).expect("a body in gzip");
    Some(unpacked)
}
