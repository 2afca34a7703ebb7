//! What the stream trimmed before it was read is counted exactly.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use emp_collect::{MemoryLimits, Settings, check_law, collect, collector_of};
use emp_event::EntryId;
use emp_store::{EventRange, Layout, Retention, Snapshot, StoreWriter, Tally};
use emp_stream::RedisAddress;
use proptest::prelude::*;

use crate::support::{REDIS_SERVER, Redis, Store};

#[test]
fn what_was_trimmed_unread_is_counted_and_placed() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(10, 100);
    store.output(&["collect", "--once"]);
    redis.add(300, 100);
    let ended = store.run(&["collect", "--once"]);
    assert!(ended.stderr.contains("stored 100 events, quarantined 0 entries, lost 200"), "{}", ended.stderr);
    store.assert_accounts_for(310);
    let neighbours = store.number(
        "select count(*) from losses where lost = 200 and from_id in (select id from events) and to_id in (select id from events)",
    );
    assert_eq!(neighbours, 1);
}

#[test]
fn what_was_trimmed_while_it_was_pending_is_counted() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(10, 100);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    redis.add(60, 100);
    // As after a crash between read and commit; then the stream moves on.
    let consumer = store.consumer("c1");
    redis.command::<redis::Value>(&format!("XREADGROUP GROUP emp-collector {consumer} COUNT 50 STREAMS emp:events >"));
    redis.add(80, 100);
    store.output(&["collect", "--once", "--consumer", "c1"]);
    store.assert_accounts_for(150);
    assert_eq!(redis.pending(), 0, "entries that are gone are acknowledged, too");
}

#[test]
fn what_a_new_stream_trimmed_before_its_first_read_is_counted() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(50, 100);
    store.output(&["collect", "--once"]);
    redis.command::<()>("FLUSHALL");
    redis.add(300, 100);
    store.output(&["collect", "--once"]);
    store.assert_accounts_for(50 + 300);
}

#[test]
fn what_was_trimmed_before_the_collectors_first_start_is_not_its_loss() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    redis.add(300, 100);
    // A first start that read nothing leaves the count to the next one.
    let mut elsewhere = store.command(&["collect", "--once"]);
    elsewhere.args(["--redis", "redis://127.0.0.1:1"]);
    assert_eq!(crate::support::run(&mut elsewhere).status, 1);
    store.output(&["collect", "--once"]);
    store.assert_accounts_for(100);
}

/// Something that happens to a stream, or to one of the stores that read it.
#[derive(Debug, Clone)]
enum Step {
    Add {
        events: usize,
        length: usize,
        exactly: bool,
    },
    /// Entries are read, and the process dies before it has stored them. One that finds no group looks at the new
    /// stream before it reads.
    ReadAndDie {
        store: usize,
        entries: usize,
    },
    Collect {
        store: usize,
    },
    /// A replica learns what there is.
    Replicate,
    /// That replica becomes the master: all that came after is forgotten.
    FailOver,
    /// Somebody deletes the stream, and so its groups, and the accounts or not.
    DeleteStream {
        accounts: bool,
    },
    /// Somebody deletes the accounts.
    DeleteAccounts,
    /// Somebody destroys the group.
    DestroyGroup,
    /// A store's folder is carried elsewhere, so that its consumer has another name from then on.
    Move {
        store: usize,
    },
    /// A store's collector is given another name, or again the one that it had before.
    Rename {
        store: usize,
    },
    /// What a store has sealed leaves its journal, as it does after a while.
    Age {
        store: usize,
    },
}

fn step(stores: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..900, 1_usize..300, any::<bool>())
            .prop_map(|(events, length, exactly)| Step::Add { events, length, exactly }),
        1 => (0..stores, 1_usize..200).prop_map(|(store, entries)| Step::ReadAndDie { store, entries }),
        2 => (0..stores).prop_map(|store| Step::Collect { store }),
    ]
}

/// The same with fail-overs.
fn step_of_replicas(stores: usize) -> impl Strategy<Value = Step> {
    prop_oneof![8 => step(stores), 1 => Just(Step::Replicate), 1 => Just(Step::FailOver)]
}

/// The same with hands that delete what they should not. A group that several stores share is left alone: its
/// pending entries may come to another store than before, which takes those below its last one for stored.
fn step_of_hands(stores: usize) -> impl Strategy<Value = Step> {
    let delete = prop_oneof![
        any::<bool>().prop_map(|accounts| Step::DeleteStream { accounts }),
        Just(Step::DeleteAccounts),
        Just(if stores == 1 { Step::DestroyGroup } else { Step::DeleteAccounts }),
    ];
    prop_oneof![6 => step(stores), 1 => delete]
}

