use clap::Args;

use emp_collect::{MemoryLimit, MemoryLimits};
use emp_units::parse_bytes;

/// From where on Redis' memory is worth a warning.
#[derive(Debug, Args)]
pub(super) struct MemoryOptions {
    /// Warn where Redis uses more than that: a share of its maxmemory, or a size such as 2GiB
    #[arg(long, value_name = "LIMIT", env = "EMP_EVENTS_MEMORY_WARN", default_value = "80%", value_parser = memory_limit)]
    memory_warn: MemoryLimit,
    /// Warn where the stream takes more than that
    #[arg(long, value_name = "SIZE", env = "EMP_EVENTS_STREAM_WARN", default_value = "64MiB", value_parser = parse_bytes)]
    stream_warn: u64,
}

impl MemoryOptions {
    /// The limits.
    pub fn limits(&self) -> MemoryLimits {
        MemoryLimits { used: self.memory_warn, stream_bytes: self.stream_warn }
    }
}

/// `80%`, or bytes as [`parse_bytes`] reads them.
fn memory_limit(text: &str) -> Result<MemoryLimit, String> {
    let Some(percent) = text.trim().strip_suffix('%') else {
        return parse_bytes(text)
            .map(MemoryLimit::Bytes)
            .map_err(|_| "expected a share such as 80%, or a size such as 2GiB".to_owned());
    };
    let percent = percent.trim().parse().ok().filter(|percent: &f64| *percent > 0.0 && *percent <= 100.0);
    percent
        .map(|percent| MemoryLimit::Share(percent / 100.0))
        .ok_or_else(|| "expected a share between 0% and 100%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_shares_or_sizes() {
        assert_eq!(memory_limit("80%"), Ok(MemoryLimit::Share(0.8)));
        assert_eq!(memory_limit(" 2.5 % "), Ok(MemoryLimit::Share(0.025)));
        assert_eq!(memory_limit("2GiB"), Ok(MemoryLimit::Bytes(2 << 30)));
        for wrong in ["", "%", "0%", "101%", "-1%", "NaN%", "much"] {
            assert!(memory_limit(wrong).is_err(), "{wrong}");
        }
    }
}
