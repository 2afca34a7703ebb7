use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// Hours in which nobody is told anything: what begins in them is told at their end.
#[derive(Debug, Clone)]
pub struct Quiet {
    from: Time,
    until: Time,
    zone: TimeZone,
}

impl Quiet {
    /// `22:00-07:00`; `None` where it is none.
    pub fn parse(text: &str, zone: TimeZone) -> Option<Self> {
        let (from, until) = text.split_once('-')?;
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
        let (from, until) = (time(from)?, time(until)?);
        (from != until).then_some(Self { from, until, zone })
    }

    /// Is that moment one of them?
    pub fn holds(&self, ms: i64) -> bool {
        let Ok(moment) = Timestamp::from_millisecond(ms) else { return false };
        let time = moment.to_zoned_datetime(self.zone.clone()).time();
        match self.from < self.until {
            true => self.from <= time && time < self.until,
            false => self.from <= time || time < self.until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_may_go_over_midnight() {
        let holds = |text: &str, time: &str| {
            let moment: Timestamp = format!("2025-09-27T{time}:00Z").parse().unwrap();
            Quiet::parse(text, TimeZone::UTC).unwrap().holds(moment.as_millisecond())
        };
        assert!(holds("22:00-07:00", "23:30") && holds("22:00-07:00", "06:59") && !holds("22:00-07:00", "07:00"));
        assert!(holds("12:00-13:00", "12:00") && !holds("12:00-13:00", "13:00"));
        for wrong in ["", "22:00", "22-7", "25:00-07:00", "07:00-07:00"] {
            assert!(Quiet::parse(wrong, TimeZone::UTC).is_none(), "{wrong}");
        }
    }
}
