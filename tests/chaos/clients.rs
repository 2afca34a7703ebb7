//! Services that are killed, told to end, and end at once, while Redis comes and goes: each event that one of them has
//! emitted is in the stream, in the spool, or counted as dropped, and none of them is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

use crate::asked;
use crate::proxy::Proxy;
use crate::service::{End, Language, Note, QUEUE_EVENTS, Service};
use crate::support::{Persistence, Redis, Store};
use crate::worlds::{Shared, play};

const STEPS_PER_ROUND: usize = 12;
const WORLDS_MAX: usize = 2;
/// At work at once.
const SERVICES: [Language; 6] =
    [Language::Rust, Language::TypeScript, Language::Rust, Language::TypeScript, Language::Rust, Language::TypeScript];

/// What happened, in all.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    rust: Ends,
    typescript: Ends,
    emitted: u64,
    sent: u64,
    spooled: u64,
    /// Counted by the services themselves as they ended.
    dropped: u64,
    /// Waited in services when they were killed, and are nowhere.
    lost_by_kills: u64,
}

#[derive(Debug, Default)]
struct Ends {
    killed: usize,
    terminated: usize,
    exited: usize,
}

impl Ends {
    fn all(&self) -> usize {
        self.killed + self.terminated + self.exited
    }
}

#[test]
fn however_services_end_each_event_is_sent_spooled_or_counted() {
    let asked = asked(16);
    println!("clients: {} ends, seed {}", asked.0, asked.1);
    let tally = play(asked, WORLDS_MAX, |tally: &Tally| tally.rust.all() + tally.typescript.all(), play_round);
    println!("clients: {tally:?}; unaccounted for: 0");
    assert!(tally.sent > 0 && tally.spooled > 0);
}

fn play_round(random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
    let mut round = Round::begin();
    round.run(random, shared);
    round.end(random, shared);
    let mut tally = shared.lock();
    tally.rounds += 1;
    println!("clients: round {}; so far {tally:?}", tally.rounds);
}

/// How a service ended.
struct Ended {
    name: String,
    language: Language,
    end: End,
    note: Note,
}

struct Round {
    redis: Redis,
    proxy: Proxy,
    folder: TempDir,
    services: Vec<Option<Service>>,
    started: usize,
    ended: Vec<Ended>,
}

impl Round {
    fn begin() -> Self {
        let redis = Redis::start_with(Persistence::Full);
        let proxy = Proxy::start(redis.port());
        let services = SERVICES.map(|_| None).into();
        Self { redis, proxy, folder: tempfile::tempdir().unwrap(), services, started: 0, ended: Vec::new() }
    }

    fn run(&mut self, random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
        for _ in 0..STEPS_PER_ROUND {
            self.start_all();
            self.services.iter().flatten().for_each(Service::is_up);
            std::thread::sleep(Duration::from_millis(random.random_range(0..400)));
            let heal = self.disturb(random);
            for _ in 0..random.random_range(1..=self.services.len()) {
                let victim = random.random_range(0..self.services.len());
                self.end_one(victim, random, shared);
            }
            heal(self);
        }
    }

    fn start_all(&mut self) {
        for (service, language) in self.services.iter_mut().zip(SERVICES) {
            if service.is_none() {
                self.started += 1;
                let name = format!("service-{}", self.started);
                *service = Some(Service::start(language, name, &self.proxy.url(), self.folder.path()));
            }
        }
    }

    /// What Redis does while services end; how it is mended.
    fn disturb(&mut self, random: &mut ChaCha8Rng) -> fn(&mut Self) {
        let a_while = || std::thread::sleep(Duration::from_millis(900));
        match random.random_range(0..8) {
            0 => {
                self.proxy.cut();
                |_| {}
            }
            1 => {
                self.proxy.cut_after(random.random_range(1..2_000));
                |round| round.proxy.heal()
            }
            2 => {
                self.proxy.stall(true);
                a_while();
                |round| round.proxy.heal()
            }
            3 | 4 => {
                self.redis.stop();
                a_while();
                |round| round.redis.start_again()
            }
            5 => {
                self.redis.command::<()>("CONFIG SET maxmemory 1");
                a_while();
                |round| round.redis.command("CONFIG SET maxmemory 0")
            }
            _ => |_| {},
        }
    }

    fn end_one(&mut self, victim: usize, random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
        let Some(service) = self.services[victim].take() else { return };
        let end = *[End::Kill, End::Terminate, End::Exit].choose(random).unwrap();
        let (name, language) = (service.name.clone(), service.language);
        self.ended.push(Ended { name, language, end, note: service.end(end) });
        let mut tally = shared.lock();
        let ends = if language == Language::Rust { &mut tally.rust } else { &mut tally.typescript };
        match end {
            End::Kill => ends.killed += 1,
            End::Terminate => ends.terminated += 1,
            End::Exit => ends.exited += 1,
        }
    }

    /// Ends all, brings everything into a store, and adds up.
    fn end(mut self, random: &mut ChaCha8Rng, shared: &Shared<Tally>) {
        for victim in 0..self.services.len() {
            self.end_one(victim, random, shared);
        }
        let (sent, spooled) = (self.sent(), self.spooled());
        let nothing = Found::default();
        for ended in &self.ended {
            let of = |found: &BTreeMap<String, Found>| found.get(&ended.name).unwrap_or(&nothing).clone();
            ended.check(&of(&sent), &of(&spooled), shared);
        }
        self.check_store(&sent, &spooled);
    }

