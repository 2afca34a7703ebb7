use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use super::arguments::{path_variable, variable};
use super::ask::AskOptions;
use super::failure::Failure;
use emp_bucket::{Address, Expected, Place, Store, WrongAddress};
use emp_collect::{MemoryLimits, Settings, default_consumer};
use emp_event::Level;
use emp_store::{Layout, Retention, StoreError};
use emp_stream::{DEFAULT_STREAM, RedisAddress};

const STORE: &str = "EMP_EVENTS_STORE";
/// The store of a project in whose folder the command runs.
const USUAL_STORE: &str = "data/events";

/// Options that every command takes, before or after its name.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Options {
    /// The store's folder; for questions also a bucket that hours were archived to, such as s3://BUCKET/PREFIX, and several
    /// that are asked as one: --store A --store B
    #[arg(long = "store", global = true, value_name = "PATH|URL", env = STORE, default_value = USUAL_STORE)]
    stores: Vec<PathBuf>,
    /// Redis, as redis://[user:password@]host:port[/db], or rediss:// for TLS; also unix://, redis+cluster://host:port and
    /// redis+sentinel://host:port,host:port/master [env: REDIS_URL] [default: REDIS_HOST and REDIS_PORT, else
    /// redis://127.0.0.1:6379]
    #[arg(long, global = true, value_name = "URL")]
    redis: Option<String>,
    /// The stream's key
    #[arg(long, global = true, value_name = "KEY", env = "EMP_EVENTS_STREAM", default_value = DEFAULT_STREAM)]
    pub stream: String,
    /// What a team's own types of events mean; `check-names --help` shows its form [default: vocabulary.toml in the
    /// store's folder, where there is one]
    #[arg(long, global = true, value_name = "FILE", env = "EMP_EVENTS_VOCABULARY")]
    pub vocabulary: Option<PathBuf>,
    /// How to show the answer [default: table; in a pipe, ndjson where the answer is rows]
    #[arg(long, global = true, value_enum)]
    pub format: Option<FormatOption>,
    /// Colours; NO_COLOR turns `auto` off
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    color: ColorOption,
    #[command(flatten)]
    pub asking: AskOptions,
    /// Time zone of the times shown, such as UTC or Europe/Berlin [default: this machine's]
    #[arg(long, global = true, value_name = "ZONE", env = "EMP_EVENTS_TZ", value_parser = time_zone)]
    pub tz: Option<TimeZone>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatOption {
    Table,
    Json,
    Ndjson,
    Csv,
    Markdown,
}

impl FormatOption {
    /// The forms of an answer that is one value, and no rows.
    pub const OF_VALUES: [Self; 3] = [Self::Table, Self::Json, Self::Ndjson];
    /// The form of what is said for people alone.
    pub const OF_SENTENCES: [Self; 1] = [Self::Table];

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColorOption {
    Auto,
    Always,
    Never,
}

impl Options {
    /// Refuses a format that an answer does not have: to show another one would pass for it.
    pub fn allow_formats(&self, forms: &[FormatOption]) -> Result<(), Failure> {
        let Some(format) = self.format.filter(|format| !forms.contains(format)) else { return Ok(()) };
        let known: Vec<String> = forms.iter().map(|form| form.name()).collect();
        let known = known.join(", ");
        Err(Failure::Usage(format!("this answer has no form as {}; it has {known}", format.name())))
    }

    /// Where Redis is: `--redis` or `REDIS_URL`, else `REDIS_HOST` and `REDIS_PORT`.
    pub fn redis(&self) -> Result<RedisAddress, Failure> {
        if let Some(url) = self.redis.as_deref().filter(|url| !url.is_empty()) {
            return RedisAddress::parse(url).map_err(|error| Failure::Usage(error.to_string()));
        }
        let address = match variable("REDIS_URL") {
            Some(url) => {
                return RedisAddress::parse(&url).map_err(|error| Failure::Usage(format!("REDIS_URL: {error}")));
            }
            None => RedisAddress::from_parts(variable("REDIS_HOST").as_deref(), variable("REDIS_PORT").as_deref()),
        };
        address.map_err(|error| Failure::Usage(error.to_string()))
    }

