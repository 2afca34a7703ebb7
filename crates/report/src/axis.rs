//! An axis of time with ticks where people expect them: on full minutes, hours and days.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use emp_units as units;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Distances between ticks.
const STEPS_MS: [i64; 28] = [
    1,
    5,
    10,
    50,
    100,
    200,
    500,
    SECOND_MS,
    2 * SECOND_MS,
    5 * SECOND_MS,
    10 * SECOND_MS,
    30 * SECOND_MS,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    30 * MINUTE_MS,
    HOUR_MS,
    2 * HOUR_MS,
    3 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    7 * DAY_MS,
    14 * DAY_MS,
    30 * DAY_MS,
    90 * DAY_MS,
];

/// Time from left to right, in ms.
#[derive(Debug, Clone)]
pub(super) struct TimeAxis {
    range: Range<i64>,
    /// The zone of the clock that is shown; `None` where the axis shows the time since the beginning.
    zone: Option<TimeZone>,
}

impl TimeAxis {
    /// From one moment until another one, ms since the epoch, as clocks of that zone show them.
    pub fn of_clock(range: Range<i64>, zone: &TimeZone) -> Self {
        Self { range: range.start..range.end.max(range.start + 1), zone: Some(zone.clone()) }
    }

    /// From the beginning on, for so many ms.
    pub fn since_beginning(length_ms: i64) -> Self {
        Self { range: 0..length_ms.max(1), zone: None }
    }

    fn offset_ms(&self, ms: i64) -> i64 {
        let offset = |zone: &TimeZone| Some(zone.to_offset(Timestamp::from_millisecond(ms).ok()?));
        self.zone.as_ref().and_then(offset).map_or(0, |offset| i64::from(offset.seconds()) * 1_000)
    }
}

impl Ranged for TimeAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = i64;

    fn map(&self, value: &i64, (from, until): (i32, i32)) -> i32 {
        let length = (self.range.end - self.range.start) as f64;
        let pixels = ((value - self.range.start) as f64 / length * f64::from(until - from)).round() as i32;
        from.saturating_add(pixels)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<i64> {
        let most = (hint.max_num_points() as i64).max(1);
        let length = self.range.end - self.range.start;
        let step = STEPS_MS.into_iter().find(|step| length / step <= most).unwrap_or(length);
        // Days begin at midnight of the clock that is shown.
        let offset = self.offset_ms(self.range.start);
        let first = (self.range.start + offset).div_euclid(step) * step - offset;
        (0..=length / step + 1).map(|n| first + n * step).filter(|at| self.range.contains(at)).collect()
    }

    fn range(&self) -> Range<i64> {
        self.range.clone()
    }
}

impl ValueFormatter<i64> for TimeAxis {
    fn format_ext(&self, value: &i64) -> String {
        let Some(zone) = &self.zone else { return units::millis(*value as f64) };
        let Ok(moment) = Timestamp::from_millisecond(*value) else { return String::new() };
        let moment = moment.to_zoned_datetime(zone.clone());
        let is_midnight = (*value + self.offset_ms(*value)).rem_euclid(DAY_MS) == 0;
        let has_seconds = (self.range.end - self.range.start) < 10 * MINUTE_MS;
        let pattern = match (is_midnight, has_seconds) {
            (true, _) => "%b %-d",
            (_, true) => "%H:%M:%S",
            (_, false) => "%H:%M",
        };
        moment.strftime(pattern).to_string()
    }
}
