//! Telling the user's server of a job's end.

use super::Simulation;
use super::chance::Length;
use super::incident::IncidentKind;
use super::job::{Fate, Job};
use super::json::Object;
use super::tell::{Line, Sender, elapsed_ms};
use emp_event::Level;

/// Whom the webhook service tells.
pub(super) const URLS: [&str; 3] =
    ["https://hooks.acme.example/emp", "https://api.studio.example/jobs/done", "https://n8n.example/webhook/7"];
const DELIVERIES_MAX: i64 = 3;
const NOTICE: Length = Length::new(120.0, 0.5);
const RESPOND: Length = Length::new(180.0, 0.6);
const REDELIVER_AFTER_MS: f64 = 10_000.0;

impl Simulation {
    /// The webhook service tells the user's server, again and again where it must.
    pub(super) fn deliver(&mut self, job: &mut Job, ended_us: i64, about: &str) {
        let url = self.chance.pick(&URLS);
        let mut at_us = ended_us;
        for attempt in 1..=DELIVERIES_MAX {
            at_us += self.chance.duration_us(NOTICE);
            let data = Object::new().text("url", url).text("about", about).number("attempt", attempt).finish();
            self.tell(&mut job.story, Line::new(at_us, Sender::Webhook, "webhook.delivering", data));
            if job.fate == Fate::WebhookLost {
                self.note_sign(IncidentKind::LostWebhook, at_us);
                return;
            }
            let sent_us = at_us;
            at_us += self.chance.duration_us(RESPOND);
            let response_ms = elapsed_ms(sent_us, at_us);
            let is_refused = self.troubles.refuses(url, sent_us);
            if is_refused && attempt == DELIVERIES_MAX {
                self.note_hit(IncidentKind::EndpointDown, job.story.job_id.as_deref());
            }
            if is_refused {
                self.note_sign(IncidentKind::EndpointDown, at_us);
            }
            if !self.chance.happens(150) && !is_refused {
                let data = Object::new().number("statusCode", 200).number("responseTimeMs", response_ms).finish();
                self.tell(&mut job.story, Line::new(at_us, Sender::Webhook, "webhook.delivered", data));
                return;
            }
            let status = self.chance.pick(&[500, 502, 503]);
            let data = Object::new().number("statusCode", status).number("responseTimeMs", response_ms);
            let data = data.text("error", "the receiver answered with an error").number("attempt", attempt).finish();
            let line = Line::new(at_us, Sender::Webhook, "webhook.delivery_failed", data);
            self.tell(&mut job.story, line.level(Level::Warn));
            at_us += self.chance.scaled_us(REDELIVER_AFTER_MS * attempt as f64);
        }
    }
}
