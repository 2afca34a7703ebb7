//! Pieces of work: how long each took, or has taken, beside what is usual for its kind.

use std::collections::BTreeMap;

use emp_job::{History, Meaning, Part, PartKind, budget, entity, vocabulary};
use emp_statistics::quantile;
use emp_typical::{Sketch, Typical};

use super::judge::{CASES_FOR_P99, CASES_MIN};
use super::silence::tell_of_claims_alone;
use super::surroundings::Surroundings;

/// The name of what is done between a claim and the end, where nothing more is told of it.
const UNTOLD: &str = "work";
/// The name of a wait for a worker among the kinds of work.
const WAIT: &str = "queue wait";
/// Where several connectors do the same kind of work, what was begun so long ago tells how long each takes.
const EARLIER_MS: i64 = 30 * 60_000;
const EARLIER_MIN: usize = 50;

/// A piece of work.
#[derive(Debug, Clone)]
pub(super) struct Piece<'a> {
    pub job: &'a str,
    pub worker: Option<&'a str>,
    pub connector: Option<&'a str>,
    /// Of a wait for a worker.
    pub queue: Option<&'a str>,
    /// Its kind, by number.
    pub class: usize,
    pub start_ms: i64,
    pub ms: f64,
    /// How many times what is usual.
    pub factor: f64,
    /// Has it come to its end? Else it has taken that long so far.
    pub is_done: bool,
}

/// All of a time.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    /// What was done, in the order in which it was begun.
    pub done: Vec<Piece<'a>>,
    /// What goes on.
    pub running: Vec<Piece<'a>>,
    /// How long other pieces of each kind took.
    known: Vec<Known>,
    /// Since when all pieces are there, and until when.
    pub range_ms: (i64, i64),
}

/// How long pieces of one kind take.
#[derive(Debug)]
enum Known {
    /// By what is typical, of weeks.
    Typical(Sketch),
    /// By what was begun some time ago, in rising order.
    Earlier(Vec<f64>),
}

impl Known {
    /// The probability that such a piece takes as long by chance. `None` where too few are known.
    fn chance(&self, ms: f64) -> Option<f64> {
        let (longer, count) = match self {
            Self::Typical(sketch) => (sketch.at_least(ms as i64), sketch.count()),
            Self::Earlier(all) => ((all.len() - all.partition_point(|other| *other < ms)) as u64, all.len() as u64),
        };
        let is_enough = match self {
            Self::Typical(_) => count >= CASES_FOR_P99,
            Self::Earlier(all) => all.len() >= EARLIER_MIN,
        };
        is_enough.then(|| (1.0 + longer as f64) / (1.0 + count as f64))
    }
}

/// What a piece is, before it is known what is usual.
type Class<'a> = (&'a str, &'a str, Option<&'a str>);

/// The kinds of pieces, by number.
#[derive(Default)]
struct Classes<'a> {
    numbers: BTreeMap<Class<'a>, usize>,
    /// The event with which work of which nothing is told begins, of such classes.
    begin: BTreeMap<usize, &'a str>,
}

impl<'a> Classes<'a> {
    /// The number of a class; a new one where it has none.
    fn of(&mut self, class: Class<'a>) -> usize {
        let count = self.numbers.len();
        *self.numbers.entry(class).or_insert(count)
    }

    /// Does one connector alone do that kind of work?
    fn is_of_one(&self, (job_type, name, _): &Class<'a>) -> bool {
        let same = self.numbers.range((*job_type, *name, None)..);
        same.take_while(|((of, named, _), _)| of == job_type && named == name).count() == 1
    }
}

