//! `--metrics-listen`: what Prometheus is told of a daemon.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use clap::Args;
use tracing::{info, warn};

use crate::cli::failure::Failure;
use emp_collect::CollectorMetrics;
use emp_forward::{Source, tell_forwarder};
use emp_metrics::{Kind, Listener, Text, Told, tell_process};

#[derive(Debug, Args)]
pub(super) struct MetricsOptions {
    /// Tell Prometheus how it goes, at http://ADDR/metrics; it has no events in it, and asks for no token
    #[arg(long, value_name = "ADDR", env = "EMP_EVENTS_METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
}

/// What is told: of whichever works in this process.
pub(super) struct OfDaemon {
    pub collector: Option<CollectorMetrics>,
    pub forwarder: Option<Source>,
}

impl MetricsOptions {
    /// Begins to listen, where that is asked for, and goes on as long as the runtime does.
    ///
    /// # Errors
    /// Where nobody can listen there.
    pub async fn listen(&self, told: impl FnOnce() -> OfDaemon) -> Result<(), Failure> {
        let Some(address) = self.metrics_listen else { return Ok(()) };
        let listener = Listener::bind(address).await.map_err(|error| Failure::Failed(error.into()))?;
        let address = listener.address().unwrap_or(address);
        info!("metrics are at http://{address}/metrics");
        if !address.ip().is_loopback() {
            warn!("whoever reaches {address} can read them: they have numbers and no events");
        }
        tokio::spawn(listener.run(Arc::new(told())));
        Ok(())
    }
}

impl Told for OfDaemon {
    fn now(&self) -> Pin<Box<dyn Future<Output = Text> + Send + '_>> {
        Box::pin(async {
            let mut text = Text::default();
            let build = "emp_events_build_info";
            text.family(build, Kind::Gauge, "The version of this program.");
            text.number(build, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
            if let Some(collector) = &self.collector {
                collector.tell(&mut text).await;
            }
            if let Some(Source { address, stream, .. }) = &self.forwarder {
                tell_forwarder(address, stream, &mut text).await;
            }
            tell_process(&mut text);
            text
        })
    }
}
