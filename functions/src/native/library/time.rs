//! Time: longs are milliseconds since the epoch. Periods, zones, units and patterns are literals.

use ovate_storage::time::civil::{self, Date};
use ovate_storage::time::joda::JodaPattern;
use ovate_storage::time::parse::parse_iso;
use ovate_storage::time::{Period, Zone, format_instant_in};

use super::{Call, Definition, function};
use crate::native::ast::Kind;
use crate::native::error::{ExpressionError, nearest};
use crate::native::kernel::{Double, Long, Text, map1, map2};
use crate::native::types::{Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

pub(super) const FUNCTIONS: &[Definition] = &[
    function("timestamp", 1, 2, |call| parse(call, 1, Zone::UTC, |ms| ms)),
    function("unix_timestamp", 1, 2, |call| parse(call, 1, Zone::UTC, |ms| ms / 1000)),
    function("timestamp_parse", 1, 3, |call| parse(call, 1, zone(call, 2)?, |ms| ms)),
    function("timestamp_format", 1, 3, format),
    function("timestamp_floor", 2, 4, |call| bucket(call, Period::floor)),
    function("timestamp_ceil", 2, 4, |call| bucket(call, Period::ceil)),
    function("timestamp_shift", 3, 4, shift),
    function("timestamp_extract", 2, 3, extract),
];

/// Argument `i` as a zone; UTC when it is not given or NULL.
fn zone(call: &Call, i: usize) -> Result<Zone, ExpressionError> {
    match call.literal_text(i, "the time zone")? {
        Some(text) => Zone::parse(text).map_err(|error| call.error(error.to_string())),
        None => Ok(Zone::UTC),
    }
}

fn period(call: &Call) -> Result<Period, ExpressionError> {
    let text = call.required_text(1, "the period")?;
    Period::parse(text).map_err(|error| call.error(error.to_string()))
}

/// Argument `i` as a pattern; ISO-8601 when it is not given or NULL.
fn pattern(call: &Call, i: usize) -> Result<Option<JodaPattern>, ExpressionError> {
    let Some(text) = call.literal_text(i, "the pattern")? else { return Ok(None) };
    JodaPattern::compile(text).map(Some).map_err(|error| call.error(error.to_string()))
}

/// Text that cannot be read gives NULL.
fn parse(call: &Call, pattern_at: usize, zone: Zone, of_ms: fn(i64) -> i64) -> Lowered {
    let constants = format!("{:?}, {zone}", call.literal_text(pattern_at, "the pattern")?);
    let kernel = match pattern(call, pattern_at)? {
        Some(pattern) => map1::<Text, Long>(move |text| pattern.parse(text, zone).map(of_ms)),
        None => map1::<Text, Long>(move |text| parse_iso(text, zone).map(of_ms)),
    };
    Ok(call.function_with(&constants, vec![call.text(0)?], Type::Long, kernel))
}

/// ISO-8601 with the zone's offset unless a pattern is given.
fn format(call: &Call) -> Lowered {
    let zone = zone(call, 2)?;
    let constants = format!("{:?}, {zone}", call.literal_text(1, "the pattern")?);
    let kernel = match pattern(call, 1)? {
        Some(pattern) => map1::<Long, Text>(move |ms| Some(pattern.format(ms, zone))),
        None => map1::<Long, Text>(move |ms| Some(format_instant_in(ms, zone))),
    };
    Ok(call.function_with(&constants, vec![call.long(0)?], Type::Text, kernel))
}

fn bucket(call: &Call, cut: fn(&Period, i64, Option<i64>, Zone) -> i64) -> Lowered {
    let period = period(call)?;
    if !period.is_positive() {
        return Err(call.error(format!("takes a period that is longer than nothing, not {period}")));
    }
    let zone = zone(call, 3)?;
    let origin_ms = origin(call, zone)?;
    let constants = format!("{period}, {origin_ms:?}, {zone}");
    let kernel = map1::<Long, Long>(move |ms| Some(cut(&period, ms, origin_ms, zone)));
    Ok(call.function_with(&constants, vec![call.long(0)?], Type::Long, kernel))
}

/// Argument 2 as an instant: a number of milliseconds or ISO-8601 text.
fn origin(call: &Call, zone: Zone) -> Result<Option<i64>, ExpressionError> {
    match call.nodes.get(2).map(|node| &node.kind) {
        None | Some(Kind::Null) => Ok(None),
        Some(Kind::Text(text)) if text.is_empty() => Ok(None),
        Some(Kind::Long(ms)) => Ok(Some(*ms)),
        Some(Kind::Text(text)) => match parse_iso(text, zone) {
            Some(ms) => Ok(Some(ms)),
            None => Err(call.error(format!("takes an ISO-8601 instant as the origin, not '{text}'"))),
        },
        Some(_) => Err(call.error("needs a literal as the origin, its argument 3")),
    }
}

fn shift(call: &Call) -> Lowered {
    let period = period(call)?;
    let zone = zone(call, 3)?;
    let constants = format!("{period}, {zone}");
    let kernel = map2::<Long, Long, Long>(move |ms, times| Some(period.add(ms, times, zone)));
    Ok(call.function_with(&constants, vec![call.long(0)?, call.long(2)?], Type::Long, kernel))
}

/// What `timestamp_extract` extracts.
const UNITS: [&str; 18] = [
    "EPOCH",
    "MICROSECOND",
    "MILLISECOND",
    "SECOND",
    "MINUTE",
    "HOUR",
    "DAY",
    "DOW",
    "ISODOW",
    "DOY",
    "WEEK",
    "MONTH",
    "QUARTER",
    "YEAR",
    "ISOYEAR",
    "DECADE",
    "CENTURY",
    "MILLENNIUM",
];

fn extract(call: &Call) -> Lowered {
    let name = call.required_text(1, "the unit")?.to_ascii_uppercase();
    let Some(unit) = UNITS.into_iter().find(|unit| *unit == name) else {
        let hint = nearest(&name, UNITS.into_iter())
            .map_or(String::new(), |unit| format!("; the nearest is {unit}"));
        return Err(call.error(format!("does not know the unit '{name}'{hint}")));
    };
    let zone = zone(call, 2)?;
    let constants = format!("{unit}, {zone}");
    let arguments = vec![call.long(0)?];
    // Druid types these two as doubles.
    if matches!(unit, "CENTURY" | "MILLENNIUM") {
        let years = if unit == "CENTURY" { 100.0 } else { 1000.0 };
        let kernel = map1::<Long, Double>(move |ms| Some((field(ms, "YEAR", zone) as f64 / years).ceil()));
        return Ok(call.function_with(&constants, arguments, Type::Double, kernel));
    }
    let kernel = map1::<Long, Long>(move |ms| Some(field(ms, unit, zone)));
    Ok(call.function_with(&constants, arguments, Type::Long, kernel))
}

/// A field of the wall clock in `zone`. `MICROSECOND` is what Druid makes of it: seconds by a thousand.
fn field(ms: i64, unit: &str, zone: Zone) -> i64 {
    let seconds = ms / 1000;
    let (days, ms_of_day) = civil::split(zone.to_local(ms));
    let date = Date::from_days(days);
    match unit {
        "EPOCH" => seconds,
        "MICROSECOND" => seconds / 1000,
        "MILLISECOND" => ms_of_day % 1000,
        "SECOND" => ms_of_day / 1000 % 60,
        "MINUTE" => ms_of_day / 60_000 % 60,
        "HOUR" => ms_of_day / 3_600_000,
        "DAY" => i64::from(date.day),
        "DOW" | "ISODOW" => civil::day_of_week(days),
        "DOY" => date.day_of_year(),
        "WEEK" => date.iso_week().1,
        "MONTH" => i64::from(date.month),
        "QUARTER" => i64::from((date.month - 1) / 3 + 1),
        "ISOYEAR" => date.iso_week().0,
        "DECADE" => date.year / 10,
        _ => date.year,
    }
}
