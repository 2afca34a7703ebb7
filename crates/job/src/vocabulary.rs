//! The vocabulary: which types of events mean what. Its table is `vocabulary.toml` beside this room's sources, and
//! a file of the same form in which a team names its own types.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::meaning::Meaning;

/// The table that every process begins with.
const PLAIN: &str = include_str!("../vocabulary.toml");

/// Why a vocabulary cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VocabularyError {
    /// The text is no TOML, or has another form.
    #[error("it is no vocabulary: {0}")]
    Form(String),
    /// A key is no meaning.
    #[error("[{section}] has no `{key}`; it has {known}")]
    Key {
        /// Where it stands.
        section: String,
        /// What stands there.
        key: String,
        /// What may stand there.
        known: String,
    },
    /// A type is given two meanings.
    #[error("`{event_type}` stands twice: a type has one meaning")]
    Twice {
        /// The type.
        event_type: String,
    },
}

/// Whose word a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// This project's, or the team's.
    Own,
    /// That of another system that runs jobs, which counts for jobs of which nothing else is told.
    OtherSystem,
}

/// Which types of events mean what.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    meanings: HashMap<String, (Meaning, Origin)>,
    /// Last words of types that open a piece of work, and of those that close one.
    begins: BTreeSet<String>,
    ends: BTreeSet<String>,
    /// Other words for a type's last one, and the types that may be meant.
    meant: BTreeMap<String, Vec<String>>,
    keys: BTreeMap<Named, Vec<String>>,
}

/// What a key of `data` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// What a worker hands the work to.
    Connector,
    /// The queue in which a job waits.
    Queue,
    /// What kind of job it is.
    JobType,
    /// Why something has failed.
    Error,
    /// The job that waits for this one.
    Parent,
}

/// A vocabulary's file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Table {
    job: Section,
    queue: Section,
    worker: Section,
    webhook: Section,
    work: Work,
    systems: BTreeMap<String, Section>,
    meant: BTreeMap<String, Vec<String>>,
    keys: BTreeMap<Named, Vec<String>>,
}

/// Types by the name of what they mean.
type Section = BTreeMap<String, Vec<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Work {
    begins: Vec<String>,
    ends: Vec<String>,
}

impl Vocabulary {
    /// The one that every process begins with.
    ///
    /// # Errors
    /// Never for the table that is compiled in, which the tests read.
    pub fn plain() -> Result<Self, VocabularyError> {
        let mut plain = Self::default();
        plain.add(PLAIN)?;
        Ok(plain)
    }

    /// Takes in a file in which a team names its own types: what it says of a type counts from then on.
    ///
    /// # Errors
    /// [`VocabularyError`] where it has another form than it should.
    pub fn add(&mut self, text: &str) -> Result<(), VocabularyError> {
        let table: Table = toml::from_str(text).map_err(|error| VocabularyError::Form(error.message().to_owned()))?;
        let mut added = HashMap::new();
        let own =
            [("job", &table.job), ("queue", &table.queue), ("worker", &table.worker), ("webhook", &table.webhook)];
        for (name, section) in own {
            read_section(name, name, section, Origin::Own, &mut added)?;
        }
        for (system, section) in &table.systems {
            read_section("job", &format!("systems.{system}"), section, Origin::OtherSystem, &mut added)?;
        }
        self.meanings.extend(added);
        self.begins.extend(table.work.begins);
        self.ends.extend(table.work.ends);
        for (named, mut keys) in table.keys {
            // The team's come first.
            let known = self.keys.entry(named).or_default();
            known.retain(|key| !keys.contains(key));
            keys.append(known);
            *known = keys;
        }
        for (event_type, words) in table.meant {
            for word in words {
                self.meant.entry(word).or_default().push(event_type.clone());
            }
        }
        Ok(())
    }

    /// What a type means among this project's words and the team's; `None` where nothing is known of it.
    pub fn meaning(&self, event_type: &str) -> Option<Meaning> {
        self.look(event_type).filter(|(_, origin)| *origin == Origin::Own).map(|(meaning, _)| meaning)
    }

    /// The same, with the words of other systems.
    pub fn meaning_anywhere(&self, event_type: &str) -> Option<Meaning> {
        self.look(event_type).map(|(meaning, _)| meaning)
    }

    fn look(&self, event_type: &str) -> Option<(Meaning, Origin)> {
        let of_webhook = || Some((self.meaning_of_webhook(event_type)?, Origin::Own));
        self.meanings.get(event_type).copied().or_else(of_webhook)
    }

    /// Work that is named by its beginning and its end needs no line for each name that it may have.
    fn meaning_of_webhook(&self, event_type: &str) -> Option<Meaning> {
        let action = event_type.strip_prefix("webhook.")?;
        match action.rsplit_once('_').map_or(action, |(_, word)| word) {
            "failed" => Some(Meaning::WebhookFailed),
            "completed" | "delivered" | "finished" => Some(Meaning::WebhookDelivered),
            word => self.begins_work(word).then_some(Meaning::WebhookSending),
        }
    }