    /// The store of a command that needs one; the first, where there are several.
    pub fn store(&self) -> &Path {
        self.stores.first().map_or(Path::new(USUAL_STORE), PathBuf::as_path)
    }

    /// How a person calls the store, or all of them.
    #[cfg_attr(not(feature = "query"), expect(dead_code, reason = "only questions name it"))]
    pub fn shown_store(&self) -> String {
        self.stores.iter().map(|store| store.display().to_string()).collect::<Vec<_>>().join(", ")
    }

    /// The stores' paths, where a command has to name them to ask the same ones.
    #[cfg_attr(not(feature = "query"), expect(dead_code, reason = "only questions name commands to type next"))]
    pub fn named_stores(&self) -> Vec<String> {
        let is_usual = self.stores == [Path::new(USUAL_STORE)]
            || std::env::var_os(STORE).is_some_and(|store| self.stores == [Path::new(&store)]);
        let stores = self.stores.iter().filter(|_| !is_usual);
        stores.map(|store| store.display().to_string()).collect()
    }

    /// The zone of the times shown.
    pub fn time_zone(&self) -> TimeZone {
        self.tz.clone().unwrap_or_else(TimeZone::system)
    }

    /// Where the stores are.
    fn places(&self) -> Result<Vec<Place>, Failure> {
        let place = |store: &PathBuf| match store.to_str().filter(|text| Address::is_meant_by(text)) {
            None => Ok(Place::Folder(store.clone())),
            Some(text) => {
                Ok(Place::Bucket(text.parse().map_err(|error: WrongAddress| Failure::Usage(error.to_string()))?))
            }
        };
        self.stores.iter().map(place).collect()
    }

    /// The stores that lie in folders.
    pub fn folders(&self) -> Vec<Layout> {
        let folders = self.stores.iter().filter(|store| !store.to_str().is_some_and(Address::is_meant_by));
        folders.map(Layout::new).collect()
    }

    /// Is it one store in a folder, which a collector may be at work on?
    #[cfg_attr(not(feature = "query"), expect(dead_code, reason = "only questions read others"))]
    pub fn is_one_folder(&self) -> bool {
        self.stores.len() == 1 && self.folders().len() == 1
    }

    /// Are there several stores, or is there one in a bucket, of which there may be several below its address? Then each.
    pub fn each_elsewhere(&self) -> Result<Option<Vec<Store>>, Failure> {
        match self.places()?.as_slice() {
            [Place::Folder(_)] => Ok(None),
            places => {
                self.expect_folders()?;
                let stores = emp_bucket::stores_at(places, Expected::default()).map_err(anyhow::Error::from)?;
                Ok(Some(stores))
            }
        }
    }

    /// The places of all that is asked, wherever it lies. `ids` tells that an id is asked about.
    #[cfg_attr(not(feature = "query"), expect(dead_code, reason = "only questions read a bucket"))]
    pub fn asked_layout(&self, ids: bool) -> Result<Layout, StoreError> {
        let places = self.places().map_err(|failure| StoreError::Elsewhere(failure.to_string()))?;
        if let [Place::Folder(path)] = places.as_slice() {
            return emp_bucket::with_archive(Layout::new(path));
        }
        self.expect_folders().map_err(|failure| StoreError::Elsewhere(failure.to_string()))?;
        let asked = emp_bucket::stores_at(&places, Expected { ids }).and_then(emp_bucket::together);
        asked.map_err(|error| StoreError::Elsewhere(error.to_string()))
    }

    /// The store's places, where it is one folder.
    pub fn folder_layout(&self) -> Result<Layout, Failure> {
        match self.places()?.as_slice() {
            [Place::Folder(path)] => Ok(Layout::new(path)),
            [Place::Bucket(address)] => Err(Failure::Usage(format!(
                "{address} can be asked, and is written by the collector whose store it is: this command needs that \
                 store's folder, --store PATH"
            ))),
            places => Err(Failure::Usage(format!(
                "{} stores are named, which can be asked as one: this command needs the folder of one, --store PATH",
                places.len()
            ))),
        }
    }

