use emp_store::Layout;

/// The name of this host's collector of that store: the same at every start, and another
/// one for another store, since two stores must not share a consumer's pending entries.
pub fn default_consumer(layout: &Layout) -> String {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' };
    let host: String = host.chars().map(plain).collect();
    let root = std::path::absolute(layout.root()).unwrap_or_else(|_| layout.root().to_owned());
    let store = crc32fast::hash(root.as_os_str().as_encoded_bytes());
    format!("{}-{store:08x}", if host.starts_with(|c: char| c.is_ascii_alphanumeric()) { &host } else { "host" })
}
