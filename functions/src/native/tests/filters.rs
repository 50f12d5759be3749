//! Native filters over a handful of rows.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Float32Array, Float64Array, Int64Array, ListArray, ListBuilder,
    RecordBatch, StringBuilder, TimestampMillisecondArray,
};
use arrow::datatypes::UInt8Type;
use serde_json::{Value, json};

use super::super::Filter;

/// Rows 0 to 4.
fn rows() -> RecordBatch {
    let city: DictionaryArray<UInt8Type> =
        [Some("Zürich"), Some("Bern"), None, Some(""), Some("bern 2")].into_iter().collect();
    let mut tags = ListBuilder::new(StringBuilder::new());
    tags.append_value([Some("a"), Some("b")]);
    tags.append_value([Some("c")]);
    tags.append_null();
    tags.append(true);
    tags.append_value([Some("a"), None]);
    let tags: ListArray = tags.finish();
    RecordBatch::try_from_iter_with_nullable([
        ("city", Arc::new(city) as ArrayRef, true),
        ("n", Arc::new(Int64Array::from(vec![Some(1), Some(2), None, Some(-3), Some(10)])), true),
        (
            "x",
            Arc::new(Float64Array::from(vec![Some(0.5), Some(2.0), None, Some(f64::NAN), Some(1e3)])),
            true,
        ),
        ("f", Arc::new(Float32Array::from(vec![Some(47.37), Some(2.0), None, Some(0.1), Some(3.0)])), true),
        (
            "num",
            Arc::new(
                ["1", "2", "x", "10", "1.0"].into_iter().map(Some).collect::<DictionaryArray<UInt8Type>>(),
            ),
            true,
        ),
        ("__time", Arc::new(TimestampMillisecondArray::from(vec![0, 86_400_000, 172_800_000, -1, 5])), false),
        ("tags", Arc::new(tags), true),
    ])
    .unwrap()
}

fn matching(filter: &Value) -> Vec<usize> {
    let filter = Filter::parse(filter, "filter").unwrap_or_else(|error| panic!("{filter}: {error}"));
    let rows = rows();
    let matched = filter.compile(&rows.schema()).unwrap().evaluate(&rows).unwrap();
    assert_eq!(matched.null_count(), 0);
    (0..matched.len()).filter(|i| matched.value(*i)).collect()
}

fn check(table: Vec<(Value, &[usize])>) {
    for (filter, expected) in table {
        assert_eq!(matching(&filter), expected, "{filter}");
    }
}

#[test]
fn values_are_matched_in_the_columns_type() {
    check(vec![
        (json!({"type": "selector", "dimension": "city", "value": "Bern"}), &[1]),
        (json!({"type": "selector", "dimension": "city", "value": ""}), &[3]),
        (json!({"type": "selector", "dimension": "city", "value": null}), &[2]),
        (json!({"type": "selector", "dimension": "city"}), &[2]),
        (json!({"type": "selector", "dimension": "n", "value": "2"}), &[1]),
        (json!({"type": "selector", "dimension": "n", "value": 2}), &[1]),
        (json!({"type": "selector", "dimension": "n", "value": "2.0"}), &[1]),
        (json!({"type": "selector", "dimension": "n", "value": "2.5"}), &[]),
        (json!({"type": "selector", "dimension": "n", "value": "two"}), &[]),
        (json!({"type": "selector", "dimension": "x", "value": "0.5"}), &[0]),
        (json!({"type": "selector", "dimension": "f", "value": "47.37"}), &[0]),
        (json!({"type": "selector", "dimension": "missing", "value": null}), &[0, 1, 2, 3, 4]),
        (json!({"type": "selector", "dimension": "missing", "value": "x"}), &[]),
        (json!({"type": "equals", "column": "n", "matchValueType": "LONG", "matchValue": 10}), &[4]),
        (json!({"type": "equals", "column": "num", "matchValueType": "LONG", "matchValue": 1}), &[0]),
        (json!({"type": "equals", "column": "n", "matchValueType": "DOUBLE", "matchValue": 2.0}), &[1]),
        (json!({"type": "equals", "column": "f", "matchValueType": "FLOAT", "matchValue": 0.1}), &[3]),
        (json!({"type": "null", "column": "x"}), &[2]),
        (json!({"type": "in", "dimension": "city", "values": ["Bern", "Basel"]}), &[1]),
        (json!({"type": "in", "dimension": "city", "values": ["Bern", null]}), &[1, 2]),
        (json!({"type": "in", "dimension": "n", "values": ["1", "10", "x"]}), &[0, 4]),
        (json!({"type": "in", "dimension": "n", "values": []}), &[]),
        (json!({"type": "inType", "column": "n", "matchValueType": "LONG", "sortedValues": [1, 2]}), &[0, 1]),
    ]);
}

