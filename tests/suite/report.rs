//! The report: the same bytes each time, and opened in a real browser.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{Ended, Redis, Store, emp_events, run};

const AS_OF: &str = "2025-09-27T12:00Z";

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/sample")
}

fn report(store: &Path, words: &[&str]) -> Ended {
    run(emp_events().arg("--store").arg(store).arg("report").args(words))
}

fn page_of(store: &Path, words: &[&str]) -> String {
    let ended = report(store, &[words, &["--output", "-"]].concat());
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    ended.stdout
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_same_store_gives_the_same_bytes_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("first.html"), folder.path().join("second.html"));
    copy(&sample(), &folder.path().join("store"));
    for (store, file) in [(sample(), &first), (folder.path().join("store"), &second)] {
        let ended = report(&store, &["--now", AS_OF, "-o", file.to_str().unwrap()]);
        assert_eq!((ended.status, ended.stdout.as_str()), (0, ""));
        assert!(ended.stderr.starts_with("written to "), "{}", ended.stderr);
    }
    let (first, second) = (fs::read(first).unwrap(), fs::read(second).unwrap());
    assert!(first == second, "two reports on the same events differ");
    assert!(first.len() < 1_000_000, "{} bytes", first.len());
}

#[test]
fn it_takes_the_place_of_what_was_there_and_follows_no_link() {
    let folder = tempfile::tempdir().unwrap();
    let (victim, link) = (folder.path().join("victim"), folder.path().join("report.html"));
    fs::write(&victim, "mine").unwrap();
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    let ended = report(&sample(), &["--now", AS_OF, "-o", link.to_str().unwrap()]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    assert!(fs::symlink_metadata(&link).unwrap().is_file() && fs::read_to_string(&link).unwrap().contains("<html"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left over");
    // A device is written to, and stays what it is.
    let ended = report(&sample(), &["--now", AS_OF, "-o", "/dev/null"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn it_is_compared_with_an_earlier_range_alone() {
    for against in ["8h", "6h1m", "1h", "2025-09-27T11:00Z", "2030-01-01"] {
        let ended = report(&sample(), &["--now", AS_OF, "--last", "6h", "--against", against, "--output", "-"]);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{against}");
        assert!(ended.stderr.contains("let --against be 2025-09-26T23:59:59.999Z or earlier"), "{}", ended.stderr);
    }
    let right_before = ["--now", AS_OF, "--since", "6h", "--until", "3h", "--against", "9h", "--output", "-"];
    assert_eq!(report(&sample(), &right_before).status, 0);
}

#[test]
fn whatever_an_event_says_that_it_took_the_report_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events.ndjson");
    let lines = [
        ("job.claimed", "1.7e308"),
        ("connector.processing_completed", "1.7e308"),
        ("webhook.delivered", "9.3e18"),
        ("job.completed", "5e-324"),
        ("job.completed", "12"),
    ];
    let lines = lines.iter().enumerate().map(|(second, (event_type, ms))| {
        format!(
            r#"{{"timestamp":175897080{second}000,"service":"worker","eventType":"{event_type}","jobId":"job_1","data":{{"durationMs":{ms}}}}}"#
        )
    });
    fs::write(&events, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let store = folder.path().join("store");
    let imported = run(emp_events().arg("--store").arg(&store).arg("import").arg(&events));
    assert_eq!(imported.status, 0, "{}", imported.stderr);
    let page = page_of(&store, &["--now", AS_OF]);
    for heading in ["Latency by event type", "Over time", "Slowest jobs"] {
        assert!(page.contains(heading), "{heading}");
    }
    assert!(!page.contains("NaN") && !page.contains(r#"width="-"#), "{page}");
    let shown = run(emp_events().arg("--store").arg(&store).args(["timeline", "job_1", "--format", "table"]));
    assert_eq!(shown.status, 0, "{}", shown.stderr);
}

#[test]
fn as_markdown_it_compares_with_an_earlier_range() {
    let words = ["--now", AS_OF, "--last", "6h", "--against", "12h", "--format", "markdown"];
    insta::assert_snapshot!("report_markdown", page_of(&sample(), &words));
}

#[test]
fn what_cannot_be_asked_is_said_in_a_line() {
    let ended = report(&sample(), &["--format", "csv"]);
    assert_eq!(ended.status, 2);
    assert_eq!(ended.stderr, "emp-events: a report is HTML, or with --format markdown Markdown\n");
    let ended = report(&sample(), &["-o", "/nowhere/report.html"]);
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.starts_with("emp-events: cannot write /nowhere/report.html: "));
    let empty = page_of(&sample(), &["--since", "2001-01-01", "--until", "2001-01-02"]);
    assert!(empty.contains("There are no events in this range."));
}

/// Looks into the frame that shows the report: what is drawn, and how large.
const LOOK: &str = r#"<!DOCTYPE html><link rel="icon" href="data:,"><iframe id="shown" src="/report.html" width="1000" height="800"></iframe>
<pre id="found"></pre><script>
window.onload = () => {
  const page = document.getElementById("shown").contentDocument;
  const charts = [...page.querySelectorAll("figure svg")].map((svg) => ({
    section: svg.closest("section").id,
    marks: svg.querySelectorAll("rect, polygon, polyline, circle, line").length,
    words: svg.querySelectorAll("text").length,
    isVisible: svg.getBoundingClientRect().width > 100 && svg.getBoundingClientRect().height > 50,
    isWhole: [...svg.children].every((mark) => mark.getBoundingClientRect().right <= svg.getBoundingClientRect().right + 2),
  }));
  const found = { charts, scripts: page.scripts.length, images: page.images.length, text: page.body.innerText.length,
    overflow: page.documentElement.scrollWidth > page.documentElement.clientWidth };
  document.getElementById("found").textContent = "FOUND" + JSON.stringify(found) + "END";
};</script>"#;

/// What a browser made of a page.
struct Seen {
    found: serde_json::Value,
    /// The paths that were asked for.
    requests: Vec<String>,
    console: Vec<String>,
}

/// Serves the page and what looks into it, and tells what was asked for.
fn serve(page: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let Some(path) = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)) else { continue };
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let body = if path == "/report.html" { page.as_str() } else { LOOK };
            asked.lock().unwrap().push(path);
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n";
            let _ = write!(&stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    (port, requests)
}

fn chromium() -> Command {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    let browser = names.into_iter().find(is_there).expect("no Chromium: scripts/need.sh chromium installs it");
    // One that hangs fails the test instead of stopping all of them.
    let mut command = Command::new("timeout");
    command.args(["600", browser]);
    command
}

fn look_at(page: String) -> Seen {
    let (port, requests) = serve(page);
    let profile = tempfile::tempdir().unwrap();
    let quiet = [
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
        "--disable-component-update",
    ];
    let output = chromium()
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-background-networking",
            "--enable-logging=stderr",
            "--dump-dom",
        ])
        .args(quiet)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    // The script itself names these words as well: the last ones are what it has written.
    let found = dom.rsplit_once("FOUND{").and_then(|(_, rest)| rest.split_once("}END"));
    let (found, _) = found.unwrap_or_else(|| panic!("the browser shows nothing: {dom}\n{log}"));
    let found = format!("{{{found}}}").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    let requests = requests.lock().unwrap().clone();
    Seen { found: serde_json::from_str(&found).unwrap(), requests, console }
}

#[test]
fn a_browser_draws_every_chart_and_asks_for_nothing_else() {
    let seen = look_at(page_of(&sample(), &["--now", AS_OF, "--last", "2d"]));
    assert_eq!(seen.console, Vec::<String>::new());
    assert_eq!(seen.requests, ["/", "/report.html"]);
    assert_eq!((&seen.found["scripts"], &seen.found["images"]), (&0.into(), &0.into()));
    assert_eq!(seen.found["overflow"], false, "the page is wider than the window");
    let charts = seen.found["charts"].as_array().unwrap();
    let of = |section: &str| charts.iter().filter(|chart| chart["section"] == section).count();
    assert_eq!((of("rates"), of("latency"), of("handoffs"), of("jobs"), of("gaps")), (1, 7, 1, 5, 1), "{charts:#?}");
    for chart in charts {
        assert!(chart["marks"].as_u64().unwrap() >= 4 && chart["words"].as_u64().unwrap() >= 3, "{chart}");
        assert!(chart["isVisible"] == true && chart["isWhole"] == true, "{chart}");
    }
}

#[test]
fn what_events_say_stays_text() {
    let redis = Redis::start();
    let store = Store::of(&redis);
    let leak = "<img src=/leak onerror=alert(1)>";
    let data = format!(r#"{{"error":"</td><script src=/leak></script>{leak}","durationMs":5}}"#);
    for event_type in ["job.created", "job.<b>started</b>", "job.failed"] {
        let words =
            ["emit", event_type, "--service", leak, "--job-id", "j</text><script>1</script>", "--level", "error"];
        store.output(&[&words[..], &["--data", &data]].concat());
        store.output(&[
            "emit",
            event_type,
            "--service",
            "</style><iframe src=/leak>",
            "--job-id",
            "j|`*x",
            "--data",
            &data,
        ]);
    }
    assert_eq!(store.run(&["collect", "--once"]).status, 0);
    let seen = look_at(page_of(&store.path(), &[]));
    assert_eq!(seen.console, Vec::<String>::new());
    assert_eq!(seen.requests, ["/", "/report.html"]);
    assert_eq!((&seen.found["scripts"], &seen.found["images"]), (&0.into(), &0.into()));
    let markdown = page_of(&store.path(), &["--format", "markdown"]);
    assert!(!markdown.contains("<script") && !markdown.contains("<img"), "{markdown}");
}
