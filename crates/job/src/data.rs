//! What an event says beside its columns, in little memory: of a week, hundreds of thousands are held.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

/// So few names are gone through faster than looked up.
const FEW: usize = 16;

/// The members of a JSON object, in its order; of two of one name the last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data(Arc<[(Arc<str>, Value)]>);

impl Data {
    /// The members of a JSON object, with their names from those that are shared. Nothing of what is none.
    #[must_use]
    pub fn read(json: &str, texts: &mut Texts) -> Self {
        Self::in_brief(json, texts, usize::MAX)
    }

    /// The same. Of members that take more bytes than that, texts are cut and all else is left out.
    #[must_use]
    pub fn in_brief(json: &str, texts: &mut Texts, member_bytes_max: usize) -> Self {
        let read = Self::try_in_brief(json, texts, member_bytes_max);
        // Stored by an earlier version, or by another program.
        let of_mended = |texts| Self::try_in_brief(&emp_event::mended(json)?.0, texts, member_bytes_max).ok();
        read.ok().or_else(|| of_mended(texts)).unwrap_or_default()
    }

    fn try_in_brief(json: &str, texts: &mut Texts, member_bytes_max: usize) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let data = Reader { texts, member_bytes_max }.deserialize(&mut deserializer)?;
        deserializer.end().map(|()| data)
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// All members.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl From<Map<String, Value>> for Data {
    fn from(members: Map<String, Value>) -> Self {
        Self(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Reader { texts: &mut Texts::default(), member_bytes_max: usize::MAX }.deserialize(deserializer)
    }
}

/// Texts that occur again and again, each of which is held once.
#[derive(Debug, Default)]
pub struct Texts(HashSet<Arc<str>>);

impl Texts {
    /// The one that says this.
    pub fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

struct Reader<'a> {
    texts: &'a mut Texts,
    member_bytes_max: usize,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Data;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Data, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Data, A::Error> {
        let mut read: Vec<(Arc<str>, Value)> = Vec::new();
        // Only of many members.
        let mut places: HashMap<Arc<str>, usize> = HashMap::new();
        while let Some(name) = members.next_key_seed(Name(&mut *self.texts))? {
            let Some(value) = brief(members.next_value()?, self.member_bytes_max) else { continue };
            let place = match read.len() {
                ..FEW => read.iter().position(|(known, _)| *known == name),
                _ => places.get(&name).copied(),
            };
            match place {
                Some(place) => read[place].1 = value,
                None => read.push((name, value)),
            }
            if read.len() >= FEW {
                let noted = places.len();
                places.extend((noted..).zip(&read[noted..]).map(|(place, (name, _))| (Arc::clone(name), place)));
            }
        }
        Ok(Data(read.into()))
    }
}

/// A value in no more bytes than that, if it can be cut.
fn brief(value: Value, bytes_max: usize) -> Option<Value> {
    match value {
        Value::String(text) if text.len() > bytes_max => {
            Some(Value::from(&text[..text.floor_char_boundary(bytes_max)]))
        }
        Value::Array(_) | Value::Object(_) if bytes_max < usize::MAX && value.to_string().len() > bytes_max => None,
        value => Some(value),
    }
}

/// The name of a member.
struct Name<'a>(&'a mut Texts);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Arc<str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Arc<str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Arc<str>, E> {
        Ok(self.0.shared(name))
    }
}
