//! A consumer's connections: its own, and those that it left behind.

use std::time::Duration;

use redis::cmd;

use super::reply;
use super::{Connection, GroupReader, StreamError};
use emp_event::EntryId;

impl GroupReader {
    /// Makes sure that nothing is read under this consumer's name any more but over this
    /// connection.
    ///
    /// A connection that broke, or whose process died, may have left a request on its way. Were it
    /// carried out after the pending entries were looked through, what it reads would be pending
    /// unseen, and once entries above it are stored it could not be told from what is stored.
    /// Redis drops what a client has asked for that it ends.
    ///
    /// # Errors
    /// Any [`StreamError`]; [`StreamError::Refused`] or [`StreamError::NoCommand`] where this cannot be asked for.
    pub async fn fence(&mut self) -> Result<(), StreamError> {
        let name = client_name(&self.connection.stream, &self.consumer);
        let clients = self.clients().await?;
        for id in clients.into_iter().filter(|client| client.name == name).map(|client| client.id) {
            let mut kill = cmd("CLIENT");
            kill.arg("KILL").arg("ID").arg(id).arg("SKIPME").arg("yes");
            self.connection.command(&kill).await?;
        }
        self.connection.command(cmd("CLIENT").arg("SETNAME").arg(name)).await.map(drop)
    }

    /// For how many whole seconds the consumer's connection has been silent, the busiest where it has several;
    /// `None` where it has none.
    ///
    /// # Errors
    /// As [`Self::fence`].
    pub async fn connection_idle(&mut self, consumer: &str) -> Result<Option<Duration>, StreamError> {
        let name = client_name(&self.connection.stream, consumer);
        let clients = self.clients().await?;
        Ok(clients.into_iter().filter(|client| client.name == name).map(|client| client.idle).min())
    }

    /// Asks for entries of which there are none: Redis then notes that the consumer is alive. Before Redis 7.2,
    /// asking for new ones is noted only where there are some.
    ///
    /// # Errors
    /// Any [`StreamError`].
    pub async fn show_life(&mut self) -> Result<(), StreamError> {
        let Connection { stream, group, .. } = &self.connection;
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(group).arg(&self.consumer).arg("COUNT").arg(1).arg("STREAMS").arg(stream);
        read.arg(EntryId::new(u64::MAX, u64::MAX - 1).to_string());
        self.connection.command(&read).await.map(drop)
    }

    async fn clients(&mut self) -> Result<Vec<reply::Client>, StreamError> {
        let mut list = cmd("CLIENT");
        list.arg("LIST").arg("TYPE").arg("normal");
        Ok(reply::clients(self.connection.command(&list).await?))
    }
}

/// What Redis calls the connections of a consumer; it takes no spaces there.
fn client_name(stream: &str, consumer: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '-' };
    format!("emp-events:{stream}:{consumer}").chars().map(plain).collect()
}
