//! What went on around a job.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use emp_event::EntryId;
use emp_job::{History, JobEvent, Meaning, Offsets, Order, error_text, fingerprint, vocabulary};
use emp_system::{all_threads, for_each_share, share};
use emp_typical::Typical;

use super::about::About;
use super::living::Living;
use super::queues::Queues;
use super::speed::Speeds;

/// Events around a job, or of a range of time, and what was lost of them.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// In order of arrival.
    events: Vec<JobEvent>,
    pub lost: Vec<Lost>,
    /// The workers that were heard of, as of now.
    pub living: Living,
    now_ms: i64,
    /// From when on all events are here.
    from_ms: i64,
    of_job: HashMap<Arc<str>, Vec<usize>>,
    of_worker: HashMap<Arc<str>, Vec<usize>>,
    /// Failures that say why, by what they say but for ids and numbers, in order of arrival.
    errors: HashMap<String, Vec<usize>>,
    histories: OnceLock<BTreeMap<Arc<str>, History>>,
    about: OnceLock<About>,
    children: OnceLock<BTreeMap<String, Vec<Arc<str>>>>,
    queues: OnceLock<Queues>,
    told: OnceLock<Told>,
    speeds: OnceLock<Speeds>,
}

/// Entries that were trimmed before they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    pub from_ms: i64,
    pub to_ms: i64,
    pub count: u64,
}

/// What was told of queues, webhooks and workers, looked for once.
#[derive(Debug, Default)]
struct Told {
    /// By which a queue was paused or goes on, in order of arrival.
    pauses: Vec<usize>,
    /// The first by which a worker ended its life.
    ended_worker: Option<usize>,
    /// The last of a webhook.
    of_webhook: Option<usize>,
    /// All events of each service, and those that tell that a webhook was delivered.
    of_service: HashMap<Arc<str>, (Vec<EntryId>, Vec<EntryId>)>,
}

/// Fewer jobs are put together as soon by one thread.
const JOBS_OF_THREAD_MIN: usize = 500;
/// Events that are further apart are taken to have separate causes.
const ABOUT_MS: i64 = 30 * 60_000;

impl Surroundings {
    pub fn new(mut events: Vec<JobEvent>, lost: Vec<Lost>, now_ms: i64) -> Self {
        events.sort_by_key(|event| event.id);
        events.dedup_by_key(|event| event.id);
        let mut offsets = Offsets::default();
        events.iter().for_each(|event| offsets.note(event.producer(), event.timestamp_ms, event.arrived_ms));
        if !offsets.suspects().is_empty() {
            let mut order = Order::default();
            for event in &events {
                let Some(job) = &event.job_id else { continue };
                order.note(job, &event.event_type, event.producer(), event.timestamp_ms, event.arrived_ms);
            }
            offsets.prove(&order);
        }
        events.iter_mut().for_each(|event| event.correct(&offsets));
        let (mut of_job, mut of_worker) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        let mut errors = HashMap::<_, Vec<_>>::new();
        for (index, event) in events.iter().enumerate() {
            if let Some(job_id) = &event.job_id {
                of_job.entry(job_id.clone()).or_default().push(index);
            }
            if let Some(worker_id) = &event.worker_id {
                of_worker.entry(worker_id.clone()).or_default().push(index);
            }
            if event.is_failure()
                && let Some(text) = error_text(&event.data)
            {
                errors.entry(fingerprint(&text)).or_default().push(index);
            }
        }
        let living = Living::none(now_ms);
        Self {
            events,
            lost,
            living,
            now_ms,
            from_ms: i64::MIN,
            of_job,
            of_worker,
            errors,
            histories: OnceLock::new(),
            about: OnceLock::new(),
            children: OnceLock::new(),
            queues: OnceLock::new(),
            told: OnceLock::new(),
            speeds: OnceLock::new(),
        }
    }

    /// The same, of which it is known that all events since that moment are there, and not all before it.
    pub fn whole_since(self, from_ms: i64) -> Self {
        Self { from_ms, ..self }
    }

    /// As of when, ms since the epoch.
    pub const fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// From when on all events are here, ms since the epoch.
    pub const fn whole_since_ms(&self) -> i64 {
        self.from_ms
    }

    /// The same with what is known of the workers.
    pub fn with_living(self, living: Living) -> Self {
        Self { living, ..self }
    }

    /// Every job, by id.
    pub fn histories(&self) -> impl Iterator<Item = (&str, &History)> {
        self.known_histories().iter().map(|(job, history)| (&**job, history))
    }

    /// The job of that id.
    pub fn history(&self, job_id: &str) -> Option<&History> {
        self.known_histories().get(job_id)
    }

    /// The jobs that say that this one waits for them.
    pub fn children(&self, job_id: &str) -> impl Iterator<Item = (&str, &History)> {
        let children = self.children.get_or_init(|| {
            let mut children: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
            for (job, history) in self.known_histories() {
                if let Some(parent) = history.parent().filter(|parent| **parent != **job) {
                    children.entry(parent.to_owned()).or_default().push(job.clone());
                }
            }
            children
        });
        let of_job = children.get(job_id).into_iter().flatten();
        of_job.filter_map(|child| Some((&**child, self.history(child)?)))
    }

