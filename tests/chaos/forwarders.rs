//! Forwarders that are killed, stopped, frozen and cut off, by themselves and within collectors: what is acknowledged
//! has arrived or is a dead letter, what has not arrived is counted, and twice comes only what was under way.

use std::collections::HashSet;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::asked;
use crate::producer::Producer;
use crate::proxy::Proxy;
use crate::receiver::otlp::Taken;
use crate::receiver::stub::{Answer, Stub};
use crate::support::{Daemon, Persistence, Redis, Store, eventually, run};
use crate::worlds::{Shared, play};

const STEPS_PER_ROUND: usize = 10;
const WORLDS_MAX: usize = 5;
/// What a forwarder may have under way: so many requests of so many events.
const REQUESTS: u64 = 3;
const BATCH: u64 = 50;
/// Longer than a forwarder's lease.
const FROZEN: Duration = Duration::from_millis(4_500);
/// Of so many jobs the receiver refuses one for good.
const REFUSED_EVERY: u64 = 97;

/// What forwards in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `forward`.
    Alone,
    /// `collect --forward`.
    Within,
}

/// What happened, in all.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    /// Of `forward`.
    kills: usize,
    /// Of `collect --forward`.
    kills_within: usize,
    stops: usize,
    freezes: usize,
    added: u64,
    sent: u64,
    dead: u64,
    missing: u64,
    /// Events that arrived more than once.
    again: u64,
}

#[test]
fn whatever_happens_to_forwarders_what_is_acknowledged_has_arrived() {
    let asked = asked(16);
    println!("forwarders: {} kills, seed {}", asked.0, asked.1);
    let tally = play(asked, WORLDS_MAX, |tally: &Tally| tally.kills + tally.kills_within, play_round);
    println!("forwarders: {tally:?}; neither arrived nor counted: 0");
    assert!(tally.sent > 0 && tally.dead > 0);
}

fn play_round(random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
    let mut round = Round::begin(random);
    round.run(random, shared);
    round.end(shared);
    let mut tally = shared.lock();
    tally.rounds += 1;
    println!("forwarders: round {}; so far {tally:?}", tally.rounds);
}

struct Round {
    redis: Redis,
    proxy: Proxy,
    store: Store,
    receiver: Stub,
    /// Beside those that forward.
    collector: Option<Daemon>,
    forwarders: Vec<(Kind, Option<Daemon>)>,
    producer: Option<Producer>,
    /// After which what was under way may be sent again.
    interruptions: u64,
}

