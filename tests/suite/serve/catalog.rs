//! PostgreSQL's catalog over a store, by the programs that ask for it.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use super::postgres::{psql, said, served};
use super::scene::TOKEN;
use crate::support::{file, run};

/// The tables of every store.
const TABLES: [&str; 7] = ["dead_letters", "events", "files", "losses", "quarantine", "raw_transitions", "transitions"];

#[test]
fn psql_describes_what_there_is() {
    let (_server, port) = served();
    let shown = |command: &str| {
        let ended = psql(port.number, TOKEN, &["-c", command]);
        assert_eq!(ended.status, 0, "{command}: {}", ended.stderr);
        assert!(["", "Did not find any relations."].contains(&ended.stderr.trim_end()), "{command}: {}", ended.stderr);
        ended.stdout
    };
    for command in ["\\d", "\\dt", "\\dtS+", "\\dt+ events"] {
        let told = shown(command);
        assert!(told.contains("public|events|table|postgres"), "{command}: {told}");
    }
    assert_eq!(shown("\\dt").lines().map(|line| line.split('|').nth(1).unwrap()).collect::<Vec<_>>(), TABLES);
    let events = shown("\\d events");
    for column in ["id|text|", "timestamp|timestamp with time zone|", "duration_ms|double precision|", "data|text|"] {
        assert!(events.lines().any(|line| line.starts_with(column)), "{column} in {events}");
    }
    assert!(shown("\\d+ losses").contains("lost|bigint|"), "{}", shown("\\d+ losses"));
    assert!(shown("\\l").lines().any(|line| line.starts_with("events|postgres|UTF")), "{}", shown("\\l"));
    assert!(shown("\\dn").contains("public|postgres"), "{}", shown("\\dn"));
    assert!(shown("\\du").contains("postgres"), "{}", shown("\\du"));
    for command in ["\\df", "\\dv", "\\di", "\\ds", "\\dm", "\\dx", "\\db", "\\conninfo"] {
        shown(command);
    }
    assert!(
        said(port.number, "select 'events'::regclass::oid = c.oid from pg_class c where relname = 'events'") == "t"
    );
}

#[test]
fn psql_completes_names() {
    let (_server, port) = served();
    let program = run(Command::new("sh").args(["-c", "command -v psql"])).stdout.trim_end().to_owned();
    let at = format!("host=127.0.0.1 port={} user=any password={TOKEN} dbname=events", port.number);
    let mut typed = Command::new("python3");
    typed.arg(file("tests/suite/type_into.py")).args(["3", program.as_str(), "-X", at.as_str()]);
    typed.args(["events=> ", "select service from eve\t", "eve.*nts ", "where duration\t"]);
    typed.args(["_ms ", "is null limit 0;\r", "rows?\\)[^=]*events=> ", "\\q\r"]);
    let ended = run(&mut typed);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
}

/// As the editor of Grafana's data source asks, word for word.
#[test]
fn grafana_lists_schemas_tables_and_columns() {
    let (_server, port) = served();
    let path = "quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '\"$user\"' THEN user ELSE trim(s[i]) END \
         FROM generate_series(array_lower(string_to_array(current_setting('search_path'),','),1), \
         array_upper(string_to_array(current_setting('search_path'),','),1)) as i, \
         string_to_array(current_setting('search_path'),',') s)";
    let hidden = "('information_schema', 'pg_catalog', '_timescaledb_cache', '_timescaledb_catalog', \
         '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', 'timescaledb_experimental')";
    assert_eq!(said(port.number, "SELECT current_setting('server_version_num')::int/100 as version"), "1500");
    assert_eq!(said(port.number, "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"), "");
    let schemas = format!(
        "SELECT schema_name AS \"name\" FROM information_schema.schemata WHERE schema_name NOT IN {hidden} ORDER BY schema_name"
    );
    assert_eq!(said(port.number, &schemas), "public");
    let tables = format!(
        "SELECT CASE WHEN {path} THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) \
         END AS \"table\" FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN {hidden} \
         ORDER BY CASE WHEN {path} THEN 0 ELSE 1 END, 1"
    );
    let of_one = "SELECT quote_ident(table_name) AS \"table\" FROM information_schema.tables \
         WHERE quote_ident(table_schema) = 'public' ORDER BY 1";
    assert_eq!(said(port.number, of_one).lines().collect::<Vec<_>>(), TABLES);
    let told = said(port.number, &tables);
    assert_eq!(told.lines().collect::<Vec<_>>(), TABLES, "none of them has to be named with its schema");
    for table in ["events", "public.events"] {
        let columns = format!(
            "SELECT quote_ident(column_name) AS \"column\", data_type AS \"type\" FROM information_schema.columns WHERE \
             CASE WHEN array_length(parse_ident('{table}'),1) = 2 THEN quote_ident(table_schema) = (parse_ident('{table}'))[1] \
             AND quote_ident(table_name) = (parse_ident('{table}'))[2] ELSE quote_ident(table_name) = '{table}' AND {path} END"
        );
        let told = said(port.number, &columns);
        for column in ["\"timestamp\"|timestamp with time zone", "service|text", "duration_ms|double precision"] {
            let plain = column.replace('"', "");
            assert!(told.lines().any(|line| line == column || line == plain), "{column} of {table} in {told}");
        }
    }
}

