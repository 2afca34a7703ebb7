//! Commands to type next: quoted for the shell, and with what led to the answer that names them.

use std::borrow::Cow;
use std::cell::RefCell;

use emp_event::is_unseen;

use super::Moment;

/// Options without which a command would ask another store, or as of another moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// The stores, where they are not the one that is asked without being named.
    pub stores: Vec<String>,
    /// As of when, where that was said; ms since the epoch.
    pub now_ms: Option<i64>,
}

thread_local! {
    /// What the answer is about that this thread is at work on: one thread answers a question from its beginning to its end.
    static CARRIED: RefCell<Option<Carried>> = const { RefCell::new(None) };
}

/// What every command that this thread names from then on says, too.
pub fn carry(carried: Carried) {
    CARRIED.set(Some(carried));
}

/// `emp-events` with these words, for a shell: what is carried comes last.
pub fn command(words: &[&str]) -> String {
    CARRIED.with_borrow(|carried| with_options(words, carried.as_ref()))
}

fn with_options(words: &[&str], carried: Option<&Carried>) -> String {
    let mut all: Vec<Cow<'_, str>> = vec!["emp-events".into()];
    // What looks like an option and is none: the job that a command is about comes last, a value goes with its option.
    let mut last: Option<&str> = None;
    for word in words {
        let is_value = word.starts_with('-') && !is_option(word);
        match all.last_mut() {
            Some(option) if is_value && is_option(option) => *option = format!("{option}={word}").into(),
            _ if is_value => last = Some(word),
            _ => all.push((*word).into()),
        }
    }
    for store in carried.iter().flat_map(|carried| &carried.stores) {
        all.extend(["--store".into(), store.into()]);
    }
    // Whether all is well is always asked as of now.
    let now_ms = carried.and_then(|carried| carried.now_ms).filter(|_| words.first() != Some(&"health"));
    all.extend(now_ms.into_iter().flat_map(|now_ms| ["--now".into(), moment_word(now_ms).into()]));
    all.extend(last.into_iter().flat_map(|word| ["--".into(), word.into()]));
    all.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// `--compare`, as those are called that answers name.
fn is_option(word: &str) -> bool {
    let name = word.strip_prefix("--");
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
}

/// A moment as an option takes it, ms since the epoch: `2025-09-27T09:00:00Z`.
pub fn moment_word(ms: i64) -> String {
    Moment(ms).time().to_string()
}

fn quoted(word: &str) -> Cow<'_, str> {
    // What a terminal would obey is spelled out, as bash, zsh and ksh read it.
    if word.contains(is_unseen) {
        let spelled = word.chars().map(|character| match character {
            '\\' | '\'' => format!("\\{character}"),
            '\0'..='\u{7f}' if is_unseen(character) => format!("\\x{:02x}", u32::from(character)),
            _ if is_unseen(character) => format!("\\U{:08x}", u32::from(character)),
            _ => character.to_string(),
        });
        return format!("$'{}'", spelled.collect::<String>()).into();
    }
    // A word with a NUL cannot be typed at all, however it is quoted.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_what_was_meant() {
        let carried = Carried { stores: vec!["/tmp/my store".to_owned()], now_ms: Some(1_758_967_800_000) };
        let said = with_options(&["diagnose", "it's; rm -rf"], Some(&carried));
        let words = shlex::split(&said).unwrap();
        let now = "2025-09-27T10:10:00Z";
        assert_eq!(words, ["emp-events", "diagnose", "it's; rm -rf", "--store", "/tmp/my store", "--now", now]);
        assert_eq!(with_options(&["timeline", "job_1"], None), "emp-events timeline job_1");
        assert!(!with_options(&["health"], Some(&carried)).contains("--now"));
    }

    #[test]
    fn what_looks_like_an_option_is_none() {
        let carried = Carried { stores: vec!["s".to_owned()], now_ms: None };
        let words = |words: &[&str]| shlex::split(&with_options(words, Some(&carried))).unwrap()[1..].to_vec();
        assert_eq!(words(&["diagnose", "-x --all"]), ["diagnose", "--store", "s", "--", "-x --all"]);
        assert_eq!(words(&["timeline", "a", "--compare", "-b"]), ["timeline", "a", "--compare=-b", "--store", "s"]);
        assert_eq!(
            words(&["diagnose", "--all", "--last", "2h"]),
            ["diagnose", "--all", "--last", "2h", "--store", "s"]
        );
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        let said = with_options(&["diagnose", "a\u{1b}[2J\n\\'\u{202e}é"], None);
        assert!(said.ends_with(r" $'a\x1b[2J\x0a\\\'\U0000202eé'"), "{said}");
    }
}
