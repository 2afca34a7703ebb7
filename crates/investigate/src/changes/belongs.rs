//! What belongs to the services, machines and workers that came or went.

use emp_findings::{ChangeKind, Direction};
use emp_query::{Engine, literal};

use super::candidate::Candidate;
use super::fold::Folding;
use super::ranges::Ranges;
use super::rates::TIMES_MIN;
use crate::investigation::InvestigationError;

/// Those that others can belong to, the larger first.
const OWNERS: [(ChangeKind, &str); 3] =
    [(ChangeKind::Service, "service"), (ChangeKind::Machine, "machine_id"), (ChangeKind::Worker, "worker_id")];

/// So few events more or less need no explanation.
const FEW: f64 = 3.0;

/// Events of one that came or went.
struct Events {
    /// The service, the machine and the worker, as far as they are named.
    of: [Option<String>; 3],
    event_type: String,
    before: u64,
    after: u64,
}

/// Puts workers under their machines and services, and types of events under whoever sent them, or sends them.
pub(super) async fn fold(engine: &Engine, folding: &mut Folding, ranges: &Ranges) -> Result<(), InvestigationError> {
    let conditions: Vec<String> = OWNERS.iter().filter_map(|(kind, column)| named(folding, *kind, column)).collect();
    if conditions.is_empty() {
        return Ok(());
    }
    let events = ask(engine, &conditions.join(" or "), ranges).await?;
    folding.fold(|cause, one| belongs(&events, cause, one));
    let explained: Vec<Explained> =
        folding.of_kind(ChangeKind::EventType).filter_map(|one| Explained::of(one, folding, &events)).collect();
    folding.fold(|cause, one| explained.iter().any(|explained| explained.is(cause, one)));
    Ok(())
}

fn named(folding: &Folding, kind: ChangeKind, column: &str) -> Option<String> {
    let names: Vec<String> = folding.of_kind(kind).map(|one| literal(&one.change.what)).collect();
    (!names.is_empty()).then(|| format!("{column} in ({})", names.join(", ")))
}

async fn ask(engine: &Engine, condition: &str, ranges: &Ranges) -> Result<Vec<Events>, InvestigationError> {
    let sql = format!(
        "select service, machine_id, worker_id, event_type, count(*) filter (where slot < {slots}) as before, \
         count(*) filter (where slot >= {slots}) as after from (select service, machine_id, worker_id, event_type, \
         {slot} as slot from events where ({condition}) and {range}) group by 1, 2, 3, 4",
        slots = ranges.before.slots,
        slot = ranges.slot(),
        range = ranges.condition()
    );
    ranges.ask(engine, &sql).await?.map(|row| {
        let [service, machine, worker] = ["service", "machine_id", "worker_id"].map(|name| row.optional_text(name));
        Ok(Events {
            of: [service?, machine?, worker?],
            event_type: row.text("event_type")?,
            before: row.integer("before")?.unsigned_abs(),
            after: row.integer("after")?.unsigned_abs(),
        })
    })
}

/// The place of one's name among those of its events, where it is one that others can belong to.
fn place(one: &Candidate) -> Option<usize> {
    OWNERS.iter().position(|(kind, _)| *kind == one.change.kind)
}

impl Events {
    fn are_of(&self, one: &Candidate) -> bool {
        place(one).is_some_and(|place| self.of[place].as_ref() == Some(&one.change.what))
    }
}

/// Did both come or go, and are all events of the one that say whose they are of the other?
fn belongs(events: &[Events], owner: &Candidate, one: &Candidate) -> bool {
    let (Some(outer), Some(inner)) = (place(owner), place(one)) else { return false };
    let own = events.iter().filter(|events| events.are_of(one));
    let mut owners = own.filter_map(|events| events.of[outer].as_ref()).peekable();
    let are_all = owners.peek().is_some() && owners.all(|name| *name == owner.change.what);
    outer < inner && owner.change.change == one.change.change && are_all
}

/// A type of events that would be as frequent as before without those that came, or with those that went.
struct Explained {
    service: Option<String>,
    event_type: String,
    /// The name of the one that sent most of them.
    by: String,
}

impl Explained {
    fn of(one: &Candidate, folding: &Folding, events: &[Events]) -> Option<Self> {
        let change = &one.change;
        let (direction, is_gone) = match change.change {
            Direction::Gone | Direction::Less => (Direction::Gone, true),
            Direction::New | Direction::More => (Direction::New, false),
            Direction::Slower | Direction::Faster => return None,
        };
        let of_type = |events: &&Events| events.event_type == change.what && events.of[0] == change.service;
        let owners = folding.all().filter(|owner| place(owner).is_some() && owner.change.change == direction);
        let owners: Vec<&Candidate> = owners.collect();
        let count = |events: &Events| if is_gone { events.before } else { events.after };
        let is_owned = |events: &&Events| owners.iter().any(|owner| events.are_of(owner));
        let owned: u64 = events.iter().filter(of_type).filter(is_owned).map(count).sum();
        let of_owner = |owner: &&&Candidate| -> u64 {
            events.iter().filter(of_type).filter(|events| events.are_of(owner)).map(count).sum()
        };
        let most = owners.iter().max_by_key(of_owner).filter(|_| owned > 0)?;
        let (before, after) = match is_gone {
            true => (change.before_count.saturating_sub(owned), change.after_count),
            false => (change.before_count, change.after_count.saturating_sub(owned)),
        };
        // How many there would be after, had nothing changed.
        let ratio = match change.factor.filter(|factor| *factor > 0.0) {
            Some(factor) => change.after_count as f64 / change.before_count as f64 / factor,
            None => 1.0,
        };
        let expected = before as f64 * ratio;
        let differs = (after as f64 - expected).abs() >= FEW
            && (after as f64 / expected).max(expected / after as f64) >= TIMES_MIN;
        let (service, event_type, by) = (change.service.clone(), change.what.clone(), most.change.what.clone());
        (!differs).then_some(Self { service, event_type, by })
    }

    fn is(&self, cause: &Candidate, one: &Candidate) -> bool {
        let is_it = one.change.kind == ChangeKind::EventType
            && one.change.what == self.event_type
            && one.change.service == self.service;
        is_it && place(cause).is_some() && cause.change.what == self.by
    }
}
