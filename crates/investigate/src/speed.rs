//! Who takes longer than is usual, since when, and how many times as long: one estimate for every command.
//!
//! Each piece of work is divided by what is usual for its kind (job type, work, connector). Of a worker's or a
//! connector's pieces in their order the run is looked for in which they are slow all along; its first piece tells
//! since when, and it is the pieces of that run alone that are compared, with what others did meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use emp_findings::{CulpritKind, Moment, Speed};
use emp_statistics::{Counted, mann_whitney_counted, mann_whitney_larger, quantile, student_larger};
use emp_typical::Typical;
use emp_units as units;

use super::judge::clock;
use super::pieces::{Piece, Pieces};
use super::slow::overlong;
use super::sudden::{Sudden, sudden_ones};
use super::surroundings::Surroundings;

/// A difference that is worth a word.
pub(super) const TELLING_FACTOR: f64 = 1.5;
const TELLING_P: f64 = 0.01;
/// So sure it is a reason for what jobs took, too, where others have hardly done anything meanwhile.
const P_BEYOND_DOUBT: f64 = 1e-6;
/// Pieces of work that tell how fast somebody is.
pub(super) const PIECES_MIN: usize = 3;
/// A run goes on while pieces take longer than this many times what is usual, on the whole.
const RUN_FACTOR: f64 = 1.25;
/// A run is over once its sum has fallen so far below its highest, some twenty pieces that are as usual,
const PAUSE_MIN: f64 = 5.0;
/// or by this share of it: fewer pieces of a long run than were slow before.
const PAUSE_SHARE: f64 = 0.2;
/// One piece counts no more than that, however long it took.
const PIECE_FACTOR_MAX: f64 = 4.0;
/// And so far where its probability is reckoned: one that took a hundred times as long is not to make several unlikely.
const FAR_FACTOR: f64 = 16.0;
/// So many pieces of others, begun at about the same time, tell what was usual then.
const NEIGHBOURS: usize = 15;
/// Of fewer it is taken that as many more were as usual: of one that was quick by chance nobody else is slow.
const NEIGHBOURS_MIN: usize = 5;
/// So many pieces of its peers are compared with those of a worker.
const PEERS_MAX: usize = 5_000;
/// Slow runs of one subject that are looked for.
const RUNS_MAX: usize = 4;

/// Everybody who was slow.
#[derive(Debug, Default)]
pub(super) struct Speeds {
    slow: Vec<Slowness>,
    /// Those that are known by few pieces, or by such that go on.
    sudden: Vec<Slowness>,
    /// How many workers, connectors and queues were looked at.
    subjects: usize,
}

/// Somebody who was slow for a while.
#[derive(Debug, Clone)]
pub(super) struct Slowness {
    pub kind: CulpritKind,
    pub id: String,
    pub since_ms: i64,
    /// When its last slow piece began; the end of all time where no other piece has followed.
    pub until_ms: i64,
    /// When that piece ended, where enough others have followed that were as usual.
    pub over_ms: Option<i64>,
    /// How many times as long as others it took.
    pub factor: f64,
    /// Half of its pieces took so long, and would have taken so long, in ms.
    pub ms: f64,
    pub usual_ms: f64,
    pub p: f64,
    pub pieces: usize,
    /// Is it no chance by what those pieces alone tell, one after the other?
    pub is_sudden: bool,
    /// The jobs of its slow pieces that were slow themselves.
    pub jobs: BTreeSet<String>,
}

impl Slowness {
    /// `comfyui takes ×6 as long as other connectors since 2025-09-27 14:00:00Z`; of one that is as fast as usual again
    /// `took` and until when.
    pub fn in_words(&self) -> String {
        let (factor, since) = (units::factor(self.factor), clock(self.since_ms));
        let others = match self.kind {
            CulpritKind::Worker => "its peers",
            CulpritKind::Connector => "other connectors",
            _ => "at other times",
        };
        match self.over_ms {
            Some(over_ms) => {
                format!("{} took {factor} as long as {others} from {since} until {}", self.id, clock(over_ms))
            }
            None => format!("{} takes {factor} as long as {others} since {since}", self.id),
        }
    }

