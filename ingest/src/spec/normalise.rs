//! From JSON as posted to JSON as Druid gives it back: every key checked against the tables of [`super::keys`],
//! defaults filled in, durations and granularities in their one spelling.
//!
//! `null` counts as absent, as Jackson takes it, and so do the coercions that Jackson makes: `"5"` for a number,
//! `"true"` for a boolean, a number for a text.

use ovate_storage::time::{Granularity, Period, Zone};
use serde_json::{Map, Value};

use super::shape::{Key, Kind, Section, Shown, Standing, Tagged, Variant};
use crate::error::SpecError;

type Result<T> = std::result::Result<T, SpecError>;

/// Checks `value` against `section` and fills in what it does not say.
pub(crate) fn section(section: &Section, path: &str, value: &Value) -> Result<Map<String, Value>> {
    let Value::Object(given) = value else {
        return Err(wrong_type(path, "an object", value));
    };
    keys(section, path, given, &[])
}

/// [`section`], with some keys that were dealt with already and do not count as unknown.
fn keys(
    section: &Section,
    path: &str,
    given: &Map<String, Value>,
    known: &[&str],
) -> Result<Map<String, Value>> {
    for key in given.keys() {
        if !known.contains(&key.as_str()) && !section.keys.iter().any(|known| known.name == key) {
            let names = section.keys.iter().map(|known| known.name).chain(known.iter().copied());
            return Err(SpecError::UnknownKey { path: join(path, key), nearest: nearest(key, names) });
        }
    }
    let mut out = Map::new();
    for key in section.keys {
        if let Some(value) = one_key(key, path, given.get(key.name))? {
            out.insert(key.name.to_owned(), value);
        }
    }
    Ok(out)
}

fn one_key(key: &Key, path: &str, given: Option<&Value>) -> Result<Option<Value>> {
    let path = join(path, key.name);
    let given = given.filter(|value| !value.is_null());
    if let Standing::Refused(instead) = key.standing
        && given.is_some_and(says_something)
    {
        let (what, instead) = (format!("{:?}", key.name), instead.to_owned());
        return Err(SpecError::Unsupported { path, what, instead });
    }
    let checked = match given {
        Some(value) if !matches!(key.standing, Standing::Refused(_)) => {
            Some(one_value(&key.kind, &path, value)?)
        }
        _ => None,
    };
    match (key.shown, checked) {
        (Shown::Never, _) | (Shown::UnlessDefault(_), None) => Ok(None),
        (Shown::IfGiven, checked) => Ok(checked),
        (Shown::Required, None) => Err(SpecError::Missing { path, expected: expected(&key.kind) }),
        (Shown::Required | Shown::Always(_), Some(value)) => Ok(Some(value)),
        (Shown::UnlessDefault(default), Some(value)) => Ok((value != literal(default)).then_some(value)),
        (Shown::Always(default), None) => match literal(default) {
            Value::Null => Ok(Some(Value::Null)),
            default => one_value(&key.kind, &path, &default).map(Some),
        },
    }
}

/// Whether a refused key asks for anything: `null`, `false`, empty lists, objects and texts do not.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => true,
    }
}

fn literal(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}

