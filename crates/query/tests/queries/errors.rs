//! Every message a mistake can get.

use insta::assert_snapshot;

use emp_query::{Engine, Settings};
use emp_store::Layout;

use crate::support::*;

fn store() -> TestStore {
    let store = TestStore::new();
    store.journal(&[event(0, "worker", "job.created", "j1"), event(1, "worker", "job.claimed", "j2")]);
    store
}

#[test]
fn a_store_that_is_not_there() {
    let error = Engine::open(&Layout::new("/nowhere/events")).unwrap_err();
    assert_snapshot!(error, @"there is no store at /nowhere/events: start `emp-events collect`, or pass --store");
}

#[test]
fn unknown_columns_name_the_nearest() {
    let store = store();
    assert_snapshot!(store.refusal("select jobid from events"), @"there is no column `jobid`; did you mean `job_id`?");
    assert_snapshot!(store.refusal("select jobId from events"), @"there is no column `jobid`; did you mean `job_id`?");
    assert_snapshot!(store.refusal("select * from events where servce = 'worker'"), @"there is no column `servce`; did you mean `service`?");
    assert_snapshot!(store.refusal("select e.evnt_type from events e"), @"there is no column `e.evnt_type`; did you mean `event_type`?");
    assert_snapshot!(store.refusal("select service from events order by tmestamp"), @"there is no column `tmestamp`; did you mean `timestamp`?");
    assert_snapshot!(store.refusal("select service from events group by servic"), @"there is no column `servic`; did you mean `service`?");
    assert_snapshot!(store.refusal("select colour from events"), @"there is no column `colour`");
    assert_snapshot!(store.refusal("select * from events where service = \"worker\""), @"there is no column `worker`: to compare with a text, write 'worker'");
    assert_snapshot!(store.refusal("select x.service from events"), @"there is no column `x.service`; did you mean `events.service`?");
    assert_snapshot!(store.refusal("select id from events e join events f on true"), @"`id` could be a column of several tables: say which one");
}

#[test]
fn unknown_tables_name_the_nearest() {
    let store = store();
    assert_snapshot!(store.refusal("select * from event"), @"there is no table `event`; did you mean `events`?");
    assert_snapshot!(store.refusal("describe evnts"), @"there is no table `evnts`; did you mean `events`?");
    assert_snapshot!(store.refusal("show columns from evnts"), @"there is no table `evnts`; did you mean `events`?");
    assert_snapshot!(store.refusal("select * from jobs"), @"there is no table `jobs`");
    assert_snapshot!(store.refusal("select * from public.evnts"), @"there is no table `evnts`; did you mean `events`?");
    assert_snapshot!(store.refusal("select * from information_schema.tabels"), @"there is no table `tabels`");
}

#[test]
fn unknown_functions_name_the_nearest() {
    let store = store();
    assert_snapshot!(store.refusal("select cuont(*) from events"), @"there is no function `cuont`; did you mean `count`?");
    assert_snapshot!(store.refusal("select frobnicate(id) from events"), @"there is no function `frobnicate`");
}

