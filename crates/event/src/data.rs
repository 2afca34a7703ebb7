//! One pass over the top level of `data`: the ids and the duration that producers put there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// So few names are gone through faster than looked up.
const FEW: usize = 16;

/// A JSON string that borrows where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// What `data` says beyond being an object.
#[derive(Default)]
pub(super) struct Facts<'a> {
    pub trace_id: Option<Cow<'a, str>>,
    pub job_id: Option<Cow<'a, str>>,
    pub worker_id: Option<Cow<'a, str>>,
    pub machine_id: Option<Cow<'a, str>>,
    pub user_id: Option<Cow<'a, str>>,
    duration: Option<f64>,
    /// By the other keys that name one, in their order.
    others: Vec<(Cow<'a, str>, Option<f64>)>,
}

impl Facts<'_> {
    pub fn duration_ms(&self) -> Option<f64> {
        self.duration.or_else(|| self.others.iter().find_map(|(_, duration)| *duration))
    }
}

/// Reads the facts of a JSON object; an error where the text is no JSON, or no object.
pub(super) fn facts(data: &str) -> serde_json::Result<Facts<'_>> {
    serde_json::from_str(data)
}

/// The text of a JSON string or number that says anything: what may serve as an id.
pub fn scalar_text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let json = raw.get();
    let text = match json.as_bytes().first()? {
        b'"' => serde_json::from_str::<Text<'_>>(json).ok()?.0,
        b'-' | b'0'..=b'9' => Cow::Borrowed(json),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The value of a JSON number that an `f64` can hold.
fn number(raw: &RawValue) -> Option<f64> {
    raw.get().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Is this one of the keys under which producers say how long something took?
fn names_a_duration(key: &str) -> bool {
    ["TimeMs", "DurationMs", "LatencyMs"].iter().any(|ending| key.ends_with(ending))
}

impl<'de: 'a, 'a> Deserialize<'de> for Facts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FactsVisitor)
    }
}

struct FactsVisitor;

impl<'de> Visitor<'de> for FactsVisitor {
    type Value = Facts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut facts = Facts::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "traceId" => facts.trace_id = scalar_text(map.next_value()?),
                "jobId" => facts.job_id = scalar_text(map.next_value()?),
                "workerId" => facts.worker_id = scalar_text(map.next_value()?),
                "machineId" => facts.machine_id = scalar_text(map.next_value()?),
                "userId" => facts.user_id = scalar_text(map.next_value()?),
                "durationMs" => facts.duration = number(map.next_value()?),
                name if names_a_duration(name) => {
                    let duration = number(map.next_value()?);
                    match facts.others.iter_mut().find(|(known, _)| *known == key) {
                        Some((_, known)) => *known = duration,
                        None => facts.others.push((key, duration)),
                    }
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(facts)
    }
}

/// The members of a JSON object in their order, values as they were written; of two of one name the last.
#[derive(Debug, Default)]
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of the object that this text is.
    ///
    /// # Errors
    /// Where it is no JSON, or no object.
    pub fn parse(json: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// How many members a JSON object has, equal ones counted again.
pub(super) struct MemberCount(pub usize);

impl<'de> Deserialize<'de> for MemberCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(CountVisitor)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = MemberCount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut count = 0;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(MemberCount(count))
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
        // Only of many members.
        let mut places: HashMap<Cow<'de, str>, usize> = HashMap::new();
        while let Some((Text(key), value)) = map.next_entry()? {
            let place = match members.len() {
                ..FEW => members.iter().position(|(known, _)| *known == key),
                _ => places.get(&key).copied(),
            };
            match place {
                Some(place) => members[place].1 = value,
                None => members.push((key, value)),
            }
            if members.len() >= FEW {
                let noted = places.len();
                places.extend((noted..).zip(&members[noted..]).map(|(place, (key, _))| (key.clone(), place)));
            }
        }
        Ok(Members(members))
    }
}