impl<'a> Pieces<'a> {
    /// All work that was done or goes on, and all waits for a worker.
    pub fn of(around: &'a Surroundings, typical: &Typical) -> Self {
        let mut classes = Classes::default();
        let (mut done, mut running) = (Vec::new(), Vec::new());
        for (job, history) in around.histories() {
            add_spans((job, history), &mut classes, &mut done, &mut running);
            add_untold((job, history), typical, &mut classes, (&mut done, &mut running));
        }
        // Of what was begun before that, only the longest would be known.
        let since_ms = around.whole_since_ms();
        for pieces in [&mut done, &mut running] {
            pieces.retain(|piece: &Piece<'_>| piece.start_ms >= since_ms);
            pieces.sort_by_key(|piece| piece.start_ms);
        }
        let usual: Vec<f64> = usual_ms(&classes, &done, typical);
        for piece in done.iter_mut().chain(&mut running) {
            piece.factor = piece.ms.max(1.0) / usual[piece.class].max(1.0);
        }
        let now_ms = around.now_ms();
        let known = known(&classes, &done, typical, now_ms);
        let since_ms = since_ms.max(done.first().map_or(now_ms, |piece| piece.start_ms));
        Self { done, running, known, range_ms: (since_ms, now_ms) }
    }

    /// The probability that a piece of that kind takes so long by chance. `None` where that is not known.
    pub fn chance(&self, class: usize, ms: f64) -> Option<f64> {
        self.known.get(class)?.chance(ms)
    }
}

fn add_spans<'a>(
    (job, history): (&'a str, &'a History),
    classes: &mut Classes<'a>,
    done: &mut Vec<Piece<'a>>,
    running: &mut Vec<Piece<'a>>,
) {
    let job_type = history.job_type();
    // Where some of its work names a connector, the rest is none of that connector's.
    let is_named = history.spans().iter().any(|span| history.events()[span.event].connector().is_some());
    let of_job = history.connector().filter(|_| !is_named);
    for span in history.spans() {
        if span.has_failed || entity(&span.name) == "webhook" {
            continue;
        }
        // What was left open by a job that has ended, or by a worker that lost it, does not go on.
        let goes_on = history.terminal().is_none() && history.run_of(span.event).is_none_or(|run| run.is_open());
        let Some(end_ms) = span.end_ms.or(goes_on.then(|| history.now_ms())) else { continue };
        let by = &history.events()[span.event];
        let connector = by.connector().or(of_job);
        let class = classes.of((job_type, span.name.as_str(), connector));
        let piece = Piece {
            job,
            worker: by.worker_id.as_deref(),
            connector,
            queue: None,
            class,
            start_ms: span.start_ms,
            ms: (end_ms - span.start_ms) as f64,
            factor: 1.0,
            is_done: span.end_ms.is_some(),
        };
        if piece.is_done { done.push(piece) } else { running.push(piece) }
    }
}

/// What a worker does of a job of which no work is told, and what jobs wait for a worker.
fn add_untold<'a>(
    (job, history): (&'a str, &'a History),
    typical: &Typical,
    classes: &mut Classes<'a>,
    (done, running): (&mut Vec<Piece<'a>>, &mut Vec<Piece<'a>>),
) {
    let job_type = history.job_type();
    for part in budget(history) {
        let (start_ms, ms) = (part.start_ms, part.ms() as f64);
        let piece = |class, is_done| Piece {
            job,
            worker: history.worker_at(start_ms),
            connector: history.connector(),
            queue: None,
            class,
            start_ms,
            ms,
            factor: 1.0,
            is_done,
        };
        if is_untold_work(history, &part) {
            let class = classes.of((job_type, UNTOLD, history.connector()));
            note_beginning(history, &part, class, classes);
            done.push(piece(class, true));
        } else if is_untold_yet(history, &part) && tell_of_claims_alone(typical, job_type) {
            let class = classes.of((job_type, UNTOLD, history.connector()));
            note_beginning(history, &part, class, classes);
            running.push(piece(class, false));
        } else if part.kind == PartKind::QueueWait {
            let queue = Some(history.queue().unwrap_or("default"));
            let class = classes.of((job_type, WAIT, queue));
            done.push(Piece { worker: None, connector: None, queue, ..piece(class, true) });
        }
    }
}

