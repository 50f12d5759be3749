//! ISO-8601 periods and the buckets they cut time into.
//!
//! A period's years, months, weeks and days are counted on the wall calendar of a zone, its hours and smaller
//! parts on the clock that never jumps. Buckets follow Druid's `PeriodGranularity`:
//!
//! * one year, month, week (from Monday), day, hour, minute or second: the calendar's own;
//! * everything else, and everything with an origin: multiples of the period, counted from the origin, which is
//!   1970-01-01T00:00 on the zone's wall clock unless given.
//!
//! A bucket always ends where the next one begins. Druid differs in two corners: where wall clocks go back by
//! half an hour its hours overlap, and periods that mix units of the calendar (`P1M1D`, or `P1DT2H` in a zone
//! with summer time) are added up step by step from the origin, where here all steps are added at once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::civil::{DAY_MS, Date, HOUR_MS, MINUTE_MS, SECOND_MS, day_of_week, join, split};
use super::error::TimeError;
use super::zone::Zone;

/// A stretch of time in calendar units. Parts may be negative: shifting by `-P1D` goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Period {
    /// Calendar years.
    pub years: i32,
    /// Calendar months.
    pub months: i32,
    /// Weeks of seven calendar days.
    pub weeks: i32,
    /// Calendar days.
    pub days: i32,
    /// Hours of 60 minutes.
    pub hours: i32,
    /// Minutes.
    pub minutes: i32,
    /// Seconds.
    pub seconds: i32,
    /// Milliseconds.
    pub millis: i32,
}

/// A period of which only one part is positive, and is one: the units that the calendar itself knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

/// How buckets of a period lie.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// There are none.
    None,
    /// The calendar's own.
    Unit(Unit),
    /// All of one width.
    Multiple { origin_ms: i64, width_ms: i64 },
    /// Of different widths, counted on the calendar.
    Counted { origin_ms: i64 },
}

impl Period {
    /// No time at all.
    pub const ZERO: Self =
        Self { years: 0, months: 0, weeks: 0, days: 0, hours: 0, minutes: 0, seconds: 0, millis: 0 };

