//! Forwarders that are killed, stopped, frozen and cut off, beside a collector that is, too: what is acknowledged
//! has arrived, and what has not arrived is counted.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::producer::Producer;
use crate::proxy::Proxy;
use crate::receiver::stub::{Answer, Stub};
use crate::support::{Daemon, Persistence, Redis, Store, run};
use crate::{KILLS_PER_ROUND, number};

/// What happened, in all.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    kills: usize,
    stops: usize,
    added: u64,
    sent: u64,
    missing: u64,
    /// Events that arrived more than once.
    again: u64,
}

#[test]
fn whatever_happens_to_forwarders_what_is_acknowledged_has_arrived() {
    let (kills, seed) = (number("EMP_EVENTS_CHAOS_KILLS", 16) as usize, number("EMP_EVENTS_CHAOS_SEED", 7));
    println!("forwarders: seed {seed}, {kills} kills");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    while tally.kills < kills {
        tally.rounds += 1;
        let mut round = Round::begin(&mut random);
        round.run(&mut random, &mut tally);
        round.end(&mut tally);
        println!("forwarders: round {}; so far {tally:?}", tally.rounds);
    }
    assert!(tally.sent > 0);
}

struct Round {
    redis: Redis,
    proxy: Proxy,
    store: Store,
    receiver: Stub,
    collector: Option<Daemon>,
    forwarders: [Option<Daemon>; 2],
    producer: Option<Producer>,
}

impl Round {
    fn begin(random: &mut ChaCha8Rng) -> Self {
        let redis = Redis::start_with(Persistence::Full);
        let proxy = Proxy::start(redis.port());
        let store = Store::at(proxy.url());
        let receiver = Stub::start();
        // Both groups from the first entry on.
        store.output(&["collect", "--once"]);
        let mut round =
            Self { producer: None, redis, proxy, store, receiver, collector: None, forwarders: [None, None] };
        let ended = run(&mut round.forward(&["--once"]));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        let seed = random.random::<u64>();
        let count = std::sync::atomic::AtomicU64::new(seed);
        round.receiver.answer(move |_| match count.fetch_add(7, std::sync::atomic::Ordering::SeqCst) % 23 {
            0 => Answer::Refuse(503),
            1 => Answer::Refuse(500),
            2 => Answer::CutOff,
            _ => Answer::Accept,
        });
        let length = [300, 2_000, 10_000][random.random_range(0..3)];
        let pause = Duration::from_millis(random.random_range(3..12));
        round.producer = Some(Producer::start(round.redis.url(), pause, length));
        round
    }

    fn forward(&self, words: &[&str]) -> std::process::Command {
        let mut command = self.store.command(&["--color", "never", "forward", "--endpoint", &self.receiver.url()]);
        command.args(["--batch-wait", "20ms", "--batch-events", "50", "--requests", "3", "--timeout", "2s"]);
        command.args(words).env("EMP_EVENTS_FORWARD_BACKOFF_MS", "10,100");
        command
    }

    fn start_all(&mut self) {
        if self.collector.is_none() {
            self.collector = Some(self.store.collect(&["--seal-every", "1s"]));
        }
        for place in 0..self.forwarders.len() {
            if self.forwarders[place].is_none() {
                self.forwarders[place] = Some(self.store.background(&mut self.forward(&[])));
            }
        }
    }

    fn run(&mut self, random: &mut ChaCha8Rng, tally: &mut Tally) {
        for _ in 0..KILLS_PER_ROUND {
            self.start_all();
            std::thread::sleep(Duration::from_millis(random.random_range(50..1_500)));
            self.disturb(random, tally);
            let victim = random.random_range(0..self.forwarders.len());
            if let Some(forwarder) = self.forwarders[victim].take() {
                forwarder.crash();
                tally.kills += 1;
            }
        }
    }

    /// One more thing that goes wrong, most of the time.
    fn disturb(&mut self, random: &mut ChaCha8Rng, tally: &mut Tally) {
        let a_while = Duration::from_millis(random.random_range(20..400));
        let one = random.random_range(0..self.forwarders.len());
        match random.random_range(0..9) {
            0 => self.proxy.cut(),
            1 => {
                self.proxy.cut_after(random.random_range(1..20_000));
                std::thread::sleep(a_while);
            }
            2 => {
                self.proxy.stall(true);
                std::thread::sleep(a_while);
            }
            // Longer than its lease.
            3 | 4 => {
                if let Some(frozen) = &self.forwarders[one] {
                    frozen.signal("STOP");
                    std::thread::sleep(Duration::from_millis(5_000));
                    frozen.signal("CONT");
                }
            }
            5 => {
                if let Some(stopped) = self.forwarders[one].take() {
                    assert_eq!(stopped.stop(), 0);
                    tally.stops += 1;
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

    /// Kills all, drains what is left, and adds up.
    fn end(mut self, tally: &mut Tally) {
        let known: HashSet<String> = self.producer.take().map(Producer::stop).into_iter().flatten().collect();
        for forwarder in self.forwarders.iter_mut().filter_map(Option::take) {
            forwarder.crash();
            tally.kills += 1;
        }
        if let Some(collector) = self.collector.take() {
            collector.crash();
        }
        self.store.output(&["collect", "--once"]);
        self.receiver.answer(|_| Answer::Accept);
        let mut command =
            self.store.command(&["--color", "never", "forward", "--endpoint", &self.receiver.url(), "--once"]);
        let begun = Instant::now();
        let ended = run(&mut command);
        assert_eq!(ended.status, 0, "after {:?}: {}", begun.elapsed(), ended.stderr);
        let count = |name: &str| -> u64 {
            let note: Option<u64> = redis::cmd("HGET")
                .arg("emp:events:forward:emp-dash0")
                .arg(name)
                .query(&mut self.redis.connection())
                .unwrap();
            note.unwrap_or(0)
        };
        let records = self.receiver.records();
        let arrived: HashSet<String> = records.iter().map(|record| record.uid().to_owned()).collect();
        let (sent, missing, not_events) = (count("sent"), count("missing"), count("not_events"));
        let settled =
            sent + missing + not_events + ["dead", "refused", "skipped", "too_old"].map(count).iter().sum::<u64>();
        assert_eq!(settled, self.redis.added(), "{sent} sent, {missing} missing, {not_events} no events");
        let absent = known.iter().filter(|id| !arrived.contains(*id)).count() as u64;
        assert!(
            absent <= missing + not_events + count("dead"),
            "{absent} have not arrived; {missing} missing, {not_events} no events"
        );
        let pending: redis::streams::StreamPendingReply = self.redis.command("XPENDING emp:events emp-dash0");
        assert_eq!(pending.count(), 0);
        tally.added += self.redis.added();
        tally.sent += sent;
        tally.missing += missing;
        tally.again += (records.len() - arrived.len()) as u64;
    }
}
