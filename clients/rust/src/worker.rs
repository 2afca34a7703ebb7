//! The background thread: takes events out of the queue and brings them to Redis.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Pipeline, ServerError, Value};
use tokio::time::{sleep_until, timeout, timeout_at};

use crate::breaker::Breaker;
use crate::config::{BATCH_BYTES, BATCH_DELAY, BATCH_EVENTS};
use crate::core::{Core, Fate};
use crate::event::Event;
use crate::link::{Link, Trouble};
use crate::problem::Reporter;
use crate::refusal::{self, Verdict};
use crate::report::DropReport;
use crate::spool::{Rest, Spool};
use crate::stats_report::StatsReport;
use crate::wire::Wire;
use crate::{Level, Reason};

/// After so long without an event the thread sleeps until it is woken; before that it looks by
/// itself, so that the call that emits need not wake it.
const AWAKE: Duration = Duration::from_secs(1);
/// From here on, Redis has too little memory left to take telemetry.
const MEMORY_SHARE_MAX: f64 = 0.9;
/// So often nodes of a cluster may send us on in a row.
const MOVES_MAX: u32 = 5;

/// Starts the thread of a client.
pub(crate) fn start(core: &Arc<Core>) {
    let shared = Arc::clone(core);
    if std::thread::Builder::new().name("emp-events".to_owned()).spawn(move || run(&shared)).is_err() {
        core.end();
    }
}

fn run(core: &Arc<Core>) {
    let _end = EndOnDrop(core);
    #[cfg(feature = "tracing")]
    crate::layer::silence_this_thread();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let mut worker = Worker::new(core);
    runtime.block_on(async {
        tokio::select! {
            () = worker.run() => {}
            () = end_of_time(core) => {}
            () = answer_waiting(core) => {}
        }
    });
    worker.put_away();
    // A name that is being looked up must not hold up the end.
    runtime.shutdown_background();
}

/// However the thread ends: what waits is counted as lost, and nobody waits on.
struct EndOnDrop<'a>(&'a Core);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn end_of_time(core: &Core) {
    loop {
        if let Some(at) = core.ends_at() {
            return sleep_until(at.into()).await;
        }
        core.closing.notified().await;
    }
}

async fn answer_waiting(core: &Core) {
    loop {
        let change = core.settled.notified();
        match core.answer_waiting() {
            Some(until) => drop(timeout_at(until.into(), change).await),
            None => change.await,
        }
    }
}

struct Worker {
    core: Arc<Core>,
    link: Link,
    breaker: Breaker,
    spool: Option<Spool>,
    reporter: Reporter,
    drops: DropReport,
    stats: Option<StatsReport>,
    /// Taken out of the queue.
    pending: VecDeque<Event>,
    /// The next batch: what is not yet answered, or is to be sent again.
    batch: Vec<Wire>,
    active_at: Instant,
    /// Whether Redis was short of memory, and when that was found.
    memory: Option<(bool, Instant)>,
    /// How often nodes of a cluster have sent us on since the last success.
    moves: u32,
}

impl Worker {
    fn new(core: &Arc<Core>) -> Self {
        let settings = &core.settings;
        Self {
            link: Link::new(core.address.clone(), settings.tls_root.clone(), settings.answer_timeout),
            breaker: Breaker::default(),
            spool: settings.spool_limits().map(|limits| Spool::new(limits, &settings.service)),
            reporter: Reporter::default(),
            drops: DropReport::default(),
            // Below the threshold they are left out, as any other event is.
            stats: settings.stats_every.filter(|_| settings.level <= Level::Info).map(StatsReport::new),
            pending: VecDeque::new(),
            batch: Vec::new(),
            active_at: Instant::now(),
            memory: None,
            moves: 0,
            core: Arc::clone(core),
        }
    }