#[test]
fn syntax_errors_show_the_place() {
    let store = store();
    assert_snapshot!(store.refusal("select from events"), @r"
    syntax error: expected an expression, found from
      select from events
                  ^
    ");
    assert_snapshot!(store.refusal("select service events where"), @r"
    syntax error: expected an expression, found the end
      select service events where
                                 ^
    ");
    assert_snapshot!(store.refusal("select service,\n\tcount(*)\nfrom events\ngroup service"), @r"
    syntax error: expected end of statement, found group
      group service
      ^
    ");
    assert_snapshot!(store.refusal("select * from events where service = 'worker"), @r"
    syntax error: unterminated string literal
      select * from events where service = 'worker
                                           ^
    ");
    assert_snapshot!(store.refusal("select count(* from events"), @r"
    syntax error: expected ), found from
      select count(* from events
                     ^
    ");
    assert_snapshot!(store.refusal("select * from events where"), @r"
    syntax error: expected an expression, found the end
      select * from events where
                                ^
    ");
    assert_snapshot!(store.refusal("selct 1"), @r"
    syntax error: expected an SQL statement, found selct
      selct 1
      ^
    ");
}

#[test]
fn not_one_statement() {
    let store = store();
    assert_snapshot!(store.refusal("select 1; select 2"), @"only one statement can be answered at a time");
    assert_snapshot!(store.refusal("  -- nothing\n"), @"there is no statement: try `select * from events limit 10`");
    assert_eq!(store.ask("select 1;"), "1");
}

#[test]
fn types_that_do_not_fit() {
    let store = store();
    assert_snapshot!(store.refusal("select sum(service) from events"), @"`sum` does not take a value of type Utf8");
    assert_snapshot!(store.refusal("select timestamp + 1 from events"), @"a time is moved by an interval: write now() - interval '1 hour', or since('1h')");
    assert_snapshot!(store.refusal("select * from events where timestamp > now() - '1 hour'"), @"a time is moved by an interval: write now() - interval '1 hour', or since('1h')");
    assert_snapshot!(store.refusal("select data['userId'] from events"), @"`data` is JSON in a text and has no field `userId`: write data->>'userId'");
    assert_snapshot!(store.refusal("select data.user.id from events"), @"`data` is JSON in a text and has no field `user`: write data->>'user'");
    assert_snapshot!(store.refusal("select data->>userId from events"), @"a key of `data` stands in single quotes: write data->>'userId'");
    assert_snapshot!(store.refusal("select data -> \"userId\" from events"), @"a key of `data` stands in single quotes: write data->>'userId'");
    assert_snapshot!(store.refusal("select quantile_cont(duration_ms) from events"), @"`quantile_cont` takes (Float64, Float64), not (Float64)");
    assert_snapshot!(store.refusal("select cast('x' as date)"), @"`x` is no date: try_cast(… as date) makes a null of it");
    assert_snapshot!(store.refusal("select * from events where timestamp > 'friday'"), @"error parsing timestamp from 'friday': timestamp must contain at least 10 characters");
    assert_snapshot!(store.refusal("select cast(service as int) from events"), @"`worker` is no int: try_cast(… as int) makes a null of it");
    assert_snapshot!(store.refusal("select 1 / (count(*) - 2) from events"), @"divide by zero error");
    assert_snapshot!(store.refusal("select service, count(*) from events"), @"the column `events.service` must stand in GROUP BY, or inside an aggregate function");
    assert_snapshot!(store.refusal("select * from events where job_id = $job_id"), @"`$job_id` has no value: only canned queries take parameters");
    assert_snapshot!(store.refusal("select sum(data->>'progress') from events"), @"`sum` takes no text: write try_cast(data->>'progress' as double)");
    assert_snapshot!(store.refusal("select max(data->'progress') from events"), @"`->` gives JSON, which is no value to reckon with: write data->>'progress', or try_cast(data->>'progress' as double)");
    assert_snapshot!(store.refusal("select sum(data -> 'progress') from events"), @"`->` gives JSON, which is no value to reckon with: write data->>'progress', or try_cast(data->>'progress' as double)");
    assert_snapshot!(store.refusal("select lower() from events"), @"'lower' does not support zero arguments");
}

#[test]
fn a_query_too_large_for_its_share_of_memory() {
    let store = TestStore::new();
    let settings = Settings { memory_bytes: Some(4 << 20), spill_bytes: Some(1 << 20), ..Settings::default() };
    let engine = Engine::open_with(&store.layout, settings).unwrap();
    assert_snapshot!(
        refusal(&engine, "select array_agg(value) from generate_series(1, 1000000)"),
        @"the query needs more than 4 MiB of memory: ask for fewer rows or columns, or for a shorter time"
    );
    assert_snapshot!(
        refusal(&engine, "select value, repeat('x', 1000) as x from generate_series(1, 1000000) order by x, value desc"),
        @"the query needs more than 4 MiB of memory: ask for fewer rows or columns, or for a shorter time"
    );
}
