use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use emp_distribute::{Certificate, Token, serve};
use tokio::net::TcpListener;

use super::answer::runtime;
use super::end_signals::EndSignals;
use crate::cli::failure::{Outcome, say};
use crate::cli::options::{FormatOption, Options};

/// Help with questions that read many files, for who asks with --workers
///
/// It reads the files of its store for whoever knows its token. Questions go on being asked elsewhere: there they are
/// planned, the files that they need are chosen, and these are shared among the workers by their bytes. A worker reads its
/// own store, the same folder or the same bucket as whoever asks, and nothing else; it writes nothing. All have to be of one
/// version. Workers also talk to each other, at the addresses that whoever asks calls them by.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  export EMP_EVENTS_WORKER_TOKEN=$(openssl rand -hex 16)
  emp-events worker --store s3://my-bucket/production --listen 0.0.0.0:7400 \\
      --tls-certificate fullchain.pem --tls-key key.pem
  emp-events --workers https://a.example:7400,https://b.example:7400 perf --last 90d
  SSL_CERT_FILE=ca.pem emp-events --workers https://a.example:7400 perf    by your own authority")]
pub(crate) struct Worker {
    /// Where to listen, as ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400")]
    listen: SocketAddr,
    /// What whoever asks has to know: 16 to 256 letters, digits or any of -._~
    #[arg(
        long,
        value_name = "TOKEN",
        env = "EMP_EVENTS_WORKER_TOKEN",
        hide_env_values = true,
        value_parser = Token::chosen
    )]
    token: Token,
    /// Speak TLS by this certificate, a file in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's key, a file in PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

impl Worker {
    pub fn run(self, options: &Options) -> Outcome {
        options.allow_formats(&FormatOption::OF_SENTENCES)?;
        options.expect_store()?;
        let layout = options.asked_layout(false)?;
        let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let certificate = match self.tls_certificate.as_ref().zip(self.tls_key.as_ref()) {
            Some((certificate, key)) => Some(Certificate { certificate: read(certificate)?, key: read(key)? }),
            None => None,
        };
        if certificate.is_none() && !self.listen.ip().is_loopback() {
            say("what is answered there is not encrypted: give it a certificate by --tls-certificate and --tls-key");
        }
        let scheme = if certificate.is_some() { "https" } else { "http" };
        options.start_log();
        runtime()?.block_on(async {
            let mut signals = EndSignals::watch()?;
            let listener = TcpListener::bind(self.listen).await;
            let listener = listener.with_context(|| format!("cannot listen at {}", self.listen))?;
            let address = listener.local_addr()?;
            say(&format!("{} is read for whoever asks at {scheme}://{address}", options.shown_store()));
            let worker =
                emp_distribute::Worker { layout, token: self.token, certificate, memory_bytes: options.asking.memory };
            serve(listener, worker, signals.any()).await?;
            Ok(ExitCode::SUCCESS)
        })
    }
}
