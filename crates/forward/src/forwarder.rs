//! The forwarder's life: one forwarder works at a time, over one connection after the other.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use super::archive::StoreArchive;
use super::deliver::Delivery;
use super::post::Client;
use super::seams::{Archive, Group, Receiver, Redis};
use super::settings::Settings;
use super::shutdown::{Halt, Shutdown};
use super::status::{Counts, Status};
use super::work::{Forwarder, Pace, Session, Work};
use super::{ForwardError, GROUP};
use emp_store::Layout;
use emp_stream::{Lease, RedisAddress};
use emp_system::Backoff;

/// Where events come from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where Redis is.
    pub address: RedisAddress,
    /// The stream's key.
    pub stream: String,
    /// The store: for what the stream has trimmed, and for dead letters.
    pub layout: Layout,
}

/// How forwarding ended, and what has become of events, in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All that was there is delivered or counted: with [`Settings::once`] alone.
    Complete(Counts),
    /// It was told to stop; what is left is for the next start.
    Stopped(Counts),
}

/// Forwards until `shutdown` turns true, or, with [`Settings::once`], until all that was in the stream is
/// delivered. Failures of Redis and of the receiver are waited out.
///
/// # Errors
/// What trying again cannot mend; with [`Settings::once`], any failure of Redis.
pub fn forward<'a>(
    source: &'a Source,
    settings: &'a Settings,
    shutdown: watch::Receiver<bool>,
) -> Pin<Box<dyn Future<Output = Result<Ending, ForwardError>> + Send + 'a>> {
    // Behind a pointer, so that it is compiled here and not anew by whoever awaits it.
    Box::pin(run(source, settings, shutdown))
}

async fn run(source: &Source, settings: &Settings, shutdown: watch::Receiver<bool>) -> Result<Ending, ForwardError> {
    info!("forwarding {} at {} to {} as group {GROUP}", source.stream, source.address, settings.target.shown());
    let receiver = Client::new(&settings.target)?;
    let archive = StoreArchive::of(&source.layout);
    let shutdown = Shutdown::new(shutdown);
    let ending = forward_between(source, receiver, archive, settings, shutdown, Pace::REAL);
    let ending = unless_it_panics(ending).await.unwrap_or_else(|panic| Err(ForwardError::Panicked(panic)))?;
    match &ending {
        Ending::Complete(counts) => say("forwarded all", counts),
        Ending::Stopped(counts) => say("stopped forwarding", counts),
    }
    Ok(ending)
}

fn say(what: &str, counts: &Counts) {
    info!("{what}: {} events in all, {} dead, {} skipped", counts.sent, counts.dead, counts.skipped);
}

/// What the work gives, or the words of its panic.
pub(super) async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Poll::Ready(Err(text.unwrap_or("no words").to_owned()))
        }
    })
    .await
}

/// Forwards between these three.
pub(super) async fn forward_between<R: Receiver, A: Archive + Clone>(
    redis: &impl Redis,
    receiver: R,
    archive: A,
    settings: &Settings,
    shutdown: Shutdown,
    pace: Pace,
) -> Result<Ending, ForwardError> {
    let status = Status::default();
    let delivery = Delivery::new(receiver, archive.clone(), status.clone(), settings.backoff);
    let holder = format!("{:016x}", rand::random::<u64>());
    let forwarder = Forwarder { settings: settings.clone(), pace, shutdown, status, archive, holder };
    forwarder.run(redis, Arc::new(delivery)).await
}

impl<A: Archive> Forwarder<A> {
    async fn run<R: Receiver>(
        &self,
        redis: &impl Redis,
        delivery: Arc<Delivery<R, A>>,
    ) -> Result<Ending, ForwardError> {
        let mut work = None;
        let mut waits = Backoff::new(self.pace.redis.0, self.pace.redis.1);
        loop {
            let counts_before = counts_of(work.as_ref());
            let halt = match self.one_connection(redis, &delivery, &mut work).await {
                Ok(()) => return Ok(Ending::Complete(counts_of(work.as_ref()))),
                Err(halt) => halt,
            };
            if counts_of(work.as_ref()) != counts_before {
                waits.reset();
            }
            match halt {
                Halt::Stopped => return Ok(Ending::Stopped(counts_of(work.as_ref()))),
                Halt::Superseded => {
                    work = None;
                    if self.settings.once {
                        return Err(ForwardError::Superseded);
                    }
                    warn!("another forwarder has taken over; standing by");
                }
                Halt::Failed(error) if self.settings.once || (error.is_final() && work.is_none()) => {
                    return Err(error);
                }
                Halt::Failed(error) => self.status.interrupted(&error.to_string()),
            }
            if self.shutdown.unless(sleep(waits.next_wait())).await.is_err() {
                return Ok(Ending::Stopped(counts_of(work.as_ref())));
            }
        }
    }

    /// One connection's life. What is under way outlives it, unless another forwarder worked in between.
    async fn one_connection<R: Receiver>(
        &self,
        redis: &impl Redis,
        delivery: &Arc<Delivery<R, A>>,
        kept: &mut Option<Work<R, A>>,
    ) -> Result<(), Halt> {
        let mut group = redis.connect().await?;
        if self.take_lease(&mut group).await? == Lease::TakenOver {
            *kept = None;
        }
        let is_fresh = kept.is_none();
        let work = match kept {
            Some(work) => work,
            None => {
                let (noted, place) = (group.load().await?, self.archive.place());
                kept.insert(Work::new(&self.settings, Arc::clone(delivery), noted, place))
            }
        };
        let mut session = Session { group, work, forwarder: self };
        let done = session.forward(is_fresh).await;
        if matches!(done, Ok(()) | Err(Halt::Stopped)) {
            session.group.release_lease(&self.holder).await?;
        }
        done
    }

    /// One forwarder reads, others stand by.
    async fn take_lease(&self, group: &mut impl Group) -> Result<Lease, Halt> {
        let mut stands_by = false;
        loop {
            self.shutdown.check()?;
            let lease = group.hold_lease(&self.holder).await?;
            if lease != Lease::Theirs {
                return Ok(lease);
            }
            if !std::mem::replace(&mut stands_by, true) {
                info!("another forwarder is at work, or died a moment ago; standing by");
            }
            self.shutdown.unless(sleep(self.pace.idle)).await?;
        }
    }
}

impl<G: Group, R: Receiver, A: Archive> Session<'_, G, R, A> {
    /// Reads, sends and settles: with `once` all that is there, else until we are told to stop.
    async fn forward(&mut self, is_fresh: bool) -> Result<(), Halt> {
        let done = self.read_and_send(is_fresh).await;
        if matches!(done, Err(Halt::Stopped)) {
            self.wind_up().await?;
        }
        done
    }

    async fn read_and_send(&mut self, is_fresh: bool) -> Result<(), Halt> {
        self.begin(is_fresh).await?;
        self.read_on().await?;
        self.drain().await?;
        while self.take_strays().await? {
            self.drain().await?;
        }
        Ok(())
    }
}

fn counts_of<R: Receiver, A: Archive>(work: Option<&Work<R, A>>) -> Counts {
    work.map_or(Counts::NONE, |work| work.progress.counts)
}