    async fn run(&mut self) {
        loop {
            if self.batch.len() + self.pending.len() < BATCH_EVENTS {
                self.rest().await;
            }
            self.core.take(&mut self.pending);
            if self.core.is_done() {
                return;
            }
            self.tell_stats();
            self.pause().await;
            self.fill_batch();
            if self.batch.is_empty() {
                continue;
            }
            self.active_at = Instant::now();
            if self.is_memory_short().await {
                self.spool_all();
            } else {
                self.send().await;
            }
        }
    }

    /// Lets events come together.
    async fn rest(&mut self) {
        let has_work = !self.batch.is_empty() || !self.pending.is_empty();
        if !has_work && self.active_at.elapsed() > AWAKE && self.core.sleep_if_empty() {
            let stats_due = self.stats.as_ref().and_then(|stats| stats.due_at(&self.core));
            match stats_due {
                Some(at) => drop(timeout_at(at.into(), self.core.wake.notified()).await),
                None => self.core.wake.notified().await,
            }
            self.active_at = Instant::now();
        }
        // Ends early when a whole batch has come together, or somebody waits for it.
        let _ = timeout(BATCH_DELAY, self.core.wake.notified()).await;
    }

    /// Waits as long as nothing should be tried. Events go on being queued; where the queue fills
    /// and there is a spool, they go there.
    async fn pause(&mut self) {
        while let Some(until) = self.breaker.pause(Instant::now()) {
            if self.core.take_urgency() {
                return;
            }
            if self.breaker.is_open() && self.spool.is_some() && self.core.is_filling() {
                self.core.take(&mut self.pending);
                self.spool_all();
            }
            let _ = timeout_at(until.into(), self.core.wake.notified()).await;
        }
        self.core.take_urgency();
    }

    /// Tells what became of events, where it is time for it.
    fn tell_stats(&mut self) {
        let Some(stats) = &mut self.stats else { return };
        let Some(data) = stats.due(&self.core) else { return };
        let event = self.core.own_event("telemetry.stats", Level::Info, data);
        if self.core.admit_own(event.bytes) {
            stats.was_told();
            self.pending.push_back(event);
        }
    }

    fn fill_batch(&mut self) {
        let mut bytes: usize = self.batch.iter().map(|wire| wire.bytes).sum();
        while self.batch.len() < BATCH_EVENTS && bytes < BATCH_BYTES {
            let Some(event) = self.pending.pop_front() else { break };
            if let Some(wire) = self.write_out(event) {
                bytes += wire.bytes;
                self.batch.push(wire);
            }
        }
    }

    fn write_out(&self, event: Event) -> Option<Wire> {
        Wire::new(event, &self.core.rules)
            .inspect_err(|bytes| self.core.settle(Fate::Dropped(Reason::TooLarge), 1, *bytes))
            .ok()
    }

    async fn send(&mut self) {
        let settings = &self.core.settings;
        let mut commands = Pipeline::with_capacity(self.batch.len());
        for wire in &self.batch {
            commands.add_command(wire.command(&settings.service, &settings.stream, settings.stream_length));
        }
        match self.link.exchange(&commands).await {
            Ok(answers) => self.settle_answers(answers),
            Err(Trouble::Unsent(problem)) => self.failed(&problem),
            Err(Trouble::Unanswered(problem)) => {
                // Sent again, they might stand in the stream twice.
                self.drop_batch(Reason::Unanswered);
                self.failed(&problem);
            }
        }
    }

    fn settle_answers(&mut self, answers: Vec<Value>) {
        let (mut sent, mut refused) = (Tally::default(), Tally::default());
        let mut trouble: Option<ServerError> = None;
        let (mut is_oom, mut is_moved) = (false, false);
        for (wire, answer) in std::mem::take(&mut self.batch).into_iter().zip(answers) {
            let Value::ServerError(error) = answer else {
                sent.add(&wire);
                continue;
            };
            match refusal::judge(&error) {
                Verdict::Final => refused.add(&wire),
                Verdict::Later => self.batch.push(wire),
                Verdict::OutOfMemory => {
                    is_oom = true;
                    self.batch.push(wire);
                }
                Verdict::Elsewhere(host, port) => {
                    is_moved = true;
                    self.link.go_to(&host, port);
                    self.batch.push(wire);
                    continue;
                }
            }
            trouble.get_or_insert(error);
        }
        self.core.settle(Fate::Sent, sent.events, sent.bytes);
        self.core.settle(Fate::Dropped(Reason::Refused), refused.events, refused.bytes);
        if is_oom && self.spool.is_some() {
            self.memory = Some((true, Instant::now()));
        } else if let Some(error) = trouble {
            if !self.batch.is_empty() && !is_oom {
                // A master that is none any more: the next connection asks for the new one.
                self.link.close();
            }
            let problem = format!("{} {}", error.code(), error.details().unwrap_or_default());
            self.failed(problem.trim_end());
        } else if is_moved {
            self.moved();
        } else {
            self.succeeded();
        }
    }

