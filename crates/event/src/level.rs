use std::fmt;

/// How grave an event is, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// For whoever works on the service.
    Debug,
    /// What is normal; the default.
    #[default]
    Info,
    /// Odd, but it goes on.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// Every level, in rising order.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// The name on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The level of that name in any case, or what other loggers call it; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "debug" | "dbg" | "trace" | "verbose" | "silly" | "fine" | "finer" | "finest" | "10" | "20" => {
                Some(Self::Debug)
            }
            "info" | "inf" | "information" | "notice" | "http" | "30" => Some(Self::Info),
            "warn" | "wrn" | "warning" | "40" => Some(Self::Warn),
            "error" | "err" | "fatal" | "crit" | "critical" | "panic" | "dpanic" | "alert" | "emerg" | "emergency"
            | "severe" | "50" | "60" => Some(Self::Error),
            _ => None,
        }
    }

    /// The level of an event whose producer gives none: `error` where the type tells of a failure.
    pub fn of_type(event_type: &str) -> Self {
        if tells_of_failure(event_type) { Self::Error } else { Self::Info }
    }
}

/// Does the name of a type say that something did not work? Its last word does: of `job.failed`, of `task-failed`, of
/// `ActivityTaskFailed`.
pub fn tells_of_failure(event_type: &str) -> bool {
    let last_word = event_type.rsplit(['.', '-']).next().unwrap_or(event_type);
    matches!(last_word, "error" | "failed" | "crashed" | "timed_out")
        || last_word.ends_with("_failed")
        || last_word.ends_with("_error")
        || ["Error", "Failed", "Crashed", "TimedOut"].iter().any(|word| last_word.ends_with(word))
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
