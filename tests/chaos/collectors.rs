//! Collectors that are killed, frozen and cut off: what Redis was ever given is stored once, quarantined once, or counted
//! as lost.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::asked;
use crate::producer::Producer;
use crate::proxy::Proxy;
use crate::support::{Daemon, PATIENCE, Persistence, Redis, Store};
use crate::worlds::{Shared, play};

const KILLS_PER_ROUND: usize = 8;
const WORLDS_MAX: usize = 3;

/// Who works on what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crew {
    /// One collector.
    Alone,
    /// Two on one store; one stands by.
    StandBy,
    /// Two on one store, under one name.
    Namesakes,
    /// Two with a store each, in one group.
    Apart,
}

/// What happened, in all.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    kills: usize,
    stops: usize,
    cuts: usize,
    stalls: usize,
    restarts: usize,
    resets: usize,
    added: u64,
    stored: u64,
    quarantined: u64,
    lost: u64,
}

#[test]
fn whatever_happens_every_entry_is_accounted_for() {
    let asked = asked(48);
    println!("collectors: {} kills, seed {}", asked.0, asked.1);
    let tally = play(asked, WORLDS_MAX, |tally: &Tally| tally.kills, play_round);
    println!("collectors: {tally:?}; unaccounted for: 0");
    assert!(tally.stored > 0);
}

fn play_round(random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
    let crew = *[Crew::Alone, Crew::StandBy, Crew::Namesakes, Crew::Apart].choose(random).unwrap();
    let mut round = Round::begin(crew, random);
    round.run(random, shared);
    round.end(shared);
    let mut tally = shared.lock();
    tally.rounds += 1;
    println!("collectors: round {}: {crew:?}; so far {tally:?}", tally.rounds);
}