#[test]
fn filters_combine_with_three_values() {
    let bern = json!({"type": "selector", "dimension": "city", "value": "Bern"});
    let negative =
        json!({"type": "bound", "dimension": "n", "upper": "0", "upperStrict": true, "ordering": "numeric"});
    check(vec![
        (json!({"type": "true"}), &[0, 1, 2, 3, 4]),
        (json!({"type": "false"}), &[]),
        (json!({"type": "not", "field": bern}), &[0, 3, 4]),
        (json!({"type": "not", "field": {"type": "not", "field": bern}}), &[1]),
        (json!({"type": "or", "fields": [bern, negative]}), &[1, 2, 3]),
        (json!({"type": "and", "fields": [{"type": "not", "field": bern}, {"type": "true"}]}), &[0, 3, 4]),
        (json!({"type": "and", "fields": []}), &[0, 1, 2, 3, 4]),
        (json!({"type": "or", "fields": []}), &[]),
        (json!({"type": "not", "field": {"type": "in", "dimension": "n", "values": ["x"]}}), &[0, 1, 3, 4]),
        (json!({"type": "not", "field": {"type": "selector", "dimension": "missing", "value": "x"}}), &[]),
    ]);
}

#[test]
fn ranges_compare_by_type_or_by_ordering() {
    check(vec![
        (
            json!({"type": "range", "column": "n", "matchValueType": "LONG", "lower": 1, "upper": 10, "upperOpen": true}),
            &[0, 1],
        ),
        (json!({"type": "range", "column": "n", "matchValueType": "DOUBLE", "lower": 1.5}), &[1, 4]),
        (json!({"type": "range", "column": "n", "matchValueType": "DOUBLE", "upper": 1.5}), &[0, 3]),
        (
            json!({"type": "range", "column": "city", "matchValueType": "STRING", "lower": "B", "upper": "C"}),
            &[1],
        ),
        (json!({"type": "range", "column": "city", "matchValueType": "STRING", "upper": "C"}), &[1, 3]),
        (json!({"type": "range", "column": "num", "matchValueType": "LONG", "lower": 2}), &[1, 3]),
        (
            json!({"type": "range", "column": "x", "matchValueType": "DOUBLE", "lower": 0.5, "lowerOpen": true, "upper": 1e3}),
            &[1, 4],
        ),
        (json!({"type": "bound", "dimension": "num", "lower": "2"}), &[1, 2]),
        (json!({"type": "bound", "dimension": "num", "lower": "2", "ordering": "numeric"}), &[1, 3]),
        (json!({"type": "bound", "dimension": "n", "lower": "2", "ordering": "numeric"}), &[1, 4]),
        (
            json!({"type": "bound", "dimension": "n", "lower": "1", "upper": "2", "ordering": "lexicographic"}),
            &[0, 1, 4],
        ),
        (
            json!({"type": "bound", "dimension": "n", "lower": "1.5", "upper": "9.5", "ordering": "numeric"}),
            &[1],
        ),
        (json!({"type": "bound", "dimension": "city", "upper": "C"}), &[1, 2, 3]),
        (json!({"type": "bound", "dimension": "city", "lower": "4", "ordering": "strlen"}), &[0, 1, 4]),
        (json!({"type": "bound", "dimension": "city", "lower": "xxxxx", "ordering": "strlen"}), &[0, 4]),
        (json!({"type": "bound", "dimension": "missing", "lower": "a"}), &[]),
        (json!({"type": "bound", "dimension": "missing", "upper": "a"}), &[0, 1, 2, 3, 4]),
    ]);
}

#[test]
fn text_is_matched_by_patterns() {
    check(vec![
        (json!({"type": "like", "dimension": "city", "pattern": "B%"}), &[1]),
        (json!({"type": "like", "dimension": "city", "pattern": "%"}), &[0, 1, 3, 4]),
        (json!({"type": "like", "dimension": "city", "pattern": "Z_rich"}), &[0]),
        (json!({"type": "like", "dimension": "n", "pattern": "1%"}), &[0, 4]),
        (json!({"type": "regex", "dimension": "city", "pattern": "ern"}), &[1, 4]),
        (json!({"type": "regex", "dimension": "city", "pattern": "\\d$"}), &[4]),
        (
            json!({"type": "search", "dimension": "city", "query": {"type": "insensitive_contains", "value": "BERN"}}),
            &[1, 4],
        ),
        (
            json!({"type": "search", "dimension": "city", "query": {"type": "contains", "value": "Bern", "caseSensitive": true}}),
            &[1],
        ),
        (
            json!({"type": "search", "dimension": "city", "query": {"type": "fragment", "values": ["B", "2"]}}),
            &[4],
        ),
        (json!({"type": "search", "dimension": "city", "query": {"type": "contains", "value": "."}}), &[]),
    ]);
}

#[test]
fn times_lie_in_half_open_intervals() {
    check(vec![
        (json!({"type": "interval", "dimension": "__time", "intervals": ["1970-01-01/1970-01-02"]}), &[0, 4]),
        (
            json!({"type": "interval", "dimension": "__time", "intervals": ["1970-01-02/P1D", "1969-12-31/1970-01-01"]}),
            &[1, 3],
        ),
        (json!({"type": "interval", "dimension": "__time", "intervals": []}), &[]),
    ]);
}

