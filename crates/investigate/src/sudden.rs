//! Who became slow just now, by few pieces of work, and by such that go on.
//!
//! Each piece is as much evidence as it is improbable by what is typical for its kind ([`ln_evidence`]). That of a worker or
//! a connector adds up in the order in which its pieces were begun, and it is told once there is as much as by chance once
//! in ten days.

use std::collections::BTreeMap;

use emp_findings::CulpritKind;
use emp_statistics::{evidence_limit, ln_evidence, quantile, stretches};

use super::detect::DAY_MS;
use super::pieces::{Piece, Pieces};
use super::speed::{PIECES_MIN, Slowness, TELLING_FACTOR, by, is_over};

/// So many false alarms a day may come.
const FALSE_A_DAY: f64 = 0.1;
/// What others did meanwhile is what they began so long before and after.
const MEANWHILE_MS: i64 = 15 * 60_000;
/// So many of these, begun at about the same time.
const OTHERS_MAX: usize = 40;
/// Of fewer it is taken that as many more were as usual.
const OTHERS_MIN: usize = 5;
/// Nobody is told by fewer pieces.
const SUDDEN_MIN: usize = 2;

/// Somebody who became slow.
#[derive(Debug)]
pub(super) struct Sudden {
    pub kind: CulpritKind,
    pub id: String,
    pub since_ms: i64,
    last_ms: i64,
    end_ms: i64,
    /// How many of its pieces have ended and were begun after its last slow one.
    followed_by: usize,
    factor: f64,
    ms: f64,
    p: f64,
    jobs: Vec<String>,
}

impl Sudden {
    /// When its last slow piece began; the end of all time where no other piece has followed.
    pub fn until_ms(&self) -> i64 {
        if self.followed_by == 0 { i64::MAX } else { self.last_ms }
    }

    /// Is it one of its pieces, of that time?
    fn has(&self, piece: &Piece<'_>) -> bool {
        let whose = if self.kind == CulpritKind::Worker { piece.worker } else { piece.connector };
        whose == Some(self.id.as_str()) && (self.since_ms..=self.until_ms()).contains(&piece.start_ms)
    }

    /// The same as one of all that are slow.
    pub fn slowness(self) -> Slowness {
        Slowness {
            kind: self.kind,
            since_ms: self.since_ms,
            until_ms: self.until_ms(),
            over_ms: (self.followed_by >= PIECES_MIN).then_some(self.end_ms),
            factor: self.factor,
            ms: self.ms,
            usual_ms: self.ms / self.factor,
            p: self.p,
            pieces: self.jobs.len(),
            is_sudden: true,
            jobs: self.jobs.into_iter().collect(),
            id: self.id,
        }
    }
}

/// Workers and connectors that became slow, each by what it did beside the others that are told.
pub(super) fn sudden_ones(all: &Pieces<'_>) -> Vec<Sudden> {
    let is_work = |piece: &&Piece<'_>| piece.queue.is_none();
    let mut pieces: Vec<Piece<'_>> = all.done.iter().filter(is_work).chain(&all.running).cloned().collect();
    pieces.sort_by_key(|piece| piece.start_ms);
    let (workers, connectors) = (slow_workers(&pieces, all), slow_connectors(&pieces, all));
    if workers.is_empty() || connectors.is_empty() {
        return workers.into_iter().chain(connectors).collect();
    }
    // A slow connector makes who works for it slow, and a slow worker what it works for: who is slow without the other is.
    let without = |found: &[Sudden]| {
        let is_left = |piece: &&Piece<'_>| !found.iter().any(|one| one.has(piece));
        pieces.iter().filter(is_left).cloned().collect::<Vec<_>>()
    };
    let mut alone = slow_workers(&without(&connectors), all);
    alone.extend(slow_connectors(&without(&workers), all));
    if alone.is_empty() {
        // Neither is: then the one for which more speaks.
        let most = |a: &Sudden, b: &Sudden| b.p.total_cmp(&a.p);
        return workers.into_iter().chain(connectors).max_by(most).into_iter().collect();
    }
    let stands = |one: &Sudden| alone.iter().any(|other| (other.kind, &other.id) == (one.kind, &one.id));
    workers.into_iter().chain(connectors).filter(stands).collect()
}

/// What is passed by chance once in ten days, by as many pieces as there are: each is one of a worker's and one of a
/// connector's.
fn limit(all: &Pieces<'_>) -> f64 {
    let days = (all.range_ms.1 - all.range_ms.0).max(1) as f64 / DAY_MS as f64;
    let work = all.done.iter().filter(|piece| piece.queue.is_none()).count() + all.running.len();
    evidence_limit(2.0 * work as f64 / days, FALSE_A_DAY)
}

