//! Which store a folder is: the id that it was given when it was made, and where it lay when a
//! collector worked on it last.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::IoContext as _;
use super::layout::Layout;
use super::{StoreError, disk};

/// How many hexadecimal digits an id has.
const ID_DIGITS: usize = 16;
/// How many starts are remembered: the one at work, and the one before it.
const SESSIONS_KEPT: usize = 2;
/// How many ids are remembered that a store had before it was moved.
const FORMER_KEPT: usize = 16;

/// What a store knows of itself: `_journal/identity`, lines of a name and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    id: String,
    place: String,
    collector: Option<String>,
    sessions: Vec<u64>,
    former: Vec<String>,
}

/// What the last line begins with: the checksum of those above it.
const CHECKSUM: &str = "checksum ";

fn checksum_line(above: &str) -> String {
    format!("{CHECKSUM}{:08x}\n", crc32fast::hash(above.as_bytes()))
}

impl Identity {
    /// The identity of the store, without a lock; `None` where no collector has opened it yet.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read, or holds no id.
    pub fn read(layout: &Layout) -> Result<Option<Self>, StoreError> {
        let path = path(layout);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).doing("read", &path),
        }
    }

    /// One with a new random id, of a folder that lies there.
    pub(super) fn new(place: &str) -> Self {
        let id = format!("{:016x}", rand::random::<u64>());
        Self { id, place: place.to_owned(), collector: None, sessions: Vec::new(), former: Vec::new() }
    }

    /// Another one of the same store, whose folder lies there now. It was moved, or mounted anew, or it is a copy:
    /// nothing on the disk tells which, and a copy must not go by the id of what it was copied from.
    pub(super) fn of_moved(&self, place: &str) -> Self {
        let former = std::iter::once(&self.id).chain(&self.former).take(FORMER_KEPT).cloned().collect();
        Self { former, ..Self::new(place) }
    }

    /// Does it lie where its collector worked on it last? A copy does not.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn is_original(layout: &Layout) -> Result<bool, StoreError> {
        let Some(identity) = Self::read(layout)? else { return Ok(false) };
        let path = layout.lock_file();
        match File::open(&path) {
            Ok(file) => Ok(identity.is_at(&place_of(&file, &path)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).doing("read", &path),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, StoreError> {
        let values = |name: &'static str| {
            let values = text.lines().filter_map(|line| line.split_once(' '));
            values.filter(move |(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        let is_whole = text.rfind(CHECKSUM).is_some_and(|end| text[end..] == checksum_line(&text[..end]));
        let id = values("store").next().filter(|id| is_whole && is_id(id)).ok_or_else(|| StoreError::Damaged {
            path: path.to_owned(),
            detail: "its id cannot be trusted; remove it, and the store is given another id".to_owned(),
        })?;
        Ok(Self {
            id,
            place: values("place").next().unwrap_or_default(),
            collector: values("collector").next(),
            sessions: values("session").filter_map(|value| value.parse().ok()).take(SESSIONS_KEPT).collect(),
            former: values("former").filter(|id| is_id(id)).take(FORMER_KEPT).collect(),
        })
    }

    fn to_text(&self) -> String {
        let mut text = format!("store {}\nplace {}\n", self.id, self.place);
        if let Some(collector) = &self.collector {
            text += &format!("collector {collector}\n");
        }
        for session in &self.sessions {
            text += &format!("session {session}\n");
        }
        for former in &self.former {
            text += &format!("former {former}\n");
        }
        text += &checksum_line(&text);
        text
    }

    /// Makes it durable, in one step. The caller holds the store's lock.
    pub(super) fn write(&self, layout: &Layout) -> Result<(), StoreError> {
        disk::write_whole(layout, "identity", &path(layout), &mut self.to_text().as_bytes())
    }

    /// The store's id: 16 hexadecimal digits, random.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The consumer that the store's collector was last, with the id in its name.
    pub fn collector(&self) -> Option<&str> {
        self.collector.as_deref()
    }

    /// The numbers of this store's last starts, the newest first.
    pub fn sessions(&self) -> &[u64] {
        &self.sessions
    }

    /// The name of a consumer of this store: of the name that a person gave, and the store's id.
    pub fn consumer(&self, name: &str) -> String {
        format!("{name}-{}", self.id)
    }

    /// Is this the name of one of this store's consumers?
    pub fn is_own(&self, consumer: &str) -> bool {
        id_in(consumer) == Some(self.id.as_str())
    }

    /// Is this the name of a consumer that worked on this folder before it was moved or copied, or before stores
    /// had ids? Then it may be at work elsewhere.
    pub fn is_former(&self, consumer: &str) -> bool {
        id_in(consumer).is_none_or(|id| self.former.iter().any(|former| former == id))
    }

    /// Does its name say that this was a consumer of this store, under its id or one that it had before it was moved?
    pub fn is_own_or_moved(&self, consumer: &str) -> bool {
        self.is_own(consumer) || (id_in(consumer).is_some() && self.is_former(consumer))
    }

    pub(super) fn is_at(&self, place: &str) -> bool {
        self.place == place
    }

    pub(super) fn note_collector(&mut self, consumer: &str) -> bool {
        let is_new = self.collector.as_deref() != Some(consumer);
        self.collector = Some(consumer.to_owned());
        is_new
    }

    /// Notes a start, which follows the one that Redis knew last; its number is random.
    pub(super) fn note_session(&mut self, before: Option<u64>) -> u64 {
        // Redis' own numbers have a sign.
        let session = rand::random::<u64>() >> 1;
        self.sessions = std::iter::once(session).chain(before).collect();
        session
    }
}

/// The id of the store whose consumer has that name; `None` where the name holds none, as those
/// that were given before stores had ids.
fn id_in(consumer: &str) -> Option<&str> {
    consumer.rsplit_once('-').map(|(_, id)| id).filter(|id| is_id(id))
}

fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Where a file lies, as the system sees it: another one after the folder was copied, moved to
/// another disk, or mounted anew.
pub(super) fn place_of(file: &File, path: &Path) -> Result<String, StoreError> {
    let metadata = file.metadata().doing("read", path)?;
    Ok(format!("device {} inode {}", metadata.dev(), metadata.ino()))
}

fn path(layout: &Layout) -> PathBuf {
    layout.journal().join("identity")
}
