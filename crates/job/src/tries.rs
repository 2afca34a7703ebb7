//! When a job is to go on, and whether another attempt follows one that has failed: as the events say it themselves,
//! under the names that different systems have for it.

use serde_json::Value;

use emp_event::read_time;

use super::data::Data;

/// Keys that hold a moment, in lower case and without `_`.
const MOMENTS: [&str; 12] = [
    "nextretryat",
    "scheduledfor",
    "scheduledat",
    "retryat",
    "until",
    "delayuntil",
    "delayeduntil",
    "runat",
    "availableat",
    "dueat",
    "notbefore",
    "processat",
];
/// Keys that hold a time from the event on, in ms.
const DELAYS: [&str; 6] = ["delayms", "delay", "retryinms", "retrydelayms", "nextretryinms", "backoffms"];
/// The same in seconds.
const DELAYS_SECONDS: [&str; 3] = ["delayseconds", "countdown", "retryinseconds"];
/// A delay beyond this many ms is a moment since the epoch: BullMQ tells the end of a delay as `delay`.
const MOMENT_MS_MIN: f64 = 1e11;

const WILL_RETRY: [&str; 2] = ["willretry", "willberetried"];
const IS_LAST: [&str; 4] = ["final", "isfinal", "lastattempt", "islastattempt"];
const LEFT: [&str; 5] = ["attemptsleft", "retriesleft", "remainingattempts", "attemptsremaining", "retriesremaining"];
const ATTEMPT: [&str; 4] = ["attempt", "attemptsmade", "attemptnumber", "try"];
const ATTEMPTS_MAX: [&str; 3] = ["maxattempts", "attemptsmax", "totalattempts"];
/// Where a job is made, how often it may be tried; where an attempt has failed, how often it was.
const ATTEMPTS: [&str; 1] = ["attempts"];
const RETRY: [&str; 3] = ["retrycount", "retries", "retry"];
const RETRIES_MAX: [&str; 3] = ["maxretries", "retriesmax", "retrylimit"];

/// Before when nothing is to be expected of the job, ms since the epoch, where an event that happened then says so.
pub fn due_ms(data: &Data, happened_ms: i64) -> Option<i64> {
    let moment = || find(data, &MOMENTS).and_then(moment_ms);
    let delay = || {
        let ms = find(data, &DELAYS).and_then(number)?;
        Some(if ms >= MOMENT_MS_MIN { ms as i64 } else { happened_ms.saturating_add(ms as i64) })
    };
    let seconds = || Some(happened_ms.saturating_add((find(data, &DELAYS_SECONDS).and_then(number)? * 1e3) as i64));
    moment().or_else(delay).or_else(seconds).filter(|due_ms| *due_ms > happened_ms)
}

/// How many attempts there may be at most, where an event that makes the job, or puts it into a queue, says so.
pub fn attempts_allowed(data: &Data) -> Option<u32> {
    attempts_max(data).or_else(|| count(data, &ATTEMPTS))
}

fn attempts_max(data: &Data) -> Option<u32> {
    let retries = || find(data, &RETRIES_MAX).and_then(number).filter(|retries| *retries >= 0.0);
    count(data, &ATTEMPTS_MAX).or_else(|| Some((retries()? as u32).saturating_add(1)))
}

/// Does another attempt follow the one that has failed with this event? `None` where nothing says it. `begun` is how
/// many were begun so far, and `max` how many there may be by what was said of the job before.
pub fn is_tried_again(data: &Data, begun: u32, max: Option<u32>) -> Option<bool> {
    let flag = |keys: &[&str]| find(data, keys).and_then(Value::as_bool);
    let left = || Some(find(data, &LEFT).and_then(number)? > 0.0);
    let by_retries = || {
        let (retry, max) = (find(data, &RETRY).and_then(number)?, find(data, &RETRIES_MAX).and_then(number)?);
        Some(retry < max)
    };
    let made = || count(data, &ATTEMPT).or_else(|| count(data, &ATTEMPTS)).unwrap_or(begun);
    let by_attempts = || Some(made() < attempts_max(data).or(max)?);
    flag(&WILL_RETRY)
        .or_else(|| flag(&IS_LAST).map(|is_last| !is_last))
        .or_else(left)
        .or_else(by_retries)
        .or_else(by_attempts)
}

/// The first of these keys that the data has, however it is written.
fn find<'a>(data: &'a Data, keys: &[&str]) -> Option<&'a Value> {
    let is = |name: &str, key: &str| {
        let letters = name.bytes().filter(|byte| *byte != b'_' && *byte != b'-');
        letters.map(|byte| byte.to_ascii_lowercase()).eq(key.bytes())
    };
    let named = |key: &&str| data.iter().find(|(name, value)| is(name, key) && !value.is_null());
    keys.iter().find_map(named).map(|(_, value)| value)
}

/// A whole number from 1 on.
fn count(data: &Data, keys: &[&str]) -> Option<u32> {
    find(data, keys).and_then(number).filter(|number| *number >= 1.0).map(|number| number as u32)
}

fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| number.is_finite())
}

fn moment_ms(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => read_time(&number.to_string()),
        Value::String(text) => read_time(text),
        _ => None,
    }
}
