use redis::{cmd, pipe};

use super::{Connection, STREAM_LENGTH_MAX, StreamError, reply};
use emp_event::{Draft, EntryId};

/// Adds events to the stream.
pub struct Producer {
    connection: Connection,
}

impl Producer {
    /// Writes over that connection.
    pub fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Adds the events in one round trip and returns their IDs. The stream is kept at about
    /// [`STREAM_LENGTH_MAX`] entries, as every producer does.
    ///
    /// # Errors
    /// Any [`StreamError`]; how many were added is unknown then.
    pub async fn add(&mut self, drafts: &[Draft]) -> Result<Vec<EntryId>, StreamError> {
        let mut pipeline = pipe();
        for draft in drafts {
            let mut add = cmd("XADD");
            add.arg(&self.connection.stream).arg("MAXLEN").arg("~").arg(STREAM_LENGTH_MAX).arg("*");
            for (name, value) in draft.fields() {
                add.arg(name).arg(value.as_ref());
            }
            pipeline.add_command(add);
        }
        let ids = self.connection.pipeline(&pipeline).await?;
        ids.iter().map(|id| reply::entry_id(id, "XADD")).collect()
    }
}
