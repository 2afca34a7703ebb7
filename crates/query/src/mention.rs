//! Whether a text is mentioned: what `search --text` looks for, in stored events and in those that come.

use regex::{Regex, RegexBuilder};

use emp_event::{has_escapes, readable};

/// A text that is looked for as a person reads it: in upper or lower case, and whether JSON spells a character out or
/// escapes it (`\u00dc`, `\/`). What is typed as it stands in the JSON is found, too.
#[derive(Debug)]
pub(crate) struct Mention {
    /// `None` for a text that is too long for a regular expression.
    regex: Option<Regex>,
    /// As it was given.
    pub text: String,
}

impl Mention {
    pub fn of(text: &str) -> Self {
        let regex = RegexBuilder::new(&regex::escape(text)).case_insensitive(true).build().ok();
        Self { regex, text: text.to_owned() }
    }

    /// Is it mentioned in these texts or JSON, as they are?
    pub fn is_in_plain(&self, text: &str) -> bool {
        match &self.regex {
            Some(regex) => regex.is_match(text),
            None => text.to_lowercase().contains(&self.text.to_lowercase()),
        }
    }

    /// Is it mentioned in this JSON?
    pub fn is_in(&self, json: &str) -> bool {
        self.is_in_plain(json) || (has_escapes(json) && self.is_in_plain(&readable(json)))
    }
}
