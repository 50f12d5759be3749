//! Joda-Time's patterns, in which Druid's specifications and `TIME_PARSE` and `TIME_FORMAT` describe times.
//!
//! A pattern is compiled once to a list of items; [`JodaPattern::parse`] and [`JodaPattern::format`] walk it.
//!
//! | letter | meaning | | letter | meaning |
//! |---|---|---|---|---|
//! | `G` | era (AD, BC) | | `a` | half of day (AM, PM) |
//! | `C` | century of era | | `K` `h` | hour of half-day, 0–11, 1–12 |
//! | `Y` `y` | year of era, year | | `H` `k` | hour of day, 0–23, 1–24 |
//! | `x` `w` | week-year, week of it | | `m` `s` | minute, second |
//! | `e` `E` | day of week, number, name | | `S` | fraction of a second |
//! | `D` `d` | day of year, of month | | `z` | zone's abbreviation |
//! | `M` | month; name from three on | | `Z` `ZZ` `ZZZ` | `-0800`, `-08:00`, zone's name |
//!
//! Texts are English. Years of two digits lie between 1946 and 2045: Joda counts from the present, which this
//! crate does not know. Long names of zones (`zzzz`) are written as their abbreviation.

mod fields;
mod read;
mod write;

use std::fmt;

use super::error::TimeError;
use super::zone::Zone;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JodaPattern {
    text: String,
    items: Vec<Item>,
}

impl JodaPattern {
    /// Compiles a pattern such as `yyyy-MM-dd'T'HH:mm:ss.SSSZZ`.
    pub fn compile(pattern: &str) -> Result<Self, TimeError> {
        compile(pattern)
            .map(|items| Self { text: pattern.to_owned(), items })
            .map_err(|reason| TimeError::Pattern { text: pattern.to_owned(), reason })
    }

    /// Reads a text that has exactly this form; `zone` is that of a text that names none.
    pub fn parse(&self, text: &str, zone: Zone) -> Option<i64> {
        read::read(&self.items, text, zone)
    }

    /// Writes an instant on the wall clock of a zone.
    pub fn format(&self, time_ms: i64, zone: Zone) -> String {
        let mut out = String::with_capacity(self.text.len() + 8);
        // Writing into a String does not fail.
        let _ = self.write(&mut out, time_ms, zone);
        out
    }

    /// As [`Self::format`], at the end of a buffer that is used again.
    pub fn write(&self, out: &mut impl fmt::Write, time_ms: i64, zone: Zone) -> fmt::Result {
        write::write(&self.items, out, time_ms, zone)
    }
}

impl fmt::Display for JodaPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A number on the calendar or the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Century,
    YearOfEra,
    Year,
    WeekYear,
    Week,
    DayOfWeek,
    DayOfYear,
    Month,
    Day,
    HourOfHalfday,
    ClockHourOfHalfday,
    Hour,
    ClockHour,
    Minute,
    Second,
}

/// A word on the calendar or the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Era,
    Month,
    DayOfWeek,
    Halfday,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// Written with at least `digits` digits, read with at most `digits_max`.
    Number {
        field: Field,
        digits: usize,
        digits_max: usize,
    },
    /// `yy` or `xx`. `lenient`: a text with more or fewer digits is a full year.
    TwoDigitYear {
        week_year: bool,
        lenient: bool,
    },
    Word {
        word: Word,
        long: bool,
    },
    Fraction {
        digits: usize,
    },
    Abbreviation,
    Offset {
        colon: bool,
    },
    ZoneName,
    Literal(String),
}

/// Longer runs of one letter have no meaning; refusing them bounds what a pattern can make us write.
const RUN_MAX: usize = 64;

fn compile(pattern: &str) -> Result<Vec<Item>, String> {
    let characters: Vec<char> = pattern.chars().collect();
    if characters.is_empty() {
        return Err("it is empty".to_owned());
    }
    let mut items = Vec::new();
    let mut at = 0;
    while let Some(&letter) = characters.get(at) {
        if letter.is_ascii_alphabetic() {
            let run = characters[at..].iter().take_while(|c| **c == letter).count();
            if run > RUN_MAX {
                return Err(format!("{run} times the letter {letter}"));
            }
            at += run;
            let number_follows = is_number(&characters[at..]);
            items.push(item(letter, run, number_follows)?);
        } else {
            let (literal, used) = literal(&characters[at..]);
            at += used;
            items.push(Item::Literal(literal));
        }
    }
    Ok(items)
}

fn item(letter: char, run: usize, number_follows: bool) -> Result<Item, String> {
    let number =
        |field, digits_max: usize| Item::Number { field, digits: run, digits_max: digits_max.max(run) };
    let year = |field| match run {
        2 => Item::TwoDigitYear { week_year: letter == 'x', lenient: !number_follows },
        // A year before another number must end where the pattern says.
        _ => Item::Number { field, digits: run, digits_max: if number_follows { run } else { run.max(9) } },
    };
    Ok(match letter {
        'G' => Item::Word { word: Word::Era, long: false },
        'C' => number(Field::Century, if number_follows { run } else { 7 }),
        'Y' => year(Field::YearOfEra),
        'y' => year(Field::Year),
        'x' => year(Field::WeekYear),
        'w' => number(Field::Week, 2),
        'e' => number(Field::DayOfWeek, 1),
        'E' => Item::Word { word: Word::DayOfWeek, long: run >= 4 },
        'D' => number(Field::DayOfYear, 3),
        'M' if run >= 3 => Item::Word { word: Word::Month, long: run >= 4 },
        'M' => number(Field::Month, 2),
        'd' => number(Field::Day, 2),
        'a' => Item::Word { word: Word::Halfday, long: false },
        'K' => number(Field::HourOfHalfday, 2),
        'h' => number(Field::ClockHourOfHalfday, 2),
        'H' => number(Field::Hour, 2),
        'k' => number(Field::ClockHour, 2),
        'm' => number(Field::Minute, 2),
        's' => number(Field::Second, 2),
        'S' => Item::Fraction { digits: run },
        'z' => Item::Abbreviation,
        'Z' if run >= 3 => Item::ZoneName,
        'Z' => Item::Offset { colon: run == 2 },
        other => return Err(format!("the letter {other} means nothing; put texts between apostrophes")),
    })
}

/// Whether a pattern goes on with something that is read as digits.
fn is_number(rest: &[char]) -> bool {
    match rest.first() {
        Some('M') => rest.iter().take_while(|c| **c == 'M').count() <= 2,
        Some(letter) => "CYyxwedDKhHkmsS".contains(*letter),
        None => false,
    }
}

/// Everything up to the next letter, apostrophes resolved; gives the number of characters used too.
fn literal(rest: &[char]) -> (String, usize) {
    let mut text = String::new();
    let mut quoted = false;
    let mut at = 0;
    while let Some(&c) = rest.get(at) {
        if c == '\'' {
            if rest.get(at + 1) == Some(&'\'') {
                text.push('\'');
                at += 1;
            } else {
                quoted = !quoted;
            }
        } else if c.is_ascii_alphabetic() && !quoted {
            break;
        } else {
            text.push(c);
        }
        at += 1;
    }
    (text, at)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

#[cfg(test)]
mod tests;