    /// To be sent to another node is no failure, unless that does not end.
    fn moved(&mut self) {
        self.moves += 1;
        if self.moves > MOVES_MAX {
            self.failed("the nodes of the cluster send us from one to the other");
        }
    }

    fn succeeded(&mut self) {
        self.moves = 0;
        if self.breaker.is_open() {
            self.core.set_circuit_open(false);
        }
        self.breaker.succeeded();
        if let Some(data) = self.drops.due(&self.core) {
            let event = self.core.own_event("telemetry.dropped", Level::Warn, data);
            if self.core.admit_own(event.bytes) {
                self.pending.push_front(event);
            }
        }
    }

    fn failed(&mut self, problem: &str) {
        self.breaker.failed(Instant::now());
        self.core.set_circuit_open(self.breaker.is_open());
        self.reporter.tell(&self.core.settings, problem);
    }

    fn drop_batch(&mut self, reason: Reason) {
        let mut tally = Tally::default();
        self.batch.drain(..).for_each(|wire| tally.add(&wire));
        self.core.settle(Fate::Dropped(reason), tally.events, tally.bytes);
    }

    /// Redis is asked now and then; only where events have somewhere else to go.
    async fn is_memory_short(&mut self) -> bool {
        if self.spool.is_none() {
            return false;
        }
        match self.memory {
            Some((is_short, found)) if found.elapsed() < self.core.settings.memory_check => is_short,
            _ => {
                let share = self.link.memory_share().await;
                let is_short = share.is_some_and(|share| share > MEMORY_SHARE_MAX);
                self.memory = Some((is_short, Instant::now()));
                is_short
            }
        }
    }

    /// Writes everything that waits to the spool.
    fn spool_all(&mut self) {
        loop {
            self.fill_batch();
            let Some(spool) = self.spool.as_mut().filter(|_| !self.batch.is_empty()) else { return };
            let batch = std::mem::take(&mut self.batch);
            let appended = spool.append(&batch);
            let (mut written, mut left) = (Tally::default(), Tally::default());
            for (index, wire) in batch.iter().enumerate() {
                if index < appended.written { &mut written } else { &mut left }.add(wire);
            }
            self.core.settle(Fate::Spooled, written.events, written.bytes);
            let (reason, problem) = match appended.rest {
                Rest::Nothing => continue,
                Rest::Full => (Reason::SpoolFull, "the spool is full".to_owned()),
                Rest::Failed(error) => (Reason::SpoolFailed, format!("the spool cannot be written: {error}")),
            };
            self.core.settle(Fate::Dropped(reason), left.events, left.bytes);
            self.reporter.tell(&self.core.settings, &problem);
        }
    }

    /// At the end: what is left goes to the spool, where there is one.
    fn put_away(&mut self) {
        if self.link.is_under_way() {
            self.drop_batch(Reason::Unanswered);
        }
        if self.spool.is_some() && !self.core.is_closed() {
            self.core.take(&mut self.pending);
            self.spool_all();
        }
    }
}

/// Events counted together.
#[derive(Default)]
struct Tally {
    events: u64,
    bytes: usize,
}

impl Tally {
    fn add(&mut self, wire: &Wire) {
        self.events += 1;
        self.bytes += wire.bytes;
    }
}
