//! Arbitrary messages, decoded the slow way: a document tree per row, and each rule written out once more.

use ovate_functions::native::{double_text, parse_double, parse_float};
use ovate_storage::time::Zone;
use ovate_storage::time::parse::parse_iso;
use proptest::prelude::*;

use super::*;

/// JSON as a text may have it: keys may repeat.
#[derive(Debug, Clone)]
enum Json {
    Null,
    Bool(bool),
    Long(i64),
    Double(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(&value.to_string()),
            Self::Long(value) => out.push_str(&value.to_string()),
            Self::Double(value) => out.push_str(&json!(value).to_string()),
            Self::Text(text) => out.push_str(&json!(text).to_string()),
            Self::List(values) => {
                out.push('[');
                for (i, value) in values.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    out.push_str(&json!(key).to_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-c]{1,3}",
        "[0-9]{1,4}(\\.[0-9]{1,2})?",
        Just("2024-01-01T00:00:00.5Z".to_owned()),
        Just("2024-13-01".to_owned()),
        any::<String>(),
    ]
}

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        (-5..100_i64).prop_map(Json::Long),
        any::<i64>().prop_map(Json::Long),
        (-1000..1000_i32).prop_map(|n| Json::Double(f64::from(n) / 8.0)),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
            prop::collection::vec((key(), inner), 0..4).prop_map(Json::Object),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["t", "s", "m", "l", "f", "d", "a", "b", "c"]).prop_map(str::to_owned),
        1 => text(),
    ]
}

fn object() -> impl Strategy<Value = Json> {
    let time = prop_oneof![
        4 => (0..5_000_i64).prop_map(Json::Long),
        1 => json_value(),
    ];
    (time, prop::collection::vec((key(), json_value()), 0..9), 0..9_usize).prop_map(
        |(time, mut fields, at)| {
            fields.insert(at.min(fields.len()), ("t".to_owned(), time));
            Json::Object(fields)
        },
    )
}

fn the_spec() -> SupervisorSpec {
    spec(
        json!({
            "dimensionsSpec": {"dimensions": [
                "s",
                {"name": "m", "multiValueHandling": "ARRAY"},
                {"type": "long", "name": "l"},
                {"type": "float", "name": "f"},
                {"type": "double", "name": "d"},
                "deep",
                "second",
                "a",
                "up",
                "joined",
            ]},
            "metricsSpec": [{"type": "doubleSum", "name": "sum", "fieldName": "l"}],
            "transformSpec": {"transforms": [
                {"type": "expression", "name": "up", "expression": "upper(c)"},
                {"type": "expression", "name": "joined", "expression": "concat(s, d)"},
            ]},
        }),
        json!({"inputFormat": {"type": "json", "flattenSpec": {"fields": [
            {"type": "path", "name": "deep", "expr": "$.a.b"},
            {"type": "path", "name": "second", "expr": "$.b[1].c"},
        ]}}}),
    )
}

/// The same with a filter that looks at values as numbers and as text.
fn the_filtered_spec() -> SupervisorSpec {
    let mut spec = the_spec();
    spec.ingestion.filter = Some(json!({"type": "or", "fields": [
        {"type": "bound", "dimension": "s", "lower": "5", "ordering": "numeric"},
        {"type": "selector", "dimension": "s", "value": "7"},
        {"type": "in", "dimension": "l", "values": ["1", "2.0", "3", "true"]},
        {"type": "selector", "dimension": "d", "value": null},
    ]}));
    spec
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_i64() {
            Some(value) => value.to_string(),
            None => double_text(number.as_f64().unwrap()),
        }),
        other => Some(other.to_string()),
    }
}

fn reference_strings(value: &Value, sorted: bool) -> Value {
    let mut texts: Vec<String> = match value {
        Value::Array(values) => values.iter().filter_map(scalar_text).collect(),
        other => scalar_text(other).into_iter().collect(),
    };
    if sorted {
        texts.sort();
    }
    match texts.as_slice() {
        [] => Value::Null,
        [only] => json!(only),
        _ => json!(texts),
    }
}

fn exact(text: &str) -> Option<i64> {
    let digits = text.split_once('.').map_or(text, |(whole, fraction)| {
        if !whole.is_empty() && fraction.chars().all(|c| c == '0') { whole } else { "x" }
    });
    digits.parse().ok()
}

