//! A stream, a store and a receiver that are simulated: with a producer and a collector at work on them, and
//! something that goes wrong at a chosen step of the forwarder.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::sync::{Notify, watch};

use crate::answer::Reply;
use crate::otlp::OwnedEvent;
use crate::post::Signal;
use crate::progress::{Place, Progress};
use crate::seams::Standing;
use crate::status::Counts;
use crate::tests::bare_event;
use crate::work::Seen;
use crate::{ForwardError, GROUP};
use emp_event::EntryId;
use emp_stream::{Start, StreamError};

/// Of a forwarder that has settled nothing.
const NOTHING: Progress = Progress { through: EntryId::ZERO, life: 0, lost_settled: 0, counts: Counts::NONE };

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies: the step is not done any more, or has just been done.
    Crash,
    /// The connection breaks: the answer is an error, whether the step was done or not.
    Break,
    /// We are told to stop.
    Stop,
    /// The process stands still until another forwarder has done all there was to do.
    Suspend,
    /// Redis is emptied.
    Forget,
}

/// Where in a step that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// What an entry of the stream is to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Event,
    /// An event that no collector got to see.
    Unseen,
    NotAnEvent,
}

pub struct World {
    state: Mutex<State>,
    pub stop: watch::Sender<bool>,
    /// Tells the driver that the fault has happened.
    pub has_happened: Notify,
    resumed: Notify,
}

pub struct State {
    random: ChaCha8Rng,
    next: u64,
    begin_ms: u64,
    /// What the producer still adds, in all.
    pub to_add: u64,
    length: usize,
    pub kinds: BTreeMap<EntryId, Kind>,
    /// How many of them were added before Redis forgot all.
    forgotten: usize,
    pub entries: VecDeque<EntryId>,
    /// What is in the store.
    pub stored: BTreeSet<EntryId>,
    pub group: Group,
    pub notes: Progress,
    /// The place that the store has.
    pub place: Option<Place>,
    pub lease: Option<String>,
    pub holder: Option<String>,
    /// What the receiver has taken, and what was kept as refused.
    pub delivered: BTreeSet<EntryId>,
    pub dead: BTreeSet<EntryId>,
    steps: u64,
    pub fault: Option<(u64, When, Fault)>,
    pub is_dead: bool,
    /// From this step on we are told to stop.
    stop_at: u64,
}

/// The group and its accounts, as Redis and its hash have them.
#[derive(Debug, Default)]
pub struct Group {
    pub exists: bool,
    delivered_up_to: EntryId,
    pub pending: BTreeSet<EntryId>,
    base: i64,
    acknowledged: u64,
    pub lost: u64,
}

impl Group {
    /// As Redis refuses to read where there is none.
    pub fn is_there(&self) -> Result<(), ForwardError> {
        let missing = || StreamError::NoGroup { stream: "emp:events".to_owned(), group: GROUP.to_owned() }.into();
        if self.exists { Ok(()) } else { Err(missing()) }
    }
}

impl World {
    pub fn new(seed: u64) -> Arc<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let begin_ms = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap() - 1_000;
        let seen = Seen { added: 0, lost: 0, position: None, taken: EntryId::ZERO };
        let state = State {
            next: 0,
            begin_ms,
            to_add: random.random_range(20..200),
            length: random.random_range(4..60),
            random,
            kinds: BTreeMap::new(),
            forgotten: 0,
            entries: VecDeque::new(),
            stored: BTreeSet::new(),
            group: Group { exists: true, ..Group::default() },
            notes: NOTHING,
            place: Some(Place { through: EntryId::ZERO, life: 0, highest: EntryId::ZERO, counts: Counts::NONE, seen }),
            lease: None,
            holder: None,
            delivered: BTreeSet::new(),
            dead: BTreeSet::new(),
            steps: 0,
            fault: None,
            is_dead: false,
            stop_at: u64::MAX,
        };
        let (stop, _) = watch::channel(false);
        Arc::new(Self { state: Mutex::new(state), stop, has_happened: Notify::new(), resumed: Notify::new() })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// One step of the forwarder: the world goes on meanwhile, and what is to go wrong does.
    pub async fn step<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, ForwardError> {
        tokio::task::yield_now().await;
        let fault = {
            let mut state = self.state();
            state.steps += 1;
            state.go_on();
            let now = state.steps;
            if now == state.stop_at {
                self.stop.send_replace(true);
            }
            state.fault.take_if(|(step, ..)| *step <= now)
        };
        if let Some((_, When::Before, fault)) = fault {
            self.happen(fault).await?;
        }
        let done = work(&mut self.state());
        if let Some((_, When::After, fault)) = fault {
            self.happen(fault).await?;
        }
        Ok(done)
    }

