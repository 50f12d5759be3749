//! The numbers that a text gave, and the instant they mean together.
//!
//! Joda sets fields from large to small, each on what the larger ones left; where several say the same thing in
//! different ways, the smaller unit wins. What is not given is the first: January, day 1, midnight; the year is
//! 1970, or 2000 when only a month or a day was given.

use crate::time::civil::{DAY_MS, Date, HOUR_MS, day_of_week, days_in_month, is_leap_year, week_year_start};
use crate::time::parse::YEARS;
use crate::time::zone::Zone;

#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) before_christ: Option<bool>,
    pub(super) century: Option<i64>,
    pub(super) year_of_era: Option<i64>,
    pub(super) year: Option<i64>,
    pub(super) week_year: Option<i64>,
    pub(super) month: Option<i64>,
    pub(super) week: Option<i64>,
    pub(super) day_of_year: Option<i64>,
    pub(super) day: Option<i64>,
    pub(super) day_of_week: Option<i64>,
    pub(super) afternoon: Option<bool>,
    pub(super) hour_of_halfday: Option<i64>,
    pub(super) hour: Option<i64>,
    pub(super) ms_of_hour: i64,
    pub(super) zone: Option<Zone>,
}

impl Fields {
    pub(super) fn resolve(&self, zone: Zone) -> Option<i64> {
        let hour = match (self.hour, self.hour_of_halfday) {
            (Some(hour), _) => hour,
            (None, halfday_hour) => {
                halfday_hour.unwrap_or(0) + if self.afternoon == Some(true) { 12 } else { 0 }
            }
        };
        let local_ms = self.days()? * DAY_MS + hour * HOUR_MS + self.ms_of_hour;
        self.zone.unwrap_or(zone).from_local_strict(local_ms)
    }

    fn days(&self) -> Option<i64> {
        let week_date = self.week_year.is_some() || (self.week.is_some() && self.month.is_none());
        let mut days =
            if week_date && self.plain_year().is_none() { self.week_days()? } else { self.calendar_days()? };
        if let Some(weekday) = self.day_of_week {
            days += weekday - day_of_week(days);
        }
        Some(days)
    }

    /// Year-week, from a Monday.
    fn week_days(&self) -> Option<i64> {
        let start = week_year_start(checked_year(self.week_year.unwrap_or(2000))?);
        let weeks = (week_year_start(self.week_year.unwrap_or(2000) + 1) - start) / 7;
        let week = self.week.unwrap_or(1);
        (week <= weeks).then_some(start + (week - 1) * 7)
    }

    fn calendar_days(&self) -> Option<i64> {
        let year = match self.plain_year() {
            Some(year) => checked_year(year)?,
            None if self.starts_with_month_or_day() => 2000,
            None => 1970,
        };
        let month = self.month.unwrap_or(1) as u32;
        let mut date = Date { year, month, day: 1 };
        if let Some(day_of_year) = self.day_of_year {
            let first = Date { year, month: 1, day: 1 }.to_days();
            if day_of_year > if is_leap_year(year) { 366 } else { 365 } {
                return None;
            }
            date = Date::from_days(first + day_of_year - 1);
        }
        if let Some(week) = self.week.filter(|_| self.day.is_none()) {
            return Some(week_year_start(year) + (week - 1) * 7);
        }
        if let Some(day) = self.day {
            if day > i64::from(days_in_month(date.year, date.month)) {
                return None;
            }
            date.day = day as u32;
        }
        Some(date.to_days())
    }

    fn plain_year(&self) -> Option<i64> {
        let of_era = self.year_of_era.or_else(|| self.century.map(|century| century * 100));
        let before_christ = self.before_christ == Some(true);
        self.year.or_else(|| of_era.map(|year| if before_christ { 1 - year } else { year }))
    }

    fn starts_with_month_or_day(&self) -> bool {
        let fields = [self.month, self.week, self.day_of_year, self.day, self.day_of_week];
        self.before_christ.is_none() && fields.iter().any(Option::is_some)
    }
}

fn checked_year(year: i64) -> Option<i64> {
    YEARS.contains(&year).then_some(year)
}