/// What its macros become.
#[test]
fn grafana_asks_for_a_range_of_time() {
    let (_server, port) = served();
    let (from, to) = ("2025-09-27T00:00:00Z", "2025-09-28T00:00:00.999Z");
    let filter = format!("ingested_at BETWEEN '{from}' AND '{to}'");
    let count = format!("select count(*) from events where {filter}");
    let all: i64 = said(port.number, &count).parse().unwrap();
    assert!(all > 0);
    let grouped = format!(
        "select floor(extract(epoch from ingested_at)/3600)*3600 AS \"time\", service as metric, count(*) as value \
         from events where {filter} group by 1, 2 order by 1"
    );
    let rows = said(port.number, &grouped);
    let sum: i64 = rows.lines().map(|row| row.rsplit('|').next().unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(sum, all);
    assert!(rows.lines().all(|row| row.split('|').next().unwrap().parse::<f64>().unwrap() % 3_600.0 == 0.0), "{rows}");
    let from_to = format!("select count(*) from events where ingested_at >= '{from}' and ingested_at <= '{to}'");
    assert_eq!(said(port.number, &from_to), all.to_string());
    said(port.number, "select extract(epoch from timestamp) as \"time\", duration_ms from events limit 5");
    said(port.number, "select timestamp AS \"time\", service from events order by timestamp limit 5");
}

/// What DBeaver and Metabase ask beside what their driver asks (see [`jdbc_reads_it`]), word for word.
#[test]
fn what_dbeaver_and_metabase_ask_is_answered() {
    let (_server, port) = served();
    let statements = std::fs::read_to_string(file("tests/suite/serve/asked_of_postgres.sql")).unwrap();
    let mut count = 0;
    for statement in statements.split("\n\n").filter(|part| !part.trim().is_empty()) {
        said(port.number, statement);
        count += 1;
    }
    assert!(count > 20, "{count} statements");
    let privileges = said(port.number, "select has_table_privilege('any', 'public.events', 'select')");
    assert_eq!(privileges, "t");
}

#[test]
fn sqlalchemy_pandas_and_asyncpg_read_it() {
    let (_server, port) = served();
    let mut command = Command::new("python3");
    command.arg(file("tests/suite/serve/ask_tools.py")).arg(port.number.to_string()).arg(TOKEN);
    let ended = run(&mut command);
    assert_eq!(ended.status, 0, "{} (make test installs what it needs)", ended.stderr);
    let told: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(told["schemas"].as_array().unwrap().contains(&json!("public")), "{told}");
    let mut tables: Vec<&str> = told["tables"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    tables.sort_unstable();
    assert_eq!(tables, TABLES);
    assert_eq!(told["columns"]["timestamp"], "TIMESTAMP");
    assert_eq!(told["columns"]["duration_ms"], "DOUBLE PRECISION");
    assert_eq!(told["columns"]["service"], "TEXT");
    for nothing in ["views", "keys", "foreign", "indexes"] {
        assert_eq!(told[nothing], json!([]), "{nothing}");
    }
    assert_eq!(told["has"], json!([true, false]));
    assert_eq!(told["counted"].as_array().unwrap().len(), 3);
    assert_eq!(told["frame"]["duration_ms"], "float64");
    assert_eq!(told["limited"], 3);
    assert_eq!(told["typed"], told["same"]);
    assert!(told["typed"].as_i64().unwrap() > 0);
    assert_eq!(told["prepared"].as_array().unwrap().len(), 2);
    assert_eq!(told["cursor"], 1_234);
    assert_eq!(told["unknown_table"], "42P01");
    assert!(told["too_large"].is_string(), "{told}");
    assert_eq!(told["given_up"], 7);
}

#[test]
fn jdbc_reads_it() {
    let (_server, port) = served();
    let mut command = Command::new("java");
    command.args(["-cp", "/usr/share/java/postgresql.jar"]).arg(file("tests/suite/serve/AskJdbc.java"));
    let ended = run(command.arg(port.number.to_string()).arg(TOKEN));
    assert_eq!(ended.status, 0, "{} (make test installs what it needs)", ended.stderr);
    let told: BTreeMap<&str, &str> = ended.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    assert!(told["version"].starts_with("15.0"), "{told:?}");
    assert_eq!(told["catalogs"], "[events]");
    assert!(told["schemas"].contains("public"), "{told:?}");
    for table in TABLES {
        assert!(told["tables"].contains(table), "{told:?}");
    }
    assert!(told["columns"].starts_with("[id, timestamp, ingested_at"), "{told:?}");
    assert!(told["types"].starts_with("[text, timestamptz, timestamptz"), "{told:?}");
    for nothing in ["keys", "imported", "indexes"] {
        assert_eq!(told[nothing], "[]", "{nothing}");
    }
    assert_eq!((told["kinds"], told["has_types"]), ("true", "true"));
    let counts: Vec<&str> = (0..8).map(|time| told[format!("count{time}").as_str()]).collect();
    assert!(counts[0].parse::<i64>().unwrap() > 0 && counts.iter().all(|count| count == &counts[0]), "{counts:?}");
    assert_eq!(told["fetched"], "1000");
    assert_eq!(told["refused"], "25006");
}