    async fn happen(&self, fault: Fault) -> Result<(), ForwardError> {
        match fault {
            Fault::Stop => self.stop.send_replace(true),
            Fault::Forget => {
                self.state().forget();
                false
            }
            Fault::Break => return Err(broken()),
            Fault::Crash => {
                self.state().is_dead = true;
                self.has_happened.notify_one();
                return std::future::pending().await;
            }
            Fault::Suspend => {
                self.has_happened.notify_one();
                self.resumed.notified().await;
                false
            }
        };
        Ok(())
    }

    /// Lets what stood still go on.
    pub fn resume(&self) {
        self.resumed.notify_one();
    }

    /// From now on, so many steps later, that goes wrong.
    pub fn arm(&self, steps: u64, when: When, fault: Fault) {
        let mut state = self.state();
        state.is_dead = false;
        state.fault = Some((state.steps + steps, when, fault));
        state.stop_at = state.steps + steps + 80;
    }

    /// The producer adds what it has left, and from now on nothing goes wrong.
    pub fn add_the_rest(&self) {
        let mut state = self.state();
        (state.is_dead, state.fault, state.stop_at) = (false, None, u64::MAX);
        while state.to_add > 0 {
            state.add();
        }
        state.collect();
    }

    /// What the receiver makes of a request.
    pub async fn receive(&self, signal: Signal, body: &[u8]) -> Reply {
        assert_eq!(signal, Signal::Logs);
        let ids = ids_of(body);
        let answer = |state: &mut State| state.receive(&ids);
        let later = |_| Reply::Later { after: None, why: "the connection broke".to_owned() };
        self.step(answer).await.unwrap_or_else(later)
    }
}

fn broken() -> ForwardError {
    StreamError::Unreachable { address: "nowhere".to_owned(), detail: "it broke".to_owned() }.into()
}

impl State {
    /// What the others do meanwhile.
    fn go_on(&mut self) {
        if self.random.random_bool(0.4) {
            let more = self.random.random_range(0..12).min(self.to_add);
            (0..more).for_each(|_| self.add());
        }
        if self.random.random_bool(0.5) {
            self.collect();
        }
    }

    /// Adds one entry, and trims.
    fn add(&mut self) {
        self.to_add -= 1;
        self.next += 1;
        let id = EntryId::new(self.begin_ms + self.next / 3, self.next % 3);
        let kind = match self.random.random_range(0..20) {
            0 => Kind::Unseen,
            1 => Kind::NotAnEvent,
            _ => Kind::Event,
        };
        self.kinds.insert(id, kind);
        self.entries.push_back(id);
        while self.entries.len() > self.length {
            self.entries.pop_front();
        }
    }

    /// The collector stores what there is, and an import adds something of its own.
    pub fn collect(&mut self) {
        for (id, kind) in &self.kinds {
            if *kind != Kind::Unseen {
                self.stored.insert(*id);
            }
        }
    }

    pub fn standing(&self) -> Standing {
        let added = self.kinds.len() - self.forgotten;
        let last = self.kinds.keys().next_back().filter(|_| added > 0).copied().unwrap_or(EntryId::ZERO);
        let removed = added - self.entries.len();
        Standing { first: self.entries.front().copied(), last, added: added as u64, removed: removed as u64 }
    }

    /// All that Redis has is gone; the store has what the collector got to see.
    fn forget(&mut self) {
        self.collect();
        self.forgotten = self.kinds.len();
        self.entries.clear();
        self.group = Group::default();
        self.notes = NOTHING;
        (self.lease, self.holder) = (None, None);
    }

    /// As Redis makes the group of an existing stream, or of none.
    pub fn create_group(&mut self, start: Start) {
        let removed = self.standing().removed as i64;
        let base = match start {
            Start::Now => removed,
            Start::At(position) => position as i64,
            Start::NewStream => 0,
        };
        self.group = Group { exists: true, base, ..Group::default() };
    }

    /// Entries that nobody was given, as XREADGROUP gives them.
    pub fn read_new(&mut self, count: usize) -> Vec<EntryId> {
        let above = self.entries.iter().copied().filter(|id| *id > self.group.delivered_up_to);
        let read: Vec<EntryId> = above.take(count).collect();
        self.group.pending.extend(&read);
        self.group.delivered_up_to = read.last().copied().unwrap_or(self.group.delivered_up_to);
        read
    }

