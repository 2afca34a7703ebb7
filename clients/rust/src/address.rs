use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo};

/// Where the master is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// At this address.
    Server(ConnectionAddr),
    /// Sentinels know it, by this name.
    Sentinels { addresses: Vec<ConnectionAddr>, master: String },
    /// Any of these nodes says which one has the stream.
    Nodes(Vec<ConnectionAddr>),
}

/// Where Redis is, and how to log in there.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) place: Place,
    pub(crate) login: RedisConnectionInfo,
    is_tls: bool,
}

/// Reads what stands behind the scheme of more than one server; the scheme of each of them is the first argument.
type Reader = fn(&str, &str) -> Result<Address, &'static str>;

/// Text that is no address of a Redis. No part of it is shown: who knows which one is the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError(&'static str);

impl std::fmt::Display for AddressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the address of Redis (REDIS_URL, or REDIS_HOST and REDIS_PORT) cannot be read: {}; it is redis://, \
             rediss://, redis+sentinel://, redis+cluster:// (or rediss+…) or unix://, and in names and passwords the characters @ / ? # % are written \
             %40 %2F %3F %23 %25",
            self.0
        )
    }
}

impl std::error::Error for AddressError {}

impl Default for Address {
    fn default() -> Self {
        let server = ConnectionAddr::Tcp("127.0.0.1".to_owned(), 6379);
        Self { place: Place::Server(server), login: RedisConnectionInfo::default(), is_tls: false }
    }
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, AddressError> {
        if cfg!(not(feature = "tls")) && url.starts_with("rediss") {
            return Err(AddressError("this program was built without the feature `tls` of emp-events-client"));
        }
        for (scheme, read) in [("+sentinel://", sentinels as Reader), ("+cluster://", nodes)] {
            match url.split_once(scheme) {
                Some(("redis", rest)) => return read("redis", rest).map_err(AddressError),
                Some(("rediss", rest)) => return read("rediss", rest).map_err(AddressError),
                _ => {}
            }
        }
        let info = url.into_connection_info().map_err(|_| AddressError("it is no URL of the kind"))?;
        Ok(Self::new(Place::Server(info.addr().clone()), info.redis_settings().clone(), url.starts_with("rediss:")))
    }

    fn new(place: Place, login: RedisConnectionInfo, is_tls: bool) -> Self {
        Self { place, login, is_tls }
    }

    /// A server that a sentinel or a node has named: as safe to reach as they are.
    pub(crate) fn named(&self, host: &str, port: u16) -> ConnectionAddr {
        let host = host.to_owned();
        match self.is_tls {
            true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host, port),
        }
    }

    /// How to reach one server that belongs to this address.
    pub(crate) fn info(&self, server: ConnectionAddr) -> ConnectionInfo {
        // Whether it succeeds or not, the connection is used only after it answered a PING: what
        // the library would say of itself costs a command that an ACL may refuse.
        connection_info(server, self.login.clone().set_skip_set_lib_name())
    }
}

/// A server alone, without a login.
pub(crate) fn connection_info(server: ConnectionAddr, login: RedisConnectionInfo) -> ConnectionInfo {
    match server.into_connection_info() {
        Ok(info) => info.set_redis_settings(login),
        // An address that is one already is always taken.
        Err(error) => unreachable!("{error}"),
    }
}

/// `[user:password@]host:port,host:port/<master>[/db]`
fn sentinels(scheme: &str, text: &str) -> Result<Address, &'static str> {
    let (login, rest) = text.rsplit_once('@').map_or(("", text), |(login, rest)| (login, rest));
    let (hosts, path) = rest.split_once('/').ok_or("the master's name is missing")?;
    let (master, database) = path.split_once('/').unwrap_or((path, "0"));
    if master.is_empty() {
        return Err("the master's name is missing");
    }
    let (addresses, login) = servers(scheme, login, hosts, 26379, database)?;
    Ok(Address::new(Place::Sentinels { addresses, master: master.to_owned() }, login, scheme == "rediss"))
}

/// `[user:password@]host:port,host:port`
fn nodes(scheme: &str, text: &str) -> Result<Address, &'static str> {
    let (login, hosts) = text.rsplit_once('@').map_or(("", text), |(login, rest)| (login, rest));
    let (addresses, login) = servers(scheme, login, hosts.trim_end_matches('/'), 6379, "0")?;
    Ok(Address::new(Place::Nodes(addresses), login, scheme == "rediss"))
}

