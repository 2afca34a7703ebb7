//! What is asked of a bucket: each question once more where the server hiccups, and every doubt ended by looking.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, MultipartUpload as _, ObjectStore, ObjectStoreExt as _, PutMode,
    PutMultipartOptions, PutOptions, PutPayload,
};

use super::address::Address;
use super::connect::connect;
use super::error::BucketError;

/// The attribute of an object that holds the CRC-32 of its bytes, as eight hexadecimal digits.
const CRC: &str = "crc32";
/// What is larger is put in parts of this size, one after the other: the least that S3 allows, since a collector holds one.
const PART_BYTES: u64 = 5 << 20;
/// So often something that was not put is put again, each time after a longer pause.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// How long a small answer may take …
const ANSWER: Duration = Duration::from_secs(30);
/// … and how slow a line may be beside that, in bytes a second.
const SLOWEST: u64 = 50_000;
/// So much of what a server says is shown.
const SAID_MAX: usize = 300;

/// A store's prefix in a bucket.
#[derive(Debug, Clone)]
pub struct Remote {
    address: Address,
    store: Arc<dyn ObjectStore>,
}

/// An object, as its head tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its size.
    pub bytes: u64,
    /// What it says its checksum is.
    pub crc: Option<String>,
}

/// What an object is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    /// Its size.
    pub bytes: u64,
    /// The CRC-32 of its bytes.
    pub crc: u32,
}

impl Sum {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, crc: crc32fast::hash(bytes) }
    }

    /// Of a file, read once.
    ///
    /// # Errors
    /// What the system says where it cannot be read.
    pub fn of_file(path: &FilePath) -> std::io::Result<Self> {
        let (mut file, mut hasher, mut bytes) = (File::open(path)?, crc32fast::Hasher::new(), 0);
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Self { bytes, crc: hasher.finalize() }),
                read => {
                    hasher.update(&buffer[..read]);
                    bytes += read as u64;
                }
            }
        }
    }

    fn digits(self) -> String {
        format!("{:08x}", self.crc)
    }

    fn shown(self) -> String {
        format!("{} bytes, CRC-32 {}", self.bytes, self.digits())
    }
}

/// What is asked for may be there as it was.
pub enum Changed {
    /// It is as it was.
    Unchanged,
    /// It holds this now, under that tag.
    Now(Vec<u8>, Option<String>),
}

impl Remote {
    /// The way to that prefix; nothing is asked yet.
    ///
    /// # Errors
    /// [`BucketError`] where there are no credentials, or the settings make no sense.
    pub fn open(address: &Address) -> Result<Self, BucketError> {
        Ok(Self { address: address.clone(), store: connect(address)? })
    }

