//! Sentinels and clusters.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{PATIENCE, Problems, Server, builder, client, emit, free_port, wait_until};

#[test]
fn a_sentinel_names_the_master_and_the_next_one() {
    let first = Server::start(&[]);
    let second = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (port, config) = (free_port(), folder.path().join("sentinel.conf"));
    let text = format!("port {port}\nsentinel monitor main 127.0.0.1 {} 1\n", first.port);
    std::fs::write(&config, text).unwrap();
    let sentinel = Sentinel::start(&config, port);
    let client = client(&format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{port}/main"));
    emit(&client, 10);
    assert!(client.flush(PATIENCE), "{:?}", client.stats());
    assert_eq!(first.length(), 10);

    // The old master becomes a replica, and the sentinel names another.
    sentinel.ask(&["SENTINEL", "REMOVE", "main"]);
    sentinel.ask(&["SENTINEL", "MONITOR", "main", "127.0.0.1", &second.port.to_string(), "1"]);
    first.do_it(&["REPLICAOF", "127.0.0.1", &second.port.to_string()]);
    emit(&client, 10);
    assert!(client.flush(PATIENCE), "{:?}", client.stats());
    assert_eq!(second.length(), 10);
}

#[test]
fn a_node_of_a_cluster_names_the_one_that_has_the_stream() {
    let nodes = [0, 1].map(|_| Server::start(&["--cluster-enabled", "yes"]));
    nodes[0].do_it(&["CLUSTER", "MEET", "127.0.0.1", &nodes[1].port.to_string()]);
    let slot: u32 = nodes[0].query(&["CLUSTER", "KEYSLOT", "emp:events"]);
    // All slots but the stream's at the first, which is the only one the client knows.
    nodes[0].do_it(&["CLUSTER", "ADDSLOTSRANGE", "0", &(slot - 1).to_string(), &(slot + 1).to_string(), "16383"]);
    nodes[1].do_it(&["CLUSTER", "ADDSLOTS", &slot.to_string()]);
    wait_until("the cluster is whole", || {
        nodes.iter().all(|it| it.query::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
    });
    let problems = Problems::default();
    let address = format!("redis+cluster://127.0.0.1:{}", nodes[0].port);
    let client = problems.listen(builder(&address)).build().unwrap();
    emit(&client, 1_200);
    assert!(client.flush(PATIENCE), "{:?}", client.stats());
    assert_eq!(nodes[1].length(), 1_200);
    assert!(problems.told().is_empty(), "to be sent to another node is no problem: {:?}", problems.told());
}

struct Sentinel(std::process::Child, u16);

impl Sentinel {
    fn start(config: &std::path::Path, port: u16) -> Self {
        let child = std::process::Command::new("redis-server")
            .arg(config)
            .arg("--sentinel")
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let sentinel = Self(child, port);
        wait_until("the sentinel answers", || sentinel.connection().is_ok());
        sentinel
    }

    fn connection(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.1))?.get_connection()
    }

    fn ask(&self, words: &[&str]) {
        redis::cmd(words[0]).arg(&words[1..]).exec(&mut self.connection().unwrap()).unwrap();
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
