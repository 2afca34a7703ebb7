//! The API is what its description says: schemathesis asks whatever the description allows, and what it does not.

use std::process::{Command, Stdio};

use super::scene::{Server, TOKEN};
use crate::support::Redis;

/// What has no end is tested where it is followed.
const ENDLESS: &str = "/(tail|live)$";

#[test]
fn whatever_the_description_allows_is_answered_as_it_says() {
    let redis = Redis::start();
    let server = Server::over_sample(&["--redis", &redis.url()]);
    let job = server.get("/api/v1/search?errors=true&limit=1&filter=job_id~%3Djob").json();
    let job = job[0]["job_id"].as_str().unwrap().to_owned();
    // Of ids that somebody makes up there is nothing to be told.
    let with_job = ["timeline", "correlate", "export", "diagnose"].map(|name| (format!("/api/v1/{name}"), "job"));
    let known = with_job.into_iter().chain([("/api/traces/{id}".to_owned(), "id")]);
    let known = known.map(|(path, name)| {
        format!("[[operations]]\ninclude-path = \"{path}\"\nparameters = {{ {name} = \"{job}\" }}\n")
    });
    let config = server.folder().join("schemathesis.toml");
    std::fs::write(&config, known.collect::<String>()).unwrap();
    let url = format!("http://{}", server.host());
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
        response_headers_conformance,unsupported_method,ignored_auth";
    let asked = Command::new("schemathesis")
        .arg("--config-file")
        .arg(&config)
        .args(["run", &format!("{url}/api/v1/openapi.json"), "--url", &url, "--header"])
        .arg(format!("Authorization: Bearer {TOKEN}"))
        .args(["--exclude-path-regex", ENDLESS, "--phases", "examples,coverage,fuzzing", "--checks", checks])
        // It stops after so long, and that is no failure.
        .args(["--max-time", "40", "--max-examples", "2", "--seed", "1", "--warnings", "off", "--no-color"])
        .current_dir(server.folder())
        .stdin(Stdio::null())
        .output()
        .expect("schemathesis is there: scripts/need.sh python");
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
    assert!(said.contains("Tested:"), "{said}");
    // It is there after all that, and has said nothing that nobody should read.
    assert_eq!(server.get("/healthz").status, 200);
    assert!(!server.said().contains(TOKEN), "{}", server.said());
}