#[test]
fn expressions_and_comparisons_of_columns_are_filters() {
    check(vec![
        (json!({"type": "expression", "expression": "n > 1 && notnull(city)"}), &[1, 4]),
        (json!({"type": "expression", "expression": "n"}), &[0, 1, 4]),
        (json!({"type": "expression", "expression": "like(city, '%ern%')"}), &[1, 4]),
        (json!({"type": "columnComparison", "dimensions": ["n", "x"]}), &[2]),
        (
            json!({"type": "columnComparison", "dimensions": ["n", {"type": "default", "dimension": "num"}]}),
            &[0, 1],
        ),
        (json!({"type": "columnComparison", "dimensions": ["city", "city"]}), &[0, 1, 2, 3, 4]),
    ]);
}

#[test]
fn a_row_of_several_values_matches_by_any() {
    check(vec![
        (json!({"type": "selector", "dimension": "tags", "value": "b"}), &[0]),
        (json!({"type": "selector", "dimension": "tags", "value": "a"}), &[0, 4]),
        (json!({"type": "in", "dimension": "tags", "values": ["b", "c"]}), &[0, 1]),
        (json!({"type": "null", "column": "tags"}), &[2, 3, 4]),
        (json!({"type": "like", "dimension": "tags", "pattern": "a%"}), &[0, 4]),
        (json!({"type": "bound", "dimension": "tags", "lower": "b", "lowerStrict": true}), &[1]),
    ]);
}

#[test]
fn simple_filters_are_plain_comparisons_that_a_scan_knows() {
    let schema = rows().schema();
    let plain =
        |filter: Value| Filter::parse(&filter, "filter").unwrap().to_expr(&schema).unwrap().to_string();
    assert_eq!(plain(json!({"type": "selector", "dimension": "n", "value": "2"})), "n = Int64(2)");
    assert_eq!(
        plain(json!({"type": "in", "dimension": "n", "values": ["1", "2"]})),
        "n IN ([Int64(1), Int64(2)])"
    );
    assert_eq!(
        plain(
            json!({"type": "range", "column": "n", "matchValueType": "LONG", "lower": 1, "upper": 5, "upperOpen": true})
        ),
        "n >= Int64(1) AND n < Int64(5)"
    );
}

#[test]
fn many_alternatives_do_not_nest_deep() {
    let one = |i: usize| json!({"type": "selector", "dimension": "city", "value": format!("c{i}")});
    let many: Vec<_> = (0..3000).map(one).chain([json!({"type": "null", "column": "city"})]).collect();
    assert_eq!(matching(&json!({"type": "or", "fields": many})), [2]);
}

#[test]
fn what_is_wrong_is_said_with_its_path() {
    for (filter, message) in [
        (
            json!({"type": "selectr", "dimension": "a"}),
            "spec.filter has the type 'selectr', which is no filter; the nearest name is 'selector'",
        ),
        (
            json!({"type": "and", "fields": [{"type": "true"}, {"type": "javascript"}]}),
            "spec.filter.fields[1] is not supported: filter 'javascript': there is no JavaScript",
        ),
        (json!({"type": "not"}), "spec.filter.field is missing"),
        (
            json!({"type": "not", "field": {"type": "like", "dimension": 1}}),
            "spec.filter.field.dimension must be a string",
        ),
        (json!([]), "spec.filter must be a JSON object"),
        (json!({"dimension": "a"}), "spec.filter.type is missing"),
        (
            json!({"type": "selector", "dimension": "a", "value": "x", "extractionFn": {"type": "lower"}}),
            "spec.filter.extractionFn is not supported",
        ),
        (
            json!({"type": "bound", "dimension": "a", "lower": "1", "ordering": "alphanumeric"}),
            "spec.filter.ordering is not supported: ordering 'alphanumeric'",
        ),
        (
            json!({"type": "bound", "dimension": "a", "lower": "1", "ordering": "numerc"}),
            "the nearest is 'numeric'",
        ),
        (
            json!({"type": "range", "column": "a", "matchValueType": "LONG"}),
            "spec.filter needs lower, upper or both",
        ),
        (
            json!({"type": "range", "column": "a", "matchValueType": "LONG", "lower": "x"}),
            "spec.filter.lower 'x' is no whole number",
        ),
        (
            json!({"type": "equals", "column": "a", "matchValueType": "ARRAY<LONG>", "matchValue": "1"}),
            "matching values of type ARRAY<LONG>",
        ),
        (
            json!({"type": "interval", "dimension": "a", "intervals": ["2026"]}),
            "spec.filter.intervals[0] cannot be read",
        ),
        (
            json!({"type": "expression", "expression": "1 +"}),
            "spec.filter.expression: cannot read the expression at character 4",
        ),
    ] {
        let error = Filter::parse(&filter, "spec.filter").unwrap_err().to_string();
        assert!(error.contains(message), "{filter}: {error}");
    }
    let mut deep = json!({"type": "true"});
    for _ in 0..300 {
        deep = json!({"type": "not", "field": deep});
    }
    assert!(Filter::parse(&deep, "filter").unwrap_err().to_string().ends_with("is nested more than 50 deep"));
}