    /// The folders among the stores have to be there.
    fn expect_folders(&self) -> Result<(), Failure> {
        match self.folders().iter().find(|layout| !layout.root().is_dir()) {
            None => Ok(()),
            Some(layout) => Err(no_store(layout.root())),
        }
    }

    /// The stores have to be there, wherever they lie.
    #[cfg_attr(not(feature = "query"), expect(dead_code, reason = "only questions read a bucket"))]
    pub fn expect_store(&self) -> Result<(), Failure> {
        self.places()?;
        self.expect_folders()
    }

    /// The same of a store that has to be there.
    pub fn existing_layout(&self) -> Result<Layout, Failure> {
        let layout = self.folder_layout()?;
        if layout.root().is_dir() { Ok(layout) } else { Err(no_store(layout.root())) }
    }

    /// What a collector of these options would do.
    pub fn collect_settings(&self, consumer: Option<String>) -> Result<Settings, Failure> {
        let layout = self.folder_layout()?;
        Ok(Settings {
            address: self.redis()?,
            stream: self.stream.clone(),
            consumer: consumer.unwrap_or_else(default_consumer),
            layout,
            adopt: None,
            once: false,
            event_log: None,
            seal_every: None,
            retention: Retention::default(),
            archive: None,
            memory: MemoryLimits::default(),
            meter: Arc::default(),
        })
    }

    /// May what goes there be coloured?
    pub fn colors(&self, output: &impl IsTerminal) -> bool {
        match self.color {
            ColorOption::Always => true,
            ColorOption::Never => false,
            ColorOption::Auto => {
                std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && output.is_terminal()
            }
        }
    }

    /// Sends log lines to stderr: what a command does while it goes on.
    pub fn start_log(&self) {
        self.start_log_of("info");
    }

    /// The same, of what weighs as much as that, where nobody says otherwise.
    pub fn start_log_of(&self, level: &str) {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        let stderr = std::io::stderr();
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(self.colors(&stderr))
            .with_target(false)
            .with_writer(std::io::stderr)
            .init();
    }
}

fn no_store(path: &Path) -> Failure {
    Failure::Failed(anyhow::anyhow!(
        "there is no store at {}; set --store, or start `emp-events collect`",
        path.display()
    ))
}

/// A runtime for commands that wait for Redis: one thread is enough, and another one to sync.
pub(super) fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().max_blocking_threads(2).enable_all().build()
}

/// Which store a command line means that is still being typed.
#[cfg_attr(not(feature = "query"), expect(dead_code, reason = "only what the store has is completed"))]
pub(super) fn store_in(words: impl Iterator<Item = OsString>) -> PathBuf {
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let behind = words.iter().position(|word| word == "--store").and_then(|at| words.get(at + 1)).map(String::as_str);
    let given = behind.or_else(|| words.iter().find_map(|word| word.strip_prefix("--store=")));
    given.map(PathBuf::from).or_else(|| path_variable(STORE)).unwrap_or_else(|| USUAL_STORE.into())
}

/// How many places a line of stdout has: those of its terminal, else what COLUMNS says; `None` where nothing is known.
pub(super) fn screen_width() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|width| *width > 0);
    let terminal = terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    terminal.or(columns)
}

/// A text over as many lines as it takes on such a screen, those behind the first that far in; `begun` places of the first
/// are taken.
pub(super) fn wrapped(text: &str, begun: usize, indent: usize) -> String {
    /// Texts are never squeezed further than this.
    const TEXT_WIDTH_MIN: usize = 24;
    let Some(width) = screen_width() else { return text.to_owned() };
    let (before, behind) = (" ".repeat(begun), " ".repeat(indent));
    let wide = textwrap::Options::new(width.max(indent + TEXT_WIDTH_MIN)).break_words(false);
    textwrap::fill(text, wide.initial_indent(&before).subsequent_indent(&behind)).split_off(begun)
}

/// A time zone by its name; none is this machine's.
pub(super) fn time_zone(name: &str) -> Result<TimeZone, String> {
    if name.is_empty() {
        return Ok(TimeZone::system());
    }
    TimeZone::get(name).map_err(|_| "expected a time zone, such as UTC or Europe/Berlin".to_owned())
}

/// A level by its name.
pub(super) fn level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| "expected debug, info, warn or error".to_owned())
}
