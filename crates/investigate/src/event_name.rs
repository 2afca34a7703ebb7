//! The standard for the names of events: `{entity}.{action}`, `{entity}.{status}_updated` and
//! `{entity}.{action}_failed`, in lower snake case with exactly one dot. An action is what has
//! happened (`created`) or goes on (`starting`), or a plain state (`ready`).

/// Verbs as they are used where their past form is meant. Words that are nouns as well, such as
/// `retry`, are left alone.
const VERBS: [(&str, &str); 24] = [
    ("accept", "accepted"),
    ("assign", "assigned"),
    ("cancel", "cancelled"),
    ("claim", "claimed"),
    ("complete", "completed"),
    ("connect", "connected"),
    ("create", "created"),
    ("delete", "deleted"),
    ("deliver", "delivered"),
    ("disconnect", "disconnected"),
    ("execute", "executed"),
    ("fail", "failed"),
    ("failure", "failed"),
    ("finish", "finished"),
    ("receive", "received"),
    ("register", "registered"),
    ("reject", "rejected"),
    ("send", "sent"),
    ("start", "started"),
    ("stop", "stopped"),
    ("submit", "submitted"),
    ("subscribe", "subscribed"),
    ("unsubscribe", "unsubscribed"),
    ("update", "updated"),
];
/// Words that end an action, and never begin one of several words.
const ENDINGS: [&str; 2] = ["failed", "updated"];

/// What is wrong with a name; `None` where it keeps to the standard.
pub(super) fn fault(name: &str) -> Option<String> {
    let (entity, action) = match name.split('.').collect::<Vec<_>>()[..] {
        [entity, action] => (entity, action),
        [_] => return Some("no dot between entity and action".to_owned()),
        _ => return Some("more than one dot".to_owned()),
    };
    if entity.is_empty() || action.is_empty() {
        return Some("no entity or no action beside the dot".to_owned());
    }
    if !is_snake_case(entity) || !is_snake_case(action) {
        return Some("not in lower snake case".to_owned());
    }
    let words: Vec<&str> = action.split('_').collect();
    match (words.first(), words.last()) {
        (Some(first), _) if words.len() > 1 && ENDINGS.contains(first) => {
            Some(format!("`{first}` belongs at the end of the action"))
        }
        (_, Some(last)) => past_of(last).map(|past| format!("`{last}` should be `{past}`")),
        _ => None,
    }
}

/// The name that was probably meant: one of the good ones that are in use, else the name itself, put
/// right as far as that can be done.
pub(super) fn better<'a>(name: &str, good: impl Iterator<Item = &'a str>) -> Option<String> {
    let mended = mended(name);
    let meant = squashed(mended.as_deref().unwrap_or(name));
    let near = good.map(|good| (strsim::osa_distance(&meant, &squashed(good)), good));
    let near = near.filter(|(distance, _)| *distance <= 1).min();
    near.map(|(_, good)| good.to_owned()).or(mended)
}

fn is_snake_case(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('_').all(|word| !word.is_empty() && word.bytes().all(is_plain))
}

fn past_of(word: &str) -> Option<&'static str> {
    VERBS.iter().find(|(verb, _)| *verb == word).map(|(_, past)| *past)
}

/// A name without what parts its words.
fn squashed(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The name in the standard's form; `None` where it holds too little for one.
fn mended(name: &str) -> Option<String> {
    let snake = snake_case(name);
    let parts: Vec<&str> =
        snake.split('.').map(|part| part.trim_matches('_')).filter(|part| !part.is_empty()).collect();
    let (entity, action) = match &parts[..] {
        [] => return None,
        [only] => only.split_once('_').map(|(entity, action)| (entity.to_owned(), action.to_owned()))?,
        [entity, action @ ..] => ((*entity).to_owned(), action.join("_")),
    };
    let mut words: Vec<&str> = action.split('_').filter(|word| !word.is_empty()).collect();
    if words.len() > 1 && words.first().is_some_and(|first| ENDINGS.contains(first)) {
        words.rotate_left(1);
    }
    if let Some(last) = words.last_mut() {
        *last = past_of(last).unwrap_or(*last);
    }
    let mended = format!("{entity}.{}", words.join("_"));
    fault(&mended).is_none().then_some(mended)
}

/// Words in lower case, parted by `_`; dots stay, and what else parts levels becomes one.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for c in name.chars() {
        if c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            snake.push('_');
        }
        match c {
            '.' | ':' | '/' => snake.push('.'),
            c if c.is_alphanumeric() => snake.extend(c.to_lowercase()),
            _ if !snake.ends_with('_') => snake.push('_'),
            _ => {}
        }
        before = c;
    }
    snake
}
