//! Servers on which some commands are renamed, or denied to the user.

use crate::forwarding::scene::Scene;
use crate::support::{Ended, Redis, Store, eventually, run};

/// The rights that the manual tells to give, without `ACL SETUSER`.
fn rights_in_the_manual() -> &'static str {
    let manual = include_str!("../../docs/redis.md");
    let line = manual.lines().map(str::trim).find_map(|line| line.strip_prefix("ACL SETUSER "));
    line.expect("docs/redis.md names the rights")
}

/// A store that reads as that user.
fn store_of_user(redis: &Redis, rights: &str) -> Store {
    redis.command::<()>(&format!("ACL SETUSER {rights}"));
    let (name, password) = (rights.split(' ').next().unwrap(), rights.split('>').nth(1).unwrap());
    let password = password.split(' ').next().unwrap();
    Store::at(redis.url().replace("redis://", &format!("redis://{name}:{password}@")))
}

#[track_caller]
fn assert_allowed(ended: &Ended) {
    assert_eq!(ended.status, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(!ended.stderr.contains("NOPERM"), "{}", ended.stderr);
}

#[test]
fn the_rights_in_the_manual_are_enough() {
    let Scene { redis, stub, .. } = Scene::new();
    let scene = Scene { store: store_of_user(&redis, rights_in_the_manual()), redis, stub };
    // Every way of the accounts: losses, entries left pending, a consumer that another follows.
    scene.add(0..10, 100);
    assert_allowed(&scene.store.run(&["collect", "--once", "--consumer", "c1"]));
    scene.add(10..60, 30);
    let consumer = scene.store.consumer("c1");
    let read = format!("XREADGROUP GROUP emp-collector {consumer} COUNT 5 STREAMS emp:events >");
    scene.redis.command::<redis::Value>(&read);
    scene.add(60..80, 30);
    assert_allowed(&scene.store.run(&["collect", "--once", "--consumer", "c2"]));
    assert_allowed(&scene.store.run(&["verify", "--law"]));
    assert_allowed(&scene.forward_all(&[]));
    let health = scene.store.run(&["health", "--format", "json"]).stdout;
    assert!(health.contains("by the stream") && !health.contains("NOPERM"), "it may look at all: {health}");
    scene.store.assert_accounts_for(80);
}

#[test]
fn without_client_info_and_memory_it_collects_with_one_warning() {
    let redis = Redis::start();
    let rights = rights_in_the_manual().split(' ');
    let denied = ["+client", "+info", "+memory"];
    let rights: Vec<&str> = rights.filter(|right| !denied.iter().any(|denied| right.starts_with(denied))).collect();
    let store = store_of_user(&redis, &rights.join(" "));
    redis.add(5, 100);
    assert_collects_with_one_warning(&store);
}

#[test]
fn where_client_config_and_memory_are_renamed_it_collects_with_one_warning() {
    let renamed = ["CLIENT", "CONFIG", "MEMORY"].map(|name| ["--rename-command", name, ""]);
    let redis = Redis::start_configured(&renamed.concat());
    let store = Store::of(&redis);
    redis.add(5, 100);
    assert_collects_with_one_warning(&store);
}

#[track_caller]
fn assert_collects_with_one_warning(store: &Store) {
    let ended = store.run(&["collect", "--once"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(ended.stderr.matches("WARN").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("without CLIENT LIST and CLIENT KILL"), "{}", ended.stderr);
    store.assert_accounts_for(5);
    assert!(store.output(&["verify", "--law"]).contains("the law holds"));
    let collector = store.collect(&[]);
    eventually("health is good", || store.run(&["health"]).status == 0);
    assert_eq!(collector.stop(), 0);
}

#[test]
fn a_right_that_is_missing_is_named() {
    let redis = Redis::start();
    let rights = rights_in_the_manual().replace(" +xreadgroup", "");
    let store = store_of_user(&redis, &rights);
    redis.add(5, 100);
    let ended = run(&mut store.command(&["collect"]));
    let said = ended.stderr.lines().last().unwrap_or_default();
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert!(said.contains("refuses us (NOPERM") && said.contains("xreadgroup"), "{said}");
}
