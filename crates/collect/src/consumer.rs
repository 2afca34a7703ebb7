use emp_store::{Identity, Layout};

/// The name of this host's collectors, to which the store's id is added: the same at every start.
pub fn default_consumer() -> String {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    let host: String = host.chars().map(plain).collect();
    if host.starts_with(|c: char| c.is_ascii_alphanumeric()) { host } else { "host".to_owned() }
}

/// The consumer that the store's collector is, or was last, whatever name it was started under; of a store that
/// none has opened yet, the one that this host's would be.
pub fn collector_of(layout: &Layout) -> String {
    let identity = Identity::read(layout).ok().flatten();
    let known = identity.as_ref().and_then(|identity| identity.collector().map(str::to_owned));
    known.unwrap_or_else(|| identity.map_or_else(default_consumer, |identity| identity.consumer(&default_consumer())))
}
