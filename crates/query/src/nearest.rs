//! "Did you mean": the name that the user had in mind.

/// The candidate closest to `name`, where one is close enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = name.to_lowercase();
    let distance_max = (wanted.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// That the store has no event of a job, and which ones are near.
pub fn no_such_job(job: &str, similar: &[String]) -> String {
    if similar.iter().any(|known| known == job) {
        return format!("no event of job `{job}` had arrived by then: the store has it from later on");
    }
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