fn one_value(kind: &Kind, path: &str, value: &Value) -> Result<Value> {
    let refuse = || Err(wrong_type(path, &expected(kind), value));
    match kind {
        Kind::Bool => match value {
            Value::Bool(_) => Ok(value.clone()),
            Value::String(text) if text == "true" || text == "false" => Ok(Value::Bool(text == "true")),
            _ => refuse(),
        },
        Kind::Long(min) => {
            let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
            match number {
                Some(number) if number >= *min => Ok(Value::from(number)),
                Some(number) => Err(SpecError::invalid(path, format!("{number} is below {min}"))),
                None => refuse(),
            }
        }
        Kind::Number => match value {
            Value::Number(_) => Ok(value.clone()),
            _ => refuse(),
        },
        Kind::Text => match value {
            Value::String(_) => Ok(value.clone()),
            Value::Number(_) | Value::Bool(_) => Ok(Value::String(value.to_string())),
            _ => refuse(),
        },
        Kind::Choice(words) => {
            let Value::String(text) = value else { return refuse() };
            match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
                Some(word) => Ok(Value::from(*word)),
                None => Err(SpecError::Unsupported {
                    path: path.to_owned(),
                    what: format!("{text:?}"),
                    instead: format!("supported: {}", words.join(", ")),
                }),
            }
        }
        Kind::Duration => duration_ms(path, value).map(|ms| Value::String(joda_duration(ms))),
        Kind::Period => period(path, value).map(|_| value.clone()),
        Kind::Instant => instant(path, value),
        Kind::Granularity => granularity(path, value),
        Kind::Object(inner) => section(inner, path, value).map(Value::Object),
        Kind::Tagged(inner) => tagged(inner, path, value).map(Value::Object),
        Kind::List(inner) => {
            let Value::Array(items) = value else { return refuse() };
            let items =
                items.iter().enumerate().map(|(i, item)| one_value(inner, &format!("{path}[{i}]"), item));
            items.collect::<Result<Vec<_>>>().map(Value::Array)
        }
        Kind::Map => match value {
            Value::Object(_) => Ok(value.clone()),
            _ => refuse(),
        },
        Kind::Free => Ok(value.clone()),
    }
}

fn tagged(shape: &Tagged, path: &str, value: &Value) -> Result<Map<String, Value>> {
    let expand;
    let given = match (value, shape.shorthand) {
        (Value::Object(given), _) => given,
        (Value::String(text), Some((tag, fields))) => {
            let mut full = Map::new();
            full.insert("type".into(), Value::from(tag));
            full.extend(fields.iter().map(|field| ((*field).to_owned(), Value::from(text.as_str()))));
            expand = full;
            &expand
        }
        (_, Some(_)) => return Err(wrong_type(path, "an object or a name", value)),
        (_, None) => return Err(wrong_type(path, "an object", value)),
    };
    let at = join(path, "type");
    let tag = match given.get("type").filter(|tag| !tag.is_null()) {
        Some(Value::String(tag)) => tag.as_str(),
        Some(other) => return Err(wrong_type(&at, "a text", other)),
        None => match shape.default {
            Some(tag) => tag,
            None => {
                return Err(SpecError::Missing {
                    path: at,
                    expected: format!("one of {}", shape.supported()),
                });
            }
        },
    };
    let variant = shape.variants.iter().find(|(name, _)| *name == tag).map(|(_, variant)| variant);
    let instead = match variant {
        Some(Variant::Of(inner)) => {
            let mut out = Map::new();
            out.insert("type".into(), Value::from(tag));
            out.extend(keys(inner, path, given, &["type"])?);
            return Ok(out);
        }
        Some(Variant::Refused(instead)) => (*instead).to_owned(),
        None => {
            let near = nearest(tag, shape.variants.iter().map(|(name, _)| *name));
            let near = near.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
            format!("supported: {}{near}", shape.supported())
        }
    };
    Err(SpecError::Unsupported { path: at, what: format!("{} {tag:?}", shape.what), instead })
}

/// The fixed length of an ISO period, in milliseconds.
fn duration_ms(path: &str, value: &Value) -> Result<i64> {
    // Durations that are written as numbers are milliseconds, as Joda's deserialiser has it.
    if let Some(ms) = value.as_i64() {
        return Ok(ms);
    }
    let period = period(path, value)?;
    period
        .fixed_ms(Zone::UTC)
        .ok_or_else(|| SpecError::invalid(path, format!("{period} has no fixed length; give days or less")))
}

fn period(path: &str, value: &Value) -> Result<Period> {
    let Value::String(text) = value else {
        return Err(wrong_type(path, "an ISO period such as PT1H", value));
    };
    Period::parse(text)
        .map_err(|error| SpecError::invalid(path, format!("{text:?} is not an ISO period: {error}")))
}

/// A duration as Joda prints it: seconds, with milliseconds where there are any.
pub(crate) fn joda_duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let (seconds, millis) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
    if millis == 0 { format!("PT{sign}{seconds}S") } else { format!("PT{sign}{seconds}.{millis:03}S") }
}