fn note_beginning<'a>(history: &'a History, part: &Part, class: usize, classes: &mut Classes<'a>) {
    if let PartKind::Between { before, .. } = &part.kind {
        let event = history.events().iter().find(|event| event.event_type == *before);
        if let Some(event) = event {
            classes.begin.entry(class).or_insert(&event.event_type);
        }
    }
}

fn tells_of_work(history: &History) -> bool {
    history.spans().iter().any(|span| entity(&span.name) != "webhook")
}

fn meaning_of(event_type: &str) -> Option<Meaning> {
    vocabulary().meaning_anywhere(event_type)
}

/// Does a worker have a job once it has told that?
fn is_at_work_since(event_type: &str) -> bool {
    matches!(meaning_of(event_type), Some(Meaning::Claimed | Meaning::Started | Meaning::Progressed))
}

/// Is that what a worker did of a job of which no work is told: from its claim, or what was heard of it last, to its end?
pub(super) fn is_untold_work(history: &History, part: &Part) -> bool {
    match &part.kind {
        PartKind::Between { before, after: Some(after), .. } => {
            meaning_of(after) == Some(Meaning::Completed) && is_at_work_since(before) && !tells_of_work(history)
        }
        _ => false,
    }
}

/// The same of one that has not ended yet.
fn is_untold_yet(history: &History, part: &Part) -> bool {
    match &part.kind {
        PartKind::Between { before, after: None, .. } => {
            is_at_work_since(before) && history.terminal().is_none() && !tells_of_work(history)
        }
        _ => false,
    }
}

/// How long each kind of work mostly takes: as is typical, where one connector alone does it; else by what was done
/// at first, before anything may have changed, or on the whole, whichever is less.
fn usual_ms(classes: &Classes<'_>, pieces: &[Piece<'_>], typical: &Typical) -> Vec<f64> {
    let mut usual = vec![0.0; classes.numbers.len()];
    for (key, class) in &classes.numbers {
        let is_known = |span: &&Sketch| span.count() >= CASES_MIN && classes.is_of_one(key);
        let known = typical.span(key.0, key.1).filter(is_known);
        let mut all: Vec<f64> = pieces.iter().filter(|piece| piece.class == *class).map(|piece| piece.ms).collect();
        let mut first = all[..all.len().div_ceil(3)].to_vec();
        let in_range = quantile(&mut all, 0.5).unwrap_or_default().min(quantile(&mut first, 0.5).unwrap_or_default());
        usual[*class] = known.and_then(|span| span.quantile(0.5)).unwrap_or(in_range);
    }
    usual
}

/// How long pieces of each kind take: as is typical of weeks, where one connector alone does that work; else as they did
/// some time ago.
fn known(classes: &Classes<'_>, pieces: &[Piece<'_>], typical: &Typical, now_ms: i64) -> Vec<Known> {
    let mut known: Vec<Known> = classes.numbers.iter().map(|_| Known::Earlier(Vec::new())).collect();
    for (key, class) in &classes.numbers {
        let sketch = match key.1 {
            UNTOLD => classes.begin.get(class).map(|begin| typical.state(key.0, begin)),
            WAIT => None,
            name => typical.span(key.0, name).cloned(),
        };
        known[*class] = match sketch.filter(|sketch| sketch.count() >= CASES_FOR_P99 && classes.is_of_one(key)) {
            Some(sketch) => Known::Typical(sketch),
            None => {
                let is_earlier = |piece: &&Piece<'_>| piece.class == *class && piece.start_ms < now_ms - EARLIER_MS;
                let mut all: Vec<f64> = pieces.iter().filter(is_earlier).map(|piece| piece.ms).collect();
                all.sort_unstable_by(f64::total_cmp);
                Known::Earlier(all)
            }
        };
    }
    known
}
