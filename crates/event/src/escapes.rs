//! JSON as a person reads it.

use std::borrow::Cow;

/// Does JSON say anything in other characters than a person reads?
#[must_use]
pub fn has_escapes(json: &str) -> bool {
    json.as_bytes().contains(&b'\\')
}

/// JSON with its escapes resolved: no JSON any more, but what it says.
#[must_use]
pub fn readable(json: &str) -> Cow<'_, str> {
    let Some(first) = json.find('\\') else { return Cow::Borrowed(json) };
    let mut text = String::with_capacity(json.len());
    text.push_str(&json[..first]);
    let mut rest = &json[first..];
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (character, length) = escaped(&rest[at..]);
        text.push(character);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character that an escape at the front stands for, and how many bytes it takes. What is none stays a backslash.
pub(super) fn escaped(text: &str) -> (char, usize) {
    let simple = match text.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return of_code(text).unwrap_or(('\\', 1)),
        _ => return ('\\', 1),
    };
    (simple, 2)
}

/// `\u00dc`, or two of them where the character takes two.
fn of_code(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u32::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let high = unit(2)?;
    if let Some(character) = char::from_u32(high) {
        return Some((character, 6));
    }
    let low = text.get(6..8).filter(|escape| *escape == "\\u").and_then(|_| unit(8));
    let low = low.filter(|low| (0xdc00..0xe000).contains(low) && high < 0xdc00);
    Some(match low.and_then(|low| char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))) {
        Some(character) => (character, 12),
        None => (char::REPLACEMENT_CHARACTER, 6),
    })
}
