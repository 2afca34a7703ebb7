//! JSON that is JSON, and that readers refuse all the same: made readable, and nothing else of it touched.

use std::borrow::Cow;
use std::fmt;
use std::ops::BitOr;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::data::{MemberCount, Members};
use super::escapes::escaped;

/// Objects and arrays within each other that `data` may have.
pub(super) const DEPTH_MAX: usize = 128;
/// So many every reader of values takes; `serde_json` takes 127.
const DEPTH_READ_MAX: usize = 100;

/// What was mended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    lone_surrogate: bool,
    too_deep: bool,
    out_of_range: bool,
}

impl Faults {
    /// Was anything?
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }
}

impl BitOr for Faults {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            lone_surrogate: self.lone_surrogate | other.lone_surrogate,
            too_deep: self.too_deep | other.too_deep,
            out_of_range: self.out_of_range | other.out_of_range,
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (self.lone_surrogate, "half a character"),
            (self.too_deep, "nested too deeply"),
            (self.out_of_range, "a number out of range"),
        ];
        let said: Vec<&str> = all.into_iter().filter_map(|(is_so, said)| is_so.then_some(said)).collect();
        f.write_str(&said.join(", "))
    }
}

/// JSON whose every value can be read: half a character (`\ud83d` alone) becomes U+FFFD, what is nested deeper than that
/// and a number that no float holds become their own text. `None` where nothing was to be mended.
pub(super) fn mend(json: &str, depth_max: usize) -> Option<(String, Faults)> {
    let mut mender = Mender { json, kept: 0, mended: String::new(), faults: Faults::default() };
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = json.as_bytes().get(at) {
        at = match byte {
            b'"' => mender.string(at),
            b'{' | b'[' if depth == depth_max => mender.deep(at),
            b'-' | b'0'..=b'9' => mender.number(at),
            b'{' | b'[' => {
                depth += 1;
                at + 1
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at + 1
            }
            _ => at + 1,
        };
    }
    mender.faults.any().then(|| (mender.mended + &json[mender.kept..], mender.faults))
}

/// What had to be mended before every reader of values takes this JSON, and the JSON then.
#[must_use]
pub fn mended(json: &str) -> Option<(String, Faults)> {
    mend(json, DEPTH_READ_MAX)
}

/// A value of JSON, mended where it cannot be read as it is.
///
/// # Errors
/// Where it is no JSON, or of another form.
pub fn read_json<T: for<'de> Deserialize<'de>>(json: &str) -> serde_json::Result<T> {
    serde_json::from_str(json).or_else(|error| match mended(json) {
        Some((json, _)) => serde_json::from_str(&json),
        None => Err(error),
    })
}

/// JSON as all commands understand it, for readers that know less: mended, and of equal keys of one object the last alone.
#[must_use]
pub fn plain_json(json: &str) -> Cow<'_, str> {
    let json = mend(json, DEPTH_MAX).map_or(Cow::Borrowed(json), |(json, _)| Cow::Owned(json));
    match without_repeats(&json, DEPTH_MAX) {
        Some(plain) => Cow::Owned(plain),
        None => json,
    }
}

/// An object without members whose key comes again, so many objects deep; `None` where there are none.
fn without_repeats(json: &str, depth_max: usize) -> Option<String> {
    let is_object = json.trim_start().starts_with('{') && depth_max > 0;
    let Members(members) = is_object.then(|| Members::parse(json).ok()).flatten()?;
    let MemberCount(count) = serde_json::from_str(json).ok()?;
    let inner: Vec<Option<String>> =
        members.iter().map(|(_, value)| without_repeats(value.get(), depth_max - 1)).collect();
    if count == members.len() && inner.iter().all(Option::is_none) {
        return None;
    }
    let member = |((key, value), inner): (&(Cow<'_, str>, &RawValue), &Option<String>)| {
        format!("{}:{}", serde_json::Value::from(key.as_ref()), inner.as_deref().unwrap_or_else(|| value.get()))
    };
    let plain: Vec<String> = members.iter().zip(&inner).map(member).collect();
    Some(format!("{{{}}}", plain.join(",")))
}

/// JSON on its way: what was read of it is kept as it is, or mended.
struct Mender<'a> {
    json: &'a str,
    /// Where what is not in `mended` yet begins.
    kept: usize,
    mended: String,
    faults: Faults,
}

impl Mender<'_> {
    fn put(&mut self, from: usize, to: usize, instead: &str) {
        self.mended.push_str(&self.json[self.kept..from]);
        self.mended.push_str(instead);
        self.kept = to;
    }

    /// Goes through the string that begins there, to its end.
    fn string(&mut self, begin: usize) -> usize {
        let mut at = begin + 1;
        while let Some(found) = quote_or_backslash(self.json, at) {
            if self.json.as_bytes()[found] == b'"' {
                return found + 1;
            }
            let (character, length) = escaped(&self.json[found..]);
            at = found + length;
            let is_spelled_out = || self.json[found + 2..at].eq_ignore_ascii_case("fffd");
            if character == char::REPLACEMENT_CHARACTER && !is_spelled_out() {
                self.put(found, at, "\u{fffd}");
                self.faults.lone_surrogate = true;
            }
        }
        self.json.len()
    }

    fn number(&mut self, begin: usize) -> usize {
        let is_of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = self.json.as_bytes()[begin..].iter().take_while(|byte| is_of_number(byte)).count();
        let (end, text) = (begin + length, &self.json[begin..begin + length]);
        let may_be_large = length > f64::MAX_10_EXP as usize || text.contains(['e', 'E']);
        if may_be_large && text.parse().is_ok_and(f64::is_infinite) {
            self.put(begin, end, &format!("\"{text}\""));
            self.faults.out_of_range = true;
        }
        end
    }

    /// Makes a text of the object or array that begins there.
    fn deep(&mut self, begin: usize) -> usize {
        let end = end_of(self.json, begin);
        let text = serde_json::Value::from(&self.json[begin..end]).to_string();
        self.put(begin, end, &text);
        self.faults.too_deep = true;
        end
    }
}

fn quote_or_backslash(json: &str, from: usize) -> Option<usize> {
    let rest = json.as_bytes().get(from..)?;
    rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).map(|offset| from + offset)
}

/// Where the object or array ends that begins there.
fn end_of(json: &str, begin: usize) -> usize {
    let (mut at, mut depth) = (begin, 0_usize);
    while let Some(byte) = json.as_bytes().get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 => return at + 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                at += 1;
                while let Some(found) = quote_or_backslash(json, at) {
                    at = found;
                    if json.as_bytes()[at] == b'"' {
                        break;
                    }
                    at += 2;
                }
            }
            _ => {}
        }
        at += 1;
    }
    json.len()
}