fn reference_row(root: &Map<String, Value>) -> Option<Map<String, Value>> {
    let get = |name: &str| root.get(name).cloned().unwrap_or_default();
    let time = match get("t") {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|value| value as i64))?,
        Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse().ok()?
        }
        Value::String(text) => parse_iso(text.trim(), Zone::UTC)?,
        _ => return None,
    };
    if !Interval::ETERNITY.contains(time) {
        return None;
    }
    let deep = get("a").get("b").cloned().unwrap_or_default();
    let second = get("b").get(1).and_then(|item| item.get("c")).cloned().unwrap_or_default();
    let long = match get("l") {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|value| value as i64)),
        Value::Bool(value) => Some(i64::from(value)),
        Value::String(text) => exact(&text),
        _ => None,
    };
    let sum = match get("l") {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let text = text.trim().replace(',', "");
            text.parse::<i64>().ok().map(|value| value as f64).or_else(|| parse_double(&text))
        }
        _ => None,
    };
    let float = match get("f") {
        Value::Number(number) => match number.as_i64() {
            Some(value) => Some(value as f32),
            None => number.as_f64().map(|value| value as f32),
        },
        Value::String(text) => parse_float(&text),
        _ => None,
    };
    let double = match get("d") {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => parse_double(&text),
        _ => None,
    };
    Some(Map::from_iter([
        ("__time".to_owned(), json!(time)),
        ("s".to_owned(), reference_strings(&get("s"), true)),
        ("m".to_owned(), reference_strings(&get("m"), false)),
        ("l".to_owned(), json!(long)),
        ("f".to_owned(), json!(float)),
        ("d".to_owned(), json!(double)),
        ("deep".to_owned(), reference_strings(&deep, true)),
        ("second".to_owned(), reference_strings(&second, true)),
        ("a".to_owned(), reference_strings(&get("a"), true)),
        ("sum".to_owned(), json!(sum)),
    ]))
}

fn message() -> impl Strategy<Value = String> {
    object().prop_map(|object| {
        let mut text = String::new();
        object.write(&mut text);
        text
    })
}

/// What a producer may send: a message, the beginning of one, or anything.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[\\[\\]{}\",:0-9a-z\\\\ ]{0,60}".prop_map(String::into_bytes),
        message().prop_map(String::into_bytes),
        (message(), 0..100_usize).prop_map(|(text, at)| {
            let mut bytes = text.into_bytes();
            bytes.truncate(at);
            bytes
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_those_of_the_reference_decoder(messages in prop::collection::vec(message(), 0..12)) {
        let texts: Vec<&str> = messages.iter().map(String::as_str).collect();
        let (rows, decoded) = decode(&the_spec(), &texts);
        let expected: Vec<_> = texts
            .iter()
            .filter_map(|text| {
                let root: Value = serde_json::from_str(text).unwrap();
                reference_row(root.as_object().unwrap())
            })
            .collect();
        prop_assert_eq!(rows.len(), expected.len());
        prop_assert_eq!(decoded.counts.unparseable as usize, texts.len() - expected.len());
        for (row, expected) in rows.iter().zip(&expected) {
            for (name, value) in expected {
                prop_assert_eq!(&row[name], value, "{} of {:?}", name, texts);
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_messages_it_comes_with(messages in prop::collection::vec(message(), 0..8)) {
        let texts: Vec<&str> = messages.iter().map(String::as_str).collect();
        let spec = the_filtered_spec();
        let (together, _) = decode(&spec, &texts);
        let mut bench = Bench::new(&spec, Limits::default());
        let alone: Vec<_> = texts.iter().flat_map(|text| bench.feed(&[text.as_bytes()], DAY).0).collect();
        prop_assert_eq!(together, alone);
    }

    #[test]
    fn no_bytes_make_it_fail(messages in prop::collection::vec(payload(), 0..10), discovery in any::<bool>()) {
        let spec = if discovery { spec(json!({"dimensionsSpec": {}}), json!({})) } else { the_spec() };
        let payloads: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let (rows, decoded) = Bench::new(&spec, Limits::default()).feed(&payloads, DAY);
        let counts = decoded.counts;
        prop_assert_eq!(counts.processed + counts.processed_with_error, rows.len() as u64);
    }

    #[test]
    fn how_many_threads_read_is_not_seen(
        batches in prop::collection::vec(prop::collection::vec(payload(), 0..10), 1..4),
        which in 0..3_usize,
        samples_max in 0..4_usize,
        share_messages in 1..4_usize,
    ) {
        let spec = match which {
            0 => the_spec(),
            1 => the_filtered_spec(),
            _ => spec(json!({"dimensionsSpec": {}}), json!({})),
        };
        let limits = Limits { samples_max, ..Limits::default() };
        let mut one = Bench::new(&spec, limits);
        let mut many = Bench::new(&spec, limits);
        one.pipeline.helpers = Helpers::new(1, 1);
        many.pipeline.helpers = Helpers::new(5, share_messages);
        for messages in &batches {
            let payloads: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            let ((rows, expected), (also_rows, decoded)) = (one.feed(&payloads, DAY), many.feed(&payloads, DAY));
            prop_assert_eq!(also_rows, rows);
            prop_assert_eq!(decoded.counts, expected.counts);
            prop_assert_eq!(decoded.rejected, expected.rejected);
        }
    }
}
