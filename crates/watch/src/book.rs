//! What is open, what was told, and what is still to be sent.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::incident::EXAMPLES_MAX;
use super::{Message, Quiet, Seen, State};

/// By how many names an incident is known again, at most.
const NAMES_MAX: usize = 500;

/// How many times as long what was measured may not be seen before it is over.
const MEASURED_TIMES: i64 = 3;

/// Jobs that are seen to wait so long after waits were told to take longer are those.
const SOON_MS: i64 = 15 * 60_000;

/// What is told, and when.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Tell of what is only good to know, too.
    pub with_notes: bool,
    /// An incident that was not seen for so long is over, in ms; one that was measured after three times that.
    pub over_after_ms: i64,
    /// Hours in which nothing is told.
    pub quiet: Option<Quiet>,
}

/// What a watch remembers from one look to the next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    open: Vec<Open>,
    outbox: Vec<Waiting>,
}

/// An incident that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Open {
    id: String,
    begun_ms: i64,
    seen_ms: i64,
    /// When it was over, while that is not told yet.
    ended_ms: Option<i64>,
    is_told: bool,
    seen: Seen,
    about: BTreeSet<String>,
}

/// A message for one target that has not taken it yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiting {
    target: String,
    message: Message,
}

impl Book {
    /// Takes note of what was seen at a moment. What is to be told of it, to each of the targets that take messages: it
    /// waits in the book until [`Self::has_sent`].
    pub fn look(&mut self, now_ms: i64, seen: Vec<Seen>, policy: &Policy, targets: &[String]) -> Vec<Message> {
        // What may have brought others about comes first, and what is over is no news.
        let (followers, causes): (Vec<Seen>, Vec<Seen>) =
            seen.into_iter().filter(|one| !one.is_over).partition(|one| one.follows);
        for one in causes.into_iter().chain(followers) {
            self.meet(now_ms, one);
        }
        for open in &mut self.open {
            let patience = if open.seen.is_measured { MEASURED_TIMES } else { 1 };
            let is_over = now_ms - open.seen_ms >= policy.over_after_ms.saturating_mul(patience);
            open.ended_ms = open.ended_ms.or_else(|| is_over.then_some(now_ms));
        }
        if policy.quiet.as_ref().is_some_and(|quiet| quiet.holds(now_ms)) {
            return Vec::new();
        }
        let mut messages = Vec::new();
        for open in &mut self.open {
            let is_wanted = open.seen.is_alert || policy.with_notes;
            // What began and ended in quiet hours is told once, as over.
            if is_wanted && !open.is_told && open.ended_ms.is_none() {
                open.is_told = true;
                messages.push(open.message(State::Open, now_ms));
            }
            if let Some(ended_ms) = open.ended_ms.filter(|_| is_wanted) {
                messages.push(open.message(State::Resolved, ended_ms));
            }
        }
        self.open.retain(|open| open.ended_ms.is_none());
        for target in targets {
            let waiting = messages.iter().map(|message| Waiting { target: target.clone(), message: message.clone() });
            self.outbox.extend(waiting);
        }
        messages
    }

