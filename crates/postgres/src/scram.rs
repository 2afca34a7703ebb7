//! SCRAM-SHA-256: a password is proven to be known, and never sent. RFC 5802 and RFC 7677.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq as _;

/// The name of the mechanism.
pub(crate) const MECHANISM: &str = "SCRAM-SHA-256";
/// How often the password is hashed.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();

/// A conversation that was begun.
pub(crate) struct Scram {
    client_first: String,
    server_first: String,
    salted: [u8; 32],
    nonce: String,
}

impl Scram {
    /// Answers the client's first message; `None` where it is none.
    pub fn begin(message: &str, password: &str) -> Option<Self> {
        Self::begin_with(message, password, rand::random(), &BASE64_STANDARD.encode(rand::random::<[u8; 18]>()))
    }

    fn begin_with(message: &str, password: &str, salt: [u8; 16], own: &str) -> Option<Self> {
        // No channel is bound: the line is no TLS.
        let client_first = message.strip_prefix("n,").or_else(|| message.strip_prefix("y,"))?.split_once(',')?.1;
        let theirs = client_first.split(',').find_map(|part| part.strip_prefix("r="))?;
        let nonce = format!("{theirs}{own}");
        let server_first = format!("r={nonce},s={},i={ITERATIONS}", BASE64_STANDARD.encode(salt));
        let mut salted = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut salted);
        Some(Self { client_first: client_first.to_owned(), server_first, salted, nonce })
    }

    /// What is asked of the client.
    pub fn challenge(&self) -> &str {
        &self.server_first
    }

    /// What proves to the client that we know the password, too; `None` where it does not.
    pub fn end(&self, message: &str) -> Option<String> {
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let nonce = without_proof.split(',').find_map(|part| part.strip_prefix("r="))?;
        let proof = BASE64_STANDARD.decode(proof).ok()?;
        let all = format!("{},{},{without_proof}", self.client_first, self.server_first);
        let stored = digest::digest(&digest::SHA256, &self.key("Client Key"));
        let signature = signed(stored.as_ref(), &all);
        if nonce != self.nonce || proof.len() != signature.len() {
            return None;
        }
        let key: Vec<u8> = proof.iter().zip(&signature).map(|(proof, signature)| proof ^ signature).collect();
        let theirs = digest::digest(&digest::SHA256, &key);
        let is_known = bool::from(theirs.as_ref().ct_eq(stored.as_ref()));
        is_known.then(|| format!("v={}", BASE64_STANDARD.encode(signed(&self.key("Server Key"), &all))))
    }

    fn key(&self, name: &str) -> Vec<u8> {
        signed(&self.salted, name)
    }
}

fn signed(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_conversation_of_the_specification_is_understood() {
        let salt: [u8; 16] = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let begin = |password| {
            Scram::begin_with("n,,n=user,r=rOprNGfwEbeRWgbNEkqO", password, salt, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
                .unwrap()
        };
        let scram = begin("pencil");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        assert_eq!(scram.challenge(), format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
        let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(scram.end(&last).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(begin("Pencil").end(&last), None);
        assert_eq!(scram.end("c=biws,r=other,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), None);
        assert_eq!(scram.end("nonsense"), None);
    }
}
