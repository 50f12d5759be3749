//! JSON to [`Filter`].

use ovate_storage::time::{Interval, Zone};
use serde_json::{Map, Value};

use super::{Bound, Filter, FilterError, MatchValue, Ordering};
use crate::native::coerce::{Number, parse_number};
use crate::native::convert::exact_long;
use crate::native::error::nearest;
use crate::native::parse::parse;

/// The deepest nesting of filters. Written by people and by planners they are a few levels deep.
const DEPTH_MAX: usize = 50;

const TYPES: [&str; 17] = [
    "true",
    "false",
    "and",
    "or",
    "not",
    "selector",
    "equals",
    "null",
    "in",
    "inType",
    "bound",
    "range",
    "like",
    "regex",
    "search",
    "interval",
    "expression",
];

/// What Druid has besides.
const UNSUPPORTED: [(&str, &str); 5] = [
    ("javascript", "there is no JavaScript; an expression filter can do the same"),
    ("spatial", "there are no spatial columns; compare latitude and longitude"),
    ("extraction", "there are no extraction functions; an expression filter can do the same"),
    ("arrayContainsElement", "filters on columns of several values already match any of them"),
    ("bloom", "there are no bloom filters"),
];

/// Reads one filter and those in it.
pub(super) fn filter(json: &Value, path: &str, depth: usize) -> Result<Filter, FilterError> {
    if depth > DEPTH_MAX {
        return Err(FilterError::TooDeep { path: shortened(path), max: DEPTH_MAX });
    }
    let Value::Object(map) = json else { return Err(wrong(path, "must be a JSON object")) };
    let object = Object { map, path };
    object.no_extraction()?;
    let kind = object.text("type")?;
    let column = |name: &str| object.text(name).map(str::to_owned);
    Ok(match kind {
        "true" => Filter::True,
        "false" => Filter::False,
        "and" => Filter::And(object.filters(depth)?),
        "or" => Filter::Or(object.filters(depth)?),
        "not" => Filter::Not(Box::new(filter(object.required("field")?, &object.at("field"), depth + 1)?)),
        "null" => Filter::Null { column: column("column")? },
        "selector" => selector(&object)?,
        "equals" => Filter::In {
            column: column("column")?,
            values: vec![typed(
                object.required("matchValue")?,
                object.text("matchValueType")?,
                &object.at("matchValue"),
            )?],
            or_null: false,
        },
        "in" => any_of(&object, "dimension", "values", "STRING")?,
        "inType" => any_of(&object, "column", "sortedValues", object.text("matchValueType")?)?,
        "bound" => bound(&object)?,
        "range" => range(&object)?,
        "like" => Filter::Like {
            column: column("dimension")?,
            pattern: column("pattern")?,
            escape: object.character("escape")?,
        },
        "regex" => Filter::Regex { column: column("dimension")?, pattern: column("pattern")? },
        "search" => search(&object)?,
        "interval" => Filter::Interval { column: column("dimension")?, intervals: intervals(&object)? },
        "columnComparison" => Filter::ColumnComparison { columns: columns(&object)? },
        "expression" => {
            let at = |source| FilterError::Expression { path: object.at("expression"), source };
            Filter::Expression(parse(object.text("expression")?).map_err(at)?)
        }
        _ => return Err(unknown(kind, path)),
    })
}

fn unknown(kind: &str, path: &str) -> FilterError {
    if let Some((_, reason)) = UNSUPPORTED.iter().find(|(known, _)| *known == kind) {
        return FilterError::Unsupported {
            path: path.to_owned(),
            reason: format!("filter '{kind}': {reason}"),
        };
    }
    let nearest = nearest(kind, TYPES.into_iter().chain(["columnComparison"]));
    FilterError::UnknownType { path: path.to_owned(), found: kind.to_owned(), nearest }
}

/// The beginning of a path that is long only because it is deep.
fn shortened(path: &str) -> String {
    let cut = path.char_indices().nth(60).map_or(path.len(), |(at, _)| at);
    if cut < path.len() { format!("{}…", &path[..cut]) } else { path.to_owned() }
}

fn wrong(path: &str, problem: impl Into<String>) -> FilterError {
    FilterError::Field { path: path.to_owned(), problem: problem.into() }
}

