//! The real Alertmanager, kept up to date.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::scene::{Scene, WRONG};
use crate::forwarding::stub::Stub;
use crate::metrics::prometheus::get;
use crate::support::{Port, eventually, run};

/// An Alertmanager that tells a stub at once.
pub struct Alertmanager {
    process: Child,
    port: Port,
    _folder: TempDir,
}

impl Alertmanager {
    pub fn telling(stub: &Stub) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), Port::claim());
        let config = format!(
            "route: {{receiver: team, group_by: [incident], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
             receivers:\n  - name: team\n    webhook_configs: [{{url: '{}/', send_resolved: true}}]\n",
            stub.url()
        );
        std::fs::write(folder.path().join("config.yml"), config).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.arg("--config.file").arg(folder.path().join("config.yml"));
        command.arg("--storage.path").arg(folder.path().join("data")).arg("--cluster.listen-address=");
        command.arg(format!("--web.listen-address=127.0.0.1:{}", port.number)).stdin(Stdio::null());
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        let process = process.expect("prometheus-alertmanager (make test installs it)");
        let alertmanager = Self { process, port, _folder: folder };
        eventually("Alertmanager is ready", || {
            get(alertmanager.port.number, "/-/ready").is_some_and(|(status, _)| status == 200)
        });
        alertmanager
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number)
    }

    fn alerts(&self) -> Vec<Value> {
        let (status, body) = get(self.port.number, "/api/v2/alerts").unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn alertmanager_hears_of_each_incident_and_that_it_is_over() {
    let (scene, people) = (Scene::new(), Stub::start());
    let alertmanager = Alertmanager::telling(&people);
    let look_at = |now: &str| {
        let words = ["--once", "--now", now, "--page-url", "http://page", "--alertmanager", &alertmanager.url()];
        let ended = run(&mut scene.watch(&words));
        assert_eq!(ended.status, 0, "{}", ended.stderr);
    };
    look_at(WRONG);
    eventually("it has them", || alertmanager.alerts().len() == 3);
    let alerts = alertmanager.alerts();
    let of_worker = alerts.iter().find(|alert| alert["annotations"]["who"] == "worker worker-gpu02-1").unwrap();
    assert_eq!(of_worker["labels"]["alertname"], "EmpEventsIncident");
    assert_eq!(of_worker["labels"]["severity"], "critical");
    assert_eq!(of_worker["annotations"]["page"], "http://page/workers");
    assert_eq!(of_worker["annotations"]["summary"], "outlier: worker worker-gpu02-1");
    assert_eq!(of_worker["status"]["state"], "active");
    // The same ones, again: Alertmanager knows them by their labels.
    look_at("2025-09-27T10:11Z");
    assert_eq!(alertmanager.alerts().len(), 3);
    let told = |status: &str| {
        let texts: Vec<Value> =
            people.accepted().iter().map(|taken| serde_json::from_slice(&taken.body).unwrap()).collect();
        texts.iter().filter(|text| text["status"] == status).count()
    };
    eventually("people are told", || told("firing") == 3);
    // Its own clock decides what is over: they are told as ended long ago.
    look_at("2025-09-27T13:00Z");
    eventually("people are told that it is over", || told("resolved") >= 1);
}