/// The milliseconds of what [`joda_duration`] wrote.
pub(crate) fn from_joda(text: &str) -> Option<i64> {
    let text = text.strip_prefix("PT")?.strip_suffix('S')?;
    let (seconds, millis) = text.split_once('.').unwrap_or((text, "0"));
    let (magnitude, sign) = seconds.strip_prefix('-').map_or((seconds, 1), |seconds| (seconds, -1));
    let (seconds, millis): (i64, i64) = (magnitude.parse().ok()?, millis.parse().ok()?);
    seconds.checked_mul(1000)?.checked_add(millis)?.checked_mul(sign)
}

fn instant(path: &str, value: &Value) -> Result<Value> {
    let ms = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            ovate_storage::time::parse::parse_iso(text, Zone::UTC).or_else(|| text.parse().ok())
        }
        _ => None,
    };
    ms.map(|ms| Value::String(ovate_storage::time::format_instant(ms)))
        .ok_or_else(|| wrong_type(path, "a date and time such as 2026-01-01T00:00:00Z", value))
}

fn granularity(path: &str, value: &Value) -> Result<Value> {
    let parsed: Granularity = serde_json::from_value(value.clone()).map_err(|error| {
        SpecError::invalid(path, format!("{} is not a granularity: {error}", shorten(value)))
    })?;
    Ok(granularity_json(&parsed))
}

/// A granularity as Druid writes it: a name for the standard ones, an object for the others.
fn granularity_json(granularity: &Granularity) -> Value {
    match granularity {
        Granularity::All => serde_json::json!({"type": "all"}),
        Granularity::None => serde_json::json!({"type": "none"}),
        Granularity::Duration { ms, origin_ms } => {
            let origin = ovate_storage::time::format_instant(*origin_ms);
            serde_json::json!({"type": "duration", "duration": ms, "origin": origin})
        }
        Granularity::Period { period, origin_ms, zone } => {
            let text = period.to_string();
            let standard = STANDARD.iter().find(|(_, p)| *p == text).map(|(name, _)| *name);
            match standard {
                Some(name) if origin_ms.is_none() && *zone == Zone::UTC => Value::from(name),
                _ => serde_json::json!({
                    "type": "period",
                    "period": text,
                    "timeZone": zone.to_string(),
                    "origin": origin_ms.map(ovate_storage::time::format_instant),
                }),
            }
        }
    }
}

const STANDARD: [(&str, &str); 14] = [
    ("SECOND", "PT1S"),
    ("MINUTE", "PT1M"),
    ("FIVE_MINUTE", "PT5M"),
    ("TEN_MINUTE", "PT10M"),
    ("FIFTEEN_MINUTE", "PT15M"),
    ("THIRTY_MINUTE", "PT30M"),
    ("HOUR", "PT1H"),
    ("SIX_HOUR", "PT6H"),
    ("EIGHT_HOUR", "PT8H"),
    ("DAY", "P1D"),
    ("WEEK", "P1W"),
    ("MONTH", "P1M"),
    ("QUARTER", "P3M"),
    ("YEAR", "P1Y"),
];

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "true or false".into(),
        Kind::Long(_) => "an integer".into(),
        Kind::Number => "a number".into(),
        Kind::Text => "a text".into(),
        Kind::Choice(words) => format!("one of {}", words.join(", ")),
        Kind::Duration | Kind::Period => "an ISO period such as PT1H".into(),
        Kind::Instant => "a date and time such as 2026-01-01T00:00:00Z".into(),
        Kind::Granularity => "a granularity such as DAY".into(),
        Kind::Object(_) | Kind::Map => "an object".into(),
        Kind::Tagged(tagged) => format!("an object with type {}", tagged.supported().replace(", ", " | ")),
        Kind::List(_) => "a list".into(),
        Kind::Free => "a value".into(),
    }
}

pub(crate) fn wrong_type(path: &str, expected: &str, found: &Value) -> SpecError {
    SpecError::WrongType { path: path.to_owned(), expected: expected.to_owned(), found: shorten(found) }
}

/// A value as an error message shows it.
fn shorten(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "a list".into(),
        other => {
            let text = other.to_string();
            if text.chars().count() <= 40 {
                text
            } else {
                text.chars().take(40).chain("…".chars()).collect()
            }
        }
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The name that is spelled most like `given`, if any is near enough to be meant.
pub(crate) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let lower = given.to_lowercase();
    names
        .map(|name| (strsim::jaro_winkler(&lower, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}