    /// The way to a bucket that a test holds.
    #[cfg(test)]
    pub(crate) fn over(address: &Address, store: Arc<dyn ObjectStore>) -> Self {
        Self { address: address.clone(), store }
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The whole address of an object.
    pub fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    fn path(&self, name: &str) -> Path {
        match self.address.prefix.as_str() {
            "" => Path::from(name),
            prefix => Path::from(format!("{prefix}/{name}")),
        }
    }

    /// Puts a file there, once and for all: where an object of that name is there and holds the same, all is well.
    ///
    /// # Errors
    /// [`BucketError::Differs`] where it holds something else; else what the bucket refused.
    pub async fn put_file(&self, name: &str, file: &FilePath, sum: Sum) -> Result<(), BucketError> {
        let unreadable = |source| BucketError::Io { action: "read", path: file.to_owned(), source };
        let opened = File::open(file).map_err(unreadable)?;
        if sum.bytes > PART_BYTES {
            return self.put_in_parts(name, &opened, sum).await;
        }
        let mut bytes = Vec::with_capacity(sum.bytes as usize);
        (&opened).read_to_end(&mut bytes).map_err(unreadable)?;
        if Sum::of(&bytes) != sum {
            return Err(BucketError::Damaged {
                place: file.display().to_string(),
                detail: "it changed while it was read".to_owned(),
            });
        }
        self.put_once(name, bytes).await
    }

    /// The same of bytes.
    ///
    /// # Errors
    /// As [`Self::put_file`].
    pub async fn put_once(&self, name: &str, bytes: Vec<u8>) -> Result<(), BucketError> {
        let sum = Sum::of(&bytes);
        let (path, payload) = (self.path(name), PutPayload::from(bytes));
        let mut tries = 0;
        loop {
            let options = PutOptions { mode: PutMode::Create, attributes: attributes(sum), ..PutOptions::default() };
            let put = self.store.put_opts(&path, payload.clone(), options);
            let Err(error) = self.within(sum.bytes, name, put).await else { return Ok(()) };
            // It may be ours: an answer that was lost on its way, a start before this one.
            match self.head(name).await {
                Ok(Some(found)) => return self.compare(name, &found, sum).await,
                // A server that was busy with another create of that name says it is there, and it is not.
                Ok(None) if tries < TRIES && error.may_pass() => tries += 1,
                _ => return Err(error),
            }
            tokio::time::sleep(PAUSE * tries).await;
        }
    }

    async fn put_in_parts(&self, name: &str, file: &File, sum: Sum) -> Result<(), BucketError> {
        // A multipart upload writes over whatever is there.
        if let Some(found) = self.head(name).await? {
            return self.compare(name, &found, sum).await;
        }
        let options = PutMultipartOptions { attributes: attributes(sum), ..PutMultipartOptions::default() };
        let path = self.path(name);
        let mut upload = self.within(0, name, self.store.put_multipart_opts(&path, options)).await?;
        let mut hasher = crc32fast::Hasher::new();
        let mut at = 0;
        let done = loop {
            let length = PART_BYTES.min(sum.bytes - at);
            if length == 0 {
                break Ok(());
            }
            let mut part = vec![0; length as usize];
            if let Err(source) = file.read_exact_at(&mut part, at) {
                break Err(BucketError::Away { place: self.place(name), why: source.to_string() });
            }
            hasher.update(&part);
            if let Err(error) = self.within(length, name, upload.put_part(PutPayload::from(part))).await {
                break Err(error);
            }
            at += length;
        };
        let is_same = hasher.finalize() == sum.crc;
        let ended = match done {
            Ok(()) if is_same => self.within(0, name, upload.complete()).await.map(|_| ()),
            Ok(()) => Err(BucketError::Damaged {
                place: self.place(name),
                detail: "the file changed while it was read".to_owned(),
            }),
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => Ok(()),
            Err(error) => {
                // Where that fails, a rule of the bucket removes what was begun.
                let _ = self.within(0, name, upload.abort()).await;
                self.settle(name, sum, error).await
            }
        }
    }

    /// After a put that failed, or seems to have: what is there decides.
    async fn settle(&self, name: &str, sum: Sum, error: BucketError) -> Result<(), BucketError> {
        match self.head(name).await {
            Ok(Some(found)) => self.compare(name, &found, sum).await,
            // Nothing is there, or that cannot be told: the failure was one.
            Ok(None) | Err(_) => Err(error),
        }
    }

    async fn compare(&self, name: &str, found: &Found, sum: Sum) -> Result<(), BucketError> {
        let crc = match &found.crc {
            _ if found.bytes != sum.bytes => found.crc.clone(),
            Some(crc) => Some(crc.clone()),
            // A server that forgets attributes: then the bytes have to tell.
            None => Some(Sum::of(&self.get(name, found.bytes).await?).digits()),
        };
        if found.bytes == sum.bytes && crc.as_deref() == Some(&sum.digits()) {
            return Ok(());
        }
        let there = format!("{} bytes, CRC-32 {}", found.bytes, crc.as_deref().unwrap_or("unknown"));
        Err(BucketError::Differs { place: self.place(name), there, ours: sum.shown() })
    }

    /// Is that object there, and does it hold that?
    ///
    /// # Errors
    /// [`BucketError::Missing`] and [`BucketError::Differs`] where it is not so; else what the bucket refused.
    pub async fn prove(&self, name: &str, sum: Sum) -> Result<(), BucketError> {
        match self.head(name).await? {
            Some(found) => self.compare(name, &found, sum).await,
            None => Err(BucketError::Missing { place: self.place(name) }),
        }
    }

    /// Writes over whatever is there.
    ///
    /// # Errors
    /// What the bucket refused; it may hold the new bytes all the same.
    pub async fn put_over(&self, name: &str, bytes: Vec<u8>) -> Result<(), BucketError> {
        let sum = Sum::of(&bytes);
        let options = PutOptions { attributes: attributes(sum), ..PutOptions::default() };
        self.within(sum.bytes, name, self.store.put_opts(&self.path(name), bytes.into(), options)).await.map(|_| ())
    }

    /// What is known of an object without its bytes; `None` where there is none.
    ///
    /// # Errors
    /// What the bucket refused.
    pub async fn head(&self, name: &str) -> Result<Option<Found>, BucketError> {
        let path = self.path(name);
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.within(0, name, self.store.get_opts(&path, options)).await {
            Ok(result) => {
                let crc = result.attributes.get(&Attribute::Metadata(CRC.into()));
                Ok(Some(Found { bytes: result.meta.size, crc: crc.map(|crc| crc.to_string()) }))
            }
            Err(BucketError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All bytes of an object, which are about so many.
    ///
    /// # Errors
    /// [`BucketError::Missing`], or what the bucket refused.
    pub async fn get(&self, name: &str, bytes: u64) -> Result<Vec<u8>, BucketError> {
        let path = self.path(name);
        let body = async { self.store.get(&path).await?.bytes().await };
        Ok(self.within(bytes, name, body).await?.into())
    }

    /// The same, of which the size and the checksum are known.
    ///
    /// # Errors
    /// As [`Self::get`], and [`BucketError::Damaged`] where it holds something else.
    pub async fn get_checked(&self, name: &str, sum: Sum) -> Result<Vec<u8>, BucketError> {
        let bytes = self.get(name, sum.bytes).await?;
        let found = Sum::of(&bytes);
        if found == sum {
            return Ok(bytes);
        }
        let detail = format!("it has {}, not {}", found.shown(), sum.shown());
        Err(BucketError::Damaged { place: self.place(name), detail })
    }

    /// Some bytes of an object.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_range(&self, name: &str, range: std::ops::Range<u64>) -> Result<Vec<u8>, BucketError> {
        let path = self.path(name);
        let length = range.end - range.start;
        let bytes: Vec<u8> = self.within(length, name, self.store.get_range(&path, range)).await?.into();
        if bytes.len() as u64 == length {
            return Ok(bytes);
        }
        let detail = format!("{} of {length} bytes came", bytes.len());
        Err(BucketError::Damaged { place: self.place(name), detail })
    }

    /// An object where its tag is another one now.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_if_changed(&self, name: &str, tag: Option<&str>) -> Result<Changed, BucketError> {
        let path = self.path(name);
        let options = GetOptions { if_none_match: tag.map(str::to_owned), ..GetOptions::default() };
        let body = async {
            match self.store.get_opts(&path, options).await {
                Err(Error::NotModified { .. }) => Ok(Changed::Unchanged),
                Err(error) => Err(error),
                Ok(result) => {
                    let tag = result.meta.e_tag.clone();
                    Ok(Changed::Now(result.bytes().await?.into(), tag))
                }
            }
        };
        self.within(64 << 10, name, body).await
    }

    /// Removes an object; one that is gone already is no error.
    ///
    /// # Errors
    /// What the bucket refused.
    pub async fn delete(&self, name: &str) -> Result<(), BucketError> {
        let path = self.path(name);
        match self.within(0, name, self.store.delete(&path)).await {
            Err(BucketError::Missing { .. }) => Ok(()),
            done => done,
        }
    }

    /// The names below a prefix, with their sizes. Nothing that must be right relies on it.
    ///
    /// # Errors
    /// What the bucket refused.
    pub async fn list(&self, below: &str) -> Result<Vec<(String, u64)>, BucketError> {
        let path = self.path(below);
        let root = self.path("").to_string();
        let listed = self.store.list(Some(&path)).map_ok(|meta| {
            let name = meta.location.to_string();
            let name = name.strip_prefix(&root).unwrap_or(&name).trim_start_matches('/').to_owned();
            (name, meta.size)
        });
        let mut names: Vec<(String, u64)> =
            listed.boxed().try_collect().await.map_err(|error| self.told(below, &error))?;
        names.sort_unstable();
        Ok(names)
    }

    /// The names right below the prefix under which there is more.
    ///
    /// # Errors
    /// What the bucket refused.
    pub async fn folders(&self) -> Result<Vec<String>, BucketError> {
        let path = self.path("");
        let listed = self.store.list_with_delimiter(Some(&path)).await.map_err(|error| self.told("", &error))?;
        let names = listed.common_prefixes.iter().filter_map(|folder| folder.filename().map(str::to_owned));
        Ok(names.collect())
    }

    async fn within<T>(
        &self,
        bytes: u64,
        name: &str,
        asked: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, BucketError> {
        let patience = ANSWER + Duration::from_secs(bytes / SLOWEST);
        match tokio::time::timeout(patience, asked).await {
            Ok(answer) => answer.map_err(|error| self.told(name, &error)),
            Err(_) => Err(BucketError::Away {
                place: self.place(name),
                why: format!("nothing came within {} s", patience.as_secs()),
            }),
        }
    }

    /// The library's error in words that name the object and what to do.
    fn told(&self, name: &str, error: &Error) -> BucketError {
        let place = self.place(name);
        let text = with_causes(error);
        let says = |code: &str| text.contains(code);
        let why = said(&text);
        match error {
            _ if says("NoSuchBucket") || says("ContainerNotFound") => {
                BucketError::Away { place, why: format!("there is no bucket `{}`", self.address.bucket) }
            }
            _ if says("RequestTimeTooSkewed") => BucketError::Denied {
                place,
                why: "this machine's clock is more than 15 minutes off the server's: set it right".to_owned(),
            },
            _ if says("ExpiredToken") || says("TokenRefreshRequired") => {
                BucketError::Denied { place, why: format!("the credentials have expired: get new ones ({why})") }
            }
            _ if says("InvalidObjectState") => BucketError::Denied {
                place,
                why: "it was moved to a class of storage that has to be restored first".to_owned(),
            },
            Error::NotFound { .. } => BucketError::Missing { place },
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => BucketError::Denied { place, why },
            _ => BucketError::Away { place, why },
        }
    }
}

fn attributes(sum: Sum) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::Metadata(CRC.into()), sum.digits().into());
    attributes
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some say what their cause says, too.
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// What the server said, in one line: the code and the message where it sent XML.
fn said(text: &str) -> String {
    let within = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(value, _)| value.trim())
    };
    if let Some(code) = within("Code") {
        return within("Message").map_or_else(|| code.to_owned(), |message| format!("{code}, {message}"));
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SAID_MAX).collect()
}
