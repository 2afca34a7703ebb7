//! What the data of an event tells by the keys of the vocabulary, read from its JSON.

use super::event::named_in;
use super::fingerprint::{error_text, fingerprint};
use super::vocabulary::{Named, vocabulary};
use super::words::job_type_of;

/// What is asked of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// What went wrong.
    ErrorText,
    /// The same without what differs from case to case.
    ErrorFingerprint,
    /// What the work was handed to.
    ConnectorName,
    /// The key that names it.
    ConnectorKey,
    /// Which kind of job it is about.
    JobType,
}

impl Told {
    /// Each of them.
    pub const ALL: [Self; 5] =
        [Self::ErrorText, Self::ErrorFingerprint, Self::ConnectorName, Self::ConnectorKey, Self::JobType];

    /// As this JSON tells it; `None` where it does not.
    #[must_use]
    pub fn of(self, data: &str) -> Option<String> {
        if !self.may_be_in(data) {
            return None;
        }
        let data = emp_event::read_json(data).ok()?;
        match self {
            Self::ErrorText => error_text(&data),
            Self::ErrorFingerprint => error_text(&data).map(|text| fingerprint(&text)),
            Self::ConnectorName => named_in(&data, Named::Connector).map(|(_, name)| name.to_owned()),
            Self::ConnectorKey => named_in(&data, Named::Connector).map(|(key, _)| key.to_owned()),
            Self::JobType => job_type_of(&data).map(str::to_owned),
        }
    }

    /// May the data tell it? Most events name no connector, and looking for a key costs a tenth of understanding JSON.
    fn may_be_in(self, data: &str) -> bool {
        let keys = match self {
            Self::ConnectorName | Self::ConnectorKey => vocabulary().keys(Named::Connector),
            Self::JobType => vocabulary().keys(Named::JobType),
            Self::ErrorText | Self::ErrorFingerprint => return true,
        };
        // Without escapes a key stands there as it is.
        data.contains('\\') || keys.iter().any(|key| data.contains(key.as_str()))
    }
}
