//! The proleptic Gregorian calendar on plain integers: days since the epoch to year, month and day, and back.
//!
//! chrono's calendar ends near year 262,143; Druid's eternity does not. These functions are total over all
//! milliseconds an `i64` holds (results of arithmetic beyond them saturate), so no caller needs a failure path.
//! The day algorithms are the era-based ones of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".

/// Milliseconds of a second.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds of a day without a change of offset.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// Three times what a millisecond count holds: calendar arithmetic stops here, and [`join`] saturates.
const YEAR_MAX: i64 = 1_000_000_000;

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Astronomical: 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

impl Date {
    /// The date of a day counted from 1970-01-01.
    pub fn from_days(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    /// Days since 1970-01-01. The day of month may lie outside the month; it then counts on.
    pub fn to_days(self) -> i64 {
        let year = self.year.clamp(-YEAR_MAX, YEAR_MAX) - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    /// The date `months` later (or earlier), on the same day of month or the last that exists.
    #[must_use]
    pub fn plus_months(self, months: i64) -> Self {
        let total =
            self.year.saturating_mul(12).saturating_add(i64::from(self.month) - 1).saturating_add(months);
        let year = total.div_euclid(12).clamp(-YEAR_MAX, YEAR_MAX);
        let month = total.rem_euclid(12) as u32 + 1;
        Self { year, month, day: self.day.min(days_in_month(year, month)) }
    }

    /// 1 to 366.
    pub fn day_of_year(self) -> i64 {
        self.to_days() - Self { month: 1, day: 1, ..self }.to_days() + 1
    }

    /// The ISO week-year and the week in it, 1 to 53: week 1 has the year's first Thursday.
    pub fn iso_week(self) -> (i64, i64) {
        let days = self.to_days();
        let thursday = days - (day_of_week(days) - 1) + 3;
        let week_year = Self::from_days(thursday).year;
        let first = Self { year: week_year, month: 1, day: 1 }.to_days();
        (week_year, (thursday - first) / 7 + 1)
    }
}

/// The Monday with which an ISO week-year begins, in days since the epoch.
pub fn week_year_start(week_year: i64) -> i64 {
    let fourth = Date { year: week_year, month: 1, day: 4 }.to_days();
    fourth - (day_of_week(fourth) - 1)
}

/// 1 (Monday) to 7 (Sunday).
pub fn day_of_week(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// Whether February has 29 days.
pub fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// 28 to 31.
pub fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Splits local milliseconds into days since the epoch and milliseconds of the day.
pub fn split(local_ms: i64) -> (i64, i64) {
    (local_ms.div_euclid(DAY_MS), local_ms.rem_euclid(DAY_MS))
}

/// Joins what [`split`] took apart; saturates.
pub fn join(days: i64, ms_of_day: i64) -> i64 {
    days.saturating_mul(DAY_MS).saturating_add(ms_of_day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_epoch_is_a_thursday() {
        assert_eq!(Date::from_days(0), Date { year: 1970, month: 1, day: 1 });
        assert_eq!(day_of_week(0), 4);
    }

    #[test]
    fn iso_weeks_belong_to_the_year_of_their_thursday() {
        let week = |year, month, day| Date { year, month, day }.iso_week();
        assert_eq!(week(2026, 11, 23), (2026, 48));
        assert_eq!(week(2021, 1, 3), (2020, 53));
        assert_eq!(week(2024, 12, 30), (2025, 1));
        assert_eq!(Date::from_days(week_year_start(2025)), Date { year: 2024, month: 12, day: 30 });
    }

    #[test]
    fn a_month_later_than_the_31st_is_the_last_day_of_a_short_month() {
        let date = Date { year: 2024, month: 1, day: 31 };
        assert_eq!(date.plus_months(1), Date { year: 2024, month: 2, day: 29 });
        assert_eq!(date.plus_months(-2), Date { year: 2023, month: 11, day: 30 });
    }

    #[test]
    fn dates_at_the_ends_of_an_i64_do_not_overflow() {
        for ms in [i64::MIN, i64::MAX] {
            let (days, _) = split(ms);
            let date = Date::from_days(days);
            assert_eq!(date.to_days(), days);
            assert!(date.plus_months(i64::MAX).year > 0);
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_are_the_same_thing(days in -110_000_000_000i64..110_000_000_000) {
            prop_assert_eq!(Date::from_days(days).to_days(), days);
        }

        #[test]
        fn the_calendar_agrees_with_chrono(days in -700_000i64..3_000_000) {
            use chrono::Datelike;
            let date = Date::from_days(days);
            let chrono = chrono::NaiveDate::from_epoch_days(days as i32).unwrap();
            prop_assert_eq!((date.year, date.month, date.day), (i64::from(chrono.year()), chrono.month(), chrono.day()));
            prop_assert_eq!(date.iso_week(), (i64::from(chrono.iso_week().year()), i64::from(chrono.iso_week().week())));
            prop_assert_eq!(day_of_week(days), i64::from(chrono.weekday().number_from_monday()));
            prop_assert_eq!(date.day_of_year(), i64::from(chrono.ordinal()));
        }
    }
}