    /// That it kept the workers of a queue busy, of one that [`super::busy`] found.
    pub fn kept_busy(&self) -> &'static str {
        match self.kind {
            CulpritKind::Worker => "it had most of the jobs of that queue meanwhile",
            _ => "most of what workers did meanwhile was for it",
        }
    }

    /// As it is shown.
    pub fn shown(&self) -> Speed {
        Speed { factor: (self.factor * 10.0).round() / 10.0, since: Moment(self.since_ms) }
    }
}

impl Speeds {
    pub fn of(around: &Surroundings, typical: &Typical) -> Self {
        let all = Pieces::of(around, typical);
        let pieces = &all.done;
        let (mut slow, mut subjects) = (Vec::new(), 0);
        for (worker, own) in by(pieces, |piece| piece.worker) {
            subjects += 1;
            slow.extend(runs(&own).filter_map(|run| slow_worker(worker, &run, &own, pieces)));
        }
        for (queue, own) in by(pieces, |piece| piece.queue) {
            subjects += 1;
            slow.extend(runs(&own).filter_map(|run| slow_queue(queue, &run, &own)));
        }
        // What a connector takes is what it would have taken with workers that are as fast as others.
        let of_worker = |piece: &Piece<'_>| {
            let is_it = |one: &&Slowness| one.kind == CulpritKind::Worker && Some(one.id.as_str()) == piece.worker;
            let then = slow.iter().filter(is_it).find(|one: &&Slowness| one.includes(piece.start_ms));
            then.map_or(1.0, |one| one.factor)
        };
        let others: Vec<Piece<'_>> =
            pieces.iter().map(|piece| Piece { factor: piece.factor / of_worker(piece), ..piece.clone() }).collect();
        for (connector, own) in by(&others, |piece| piece.connector) {
            subjects += 1;
            slow.extend(runs(&own).filter_map(|run| slow_connector(connector, &run, &own, &others)));
        }
        let is_slow = |job: &String| around.history(job).is_some_and(|history| overlong(history, typical).is_some());
        slow.iter_mut().for_each(|one| one.jobs.retain(is_slow));
        let sudden = add_sudden(&mut slow, sudden_ones(&all));
        Self { slow, sudden, subjects }
    }

    /// Those that are known by few pieces: to be looked at, and no reason yet for what jobs took.
    pub fn sudden(&self) -> &[Slowness] {
        &self.sudden
    }

    /// How many might have been slow.
    pub fn subjects(&self) -> usize {
        self.subjects
    }

    /// Everybody who was slow.
    pub fn all(&self) -> &[Slowness] {
        &self.slow
    }

    /// How slow a worker is, as of its last slow run.
    pub fn of_worker(&self, worker_id: &str) -> Option<&Slowness> {
        self.of_subject(CulpritKind::Worker, worker_id)
    }

    /// The same of a worker or a connector.
    pub fn of_subject(&self, kind: CulpritKind, id: &str) -> Option<&Slowness> {
        self.slow.iter().rev().find(|slow| slow.kind == kind && slow.id == id)
    }

    /// Was that one slow while something went on?
    pub fn during(&self, kind: CulpritKind, id: Option<&str>, then: (i64, i64)) -> Option<&Slowness> {
        let is_it = |slow: &&Slowness| slow.kind == kind && Some(slow.id.as_str()) == id;
        self.slow.iter().filter(is_it).find(|slow| slow.lasted_into(then))
    }

    /// Was anybody of that kind?
    pub fn is_any_during(&self, kind: CulpritKind, then: (i64, i64)) -> bool {
        self.slow.iter().any(|slow| slow.kind == kind && slow.lasted_into(then))
    }
}

impl Slowness {
    fn includes(&self, ms: i64) -> bool {
        self.lasted_into((ms, ms))
    }