    /// Reads `P1Y2M3W4DT5H6M7.008S`, any part left out; letters in either case, parts may have a sign.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        parse(text).map_err(|reason| TimeError::Period { text: text.to_owned(), reason })
    }

    /// A number of calendar years.
    pub const fn of_years(years: i32) -> Self {
        Self { years, ..Self::ZERO }
    }

    /// A number of calendar months.
    pub const fn of_months(months: i32) -> Self {
        Self { months, ..Self::ZERO }
    }

    /// A number of weeks.
    pub const fn of_weeks(weeks: i32) -> Self {
        Self { weeks, ..Self::ZERO }
    }

    /// A number of calendar days.
    pub const fn of_days(days: i32) -> Self {
        Self { days, ..Self::ZERO }
    }

    /// A number of hours.
    pub const fn of_hours(hours: i32) -> Self {
        Self { hours, ..Self::ZERO }
    }

    /// A number of minutes.
    pub const fn of_minutes(minutes: i32) -> Self {
        Self { minutes, ..Self::ZERO }
    }

    /// A number of seconds.
    pub const fn of_seconds(seconds: i32) -> Self {
        Self { seconds, ..Self::ZERO }
    }

    /// Whether buckets of this period make sense: nothing negative, something positive.
    pub fn is_positive(&self) -> bool {
        self.parts().iter().all(|part| *part >= 0) && *self != Self::ZERO
    }

    /// The bucket that holds `time_ms`, as its start and the start of the next.
    ///
    /// A period that is not positive makes every millisecond a bucket.
    pub fn bucket(&self, time_ms: i64, origin_ms: Option<i64>, zone: Zone) -> (i64, i64) {
        let start = match self.layout(origin_ms, zone) {
            Layout::None => return (time_ms, time_ms.saturating_add(1)),
            Layout::Counted { origin_ms } => return self.bucket_counted(time_ms, origin_ms, zone),
            Layout::Unit(unit) => floor_unit(unit, time_ms, zone),
            Layout::Multiple { origin_ms, width_ms } => floor_multiple(time_ms, origin_ms, width_ms),
        };
        let end = self.add(start, 1, zone);
        let next = self.floor(end, origin_ms, zone);
        (start, if next > start { next } else { end })
    }

    /// The start of the bucket that holds `time_ms`. A period that is not positive leaves the time as it is.
    pub fn floor(&self, time_ms: i64, origin_ms: Option<i64>, zone: Zone) -> i64 {
        match self.layout(origin_ms, zone) {
            Layout::None => time_ms,
            Layout::Unit(unit) => floor_unit(unit, time_ms, zone),
            Layout::Multiple { origin_ms, width_ms } => floor_multiple(time_ms, origin_ms, width_ms),
            Layout::Counted { origin_ms } => self.bucket_counted(time_ms, origin_ms, zone).0,
        }
    }

    /// The start of the next bucket, or `time_ms` itself where a bucket starts.
    pub fn ceil(&self, time_ms: i64, origin_ms: Option<i64>, zone: Zone) -> i64 {
        let (start, next) = self.bucket(time_ms, origin_ms, zone);
        if start == time_ms || !self.is_positive() { time_ms } else { next }
    }

    /// The end of the bucket that starts at `start_ms`: where the next one starts.
    pub fn next(&self, start_ms: i64, origin_ms: Option<i64>, zone: Zone) -> i64 {
        self.bucket(start_ms, origin_ms, zone).1
    }

    /// `time_ms` moved by the period, `times` times: the calendar parts on the wall clock, the rest as elapsed time.
    pub fn add(&self, time_ms: i64, times: i64, zone: Zone) -> i64 {
        let mut time_ms = time_ms;
        if self.has_calendar_part() && times != 0 {
            let (days, ms_of_day) = split(zone.to_local(time_ms));
            let count = |part: i32| i64::from(part).saturating_mul(times);
            let date = Date::from_days(days)
                .plus_months(count(self.years).saturating_mul(12))
                .plus_months(count(self.months));
            let days = date.to_days().saturating_add(count(self.weeks).saturating_mul(7));
            time_ms = zone.from_local(join(days.saturating_add(count(self.days)), ms_of_day));
        }
        time_ms.saturating_add(self.clock_ms().saturating_mul(times))
    }

    /// The width of every bucket where all have the same: then `floor(t) = t - (t - floor(0)).rem_euclid(width)`.
    ///
    /// `None` where the calendar or the zone makes widths differ, or when the period is not positive.
    pub fn fixed_ms(&self, zone: Zone) -> Option<i64> {
        if !self.is_positive() {
            return None;
        }
        match self.unit() {
            // Wall clocks of some zones are ahead by odd minutes, and change.
            Some(Unit::Hour | Unit::Minute) if !zone.is_fixed() => None,
            _ => self.elapsed_ms(zone),
        }
    }

    /// As [`Self::fixed_ms`], for buckets counted from an origin.
    pub(super) fn fixed_ms_from_origin(&self, zone: Zone) -> Option<i64> {
        if self.is_positive() { self.elapsed_ms(zone) } else { None }
    }

    /// The period as elapsed time, if it is the same at any time in `zone`.
    fn elapsed_ms(&self, zone: Zone) -> Option<i64> {
        if self.years != 0 || self.months != 0 {
            return None;
        }
        let days = i64::from(self.weeks) * 7 + i64::from(self.days);
        (days == 0 || zone.is_fixed()).then(|| days * DAY_MS + self.clock_ms())
    }

    fn layout(&self, origin_ms: Option<i64>, zone: Zone) -> Layout {
        if !self.is_positive() {
            return Layout::None;
        }
        if origin_ms.is_none()
            && let Some(unit) = self.unit()
        {
            return Layout::Unit(unit);
        }
        let origin_ms = origin_ms.unwrap_or_else(|| zone.from_local(0));
        match self.elapsed_ms(zone) {
            Some(width_ms) => Layout::Multiple { origin_ms, width_ms },
            None => Layout::Counted { origin_ms },
        }
    }

    /// Buckets whose widths differ: estimate how many lie between origin and time, then correct.
    fn bucket_counted(&self, time_ms: i64, origin_ms: i64, zone: Zone) -> (i64, i64) {
        let days = i64::from(self.weeks) * 7 + i64::from(self.days);
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        // The mean length of a Gregorian month is 146,097 days / 4,800.
        let mean_ms = i128::from(months) * i128::from(DAY_MS) * 146_097 / 4_800
            + i128::from(days) * i128::from(DAY_MS)
            + i128::from(self.clock_ms());
        let estimate = (i128::from(time_ms) - i128::from(origin_ms)).div_euclid(mean_ms.max(1));
        let mut count = i64::try_from(estimate).unwrap_or_default();
        let mut start = self.add(origin_ms, count, zone);
        let mut next = self.add(origin_ms, count + 1, zone);
        // At the ends of time additions saturate: a step that does not move stops the search.
        while start > time_ms {
            count -= 1;
            next = start;
            start = self.add(origin_ms, count, zone);
            if start >= next {
                return (time_ms, next);
            }
        }
        while next <= time_ms && next > start {
            count += 1;
            start = next;
            next = self.add(origin_ms, count + 1, zone);
        }
        (start, next)
    }

    fn unit(&self) -> Option<Unit> {
        match self.parts() {
            [1, 0, 0, 0, 0, 0, 0, 0] => Some(Unit::Year),
            [0, 1, 0, 0, 0, 0, 0, 0] => Some(Unit::Month),
            [0, 0, 1, 0, 0, 0, 0, 0] => Some(Unit::Week),
            [0, 0, 0, 1, 0, 0, 0, 0] => Some(Unit::Day),
            [0, 0, 0, 0, 1, 0, 0, 0] => Some(Unit::Hour),
            [0, 0, 0, 0, 0, 1, 0, 0] => Some(Unit::Minute),
            [0, 0, 0, 0, 0, 0, 1, 0] => Some(Unit::Second),
            [0, 0, 0, 0, 0, 0, 0, 1] => Some(Unit::Millisecond),
            _ => None,
        }
    }

    fn has_calendar_part(&self) -> bool {
        self.years != 0 || self.months != 0 || self.weeks != 0 || self.days != 0
    }

    fn clock_ms(&self) -> i64 {
        i64::from(self.hours) * HOUR_MS
            + i64::from(self.minutes) * MINUTE_MS
            + i64::from(self.seconds) * SECOND_MS
            + i64::from(self.millis)
    }

    fn parts(&self) -> [i32; 8] {
        [self.years, self.months, self.weeks, self.days, self.hours, self.minutes, self.seconds, self.millis]
    }
}