struct Object<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Object<'a> {
    fn at(&self, field: &str) -> String {
        format!("{}.{field}", self.path)
    }

    /// The field, if it is there and not `null`.
    fn optional(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    fn required(&self, field: &str) -> Result<&'a Value, FilterError> {
        self.optional(field).ok_or_else(|| wrong(&self.at(field), "is missing"))
    }

    fn text(&self, field: &str) -> Result<&'a str, FilterError> {
        self.required(field)?.as_str().ok_or_else(|| wrong(&self.at(field), "must be a string"))
    }

    fn flag(&self, field: &str) -> Result<bool, FilterError> {
        match self.optional(field) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| wrong(&self.at(field), "must be true or false")),
        }
    }

    fn list(&self, field: &str) -> Result<&'a [Value], FilterError> {
        match self.required(field)? {
            Value::Array(values) => Ok(values),
            _ => Err(wrong(&self.at(field), "must be an array")),
        }
    }

    fn character(&self, field: &str) -> Result<Option<char>, FilterError> {
        let Some(_) = self.optional(field) else { return Ok(None) };
        let text = self.text(field)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (first, None) => Ok(first),
            _ => Err(wrong(&self.at(field), "must be one character")),
        }
    }

    fn filters(&self, depth: usize) -> Result<Vec<Filter>, FilterError> {
        let fields = self.list("fields")?;
        fields
            .iter()
            .enumerate()
            .map(|(i, json)| filter(json, &self.at(&format!("fields[{i}]")), depth + 1))
            .collect()
    }

    fn no_extraction(&self) -> Result<(), FilterError> {
        if self.optional("extractionFn").is_none() {
            return Ok(());
        }
        let reason = "extraction functions: an expression filter can do the same".to_owned();
        Err(FilterError::Unsupported { path: self.at("extractionFn"), reason })
    }
}

/// A value of the declared type.
fn typed(json: &Value, declared: &str, path: &str) -> Result<MatchValue, FilterError> {
    let text = match json {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) if declared == "STRING" => flag.to_string(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        _ => return Err(wrong(path, "must be a string or a number")),
    };
    match declared {
        "STRING" => Ok(MatchValue::String(text)),
        "LONG" => {
            let number = exact_long(&text).or_else(|| parse_number(&text).map(Number::as_long));
            number.map(MatchValue::Long).ok_or_else(|| wrong(path, format!("'{text}' is no whole number")))
        }
        "DOUBLE" | "FLOAT" => {
            let number = parse_number(&text).map(|n| MatchValue::Double(n.as_double()));
            number.ok_or_else(|| wrong(path, format!("'{text}' is no number")))
        }
        _ if declared.starts_with("ARRAY") || declared.starts_with("COMPLEX") => {
            let reason = format!("matching values of type {declared}");
            Err(FilterError::Unsupported { path: path.to_owned(), reason })
        }
        _ => Err(wrong(path, format!("has the type '{declared}'; types are STRING, LONG, FLOAT and DOUBLE"))),
    }
}

fn selector(object: &Object<'_>) -> Result<Filter, FilterError> {
    let column = object.text("dimension")?.to_owned();
    Ok(match object.optional("value") {
        None => Filter::Null { column },
        Some(value) => {
            Filter::In { column, values: vec![typed(value, "STRING", &object.at("value"))?], or_null: false }
        }
    })
}

fn any_of(object: &Object<'_>, column: &str, values: &str, declared: &str) -> Result<Filter, FilterError> {
    let column = object.text(column)?.to_owned();
    let list = object.list(values)?;
    let or_null = list.iter().any(Value::is_null);
    let path = object.at(values);
    let values = list
        .iter()
        .enumerate()
        .filter(|(_, value)| !value.is_null())
        .map(|(i, value)| typed(value, declared, &format!("{path}[{i}]")))
        .collect::<Result<_, _>>()?;
    Ok(Filter::In { column, values, or_null })
}