    /// Which number the last of these has, where the read tells that.
    pub fn position(&self, read: &[EntryId]) -> Option<i64> {
        let Standing { first, last, added, .. } = self.standing();
        let added = added as i64;
        match (read.first(), read.last()) {
            (_, None) => Some(added),
            (_, Some(id)) if *id == last => Some(added),
            (id, _) if id == first.as_ref() => Some(added - self.entries.len() as i64 + read.len() as i64),
            _ => None,
        }
    }

    /// What a read up to that number shows to be lost, by the accounts of the same moment.
    pub fn lost_up_to(&self, position: i64) -> u64 {
        let group = &self.group;
        let delivered = group.acknowledged as i64 + group.pending.len() as i64;
        // Less than nothing where Redis forgot all once more while the group was made.
        let lost = position - group.base - delivered;
        assert!(lost >= 0 || self.forgotten > 0, "{position} {group:?}");
        u64::try_from(lost).unwrap_or(0)
    }

    pub fn event(&self, id: EntryId) -> Option<OwnedEvent> {
        (self.kinds.get(&id) != Some(&Kind::NotAnEvent)).then(|| bare_event(id))
    }

    pub fn settle(&mut self, holder: &str, settled: &[EntryId], progress: &Progress) -> bool {
        if self.holder.as_deref().is_some_and(|other| other != holder) {
            return false;
        }
        for id in settled {
            if self.group.pending.remove(id) {
                self.group.acknowledged += 1;
            }
            let may_be_settled =
                self.is_out_of_our_hands(*id) || !self.entries.contains(id) && !self.stored.contains(id);
            assert!(may_be_settled, "{id} is acknowledged, and was not delivered");
        }
        // But where a stream began anew, whose clock may be behind.
        let may_go_back = self.standing().added == 0 || self.forgotten > 0;
        assert!(may_go_back || progress.through >= self.notes.through, "the place we have got to goes back");
        self.notes = progress.clone();
        true
    }

    /// Has this entry its final answer, or needs none?
    pub fn is_out_of_our_hands(&self, id: EntryId) -> bool {
        self.delivered.contains(&id) || self.dead.contains(&id) || self.kinds.get(&id) == Some(&Kind::NotAnEvent)
    }

    fn receive(&mut self, ids: &[EntryId]) -> Reply {
        let later = || Reply::Later { after: None, why: "503".to_owned() };
        match self.random.random_range(0..12) {
            0 => later(),
            1 => {
                // It took them, and its answer got lost.
                if !ids.iter().any(is_bad) {
                    self.delivered.extend(ids);
                }
                later()
            }
            _ if ids.iter().any(is_bad) => Reply::Rejected { why: "400".to_owned() },
            2 if ids.len() > 1 => Reply::TooLarge,
            _ => {
                assert!(ids.iter().all(|id| self.kinds.contains_key(id)), "what was never in the stream is sent");
                self.delivered.extend(ids);
                Reply::Accepted { refused: 0, message: String::new() }
            }
        }
    }

    /// Everything that was ever added is delivered or counted, and of what is counted as missing nobody has it.
    pub fn assert_accounted_for(&self) {
        let counts = self.notes.counts;
        let settled = counts.sent + counts.dead + counts.missing + counts.not_events;
        // What Redis forgot together with our place of the last second is sent and counted once more.
        let is_exact = self.forgotten == 0;
        assert!(!is_exact || settled == self.kinds.len() as u64, "{counts:?}, {:?}", self.group);
        assert_eq!(self.group.pending.len(), 0, "nothing is left");
        let not_events = self.kinds.values().filter(|kind| **kind == Kind::NotAnEvent).count();
        assert!(!is_exact || counts.not_events == not_events as u64, "what is in quarantine is not missing");
        for (id, kind) in &self.kinds {
            assert!(self.is_out_of_our_hands(*id) || *kind == Kind::Unseen, "{id} was in the store, and was not sent");
        }
    }
}

/// The receiver will never take these.
fn is_bad(id: &EntryId) -> bool {
    id.ms.is_multiple_of(17) && id.seq == 1
}

fn ids_of(body: &[u8]) -> Vec<EntryId> {
    let request = ExportLogsServiceRequest::decode(body).unwrap();
    let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
    let uids = scopes.flat_map(|scope| scope.log_records).map(|record| {
        let uid = record.attributes.into_iter().find(|attribute| attribute.key == "log.record.uid").unwrap();
        match uid.value.unwrap().value.unwrap() {
            Value::StringValue(text) => text.parse().unwrap(),
            other => panic!("{other:?}"),
        }
    });
    uids.collect()
}
