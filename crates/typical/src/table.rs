use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use emp_job::Meaning;

use super::names::Names;
use super::sketch::Sketch;

/// What is typical in a store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Typical {
    pub(super) names: Names,
    /// From one event of a job to the next one: kind of job, type before, type after.
    pub(super) steps: BTreeMap<(u16, u16, u16), Sketch>,
    /// From the opening to the closing of a span: kind of job, name of the span.
    pub(super) spans: BTreeMap<(u16, u16), Sketch>,
    /// From creation to the end, of jobs that completed.
    pub(super) totals: BTreeMap<u16, Sketch>,
    /// How often jobs were begun, of those that ended.
    pub(super) attempts: BTreeMap<u16, BTreeMap<u32, u64>>,
    /// How many completed jobs of a kind have an event of a type.
    pub(super) having: BTreeMap<(u16, u16), u64>,
    /// How many jobs of a kind completed.
    pub(super) completed: BTreeMap<u16, u64>,
    /// Between two events of a worker.
    pub(super) workers: BTreeMap<u16, Sketch>,
}

impl Typical {
    /// From an event of type `before` to the next one being of type `after`, in jobs of that kind.
    pub fn step(&self, job_type: &str, before: &str, after: &str) -> Option<&Sketch> {
        self.steps.get(&(self.names.find(job_type)?, self.names.find(before)?, self.names.find(after)?))
    }

    /// From an event of that type to the next one, whichever it is, in jobs of that kind.
    pub fn state(&self, job_type: &str, before: &str) -> Sketch {
        let mut all = Sketch::default();
        if let (Some(job_type), Some(before)) = (self.names.find(job_type), self.names.find(before)) {
            let same = self.steps.range((job_type, before, 0)..=(job_type, before, u16::MAX));
            same.for_each(|(_, sketch)| all.merge(sketch));
        }
        all
    }

    /// The same, of all kinds of jobs together.
    pub fn state_of_any(&self, before: &str) -> Sketch {
        let mut all = Sketch::default();
        if let Some(before) = self.names.find(before) {
            let same = self.steps.iter().filter(|((_, of, _), _)| *of == before);
            same.for_each(|(_, sketch)| all.merge(sketch));
        }
        all
    }

    /// How long the spans of that name last, in jobs of that kind.
    pub fn span(&self, job_type: &str, name: &str) -> Option<&Sketch> {
        self.spans.get(&(self.names.find(job_type)?, self.names.find(name)?))
    }

    /// From creation to completion, of jobs of that kind.
    pub fn total(&self, job_type: &str) -> Option<&Sketch> {
        self.totals.get(&self.names.find(job_type)?)
    }

    /// How long half of all jobs take, on average of their kinds as often as they come; `None` where no kind is known.
    pub fn usual_total_ms(&self) -> Option<f64> {
        let known = self.job_types().filter_map(|job_type| self.total(job_type));
        let (mut jobs, mut ms) = (0.0, 0.0);
        for (total, half_ms) in known.filter_map(|total| Some((total, total.quantile(0.5)?))) {
            jobs += total.count() as f64;
            ms += total.count() as f64 * half_ms;
        }
        (jobs > 0.0).then(|| ms / jobs)
    }

    /// 99 of 100 jobs of that kind were begun no more often; of how many jobs that is known.
    pub fn attempts_p99(&self, job_type: &str) -> Option<(u32, u64)> {
        let counts = self.attempts.get(&self.names.find(job_type)?)?;
        let all: u64 = counts.values().sum();
        let mut below = 0;
        let p99 = counts.iter().find(|(_, count)| {
            below += **count;
            below as f64 >= 0.99 * all as f64
        });
        Some((*p99?.0, all))
    }

    /// How far apart the events of a worker are.
    pub fn worker(&self, worker_id: &str) -> Option<&Sketch> {
        self.workers.get(&self.names.find(worker_id)?)
    }

