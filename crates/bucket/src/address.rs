//! Where a store lies that lies in a bucket.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::xxh3::xxh3_64;

/// Who keeps the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// Amazon, and all that speak like it.
    S3,
    /// Google.
    Gcs,
    /// Microsoft.
    Azure,
}

impl Provider {
    const ALL: [Self; 3] = [Self::S3, Self::Gcs, Self::Azure];

    /// What the addresses of its buckets begin with.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }
}

/// A prefix in a bucket: `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Who keeps it.
    pub provider: Provider,
    /// The bucket, or the container.
    pub bucket: String,
    /// What the names of its objects begin with, without a slash at either end; may be empty.
    pub prefix: String,
}

/// The text is no address of a store in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no store in a bucket: {why}; expected s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
)]
pub struct WrongAddress {
    text: String,
    why: &'static str,
}

impl Address {
    /// Does it look like the address of a bucket, right or wrong? A folder's path does not.
    pub fn is_meant_by(text: &str) -> bool {
        Provider::ALL
            .iter()
            .any(|provider| text.strip_prefix(provider.scheme()).is_some_and(|rest| rest.starts_with("://")))
    }

    /// A number that stands for it in the names of files.
    pub fn number(&self) -> u64 {
        xxh3_64(self.to_string().as_bytes())
    }
}

impl FromStr for Address {
    type Err = WrongAddress;

    fn from_str(text: &str) -> Result<Self, WrongAddress> {
        let wrong = |why| WrongAddress { text: text.to_owned(), why };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let provider = Provider::ALL.into_iter().find(|provider| provider.scheme() == scheme);
        let provider = provider.ok_or_else(|| wrong("nothing is known of that scheme"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || bucket.contains(['?', '#', '@', ':']) {
            return Err(wrong("it names no bucket"));
        }
        let prefix = prefix.trim_end_matches('/');
        let is_plain =
            |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['?', '#', '*', '%', '\\']);
        if !prefix.is_empty() && !prefix.split('/').all(is_plain) {
            return Err(wrong("its prefix has an empty part, `.` or `..`, or one of ?#*%\\"));
        }
        Ok(Self { provider, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.provider.scheme(), self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for (text, written) in [
            ("s3://events/production", "s3://events/production"),
            ("s3://events/production/", "s3://events/production"),
            ("s3://events", "s3://events"),
            ("gs://events/a/b", "gs://events/a/b"),
            ("az://events/a", "az://events/a"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), written);
            assert!(Address::is_meant_by(text));
        }
        assert_eq!("s3://b/p".parse::<Address>().unwrap().number(), "s3://b/p/".parse::<Address>().unwrap().number());
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, why) in [
            ("data/events", "no scheme"),
            ("ftp://host/path", "nothing is known"),
            ("s3:///prefix", "names no bucket"),
            ("s3://key:secret@bucket/prefix", "names no bucket"),
            ("s3://bucket/a//b", "empty part"),
            ("s3://bucket/../other", "`..`"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("s3://BUCKET/PREFIX"), "{error}");
        }
        assert!(!Address::is_meant_by("data/s3://x"));
    }
}
