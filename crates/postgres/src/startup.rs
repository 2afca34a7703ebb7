//! Who may ask: whoever knows the password, and from another machine only by TLS where there is a certificate.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures::Sink;
use pgwire::api::auth::sasl::SASLAuthStartupHandler;
use pgwire::api::auth::sasl::scram::{ScramAuth, gen_salted_password};
use pgwire::api::auth::{
    AuthSource, LoginInfo, Password, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{ClientInfo, ErrorHandler, PidSecretKeyGenerator, RandomPidSecretKeyGenerator};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use rand::RngExt as _;

use super::database::error;
use super::settings::Told;

/// As often as PostgreSQL hashes. The password is a token of 128 bits, which nobody guesses however fast.
const ITERATIONS: usize = 4_096;

/// What is known of the password: its hash, the same for every user.
#[derive(Debug)]
pub(crate) struct Known {
    salt: Vec<u8>,
    salted: Vec<u8>,
}

impl Known {
    pub fn of(password: &str) -> Self {
        let salt = rand::rng().random::<[u8; 16]>().to_vec();
        Self { salted: gen_salted_password(password, &salt, ITERATIONS), salt }
    }
}

#[async_trait]
impl AuthSource for Known {
    async fn get_password(&self, _: &LoginInfo) -> PgWireResult<Password> {
        Ok(Password::new(Some(self.salt.clone()), self.salted.clone()))
    }
}

/// What holds for every connection.
pub(crate) struct Entry {
    /// Nothing where everybody may ask.
    pub known: Option<Arc<Known>>,
    /// The certificate in PEM, to which a client may bind its proof.
    pub certificate: Option<Vec<u8>>,
    pub keys: Arc<RandomPidSecretKeyGenerator>,
    /// What each client is told.
    pub told: Told,
}

/// The beginning of one connection.
pub(crate) struct Startup {
    /// In the clear, and where a certificate is there by TLS: there the proof may be bound to it, and only there that is offered.
    by_password: Option<[SASLAuthStartupHandler<Told>; 2]>,
    wants_tls: bool,
    keys: Arc<RandomPidSecretKeyGenerator>,
    told: Told,
}

impl Startup {
    pub fn of(entry: &Entry) -> Self {
        let by_password_and = |known: &Arc<Known>, certificate: Option<&[u8]>| {
            let mut scram = ScramAuth::new(Arc::clone(known) as Arc<dyn AuthSource>);
            scram.set_iterations(ITERATIONS);
            if let Some(certificate) = certificate {
                // Of a kind to which nothing can be bound, the proof goes without: it is encrypted all the same.
                let _ = scram.configure_certificate(certificate);
            }
            let keys: Arc<dyn PidSecretKeyGenerator> = entry.keys.clone();
            SASLAuthStartupHandler::new(Arc::new(entry.told)).with_scram(scram).with_pid_secret_key_generator(keys)
        };
        let by_password = entry
            .known
            .as_ref()
            .map(|known| [by_password_and(known, None), by_password_and(known, entry.certificate.as_deref())]);
        Self { by_password, wants_tls: entry.certificate.is_some(), keys: Arc::clone(&entry.keys), told: entry.told }
    }
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if self.wants_tls && !client.is_secure() && !client.socket_addr().ip().is_loopback() {
            let why = "from another machine only encrypted connections are taken: set sslmode=require";
            return Err(error("FATAL", "28000", why));
        }
        if let Some([in_the_clear, by_tls]) = &self.by_password {
            return match client.is_secure() {
                true => by_tls.on_startup(client, message).await,
                false => in_the_clear.on_startup(client, message).await,
            };
        }
        if let PgWireFrontendMessage::Startup(startup) = &message {
            protocol_negotiation(client, startup).await?;
            save_startup_parameters_to_metadata(client, startup);
            let (id, secret) = self.keys.generate(client);
            client.set_pid_and_secret_key(id, secret);
            finish_authentication(client, &self.told).await?;
        }
        Ok(())
    }
}

/// Says what helps, in place of what the library says.
pub(crate) struct Errors;

impl ErrorHandler for Errors {
    fn on_error<C: ClientInfo>(&self, _: &C, failed: &mut PgWireError) {
        if matches!(failed, PgWireError::InvalidPassword(_)) {
            *failed = error("FATAL", "28P01", "password authentication failed: it is the token of `emp-events serve`");
        }
    }
}
