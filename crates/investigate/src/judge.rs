//! From a job's history to a verdict: the first that applies.

use emp_findings::{
    BudgetPart, Completeness, Confidence, Culprit, Diagnosis, Evidence, LastEvent, MissingStep, Moment, SameCause,
    Verdict, command,
};
use emp_job::{History, JobEvent, Meaning, Part, PartKind, budget};
use emp_typical::{Sketch, Typical};
use emp_units as units;

use super::clocks::off_in_words;
use super::surroundings::Surroundings;
use super::{attempts, failure, silence, slow, waiting, webhook};

/// A job with everything that it is judged by.
pub(super) struct Case<'a> {
    pub job_id: &'a str,
    pub history: &'a History,
    pub typical: &'a Typical,
    pub around: &'a Surroundings,
}

/// A verdict on a job, with its reasons.
pub(super) struct Finding {
    pub verdict: Verdict,
    pub confidence: Confidence,
    pub reason: String,
    pub culprit: Culprit,
    pub since_ms: Option<i64>,
    pub evidence: Vec<Evidence>,
    pub same_cause: SameCause,
    pub ruled_out: Vec<String>,
    pub next: Vec<String>,
    /// What it has in common with others of the same cause, such as the text of an error.
    pub cause: Option<String>,
}

impl Finding {
    pub fn new(verdict: Verdict, confidence: Confidence, reason: String) -> Self {
        Self {
            verdict,
            confidence,
            reason,
            culprit: Culprit::default(),
            since_ms: None,
            evidence: Vec::new(),
            same_cause: SameCause::default(),
            ruled_out: Vec::new(),
            next: Vec::new(),
            cause: None,
        }
    }
}

/// With fewer cases than these, nothing is said about the longest of a hundred.
pub(super) const CASES_FOR_P99: u64 = 100;
/// With fewer cases than these, nothing is said about what is typical.
pub(super) const CASES_MIN: u64 = 20;
/// A job that was heard of within this time is never called stuck.
const STUCK_MS_MIN: i64 = 60_000;
/// How long a step may take where nothing is known about it.
const STUCK_MS_UNKNOWN: i64 = 300_000;
/// A clock that is ahead by less is not worth a word.
const SKEW_MS_MIN: i64 = 20;
/// Completed jobs of which almost all have an event.
const USUAL_SHARE: f64 = 0.99;

/// How long a state may last, by what is typical.
pub(super) struct Overdue {
    pub confidence: Confidence,
    /// `a step that takes 3.1 s typically and 9.8 s at the 99th percentile of 4,120 cases`.
    pub usual: String,
}

impl Case<'_> {
    pub fn job_type(&self) -> &str {
        self.history.job_type()
    }

    /// `image_generation job`, or just `job`.
    pub fn noun(&self) -> String {
        match self.job_type() {
            "" => "jobs".to_owned(),
            job_type => format!("{job_type} jobs"),
        }
    }

    /// Has it been `ms` since an event of that type, which is longer than is usual before another one
    /// follows?
    pub fn overdue(&self, event_type: &str, ms: i64) -> Option<Overdue> {
        let (usual, is_own) = usual_state(self.typical, self.job_type(), event_type);
        let (limit_ms, confidence) = limit(&usual);
        let is_known = usual.count() >= CASES_MIN;
        (ms > limit_ms).then(|| Overdue {
            confidence: if is_own { confidence } else { Confidence::Guess },
            usual: match is_known {
                true => describe(&usual),
                false => format!("how long this takes is not known: there are {} cases", usual.count()),
            },
        })
    }
}

/// How long jobs of a kind mostly stay in the state that begins with an event; of a kind that is not known well, those of
/// any. Are they its own?
fn usual_state(typical: &Typical, job_type: &str, event_type: &str) -> (Sketch, bool) {
    let own = typical.state(job_type, event_type);
    match own.count() >= CASES_MIN {
        true => (own, true),
        false => (typical.state_of_any(event_type), false),
    }
}

