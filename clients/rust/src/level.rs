use std::str::FromStr;

/// How grave an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Of use to whoever looks for a fault.
    Debug,
    /// What happens when all is well.
    #[default]
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// What a type says about the level of its events: one that names a failure is an error.
    pub fn of_type(event_type: &str) -> Self {
        let action = event_type.rsplit(['.', '_']).next().unwrap_or(event_type);
        let is_whole = action.len() == event_type.len();
        match action {
            "error" => Self::Error,
            "failed" if !is_whole => Self::Error,
            _ => Self::Info,
        }
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Debug, Self::Info, Self::Warn, Self::Error]
            .into_iter()
            .find(|level| text.trim().eq_ignore_ascii_case(level.as_str()))
            .ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

/// A word that names no level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLevel(String);

impl std::fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is no level: it is debug, info, warn or error", self.0)
    }
}

impl std::error::Error for UnknownLevel {}