/// Each host is read as a URL of its own, so that ports, IPv6 and escapes mean the same everywhere.
fn servers(
    scheme: &str,
    login: &str,
    hosts: &str,
    port: u16,
    database: &str,
) -> Result<(Vec<ConnectionAddr>, RedisConnectionInfo), &'static str> {
    let at = if login.is_empty() { "" } else { "@" };
    let mut addresses = Vec::new();
    let mut settings = RedisConnectionInfo::default();
    for host in hosts.split(',').map(str::trim) {
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let host = if has_port { host.to_owned() } else { format!("{host}:{port}") };
        let url = format!("{scheme}://{login}{at}{host}/{database}");
        let info = url.into_connection_info().map_err(|_| "a host, the login or the database cannot be read")?;
        settings = info.redis_settings().clone();
        addresses.push(info.addr().clone());
    }
    Ok((addresses, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> ConnectionAddr {
        ConnectionAddr::Tcp(host.to_owned(), port)
    }

    #[test]
    fn one_server_with_a_login() {
        let address = Address::parse("redis://ann:p%40ss@db.test:7000/3").unwrap();
        assert_eq!(address.place, Place::Server(tcp("db.test", 7000)));
        assert_eq!(address.login.username(), Some("ann"));
        assert_eq!(address.login.password(), Some("p@ss"));
        assert_eq!(address.login.db(), 3);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls() {
        let address = Address::parse("rediss://:secret@db.test:6380").unwrap();
        assert!(matches!(
            address.place,
            Place::Server(ConnectionAddr::TcpTls { ref host, port: 6380, insecure: false, .. }) if host == "db.test"
        ));
        assert_eq!(address.login.password(), Some("secret"));
    }

    #[test]
    fn sentinels_and_their_master() {
        let address = Address::parse("redis+sentinel://ann:secret@a:26380,b,[::1]:26382/mymaster/2").unwrap();
        let addresses = [tcp("a", 26380), tcp("b", 26379), tcp("::1", 26382)];
        let Place::Sentinels { addresses: found, master } = &address.place else { panic!("{address:?}") };
        assert_eq!((found.len(), master.as_str()), (3, "mymaster"));
        assert_eq!(found[..2], addresses[..2]);
        assert_eq!((address.login.username(), address.login.db()), (Some("ann"), 2));
    }

    #[test]
    fn nodes_of_a_cluster() {
        let address = Address::parse("redis+cluster://a:7000,b:7001").unwrap();
        assert_eq!(address.place, Place::Nodes(vec![tcp("a", 7000), tcp("b", 7001)]));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn many_servers_behind_tls() {
        for url in ["rediss+sentinel://ann:secret@a:26380/mymaster", "rediss+cluster://ann:secret@a:26380"] {
            let address = Address::parse(url).unwrap();
            let (Place::Sentinels { addresses: servers, .. } | Place::Nodes(servers)) = &address.place else {
                panic!()
            };
            assert!(
                matches!(servers[..], [ConnectionAddr::TcpTls { port: 26380, insecure: false, .. }]),
                "{servers:?}"
            );
            assert!(matches!(address.named("b", 1), ConnectionAddr::TcpTls { port: 1, .. }));
        }
    }

    #[test]
    fn what_cannot_be_read_is_shown_to_nobody() {
        for url in [
            "redis+sentinel://zoe:s3cret@a:1",
            "redis+cluster://zoe:s3cret@a:x",
            "http://zoe:s3cret@a:1",
            "zoe:s3cret@a:1",
            "redis:/zoe:s3cret@a:1",
            "redis://zoe:s3cret#1@a",
            "redis://zoe:s3cret/1@a",
            "redis://zoe:1/s3cret@a",
            "unix:///x?db=s3cret",
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(!error.contains("s3cret") && !error.contains("zoe"), "{url}: {error}");
        }
    }

    #[test]
    fn a_login_is_read_as_other_clients_read_it() {
        let login = |url: &str| {
            let address = Address::parse(url).unwrap();
            (address.login.username().map(str::to_owned), address.login.password().map(str::to_owned))
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(login("redis://u:a@b:c@h"), (text("u"), text("a@b:c")));
        assert_eq!(login("redis://u:100%25%zz%C3%BC@h"), (text("u"), text("100%%zzü")));
        assert_eq!(login("redis://name@h"), (text("name"), None));
        assert_eq!(login("unix:///run/redis.sock?db=2&user=u&pass=p%40"), (text("u"), text("p@")));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn without_the_feature_an_address_of_tls_says_what_is_missing() {
        for url in ["rediss://h:1", "rediss+sentinel://h:1/m", "rediss+cluster://h:1"] {
            assert!(Address::parse(url).unwrap_err().to_string().contains("feature `tls`"));
        }
    }
}