    fn lasted_into(&self, (from_ms, until_ms): (i64, i64)) -> bool {
        self.since_ms <= until_ms && from_ms <= self.until_ms
    }
}

/// The pieces of each, in the order in which they were begun.
pub(super) fn by<'a, 'b>(
    pieces: &'b [Piece<'a>],
    subject: impl Fn(&Piece<'a>) -> Option<&'a str>,
) -> BTreeMap<&'a str, Vec<&'b Piece<'a>>> {
    let mut subjects: BTreeMap<&str, Vec<&Piece<'_>>> = BTreeMap::new();
    for piece in pieces {
        if let Some(subject) = subject(piece) {
            subjects.entry(subject).or_default().push(piece);
        }
    }
    subjects
}

/// The runs in which somebody was slow: of the sums of what pieces take beyond the usual, the largest, and then
/// those before and after it.
fn runs<'a, 'b>(own: &[&'b Piece<'a>]) -> impl Iterator<Item = Vec<&'b Piece<'a>>> {
    let excess: Vec<f64> = own.iter().map(|piece| beyond(piece.factor, RUN_FACTOR)).collect();
    let mut open = vec![(0, own.len())];
    let mut found = Vec::new();
    while let Some((from, until)) = open.pop() {
        let Some((begin, end)) = largest_sum(&excess[from..until], is_over).filter(|_| found.len() < RUNS_MAX) else {
            continue;
        };
        found.push((from + begin, from + end));
        open.extend([(from, from + begin), (from + end, until)]);
    }
    found.sort_unstable();
    let runs: Vec<Vec<&Piece<'_>>> = found.into_iter().map(|(begin, end)| sharpened(&own[begin..end])).collect();
    runs.into_iter().filter(|run| run.len() >= PIECES_MIN)
}

/// A run without the pieces at its ends that rather are as usual, now that it is known how slow it is: halfway, on the
/// scale of factors, between usual and the median of the run. That is where the likelihood of two log-normal
/// distributions of one spread is equal.
fn sharpened<'a, 'b>(run: &[&'b Piece<'a>]) -> Vec<&'b Piece<'a>> {
    let mut factors: Vec<f64> = run.iter().map(|piece| piece.factor).collect();
    let halfway = quantile(&mut factors, 0.5).unwrap_or(1.0).sqrt().clamp(RUN_FACTOR, PIECE_FACTOR_MAX.sqrt());
    let excess: Vec<f64> = run.iter().map(|piece| beyond(piece.factor, halfway)).collect();
    let (begin, end) = largest_sum(&excess, |_, _| false).unwrap_or((0, run.len()));
    run[begin..end].to_vec()
}

/// How far a piece is beyond a factor, on a scale on which ×2 and ÷2 are equally far.
fn beyond(piece: f64, factor: f64) -> f64 {
    piece.clamp(1.0 / PIECE_FACTOR_MAX, PIECE_FACTOR_MAX).ln() - factor.ln()
}

/// Is it over, having been as usual for a while: by what the sum is, and was at its highest?
pub(super) fn is_over(sum: f64, highest: f64) -> bool {
    highest - sum > PAUSE_MIN.max(PAUSE_SHARE * highest)
}

/// The part with the largest sum, where that is above nothing; one that is over in between is two.
fn largest_sum(values: &[f64], is_over: impl Fn(f64, f64) -> bool) -> Option<(usize, usize)> {
    let (mut best, mut found) = (0.0, None);
    let (mut sum, mut highest, mut begin) = (0.0_f64, 0.0_f64, 0);
    for (index, value) in values.iter().enumerate() {
        if sum <= 0.0 || is_over(sum, highest) {
            (sum, highest, begin) = (0.0, 0.0, index);
        }
        sum += value;
        highest = highest.max(sum);
        if sum > best {
            (best, found) = (sum, Some((begin, index + 1)));
        }
    }
    found
}

