//! Real faults, and the alerts that Prometheus gives by the project's rules.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::prometheus::{Prometheus, promtool};
use super::told::told;
use crate::forwarding::scene::Scene;
use crate::forwarding::stub::Answer;
use crate::support::{Port, Redis, Store, eventually, file, without_settings};

#[test]
fn the_rules_are_as_promtool_wants_them_and_fire_where_they_have_to() {
    let folder = file("ops/prometheus");
    promtool(&["check", "rules", "emp-events.rules.yml"], &folder, None);
    promtool(&["check", "config", "prometheus.yml"], &folder, None);
    promtool(&["test", "rules", "emp-events.rules.test.yml"], &folder, None);
    let checked = Command::new("amtool").arg("check-config").arg(folder.join("alertmanager.yml")).output();
    assert!(checked.expect("amtool (make test installs it)").status.success());
}

/// Each rule is in the document that says what it means.
#[test]
fn every_alert_is_explained() {
    let rules = std::fs::read_to_string(file("ops/prometheus/emp-events.rules.yml")).unwrap();
    let document = std::fs::read_to_string(file("docs/alerts.md")).unwrap();
    let names: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(document.contains(&format!("`{name}`")), "docs/alerts.md says nothing of {name}");
    }
}

/// Each expression of the dashboard, with what Grafana puts in for its variables.
fn expressions() -> Vec<String> {
    let text = std::fs::read_to_string(file("ops/grafana/emp-events.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let filled = targets.map(|target| {
        let expression = target["expr"].as_str().unwrap().replace("$instance", ".*");
        expression.replace("$__rate_interval", "1m").replace("$__range", "10m")
    });
    filled.collect()
}

#[test]
fn a_collector_that_ends_what_is_lost_then_and_what_is_no_event_are_told() {
    let (redis, port) = (Redis::start(), Port::claim());
    let store = Store::of(&redis);
    redis.add(10, 1_000);
    let listen = format!("127.0.0.1:{}", port.number);
    let collector = store.collect(&["--metrics-listen", &listen]);
    let prometheus = Prometheus::over(&[port.number]);
    let asked = |name: &str| prometheus.number(&format!("emp_events_collector_{name}"));
    eventually("Prometheus knows of them", || asked("stored_total") == Some(10.0));
    // Before it was scraped for the first time nobody knew of one.
    prometheus.resolves("EmpEventsNoCollector");
    assert_eq!(prometheus.firing().into_iter().collect::<Vec<_>>(), [""; 0], "all is well");
    // The growth of a count is known once it has been seen twice.
    redis.command::<String>("XADD emp:events * nonsense 1");
    prometheus.fires("EmpEventsQuarantine");
    for expression in expressions() {
        let samples = prometheus.ask(&expression);
        let is_of_others = ["emp_events_forwarder", "emp_events_questions", "redis_memory_max"];
        let is_of_others = is_of_others.iter().any(|name| expression.contains(name));
        assert!(is_of_others || !samples.is_empty(), "the dashboard asks in vain: {expression}");
    }
    collector.crash();
    prometheus.fires("EmpEventsDown");
    prometheus.fires("EmpEventsNoCollector");
    // Nobody reads them.
    redis.add(50, 5);
    let collector = store.collect(&["--metrics-listen", &listen]);
    prometheus.fires("EmpEventsLosing");
    prometheus.resolves("EmpEventsDown");
    prometheus.resolves("EmpEventsNoCollector");
    eventually("what was lost is counted", || asked("lost_total") == Some(45.0));
    assert_eq!(collector.stop(), 0);
}

#[test]
fn a_receiver_that_is_away_is_told_and_that_it_is_back() {
    let (scene, port) = (Scene::new(), Port::claim());
    scene.stub.answer(|_| Answer::Refuse(503));
    // As long as they have waited an outage would have to last.
    scene.add_hours_ago(1, 0..5, 1_000);
    let forwarder = scene.start(&["--metrics-listen", &format!("127.0.0.1:{}", port.number)]);
    let prometheus = Prometheus::over(&[port.number]);
    prometheus.fires("EmpEventsForwarderStalled");
    scene.stub.answer(|_| Answer::Refuse(401));
    prometheus.fires("EmpEventsForwarderBlocked");
    scene.stub.answer(|_| Answer::Accept);
    prometheus.resolves("EmpEventsForwarderStalled");
    prometheus.resolves("EmpEventsForwarderBlocked");
    scene.stub.answer(|_| Answer::Refuse(400));
    scene.add(5..8, 1_000);
    prometheus.fires("EmpEventsDeadLetters");
    assert_eq!(forwarder.stop(), 0);
}

/// What gives a program mounts of its own: as whoever tests, or, where a container or a chroot does not allow that, as root.
fn in_namespace() -> Command {
    let of_users = ["--user", "--map-root-user", "--mount"];
    let is_allowed = crate::support::run(Command::new("unshare").args(of_users).arg("true")).status == 0;
    let mut command = Command::new("unshare");
    command.args(if is_allowed { &of_users[..] } else { &of_users[2..] });
    command
}

/// A disk of six megabytes, most of them taken by a file, in a namespace of the collector's own.
#[test]
fn a_disk_that_is_full_is_told_and_that_it_is_not_any_more() {
    let (redis, port, folder) = (Redis::start(), Port::claim(), tempfile::tempdir().unwrap());
    let (disk, listen) = (folder.path().join("disk"), format!("127.0.0.1:{}", port.number));
    std::fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=6m tmpfs \"$0\" && head -c 4500000 /dev/zero > \"$0/ballast\" && exec \"$@\"";
    let mut command = in_namespace();
    command.args(["sh", "-c", script]).arg(&disk);
    let elsewhere = Store::of(&redis);
    without_settings(&mut command);
    command
        .arg(env!("CARGO_BIN_EXE_emp-events"))
        .arg("--store")
        .arg(disk.join("store"))
        .args(["--redis", &redis.url()]);
    command.args(["--color", "never", "collect", "--metrics-listen", &listen]);
    let collector = elsewhere.background(&mut command);
    let prometheus = Prometheus::over(&[port.number]);
    eventually("it is at work", || told(port.number, "emp_events_collector_active") == Some(1.0));
    assert!(!prometheus.firing().contains("EmpEventsDiskFull"));
    let mut added: u32 = 0;
    eventually("the disk is full", || {
        redis.add(500, 1_000_000);
        added += 500;
        told(port.number, "emp_events_collector_blocked") == Some(1.0)
    });
    prometheus.fires("EmpEventsBlocked");
    prometheus.fires("EmpEventsDiskFull");
    // The disk of the collector, as it sees it.
    let ballast = PathBuf::from(format!("/proc/{}/root{}/ballast", collector.id(), disk.display()));
    std::fs::remove_file(ballast).unwrap();
    prometheus.resolves("EmpEventsBlocked");
    prometheus.resolves("EmpEventsDiskFull");
    eventually("all is stored", || told(port.number, "emp_events_collector_stored_total") == Some(f64::from(added)));
    assert_eq!(collector.stop(), 0);
}
