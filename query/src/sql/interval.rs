//! `INTERVAL` literals: months, which follow the calendar, and milliseconds, which do not.
//!
//! As in Calcite a day is 86,400 seconds; `TIME_SHIFT` is there for days of other lengths. DataFusion's parser is
//! given one plain form (`'14 months 0 milliseconds'`), whatever was written.

use datafusion::sql::sqlparser::ast::{DateTimeField, Expr, Interval, UnaryOperator, Value};

use super::tree;
use crate::error::QueryError;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A stretch of time in the two units that do not convert into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Parts {
    pub(crate) months: i64,
    pub(crate) ms: i64,
}

/// A unit of SQL, as so many months or milliseconds.
pub(crate) fn unit(field: &DateTimeField) -> Option<Parts> {
    let of = |months, ms| Some(Parts { months, ms });
    match field {
        DateTimeField::Year | DateTimeField::Years => of(12, 0),
        DateTimeField::Quarter => of(3, 0),
        DateTimeField::Month | DateTimeField::Months => of(1, 0),
        DateTimeField::Week(_) | DateTimeField::Weeks => of(0, 7 * DAY_MS),
        DateTimeField::Day | DateTimeField::Days => of(0, DAY_MS),
        DateTimeField::Hour | DateTimeField::Hours => of(0, HOUR_MS),
        DateTimeField::Minute | DateTimeField::Minutes => of(0, MINUTE_MS),
        DateTimeField::Second | DateTimeField::Seconds => of(0, SECOND_MS),
        DateTimeField::Millisecond | DateTimeField::Milliseconds => of(0, 1),
        DateTimeField::Custom(ident) => unit_named(&ident.value),
        _ => None,
    }
}

/// A unit by its name, as `TIMESTAMPADD` takes it.
pub(crate) fn unit_named(name: &str) -> Option<Parts> {
    let of = |months, ms| Some(Parts { months, ms });
    let name = name.to_uppercase();
    let name = name.strip_prefix("SQL_TSI_").unwrap_or(&name);
    match name.strip_suffix('S').unwrap_or(name) {
        "YEAR" => of(12, 0),
        "QUARTER" => of(3, 0),
        "MONTH" => of(1, 0),
        "WEEK" => of(0, 7 * DAY_MS),
        "DAY" => of(0, DAY_MS),
        "HOUR" => of(0, HOUR_MS),
        "MINUTE" => of(0, MINUTE_MS),
        "SECOND" => of(0, SECOND_MS),
        "MILLISECOND" => of(0, 1),
        _ => None,
    }
}

/// What an interval literal amounts to; `None` when it is not a literal.
pub(crate) fn parts(interval: &Interval) -> Result<Option<Parts>, QueryError> {
    let Some((sign, text)) = literal(&interval.value) else { return Ok(None) };
    let wrong = || QueryError::invalid(format!("Illegal INTERVAL literal '{text}'"));
    let (inner, text) = match text.strip_prefix('-') {
        Some(rest) => (-sign, rest),
        None => (sign, text.as_str()),
    };
    let parts = match (&interval.leading_field, &interval.last_field) {
        (None, _) => words(text),
        (Some(DateTimeField::Year | DateTimeField::Years), Some(_)) => {
            text.split_once('-').and_then(|(years, months)| {
                let total = years.trim().parse::<i64>().ok()?.checked_mul(12)?;
                Some(Parts { months: total.checked_add(months.trim().parse().ok()?)?, ms: 0 })
            })
        }
        (Some(from), Some(_)) => clock(text, from),
        (Some(field), None) => {
            let unit = unit(field).ok_or_else(|| {
                QueryError::invalid(format!(
                    "INTERVAL unit {field} is not one of YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE, SECOND"
                ))
            })?;
            times(text, unit)
        }
    };
    let parts = parts.ok_or_else(wrong)?;
    Ok(Some(Parts { months: inner * parts.months, ms: inner * parts.ms }))
}

/// The plain form of an interval.
pub(crate) fn plain(parts: Parts) -> Interval {
    Interval {
        value: Box::new(tree::text(format!("{} months {} milliseconds", parts.months, parts.ms))),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }
}

