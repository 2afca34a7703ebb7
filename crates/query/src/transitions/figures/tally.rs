//! Adding up the steps of jobs: those that are read, and those of which it is kept what they contribute.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use emp_rollup::{
    Bins, GAP_MS, GapRow, HandoffRow, LONGEST_GAPS, LONGEST_LIVES, LivesRow, LongEvent, LongJob, Spread, StepRows,
    Steps,
};

use super::super::names::Texts;
use super::super::walk::{Event, NONE, Transition};
use super::errors::Errors;

/// A range of time, from its first moment to before its last, in ms since the epoch; `None` where it is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub since_ms: Option<i64>,
    pub until_ms: Option<i64>,
}

impl Range {
    pub fn holds(self, ms: i64) -> bool {
        self.since_ms.is_none_or(|since_ms| ms >= since_ms) && self.until_ms.is_none_or(|until_ms| ms < until_ms)
    }
}

/// Times of one kind, added up.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    pub count: u64,
    pub sum_ms: i64,
    pub longest: Option<(i64, Box<str>)>,
    pub bins: Bins,
}

impl Sum {
    fn add(&mut self, ms: i64, job: &str) {
        self.count += 1;
        self.sum_ms += ms;
        self.bins.add(ms);
        self.note_longest(ms, job);
    }

    fn note_longest(&mut self, ms: i64, job: &str) {
        let is_longest =
            self.longest.as_ref().is_none_or(|(known_ms, known)| (ms, Reverse(job)) > (*known_ms, Reverse(known)));
        if is_longest {
            self.longest = Some((ms, job.into()));
        }
    }

    fn add_spread(&mut self, spread: &Spread) {
        self.count += spread.count;
        self.sum_ms += spread.sum_ms;
        self.bins.add_all(&spread.sketch);
        spread.longest.iter().for_each(|(ms, job)| self.note_longest(*ms, job));
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum_ms += other.sum_ms;
        self.bins.merge(&other.bins);
        other.longest.iter().for_each(|(ms, job)| self.note_longest(*ms, job));
    }

    fn spread(&self) -> Spread {
        Spread { count: self.count, sum_ms: self.sum_ms, longest: self.longest.clone(), sketch: self.bins.sketch() }
    }
}

/// Some of the longest of many.
#[derive(Debug, Clone)]
pub(super) struct Longest<T> {
    most: usize,
    heap: BinaryHeap<Reverse<T>>,
}

impl<T: Ord> Longest<T> {
    pub fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::new() }
    }

    pub fn add(&mut self, one: T) {
        if self.heap.len() < self.most {
            self.heap.push(Reverse(one));
        } else if self.heap.peek().is_some_and(|Reverse(least)| one > *least) {
            self.heap.pop();
            self.heap.push(Reverse(one));
        }
    }

    /// The least of them, where there are as many as are wanted.
    pub fn least(&self) -> Option<&T> {
        self.heap.peek().filter(|_| self.heap.len() == self.most).map(|Reverse(least)| least)
    }

    /// Longest first.
    pub fn into_sorted(self) -> Vec<T> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(one)| one).collect()
    }
}

/// What the steps of jobs come to.
#[derive(Debug)]
pub(super) struct Tally {
    /// By the events and services on both sides; names by their numbers.
    pub gaps: HashMap<[u32; 4], Sum>,
    /// By both services; with those below zero.
    pub handoffs: HashMap<[u32; 2], (Sum, u64)>,
    pub lives: Bins,
    pub jobs: u64,
    /// Of equal ones the first by name comes first.
    pub longest_lives: Longest<(i64, Reverse<Box<str>>)>,
    longest_gaps: Longest<i64>,
    times: Option<(i64, i64)>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            gaps: HashMap::new(),
            handoffs: HashMap::new(),
            lives: Bins::default(),
            jobs: 0,
            longest_lives: Longest::new(LONGEST_LIVES),
            longest_gaps: Longest::new(LONGEST_GAPS),
            times: None,
        }
    }
}

impl Tally {
    /// Adds a step, as far as it is of the range.
    pub fn add(&mut self, step: &Transition, job: &str, range: Range) {
        if range.until_ms.is_some_and(|until_ms| step.event.happened_ms >= until_ms) {
            return;
        }
        let is_since = |event: &Event| range.since_ms.is_none_or(|since_ms| event.happened_ms >= since_ms);
        self.note_time(step.event.happened_ms);
        if let Some((from, gap_ms)) = step.from.filter(is_since).zip(step.gap_ms()) {
            self.note_time(from.happened_ms);
            if gap_ms >= GAP_MS {
                let class = [from.event_type, from.service, step.event.event_type, step.event.service];
                self.gaps.entry(class).or_default().add(gap_ms, job);
                self.longest_gaps.add(gap_ms);
            }
        }
        let by = step.handed_by().filter(|by| by.service != NONE).filter(is_since);
        if let Some((by, handoff_ms)) = by.zip(step.handoff_ms()) {
            self.note_time(by.happened_ms);
            let (sum, skewed) = self.handoffs.entry([by.service, step.event.service]).or_default();
            match handoff_ms {
                0.. => sum.add(handoff_ms, job),
                _ => *skewed += 1,
            }
        }
    }

