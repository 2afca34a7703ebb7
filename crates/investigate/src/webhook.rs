//! Jobs of whose end nobody was told.

use emp_event::EntryId;
use emp_findings::{Confidence, Culprit, CulpritKind, Evidence, SameCause, Verdict, command, moment_word};
use emp_job::{History, JobEvent, Meaning, entity, error_text, is_tried_again, vocabulary};
use emp_units as units;

use super::failure::short;
use super::judge::{CASES_FOR_P99, Case, Finding, lasting};

/// A webhook that is confirmed within this time is not late.
const UNDELIVERED_MS_MIN: i64 = 60_000;
/// Keys that hold what the receiver answered.
const STATUS_KEYS: [&str; 6] = ["statusCode", "httpStatus", "responseStatus", "status_code", "status", "code"];
/// Keys that say who the receiver is, the most telling first.
const ENDPOINT_KEYS: [&str; 6] = ["url", "endpoint", "webhookUrl", "callbackUrl", "target", "host"];

/// What is known of a job's webhook.
enum Webhook<'a> {
    /// Nothing at all.
    Silent,
    /// It was delivered, or may have been: its last event is no word that is understood.
    Settled,
    /// This is the last that was heard of it.
    Open { last: &'a JobEvent, meaning: Meaning, tries: u32 },
}

/// It is done, and whoever waits for it was not told.
pub(super) fn webhook_undelivered(case: &Case<'_>) -> Option<Finding> {
    let history = case.history;
    let end = history.terminal()?;
    match webhook(history) {
        Webhook::Settled => None,
        Webhook::Silent => never_sent(case, end),
        Webhook::Open { last, meaning, tries } => {
            let is_over = meaning == Meaning::WebhookGivenUp
                || (meaning == Meaning::WebhookFailed && is_tried_again(&last.data, tries, None) == Some(false));
            let since_ms = last.due_ms().unwrap_or(last.happened_ms()).max(last.happened_ms());
            (is_over || is_late(case, last, history.now_ms() - since_ms)).then(|| undelivered(case, end, last, tries))
        }
    }
}

/// What is said of the webhook of a job with which nothing is wrong, or nothing that could be proven.
pub(super) fn open_question(history: &History) -> Option<String> {
    let last = of_webhook(history).last()?;
    match (webhook(history), vocabulary().meaning(&last.event_type)) {
        (Webhook::Settled, None) => Some(format!(
            "whether its webhook was delivered is not known: {} is no word that is understood (`emp-events check-names`)",
            last.event_type
        )),
        (Webhook::Open { meaning: Meaning::WebhookFailed, tries, .. }, _) => {
            Some(format!("its webhook is not delivered yet: {} failed", units::counted(tries as usize, "try", "tries")))
        }
        _ => None,
    }
}

fn of_webhook(history: &History) -> impl Iterator<Item = &JobEvent> {
    let is_of_webhook = |index: usize| history.meaning(index).is_some_and(Meaning::is_of_webhook);
    let events = history.events().iter().enumerate();
    events
        .filter(move |(index, event)| entity(&event.event_type) == "webhook" || is_of_webhook(*index))
        .map(|(_, event)| event)
}

fn webhook(history: &History) -> Webhook<'_> {
    let (mut last, mut tries) = (None, 0);
    for event in of_webhook(history) {
        let meaning = vocabulary().meaning(&event.event_type);
        tries += u32::from(meaning == Some(Meaning::WebhookFailed));
        last = Some((event, meaning));
        if meaning == Some(Meaning::WebhookDelivered) {
            return Webhook::Settled;
        }
    }
    match last {
        None => Webhook::Silent,
        Some((_, None)) => Webhook::Settled,
        Some((last, Some(meaning))) => Webhook::Open { last, meaning, tries },
    }
}

/// Has nothing been heard after that event for longer than is usual?
fn is_late(case: &Case<'_>, last: &JobEvent, waits_ms: i64) -> bool {
    let usual = case.typical.state(case.job_type(), &last.event_type);
    let limit_ms = if usual.count() < CASES_FOR_P99 { 0.0 } else { 3.0 * usual.quantile(0.99).unwrap_or_default() };
    waits_ms > UNDELIVERED_MS_MIN && waits_ms as f64 > limit_ms
}

/// No webhook at all, where almost every job of its kind is reported to one.
fn never_sent(case: &Case<'_>, end: &JobEvent) -> Option<Finding> {
    let sending = vocabulary().types(Meaning::WebhookSending);
    let told = sending.iter().filter_map(|sent| case.typical.step(case.job_type(), &end.event_type, sent));
    let told: u64 = told.map(emp_typical::Sketch::count).sum();
    let completed = case.typical.completed(case.job_type());
    if completed < CASES_FOR_P99 || (told as f64) < 0.95 * completed as f64 {
        return None;
    }
    if !is_late(case, end, case.history.now_ms() - end.happened_ms()) {
        return None;
    }
    let reason = format!("It was done in {}, but no webhook was ever sent", lived(case.history, end));
    let mut finding = Finding::new(Verdict::WebhookUndelivered, Confidence::Proven, reason);
    finding.since_ms = Some(end.happened_ms());
    blame_service(case, case.around.webhook_service().unwrap_or("webhook-service"), end, &mut finding);
    Some(finding)
}

