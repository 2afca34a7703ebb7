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

    /// The level of that name in any case, `warning` included; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("warning") {
            return Some(Self::Warn);
        }
        Self::ALL.into_iter().find(|level| text.eq_ignore_ascii_case(level.as_str()))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
