//! Numbers in fewer bytes: of one duration alone it is its length that says all, most are whole milliseconds, and what comes
//! in order differs little from what comes before it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::sketch::{DROPPED_BITS, Sketch};
use super::{Durations, ErrorRow, HOUR_MS, Spread};

/// [`Durations`], as they are kept.
#[derive(Serialize, Deserialize)]
pub(super) enum BriefDurations {
    One(Number),
    Many { count: u64, sum_ms: Number, least_ms: Number, greatest_ms: Number, sketch: Sketch },
}

/// [`Spread`], as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) enum BriefSpread {
    One(i64, Box<str>),
    Many { count: u64, sum_ms: i64, longest: Option<(i64, Box<str>)>, sketch: Sketch },
}

/// Exactly the number that it was.
#[derive(Serialize, Deserialize)]
pub(super) enum Number {
    Whole(u64),
    Other(f64),
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        let whole = number as u64;
        if (whole as f64).to_bits() == number.to_bits() { Self::Whole(whole) } else { Self::Other(number) }
    }
}

impl From<Number> for f64 {
    fn from(number: Number) -> Self {
        match number {
            Number::Whole(whole) => whole as Self,
            Number::Other(number) => number,
        }
    }
}

/// Those of one event.
fn one(ms: f64) -> Durations {
    let bins = BTreeMap::from([((ms.to_bits() >> DROPPED_BITS) as u32, 1)]);
    Durations { count: 1, sum_ms: ms, least_ms: ms, greatest_ms: ms, sketch: Sketch::of(&bins) }
}

impl From<Durations> for BriefDurations {
    fn from(durations: Durations) -> Self {
        if durations == one(durations.sum_ms) {
            return Self::One(durations.sum_ms.into());
        }
        let Durations { count, sum_ms, least_ms, greatest_ms, sketch } = durations;
        Self::Many { count, sum_ms: sum_ms.into(), least_ms: least_ms.into(), greatest_ms: greatest_ms.into(), sketch }
    }
}

impl From<BriefDurations> for Durations {
    fn from(brief: BriefDurations) -> Self {
        match brief {
            BriefDurations::One(ms) => one(ms.into()),
            BriefDurations::Many { count, sum_ms, least_ms, greatest_ms, sketch } => Self {
                count,
                sum_ms: sum_ms.into(),
                least_ms: least_ms.into(),
                greatest_ms: greatest_ms.into(),
                sketch,
            },
        }
    }
}

/// That of one step.
fn one_step(ms: i64, job: Box<str>) -> Spread {
    let mut bins = Bins::default();
    bins.add(ms);
    Spread { count: 1, sum_ms: ms, longest: Some((ms, job)), sketch: bins.sketch() }
}

impl From<Spread> for BriefSpread {
    fn from(spread: Spread) -> Self {
        if let Some((ms, job)) = &spread.longest
            && spread == one_step(*ms, job.clone())
        {
            return Self::One(*ms, job.clone());
        }
        let Spread { count, sum_ms, longest, sketch } = spread;
        Self::Many { count, sum_ms, longest, sketch }
    }
}

impl From<BriefSpread> for Spread {
    fn from(brief: BriefSpread) -> Self {
        match brief {
            BriefSpread::One(ms, job) => one_step(ms, job),
            BriefSpread::Many { count, sum_ms, longest, sketch } => Self { count, sum_ms, longest, sketch },
        }
    }
}

/// Events of a job by how far they are from the one before.
pub(super) mod events {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::super::steps::LongEvent;

    /// How much later the event arrived than the one before, how much earlier it happened than it arrived, and the rest.
    type Brief = (i64, i64, u64, [u32; 2]);

