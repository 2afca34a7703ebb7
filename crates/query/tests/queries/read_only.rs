//! Nothing is written, and nothing is read but the store.

use insta::assert_snapshot;

use crate::support::*;

#[test]
fn statements_that_write_are_refused() {
    let store = TestStore::new();
    for sql in [
        "create table t as select 1",
        "create view v as select 1",
        "create external table t stored as parquet location '/tmp/x'",
        "create function f() returns int return 1",
        "create schema s",
        "drop table events",
        "insert into events select * from events",
        "delete from events",
        "update events set service = 'x'",
        "truncate table events",
        "copy events to '/tmp/x.parquet'",
        "copy (select 1) to '/tmp/x.csv' stored as csv",
        "set datafusion.execution.batch_size = 1",
        "reset datafusion.execution.batch_size",
        "prepare p as select 1",
        "execute p",
        "begin",
        "explain analyze insert into events select * from events",
        "explain copy events to '/tmp/x.parquet'",
        "with w as (select 1) insert into events select * from w",
        "select 1 into t",
        "merge into events using losses on true when matched then delete",
        "use x",
        "kill 1",
    ] {
        let message = store.refusal(sql);
        assert!(message.contains("is refused: a store is only read"), "{sql}: {message}");
        assert_eq!(message.lines().count(), 1, "{sql}: {message}");
    }
    assert_snapshot!(store.refusal("create table t as select 1"), @"`CREATE TABLE` is refused: a store is only read (SELECT, EXPLAIN, SHOW, DESCRIBE)");
    assert_snapshot!(store.refusal("copy events to '/tmp/x.parquet'"), @"`COPY` is refused: a store is only read (SELECT, EXPLAIN, SHOW, DESCRIBE)");
    assert_snapshot!(store.refusal("insert into events values (1)"), @"`INSERT INTO` is refused: a store is only read (SELECT, EXPLAIN, SHOW, DESCRIBE)");
    assert_snapshot!(store.refusal("set a = 1"), @"`SET` is refused: a store is only read (SELECT, EXPLAIN, SHOW, DESCRIBE)");
    assert_snapshot!(store.refusal("select 1 into t"), @"`SELECT INTO` is refused: a store is only read (SELECT, EXPLAIN, SHOW, DESCRIBE)");
}

#[test]
fn files_are_no_tables() {
    let store = TestStore::new();
    store.sealed(&[event(0, "worker", "job.created", "j1")]);
    let sealed = store.parquet_files().remove(0);
    assert_snapshot!(store.refusal("select * from '/etc/passwd'"), @"`/etc/passwd` is refused: a query reads the store's own tables (events, transitions, files, losses, quarantine, dead_letters), not files");
    assert_snapshot!(store.refusal("select * from events where id in (select id from 'x.parquet')"), @"`x.parquet` is refused: a query reads the store's own tables (events, transitions, files, losses, quarantine, dead_letters), not files");
    assert_snapshot!(store.refusal("select * from x.parquet"), @"`x.parquet` is refused: a query reads the store's own tables (events, transitions, files, losses, quarantine, dead_letters), not files");
    let own = store.refusal(&format!("select * from '{}'", sealed.display()));
    assert!(own.contains("is refused"), "{own}");
    assert!(store.refusal("select * from 'https://example.com/x.csv'").contains("is refused"));
    assert_snapshot!(store.refusal("select * from read_parquet('x.parquet')"), @"there is no table `read_parquet`");
}
