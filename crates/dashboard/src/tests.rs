#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::text::Text;

use emp_investigate::Investigation;
use emp_query::Engine;
use emp_store::Layout;

use super::{Dashboard, Overview, Request, StoreState};

/// The sample store as of a moment in which jobs are stuck.
async fn overview() -> Overview {
    let sample = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/sample");
    let engine = Engine::open(&Layout::new(&sample)).unwrap();
    let now_ms = "2025-09-27T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let investigation = Investigation::open(&engine, now_ms).await.unwrap();
    Overview::look(&investigation, None).await.unwrap()
}

async fn dashboard() -> Dashboard {
    let mut dashboard = Dashboard::new(TimeZone::UTC, false);
    let state = StoreState { store: "data/sample".to_owned(), ..StoreState::default() };
    dashboard.update(Ok((overview().await, state)));
    dashboard
}

fn screen(dashboard: &Dashboard, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| dashboard.draw(frame)).unwrap();
    let screen = terminal.backend().to_string();
    screen.lines().map(|line| line.trim_matches('"').trim_end()).collect::<Vec<_>>().join("\n")
}

fn press(dashboard: &mut Dashboard, code: KeyCode) -> Request {
    dashboard.press(KeyEvent::new(code, KeyModifiers::NONE))
}

#[tokio::test]
async fn it_fits_terminals_of_every_size() {
    let dashboard = dashboard().await;
    insta::assert_snapshot!("top_80", screen(&dashboard, (80, 24)));
    insta::assert_snapshot!("top_140", screen(&dashboard, (140, 40)));
    for size in [(1, 1), (20, 5), (40, 60), (400, 100)] {
        screen(&dashboard, size);
    }
}

#[tokio::test]
async fn no_digit_of_a_count_is_cut_however_large_it_is() {
    let mut dashboard = dashboard().await;
    let overview = dashboard.overview.as_mut().unwrap();
    overview.slow_types[0].count = 1_234_567;
    overview.errors[0].count = 98_765;
    overview.services[0].per_minute.fill(24_680_135);
    for size in [(80, 40), (120, 40), (160, 50)] {
        let shown = screen(&dashboard, size);
        for whole in [" 1,234,567 ", "98,765 ", " 24,680,135 "] {
            let is_whole = |line: &str| format!(" {line}").contains(&format!(" {}", whole.trim_start()));
            assert!(shown.lines().any(is_whole), "{whole} of {size:?}:\n{shown}");
        }
    }
}

#[tokio::test]
async fn keys_lead_to_a_job_and_back() {
    let mut dashboard = dashboard().await;
    let jobs: Vec<String> =
        dashboard.overview.as_ref().unwrap().judged.unhealthy.iter().map(|one| one.job_id.clone()).collect();
    assert!(jobs.len() >= 2, "{jobs:?}");
    assert_eq!(press(&mut dashboard, KeyCode::Down), Request::Show);
    let timeline = Request::Job { job_id: jobs[1].clone(), is_diagnosis: false };
    assert_eq!(press(&mut dashboard, KeyCode::Enter), timeline);
    dashboard.open(jobs[1].clone(), Text::raw("first\nsecond\nthird"));
    assert_eq!(press(&mut dashboard, KeyCode::Down), Request::Show);
    let shown = screen(&dashboard, (80, 24));
    assert!(shown.contains("second") && !shown.contains("first"), "{shown}");
    let diagnosis = Request::Job { job_id: jobs[1].clone(), is_diagnosis: true };
    assert_eq!(press(&mut dashboard, KeyCode::Char('d')), diagnosis);
    assert_eq!(press(&mut dashboard, KeyCode::Esc), Request::Show);
    assert!(screen(&dashboard, (80, 24)).contains("need a look"));
    assert_eq!(press(&mut dashboard, KeyCode::Char('q')), Request::Quit);
}

#[tokio::test]
async fn a_key_leads_to_all_that_changed() {
    let mut dashboard = dashboard().await;
    assert!(screen(&dashboard, (140, 40)).contains("connect ECONNREFUSED 127.0.0.1:8188"));
    assert_eq!(press(&mut dashboard, KeyCode::Char('c')), Request::Changes);
    dashboard.open_changes(Text::raw("1 change"));
    assert!(screen(&dashboard, (80, 24)).contains("what changed"));
    // There is no job to be diagnosed.
    assert_eq!(press(&mut dashboard, KeyCode::Char('d')), Request::Show);
    assert_eq!(press(&mut dashboard, KeyCode::Esc), Request::Show);
    assert!(screen(&dashboard, (80, 24)).contains("need a look"));
}

#[tokio::test]
async fn a_job_is_asked_for_by_its_id() {
    let mut dashboard = dashboard().await;
    press(&mut dashboard, KeyCode::Char('/'));
    "job_qx".chars().for_each(|typed| drop(press(&mut dashboard, KeyCode::Char(typed))));
    press(&mut dashboard, KeyCode::Backspace);
    assert!(screen(&dashboard, (80, 24)).contains("job: job_q▏"));
    assert_eq!(press(&mut dashboard, KeyCode::Enter), Request::Job { job_id: "job_q".to_owned(), is_diagnosis: false });
}

#[tokio::test]
async fn a_look_that_fails_is_said_and_the_last_one_stays() {
    let mut dashboard = dashboard().await;
    press(&mut dashboard, KeyCode::Down);
    dashboard.update(Err("there is no store at data/events".to_owned()));
    let shown = screen(&dashboard, (100, 30));
    assert!(shown.contains("! there is no store at data/events") && shown.contains("need a look"), "{shown}");
    // The job that was chosen stays so when others come before it.
    let mut later = overview().await;
    later.judged.unhealthy.swap(0, 1);
    dashboard.update(Ok((later, StoreState::default())));
    assert_eq!(dashboard.selected, 0);
}
