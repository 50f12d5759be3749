//! Columns that the spec does not name.

use ovate_storage::ColumnType;

use super::*;

fn columns(bench: &Bench) -> Vec<(String, ColumnType)> {
    let writer = bench.datasource.writer();
    writer.schema().columns.iter().map(|column| (column.name.clone(), column.column_type)).collect()
}

fn names(bench: &Bench) -> Vec<String> {
    columns(bench).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn without_dimensions_fields_become_string_columns_as_they_appear() {
    let data = json!({
        "dimensionsSpec": {"dimensionExclusions": ["secret"]},
        "metricsSpec": [{"type": "longSum", "name": "total", "fieldName": "amount"}],
    });
    let mut bench = Bench::new(&spec(data, json!({})), Limits::default());
    let (rows, _) = bench.feed(
        &[
            br#"{"t":1,"a":"x","amount":5,"secret":"s","nested":{"q":1},"none":null,"lists":[[1]],"empty":[]}"#,
            br#"{"t":2,"b":7,"a":true,"tags":["v","u"]}"#,
        ],
        DAY,
    );
    assert_eq!(names(&bench), ["a", "b", "tags", "total"]);
    assert_eq!((&rows[0]["a"], &rows[0]["b"], &rows[0]["total"]), (&json!("x"), &Value::Null, &json!(5)));
    assert_eq!(
        (&rows[1]["a"], &rows[1]["b"], &rows[1]["tags"]),
        (&json!("true"), &json!("7"), &json!(["u", "v"]))
    );
    let (rows, _) = bench.feed(&[br#"{"t":3,"none":1.5,"a":"y"}"#], DAY);
    assert_eq!(names(&bench), ["a", "b", "tags", "none", "total"]);
    assert_eq!((&rows[0]["none"], &rows[0]["a"]), (&json!("1.5"), &json!("y")));
}

#[test]
fn typed_discovery_takes_the_type_of_the_first_value() {
    let data = json!({"dimensionsSpec": {"dimensions": ["s"], "useSchemaDiscovery": true}});
    let mut bench = Bench::new(&spec(data, json!({})), Limits::default());
    let (rows, decoded) = bench.feed(
        &[
            br#"{"t":1,"l":5,"d":1.5,"b":true,"x":"text","s":1}"#,
            br#"{"t":2,"l":6.0,"d":2,"b":false}"#,
            br#"{"t":3,"l":6.5,"d":"2.5"}"#,
        ],
        DAY,
    );
    let mut found = columns(&bench);
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [
        ("b", ColumnType::Long),
        ("d", ColumnType::Double),
        ("l", ColumnType::Long),
        ("s", ColumnType::String),
        ("x", ColumnType::String),
    ];
    let found: Vec<_> = found.iter().map(|(name, of)| (name.as_str(), *of)).collect();
    assert_eq!(found, expected);
    assert_eq!((&rows[1]["l"], &rows[1]["d"], &rows[1]["b"]), (&json!(6), &json!(2.0), &json!(0)));
    assert_eq!((&rows[2]["l"], &rows[2]["d"]), (&Value::Null, &json!(2.5)));
    assert_eq!(decoded.counts.processed_with_error, 1, "6.5 is no long, and is not cut");
}

#[test]
fn an_auto_dimension_waits_for_its_first_value() {
    let data = json!({"dimensionsSpec": {"dimensions": ["s", {"type": "auto", "name": "x"}]}});
    let mut bench = Bench::new(&spec(data, json!({})), Limits::default());
    bench.feed(&[br#"{"t":1,"s":"a","y":1}"#], DAY);
    assert_eq!(names(&bench), ["s"]);
    let (rows, _) = bench.feed(&[br#"{"t":1,"x":7}"#], DAY);
    assert_eq!(columns(&bench)[1], ("x".to_owned(), ColumnType::Long));
    assert_eq!(rows[0]["x"], json!(7));
}

#[test]
fn include_all_dimensions_adds_to_those_declared() {
    let data = json!({"dimensionsSpec": {"dimensions": [{"type": "long", "name": "n"}], "includeAllDimensions": true}});
    let mut bench = Bench::new(&spec(data, json!({})), Limits::default());
    let (rows, _) = bench.feed(&[br#"{"t":1,"n":1,"extra":2}"#], DAY);
    assert_eq!(names(&bench), ["n", "extra"]);
    assert_eq!((&rows[0]["n"], &rows[0]["extra"]), (&json!(1), &json!("2")));
}

#[test]
fn fields_of_a_flatten_spec_and_inputs_of_transforms_are_discovered_too() {
    let data = json!({
        "dimensionsSpec": {},
        "transformSpec": {"transforms": [{"type": "expression", "name": "v", "expression": "upper(w)"}]},
    });
    let flatten = |discovery: bool| {
        json!({"inputFormat": {"type": "json", "flattenSpec": {
            "useFieldDiscovery": discovery,
            "fields": [{"type": "path", "name": "deep", "expr": "$.a.b"}],
        }}})
    };
    let message: &[u8] = br#"{"t":1,"a":{"b":"x"},"c":"y","w":"z","v":"raw"}"#;
    let mut bench = Bench::new(&spec(data.clone(), flatten(true)), Limits::default());
    let (rows, _) = bench.feed(&[message], DAY);
    let mut found = names(&bench);
    found.sort();
    assert_eq!(found, ["c", "deep", "v", "w"]);
    assert_eq!(
        (&rows[0]["deep"], &rows[0]["v"]),
        (&json!("x"), &json!("Z")),
        "a transform shadows the field"
    );

    let mut bench = Bench::new(&spec(data, flatten(false)), Limits::default());
    bench.feed(&[message], DAY);
    assert_eq!(names(&bench), ["deep"]);
}

#[test]
fn columns_of_rows_that_were_refused_are_not_made() {
    let mut bench = Bench::new(&spec(json!({"dimensionsSpec": {}}), json!({})), Limits::default());
    bench.feed(&[br#"{"a":"no time"}"#, br#"{"t":1,"b":"x","#], DAY);
    assert!(names(&bench).is_empty());
    bench.feed(&[br#"{"t":1,"a":"now"}"#], DAY);
    assert_eq!(names(&bench), ["a"]);
}

#[test]
fn the_number_of_columns_is_bounded() {
    let limits = Limits { columns_max: 2, ..Limits::default() };
    let mut bench = Bench::new(&spec(json!({"dimensionsSpec": {}}), json!({})), limits);
    let (rows, decoded) = bench.feed(&[br#"{"t":1,"a":1,"b":2,"c":3,"d":4}"#], DAY);
    assert_eq!(names(&bench), ["a", "b"]);
    assert_eq!(rows.len(), 1);
    assert_eq!(decoded.counts.fields_not_discovered, 2);
    let slots = bench.pipeline.reader.fields.slots();
    for key in ["e", "f", "g"] {
        let (_, decoded) = bench.feed(&[format!(r#"{{"t":1,"{key}":1}}"#).as_bytes()], DAY);
        assert_eq!(decoded.counts.fields_not_discovered, 1);
    }
    assert_eq!(bench.pipeline.reader.fields.slots(), slots, "no room is made for what finds none");
}

#[test]
fn names_that_are_the_stores_own_are_never_discovered() {
    let mut bench = Bench::new(&spec(json!({"dimensionsSpec": {}}), json!({})), Limits::default());
    bench.feed(&[br#"{"t":1,"__ovate_time_of.m":5,"a":1}"#], DAY);
    assert_eq!(names(&bench), ["a"]);
}

#[test]
fn a_new_pipeline_goes_on_with_the_columns_of_the_one_before() {
    let spec = spec(json!({"dimensionsSpec": {}}), json!({}));
    let mut bench = Bench::new(&spec, Limits::default());
    bench.feed(&[br#"{"t":1,"a":"x"}"#], DAY);
    bench.pipeline = Pipeline::new(&spec.ingestion).unwrap();
    let (rows, _) = bench.feed(&[br#"{"t":1,"b":"y","a":"x"}"#], DAY);
    assert_eq!(names(&bench), ["a", "b"]);
    assert_eq!((&rows[0]["a"], &rows[0]["b"]), (&json!("x"), &json!("y")));
}

#[test]
fn a_field_may_be_of_any_kind_in_any_row_in_any_order() {
    let mut bench = Bench::new(&spec(json!({"dimensionsSpec": {}}), json!({})), Limits::default());
    let (rows, _) = bench.feed(
        &[
            br#"{"a":1,"t":1,"b":2}"#,
            br#"{"b":{"x":1},"a":[1,2],"t":1}"#,
            br#"{"c":"z","t":1,"a":null}"#,
            br#"{"t":1,"b":"\"q\"","c":["only"],"a":"w","a":"last"}"#,
        ],
        DAY,
    );
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("a"), [json!("1"), json!(["1", "2"]), Value::Null, json!("last")]);
    assert_eq!(column("b"), [json!("2"), json!(r#"{"x":1}"#), Value::Null, json!("\"q\"")]);
    assert_eq!(column("c"), [Value::Null, Value::Null, json!("z"), json!("only")]);
}
