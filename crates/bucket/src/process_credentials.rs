//! `credential_process`: a program that prints credentials, asked again before they expire.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use object_store::aws::AwsCredential;
use object_store::{CredentialProvider, Error, Result};
use serde::Deserialize;
use tokio::sync::Mutex;

/// So long before they expire credentials are asked for again: a large upload goes on with them.
const AHEAD: Duration = Duration::from_secs(300);
/// A program that waits for somebody to type does not hold up an upload for ever.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct ProcessCredentials {
    command: String,
    profile: String,
    known: Mutex<Option<(Arc<AwsCredential>, Option<Timestamp>)>>,
}

/// What the program prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

impl ProcessCredentials {
    pub fn new(command: &str, profile: &str) -> Self {
        Self { command: command.to_owned(), profile: profile.to_owned(), known: Mutex::default() }
    }

    fn failed(&self, why: &str) -> Error {
        let text = format!("credential_process of the profile {} (`{}`) {why}", self.profile, self.command);
        Error::Generic { store: "S3", source: text.into() }
    }

    async fn ask(&self) -> Result<Printed> {
        let words = shlex::split(&self.command).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| self.failed("is no command"))?;
        let run = move || Command::new(&words[0]).args(&words[1..]).output();
        let ended = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(run)).await;
        let output = match ended {
            Ok(Ok(Ok(output))) => output,
            Ok(Ok(Err(error))) => return Err(self.failed(&format!("cannot be run: {error}"))),
            Ok(Err(error)) => return Err(self.failed(&error.to_string())),
            Err(_) => return Err(self.failed("has not ended within a minute")),
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(self.failed(&format!("failed: {}", said.lines().last().unwrap_or_default())));
        }
        // What it printed is a secret, and is not shown.
        serde_json::from_slice(&output.stdout).map_err(|_| self.failed("printed no credentials"))
    }
}

#[async_trait]
impl CredentialProvider for ProcessCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>> {
        let mut known = self.known.lock().await;
        if let Some((credential, expires)) = &*known
            && expires.is_none_or(|expires| Timestamp::now() + AHEAD < expires)
        {
            return Ok(Arc::clone(credential));
        }
        let Printed { access_key_id, secret_access_key, session_token, expiration } = self.ask().await?;
        let credential =
            Arc::new(AwsCredential { key_id: access_key_id, secret_key: secret_access_key, token: session_token });
        // One that cannot be read is taken for over already: then the program is asked each time.
        let expires = expiration.map(|text| text.parse().unwrap_or(Timestamp::MIN));
        *known = Some((Arc::clone(&credential), expires));
        Ok(credential)
    }
}