    /// The same of all workers together: what is expected of one that is new.
    pub fn any_worker(&self) -> Sketch {
        let mut all = Sketch::default();
        self.workers.values().for_each(|sketch| all.merge(sketch));
        all
    }

    /// How many jobs completed, of whatever kind.
    pub fn completed_of_all(&self) -> u64 {
        self.completed.values().sum()
    }

    /// How many jobs of that kind completed.
    pub fn completed(&self, job_type: &str) -> u64 {
        self.names.find(job_type).and_then(|job_type| self.completed.get(&job_type)).copied().unwrap_or(0)
    }

    /// The types of events that at least that share of the completed jobs of a kind have, with their
    /// share.
    pub fn usual_events(&self, job_type: &str, share_min: f64) -> Vec<(&str, f64)> {
        let completed = self.completed(job_type) as f64;
        let Some(job_type) = self.names.find(job_type) else { return Vec::new() };
        let of_type = self.having.range((job_type, 0)..=(job_type, u16::MAX));
        let shares = of_type.map(|((_, event_type), count)| (self.names.name(*event_type), *count as f64 / completed));
        shares.filter(|(_, share)| *share >= share_min).collect()
    }

    /// Every kind of job of which some completed.
    pub fn job_types(&self) -> impl Iterator<Item = &str> {
        self.completed.keys().map(|number| self.names.name(*number))
    }

    /// The usual way of a job of that kind: from its creation, each time to the event that follows
    /// most often, with the half-way time of that step in ms.
    pub fn usual_way(&self, job_type: &str) -> Vec<(&str, f64)> {
        let Some(job_type) = self.names.find(job_type) else { return Vec::new() };
        let vocabulary = emp_job::vocabulary();
        let beginnings = [Meaning::Created, Meaning::Submitted].into_iter().flat_map(|of| vocabulary.types(of));
        let begun = |at: &u16| self.steps.range((job_type, *at, 0)..=(job_type, *at, u16::MAX)).next().is_some();
        let Some(mut at) = beginnings.filter_map(|name| self.names.find(name)).find(begun) else { return Vec::new() };
        let mut way = vec![(self.names.name(at), 0.0)];
        let mut seen = vec![at];
        loop {
            let next = self.steps.range((job_type, at, 0)..=(job_type, at, u16::MAX));
            let next = next.filter(|((_, _, after), _)| !seen.contains(after)).max_by_key(|(_, sketch)| sketch.count());
            let Some(((_, _, after), sketch)) = next else { return way };
            at = *after;
            seen.push(at);
            way.push((self.names.name(at), sketch.quantile(0.5).unwrap_or_default()));
        }
    }

    /// All that another one holds.
    pub(super) fn merge(&mut self, other: &Self) {
        let number = |names: &mut Names, of: u16| names.number(other.names.name(of));
        let names = &mut self.names;
        for ((a, b, c), sketch) in &other.steps {
            let key = (number(names, *a), number(names, *b), number(names, *c));
            self.steps.entry(key).or_default().merge(sketch);
        }
        for ((a, b), sketch) in &other.spans {
            self.spans.entry((number(names, *a), number(names, *b))).or_default().merge(sketch);
        }
        for (a, sketch) in &other.totals {
            self.totals.entry(number(names, *a)).or_default().merge(sketch);
        }
        for (a, counts) in &other.attempts {
            let own = self.attempts.entry(number(names, *a)).or_default();
            counts.iter().for_each(|(attempts, count)| *own.entry(*attempts).or_default() += count);
        }
        for ((a, b), count) in &other.having {
            *self.having.entry((number(names, *a), number(names, *b))).or_default() += count;
        }
        for (a, count) in &other.completed {
            *self.completed.entry(number(names, *a)).or_default() += count;
        }
        for (a, sketch) in &other.workers {
            self.workers.entry(number(names, *a)).or_default().merge(sketch);
        }
    }
}