    pub fn serialize<S: Serializer>(events: &[LongEvent], serializer: S) -> Result<S::Ok, S::Error> {
        let mut before_ms = 0_i64;
        let brief = events.iter().map(|event| {
            let (arrived_ms, seq) = event.arrived;
            let later_ms = arrived_ms.wrapping_sub(std::mem::replace(&mut before_ms, arrived_ms));
            // The highest number stands for no name.
            (later_ms, arrived_ms.wrapping_sub(event.timestamp_ms), seq, event.names.map(|name| name.wrapping_add(1)))
        });
        brief.collect::<Vec<Brief>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<LongEvent>, D::Error> {
        let mut arrived_ms = 0_i64;
        let event = |(later_ms, earlier_ms, seq, names): Brief| {
            arrived_ms = arrived_ms.wrapping_add(later_ms);
            LongEvent {
                timestamp_ms: arrived_ms.wrapping_sub(earlier_ms),
                arrived: (arrived_ms, seq),
                names: names.map(|name| name.wrapping_sub(1)),
            }
        };
        Ok(Vec::<Brief>::deserialize(deserializer)?.into_iter().map(event).collect())
    }
}

/// [`ErrorRow`], as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct BriefErrors {
    kind: [u32; 3],
    events: u64,
    first_ms: i64,
    /// How much later the last happened than the first.
    length_ms: i64,
    /// By how many hours each is behind the one before, or behind that of the first event; none where all are in that one.
    hours: Vec<(i64, u64)>,
    alone: u64,
    shared: Vec<u64>,
}

impl From<ErrorRow> for BriefErrors {
    fn from(row: ErrorRow) -> Self {
        let (first_ms, last_ms) = row.times;
        let mut before = first_ms.div_euclid(HOUR_MS);
        let hours = if row.hours == [(before, row.events)] { Vec::new() } else { row.hours };
        let later = |(hour, events): (i64, u64)| (hour.wrapping_sub(std::mem::replace(&mut before, hour)), events);
        Self {
            kind: row.kind,
            events: row.events,
            first_ms,
            length_ms: last_ms.wrapping_sub(first_ms),
            hours: hours.into_iter().map(later).collect(),
            alone: row.alone,
            shared: row.shared,
        }
    }
}

impl From<BriefErrors> for ErrorRow {
    fn from(brief: BriefErrors) -> Self {
        let mut hour = brief.first_ms.div_euclid(HOUR_MS);
        let alone = brief.hours.is_empty().then_some((hour, brief.events));
        let hours = brief.hours.into_iter().map(|(later, events)| {
            hour = hour.wrapping_add(later);
            (hour, events)
        });
        Self {
            kind: brief.kind,
            events: brief.events,
            times: (brief.first_ms, brief.first_ms.wrapping_add(brief.length_ms)),
            hours: alone.into_iter().chain(hours).collect(),
            alone: brief.alone,
            shared: brief.shared,
        }
    }
}

/// Numbers by how far each is from the one before.
pub(super) mod steps {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub fn serialize<S: Serializer>(numbers: &[i64], serializer: S) -> Result<S::Ok, S::Error> {
        let mut before = 0_i64;
        let steps = numbers.iter().map(|number| std::mem::replace(&mut before, *number).wrapping_sub(*number));
        steps.collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<i64>, D::Error> {
        let mut before = 0_i64;
        let steps = Vec::<i64>::deserialize(deserializer)?.into_iter();
        Ok(steps
            .map(|step| {
                before = before.wrapping_sub(step);
                before
            })
            .collect())
    }
}

/// The id of a job: most are a number in hexadecimal digits.
#[derive(Serialize, Deserialize)]
#[serde(from = "KeptId", into = "KeptId")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id(pub Box<str>);

#[derive(Serialize, Deserialize)]
enum KeptId {
    Text(Box<str>),
    Hexadecimal(Vec<u8>),
    /// The same, in the groups of a UUID.
    Uuid([u8; 16]),
}

/// Where a UUID has its dashes, before so many of its digits.
const DASHES: [usize; 4] = [8, 12, 16, 20];

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

fn digits_of(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn with_dashes(digits: &str) -> String {
    let dashed = |(at, digit)| [DASHES.contains(&at).then_some('-'), Some(digit)];
    digits.chars().enumerate().flat_map(dashed).flatten().collect()
}

impl From<Id> for KeptId {
    fn from(Id(id): Id) -> Self {
        let digits = id.replace('-', "");
        match bytes_of(&digits) {
            Some(bytes) if *digits == *id => Self::Hexadecimal(bytes),
            Some(bytes) if with_dashes(&digits) == *id => bytes.try_into().map_or(Self::Text(id), Self::Uuid),
            _ => Self::Text(id),
        }
    }
}

impl From<KeptId> for Id {
    fn from(kept: KeptId) -> Self {
        Self(match kept {
            KeptId::Text(id) => id,
            KeptId::Hexadecimal(bytes) => digits_of(&bytes).into(),
            KeptId::Uuid(bytes) => with_dashes(&digits_of(&bytes)).into(),
        })
    }
}
