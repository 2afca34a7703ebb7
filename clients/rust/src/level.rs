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
        let action = event_type.rsplit(['.', '-']).next().unwrap_or(event_type);
        let is_failure = matches!(action, "error" | "failed" | "crashed" | "timed_out")
            || ["Error", "Failed", "Crashed", "TimedOut"].iter().any(|word| action.ends_with(word));
        match is_failure || action.ends_with("_failed") || action.ends_with("_error") {
            true => Self::Error,
            false => Self::Info,
        }
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// In any case, and as other loggers say it too.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "debug" | "dbg" | "trace" | "verbose" | "silly" | "fine" | "finer" | "finest" | "10" | "20" => {
                Ok(Self::Debug)
            }
            "info" | "inf" | "information" | "notice" | "http" | "30" => Ok(Self::Info),
            "warn" | "wrn" | "warning" | "40" => Ok(Self::Warn),
            "error" | "err" | "fatal" | "crit" | "critical" | "panic" | "dpanic" | "alert" | "emerg" | "emergency"
            | "severe" | "50" | "60" => Ok(Self::Error),
            _ => Err(UnknownLevel(text.to_owned())),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_failed() {
        for event_type in ["job.failed", "connector.processing_failed", "api.error", "x_error", "worker.crashed"] {
            assert_eq!(Level::of_type(event_type), Level::Error, "{event_type}");
        }
        for event_type in ["job.created", "job.failed_over", "terror", "errors.counted", "failed.job"] {
            assert_eq!(Level::of_type(event_type), Level::Info, "{event_type}");
        }
    }

    #[test]
    fn levels_are_read_as_other_loggers_say_them() {
        let read = |text: &str| text.parse::<Level>().ok();
        assert_eq!(["TRACE", "20", " debug "].map(read), [Some(Level::Debug); 3]);
        assert_eq!(["Warning", "40"].map(read), [Some(Level::Warn); 2]);
        assert_eq!(["err", "fatal", "CRITICAL", "panic", "60"].map(read), [Some(Level::Error); 5]);
        assert_eq!(read("loud"), None);
    }
}
