//! Commands to type next: quoted for the shell, and with what led to the answer that names them.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::Moment;

/// Options without which a command would ask another store, or as of another moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// The store, where it is not the one that is asked without being named.
    pub store: Option<String>,
    /// As of when, where that was said; ms since the epoch.
    pub now_ms: Option<i64>,
}

/// What this process's answers are about: it answers once, and is told before.
static CARRIED: OnceLock<Carried> = OnceLock::new();

/// What every command that is named from then on says, too. The first call counts.
pub fn carry(carried: Carried) {
    let _ = CARRIED.set(carried);
}

/// `emp-events` with these words, for a shell: what is carried comes last.
pub fn command(words: &[&str]) -> String {
    with_options(words, CARRIED.get())
}

fn with_options(words: &[&str], carried: Option<&Carried>) -> String {
    let mut command = String::from("emp-events");
    let mut add = |word: &str| {
        command.push(' ');
        command.push_str(&quoted(word));
    };
    words.iter().for_each(|word| add(word));
    let Some(carried) = carried else { return command };
    if let Some(store) = &carried.store {
        add("--store");
        add(store);
    }
    // Whether all is well is always asked as of now.
    if let Some(now_ms) = carried.now_ms.filter(|_| words.first() != Some(&"health")) {
        add("--now");
        add(&moment_word(now_ms));
    }
    command
}

/// A moment as an option takes it, ms since the epoch: `2025-09-27T09:00:00Z`.
pub fn moment_word(ms: i64) -> String {
    Moment(ms).time().to_string()
}

fn quoted(word: &str) -> Cow<'_, str> {
    // A word with a NUL cannot be typed at all, however it is quoted.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_was_meant() {
        let carried = Carried { store: Some("/tmp/my store".to_owned()), now_ms: Some(1_758_967_800_000) };
        let said = with_options(&["diagnose", "it's; rm -rf"], Some(&carried));
        let words = shlex::split(&said).unwrap();
        let now = "2025-09-27T10:10:00Z";
        assert_eq!(words, ["emp-events", "diagnose", "it's; rm -rf", "--store", "/tmp/my store", "--now", now]);
        assert_eq!(with_options(&["timeline", "job_1"], None), "emp-events timeline job_1");
        assert!(!with_options(&["health"], Some(&carried)).contains("--now"));
    }
}