impl Round {
    fn begin(random: &mut ChaCha8Rng) -> Self {
        let redis = Redis::start_with(Persistence::Full);
        let proxy = Proxy::start(redis.port());
        let store = Store::at(proxy.url());
        let crews: [&[Kind]; 3] =
            [&[Kind::Alone; 3], &[Kind::Within; 2], &[Kind::Within, Kind::Within, Kind::Alone, Kind::Alone]];
        let forwarders = crews.choose(random).unwrap().iter().map(|kind| (*kind, None)).collect();
        let (collector, producer) = (None, None);
        let mut round =
            Self { redis, proxy, store, receiver: Stub::start(), collector, forwarders, producer, interruptions: 0 };
        // Both groups from the first entry on.
        round.store.output(&["collect", "--once"]);
        let ended = run(&mut round.command(Kind::Alone, &["--once"]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        let count = AtomicU64::new(random.random());
        round.receiver.answer(move |taken| match count.fetch_add(7, SeqCst) % 23 {
            0 => Answer::Refuse(503),
            1 => Answer::Refuse(500),
            2 => Answer::CutOff,
            _ => answer(taken),
        });
        let length = [300, 2_000, 10_000][random.random_range(0..3)];
        let pause = Duration::from_millis(random.random_range(15..40));
        round.producer = Some(Producer::start(round.redis.url(), pause, length));
        round
    }

    fn command(&self, kind: Kind, words: &[&str]) -> Command {
        let mut command = self.store.command(&["--color", "never"]);
        match kind {
            Kind::Alone => command.arg("forward"),
            Kind::Within => command.args(["collect", "--forward", "--seal-every", "1s"]),
        };
        let url = self.receiver.url();
        command.args(words).env("DASH0_OTEL_ENDPOINT", url).env("OTEL_EXPORTER_OTLP_TIMEOUT", "2000");
        command.env("DASH0_BATCH_WAIT", "20ms").env("DASH0_BATCH_EVENTS", BATCH.to_string());
        command.env("DASH0_REQUESTS", REQUESTS.to_string()).env("EMP_EVENTS_FORWARD_BACKOFF_MS", "10,100");
        command
    }

    fn start_all(&mut self) {
        if self.collector.is_none() {
            self.collector = Some(self.store.collect(&["--seal-every", "1s"]));
        }
        for place in 0..self.forwarders.len() {
            let kind = self.forwarders[place].0;
            if self.forwarders[place].1.is_none() {
                self.forwarders[place].1 = Some(self.store.background(&mut self.command(kind, &[])));
            }
        }
    }

    fn run(&mut self, random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
        for step in 0..STEPS_PER_ROUND {
            self.start_all();
            if step % 2 == 0 {
                // Else a step may be over before one has the lease.
                let before = self.receiver.request_count();
                eventually("something is delivered", || self.receiver.request_count() > before);
            }
            std::thread::sleep(Duration::from_millis(random.random_range(0..600)));
            self.disturb(random, shared);
            for _ in 0..random.random_range(1..=self.forwarders.len()) {
                let victim = random.random_range(0..self.forwarders.len());
                self.kill(victim, shared);
            }
        }
    }

    fn kill(&mut self, victim: usize, shared: &Shared<Tally>) {
        let (kind, forwarder) = &mut self.forwarders[victim];
        if let Some(forwarder) = forwarder.take() {
            forwarder.crash();
            self.interruptions += 1;
            match kind {
                Kind::Alone => shared.lock().kills += 1,
                Kind::Within => shared.lock().kills_within += 1,
            }
        }
    }

    /// One more thing that goes wrong, most of the time.
    fn disturb(&mut self, random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
        let a_while = Duration::from_millis(random.random_range(20..400));
        let one = random.random_range(0..self.forwarders.len());
        self.interruptions += self.forwarders.len() as u64;
        match random.random_range(0..10) {
            0 => self.proxy.cut(),
            1 => {
                self.proxy.cut_after(random.random_range(1..20_000));
                std::thread::sleep(a_while);
            }
            2 => {
                self.proxy.stall(true);
                std::thread::sleep(a_while);
            }
            3 => {
                if let Some(frozen) = &self.forwarders[one].1 {
                    frozen.signal("STOP");
                    std::thread::sleep(FROZEN);
                    frozen.signal("CONT");
                    shared.lock().freezes += 1;
                }
            }
            4 | 5 => {
                if let Some(stopped) = self.forwarders[one].1.take() {
                    // Before its first word it may not know yet what a signal means.
                    eventually("it has begun", || !stopped.log().is_empty());
                    assert_eq!(stopped.stop(), 0);
                    shared.lock().stops += 1;
                }
            }
            6 => {
                self.redis.stop();
                std::thread::sleep(a_while);
                self.redis.start_again();
            }
            7 => {
                if let Some(collector) = self.collector.take() {
                    collector.crash();
                }
            }
            _ => {}
        }
        self.proxy.heal();
    }

    /// Kills all, delivers what is left, and adds up.
    fn end(mut self, shared: &Shared<Tally>) {
        let known: HashSet<String> = self.producer.take().map(Producer::stop).into_iter().flatten().collect();
        for victim in 0..self.forwarders.len() {
            self.kill(victim, shared);
        }
        if let Some(collector) = self.collector.take() {
            collector.crash();
        }
        self.store.output(&["collect", "--once"]);
        self.receiver.answer(answer);
        let ended = run(&mut self.command(Kind::Alone, &["--once"]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        self.check(&known, shared);
    }

    fn check(&self, known: &HashSet<String>, shared: &Shared<Tally>) {
        let records = self.receiver.records();
        let arrived: HashSet<String> = records.iter().map(|record| record.uid().to_owned()).collect();
        let csv = self.store.output(&["sql", "--format", "csv", "select id from dead_letters"]);
        let dead: HashSet<String> = csv.lines().skip(1).map(str::to_owned).collect();
        let [sent, missing, not_events] = ["sent", "missing", "not_events"].map(|name| self.count(name));
        let settled = sent
            + missing
            + not_events
            + ["dead", "refused", "skipped", "too_old"].map(|name| self.count(name)).iter().sum::<u64>();
        assert_eq!(settled, self.redis.added(), "{sent} sent, {missing} missing, {not_events} no events");
        assert_eq!(dead.len() as u64, self.count("dead"), "dead letters are kept, and none is counted twice");
        let absent = known.iter().filter(|id| !arrived.contains(*id) && !dead.contains(*id)).count() as u64;
        assert!(absent <= missing + not_events, "{absent} have not arrived; {missing} missing, {not_events} no events");
        let again = (records.len() - arrived.len()) as u64;
        let under_way = self.interruptions * REQUESTS * BATCH;
        assert!(again <= under_way, "{again} have arrived again, and {under_way} were under way at most");
        let pending: redis::streams::StreamPendingReply = self.redis.command("XPENDING emp:events emp-dash0");
        assert_eq!(pending.count(), 0);
        let mut tally = shared.lock();
        tally.added += self.redis.added();
        tally.sent += sent;
        tally.dead += dead.len() as u64;
        tally.missing += missing;
        tally.again += again;
    }

    /// One of the forwarders' counts.
    fn count(&self, name: &str) -> u64 {
        let mut question = redis::cmd("HGET");
        question.arg("emp:events:forward:emp-dash0").arg(name);
        question.query::<Option<u64>>(&mut self.redis.connection()).unwrap().unwrap_or(0)
    }
}

/// A receiver that is well: it takes all but the events of some jobs.
fn answer(taken: &Taken) -> Answer {
    let is_refused = |job: &str| {
        let number = job.strip_prefix("job_").and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| number.is_multiple_of(REFUSED_EVERY))
    };
    if taken.records().iter().any(|record| is_refused(record.job())) { Answer::Refuse(400) } else { Answer::Accept }
}
