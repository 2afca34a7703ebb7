//! "Did you mean": the name that the user had in mind.

/// A word of a name shorter than this says too little.
const WORD_LETTERS_MIN: usize = 3;
/// A slip in a word shorter than this makes another word.
const LONG_WORD_LETTERS: usize = 5;

/// The candidate closest to `name`, where one is close enough to be meant: by a slip or two, else as one of its words,
/// but for a slip, as `worker` is of `worker_id`, or as its beginning.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = name.to_lowercase();
    let letters = wanted.chars().count();
    let slips_max = if letters < LONG_WORD_LETTERS { 0 } else { 1 };
    let near = |candidate: &'a str| {
        let is_near = |word: String| strsim::osa_distance(&wanted, &word) <= slips_max;
        let is_beginning = candidate.to_lowercase().starts_with(&wanted);
        let is_word = letters >= WORD_LETTERS_MIN && (is_beginning || words(candidate).into_iter().any(is_near));
        let (slips, is_slip) = (slips(name, candidate), is_slip(name, candidate));
        (is_slip || is_word).then_some((!is_slip, slips, candidate))
    };
    candidates.into_iter().filter_map(near).min().map(|(.., candidate)| candidate.to_owned())
}

/// May the one name have been meant by the other, but for a slip or two of the keys?
pub(super) fn is_slip(name: &str, meant: &str) -> bool {
    slips(name, meant) <= (name.chars().count() / 3).clamp(1, 4)
}

fn slips(name: &str, meant: &str) -> usize {
    strsim::osa_distance(&name.to_lowercase(), &meant.to_lowercase())
}

/// The words of a name, in lower case: `worker` and `id` of `worker_id`, `connector` and `type` of `connectorType`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for character in name.chars() {
        let is_between = matches!(character, '_' | '.' | '-');
        if is_between || (before.is_lowercase() && character.is_uppercase()) {
            words.push(String::new());
        }
        if !is_between && let Some(word) = words.last_mut() {
            word.extend(character.to_lowercase());
        }
        before = character;
    }
    words
}

/// That the store has no event of a job, and which ones are near.
pub fn no_such_job(job: &str, similar: &[String]) -> String {
    format!("the store has no events of job `{job}`{}", any_of(similar))
}

/// The end of a sentence about jobs: `; did you mean … or …?`, or nothing.
pub fn any_of(jobs: &[String]) -> String {
    if jobs.is_empty() { String::new() } else { format!("; did you mean {}?", jobs.join(" or ")) }
}

/// The end of a sentence: `; did you mean …?`, or nothing.
pub fn suggestion(nearest: Option<&String>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