struct Round {
    redis: Redis,
    proxy: Proxy,
    stores: Vec<Store>,
    /// Each collector's store and name, and the collector while it lives.
    collectors: Vec<(usize, &'static str, Option<Daemon>)>,
    producer: Option<Producer>,
    pause: Duration,
    length: usize,
    known: HashSet<String>,
    /// What was added in lives of the stream that are over.
    added_before: u64,
}

impl Round {
    fn begin(crew: Crew, random: &mut ChaCha8Rng) -> Self {
        let redis = Redis::start_with(Persistence::Full);
        let proxy = Proxy::start(redis.port());
        let (stores, names): (usize, &[(usize, &'static str)]) = match crew {
            Crew::Alone => (1, &[(0, "a")]),
            Crew::StandBy => (1, &[(0, "a"), (0, "b")]),
            Crew::Namesakes => (1, &[(0, "a"), (0, "a")]),
            Crew::Apart => (2, &[(0, "a"), (1, "b")]),
        };
        let stores: Vec<Store> = (0..stores).map(|_| Store::at(proxy.url())).collect();
        let collectors = names.iter().map(|(store, name)| (*store, *name, None)).collect();
        // A group from the first entry on: what is trimmed before a first read counts as lost.
        stores[0].output(&["collect", "--once", "--consumer", "a"]);
        // Short streams lose entries while nobody reads; long ones don't.
        let length = *[500, 2_000, 10_000, 10_000].choose(random).unwrap();
        let pause = Duration::from_millis(random.random_range(2..12));
        let mut round = Self {
            redis,
            proxy,
            stores,
            collectors,
            producer: None,
            pause,
            length,
            known: HashSet::new(),
            added_before: 0,
        };
        round.resume_producer();
        round
    }

    fn run(&mut self, random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
        for _ in 0..KILLS_PER_ROUND {
            self.start_collectors();
            std::thread::sleep(Duration::from_millis(random.random_range(5..350)));
            self.disturb(random, shared);
            let victim = random.random_range(0..self.collectors.len());
            if let Some(collector) = self.collectors[victim].2.take() {
                collector.crash();
                shared.lock().kills += 1;
            }
        }
    }

    fn start_collectors(&mut self) {
        for (store, name, collector) in &mut self.collectors {
            if collector.is_none() {
                *collector = Some(self.stores[*store].collect(&["--consumer", name, "--seal-every", "1s"]));
            }
        }
    }

    /// One more thing that goes wrong, most of the time.
    fn disturb(&mut self, random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
        let a_while = Duration::from_millis(random.random_range(20..400));
        match random.random_range(0..14) {
            0 | 1 => {
                self.proxy.cut();
                shared.lock().cuts += 1;
            }
            2 | 3 => {
                self.proxy.cut_after(random.random_range(1..20_000));
                std::thread::sleep(a_while);
                shared.lock().cuts += 1;
            }
            4 | 5 => {
                self.proxy.stall(true);
                std::thread::sleep(a_while);
                shared.lock().stalls += 1;
            }
            6 => {
                self.proxy.slow_down(Duration::from_millis(20));
                std::thread::sleep(a_while);
                shared.lock().stalls += 1;
            }
            7 | 8 => {
                let living: Vec<&Daemon> = self.collectors.iter().filter_map(|(.., it)| it.as_ref()).collect();
                let frozen = living[random.random_range(0..living.len())];
                frozen.signal("STOP");
                std::thread::sleep(a_while);
                frozen.signal("CONT");
                shared.lock().stops += 1;
            }
            9 => {
                self.redis.stop();
                std::thread::sleep(a_while);
                self.redis.start_again();
                shared.lock().restarts += 1;
            }
            10 => {
                self.reset();
                shared.lock().resets += 1;
            }
            _ => {}
        }
        self.proxy.heal();
    }

    /// Empties Redis once all is read: what was unread would be gone with it, and nobody could
    /// tell how much that was.
    fn reset(&mut self) {
        self.start_collectors();
        self.pause_producer();
        self.wait_until_read();
        self.added_before += self.redis.added();
        self.redis.command::<()>("FLUSHALL");
        self.resume_producer();
    }

    fn wait_until_read(&self) {
        let begun = Instant::now();
        while !self.is_read() {
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until all is read\n{}", self.describe());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_read(&self) -> bool {
        let groups: Vec<HashMap<String, redis::Value>> = self.redis.command("XINFO GROUPS emp:events");
        let stream: HashMap<String, redis::Value> = self.redis.command("XINFO STREAM emp:events");
        groups.first().is_some_and(|group| group["last-delivered-id"] == stream["last-generated-id"])
            && self.redis.pending() == 0
    }

    /// Who holds what, and what each collector said last.
    fn describe(&self) -> String {
        let consumers: redis::Value = self.redis.command("XINFO CONSUMERS emp:events emp-collector");
        let mut text = format!("{consumers:?}\n");
        for (_, name, collector) in &self.collectors {
            let log = collector.as_ref().map(Daemon::log).unwrap_or_default();
            let last: Vec<&str> = log.lines().rev().take(8).collect();
            text.push_str(&format!("{name}:\n{}\n", last.into_iter().rev().collect::<Vec<_>>().join("\n")));
        }
        text
    }

    fn pause_producer(&mut self) {
        self.known.extend(self.producer.take().map(Producer::stop).unwrap_or_default());
    }

    fn resume_producer(&mut self) {
        self.producer = Some(Producer::start(self.redis.url(), self.pause, self.length));
    }

    /// Kills all, drains what is left, and adds up.
    fn end(mut self, shared: &Shared<Tally>) {
        self.pause_producer();
        for (.., collector) in &mut self.collectors {
            if let Some(collector) = collector.take() {
                collector.crash();
                shared.lock().kills += 1;
            }
        }
        // Twice: what the first pass shows to be lost is stored with what another has read.
        for _ in 0..2 {
            for (store, name, _) in &self.collectors {
                self.stores[*store].output(&["collect", "--once", "--consumer", name]);
            }
            self.redis.add(1, 100_000);
        }
        for (store, name, _) in &self.collectors {
            self.stores[*store].output(&["collect", "--once", "--consumer", name]);
        }
        self.check(shared);
    }

    fn check(&self, shared: &Shared<Tally>) {
        let ids = |table: &str| -> Vec<String> {
            let query = format!("select id from {table}");
            let answers = self.stores.iter().map(|store| store.output(&["sql", "--format", "csv", &query]));
            answers.flat_map(|csv| csv.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()).collect()
        };
        let (stored, quarantined) = (ids("events"), ids("quarantine"));
        let held: HashSet<&String> = stored.iter().chain(&quarantined).collect();
        assert_eq!(held.len(), stored.len() + quarantined.len(), "an entry is there twice");
        let lost: u64 = self.stores.iter().map(|store| store.number("select coalesce(sum(lost), 0) from losses")).sum();
        let added = self.added_before + self.redis.added();
        assert_eq!(held.len() as u64 + lost, added, "held and lost, against added");
        let missing = self.known.iter().filter(|id| !held.contains(id)).count() as u64;
        assert!(
            missing <= lost,
            "{missing} entries that Redis had acknowledged are missing, {lost} are counted as lost"
        );
        assert_eq!(self.redis.pending(), 0, "nothing is left pending");
        for store in &self.stores {
            let ended = store.run(&["verify", "--law"]);
            assert_eq!(ended.status, 0, "{}{}", ended.stdout, ended.stderr);
        }
        let mut tally = shared.lock();
        tally.added += added;
        tally.stored += stored.len() as u64;
        tally.quarantined += quarantined.len() as u64;
        tally.lost += lost;
    }
}