    /// Who took longer than is usual.
    pub fn speeds(&self, typical: &Typical) -> &Speeds {
        self.speeds.get_or_init(|| Speeds::of(self, typical))
    }

    fn known_histories(&self) -> &BTreeMap<Arc<str>, History> {
        self.histories.get_or_init(|| {
            let history = |(job, events): &(&Arc<str>, &Vec<usize>)| {
                let events = events.iter().map(|index| self.events[*index].clone()).collect();
                Some(((*job).clone(), History::new(events, self.now_ms)?))
            };
            let jobs: Vec<(&Arc<str>, &Vec<usize>)> = self.of_job.iter().collect();
            // A thread of its own is not worth it for few.
            let size = share(jobs.len(), all_threads()).max(JOBS_OF_THREAD_MIN);
            let histories =
                for_each_share(jobs.chunks(size), |jobs| jobs.iter().filter_map(history).collect::<Vec<_>>());
            histories.into_iter().flatten().collect()
        })
    }

    /// The jobs that were heard of about that time.
    pub fn histories_about(&self, ms: i64) -> impl Iterator<Item = (&str, &History)> {
        let (from_ms, until_ms) = (ms.saturating_sub(ABOUT_MS), ms.saturating_add(ABOUT_MS));
        let about = self.about.get_or_init(|| About::of(self.known_histories()));
        let about = about.jobs(from_ms, until_ms).into_iter().filter_map(|job| Some((job, self.history(job)?)));
        about.filter(move |(_, history)| history.start_ms() <= until_ms && from_ms <= history.last().happened_ms())
    }

    /// All events, in order of arrival.
    pub fn events(&self) -> impl Iterator<Item = &JobEvent> {
        self.events.iter()
    }

    /// The events of a worker, in order of arrival.
    pub fn worker(&self, worker_id: &str) -> impl DoubleEndedIterator<Item = &JobEvent> {
        self.of_worker.get(worker_id).into_iter().flatten().map(|index| &self.events[*index])
    }

    /// Every worker that was heard of.
    pub fn workers(&self) -> impl Iterator<Item = &str> {
        self.of_worker.keys().map(|worker| &**worker)
    }

    /// What waits in each queue, and what was taken from it.
    pub fn queues(&self) -> &Queues {
        self.queues.get_or_init(|| Queues::of(self))
    }

    fn told(&self) -> &Told {
        self.told.get_or_init(|| {
            let mut told = Told::default();
            for (index, event) in self.events.iter().enumerate() {
                let meaning = vocabulary().meaning(&event.event_type);
                let (all, delivered) = told.of_service.entry(event.service.clone()).or_default();
                all.push(event.id);
                match meaning {
                    Some(Meaning::QueuePaused | Meaning::QueueResumed) => told.pauses.push(index),
                    Some(Meaning::WorkerStopped) => told.ended_worker = told.ended_worker.or(Some(index)),
                    Some(Meaning::WebhookDelivered) => delivered.push(event.id),
                    _ => {}
                }
                if meaning.is_some_and(Meaning::is_of_webhook) {
                    told.of_webhook = Some(index);
                }
            }
            told
        })
    }

    /// How many events a service told after an event, and how many of them of delivered webhooks.
    pub fn service_after(&self, service: &str, event: EntryId) -> (usize, usize) {
        let after = |ids: &Vec<EntryId>| ids.len() - ids.partition_point(|id| *id <= event);
        self.told().of_service.get(service).map_or((0, 0), |(all, delivered)| (after(all), after(delivered)))
    }

    /// The service that told of webhooks last.
    pub fn webhook_service(&self) -> Option<&str> {
        self.told().of_webhook.map(|index| &*self.events[index].service)
    }

    /// The first event by which a worker ended its life, as it should.
    pub fn ended_worker(&self) -> Option<&JobEvent> {
        self.told().ended_worker.map(|index| &self.events[index])
    }

    /// The event by which a queue was paused, where it still is at that moment. One that names no queue is about all.
    pub fn pause(&self, queue: Option<&str>, now_ms: i64) -> Option<&JobEvent> {
        let is_about = |event: &&JobEvent| event.queue().is_none_or(|paused| queue.is_none_or(|queue| queue == paused));
        let told = self.told().pauses.iter().rev().map(|index| &self.events[*index]);
        let mut told = told.filter(|event| event.arrived_ms <= now_ms).filter(is_about);
        told.next().filter(|event| vocabulary().meaning(&event.event_type) == Some(Meaning::QueuePaused))
    }

    /// The errors with that fingerprint about that time.
    pub fn same_errors(&self, fingerprint: &str, ms: i64) -> impl Iterator<Item = &JobEvent> + use<'_> {
        let same = self.errors.get(fingerprint).into_iter().flatten().map(|index| &self.events[*index]);
        same.filter(move |event| (event.happened_ms() - ms).abs() <= ABOUT_MS)
    }

    /// The jobs of these events.
    pub fn jobs_of<'a>(events: impl Iterator<Item = &'a JobEvent>) -> BTreeSet<&'a str> {
        events.filter_map(|event| event.job_id.as_deref()).collect()
    }
}