fn literal(expr: &Expr) -> Option<(i64, String)> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some((1, text.trim().to_owned())),
            Value::Number(digits, _) => Some((1, digits.clone())),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => literal(expr).map(|(sign, text)| (-sign, text)),
        Expr::Nested(inner) => literal(inner),
        _ => None,
    }
}

/// `n` of a unit; seconds may have a fraction.
fn times(text: &str, unit: Parts) -> Option<Parts> {
    if let Ok(count) = text.parse::<i64>() {
        return Some(Parts { months: unit.months.checked_mul(count)?, ms: unit.ms.checked_mul(count)? });
    }
    let count = text.parse::<f64>().ok().filter(|count| count.is_finite() && unit.months == 0)?;
    Some(Parts { months: 0, ms: (count * unit.ms as f64).round() as i64 })
}

/// `1 day 2 hours`: pairs of a number and a unit.
fn words(text: &str) -> Option<Parts> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || words.len() % 2 == 1 {
        return None;
    }
    words.chunks(2).try_fold(Parts::default(), |sum, pair| {
        let part = times(pair[0], unit_named(pair[1])?)?;
        Some(Parts { months: sum.months.checked_add(part.months)?, ms: sum.ms.checked_add(part.ms)? })
    })
}

/// `1 02:03:04.5`, from days down; what is written first has the unit that stands first.
fn clock(text: &str, from: &DateTimeField) -> Option<Parts> {
    const UNITS_MS: [i64; 4] = [DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS];
    let first = UNITS_MS.iter().position(|ms| Some(Parts { months: 0, ms: *ms }) == unit(from))?;
    let numbers: Vec<&str> = text.split([' ', ':']).filter(|part| !part.is_empty()).collect();
    if numbers.is_empty() || numbers.len() > UNITS_MS.len() - first {
        return None;
    }
    let ms = numbers.iter().zip(&UNITS_MS[first..]).try_fold(0_i64, |sum, (number, unit_ms)| {
        sum.checked_add(times(number, Parts { months: 0, ms: *unit_ms })?.ms)
    })?;
    Some(Parts { months: 0, ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::StatementLimits;
    use crate::sql::statement;
    use datafusion::sql::sqlparser::ast::{Expr, SelectItem, SetExpr};

    fn of(text: &str) -> Option<(i64, i64)> {
        let query = statement::parse(&format!("SELECT {text}"), &StatementLimits::default()).unwrap().query;
        let SetExpr::Select(select) = *query.body else { panic!("not a select") };
        let SelectItem::UnnamedExpr(Expr::Interval(interval)) = &select.projection[0] else {
            panic!("not an interval")
        };
        parts(interval).ok().flatten().map(|parts| (parts.months, parts.ms))
    }

    #[test]
    fn every_spelling_amounts_to_months_and_milliseconds() {
        assert_eq!(of("INTERVAL '20' HOUR"), Some((0, 20 * HOUR_MS)));
        assert_eq!(of("INTERVAL '5' MINUTES"), Some((0, 5 * MINUTE_MS)));
        assert_eq!(of("INTERVAL -3 DAY"), Some((0, -3 * DAY_MS)));
        assert_eq!(of("INTERVAL '1.5' SECOND"), Some((0, 1500)));
        assert_eq!(of("INTERVAL '1-2' YEAR TO MONTH"), Some((14, 0)));
        assert_eq!(of("INTERVAL '-1-2' YEAR TO MONTH"), Some((-14, 0)));
        assert_eq!(
            of("INTERVAL '1 02:03:04' DAY TO SECOND"),
            Some((0, DAY_MS + 2 * HOUR_MS + 3 * MINUTE_MS + 4000))
        );
        assert_eq!(of("INTERVAL '2:30' HOUR TO MINUTE"), Some((0, 150 * MINUTE_MS)));
        assert_eq!(of("INTERVAL '2 months 3 days'"), Some((2, 3 * DAY_MS)));
        assert_eq!(of("INTERVAL 'x' DAY"), None);
        assert_eq!(of("INTERVAL '1.5' MONTH"), None);
    }
}