    /// Adds the life of a job.
    pub fn add_life(&mut self, job: &str, first_ms: i64, last_ms: i64) {
        self.note_time(first_ms);
        self.jobs += 1;
        self.lives.add(last_ms - first_ms);
        self.longest_lives.add((last_ms - first_ms, Reverse(job.into())));
    }

    fn note_time(&mut self, ms: i64) {
        self.times = Some(self.times.map_or((ms, ms), |(first, last)| (first.min(ms), last.max(ms))));
    }

    /// Adds what is kept of a file.
    pub fn add_steps(&mut self, steps: &Steps, texts: &Texts) {
        let numbers: Vec<u32> = steps.names.iter().map(|name| texts.number(name)).collect();
        let number = |of_steps: u32| numbers.get(of_steps as usize).copied().unwrap_or(NONE);
        for row in &steps.rows.gaps {
            self.gaps.entry(row.class.map(number)).or_default().add_spread(&row.spread);
        }
        for row in &steps.rows.handoffs {
            let (sum, skewed) = self.handoffs.entry(row.pair.map(number)).or_default();
            sum.add_spread(&row.spread);
            *skewed += row.skewed;
        }
        let lives = &steps.rows.lives;
        self.jobs += lives.count;
        self.lives.add_all(&lives.sketch);
        lives.longest.iter().for_each(|(ms, job)| self.longest_lives.add((*ms, Reverse(job.clone()))));
    }

    pub fn merge(&mut self, other: Self) {
        for (class, sum) in other.gaps {
            self.gaps.entry(class).or_default().merge(&sum);
        }
        for (pair, (other, other_skewed)) in other.handoffs {
            let (sum, skewed) = self.handoffs.entry(pair).or_default();
            sum.merge(&other);
            *skewed += other_skewed;
        }
        self.jobs += other.jobs;
        self.lives.merge(&other.lives);
        other.longest_lives.into_sorted().into_iter().for_each(|one| self.longest_lives.add(one));
    }

    /// As it is kept.
    pub fn into_steps(
        self,
        (errors, are_shared): (Errors, &HashSet<u64>),
        long_jobs: Vec<(Box<str>, Vec<Event>)>,
        texts: &Texts,
    ) -> Steps {
        let mut names = Names::default();
        let errors = errors.into_rows(are_shared, &mut names, texts);
        let long_jobs = long_jobs.into_iter().map(|(job, events)| names.long_job(job, &events, texts)).collect();
        let mut gaps: Vec<GapRow> = self
            .gaps
            .iter()
            .map(|(class, sum)| GapRow { class: class.map(|number| names.number(number, texts)), spread: sum.spread() })
            .collect();
        gaps.sort_unstable_by_key(|row| row.class);
        let mut handoffs: Vec<HandoffRow> = self
            .handoffs
            .iter()
            .map(|(pair, (sum, skewed))| HandoffRow {
                pair: pair.map(|number| names.number(number, texts)),
                spread: sum.spread(),
                skewed: *skewed,
            })
            .collect();
        handoffs.sort_unstable_by_key(|row| row.pair);
        let longest = self.longest_lives.into_sorted().into_iter().map(|(ms, Reverse(job))| (ms, job)).collect();
        Steps {
            names: names.names,
            rows: StepRows {
                times: self.times,
                longest_gaps: self.longest_gaps.into_sorted(),
                gaps,
                handoffs,
                errors,
                long_jobs,
                lives: LivesRow { count: self.jobs, sketch: self.lives.sketch(), longest },
            },
        }
    }
}

/// Numbers of their own for the names of one file.
#[derive(Default)]
pub(super) struct Names {
    numbers: HashMap<u32, u32>,
    names: Vec<Box<str>>,
}

impl Names {
    pub fn number(&mut self, number: u32, texts: &Texts) -> u32 {
        if number == NONE {
            return NONE;
        }
        *self.numbers.entry(number).or_insert_with(|| {
            self.names.push(texts.text(number).as_ref().into());
            // No file has that many names.
            (self.names.len() - 1) as u32
        })
    }

    fn long_job(&mut self, job: Box<str>, events: &[Event], texts: &Texts) -> LongJob {
        let event = |event: &Event| LongEvent {
            timestamp_ms: event.timestamp_ms,
            arrived: (event.arrived_ms, event.seq),
            names: [event.event_type, event.service].map(|number| self.number(number, texts)),
        };
        LongJob { job, events: events.iter().map(event).collect() }
    }
}
