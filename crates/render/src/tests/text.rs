use crate::paint::of_service;
use crate::text::visible;
use crate::{Format, UnknownFormat};

#[test]
fn what_a_terminal_would_obey_becomes_visible() {
    assert_eq!(visible("plain"), "plain");
    assert_eq!(visible("two\nlines\tand\r"), r"two\nlines\tand\r");
    assert_eq!(visible("\u{1b}[2J\u{9b}31m\u{7}\0"), r"\u{1b}[2J\u{9b}31m\u{7}\u{0}");
    assert_eq!(visible("abc\u{202e}cba\u{200b}"), r"abc\u{202e}cba\u{200b}");
    assert_eq!(visible("日本語 👩‍👩‍👧"), "日本語 👩‍👩‍👧");
}

#[test]
fn formats_by_name() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert_eq!("JSON".parse(), Ok(Format::Json));
    let error: Result<Format, UnknownFormat> = "yaml".parse();
    let message = error.expect_err("no such format").to_string();
    assert_eq!(message, "unknown format `yaml`; there are table, json, ndjson, csv and markdown");
}

#[test]
fn the_usual_services_have_colours_of_their_own() {
    let services = ["api-server", "worker", "connector", "machine", "webhook-service", "monitor"];
    for (index, service) in services.iter().enumerate() {
        for other in &services[..index] {
            assert_ne!(of_service(service), of_service(other), "{service} and {other}");
        }
    }
}

#[test]
fn of_a_name_that_is_too_long_both_ends_are_left() {
    let shown = |width: usize| crate::grid::fit_middle("render-worker-eu-07-gpu-3", width);
    assert_eq!(
        (shown(25), shown(16), shown(7)),
        ("render-worker-eu-07-gpu-3".into(), "render-…07-gpu-3".into(), "ren…u-3".into())
    );
}
