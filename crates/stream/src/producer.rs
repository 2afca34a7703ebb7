use redis::{cmd, pipe};

use super::{Connection, STREAM_LENGTH_MAX, StreamError, reply};
use emp_event::{Draft, EntryId};

/// Adds events to the stream.
pub struct Producer {
    connection: Connection,
    /// How many entries the stream is kept at, about; all where nothing is said.
    length_max: Option<u64>,
}

impl Producer {
    /// Writes over that connection, and takes nothing out of the stream.
    pub fn new(connection: Connection) -> Self {
        Self { connection, length_max: None }
    }

    /// The same, which keeps the stream at about [`STREAM_LENGTH_MAX`] entries, as services do.
    #[must_use]
    pub fn that_trims(self) -> Self {
        Self { length_max: Some(STREAM_LENGTH_MAX), ..self }
    }

    /// Adds the events in one round trip and returns their IDs.
    ///
    /// # Errors
    /// Any [`StreamError`]; how many were added is unknown then.
    pub async fn add(&mut self, drafts: &[Draft]) -> Result<Vec<EntryId>, StreamError> {
        let mut pipeline = pipe();
        for draft in drafts {
            let mut add = cmd("XADD");
            add.arg(&self.connection.stream);
            if let Some(length_max) = self.length_max {
                add.arg("MAXLEN").arg("~").arg(length_max);
            }
            add.arg("*");
            for (name, value) in draft.fields() {
                add.arg(name).arg(value.as_ref());
            }
            pipeline.add_command(add);
        }
        let ids = self.connection.pipeline(&pipeline).await?;
        ids.iter().map(|id| reply::entry_id(id, "XADD")).collect()
    }
}
