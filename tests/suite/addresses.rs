//! Where Redis may be, beside a host and a port.

use crate::support::{Redis, Store, eventually};

#[test]
fn a_socket_in_the_file_system_is_read_by_either_scheme() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let socket = socket.to_str().unwrap();
    let redis = Redis::start_configured(&["--unixsocket", socket]);
    for (round, url) in [format!("unix://{socket}"), format!("redis+unix://{socket}")].into_iter().enumerate() {
        let store = Store::at(url);
        redis.add(5, 100);
        store.output(&["collect", "--once"]);
        assert_eq!(store.events(), 5, "round {round}");
        assert!(store.output(&["verify", "--law"]).contains("the law holds"));
        assert!(store.run(&["health"]).stdout.contains(&format!("{socket} answers")));
    }
    // With a login and a database.
    redis.command::<()>("ACL SETUSER ann on >p@ss ~* +@all");
    let store = Store::at(format!("unix://{socket}?db=2&user=ann&pass=p%40ss"));
    store.output(&["emit", "job.created", "--service", "api-server"]);
    store.output(&["collect", "--once"]);
    assert_eq!(store.events(), 1);
}

#[test]
fn a_cluster_of_one_node_is_read_where_the_stream_has_a_hash_tag() {
    let redis = Redis::start_configured(&["--cluster-enabled", "yes"]);
    redis.command::<()>("CLUSTER ADDSLOTSRANGE 0 16383");
    eventually("the cluster is up", || redis.command::<String>("CLUSTER INFO").contains("cluster_state:ok"));
    let store = Store::at(redis.url().replace("redis://", "redis+cluster://"));
    redis.command::<String>("XADD {emp}:events * service worker eventType job.claimed");
    store.output(&["collect", "--once", "--stream", "{emp}:events"]);
    assert_eq!(store.events(), 1);
    redis.command::<String>("XADD emp:events * service worker eventType job.claimed");
    let ended = store.run(&["collect"]);
    let said = ended.stderr.lines().last().unwrap();
    assert!(ended.status == 1 && said.contains("such as `--stream {emp}:events`"), "{}", ended.stderr);
}