    /// An incident that is known goes on; another one begins.
    fn meet(&mut self, now_ms: i64, seen: Seen) {
        let is_known = |open: &Open| open.ended_ms.is_none() && seen.is_same(&open.about);
        // Jobs that have nothing in common are told together where they are seen first together.
        let is_beside = |open: &&mut Open| {
            seen.is_loose && open.seen.is_loose && open.begun_ms == now_ms && open.seen.kind == seen.kind
        };
        if !self.open.iter().any(is_known)
            && let Some(open) = self.open.iter_mut().find(is_beside)
        {
            open.join(seen);
            return;
        }
        let known = self.open.iter().position(|open| open.ended_ms.is_none() && seen.is_same(&open.about));
        let known = known.or_else(|| self.open.iter().position(|open| open.goes_with(&seen, now_ms)));
        let Some(open) = known.map(|known| &mut self.open[known]) else {
            let names: Vec<&str> = seen.about.iter().map(String::as_str).collect();
            let id = format!("{:016x}", xxh3_64(format!("{now_ms} {}", names.join("\n")).as_bytes()));
            let (about, seen) = (seen.about.clone(), seen);
            self.open.push(Open { id, begun_ms: now_ms, seen_ms: now_ms, ended_ms: None, is_told: false, seen, about });
            return;
        };
        let is_of_this_look = std::mem::replace(&mut open.seen_ms, now_ms) == now_ms;
        if seen.is_loose && open.seen.is_loose {
            // One of its jobs, of which it has told.
            return;
        }
        if open.about.len() < NAMES_MAX {
            open.about.extend(seen.about.iter().cloned());
        }
        // It is told as the gravest; of a look the first is that. Since when does not move.
        let since_ms = [open.seen.since_ms, seen.since_ms].into_iter().flatten().min();
        let jobs = if is_of_this_look { open.seen.jobs.max(seen.jobs) } else { seen.jobs };
        // As grave as before it is news where a new look says it.
        let is_told_anew = seen.is_alert == open.seen.is_alert && !is_of_this_look;
        let is_graver = (seen.is_alert && !open.seen.is_alert) || is_told_anew;
        // Whatever it is told as now, it has done what it did.
        let holds_up = open.seen.holds_up || seen.holds_up;
        if is_graver {
            open.seen = seen;
        }
        open.seen.holds_up = holds_up;
        (open.seen.since_ms, open.seen.jobs) = (since_ms, jobs);
    }

    /// What waits for a target, the first first.
    pub fn waiting(&self, target: &str) -> Option<&Message> {
        self.outbox.iter().find(|waiting| waiting.target == target).map(|waiting| &waiting.message)
    }

    /// A target has taken that message, or will never take it.
    pub fn has_sent(&mut self, target: &str, id: &str) {
        self.outbox.retain(|waiting| waiting.target != target || waiting.message.id() != id);
    }

    /// Forgets what waits for targets that are no more.
    pub fn keep_targets(&mut self, targets: &[String]) {
        self.outbox.retain(|waiting| targets.contains(&waiting.target));
    }

    /// What goes on and was told, for whoever has to be told again and again.
    pub fn going_on(&self, now_ms: i64) -> Vec<Message> {
        let told = self.open.iter().filter(|open| open.is_told && open.ended_ms.is_none());
        told.map(|open| open.message(State::Open, now_ms)).collect()
    }
}

impl Open {
    /// Is it the reason for what is seen? What follows from something that was told is not told again; and where it was
    /// told that jobs wait for longer, those that still do are no news.
    fn goes_with(&self, seen: &Seen, now_ms: i64) -> bool {
        let is_told = self.ended_ms.is_none() && self.seen.is_alert && seen.is_alert;
        // A worker that is gone and had nothing to do is missed where jobs wait; a service is none.
        let waits_longer = self.seen.kind == "latency" && self.seen.follows;
        let jobs_wait = self.seen.verdict.as_deref() == Some("waiting") || waits_longer;
        let is_missed = jobs_wait && seen.kind == "silence" && !seen.follows && seen.jobs == 0;
        let is_reason = (self.seen.holds_up && seen.follows) || is_missed;
        // That jobs wait is the same, told by the jobs.
        let is_wait = self.seen.kind == "latency" && seen.verdict.as_deref() == Some("waiting");
        let is_of_it = self.seen.follows && is_wait && now_ms - self.begun_ms <= SOON_MS;
        is_told && (is_reason || is_of_it)
    }

    /// Takes another job in.
    fn join(&mut self, seen: Seen) {
        self.about.extend(seen.about);
        self.seen.jobs += seen.jobs;
        self.seen.since_ms = [self.seen.since_ms, seen.since_ms].into_iter().flatten().min();
        if self.seen.examples.len() < EXAMPLES_MAX {
            self.seen.examples.extend(seen.examples);
        }
    }

    fn message(&self, state: State, at_ms: i64) -> Message {
        let Self { id, begun_ms, seen, .. } = self;
        Message { incident: id.clone(), state, at_ms, begun_ms: *begun_ms, seen: seen.clone() }
    }
}

#[cfg(test)]
mod tests;
