//! One rule a line.

use super::*;

/// The value that a message gives column `x` of a type, and whether a fault was counted.
fn column(dimension: Value, json_value: &str) -> (Value, bool) {
    let spec = spec(json!({"dimensionsSpec": {"dimensions": [dimension]}}), json!({}));
    let message = format!(r#"{{"t":1,"x":{json_value}}}"#);
    let (rows, decoded) = decode(&spec, &[&message]);
    assert_eq!(rows.len(), 1, "{message}: {:?}", decoded.rejected);
    let fault = decoded.counts.processed_with_error == 1;
    assert_eq!(decoded.rejected.len(), usize::from(fault));
    assert_eq!(decoded.counts.processed, u64::from(!fault));
    (rows[0]["x"].clone(), fault)
}

#[test]
fn string_dimensions_take_everything() {
    for (given, expected) in [
        (r#""a""#, json!("a")),
        (r#""""#, json!("")),
        ("null", Value::Null),
        ("1", json!("1")),
        ("-0", json!("-0.0")),
        ("1.5", json!("1.5")),
        ("1.0", json!("1.0")),
        ("1e10", json!("1.0E10")),
        ("12345678.9", json!("1.23456789E7")),
        ("0.0001", json!("1.0E-4")),
        ("9223372036854775807", json!("9223372036854775807")),
        (
            "9223372036854775808",
            json!("9.223372036854775808E18").as_str().map(|_| json!("9.223372036854776E18")).unwrap(),
        ),
        ("true", json!("true")),
        ("false", json!("false")),
        (r#"{"b":1,"a":[2]}"#, json!(r#"{"b":1,"a":[2]}"#)),
        ("{}", json!("{}")),
        ("[]", Value::Null),
        ("[null]", Value::Null),
        (r#"["a"]"#, json!("a")),
        (r#"["b","a","b"]"#, json!(["a", "b", "b"])),
        (r#"["b",null,"a"]"#, json!(["a", "b"])),
        (r#"[2,10,true,"x",1.5]"#, json!(["1.5", "10", "2", "true", "x"])),
        (r#"[[1,2],{"a":1}]"#, json!(["[1,2]", r#"{"a":1}"#])),
        (r#""quote \" slash \\ tab \t""#, json!("quote \" slash \\ tab \t")),
        (r#""é😀""#, json!("é😀")),
        (r#""\u00e9\ud83d\ude00\u0000""#, json!("é😀\0")),
        (r#""alone \ud83d""#, json!("alone ?")),
    ] {
        assert_eq!(column(json!("x"), given), (expected, false), "{given}");
    }
}

#[test]
fn several_values_are_kept_as_the_dimension_says() {
    let handled = |handling: &str| {
        column(json!({"type": "string", "name": "x", "multiValueHandling": handling}), r#"["b","a","b"]"#).0
    };
    assert_eq!(handled("SORTED_ARRAY"), json!(["a", "b", "b"]));
    assert_eq!(handled("SORTED_SET"), json!(["a", "b"]));
    assert_eq!(handled("ARRAY"), json!(["b", "a", "b"]));
}

#[test]
fn long_dimensions_take_whole_numbers() {
    for (given, expected, fault) in [
        ("1", json!(1), false),
        ("null", Value::Null, false),
        (r#""42""#, json!(42), false),
        (r#""+42.0""#, json!(42), false),
        ("1.9", json!(1), false),
        ("-1.9", json!(-1), false),
        ("1e300", json!(i64::MAX), false),
        ("true", json!(1), false),
        (r#""1.5""#, Value::Null, true),
        (r#""""#, Value::Null, true),
        (r#""abc""#, Value::Null, true),
        (r#"" 1""#, Value::Null, true),
        ("[1]", Value::Null, true),
        ("{}", Value::Null, true),
    ] {
        assert_eq!(column(json!({"type": "long", "name": "x"}), given), (expected, fault), "{given}");
    }
}

#[test]
fn float_and_double_dimensions_take_numbers() {
    for (given, float, double, fault) in [
        ("1", json!(1.0_f32), json!(1.0), false),
        ("0.1", json!(0.1_f32), json!(0.1), false),
        ("47.3757424811726", json!(47.375_744_f32), json!(47.375_742_481_172_6), false),
        (r#""47.3757424811726""#, json!(47.375_744_f32), json!(47.375_742_481_172_6), false),
        (r#""1e3""#, json!(1000.0_f32), json!(1000.0), false),
        (r#""5f""#, json!(5.0_f32), json!(5.0), false),
        ("null", Value::Null, Value::Null, false),
        (r#""""#, Value::Null, Value::Null, true),
        (r#""inf""#, Value::Null, Value::Null, true),
        (r#""x""#, Value::Null, Value::Null, true),
        ("true", Value::Null, Value::Null, true),
        ("[1.5]", Value::Null, Value::Null, true),
    ] {
        assert_eq!(column(json!({"type": "float", "name": "x"}), given), (float, fault), "float {given}");
        assert_eq!(column(json!({"type": "double", "name": "x"}), given), (double, fault), "double {given}");
    }
}

#[test]
fn metrics_read_numbers_more_generously() {
    let metric = |kind: &str, given: &str| {
        let metrics = json!([{"type": kind, "name": "m", "fieldName": "x"}, {"type": "count", "name": "n"}]);
        let spec = spec(json!({"metricsSpec": metrics}), json!({}));
        let (rows, decoded) = decode(&spec, &[&format!(r#"{{"t":1,"x":{given}}}"#)]);
        assert_eq!(rows[0]["n"], json!(1));
        (rows[0]["m"].clone(), decoded.counts.processed_with_error == 1)
    };
    for (kind, given, expected, fault) in [
        ("longSum", "5", json!(5), false),
        ("longSum", "5.9", json!(5), false),
        ("longSum", r#"" 1,234 ""#, json!(1234), false),
        ("longSum", r#""5.9""#, json!(5), false),
        ("longSum", "null", Value::Null, false),
        ("longSum", r#""x""#, Value::Null, true),
        ("longSum", "true", Value::Null, true),
        ("doubleSum", r#""1,234.5""#, json!(1234.5), false),
        ("doubleMax", "7", json!(7.0), false),
        ("floatMin", "0.1", json!(0.1_f32), false),
        ("floatSum", "[1,2]", Value::Null, true),
        ("longLast", "3", json!(3), false),
    ] {
        assert_eq!(metric(kind, given), (expected, fault), "{kind} {given}");
    }
}

#[test]
fn a_metric_may_read_the_time_a_transform_or_an_expression() {
    let spec = spec(
        json!({
            "metricsSpec": [
                {"type": "longMax", "name": "latest", "fieldName": "__time"},
                {"type": "longSum", "name": "twice", "fieldName": "double"},
                {"type": "doubleSum", "name": "half", "expression": "x / 2.0"},
                {"type": "longSum", "name": "more", "expression": "double + x"},
            ],
            "transformSpec": {"transforms": [{"type": "expression", "name": "double", "expression": "x * 2"}]},
        }),
        json!({}),
    );
    let (rows, _) = decode(&spec, &[r#"{"t":7,"x":5}"#]);
    assert_eq!(
        (&rows[0]["latest"], &rows[0]["twice"], &rows[0]["half"], &rows[0]["more"]),
        (&json!(7), &json!(10), &json!(2.5), &json!(15))
    );
}

#[test]
fn first_and_last_metrics_bring_the_time_before_flooring() {
    let spec = spec(
        json!({
            "metricsSpec": [{"type": "longFirst", "name": "f", "fieldName": "x"}],
            "granularitySpec": {"queryGranularity": "HOUR", "rollup": true},
        }),
        json!({}),
    );
    let bench = Bench::new(&spec, Limits::default());
    let mut pipeline = bench.pipeline;
    let mut writer = bench.datasource.writer();
    let payload = format!(r#"{{"t":{},"x":1}}"#, DAY + 5);
    let message =
        Message { payload: Some(payload.as_bytes()), key: None, timestamp_ms: None, partition: 0, offset: 0 };
    let decoded = pipeline.decode(&mut writer, [message], DAY).unwrap();
    assert_eq!(decoded.batch.time, [DAY]);
    assert_eq!(decoded.batch.raw_time, Some(vec![DAY + 5]));
}

#[test]
fn times_are_floored_to_the_query_granularity() {
    for (granularity, expected) in [
        (json!("NONE"), DAY + 3_661_001),
        (json!("SECOND"), DAY + 3_661_000),
        (json!("MINUTE"), DAY + 3_660_000),
        (json!("HOUR"), DAY + 3_600_000),
        (json!("DAY"), DAY),
        (json!({"type": "period", "period": "P1D", "timeZone": "Europe/Zurich"}), DAY - 3_600_000),
    ] {
        let spec = spec(
            json!({"granularitySpec": {"queryGranularity": granularity, "segmentGranularity": "YEAR", "rollup": false}}),
            json!({}),
        );
        let (rows, _) = decode(&spec, &[&format!(r#"{{"t":{}}}"#, DAY + 3_661_001)]);
        assert_eq!(rows[0]["__time"], json!(expected));
    }
}

/// The value of `x` for a flattenSpec field.
fn flattened(field: Value, message: &str) -> Value {
    let spec = spec(
        json!({"dimensionsSpec": {"dimensions": ["x"]}}),
        json!({"inputFormat": {"type": "json", "flattenSpec": {"fields": [field]}}}),
    );
    let (rows, decoded) = decode(&spec, &[message]);
    assert_eq!(rows.len(), 1, "{:?}", decoded.rejected);
    rows[0]["x"].clone()
}

#[test]
fn flatten_fields_are_found_inside_the_message() {
    let path = |expr: &str| json!({"type": "path", "name": "x", "expr": expr});
    for (field, message, expected) in [
        (path("$.a.b"), r#"{"t":1,"a":{"b":"v"}}"#, json!("v")),
        (path("$.a.b"), r#"{"t":1,"a":{"c":1}}"#, Value::Null),
        (path("$.a.b"), r#"{"t":1,"a":"flat"}"#, Value::Null),
        (path("$.a.b"), r#"{"t":1,"a":null}"#, Value::Null),
        (path("$.a.b"), r#"{"t":1}"#, Value::Null),
        (path("$.a.b"), r#"{"t":1,"a":{"b":"old"},"a":{"b":"new"}}"#, json!("new")),
        (path("$.a.b"), r#"{"t":1,"a":{"b":"old"},"a":{}}"#, Value::Null),
        (path("$.a.b"), r#"{"t":1,"a":{"b":"old"},"a":5}"#, Value::Null),
        (path("$.a[1]"), r#"{"t":1,"a":["p","q","r"]}"#, json!("q")),
        (path("$.a[1]"), r#"{"t":1,"a":["p"]}"#, Value::Null),
        (path("$.a[0].b"), r#"{"t":1,"a":[{"b":7},{"b":8}]}"#, json!("7")),
        (path("$.a[*]"), r#"{"t":1,"a":["q","p"]}"#, json!(["p", "q"])),
        (path("$['a.b']"), r#"{"t":1,"a.b":"dotted"}"#, json!("dotted")),
        (path("$.a"), r#"{"t":1,"a":{"b":{"c":1}}}"#, json!(r#"{"b":{"c":1}}"#)),
        (json!({"type": "root", "name": "x", "expr": "a"}), r#"{"t":1,"a":"r","x":"not me"}"#, json!("r")),
        (json!("x"), r#"{"t":1,"x":"me"}"#, json!("me")),
        (json!({"type": "tree", "name": "x", "nodes": ["a", "b"]}), r#"{"t":1,"a":{"b":1.5}}"#, json!("1.5")),
    ] {
        assert_eq!(flattened(field.clone(), message), expected, "{field} {message}");
    }
}

#[test]
fn one_place_may_be_wanted_whole_and_in_parts() {
    let spec = spec(
        json!({"dimensionsSpec": {"dimensions": ["a", "b", "e"]}}),
        json!({"inputFormat": {"type": "json", "flattenSpec": {"fields": [
            {"type": "path", "name": "b", "expr": "$.a.b"},
            {"type": "path", "name": "e", "expr": "$.a.l[1]"},
        ]}}}),
    );
    let (rows, _) = decode(&spec, &[r#"{"t":1,"a":{"b":"v","l":[1,2]}}"#, r#"{"t":1,"a":"text"}"#]);
    assert_eq!(rows[0]["a"], json!(r#"{"b":"v","l":[1,2]}"#));
    assert_eq!((&rows[0]["b"], &rows[0]["e"]), (&json!("v"), &json!("2")));
    assert_eq!((&rows[1]["a"], &rows[1]["b"]), (&json!("text"), &Value::Null));
}

#[test]
fn of_a_repeated_key_the_last_counts() {
    let spec = spec(json!({}), json!({}));
    let (rows, _) = decode(
        &spec,
        &[r#"{"t":1,"s":"a","s":"b"}"#, r#"{"t":1,"s":"a","s":null}"#, r#"{"s":1,"t":"x","t":2}"#],
    );
    assert_eq!(
        rows.iter().map(|row| row["s"].clone()).collect::<Vec<_>>(),
        [json!("b"), Value::Null, json!("1")]
    );
}

#[test]
fn keys_may_come_in_any_order_and_with_escapes() {
    let spec = spec(json!({"dimensionsSpec": {"dimensions": ["a", "é", "b\"c"]}}), json!({}));
    let (rows, _) = decode(
        &spec,
        &[
            r#"{"t":1,"a":1,"é":2,"b\"c":3,"other":[{"deep":[1,"]"]}]}"#,
            r#"{"b\"c":3,"other":{},"\u00e9":2,"\u0061":1,"t":1}"#,
            r#" { "t" : 1 , "a" : 1 , "é" : 2 , "b\"c" : 3 } "#,
        ],
    );
    for row in rows {
        assert_eq!((&row["a"], &row["é"], &row["b\"c"]), (&json!("1"), &json!("2"), &json!("3")));
    }
}

/// How a message is refused.
fn rejected(message: &str) -> (RejectReason, String) {
    let limits = Limits { message_bytes_max: 200, depth_max: 4, fields_max: 10, ..Limits::default() };
    let mut bench = Bench::new(&spec(json!({}), json!({})), limits);
    let (rows, decoded) = bench.feed(&[message.as_bytes()], DAY);
    assert!(rows.is_empty(), "{message}");
    assert_eq!(decoded.counts.unparseable, decoded.rejected.len() as u64);
    let only = &decoded.rejected[0];
    assert_eq!((only.partition, only.offset), (3, 0));
    assert_eq!(decoded.counts.of(only.reason), decoded.rejected.len() as u64);
    (only.reason, only.detail.clone())
}

#[test]
fn bad_messages_are_refused_with_their_reason() {
    use RejectReason::{
        MissingTimestamp, NotAnObject, TimestampOutOfRange, TooDeep, TooLarge, TooManyFields,
        UnparseableJson, UnparseableTimestamp,
    };
    let wide =
        format!(r#"{{"t":1,{}}}"#, (0..12).map(|i| format!(r#""f{i}":1"#)).collect::<Vec<_>>().join(","));
    let long = format!(r#"{{"t":1,"s":"{}"}}"#, "x".repeat(200));
    for (message, reason, detail) in [
        ("", UnparseableJson, "EOF"),
        ("   ", UnparseableJson, "EOF"),
        ("{", UnparseableJson, "EOF"),
        (r#"{"t":1"#, UnparseableJson, "EOF"),
        (r#"{"t":1,}"#, UnparseableJson, "trailing comma"),
        ("hello", UnparseableJson, "expected value"),
        (r"{'t':1}", UnparseableJson, "key must be a string"),
        (r#"{"t":01}"#, UnparseableJson, "invalid number"),
        ("null", NotAnObject, "found null"),
        ("[{}]", NotAnObject, "found a list"),
        ("5", NotAnObject, "found a number"),
        ("\"x\"", NotAnObject, "found a text"),
        ("true", NotAnObject, "found a boolean"),
        ("{}", MissingTimestamp, "\"t\" is absent"),
        (r#"{"t":null}"#, MissingTimestamp, "\"t\" is absent or null"),
        (r#"{"t":"soon"}"#, UnparseableTimestamp, "\"soon\""),
        (r#"{"t":{}}"#, UnparseableTimestamp, "{}"),
        (r#"{"t":-9000000000000000000}"#, TimestampOutOfRange, "-9000000000000000000"),
        (r#"{"t":1,"a":[[[[1]]]]}"#, TooDeep, "deeper than message_depth_max (4)"),
        (&wide, TooManyFields, "more fields than message_fields_max (10)"),
        (&long, TooLarge, "more than message_bytes_max (200)"),
    ] {
        let (found, text) = rejected(message);
        assert_eq!(found, reason, "{message}");
        assert!(text.contains(detail), "{message}: {text} lacks {detail}");
    }
}

#[test]
fn bad_messages_do_not_disturb_their_neighbours() {
    let (rows, decoded) = decode(
        &spec(json!({}), json!({})),
        &[
            r#"{"t":1,"s":"a"}"#,
            r#"{"t":2,"s":"lost","#,
            r#"{"s":"no time"}"#,
            r#"{"t":4}"#,
            r#"{"t":5,"s":"e"}"#,
        ],
    );
    assert_eq!(
        rows.iter().map(|row| row["s"].clone()).collect::<Vec<_>>(),
        [json!("a"), Value::Null, json!("e")]
    );
    assert_eq!((decoded.counts.messages, decoded.counts.processed, decoded.counts.unparseable), (5, 3, 2));
    assert_eq!(decoded.rejected.iter().map(|r| r.offset).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn several_objects_in_one_message_are_several_rows() {
    for (message, values) in [
        (r#"{"t":1,"s":"a"}{"t":1,"s":"b"}"#, vec!["a", "b"]),
        ("{\"t\":1,\"s\":\"a\"}\n{\"t\":1,\"s\":\"b\"}\n", vec!["a", "b"]),
        ("\n {\"t\":1,\n\"s\":\"a\"} \r\n {\"t\":1,\"s\":\"b\"}", vec!["a", "b"]),
        (r#"{"t":1,"s":"a"} oops {"t":1,"s":"b"}"#, vec!["a"]),
        (r#"{"t":1,"s":"a"} [1] {"t":1,"s":"b"}"#, vec!["a", "b"]),
        (r#"{"t":1,"s":"a"} {"s":"no time"} {"t":1,"s":"b"}"#, vec!["a", "b"]),
    ] {
        let (rows, _) = decode(&spec(json!({}), json!({})), &[message]);
        let found: Vec<&str> = rows.iter().filter_map(|row| row["s"].as_str()).collect();
        assert_eq!(found, values, "{message}");
    }
}

#[test]
fn with_newline_delimited_input_each_line_stands_for_itself() {
    let spec = spec(json!({}), json!({"inputFormat": {"type": "json", "assumeNewlineDelimited": true}}));
    let (rows, decoded) = decode(&spec, &["{\"t\":1,\"s\":\"a\"}\noops {\n\n{\"t\":1,\"s\":\"b\"}\n"]);
    assert_eq!(rows.len(), 2);
    assert_eq!(decoded.counts.of(RejectReason::UnparseableJson), 1);
}

#[test]
fn tombstones_are_thrown_away_and_counted() {
    let mut bench = Bench::new(&spec(json!({}), json!({})), Limits::default());
    let message = Message { payload: None, key: Some(b"k"), timestamp_ms: None, partition: 0, offset: 0 };
    let mut writer = bench.datasource.writer();
    let decoded = bench.pipeline.decode(&mut writer, [message], DAY).unwrap();
    assert_eq!((decoded.counts.thrown_away, decoded.counts.of(RejectReason::NoPayload)), (1, 1));
    assert!(decoded.rejected.is_empty());
    assert_eq!(decoded.batch.rows(), 0);
}

#[test]
fn bytes_that_are_no_text_become_replacement_characters() {
    let mut bench = Bench::new(&spec(json!({}), json!({})), Limits::default());
    let (rows, _) = bench.feed(&[b"{\"t\":1,\"s\":\"a\xffb\"}"], DAY);
    assert_eq!(rows[0]["s"], json!("a\u{fffd}b"));
}

#[test]
fn samples_are_bounded_and_counts_are_not() {
    let limits = Limits { samples_max: 2, sample_bytes_max: 5, ..Limits::default() };
    let mut bench = Bench::new(&spec(json!({}), json!({})), limits);
    let (_, decoded) = bench.feed(&[b"oops oops", "öööö".as_bytes(), b"c"], DAY);
    assert_eq!(decoded.counts.unparseable, 3);
    let inputs: Vec<&str> = decoded.rejected.iter().map(|r| r.input.as_str()).collect();
    assert_eq!(inputs, ["oops …", "öö…"]);
}

#[test]
fn late_and_early_rows_are_thrown_away() {
    let hour = 3_600_000;
    let run = |io: Value, offsets: [i64; 4]| {
        let messages = offsets.map(|offset| format!(r#"{{"t":{}}}"#, DAY + offset));
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        let (rows, decoded) = decode(&spec(json!({}), io), &messages);
        let counts = decoded.counts;
        assert_eq!(counts.thrown_away, 4 - rows.len() as u64);
        assert!(decoded.rejected.is_empty());
        (counts.of(RejectReason::TooLate), counts.of(RejectReason::TooEarly))
    };
    let around = [-hour - 1, -hour, hour, hour + 1];
    assert_eq!(run(json!({}), around), (0, 0));
    assert_eq!(run(json!({"lateMessageRejectionPeriod": "PT1H"}), around), (1, 0));
    assert_eq!(run(json!({"earlyMessageRejectionPeriod": "PT1H"}), around), (0, 1));
    assert_eq!(run(json!({"lateMessageRejectionStartDateTime": "2024-01-01"}), around), (2, 0));
}

fn transformed(
    transforms: Value,
    dimensions: Value,
    messages: &[&str],
) -> (Vec<Map<String, Value>>, Decoded) {
    let data = json!({
        "dimensionsSpec": {"dimensions": dimensions},
        "transformSpec": {"transforms": transforms},
    });
    decode(&spec(data, json!({})), messages)
}

#[test]
fn a_transform_may_shadow_the_field_that_it_reads() {
    let (rows, _) = transformed(
        json!([{"type": "expression", "name": "s", "expression": "upper(s)"}]),
        json!(["s"]),
        &[
            r#"{"t":1,"s":"a"}"#,
            r#"{"t":1,"s":null}"#,
            r#"{"t":1}"#,
            r#"{"t":1,"s":"a"}"#,
            r#"{"t":1,"s":"b"}"#,
        ],
    );
    let found: Vec<Value> = rows.iter().map(|row| row["s"].clone()).collect();
    assert_eq!(found, [json!("A"), Value::Null, Value::Null, json!("A"), json!("B")]);
}

#[test]
fn transforms_do_not_see_each_other() {
    let (rows, _) = transformed(
        json!([
            {"type": "expression", "name": "a", "expression": "concat(a, '!')"},
            {"type": "expression", "name": "b", "expression": "concat(a, '?')"},
        ]),
        json!(["a", "b"]),
        &[r#"{"t":1,"a":"x"}"#],
    );
    assert_eq!((&rows[0]["a"], &rows[0]["b"]), (&json!("x!"), &json!("x?")));
}

#[test]
fn transforms_over_several_fields_see_each_row() {
    let (rows, _) = transformed(
        json!([{"type": "expression", "name": "z", "expression": "concat(x, '-', y)"},
               {"type": "expression", "name": "n", "expression": "a + b"}]),
        json!(["z", {"type": "long", "name": "n"}]),
        &[r#"{"t":1,"x":"p","y":"q","a":1,"b":2}"#, r#"{"t":1,"x":"r","y":"s","a":40,"b":2}"#],
    );
    assert_eq!((&rows[0]["z"], &rows[1]["z"]), (&json!("p-q"), &json!("r-s")));
    assert_eq!((&rows[0]["n"], &rows[1]["n"]), (&json!(3), &json!(42)));
}

#[test]
fn values_of_one_field_may_be_of_several_kinds() {
    let messages =
        [r#"{"t":1,"x":"5"}"#, r#"{"t":1,"x":5}"#, r#"{"t":1,"x":5.5}"#, r#"{"t":1,"x":true}"#, r#"{"t":1}"#];
    let transforms = json!([{"type": "expression", "name": "y", "expression": "concat('<', x, '>')"},
                            {"type": "expression", "name": "n", "expression": "x + 1"}]);
    let dimensions = json!(["y", {"type": "double", "name": "n"}]);
    let (together, _) = transformed(transforms.clone(), dimensions.clone(), &messages);
    for (message, row) in messages.iter().zip(&together) {
        let (alone, _) = transformed(transforms.clone(), dimensions.clone(), &[message]);
        assert_eq!(&alone[0], row, "{message}");
    }
    assert_eq!(together[0]["y"], json!("<5>"));
    assert_eq!(together[1]["n"], json!(6.0));
    assert_eq!(together[2]["n"], json!(6.5));
}

#[test]
fn a_transform_may_give_the_time() {
    let (rows, decoded) = transformed(
        json!([{"type": "expression", "name": "__time", "expression": "timestamp_floor(__time, 'PT1H') + x"}]),
        json!(["s"]),
        &[r#"{"t":3600001,"x":5}"#, r#"{"t":1,"x":null}"#],
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["__time"], json!(3_600_005));
    assert_eq!(decoded.counts.of(RejectReason::UnparseableTimestamp), 1);
}

#[test]
fn constants_and_results_of_every_type_are_taken() {
    let (rows, decoded) = transformed(
        json!([
            {"type": "expression", "name": "c", "expression": "'constant'"},
            {"type": "expression", "name": "l", "expression": "strlen(s)"},
            {"type": "expression", "name": "d", "expression": "strlen(s) / 2.0"},
            {"type": "expression", "name": "a", "expression": "string_to_array(s, ',')"},
            {"type": "expression", "name": "bad", "expression": "s"},
        ]),
        json!(["c", "l", {"type": "double", "name": "d"}, "a", {"type": "long", "name": "bad"}]),
        &[r#"{"t":1,"s":"q,p,q"}"#, r#"{"t":1,"s":"12"}"#],
    );
    assert_eq!(rows[0]["c"], json!("constant"));
    assert_eq!((&rows[0]["l"], &rows[0]["d"]), (&json!("5"), &json!(2.5)));
    assert_eq!(rows[0]["a"], json!(["p", "q", "q"]));
    assert_eq!((&rows[0]["bad"], &rows[1]["bad"]), (&Value::Null, &json!(12)));
    assert_eq!(decoded.counts.processed_with_error, 1);
    assert!(decoded.rejected[0].detail.contains("column \"bad\": cannot convert \"q,p,q\" to long"));
}

#[test]
fn results_are_right_when_distinct_texts_overflow_and_after_a_publish() {
    let data = json!({
        "dimensionsSpec": {"dimensions": ["u", {"type": "long", "name": "n"}]},
        "transformSpec": {"transforms": [
            {"type": "expression", "name": "u", "expression": "upper(s)"},
            {"type": "expression", "name": "n", "expression": "strlen(s)"},
        ]},
    });
    let mut bench = Bench::new(&spec(data, json!({})), Limits { distinct_max: 3, ..Limits::default() });
    for round in 0..6 {
        let texts: Vec<String> = (0..4).map(|i| "x".repeat((round * 3 + i) % 7)).collect();
        let messages: Vec<String> = texts.iter().map(|text| format!(r#"{{"t":1,"s":"{text}"}}"#)).collect();
        let payloads: Vec<&[u8]> = messages.iter().map(String::as_bytes).collect();
        let (rows, _) = bench.feed(&payloads, DAY);
        for (row, text) in rows.iter().zip(&texts) {
            assert_eq!((&row["u"], &row["n"]), (&json!(text.to_uppercase()), &json!(text.len())));
        }
        if round % 2 == 1 {
            bench.datasource.publish(DAY).unwrap();
        }
    }
}

#[test]
fn bad_expressions_and_filters_are_refused_with_their_place() {
    let build = |data: Value| Pipeline::new(&spec(data, json!({})).ingestion).unwrap_err().to_string();
    let transforms = |expression: &str| json!({"transformSpec": {"transforms": [{"type": "expression", "name": "a", "expression": expression}]}});
    for (data, part) in [
        (transforms("upper(s"), "spec.dataSchema.transformSpec.transforms[0].expression: "),
        (transforms("uper(s)"), "upper"),
        (transforms("lookup(s, 'x')"), "lookup"),
        (json!({"transformSpec": {"filter": {"type": "selektor"}}}), "selector"),
        (json!({"metricsSpec": [{"type": "longSum", "name": "m", "expression": "1 +"}]}), "metric \"m\""),
    ] {
        let error = build(data);
        assert!(error.contains(part), "{error} lacks {part}");
    }
}

#[test]
fn a_filter_keeps_matching_rows_only() {
    let run = |filter: Value, transforms: Value| {
        let data = json!({"transformSpec": {"filter": filter, "transforms": transforms}});
        let messages = [
            r#"{"t":1,"s":"a","n":1}"#,
            r#"{"t":2,"s":"b","n":20}"#,
            r#"{"t":3,"n":3}"#,
            r#"{"t":4,"s":["a","c"],"n":"5"}"#,
        ];
        let (rows, decoded) = decode(&spec(data, json!({})), &messages);
        assert_eq!(decoded.counts.of(RejectReason::FilteredOut), 4 - rows.len() as u64);
        assert_eq!(decoded.counts.thrown_away, 4 - rows.len() as u64);
        rows.iter().map(|row| row["__time"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let none = json!([]);
    assert_eq!(run(json!({"type": "selector", "dimension": "s", "value": "b"}), none.clone()), [2]);
    assert_eq!(run(json!({"type": "selector", "dimension": "s", "value": null}), none.clone()), [3]);
    assert_eq!(
        run(
            json!({"type": "not", "field": {"type": "selector", "dimension": "s", "value": null}}),
            none.clone()
        ),
        [1, 2, 4]
    );
    assert_eq!(run(json!({"type": "expression", "expression": "n > 2"}), none.clone()), [2, 3, 4]);
    assert_eq!(
        run(
            json!({"type": "selector", "dimension": "u", "value": "B"}),
            json!([{"type": "expression", "name": "u", "expression": "upper(s)"}])
        ),
        [2]
    );
    let nothing = json!({"type": "in", "dimension": "s", "values": ["zzz"]});
    assert!(run(nothing, none).is_empty());
}