    /// What stands in the stream, by service.
    fn sent(&self) -> BTreeMap<String, Found> {
        let entries: redis::streams::StreamRangeReply = self.redis.command("XRANGE emp:events - +");
        assert_eq!(entries.ids.len() as u64, self.redis.added(), "nothing was trimmed");
        let mut sent: BTreeMap<String, Found> = BTreeMap::new();
        for entry in entries.ids {
            let data = serde_json::from_str(&entry.get::<String>("data").unwrap()).unwrap();
            sent.entry(entry.get("service").unwrap()).or_default().add(&data);
        }
        sent
    }

    /// What stands in the spool, by service. Nothing but the end of a file may be half a line, and only where its
    /// process was killed.
    fn spooled(&self) -> BTreeMap<String, Found> {
        let mut spooled: BTreeMap<String, Found> = BTreeMap::new();
        let killed: Vec<&str> = self.ended.iter().filter(|it| it.end == End::Kill).map(|it| it.name.as_str()).collect();
        for path in self.spool_files() {
            let text = std::fs::read_to_string(&path).unwrap();
            let (whole, torn) = text.split_at(text.rfind('\n').map_or(0, |end| end + 1));
            let is_killed = killed.iter().any(|name| path.to_string_lossy().contains(&format!("-{name}-")));
            assert!(torn.is_empty() || is_killed, "{} ends with half a line: {torn}", path.display());
            for line in whole.lines() {
                let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                spooled.entry(line["service"].as_str().unwrap().to_owned()).or_default().add(&line["data"]);
            }
        }
        spooled
    }

    fn spool_files(&self) -> Vec<PathBuf> {
        let Ok(files) = std::fs::read_dir(self.folder.path().join("spool")) else { return Vec::new() };
        files.map(|entry| entry.unwrap().path()).collect()
    }

    /// What was spooled is imported beside what was collected: once, however often.
    fn check_store(&self, sent: &BTreeMap<String, Found>, spooled: &BTreeMap<String, Found>) {
        let store = Store::of(&self.redis);
        store.output(&["collect", "--once"]);
        let files: Vec<String> = self.spool_files().iter().map(|path| path.to_str().unwrap().to_owned()).collect();
        if !files.is_empty() {
            for _ in 0..2 {
                store.output(&["import"].into_iter().chain(files.iter().map(String::as_str)).collect::<Vec<_>>());
            }
        }
        let all = |found: &BTreeMap<String, Found>| found.values().map(Found::count).sum::<u64>();
        assert_eq!(store.events(), all(sent) + all(spooled));
        let numbered = "from events where data->>'number' is not null";
        let twice = format!("select count(*) - count(distinct concat(service, ' ', data->>'number')) {numbered}");
        assert_eq!(store.number(&twice), 0, "no event is there twice");
    }
}

/// The events of one service that were found in one place.
#[derive(Debug, Default, Clone)]
struct Found {
    numbers: BTreeSet<u64>,
    /// The client's own: what it tells of its losses.
    reports: u64,
}

impl Found {
    fn add(&mut self, data: &Value) {
        match data["number"].as_u64() {
            Some(number) => assert!(self.numbers.insert(number), "number {number} is there twice"),
            None => self.reports += 1,
        }
    }

    fn count(&self) -> u64 {
        self.numbers.len() as u64 + self.reports
    }
}

impl Ended {
    fn check(&self, sent: &Found, spooled: &Found, shared: &Shared<Tally>) {
        let Self { name, language, end, note } = self;
        let context =
            format!("{name}, {language:?}, {end:?}: {note:?}; {} sent, {} spooled", sent.count(), spooled.count());
        assert!(sent.numbers.is_disjoint(&spooled.numbers), "both sent and spooled: {context}");
        // Whatever it did afterwards: what it has counted is there.
        assert!(note.sent <= sent.count() && note.spooled <= spooled.count(), "{context}");
        let is_there = |number: &u64| sent.numbers.contains(number) || spooled.numbers.contains(number);
        let absent = (0..note.calls).filter(|number| !is_there(number)).count() as u64;
        match (note.is_last, end) {
            // What was sent and not answered may be there all the same.
            (true, _) => {
                assert_eq!((note.sent + note.spooled + note.dropped, note.queued), (note.emitted, 0), "{context}");
                assert_eq!(note.spooled, spooled.count(), "{context}");
                assert!(
                    sent.count() <= note.sent + note.unanswered && absent <= note.dropped,
                    "{context}, {absent} absent"
                );
            }
            (false, End::Kill) => assert!(absent <= note.dropped + note.queued, "{context}, {absent} absent"),
            // It could not count its end: what was under way to a Redis that went away is unanswered.
            (false, End::Terminate) if *language == Language::TypeScript => {
                assert!(absent <= note.dropped + QUEUE_EVENTS as u64, "{context}, {absent} absent");
            }
            (false, _) => panic!("it has not counted its end: {context}"),
        }
        let mut tally = shared.lock();
        tally.emitted += note.emitted;
        tally.sent += sent.count();
        tally.spooled += spooled.count();
        tally.dropped += note.dropped;
        tally.lost_by_kills += if note.is_last { 0 } else { absent.saturating_sub(note.dropped) };
    }
}
