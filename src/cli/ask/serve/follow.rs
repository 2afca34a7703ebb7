//! Events as they come, for whoever follows them by a request.

use std::time::{Duration, Instant};

use clap::{Args, FromArgMatches as _};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use emp_event::EntryId;
use emp_job::JobEvent;
use emp_serve::{Asked, Followed, Refusal};
use emp_tail::{OrderedTail, Told};

use super::own::entry_id;
use super::questions::{misunderstood, refusal};
use super::words::words_of;
use crate::cli::ask::filters::Filters;
use crate::cli::ask::json::event_as_json;
use crate::cli::failure::Failure;
use crate::cli::options::Options;

/// Rows of one message.
const ROWS_MAX: usize = 200;
/// Messages that wait for a slow reader.
const WAITING_MAX: usize = 4;
/// What `--rate` counts in.
const SECOND: Duration = Duration::from_secs(1);

/// Follow events as they come, exactly over any interruption
#[derive(Debug, Args)]
pub(super) struct Follow {
    #[command(flatten)]
    filters: Filters,
    /// Begin after the event of this ID [default: with those that come from now on]
    #[arg(long, value_name = "ID", value_parser = entry_id)]
    after: Option<EntryId>,
    /// Show so many events a second at most, and say how many more there were
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

/// The command that reads such a request.
pub(super) fn command() -> clap::Command {
    let mut command = Follow::augment_args(clap::Command::new("tail").no_binary_name(true).disable_help_flag(true));
    command.build();
    command
}

/// Begins to follow: what comes of it, until nobody takes it any more.
pub(super) fn follow(options: &Options, runtime: &Runtime, asked: &Asked) -> Result<Receiver<Followed>, Refusal> {
    let command = command();
    let words = words_of(&command, asked)?.for_parser();
    let matches = command.try_get_matches_from(words.into_iter().skip(2));
    let follow =
        matches.and_then(|matches| Follow::from_arg_matches(&matches)).map_err(|error| misunderstood(&error))?;
    let failed = |failure| refusal(failure, "tail");
    let (filter, address) = (follow.filters.filter().map_err(failed)?, options.redis().map_err(failed)?);
    let (layout, stream) = (options.folder_layout().map_err(failed)?, options.stream.clone());
    let (said, followed) = channel(WAITING_MAX);
    runtime.spawn(async move {
        let told = async {
            let tail = OrderedTail::open(&layout, &address, &stream, filter, follow.after).await?;
            tell(tail, follow.rate, &said).await
        };
        let ended = tokio::select! {
            () = said.closed() => return,
            ended = told => ended,
        };
        if let Err(error) = ended {
            // Nobody may be there any more to be told.
            let _ = said.send(Followed::Failed(refusal(Failure::Failed(error), "tail"))).await;
        }
    });
    Ok(followed)
}

/// Tells what comes, until it fails or nobody listens.
async fn tell(mut tail: OrderedTail, rate: Option<u32>, said: &Sender<Followed>) -> anyhow::Result<()> {
    let mut pace =
        Pace { rate: rate.map_or(usize::MAX, |rate| rate as usize), begun: Instant::now(), shown: 0, more: None };
    loop {
        let told = tail.next().await?;
        let mut all = pace.more_so_far();
        match told {
            None => {}
            Some(Told::Events(events)) => all.extend(pace.events(&events)),
            Some(Told::Lost { after, before, count }) => {
                all.push(Followed::Lost { after: after.to_string(), before: before.to_string(), count });
            }
        }
        for one in all {
            if said.send(one).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// How many events are shown, and what is said of the others.
struct Pace {
    rate: usize,
    begun: Instant,
    shown: usize,
    more: Option<(EntryId, u64)>,
}

impl Pace {
    /// What was left out in the second that is over.
    fn more_so_far(&mut self) -> Vec<Followed> {
        if self.begun.elapsed() < SECOND {
            return Vec::new();
        }
        (self.begun, self.shown) = (Instant::now(), 0);
        let more = self.more.take().map(|(id, count)| Followed::More { id: id.to_string(), count });
        more.into_iter().collect()
    }

    /// As many of them as there is room for; the others are counted.
    fn events(&mut self, events: &[JobEvent]) -> Vec<Followed> {
        // What was left out comes before what is shown again.
        let room = if self.more.is_some() { 0 } else { self.rate.saturating_sub(self.shown) };
        let (shown, others) = events.split_at(events.len().min(room));
        self.shown += shown.len();
        if let Some(last) = others.last() {
            let before = self.more.map_or(0, |(_, count)| count);
            self.more = Some((last.id, before + others.len() as u64));
        }
        shown.chunks(ROWS_MAX).filter_map(message).collect()
    }
}

fn message(events: &[JobEvent]) -> Option<Followed> {
    let id = events.last()?.id.to_string();
    let rows: Vec<_> = events.iter().map(event_as_json).collect();
    Some(Followed::Events { id, rows: serde_json::Value::Array(rows).to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_nothing_is_told_out_of_turn() {
        let event = |seq| {
            let fields: [(&[u8], &[u8]); 2] = [(b"service", b"worker"), (b"eventType", b"job.completed")];
            let event = emp_event::decode(EntryId::new(1, seq), &fields).unwrap();
            JobEvent::from(&event)
        };
        let events: Vec<JobEvent> = (0..500).map(event).collect();
        let mut pace = Pace { rate: 300, begun: Instant::now(), shown: 0, more: None };
        let ids = |all: Vec<Followed>| -> Vec<String> {
            let id = |one: Followed| match one {
                Followed::Events { id, .. } | Followed::More { id, .. } => id,
                other => format!("{other:?}"),
            };
            all.into_iter().map(id).collect()
        };
        assert_eq!(ids(pace.events(&events[..400])), ["1-199", "1-299"]);
        assert_eq!(pace.more, Some((EntryId::new(1, 399), 100)));
        assert!(pace.events(&events[400..]).is_empty());
        pace.begun = Instant::now().checked_sub(SECOND).unwrap();
        assert_eq!(ids(pace.more_so_far()), ["1-499"]);
        assert_eq!(ids(pace.events(&events[..1])), ["1-0"]);
    }
}
