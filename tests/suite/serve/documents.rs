//! What docs/grafana.md tells people to set up is answered.

use regex::Regex;

use super::scene::Server;
use crate::support::file;

/// What Grafana puts in for the range of a panel.
const FROM: &str = "1758931200000";
const TO: &str = "1758974400000";

#[test]
fn the_addresses_and_the_statement_of_the_document_are_answered() {
    let document = std::fs::read_to_string(file("docs/grafana.md")).unwrap();
    let document = document.replace("${__from}", FROM).replace("${__to}", TO);
    let server = Server::over_sample(&[]);
    let addresses = Regex::new(r"http://127\.0\.0\.1:7373(/api/v1/[^`]+)`").unwrap();
    let mut asked = 0;
    for found in addresses.captures_iter(&document).filter(|found| &found[1] != "/api/v1/sql") {
        let answer = server.get(&found[1]);
        assert_eq!(answer.status, 200, "{}: {}", &found[1], answer.text());
        assert!(answer.text().len() > 10, "{}: {}", &found[1], answer.text());
        asked += 1;
    }
    assert!(asked >= 5, "{asked} addresses");
    let body = document.lines().find(|line| line.starts_with("{\"statement\"")).unwrap();
    let answer = server.post("/api/v1/sql", body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json().as_array().unwrap().len() > 100);
}
