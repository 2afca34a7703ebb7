//! The prompt on a pseudo-terminal, and answers in files.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{emp_events, run, type_into};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/sample");

/// Types into the prompt: each step waits for a pattern on the screen, then types a text.
fn type_into_prompt(home: &Path, steps: &[(&str, &str)]) -> String {
    let mut typed = type_into(&["--store", SAMPLE, "--color", "never", "sql"], steps);
    typed.env("HOME", home).env_remove("XDG_STATE_HOME").env("PAGER", "cat").env("EMP_EVENTS_TZ", "UTC");
    let ended = run(&mut typed);
    assert_eq!(ended.status, 0, "{}\n{}", ended.stdout, ended.stderr);
    ended.stdout
}

#[test]
fn the_prompt_answers_stops_and_remembers() {
    let home = TempDir::new().unwrap();
    let endless = "select count(*) from generate_series(1, 1000000000000000000) where value % 7 = 8;\r";
    let screen = type_into_prompt(
        home.path(),
        &[
            ("emp> ", "select count(*) as n\r"),
            ("", "from events;\r"),
            ("43211", "\\d\r"),
            ("quarantine", endless),
            // It is at work when it shows how long it has been.
            (r"\d s\x1b\[K", "\u{3}"),
            ("interrupted", "selec 1;\r"),
            ("syntax error", "\\x\r"),
            ("tall rows are on", "select 'still here' as said;\r"),
            ("row 1", "\\q\r"),
        ],
    );
    assert!(screen.contains("said  still here"), "{screen}");
    let history = std::fs::read_to_string(home.path().join(".local/state/emp-events/history")).unwrap();
    assert!(history.contains("select count(*) as n\\nfrom events;"), "{history}");
    type_into_prompt(home.path(), &[("emp> ", "\u{4}")]);
}

/// A question that computes within one batch for an hour, and comes to no pause at which it could be stopped.
const BUSY: &str = "select max(levenshtein(repeat('a', 20000 + value % 3), repeat('b', 20000))) as busy
    from generate_series(1, 8192);\r";

#[test]
fn a_question_that_never_pauses_is_given_up_all_the_same_and_holds_up_nothing() {
    let home = TempDir::new().unwrap();
    let interrupt = (r"\d s\x1b\[K", "\u{3}");
    let screen = type_into_prompt(
        home.path(),
        &[
            ("emp> ", BUSY),
            interrupt,
            // More of them than a small machine has cores.
            ("interrupted", BUSY),
            interrupt,
            ("interrupted", BUSY),
            interrupt,
            ("interrupted", "select count(*) as n from events;\r"),
            ("43211", "\\q\r"),
        ],
    );
    assert_eq!(screen.matches("interrupted").count(), 3, "{screen}");
}

#[test]
fn answers_go_into_files_of_each_kind() {
    let folder = TempDir::new().unwrap();
    let query = "select id, timestamp, job_id, duration_ms, data from events where hour < '02'";
    let expected = "select count(*) || ' ' || count(job_id) || ' ' || sum(length(data)) from";
    let ours =
        run(emp_events().args(["--store", SAMPLE, "--format", "csv", "sql"]).arg(format!("{expected} ({query})")));
    let ours = ours.stdout.lines().last().unwrap().to_owned();
    for kind in ["parquet", "csv", "ndjson"] {
        let path = folder.path().join(format!("answer.{kind}"));
        // What is there is replaced.
        std::fs::write(&path, "old").unwrap();
        let written =
            run(emp_events().args(["--store", SAMPLE, "--memory", "256MiB", "sql", "-o"]).arg(&path).arg(query));
        assert_eq!(written.status, 0, "{}", written.stderr);
        assert!(written.stdout.is_empty() && written.stderr.contains(" rows, "), "{}", written.stderr);
        let read = match kind {
            "parquet" => "read_parquet('FILE')",
            "csv" => "read_csv('FILE')",
            _ => "read_json('FILE', columns = {id: 'VARCHAR', job_id: 'VARCHAR', data: 'VARCHAR'})",
        };
        let asked = format!("{expected} {}", read.replace("FILE", &path.display().to_string()));
        let program = "import duckdb, sys; print(duckdb.sql(sys.argv[1]).fetchall()[0][0])";
        let theirs = run(Command::new("python3").args(["-c", program, &asked]));
        assert_eq!(theirs.stdout.trim(), ours, "{kind}: {}", theirs.stderr);
    }
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 3, "nothing is left over: {files:?}");
    // What a link points to stays as it is.
    let (mine, link) = (folder.path().join("answer.csv"), folder.path().join("link.csv"));
    std::os::unix::fs::symlink(&mine, &link).unwrap();
    let written = run(emp_events().args(["--store", SAMPLE, "sql", "-o"]).arg(&link).arg("select 1"));
    assert_eq!(written.status, 0, "{}", written.stderr);
    assert!(std::fs::metadata(&mine).unwrap().len() > 100);
}

#[test]
fn a_file_that_cannot_be_written_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let export =
        |path: &Path, query: &str| run(emp_events().args(["--store", SAMPLE, "sql", "-o"]).arg(path).arg(query));
    let refused = export(&folder.path().join("answer.xyz"), "select 1");
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("does not end in .parquet, .csv, .ndjson, .json or .md"), "{}", refused.stderr);
    let refused = export(&Path::new(SAMPLE).join("answer.csv"), "select 1");
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("lies in the store"), "{}", refused.stderr);
    let refused = export(&folder.path().join("no/answer.csv"), "select 1");
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.starts_with("emp-events: cannot write "), "{}", refused.stderr);
    let refused = export(&folder.path().join("answer.csv"), "selec 1");
    assert_eq!(refused.status, 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left over");
}

#[test]
fn a_question_that_needs_more_memory_than_it_may_spills_or_says_so() {
    let ask = |memory: &str, query: &str| {
        run(emp_events().args(["--store", SAMPLE, "--memory", memory, "--format", "csv", "sql", query]))
    };
    let says_so = |refused: &str| {
        refused.contains("of memory: ask for fewer rows or columns") && refused.trim().lines().count() == 1
    };
    for memory in ["8MiB", "32MiB", "48MiB", "256MiB"] {
        let sort = "select count(*) from (select row_number() over (order by data, id) as n from events) where n > 0";
        let sorted = ask(memory, sort);
        let is_right = (sorted.status, sorted.stdout.as_str()) == (0, "count(*)\n43211\n");
        assert!(is_right || (memory != "256MiB" && says_so(&sorted.stderr)), "{memory}: {sorted:?}");
    }
    let joined =
        ask("24MiB", "select array_agg(a.data || b.data) from events a join events b on a.service = b.service");
    assert_eq!(joined.status, 1);
    assert!(says_so(&joined.stderr), "{}", joined.stderr);
}