/// The greatest `origin + n × width` that is not after the time.
pub(super) fn floor_multiple(time_ms: i64, origin_ms: i64, width_ms: i64) -> i64 {
    let since = i128::from(time_ms) - i128::from(origin_ms);
    time_ms.saturating_sub(since.rem_euclid(i128::from(width_ms)) as i64)
}

fn floor_unit(unit: Unit, time_ms: i64, zone: Zone) -> i64 {
    let (days, ms_of_day) = split(zone.to_local(time_ms));
    let days = match unit {
        Unit::Year => Date { month: 1, day: 1, ..Date::from_days(days) }.to_days(),
        Unit::Month => Date { day: 1, ..Date::from_days(days) }.to_days(),
        Unit::Week => days - (day_of_week(days) - 1),
        Unit::Day => days,
        Unit::Hour => return floor_clock(time_ms, ms_of_day, HOUR_MS, zone),
        Unit::Minute => return floor_clock(time_ms, ms_of_day, MINUTE_MS, zone),
        Unit::Second => return floor_clock(time_ms, ms_of_day, SECOND_MS, zone),
        Unit::Millisecond => return time_ms,
    };
    zone.from_local(join(days, 0))
}

/// The start of an hour, minute or second on the wall clock; a change of offset inside it starts a new one.
fn floor_clock(time_ms: i64, ms_of_day: i64, width_ms: i64, zone: Zone) -> i64 {
    let start = time_ms.saturating_sub(ms_of_day % width_ms);
    let offset = zone.offset_ms(time_ms);
    if zone.is_fixed() || zone.offset_ms(start) == offset {
        return start;
    }
    // An offset that changes by whole units leaves the unit's start where it is on the elapsed clock.
    let (mut old, mut new) = (start, time_ms);
    while new - old > 1 {
        let middle = old + (new - old) / 2;
        if zone.offset_ms(middle) == offset { new = middle } else { old = middle }
    }
    new
}