/// A worker, compared with what its peers took for the same kinds of work at the same time: what became slow for all of
/// them meanwhile is not its own.
fn slow_worker(worker: &str, run: &[&Piece<'_>], own: &[&Piece<'_>], pieces: &[Piece<'_>]) -> Option<Slowness> {
    let (since_ms, until_ms) = bounds(run)?;
    let is_peer = |piece: &&Piece<'_>| piece.worker.is_some_and(|other| other != worker);
    let begun_before = |ms: i64| pieces.partition_point(|piece| piece.start_ms < ms);
    let mut peers: BTreeMap<usize, Vec<&Piece<'_>>> = BTreeMap::new();
    for piece in pieces[begun_before(since_ms)..begun_before(until_ms + 1)].iter().filter(is_peer) {
        peers.entry(piece.class).or_default().push(piece);
    }
    let beside = |piece: &Piece<'_>| Some(piece.factor / usual_about(peers.get(&piece.class)?, piece.start_ms)?);
    let compared: Vec<&Piece<'_>> = run.iter().copied().filter(|piece| peers.contains_key(&piece.class)).collect();
    let factors = compared.iter().filter_map(|piece| beside(piece)).collect();
    // Of more a part says as much, and hundreds of workers are each compared with all others.
    let one_of = peers.values().map(Vec::len).sum::<usize>().div_ceil(PEERS_MAX).max(1);
    let others = peers.values().flatten().step_by(one_of).filter_map(|piece| beside(piece)).collect();
    slowness((CulpritKind::Worker, worker), &compared, (factors, others), own)
}

/// Marks those that are known to be slow anyway; the others.
fn add_sudden(slow: &mut [Slowness], found: Vec<Sudden>) -> Vec<Slowness> {
    let mut others = Vec::new();
    for one in found {
        let is_it = |known: &&mut Slowness| {
            known.kind == one.kind && known.id == one.id && known.lasted_into((one.since_ms, one.until_ms()))
        };
        match slow.iter_mut().find(is_it) {
            Some(known) => known.is_sudden = true,
            None => others.push(one.slowness()),
        }
    }
    others
}

/// How many times what is usual those pieces took that were begun nearest to a moment; they are in the order in which
/// they were begun.
fn usual_about(pieces: &[&Piece<'_>], ms: i64) -> Option<f64> {
    let at = pieces.partition_point(|piece| piece.start_ms < ms);
    let (mut from, mut until) = (at, at);
    while until - from < NEIGHBOURS.min(pieces.len()) {
        let before = from.checked_sub(1).map(|before| ms - pieces[before].start_ms);
        let after = pieces.get(until).map(|after| after.start_ms - ms);
        match (before, after) {
            (Some(before), Some(after)) if before > after => until += 1,
            (None, _) => until += 1,
            _ => from -= 1,
        }
    }
    let mut factors: Vec<f64> = pieces[from..until].iter().map(|piece| piece.factor).collect();
    if factors.is_empty() {
        return None;
    }
    factors.resize(factors.len().max(NEIGHBOURS_MIN), 1.0);
    quantile(&mut factors, 0.5)
}

/// A connector, compared with what others took meanwhile, else with what it took itself at other times.
fn slow_connector(connector: &str, run: &[&Piece<'_>], own: &[&Piece<'_>], pieces: &[Piece<'_>]) -> Option<Slowness> {
    let (since_ms, until_ms) = bounds(run)?;
    let is_then = |piece: &Piece<'_>| (since_ms..=until_ms).contains(&piece.start_ms);
    let others =
        pieces.iter().filter(|piece| piece.connector.is_some_and(|other| other != connector) && is_then(piece));
    let mut others: Vec<f64> = others.map(|piece| piece.factor).collect();
    if others.len() < PIECES_MIN {
        // Its own of before are looked at anyway.
        others = own.iter().filter(|piece| !is_then(piece)).map(|piece| piece.factor).collect();
    }
    let factors = run.iter().map(|piece| piece.factor).collect();
    slowness((CulpritKind::Connector, connector), run, (factors, others), own)
}

/// A queue, compared with how long jobs waited in it at other times.
fn slow_queue(queue: &str, run: &[&Piece<'_>], own: &[&Piece<'_>]) -> Option<Slowness> {
    let (since_ms, until_ms) = bounds(run)?;
    let is_then = |piece: &Piece<'_>| (since_ms..=until_ms).contains(&piece.start_ms);
    let others = own.iter().filter(|piece| !is_then(piece)).map(|piece| piece.factor).collect();
    let factors = run.iter().map(|piece| piece.factor).collect();
    slowness((CulpritKind::Queue, queue), run, (factors, others), own)
}

fn bounds(run: &[&Piece<'_>]) -> Option<(i64, i64)> {
    Some((run.first()?.start_ms, run.last()?.start_ms))
}

/// The probability that pieces are so slow by chance, beside those of others meanwhile and its own of before: by their
/// ranks, or by the mean of their logarithms where that tells more, as it does of few; the joint one is twice the smaller.
fn p_beside_all(factors: &[f64], others: &[f64], own: &[&Piece<'_>], since_ms: i64) -> f64 {
    let before = own.iter().filter(|piece| piece.start_ms < since_ms).map(|piece| piece.factor);
    let compared: Vec<f64> = others.iter().copied().chain(before).collect();
    let far = |value: &f64| value.clamp(1.0 / FAR_FACTOR, FAR_FACTOR).ln();
    let logs = |values: &[f64]| values.iter().map(far).collect::<Vec<_>>();
    let by_rank = mann_whitney_larger(factors, &compared);
    2.0 * by_rank.min(student_larger(&logs(factors), &logs(&compared)))
}

/// How sure that is: the probability, and whether it is small enough to be a reason for what jobs took, which goes by what
/// others did meanwhile alone, unless all that is known leaves no doubt.
fn certainty(factors: &[f64], others: &[f64], own: &[&Piece<'_>], since_ms: i64) -> (f64, bool) {
    let tries = (own.len() + 1 - factors.len().min(own.len())) as f64;
    let beside_all = (p_beside_all(factors, others, own, since_ms) * tries).min(1.0);
    let counted = |values: &[f64]| values.iter().map(|value| (*value, 1)).collect::<Counted>();
    let meanwhile = (mann_whitney_counted(&counted(factors), &counted(others)) * tries).min(1.0);
    (beside_all.min(meanwhile), meanwhile <= TELLING_P || beside_all <= P_BEYOND_DOUBT)
}

/// The run was chosen among as many as there are pieces, so its probability counts as often.
fn slowness(
    (kind, id): (CulpritKind, &str),
    run: &[&Piece<'_>],
    (mut factors, mut others): (Vec<f64>, Vec<f64>),
    own: &[&Piece<'_>],
) -> Option<Slowness> {
    let (since_ms, last_ms) = bounds(run)?;
    let followed_by = own.iter().filter(|piece| piece.start_ms > last_ms).count();
    let goes_on = followed_by == 0;
    let end_ms = run.iter().map(|piece| piece.start_ms + piece.ms as i64).max();
    // One piece that is as usual is no sign that it is over.
    let over_ms = end_ms.filter(|_| followed_by >= PIECES_MIN);
    if factors.len() < PIECES_MIN {
        return None;
    }
    let (p, is_reason) = certainty(&factors, &others, own, since_ms);
    let factor = quantile(&mut factors, 0.5)? / quantile(&mut others, 0.5)?;
    let mut times: Vec<f64> = run.iter().map(|piece| piece.ms).collect();
    let ms = quantile(&mut times, 0.5)?;
    let slow = run.iter().filter(|piece| piece.factor >= TELLING_FACTOR).map(|piece| piece.job.to_owned());
    (factor >= TELLING_FACTOR && is_reason).then(|| Slowness {
        kind,
        id: id.to_owned(),
        since_ms,
        until_ms: if goes_on { i64::MAX } else { last_ms },
        over_ms,
        factor,
        ms,
        usual_ms: ms / factor,
        p,
        pieces: run.len(),
        is_sudden: false,
        jobs: slow.collect(),
    })
}
