//! What is refused, and in which words.

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::super::{CompiledExpr, ExpressionError, Position, functions};
use super::row;

fn error(expression: &str) -> String {
    CompiledExpr::compile(expression, &row().schema()).unwrap_err().to_string()
}

#[test]
fn an_unknown_function_is_named_with_the_nearest() {
    assert_eq!(
        error("1 + regexp_extrac(s, 'x')"),
        "function 'regexp_extrac' at character 5 is not defined; the nearest name is 'regexp_extract'"
    );
    assert_eq!(error("substr(s, 1)"), "function 'substr' at character 1 is not defined");
    assert_eq!(error("length(s)"), "function 'length' at character 1 is not defined");
    assert_eq!(
        error("STRLENN(s)"),
        "function 'STRLENN' at character 1 is not defined; the nearest name is 'strlen'"
    );
    let unknown = CompiledExpr::compile("ü_x(1)", &row().schema());
    assert!(matches!(unknown, Err(ExpressionError::Syntax { at: Position(0), .. })));
}

#[test]
fn what_druid_has_and_this_has_not_is_refused_by_name() {
    for name in ["lookup", "fold", "json_value", "bloom_filter_test", "ipv6_match"] {
        let message = error(&format!("{name}(s, 'x')"));
        assert!(
            message.starts_with(&format!("function '{name}' at character 1 is not supported: ")),
            "{message}"
        );
    }
    assert!(
        error("fold((x, acc) -> x + acc, numbers, 0)").contains("'fold' at character 1 is not supported")
    );
}

#[test]
fn arguments_are_counted_and_typed_when_compiled() {
    for (expression, message) in [
        ("strlen()", "function 'strlen' at character 1 takes 1 argument, not 0"),
        ("nvl(1)", "function 'nvl' at character 1 takes 2 arguments, not 1"),
        ("strpos(s)", "function 'strpos' at character 1 takes 2 to 3 arguments, not 1"),
        ("case_simple(s)", "function 'case_simple' at character 1 takes at least 3 arguments, not 1"),
        ("pi(1)", "function 'pi' at character 1 takes no arguments, not 1"),
        (
            "strlen(tags)",
            "function 'strlen' at character 1 has ARRAY<STRING> as argument 1, where it takes STRING",
        ),
        ("tags + 1", "function '+' at character 6 does not take ARRAY<STRING>"),
        ("!tags", "function '!' at character 1 does not take ARRAY<STRING>"),
        ("tags == 'a'", "function '==' at character 6 does not take ARRAY<STRING>"),
        (
            "cast(s, 'FLOAT')",
            "casts to STRING, LONG, DOUBLE, ARRAY<STRING>, ARRAY<LONG>, ARRAY<DOUBLE>, not to 'FLOAT'",
        ),
        ("cast(s, s)", "needs a literal string as the type, its argument 2"),
        ("regexp_extract(s, s)", "needs a literal string as the pattern, its argument 2"),
        ("regexp_extract(s, '(')", "has a pattern that cannot be used: unclosed group"),
        ("regexp_extract(s, 'a(b)', 2)", "asks for group 2 of a pattern with 1"),
        ("regexp_extract(s, '(?=x)')", "look-around"),
        ("regexp_replace(s, 'a', '$1')", "replaces by '$1', where the pattern has 0 groups"),
        ("like(s, 'a', 'xy')", "takes one character as the escape"),
        ("timestamp_floor(__time, 'P1X')", "invalid period"),
        ("timestamp_floor(__time, 'PT0S')", "takes a period that is longer than nothing"),
        ("timestamp_floor(__time, 'P1D', null, 'Europe/Zurick')", "unknown time zone"),
        ("timestamp_extract(__time, 'HOURS')", "does not know the unit 'HOURS'; the nearest is HOUR"),
        (
            "timestamp_format(__time, 'bbb')",
            "function 'timestamp_format' at character 1 invalid time pattern",
        ),
        ("ipv4_match(s, 'nowhere')", "takes a network like 192.168.0.0/16, not 'nowhere'"),
        ("human_readable_decimal_format(l, 4)", "takes a precision from 0 to 3, not 4"),
        ("map(1, numbers)", "function 'map' at character 1 takes a lambda first"),
        ("map((x, y) -> x, numbers)", "takes a lambda of one argument and one array"),
        ("map((x) -> x, l)", "has LONG as argument 1, where it takes an array"),
        ("strlen((x) -> x, l)", "function 'strlen' at character 1 takes no lambda"),
        ("if(1, tags, 2)", "an array has no common type with others"),
        ("mv_to_array(array(1))", "takes a column"),
        ("round(1.5, 's')", "has STRING as argument 2, where it takes LONG"),
    ] {
        let found = error(expression);
        assert!(found.contains(message), "{expression}: {found}");
    }
}

#[test]
fn a_column_of_a_type_beyond_the_language_is_named() {
    let schema = Schema::new(vec![Field::new("odd", DataType::Duration(TimeUnit::Second), true)]);
    let error = CompiledExpr::compile("odd + 1", &schema).unwrap_err().to_string();
    assert_eq!(error, "column 'odd' has type Duration(s), which expressions do not read");
    assert!(CompiledExpr::compile("1 + 1", &schema).is_ok());
}

#[test]
fn every_function_is_listed_once() {
    let mut names: Vec<_> = functions().map(str::to_lowercase).collect();
    assert!(names.len() > 110, "{}", names.len());
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(names.contains(&"regexp_extract".to_owned()) && names.contains(&"map".to_owned()));
}