fn parse(text: &str) -> Result<Period, &'static str> {
    let body = text.trim();
    let rest = body.strip_prefix(['P', 'p']).ok_or("it must begin with P")?;
    let mut period = Period::ZERO;
    let mut rest = rest;
    let mut clock = false;
    let mut rank = 0;
    let mut any = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['T', 't']) {
            if clock || after.is_empty() {
                return Err("T must be followed by hours, minutes or seconds");
            }
            clock = true;
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or("a number without its letter")?;
        let (number, letter) = (&rest[..end], rest.as_bytes()[end].to_ascii_uppercase());
        rest = &rest[end + 1..];
        let (part, part_rank): (&mut i32, u8) = match (clock, letter) {
            (false, b'Y') => (&mut period.years, 1),
            (false, b'M') => (&mut period.months, 2),
            (false, b'W') => (&mut period.weeks, 3),
            (false, b'D') => (&mut period.days, 4),
            (true, b'H') => (&mut period.hours, 5),
            (true, b'M') => (&mut period.minutes, 6),
            (true, b'S') => {
                let (seconds, millis) = parse_seconds(number)?;
                period.millis = millis;
                period.seconds = seconds;
                (&mut period.seconds, 7)
            }
            _ => return Err("the letters are Y, M, W, D and, after T, H, M, S"),
        };
        if part_rank <= rank {
            return Err("the parts must stand in the order Y M W D T H M S");
        }
        rank = part_rank;
        if part_rank != 7 {
            *part = parse_integer(number)?;
        }
        any = true;
    }
    if any { Ok(period) } else { Err("it has no part") }
}

fn parse_integer(number: &str) -> Result<i32, &'static str> {
    number.parse().map_err(|_| "a part is not a whole number of 32 bits")
}

fn parse_seconds(number: &str) -> Result<(i32, i32), &'static str> {
    let Some((whole, fraction)) = number.split_once(['.', ',']) else {
        return Ok((parse_integer(number)?, 0));
    };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a fraction of a second must be digits");
    }
    let millis =
        fraction.bytes().chain(*b"000").take(3).fold(0, |ms, digit| ms * 10 + i32::from(digit - b'0'));
    let negative = whole.starts_with('-');
    let seconds = if matches!(whole, "" | "-" | "+") { 0 } else { parse_integer(whole)? };
    Ok((seconds, if negative { -millis } else { millis }))
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let put = |f: &mut fmt::Formatter<'_>, value: i32, letter: char| {
            if value == 0 { Ok(()) } else { write!(f, "{value}{letter}") }
        };
        f.write_str("P")?;
        put(f, self.years, 'Y')?;
        put(f, self.months, 'M')?;
        put(f, self.weeks, 'W')?;
        put(f, self.days, 'D')?;
        if *self == Self::ZERO {
            return f.write_str("T0S");
        }
        if self.hours == 0 && self.minutes == 0 && self.seconds == 0 && self.millis == 0 {
            return Ok(());
        }
        f.write_str("T")?;
        put(f, self.hours, 'H')?;
        put(f, self.minutes, 'M')?;
        if self.millis == 0 {
            return put(f, self.seconds, 'S');
        }
        let ms = i64::from(self.seconds) * SECOND_MS + i64::from(self.millis);
        let sign = if ms < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:03}S", ms.abs() / SECOND_MS, ms.abs() % SECOND_MS)
    }
}

impl FromStr for Period {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Self::parse(text)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "period_tests.rs"]
mod tests;