fn undelivered(case: &Case<'_>, end: &JobEvent, last: &JobEvent, tries: u32) -> Finding {
    let history = case.history;
    let waits = lasting(history.now_ms() - last.happened_ms());
    let to = of_webhook(history).filter_map(|event| event.text("url")).last();
    let to = to.map(|url| format!(" to {url}")).unwrap_or_default();
    let what = if tries == 0 {
        format!("its webhook{to} was sent {waits} ago and never confirmed")
    } else {
        let said = of_webhook(history).filter(|event| event.is_failure()).filter_map(|event| error_text(&event.data));
        let said = said.last().map(|text| format!(": {}", short(&text))).unwrap_or_default();
        let which = if tries == 1 { "the only try".to_owned() } else { format!("the last of {tries} tries") };
        format!("{which}{to} failed {waits} ago{said}")
    };
    let reason = format!("It was done in {}, but {what}", lived(history, end));
    let mut finding = Finding::new(Verdict::WebhookUndelivered, Confidence::Proven, reason);
    finding.since_ms = Some(first_failure(history).unwrap_or(last).happened_ms());
    finding.evidence.push(Evidence::new(end, "the work itself was done"));
    finding.evidence.push(Evidence::new(last, "the last that was heard of its webhook"));
    blame_service(case, &last.service, last, &mut finding);
    if tries > 0 {
        blame_endpoint(case, last, &mut finding);
    }
    finding
}

fn lived(history: &History, end: &JobEvent) -> String {
    lasting(end.happened_ms() - history.start_ms())
}

fn first_failure(history: &History) -> Option<&JobEvent> {
    of_webhook(history).find(|event| vocabulary().meaning(&event.event_type) == Some(Meaning::WebhookFailed))
}

fn blame_service(case: &Case<'_>, service: &str, last: &JobEvent, finding: &mut Finding) {
    finding.culprit = Culprit::new(CulpritKind::Service, Some(service));
    finding.ruled_out.push(match case.around.service_after(service, last.id) {
        (0, _) => format!("nothing at all was heard of {service} after that: the service itself may be down"),
        (_, delivered) => format!(
            "{service} is alive: it delivered {} after that",
            units::counted(delivered, "other webhook", "other webhooks")
        ),
    });
    finding.same_cause = SameCause::of(also_undelivered(case), case.job_id);
    finding.next.push(command(&[
        "search",
        "--service",
        service,
        "--since",
        &moment_word(last.arrived_ms),
        "--limit",
        "20",
    ]));
}

/// Where the receiver answered that it would not take it, or took others meanwhile, it is not the service that failed.
fn blame_endpoint(case: &Case<'_>, last: &JobEvent, finding: &mut Finding) {
    let failed: Vec<&JobEvent> = of_webhook(case.history).filter(|event| event.is_failure()).collect();
    let has_answered = failed.iter().any(|event| refusal(event).is_some());
    let (_, delivered) = case.around.service_after(&last.service, EntryId::default());
    if !has_answered && delivered == 0 {
        return;
    }
    let named = endpoint_of(case.history);
    let user = case.history.events().iter().find_map(|event| event.user_id.as_deref());
    let id = named.or_else(|| Some(format!("endpoint of {}", user?))).unwrap_or_else(|| "customer endpoint".to_owned());
    finding.culprit = Culprit::new(CulpritKind::Connector, Some(&id));
    if let Some(status) = failed.iter().rev().find_map(|event| refusal(event)) {
        finding.ruled_out.push(format!("not {}: {id} was reached, and answered {status}", last.service));
    }
}

/// Who was to be told of the end of a job, where its webhook says so.
pub(super) fn endpoint_of(history: &History) -> Option<String> {
    let endpoint = |event: &JobEvent| ENDPOINT_KEYS.iter().find_map(|key| event.text(key)).map(str::to_owned);
    of_webhook(history).filter_map(endpoint).last()
}

/// The status of an answer by which the receiver refused: 4xx, 5xx.
fn refusal(event: &JobEvent) -> Option<u16> {
    let is_refusal = |status: &u16| (400..600).contains(status);
    let stated = STATUS_KEYS.iter().filter_map(|key| {
        let text = event.text(key).and_then(|text| text.parse().ok());
        event.number(key).map(|number| number as u16).or(text)
    });
    let text = error_text(&event.data).unwrap_or_default();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() == 3);
    stated.chain(words.filter_map(|word| word.parse().ok())).find(is_refusal)
}

/// Other jobs whose webhook was sent, or should have been, and never confirmed.
fn also_undelivered<'a>(case: &'a Case<'_>) -> Vec<&'a str> {
    let is_undelivered = |history: &History| {
        let is_open = !matches!(webhook(history), Webhook::Settled);
        history.is_completed() && is_open && history.now_ms() - history.last().happened_ms() > UNDELIVERED_MS_MIN
    };
    let about = case.around.histories_about(case.history.end_ms());
    about.filter(|(_, history)| is_undelivered(history)).map(|(job, _)| job).collect()
}
