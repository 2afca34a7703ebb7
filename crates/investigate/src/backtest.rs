//! What would have been said over a range of the past, and whether that was right.

use emp_findings::{Alert, Anomalies, Backtest, Earliest, Incident, Judged, Knowable, Moment, Severity};
use emp_query::moment_literal;
use emp_typical::Sketch;

use super::investigation::{Investigation, InvestigationError};
use super::judge::overdue_after_ms;
use super::rows::Rows;

const DAY_MS: i64 = 24 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
/// Between what happens and its arrival.
const TOLD_WITHIN_MS: i64 = 1_000;

impl Investigation<'_> {
    /// Looks for anomalies every `step_ms` from `since_ms` until now, and puts alerts of one kind and
    /// subject that follow each other into one. `progress` is told how many looks are done, of how many.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn backtest(
        &self,
        since_ms: i64,
        step_ms: i64,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Backtest, InvestigationError> {
        let mut alerts: Vec<Alert> = Vec::new();
        self.look_back(since_ms, step_ms, progress, |now_ms, anomalies, _| {
            for anomaly in anomalies.found {
                if anomaly.severity != Severity::Alert {
                    continue;
                }
                // Windows are an hour long, so an alert that comes again within an hour is the same one.
                let same = alerts.iter_mut().rev().find(|alert| {
                    let is_about = alert.anomaly.kind == anomaly.kind && alert.anomaly.subject == anomaly.subject;
                    is_about && now_ms - alert.until.0 <= step_ms.max(HOUR_MS)
                });
                match same {
                    Some(alert) => alert.until = Moment(now_ms),
                    None => alerts.push(Alert { from: Moment(now_ms), until: Moment(now_ms), anomaly }),
                }
            }
        })
        .await?;
        let days = (self.now_ms() - since_ms) as f64 / DAY_MS as f64;
        let alerts_per_day = if days > 0.0 { alerts.len() as f64 / days } else { 0.0 };
        Ok(Backtest { days, alerts_per_day, alerts, compared: None })
    }

    /// From when on somebody could know of an incident: where something is missing, once the wait for it has lasted longer
    /// than such a wait may, as [`Self::diagnose`] judges it; else once there were so many signs that it is no chance.
    /// `None` where that is not known, or came after it was over.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn knowable_from(&self, incident: &Incident) -> Result<Option<Moment>, InvestigationError> {
        let (Knowable::Overdue, Some(first), Some(job)) =
            (incident.knowable(), incident.sign(1), incident.jobs.first())
        else {
            return Ok(match incident.knowable() {
                Knowable::Signs(number) => incident.sign(number),
                Knowable::Overdue => None,
            });
        };
        let then = self.soon_after(first)?;
        let Some(held) = then.held(job).await? else { return Ok(None) };
        let limit_ms = overdue_after_ms(then.typical(), &held.job_type, &held.event_type);
        Ok(Some(Moment(held.happened_ms + limit_ms)))
    }

    /// The judgement in which a sign should have been told of, by what was typical when it could be seen.
    fn soon_after(&self, sign: Moment) -> Result<Self, InvestigationError> {
        self.moved_to(sign.0 + TOLD_WITHIN_MS, &mut self.engine().learning(sign.0))
    }

    /// The last that was heard of a job by now.
    async fn held(&self, job: &str) -> Result<Option<Held>, InvestigationError> {
        let Some(history) = self.steps(job).await? else { return Ok(None) };
        let last = history.events().iter().rev().find(|event| event.arrived_ms <= self.now_ms());
        Ok(last.map(|event| Held {
            job_type: history.job_type().to_owned(),
            event_type: event.event_type.to_string(),
            happened_ms: event.happened_ms(),
        }))
    }

    /// Before when nobody could have told of an incident without telling of more than one healthy job a day, too: where
    /// something is missing, as long as more than one of as many steps of a day takes as long; else before the sign that is
    /// needed at least. `None` where there was none.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn earliest(&self, incident: &Incident) -> Result<Option<Moment>, InvestigationError> {
        let (Earliest::Unusual, Some(first), Some(job)) =
            (incident.earliest(), incident.sign(1), incident.jobs.first())
        else {
            return Ok(match incident.earliest() {
                Earliest::Sign(number) => incident.sign(number),
                Earliest::Unusual => None,
            });
        };
        let then = self.soon_after(first)?;
        let Some(held) = then.held(job).await? else { return Ok(None) };
        let days = then.days_known().await?;
        let of_job = unusual_after_ms(&then.typical().state(&held.job_type, &held.event_type), days);
        // A worker that dies says nothing at all; one that has a stuck job may.
        let is_of_worker = incident.kind == "silent-worker";
        let worker = then.typical().worker(&incident.culprit.id).filter(|_| is_of_worker);
        let of_worker = worker.and_then(|worker| unusual_after_ms(worker, days));
        let after_ms = [of_job, of_worker].into_iter().flatten().min();
        Ok(after_ms.map(|after_ms| Moment(held.happened_ms + after_ms)))
    }

    /// Of how many days it is known what is typical, four weeks at most.
    async fn days_known(&self) -> Result<f64, InvestigationError> {
        const KNOWN_MS: i64 = 28 * DAY_MS;
        let sql = format!(
            "select cast(min(ingested_at) as bigint) as first from events where ingested_at >= {} and ingested_at <= {}",
            moment_literal(self.now_ms() - KNOWN_MS),
            moment_literal(self.now_ms())
        );
        let first = Rows::ask(self.engine(), &sql).await?.map(|row| row.integer("first"))?.first().copied();
        Ok((self.now_ms() - first.unwrap_or(self.now_ms())) as f64 / DAY_MS as f64)
    }

    /// Looks every `step_ms` from `since_ms` until now, as somebody would have who knew what was typical then, and
    /// tells what was unusual and which jobs were not well. `progress` is told how many looks are done, of how many.
    ///
    /// # Errors
    /// As [`Investigation::open`].
    pub async fn look_back(
        &self,
        since_ms: i64,
        step_ms: i64,
        progress: &dyn Fn(usize, usize),
        mut tell: impl FnMut(i64, Anomalies, Judged),
    ) -> Result<(), InvestigationError> {
        let looks: Vec<i64> = (since_ms + step_ms..=self.now_ms()).step_by(step_ms.max(1) as usize).collect();
        self.memory().hold();
        let mut learning = self.engine().learning(looks.first().copied().unwrap_or(since_ms));
        for (done, now_ms) in looks.iter().enumerate() {
            let (anomalies, judged) = self.moved_to(*now_ms, &mut learning)?.anomalies_and_jobs().await?;
            tell(*now_ms, anomalies, judged);
            progress(done + 1, looks.len());
        }
        Ok(())
    }
}

/// The last that was heard of a job.
struct Held {
    job_type: String,
    event_type: String,
    happened_ms: i64,
}

/// How long such a step has to take to be longer than all but one a day, of those of so many days.
fn unusual_after_ms(usual: &Sketch, days: f64) -> Option<i64> {
    let a_day = usual.count() as f64 / days.max(f64::EPSILON);
    (usual.count() > 0).then(|| usual.quantile(1.0 - (1.0 / a_day.max(1.0))).unwrap_or_default() as i64)
}