    /// The keys of `data` that name such a thing, the most telling first.
    pub fn keys(&self, named: Named) -> &[String] {
        self.keys.get(&named).map_or(&[], Vec::as_slice)
    }

    /// Is that a key by which such a thing is named?
    pub fn is_key(&self, named: Named, key: &str) -> bool {
        self.keys(named).iter().any(|known| known == key)
    }

    /// Does that last word of a type open a piece of work?
    pub fn begins_work(&self, word: &str) -> bool {
        self.begins.contains(word)
    }

    /// Does it close one?
    pub fn ends_work(&self, word: &str) -> bool {
        self.ends.contains(word)
    }

    /// Every type that has this meaning, in the order of the alphabet.
    pub fn types(&self, meaning: Meaning) -> Vec<&str> {
        let same = self.meanings.iter().filter(|(_, (of, _))| *of == meaning);
        let mut types: Vec<&str> = same.map(|(event_type, _)| event_type.as_str()).collect();
        types.sort_unstable();
        types
    }

    /// The same without the words of other systems.
    pub fn own_types(&self, meaning: Meaning) -> Vec<&str> {
        self.types(meaning).into_iter().filter(|event_type| self.meaning(event_type).is_some()).collect()
    }

    /// The types that may be meant by one that has no meaning, by the other words for its last one.
    pub fn meant_by(&self, event_type: &str) -> Option<&str> {
        let (entity, action) = event_type.split_once('.')?;
        let words = [action, action.rsplit_once('_').map_or(action, |(_, word)| word)];
        let meant = words.iter().filter_map(|word| self.meant.get(*word)).flatten();
        meant.map(String::as_str).find(|meant| super::entity(meant) == entity)
    }

    /// A number that differs where the meanings do: what was learned by one vocabulary is not true by another.
    pub fn fingerprint(&self) -> u64 {
        let mut lines: Vec<String> = self.meanings.iter().map(|(name, (of, _))| format!("{name}={of:?}\n")).collect();
        lines.extend(self.begins.iter().map(|word| format!("begins {word}\n")));
        lines.extend(self.ends.iter().map(|word| format!("ends {word}\n")));
        let named = [Named::Connector, Named::Queue, Named::JobType, Named::Error, Named::Parent];
        lines.extend(named.map(|named| format!("{named:?} {:?}\n", self.keys(named))));
        lines.sort_unstable();
        // FNV-1a: a few thousand bytes, once a process.
        lines
            .concat()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

fn read_section(
    section: &str,
    shown: &str,
    types: &Section,
    origin: Origin,
    into: &mut HashMap<String, (Meaning, Origin)>,
) -> Result<(), VocabularyError> {
    let of_section = || Meaning::ALL.iter().filter(|(of, ..)| *of == section);
    for (key, types) in types {
        let Some((_, _, meaning)) = of_section().find(|(_, name, _)| name == key) else {
            let known: Vec<&str> = of_section().map(|(_, name, _)| *name).collect();
            return Err(VocabularyError::Key { section: shown.to_owned(), key: key.clone(), known: known.join(", ") });
        };
        for event_type in types {
            if into.insert(event_type.clone(), (*meaning, origin)).is_some() {
                return Err(VocabularyError::Twice { event_type: event_type.clone() });
            }
        }
    }
    Ok(())
}

/// What the events of one job mean: once one of our own words is said of it, words of other systems are about
/// something else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    is_own: bool,
}

impl Dialect {
    /// What the job's next event means; `None` where it means nothing for the job.
    pub fn meaning(&mut self, event_type: &str) -> Option<Meaning> {
        let (meaning, origin) = vocabulary().look(event_type)?;
        self.is_own |= origin == Origin::Own && meaning.is_of_job();
        (origin == Origin::Own || !self.is_own).then_some(meaning)
    }

    /// The one that all events of a job together are told in.
    pub fn of<'a>(event_types: impl IntoIterator<Item = &'a str>) -> Self {
        let mut dialect = Self::default();
        for event_type in event_types {
            dialect.meaning(event_type);
        }
        dialect
    }
}

/// What this process speaks. A process answers about one store, so it has one vocabulary, and is given it before it
/// reads the first event.
static SPOKEN: OnceLock<Vocabulary> = OnceLock::new();

/// Lets this process speak that vocabulary. Where it has already begun to read events by another one, nothing changes.
pub fn speak(vocabulary: Vocabulary) {
    let _ = SPOKEN.set(vocabulary);
}

/// The vocabulary of this process: the plain one, unless it was given another.
pub fn vocabulary() -> &'static Vocabulary {
    // The plain one can be read, or no test would pass.
    SPOKEN.get_or_init(|| Vocabulary::plain().unwrap_or_default())
}

/// Has a worker taken the job?
pub fn is_claim(event_type: &str) -> bool {
    vocabulary().meaning(event_type) == Some(Meaning::Claimed)
}