/// How long a job of that kind may stay in that state before it is overdue.
pub(super) fn overdue_after_ms(typical: &Typical, job_type: &str, event_type: &str) -> i64 {
    limit(&usual_state(typical, job_type, event_type).0).0
}

fn limit(usual: &Sketch) -> (i64, Confidence) {
    let (limit_ms, confidence) = match usual.count() {
        CASES_FOR_P99.. => (3.0 * usual.quantile(0.99).unwrap_or_default(), Confidence::Likely),
        CASES_MIN.. => (2.0 * usual.max_ms() as f64, Confidence::Guess),
        _ => (STUCK_MS_UNKNOWN as f64, Confidence::Guess),
    };
    ((limit_ms as i64).max(STUCK_MS_MIN), confidence)
}

/// `typically 3.1 s, 9.8 s at most in 99 of 100 (n = 4,120)`.
pub(super) fn describe(usual: &Sketch) -> String {
    let at = |share| units::millis(usual.quantile(share).unwrap_or_default());
    format!("typically {}, in 99 of 100 cases {} at most (n = {})", at(0.5), at(0.99), units::count(usual.count()))
}

/// A moment as texts show it.
pub(super) fn clock(ms: i64) -> String {
    Moment(ms).time().strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

pub(super) fn lasting(ms: i64) -> String {
    units::millis(ms as f64)
}

/// Judges a job.
pub(super) fn judge(job_id: &str, history: &History, typical: &Typical, around: &Surroundings) -> Diagnosis {
    let case = Case { job_id, history, typical, around };
    let checks: [fn(&Case<'_>) -> Option<Finding>; 12] = [
        silence::no_data,
        failure::failed,
        failure::retry_loop,
        silence::worker_silent,
        waiting::waiting,
        silence::claimed_not_started,
        silence::stuck,
        attempts::running_after_loss,
        slow::running_slow,
        webhook::webhook_undelivered,
        attempts::done_after_loss,
        slow::done_slow,
    ];
    let finding = checks.iter().find_map(|check| check(&case)).unwrap_or_else(|| nothing_wrong(&case));
    let last = history.last();
    let mut next = finding.next;
    next.insert(0, command(&["timeline", job_id]));
    let mut evidence = finding.evidence;
    if !evidence.iter().any(|shown| shown.id == last.id) {
        evidence.push(Evidence::new(last, "the last that was heard of the job"));
    }
    Diagnosis {
        job_id: job_id.to_owned(),
        verdict: finding.verdict,
        confidence: finding.confidence,
        reason: finding.reason,
        culprit: finding.culprit,
        since: finding.since_ms.map(Moment),
        last_event: Some(LastEvent {
            id: last.id,
            timestamp: Moment(last.timestamp_ms),
            service: last.service.to_string(),
            event_type: last.event_type.to_string(),
        }),
        budget: budget_of(&case),
        evidence,
        same_cause: finding.same_cause,
        ruled_out: finding.ruled_out,
        completeness: completeness(&case),
        next,
        cause: finding.cause,
    }
}

/// What is said about a job of which the store has no event.
pub(super) fn not_found(job_id: &str, reason: String, similar: &[String]) -> Diagnosis {
    Diagnosis {
        job_id: job_id.to_owned(),
        verdict: Verdict::NotFound,
        confidence: Confidence::Proven,
        reason,
        culprit: Culprit::default(),
        since: None,
        last_event: None,
        budget: Vec::new(),
        evidence: Vec::new(),
        same_cause: SameCause::default(),
        ruled_out: Vec::new(),
        completeness: Completeness { complete: true, notes: Vec::new() },
        cause: None,
        next: similar.iter().filter(|job| *job != job_id).map(|job| command(&["diagnose", job])).collect(),
    }
}

fn nothing_wrong(case: &Case<'_>) -> Finding {
    let history = case.history;
    let lived = lasting(history.end_ms() - history.start_ms());
    if history.terminal().is_none() {
        let last = history.last();
        let quiet = lasting(history.now_ms() - last.happened_ms());
        let holder = history.holder().map(|worker| format!(" on {worker}")).unwrap_or_default();
        let reason = format!(
            "It is running{holder}, {lived} since it was created; its last word, {}, is {quiet} old{}",
            last.event_type,
            attempts::story(history).map(|story| format!("; {story}")).unwrap_or_default()
        );
        return Finding::new(Verdict::Running, Confidence::Likely, reason);
    }
    let usual = case.typical.total(case.job_type()).filter(|total| total.count() >= CASES_MIN);
    let usual = usual.map(|total| format!("; {} take {}", case.noun(), describe(total))).unwrap_or_default();
    let mut finding = Finding::new(Verdict::Done, Confidence::Proven, format!("It was done in {lived}{usual}"));
    let failures = history.events().iter().filter(|event| event.is_error()).count();
    if failures > 0 {
        finding.reason += &format!(", after {} on the way", units::counted(failures, "error", "errors"));
    }
    for said in attempts::story(history).into_iter().chain(webhook::open_question(history)) {
        finding.reason += &format!("; {said}");
    }
    if webhook::open_question(history).is_some() {
        finding.confidence = Confidence::Likely;
    }
    finding
}

/// Parts of the same name together, in the order in which they first come.
pub(super) fn budget_of(case: &Case<'_>) -> Vec<BudgetPart> {
    let history = case.history;
    let life_ms = (history.end_ms() - history.start_ms()).max(1) as f64;
    let mut parts: Vec<(PartKind, BudgetPart)> = Vec::new();
    for part in budget(history) {
        let same = parts.iter_mut().find(|(kind, known)| *kind == part.kind && *known.service == *part.service);
        match same {
            Some((_, known)) => known.ms += part.ms(),
            None => {
                let others = others_of(case, &part);
                let of_others = |share| others.as_ref().and_then(|others| others.quantile(share)).map(units::tenth);
                let is_known = others.as_ref().is_some_and(|others| others.count() >= CASES_FOR_P99);
                let shown = BudgetPart {
                    part: part.kind.label(),
                    ms: part.ms(),
                    service: part.service.to_string(),
                    share: 0.0,
                    typical_ms: of_others(0.5),
                    typical_p99_ms: of_others(0.99).filter(|_| is_known),
                };
                parts.push((part.kind, shown));
            }
        }
    }
    let shares = parts.into_iter().map(|(_, part)| BudgetPart { share: part.ms as f64 / life_ms, ..part });
    shares.collect()
}

/// How long such a part mostly takes, in other jobs.
pub(super) fn typical_ms(case: &Case<'_>, part: &Part) -> Option<f64> {
    others_of(case, part)?.quantile(0.5).map(units::tenth)
}

/// How long such a part took in other jobs; what a few of them did is not typical.
pub(super) fn others_of(case: &Case<'_>, part: &Part) -> Option<Sketch> {
    let (typical, job_type) = (case.typical, case.job_type());
    let others = |sketch: &Sketch| Some(sketch.without(part.ms())).filter(|others| others.count() >= CASES_MIN);
    let step = |is_wait: fn(Meaning) -> bool| {
        let (wait, claim) = wait_step(case.history, is_wait)?;
        typical.step(job_type, wait, claim).and_then(others)
    };
    match &part.kind {
        PartKind::Work(name) => typical.span(job_type, name).and_then(others),
        PartKind::QueueWait => {
            step(|meaning| meaning.is_put_back() && !meaning.is_asked_wait() && meaning != Meaning::Retried)
        }
        PartKind::Backoff => step(Meaning::is_between_attempts),
        PartKind::Delay | PartKind::OtherJobs | PartKind::Lost(_) => None,
        PartKind::Between { before, after: Some(after), .. } => typical.step(job_type, before, after).and_then(others),
        PartKind::Between { before, after: None, .. } => others(&typical.state(job_type, before)),
    }
}

/// The types of the last event that is such a wait, and of the claim that ended it.
fn wait_step(history: &History, is_wait: fn(Meaning) -> bool) -> Option<(&str, &str)> {
    let mut wait = None;
    let mut step = None;
    for (index, event) in history.events().iter().enumerate() {
        match history.meaning(index) {
            Some(meaning) if is_wait(meaning) => wait = Some(&*event.event_type),
            Some(Meaning::Claimed) => step = wait.take().map(|wait| (wait, &*event.event_type)).or(step),
            _ => {}
        }
    }
    step
}

fn completeness(case: &Case<'_>) -> Completeness {
    let history = case.history;
    let mut missing = Vec::new();
    let mut notes = Vec::new();
    if !history.has_beginning() {
        missing.push(format!(
            "its first events are missing (trimmed unread, or older than the store): the earliest is {} at {}",
            history.events()[0].event_type,
            clock(history.start_ms())
        ));
    }
    let (start_ms, end_ms) = (history.start_ms(), history.end_ms());
    for lost in case.around.lost.iter().filter(|lost| lost.to_ms >= start_ms && lost.from_ms <= end_ms) {
        missing.push(format!(
            "{} entries were trimmed unread between {} and {}: some may be of this job",
            units::count(lost.count),
            clock(lost.from_ms),
            clock(lost.to_ms)
        ));
    }
    notes.extend(skews(history));
    notes.extend(match history.repeated_terminals() {
        0 => None,
        1 => Some("1 more event that ends the job came after the first, and is ignored".to_owned()),
        more => Some(format!("{more} more events that end the job came after the first, and are ignored")),
    });
    let missing_steps = missing_steps(case.job_id, history, case.typical).into_iter();
    let noun = case.noun();
    notes.extend(
        missing_steps.map(|lack| format!("it has no {}, which 99 of 100 completed {noun} have", lack.event_type)),
    );
    let complete = missing.is_empty();
    missing.extend(notes);
    Completeness { complete, notes: missing }
}

/// A line for each producer whose clock is proven to be wrong.
pub(super) fn skews(history: &History) -> Vec<String> {
    let mut worst: Vec<(&str, i64)> = Vec::new();
    for event in history.events() {
        let off_ms = if event.behind_ms > 0 { -event.behind_ms } else { event.ahead_ms() };
        if (0..=SKEW_MS_MIN).contains(&off_ms) {
            continue;
        }
        match worst.iter_mut().find(|(producer, _)| *producer == event.producer()) {
            Some((_, known_ms)) if off_ms.abs() > known_ms.abs() => *known_ms = off_ms,
            Some(_) => {}
            None => worst.push((event.producer(), off_ms)),
        }
    }
    let line = |(producer, off_ms): (&str, i64)| {
        format!("the clock of {producer} is at least {}: its events are judged by their arrival", off_in_words(off_ms))
    };
    worst.into_iter().map(line).collect()
}

/// Events that almost every completed job of this kind has, and this one lacks.
pub(super) fn missing_steps(job_id: &str, history: &History, typical: &Typical) -> Vec<MissingStep> {
    let job_type = history.job_type();
    let is_judged = history.is_completed() && history.has_beginning() && typical.completed(job_type) >= CASES_FOR_P99;
    if !is_judged {
        return Vec::new();
    }
    let has = |event_type: &str| history.events().iter().any(|event| *event.event_type == *event_type);
    let usual = typical.usual_events(job_type, USUAL_SHARE).into_iter();
    let lacking = usual.filter(|(event_type, _)| !has(event_type));
    let missing = lacking.map(|(event_type, _)| MissingStep {
        job_id: job_id.to_owned(),
        event_type: event_type.to_owned(),
        worker_id: history.holder().map(str::to_owned),
    });
    missing.collect()
}

/// The last event of a job that a worker sent, or that tells of one.
pub(super) fn last_word<'a>(history: &'a History, worker_id: &str) -> Option<&'a JobEvent> {
    history.events().iter().rev().find(|event| event.worker_id.as_deref() == Some(worker_id))
}