fn slow_workers(pieces: &[Piece<'_>], all: &Pieces<'_>) -> Vec<Sudden> {
    let mut of_class: BTreeMap<usize, Vec<&Piece<'_>>> = BTreeMap::new();
    for piece in pieces {
        of_class.entry(piece.class).or_default().push(piece);
    }
    let workers = by(pieces, |piece| piece.worker).into_iter();
    let found = workers.flat_map(|(worker, own)| {
        let is_other = |piece: &Piece<'_>| piece.worker.is_some_and(|other| other != worker);
        let usual = |piece: &Piece<'_>| meanwhile(&of_class[&piece.class], piece, is_other);
        of_one((CulpritKind::Worker, worker), &own, all, usual)
    });
    found.collect()
}

fn slow_connectors(pieces: &[Piece<'_>], all: &Pieces<'_>) -> Vec<Sudden> {
    let of_connectors: Vec<&Piece<'_>> = pieces.iter().filter(|piece| piece.connector.is_some()).collect();
    let connectors = by(pieces, |piece| piece.connector).into_iter();
    let found = connectors.flat_map(|(connector, own)| {
        let is_other = |piece: &Piece<'_>| piece.connector.is_some_and(|other| other != connector);
        of_one((CulpritKind::Connector, connector), &own, all, |piece| meanwhile(&of_connectors, piece, is_other))
    });
    found.collect()
}

/// How many times what is usual others took meanwhile, at least: what became slow for all of them is not its own. Of few
/// others little is known, and that one of them was quick, or slow, by chance is no news.
fn meanwhile(all: &[&Piece<'_>], piece: &Piece<'_>, is_other: impl Fn(&Piece<'_>) -> bool) -> f64 {
    let at = all.partition_point(|other| other.start_ms < piece.start_ms);
    let is_then = |other: &&&Piece<'_>| (other.start_ms - piece.start_ms).abs() <= MEANWHILE_MS;
    // What goes on tells something once it takes longer than usual.
    let tells = |other: &&&Piece<'_>| is_other(other) && (other.is_done || other.factor > 1.0);
    let before = all[..at].iter().rev().take_while(is_then).filter(tells).take(OTHERS_MAX / 2);
    let after = all[at..].iter().take_while(is_then).filter(tells).take(OTHERS_MAX / 2);
    let mut factors: Vec<f64> = before.chain(after).map(|other| other.factor).collect();
    let count = factors.len();
    factors.resize(count.max(OTHERS_MIN), 1.0);
    let median = quantile(&mut factors, 0.5).unwrap_or(1.0);
    (median * (-1.0 / (count.max(1) as f64).sqrt()).exp()).max(1.0)
}

/// A piece beside what others took meanwhile: how many times as long, and how much it speaks for its being slow.
struct Weighed<'a, 'b> {
    piece: &'b Piece<'a>,
    factor: f64,
    ln_e: f64,
}

/// Each stretch of one subject's pieces in which the evidence passes the limit.
fn of_one(
    (kind, id): (CulpritKind, &str),
    own: &[&Piece<'_>],
    all: &Pieces<'_>,
    usual: impl Fn(&Piece<'_>) -> f64,
) -> Vec<Sudden> {
    let weighed = own.iter().filter_map(|piece| {
        let beside = usual(piece);
        let p = all.chance(piece.class, piece.ms / beside)?;
        let ln_e = ln_evidence(p);
        // Of what goes on it is known that it takes no less: it speaks for it, and against it once it is done.
        let ln_e = if piece.is_done { ln_e } else { ln_e.max(0.0) };
        Some(Weighed { piece, factor: piece.factor / beside, ln_e })
    });
    let weighed: Vec<Weighed<'_, '_>> = weighed.collect();
    let evidence: Vec<f64> = weighed.iter().map(|one| one.ln_e).collect();
    let told = stretches(&evidence, limit(all), is_over).into_iter();
    told.filter_map(|(within, highest)| sudden((kind, id), &weighed, within, highest)).collect()
}

fn sudden(
    (kind, id): (CulpritKind, &str),
    weighed: &[Weighed<'_, '_>],
    within: std::ops::Range<usize>,
    highest: f64,
) -> Option<Sudden> {
    let after = &weighed[within.end..];
    // What has begun and says nothing yet is no part of it.
    let run: Vec<&Weighed<'_, '_>> = weighed[within].iter().filter(|one| one.piece.is_done || one.ln_e > 0.0).collect();
    let (first, last) = (run.first()?, run.last()?);
    let mut factors: Vec<f64> = run.iter().map(|one| one.factor).collect();
    let mut times: Vec<f64> = run.iter().map(|one| one.piece.ms).collect();
    let factor = quantile(&mut factors, 0.5)?;
    let slow = run.iter().filter(|one| one.factor >= TELLING_FACTOR);
    let end = run.iter().map(|one| one.piece.start_ms + one.piece.ms as i64).max()?;
    (factor >= TELLING_FACTOR && run.len() >= SUDDEN_MIN).then(|| Sudden {
        kind,
        id: id.to_owned(),
        since_ms: first.piece.start_ms,
        last_ms: last.piece.start_ms,
        end_ms: end,
        followed_by: after.iter().filter(|one| one.piece.is_done).count(),
        factor,
        ms: quantile(&mut times, 0.5).unwrap_or_default(),
        p: (-highest).exp().min(1.0),
        jobs: slow.map(|one| one.piece.job.to_owned()).collect(),
    })
}