fn bound(object: &Object<'_>) -> Result<Filter, FilterError> {
    let ordering = match object.optional("ordering").and_then(Value::as_str) {
        None if object.flag("alphaNumeric")? => return Err(ordering_unsupported(object, "alphanumeric")),
        None | Some("lexicographic") => Ordering::Lexicographic,
        Some("numeric") => Ordering::Numeric,
        Some("strlen") => Ordering::Strlen,
        Some(other @ ("alphanumeric" | "version" | "natural")) => {
            return Err(ordering_unsupported(object, other));
        }
        Some(other) => {
            let hint = nearest(other, ["lexicographic", "numeric", "strlen"].into_iter());
            let hint = hint.map_or(String::new(), |name| format!("; the nearest is '{name}'"));
            return Err(wrong(&object.at("ordering"), format!("is '{other}', which is no ordering{hint}")));
        }
    };
    let end = |name: &str, strict: &str| {
        let Some(value) = object.optional(name) else { return Ok(None) };
        let declared = if ordering == Ordering::Lexicographic { "STRING" } else { "DOUBLE" };
        let value = match (ordering, value.as_str()) {
            // Bounds of a length are texts, whose lengths count.
            (Ordering::Strlen, Some(text)) => MatchValue::Long(text.encode_utf16().count() as i64),
            _ => typed(value, declared, &object.at(name))?,
        };
        Ok::<_, FilterError>(Some(Bound { value, open: object.flag(strict)? }))
    };
    let (lower, upper) = (end("lower", "lowerStrict")?, end("upper", "upperStrict")?);
    let or_null = lower.is_none();
    Ok(Filter::Range {
        column: object.text("dimension")?.to_owned(),
        lower,
        upper,
        ordering: Some(ordering),
        or_null,
    })
}

fn ordering_unsupported(object: &Object<'_>, name: &str) -> FilterError {
    FilterError::Unsupported { path: object.at("ordering"), reason: format!("ordering '{name}'") }
}

fn range(object: &Object<'_>) -> Result<Filter, FilterError> {
    let declared = object.text("matchValueType")?;
    let end = |name: &str, open: &str| {
        let Some(value) = object.optional(name) else { return Ok(None) };
        let value = typed(value, declared, &object.at(name))?;
        Ok::<_, FilterError>(Some(Bound { value, open: object.flag(open)? }))
    };
    let (lower, upper) = (end("lower", "lowerOpen")?, end("upper", "upperOpen")?);
    if lower.is_none() && upper.is_none() {
        return Err(wrong(object.path, "needs lower, upper or both"));
    }
    Ok(Filter::Range {
        column: object.text("column")?.to_owned(),
        lower,
        upper,
        ordering: None,
        or_null: false,
    })
}

fn search(object: &Object<'_>) -> Result<Filter, FilterError> {
    let column = object.text("dimension")?.to_owned();
    let path = object.at("query");
    let Value::Object(map) = object.required("query")? else {
        return Err(wrong(&path, "must be a JSON object"));
    };
    let query = Object { map, path: &path };
    let (fragments, case_sensitive) = match query.text("type")? {
        "contains" => (vec![query.text("value")?.to_owned()], query.flag("caseSensitive")?),
        "insensitive_contains" => (vec![query.text("value")?.to_owned()], false),
        "fragment" => {
            let text = |value: &Value| {
                value
                    .as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| wrong(&query.at("values"), "must hold strings"))
            };
            (query.list("values")?.iter().map(text).collect::<Result<_, _>>()?, query.flag("caseSensitive")?)
        }
        other => {
            let nearest = nearest(other, ["contains", "insensitive_contains", "fragment"].into_iter());
            return Err(FilterError::UnknownType { path: path.clone(), found: other.to_owned(), nearest });
        }
    };
    Ok(Filter::Search { column, fragments, case_sensitive })
}

fn intervals(object: &Object<'_>) -> Result<Vec<Interval>, FilterError> {
    let values = match object.required("intervals")? {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    values
        .iter()
        .enumerate()
        .map(|(i, value)| {
            let at = object.at(&format!("intervals[{i}]"));
            let text =
                value.as_str().ok_or_else(|| wrong(&at, "must be a string like 2026-01-01/2026-02-01"))?;
            Interval::parse(text, Zone::UTC).map_err(|error| wrong(&at, format!("cannot be read: {error}")))
        })
        .collect()
}

fn columns(object: &Object<'_>) -> Result<Vec<String>, FilterError> {
    let path = object.at("dimensions");
    let name = |value: &Value| match value {
        Value::String(name) => Ok(name.clone()),
        Value::Object(spec) => spec
            .get("dimension")
            .and_then(Value::as_str)
            .filter(|_| spec.get("type").is_none_or(|kind| kind == "default"))
            .map(str::to_owned)
            .ok_or_else(|| wrong(&path, "must name columns")),
        _ => Err(wrong(&path, "must name columns")),
    };
    object.list("dimensions")?.iter().map(name).collect()
}