/// A store is carried elsewhere, its collector is renamed, or time goes by.
fn step_of_a_store(stores: usize) -> impl Strategy<Value = Step> {
    (0..stores).prop_flat_map(|store| {
        prop_oneof![Just(Step::Move { store }), Just(Step::Rename { store }), Just(Step::Age { store }),]
    })
}

/// That, and hands.
fn step_of_moves(stores: usize) -> impl Strategy<Value = Step> {
    prop_oneof![6 => step_of_hands(stores), 3 => step_of_a_store(stores)]
}

/// That, and fail-overs.
fn step_of_moves_and_replicas(stores: usize) -> impl Strategy<Value = Step> {
    prop_oneof![6 => step_of_replicas(stores), 3 => step_of_a_store(stores)]
}

/// A stream of its own in a Redis that all runs share, and the stores that read it as one group.
struct Run {
    redis: redis::Connection,
    stream: String,
    stores: Vec<(tempfile::TempDir, Settings)>,
    /// The stream with its groups and the accounts, as the replica has them.
    replica: Option<[Vec<u8>; 2]>,
    /// Which of the stores have looked at the stream since it went back.
    has_looked: Vec<bool>,
    /// Which of them have looked at it since it was deleted.
    has_met: Vec<bool>,
}

impl Run {
    fn new(redis: &Redis, stores: usize) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let stream = format!("run-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let store = |number: usize| {
            let folder = tempfile::tempdir().unwrap();
            let settings = Settings {
                address: RedisAddress::parse(&redis.url()).unwrap(),
                stream: stream.clone(),
                consumer: format!("c{number}"),
                layout: Layout::new(folder.path().join("store")),
                adopt: None,
                once: true,
                event_log: None,
                seal_every: None,
                retention: Retention::default(),
                archive: None,
                memory: MemoryLimits::default(),
                meter: std::sync::Arc::default(),
            };
            (folder, settings)
        };
        let (looked, stores) = (vec![true; stores], (0..stores).map(store).collect());
        Self { redis: redis.connection(), stream, stores, replica: None, has_looked: looked.clone(), has_met: looked }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Add { events, length, exactly } => {
                let mut pipeline = redis::pipe();
                for _ in 0..*events {
                    let about = if *exactly { "=" } else { "~" };
                    pipeline.cmd("XADD").arg(&self.stream).arg("MAXLEN").arg(about).arg(*length).arg("*");
                    pipeline.arg("service").arg("s").arg("eventType").arg("e").ignore();
                }
                pipeline.query::<()>(&mut self.redis).unwrap();
            }
            Step::ReadAndDie { store, .. } if !self.has_met[*store] => {}
            Step::ReadAndDie { store, entries } => {
                let mut read = redis::cmd("XREADGROUP");
                let consumer = collector_of(&self.stores[*store].1.layout);
                read.arg("GROUP").arg("emp-collector").arg(consumer).arg("COUNT").arg(*entries);
                // Without a group there is nothing to read.
                let _ = read.arg("STREAMS").arg(&self.stream).arg(">").query::<redis::Value>(&mut self.redis);
            }
            Step::Collect { store } => {
                let (_sender, shutdown) = tokio::sync::watch::channel(false);
                block_on(collect(&self.stores[*store].1, shutdown)).unwrap();
                self.has_looked[*store] = true;
                self.has_met[*store] = true;
            }
            Step::Replicate => {
                let keys = self.keys();
                self.replica = Some(keys.map(|key| redis::cmd("DUMP").arg(key).query(&mut self.redis).unwrap()));
            }
            Step::FailOver => {
                let Some(replica) = &self.replica else { return };
                for (key, dump) in self.keys().iter().zip(replica) {
                    let mut restore = redis::cmd("RESTORE");
                    restore.arg(key).arg(0).arg(dump).arg("REPLACE").query::<()>(&mut self.redis).unwrap();
                }
                self.has_looked.fill(false);
            }
            Step::DeleteStream { accounts } => {
                let keys = self.keys();
                let gone = if *accounts { &keys[..] } else { &keys[..1] };
                redis::cmd("DEL").arg(gone).query::<()>(&mut self.redis).unwrap();
                self.has_looked.fill(false);
                self.has_met.fill(false);
            }
            Step::DeleteAccounts => {
                redis::cmd("DEL").arg(&self.keys()[1]).query::<()>(&mut self.redis).unwrap();
                self.has_looked.fill(false);
            }
            Step::DestroyGroup => {
                let mut destroy = redis::cmd("XGROUP");
                // There may be no stream.
                let _ = destroy.arg("DESTROY").arg(&self.stream).arg("emp-collector").query::<()>(&mut self.redis);
                self.has_looked.fill(false);
            }
            Step::Move { store } => self.carry(*store),
            Step::Rename { store } => {
                let consumer = &mut self.stores[*store].1.consumer;
                *consumer = consumer.strip_suffix('b').map_or_else(|| format!("{consumer}b"), str::to_owned);
                self.has_looked[*store] = false;
            }
            Step::Age { store } => self.age(*store),
        }
    }

    /// Carries a store's folder elsewhere.
    fn carry(&mut self, store: usize) {
        let (folder, settings) = &mut self.stores[store];
        let after = tempfile::tempdir().unwrap();
        let (from, to) = (settings.layout.root().to_owned(), after.path().join("store"));
        assert!(Command::new("cp").arg("-r").arg(from).arg(&to).status().unwrap().success());
        (*folder, settings.layout) = (after, Layout::new(to));
        self.has_looked[store] = false;
    }

    /// Seals what a store's journal has, and takes it out.
    fn age(&self, store: usize) {
        let Settings { layout, consumer, .. } = &self.stores[store].1;
        let mut writer = StoreWriter::open_for_collector(layout, consumer).unwrap();
        writer.close_segment().unwrap();
        while let Some(task) = writer.next_to_seal() {
            writer.sealed(&task.run().unwrap());
        }
        writer.remove_superseded(Duration::ZERO).unwrap();
    }

    fn keys(&self) -> [String; 2] {
        [self.stream.clone(), format!("{}:accounts:emp-collector", self.stream)]
    }

    /// All that was ever added, by Redis' own count.
    fn added(&mut self) -> u64 {
        let mut info = redis::cmd("XINFO");
        let fields: std::collections::HashMap<String, redis::Value> =
            info.arg("STREAM").arg(&self.stream).query(&mut self.redis).unwrap();
        redis::from_redis_value(fields["entries-added"].clone()).unwrap()
    }

    /// No store has an entry twice, of whichever life of the stream.
    fn assert_each_once(&self, store: usize) {
        let layout = &self.stores[store].1.layout;
        let mut stored = EventRange::open(layout, EntryId::ZERO, EntryId::new(u64::MAX, u64::MAX)).unwrap();
        let ids: Vec<EntryId> = std::iter::from_fn(|| stored.next_entry().unwrap().map(|entry| entry.id())).collect();
        let twice = ids.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "stored twice");
    }

    /// What a store holds: stored, quarantined or lost.
    fn held(&self, store: usize) -> u64 {
        let tally = Tally::of(&Snapshot::read(&self.stores[store].1.layout).unwrap()).unwrap().sum();
        tally.stored + tally.quarantined + tally.lost
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Whatever is under way, each entry is somewhere, for every store that has looked.
fn check_law_of_all(run: &Run, step: &Step) {
    for (_, settings) in run.stores.iter().zip(&run.has_looked).filter(|(_, has)| **has).map(|(store, _)| store) {
        let law = block_on(check_law(settings)).unwrap();
        assert_eq!((law.unaccounted(), law.moved), (0, 0), "{law:?} after {step:?}");
    }
}

/// Runs the steps, with the law after each, and drains what is left.
fn run_to_the_end(redis: &Redis, stores: usize, steps: &[Step]) -> Run {
    let mut run = Run::new(redis, stores);
    let all = |run: &mut Run| (0..stores).for_each(|store| run.take(&Step::Collect { store }));
    all(&mut run);
    for step in steps {
        run.take(step);
        check_law_of_all(&run, step);
    }
    // What a dead reader left pending is its own to take; what that shows to be lost, the next
    // entry's reader records.
    all(&mut run);
    run.take(&Step::Add { events: 1, length: 10_000, exactly: true });
    all(&mut run);
    let pending: redis::streams::StreamPendingReply =
        redis::cmd("XPENDING").arg(&run.stream).arg("emp-collector").query(&mut run.redis).unwrap();
    assert_eq!(pending.count(), 0);
    (0..stores).for_each(|store| run.assert_each_once(store));
    run
}

/// Adds up what all stores hold.
fn check_sum(redis: &Redis, stores: usize, steps: &[Step]) {
    let mut run = run_to_the_end(redis, stores, steps);
    let held: u64 = (0..stores).map(|store| run.held(store)).sum();
    assert_eq!(held, run.added(), "stored, quarantined and lost, in all stores");
}

/// 200 random runs: added = stored + quarantined + lost, once all is read, and the law that
/// `verify --law` checks, at every step.
#[test]
fn whatever_is_trimmed_when_the_sum_is_exact() {
    let redis = Redis::start();
    proptest!(config(200), |(steps in prop::collection::vec(step(1), 1..12))| check_sum(&redis, 1, &steps));
}

/// What a dead reader had been given last, and what it had been given first and was trimmed since, are settled together:
/// the accounts know the higher one of them as stored, and so take the stream for what it was.
#[test]
fn an_older_entry_that_is_settled_with_a_newer_one_is_no_sign_of_a_fail_over() {
    let redis = Redis::start();
    let add = |events, exactly| Step::Add { events, length: 1, exactly };
    let read = || Step::ReadAndDie { store: 0, entries: 1 };
    check_sum(&redis, 1, &[add(49, false), read(), add(1, true), read()]);
}

/// A store that has found losses and stored nothing notices that a fail-over has forgotten its claims.
#[test]
fn claims_of_losses_that_a_fail_over_forgot_are_noticed() {
    let redis = Redis::start();
    let add = |events| Step::Add { events, length: 1, exactly: false };
    let read = |store, entries| Step::ReadAndDie { store, entries };
    let steps =
        [add(1), read(2, 1), add(261), read(0, 62), Step::Replicate, Step::Collect { store: 1 }, Step::FailOver];
    let run = run_to_the_end(&redis, 3, &steps);
    check_law_of_all(&run, &Step::FailOver);
}

/// A store that has found losses and stored nothing belongs to the stream's earlier life, too, once another store has
/// begun the accounts anew.
#[test]
fn losses_of_the_life_before_a_fail_over_are_of_that_life() {
    let redis = Redis::start();
    let add = |events, exactly| Step::Add { events, length: 1, exactly };
    let read = |store| Step::ReadAndDie { store, entries: 1 };
    let steps =
        [add(55, true), read(2), read(0), Step::Replicate, add(1, false), Step::Collect { store: 1 }, Step::FailOver];
    let run = run_to_the_end(&redis, 3, &steps);
    check_law_of_all(&run, &Step::FailOver);
}

/// A store that has not looked since its stream was deleted does not take the new one, which another store has met and
/// whose accounts were deleted as well, for its own.
#[test]
fn a_stream_whose_accounts_are_gone_is_told_from_the_one_before() {
    let redis = Redis::start();
    let add = || Step::Add { events: 1, length: 1, exactly: false };
    let (delete, collect) = (Step::DeleteStream { accounts: false }, |store| Step::Collect { store });
    let steps = [add(), collect(0), delete, add(), collect(1), Step::DeleteAccounts];
    let run = run_to_the_end(&redis, 3, &steps);
    check_law_of_all(&run, &Step::DeleteAccounts);
}

/// The same with three stores that share one group.
#[test]
fn whoever_reads_and_whatever_is_trimmed_the_sum_is_exact() {
    let redis = Redis::start();
    proptest!(config(100), |(steps in prop::collection::vec(step(3), 1..16))| check_sum(&redis, 3, &steps));
}

/// The same steps, with replicas that are not so far behind that they have not met a consumer which reads by now: they
/// pass for streams that begin anew.
fn where_replicas_follow(steps: Vec<Step>) -> Vec<Step> {
    let mut unmet = BTreeSet::new();
    let mut following = Vec::new();
    for step in steps {
        if let Step::Move { store } | Step::Rename { store } = step {
            unmet.insert(store);
        }
        let is_met = matches!(step, Step::Collect { store } if unmet.remove(&store));
        following.push(step);
        following.extend(is_met.then_some(Step::Replicate));
    }
    following
}

/// Random steps of one store, and of three that share a group: whatever is under way at the end is drained, and each
/// store that has looked keeps the law.
fn check_law_of_random_runs<S: Strategy<Value = Step>>(step_of: fn(usize) -> S, last: &Step) {
    let redis = Redis::start();
    for (stores, runs) in [(1, 100), (3, 50)] {
        let steps = prop::collection::vec(step_of(stores), 4..20);
        proptest!(config(runs), |(steps in steps)| {
            let run = run_to_the_end(&redis, stores, &where_replicas_follow(steps));
            check_law_of_all(&run, last);
        });
    }
}

/// Fail-overs to a replica that is behind, by any number of steps: what the stream has forgotten is in no sum, and
/// no event is stored twice.
#[test]
fn whichever_replica_goes_on_the_law_holds() {
    check_law_of_random_runs(step_of_replicas, &Step::FailOver);
}

/// Whatever somebody deletes by hand, each store that has looked since keeps the law.
#[test]
fn whatever_is_deleted_by_hand_the_law_holds() {
    check_law_of_random_runs(step_of_hands, &Step::DeleteAccounts);
}

/// What a former consumer of the store has stored is known from its sealed files, too, once its journal is gone.
#[test]
fn what_a_store_had_before_it_was_carried_is_not_stored_again() {
    let redis = Redis::start();
    let (collect, store) = (|| Step::Collect { store: 0 }, 0);
    let add = || Step::Add { events: 5, length: 100, exactly: true };
    for change in [Step::Move { store }, Step::Rename { store }] {
        let steps = [add(), collect(), change, collect(), Step::Age { store }, Step::DestroyGroup, add(), collect()];
        let run = run_to_the_end(&redis, 1, &steps);
        check_law_of_all(&run, &Step::DestroyGroup);
    }
    // Whoever was given it once more has stored nothing itself, and is a former consumer, too, by then.
    for change in [|| Step::Move { store: 0 }, || Step::Rename { store: 0 }] {
        let run = run_to_the_end(&redis, 1, &[add(), collect(), Step::DestroyGroup, change(), collect(), change()]);
        check_law_of_all(&run, &Step::DestroyGroup);
    }
}

/// What a fail-over gives back to a former consumer of the store was stored under its name before.
#[test]
fn what_a_fail_over_gives_back_to_a_former_consumer_is_not_stored_again() {
    let redis = Redis::start();
    let (collect, store) = (|| Step::Collect { store: 0 }, 0);
    let read = || Step::ReadAndDie { store, entries: 3 };
    let add = || Step::Add { events: 5, length: 100, exactly: true };
    for change in [Step::Move { store }, Step::Rename { store }] {
        let steps = [add(), collect(), add(), read(), Step::Replicate, collect(), change, Step::FailOver];
        run_to_the_end(&redis, 1, &steps);
    }
    // Nor is it left to it where the journal has nothing of it any more.
    let (rename, age) = (Step::Rename { store }, Step::Age { store });
    let steps = [add(), collect(), add(), read(), Step::Replicate, collect(), rename, collect(), age, Step::FailOver];
    run_to_the_end(&redis, 1, &steps);
}

/// A store that was moved has nothing of its own by which it would notice a fail-over: what its former consumer had been
/// given tells.
#[test]
fn a_store_that_was_carried_before_a_fail_over_notices_it() {
    let redis = Redis::start();
    let add = Step::Add { events: 1, length: 1, exactly: false };
    for change in [Step::Move { store: 1 }, Step::Rename { store: 1 }] {
        let steps = [add.clone(), Step::Replicate, Step::Collect { store: 1 }, change, Step::FailOver];
        let run = run_to_the_end(&redis, 3, &steps);
        check_law_of_all(&run, &Step::FailOver);
    }
}

/// Wherever a store is carried and whatever its collector is called, what hands delete is made good in the same way.
#[test]
fn wherever_a_store_is_carried_the_law_holds() {
    check_law_of_random_runs(step_of_moves, &Step::DeleteAccounts);
}

/// The same where replicas take over.
#[test]
fn wherever_a_store_is_carried_the_law_holds_after_fail_overs() {
    check_law_of_random_runs(step_of_moves_and_replicas, &Step::FailOver);
}

/// How many times as many random runs there are to be: `make chaos` sets it.
const TIMES: &str = "EMP_EVENTS_RANDOM_RUNS_TIMES";

/// So many runs, and fewer on each of the other servers: it is the same code of ours.
fn config(cases: u32) -> ProptestConfig {
    let times = std::env::var(TIMES).map_or(1, |times| times.parse().expect("a number of times"));
    let cases = if std::env::var_os(REDIS_SERVER).is_some() { cases / 10 } else { cases * times };
    ProptestConfig { cases, max_shrink_iters: 100, failure_persistence: None, ..Default::default() }
}
