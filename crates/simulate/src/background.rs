//! What goes on beside the jobs: the server's own life, visits, errors, checks.

use super::Simulation;
use super::chance::Length;
use super::generator::Step;
use super::json::Object;
use super::tell::{Line, Sender, Story};
use emp_event::Level;

const CHECK_EVERY_MS: f64 = 300_000.0;
const DEPLOY_HOURS: f64 = 12.0;
const START_SERVER: Length = Length::new(1_400.0, 0.3);
const CHECK: Length = Length::new(12.0, 0.5);
const BROWSE: Length = Length::new(420_000.0, 0.8);
const SUBSCRIBE: Length = Length::new(90.0, 0.4);
const PORT: i64 = 3331;

/// A request as `api.error` tells of it: route, method, status.
type Request = (&'static str, &'static str, i64);

impl Simulation {
    pub(super) fn plan_deploy(&mut self, now_us: i64) {
        let at_us = now_us + self.far_away_us(DEPLOY_HOURS);
        self.schedule(at_us, Step::Deploy);
    }

    pub(super) fn deploy(&mut self, now_us: i64) {
        let up_us = self.restart_server(now_us);
        self.plan_deploy(up_us);
    }

    /// Returns when it is up again.
    pub(super) fn restart_server(&mut self, now_us: i64) -> i64 {
        let mut story = Story::new(self.chance.trace_id(), None);
        let data = Object::new().text("reason", "SIGTERM").finish();
        self.tell(&mut story, Line::new(now_us, Sender::Api, "server.shutting_down", data));
        let up_us = now_us + self.chance.duration_us(START_SERVER);
        self.start_server(up_us);
        up_us
    }

    pub(super) fn start_server(&mut self, at_us: i64) {
        let mut story = Story::new(self.chance.trace_id(), None);
        let data = Object::new().number("port", PORT).finish();
        self.tell(&mut story, Line::new(at_us, Sender::Api, "server.starting", data));
        let ready_us = at_us + self.chance.duration_us(START_SERVER);
        let data = Object::new().number("port", PORT).number("pid", self.chance.between(20, 900));
        let data = data.text("version", "1.14.2").finish();
        self.tell(&mut story, Line::new(ready_us, Sender::Api, "server.ready", data));
    }

    pub(super) fn check_health(&mut self, now_us: i64) {
        let next_us = now_us + self.chance.scaled_us(CHECK_EVERY_MS);
        self.schedule(next_us, Step::CheckHealth);
        let took_us = self.chance.duration_us(CHECK);
        let mut story = Story::new(self.chance.trace_id(), None);
        let data = Object::new().text("status", "healthy").text("redis", "connected");
        let data = data.number("responseTimeMs", took_us / 1_000).finish();
        self.tell(&mut story, Line::new(now_us + took_us, Sender::Api, "health_check.performed", data));
    }

    pub(super) fn monitor(&mut self, now_us: i64) {
        let next_us = now_us + self.chance.scaled_us(CHECK_EVERY_MS);
        self.schedule(next_us, Step::Monitor);
        let (ready, all) = (self.fleet.workers_ready(now_us), self.fleet.workers.len());
        let data = Object::new().number("workersReady", ready as i64).number("workersTotal", all as i64).finish();
        let mut story = Story::new(self.chance.trace_id(), None);
        self.tell(&mut story, Line::new(now_us, Sender::Monitor, "monitor.workers_counted", data));
        if ready < all {
            let data = Object::new().number("workersMissing", (all - ready) as i64).finish();
            let line = Line::new(now_us, Sender::Monitor, "monitor.alert_raised", data);
            self.tell(&mut story, line.level(Level::Warn));
        }
    }

    /// A user who submits jobs may also watch them, and may ask for what is not there.
    pub(super) fn visit(&mut self, now_us: i64, user_id: &str) {
        if self.chance.happens(1_000) {
            self.watch(now_us, user_id);
        }
        if self.chance.happens(200) {
            let (request, error) = self.chance.pick(&[
                (("/jobs/:id", "GET", 404), "Job not found"),
                (("/jobs", "POST", 400), "Validation failed: \"type\" is required"),
                (("/jobs", "POST", 429), "Rate limit exceeded: 60 requests per minute"),
                (("/workflows/:id", "GET", 500), "Cannot read properties of undefined (reading 'nodes')"),
            ]);
            let mut story = Story::new(self.chance.trace_id(), None);
            self.report_api_error(&mut story, now_us, request, error, user_id);
        }
    }

    pub(super) fn report_api_error(
        &mut self,
        story: &mut Story,
        at_us: i64,
        (route, method, status): Request,
        error: &str,
        user_id: &str,
    ) {
        let data = Object::new().text("route", route).text("method", method).text("error", error);
        let data = data.number("statusCode", status).text("userId", user_id).finish();
        let level = if status < 500 { Level::Warn } else { Level::Error };
        self.tell(story, Line::new(at_us, Sender::Api, "api.error", data).level(level));
    }

    fn watch(&mut self, now_us: i64, user_id: &str) {
        let socket_id = self.chance.id("", 12);
        let mut story = Story::new(self.chance.trace_id(), None);
        let data = Object::new().text("socketId", &socket_id).text("userId", user_id).finish();
        self.tell(&mut story, Line::new(now_us, Sender::Api, "websocket.connected", data));
        let subscribed_us = now_us + self.chance.duration_us(SUBSCRIBE);
        let data = Object::new().text("socketId", &socket_id).text("channel", "jobs").finish();
        self.tell(&mut story, Line::new(subscribed_us, Sender::Api, "websocket.subscribed", data));
        let left_us = subscribed_us + self.chance.duration_us(BROWSE);
        let reason = self.chance.pick(&["transport close", "client namespace disconnect", "ping timeout"]);
        let data = Object::new().text("socketId", &socket_id).text("reason", reason).finish();
        self.tell(&mut story, Line::new(left_us, Sender::Api, "websocket.disconnected", data));
    }
}
