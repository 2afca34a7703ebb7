//! Small stores with known events.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use emp_event::{Draft, EntryId, Level};
use emp_query::{Answer, Engine, QueryError};
use emp_store::{Batch, Item, Layout, Loss, Quarantined, StoreWriter};

/// 2025-09-27T14:00:00Z, the first millisecond of an hour.
pub const BASE: i64 = 1_758_981_600_000;
pub const HOUR: i64 = 3_600_000;

/// An event that arrives `at` ms after [`BASE`], by a producer whose clock is right.
pub fn event(at: i64, service: &str, event_type: &str, job: &str) -> TestEvent {
    let draft = Draft {
        timestamp: BASE + at,
        service: service.to_owned(),
        event_type: event_type.to_owned(),
        job_id: (!job.is_empty()).then(|| job.to_owned()),
        ..Draft::default()
    };
    TestEvent { id: EntryId::new((BASE + at) as u64, 0), draft, stored: None }
}

#[derive(Debug, Clone)]
pub struct TestEvent {
    id: EntryId,
    draft: Draft,
    stored: Option<String>,
}

impl TestEvent {
    pub fn seq(mut self, seq: u64) -> Self {
        self.id.seq = seq;
        self
    }

    /// The producer's clock shows `ms` more than Redis'.
    pub fn ahead(mut self, ms: i64) -> Self {
        self.draft.timestamp += ms;
        self
    }

    pub fn data(mut self, json: &str) -> Self {
        self.draft.data = json.to_owned();
        self
    }

    /// Its place in the order of arrival.
    pub fn arrived(&self) -> EntryId {
        self.id
    }

    /// The data as another program, or an earlier version, has stored it.
    pub fn stored_as(mut self, json: &str) -> Self {
        self.stored = Some(json.to_owned());
        self
    }

    pub fn user(mut self, user: &str) -> Self {
        self.draft.user_id = Some(user.to_owned());
        self
    }

    pub fn level(mut self, level: Level) -> Self {
        self.draft.level = level;
        self
    }
}

pub struct TestStore {
    folder: tempfile::TempDir,
    pub layout: Layout,
}

impl TestStore {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        Self { folder, layout }
    }

    /// These events, durable in the journal; the writer is gone afterwards.
    pub fn journal(&self, events: &[TestEvent]) {
        self.commit(events, &mut StoreWriter::open(&self.layout, "c0").unwrap());
    }

    /// These events in Parquet files, one an hour; the segments stay beside them.
    pub fn sealed(&self, events: &[TestEvent]) {
        self.sealed_by("c0", events);
    }

    /// The same of another writer.
    pub fn sealed_by(&self, writer: &str, events: &[TestEvent]) {
        let mut writer = StoreWriter::open(&self.layout, writer).unwrap();
        self.commit(events, &mut writer);
        writer.close_segment().unwrap();
        while let Some(task) = writer.next_to_seal() {
            writer.sealed(&task.run().unwrap());
        }
    }

    fn commit(&self, events: &[TestEvent], writer: &mut StoreWriter) {
        let fields: Vec<_> = events.iter().map(|event| event.draft.fields()).collect();
        let item = |(test, fields)| {
            let test: &TestEvent = test;
            let fields: &Vec<_> = fields;
            let mut event = emp_event::decode(test.id, fields).unwrap();
            event.data = test.stored.as_ref().map_or(event.data, |json| json.as_str().into());
            Item::Event(event)
        };
        let items: Vec<Item<'_>> = events.iter().zip(&fields).map(item).collect();
        writer.commit(&Batch { items: &items, position: 0, loss: None }).unwrap();
    }

    /// An entry that is no event, after a loss.
    pub fn quarantined(&self, id: EntryId, loss: Loss) {
        let entry = Quarantined { id, reason: "no service".to_owned(), entry: "{}".to_owned(), noticed_at: BASE };
        let mut writer = StoreWriter::open(&self.layout, "c0").unwrap();
        let items = [Item::Quarantined(entry)];
        writer.commit(&Batch { items: &items, position: 0, loss: Some(loss) }).unwrap();
    }

    /// Every Parquet file, sorted.
    pub fn parquet_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "parquet") {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }

    pub fn engine(&self) -> Engine {
        Engine::open(&self.layout).unwrap()
    }

    /// The answer as text, a line a row, cells separated by ` | `.
    pub fn ask(&self, sql: &str) -> String {
        ask(&self.engine(), sql)
    }

    /// The error's message, with the store's own path as `STORE`.
    pub fn refusal(&self, sql: &str) -> String {
        self.hide_path(&refusal(&self.engine(), sql))
    }

    pub fn hide_path(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "STORE")
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(future)
}

pub fn ask(engine: &Engine, sql: &str) -> String {
    block_on(async { rows(engine.sql(sql).await.unwrap()).await.unwrap() })
}

pub fn refusal(engine: &Engine, sql: &str) -> String {
    block_on(async {
        match engine.sql(sql).await {
            Ok(answer) => {
                rows(answer).await.map(|rows| format!("no error but {rows}")).unwrap_or_else(|e| e.to_string())
            }
            Err(error) => error.to_string(),
        }
    })
}

pub async fn rows(answer: Answer) -> Result<String, QueryError> {
    Ok(answer.batches().await?.iter().flat_map(lines).collect::<Vec<_>>().join("\n"))
}

pub fn lines(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("null");
    let columns: Vec<_> =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let line = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" | ");
    (0..batch.num_rows()).map(line).collect()
}
