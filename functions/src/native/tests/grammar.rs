//! How expressions are read.

use proptest::prelude::*;

use super::super::ast::{ArrayLiteral, BinaryOperator, Kind, Lambda, Node, UnaryOperator};
use super::super::{Position, parse};
use super::check;

#[test]
fn operators_bind_as_in_druid() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("2 * 3 ^ 2", "18"),
        ("2 ^ 3 ^ 2", "512"),
        ("-2 ^ 2", "4"),
        ("-l ^ 2", "25"),
        ("10 - 4 - 3", "3"),
        ("100 / 10 / 5", "2"),
        ("7 % 4 * 2", "6"),
        ("1 + 1 == 2", "1"),
        ("1 < 2 == 1", "1"),
        ("!0 + 1", "2"),
        ("!(0 + 1)", "0"),
        ("- -5", "5"),
        ("--5", "5"),
        ("!!5", "1"),
        // && and || bind alike, from the left.
        ("1 || 0 && 0", "0"),
        ("0 && 0 || 1", "1"),
        ("1 || (0 && 0)", "1"),
        ("2 > 1 && 3 > 2", "1"),
        ("l > 4 && s == 'hello' || 0", "1"),
    ]);
}

#[test]
fn literals_keep_their_types() {
    check(&[
        ("1", "1"),
        ("1.0", "1.0"),
        ("1.", "1.0"),
        ("1e3", "1000.0"),
        ("1E-2", "0.01"),
        ("1.5e2", "150.0"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("null", "null"),
        ("''", "''"),
        ("'a'", "'a'"),
        ("[1, 2]", "[1, 2]"),
        ("[1 2 3]", "[1, 2, 3]"),
        ("[1, 2.5, null]", "[1.0, 2.5, null]"),
        ("['a', null]", "['a', null]"),
        ("[]", "[]"),
        ("<LONG>[]", "[]"),
        ("<DOUBLE>[1, -2]", "[1.0, -2.0]"),
        ("ARRAY<STRING>['a']", "['a']"),
        ("<LONG>[1.9]", "[1]"),
    ]);
}

#[test]
fn escapes_are_javas() {
    check(&[
        (r"'it\'s'", "'it's'"),
        (r#"'say "x"'"#, r#"'say "x"'"#),
        (r"'a\\b'", r"'a\b'"),
        (r"'a\tb'", "'a\tb'"),
        (r"'\n\r\f\b\/'", "'\n\r\u{c}\u{8}/'"),
        (r"'\u00fc'", "'ü'"),
        (r"'\u00FC'", "'ü'"),
        (r"'\ud83d\ude00'", "'😀'"),
        (r"'\ud83d!'", "'\u{fffd}!'"),
        (r"'\ude00'", "'\u{fffd}'"),
        ("'new\nline'", "'new\nline'"),
        ("'😀'", "'😀'"),
    ]);
}

#[test]
fn names_may_be_quoted() {
    check(&[
        ("\"payload.location.city\"", "'Zürich'"),
        ("\"s\"", "'hello'"),
        (r#""\u0073""#, "'hello'"),
        ("missing", "null"),
        ("\"no such column\"", "null"),
        ("$x_1", "null"),
        ("nullx", "null"),
        ("STRLEN(s)", "5"),
        ("StrLen(s)", "5"),
        ("strlen( s )", "5"),
        ("strlen\n(\ts)", "5"),
        ("\"strlen\"(s)", "5"),
        ("ARRAY(1)", "[1]"),
    ]);
}

#[test]
fn columns_are_those_outside_lambdas() {
    let columns = |text| parse(text).unwrap().columns().into_iter().collect::<Vec<_>>();
    assert_eq!(columns("a + \"b.c\" * strlen(a)"), ["a", "b.c"]);
    assert_eq!(columns("map((x) -> x + y, x)"), ["x", "y"]);
    assert_eq!(columns("filter(x -> x > 1, z)"), ["z"]);
    assert!(columns("1 + pi()").is_empty());
}

fn position(text: &str) -> (Position, String) {
    match parse(text) {
        Err(super::super::ExpressionError::Syntax { at, problem }) => (at, problem),
        Err(super::super::ExpressionError::TooDeep { at, .. }) => (at, "too deep".to_owned()),
        other => panic!("{text} gives {other:?}"),
    }
}

#[test]
fn what_cannot_be_read_is_said_with_its_place() {
    for (text, at, problem) in [
        ("", 0, "found the end, expected a value, a column, a function or '('"),
        ("1 +", 3, "found the end"),
        ("1 2", 2, "found 2, expected an operator or the end"),
        ("(1", 2, "found the end, expected ')'"),
        ("f(1", 3, "found the end, expected ',' or ')'"),
        ("f(1,)", 4, "found ')'"),
        ("a = 1", 2, "'==' compares"),
        ("a & b", 2, "'&&' is the logical and"),
        ("a | b", 2, "'||' is the logical or"),
        ("a.b", 1, "double quotes"),
        ("'abc", 0, "the string has no closing '"),
        ("x + \"abc", 4, "the quoted name has no closing \""),
        (r"'\d'", 1, r"\d is no escape; a backslash itself is written \\"),
        (r"'\u12'", 1, "four hexadecimal digits"),
        ("9223372036854775808", 0, "does not fit a 64-bit number"),
        ("1 + 99999999999999999999", 4, "does not fit a 64-bit number"),
        ("[1, 'a']", 4, "all elements of an array have one type"),
        ("[a]", 1, "expected a literal"),
        ("ü", 0, "found 'ü'"),
        ("1 ü", 2, "found 'ü'"),
        ("'ü' 1", 4, "found 1"),
        ("map((x) -> , y)", 11, "found ','"),
        ("(x) -> x", 4, "found '->', expected an operator or the end"),
    ] {
        let (found_at, found) = position(text);
        assert!(found.contains(problem), "{text}: {found}");
        assert_eq!(found_at, Position(at), "{text}: {found}");
    }
    assert_eq!(
        parse("a = 1").unwrap_err().to_string(),
        "cannot read the expression at character 3: found '=', where '==' compares"
    );
}

#[test]
fn length_and_depth_are_bounded() {
    let long = format!("'{}'", "x".repeat(super::super::LENGTH_MAX));
    assert!(parse(&long).unwrap_err().to_string().contains("bytes, more than the 65536"));
    for deep in [
        format!("{}1{}", "(".repeat(5000), ")".repeat(5000)),
        "-".repeat(5000) + "x",
        vec!["1"; 5000].join("+"),
        vec!["1"; 5000].join("^"),
        "abs(".repeat(5000) + "1",
        "map(x -> ".repeat(3000) + "1",
        "[".repeat(5000),
    ] {
        assert!(parse(&deep).is_err(), "{}…", &deep[..10]);
    }
}

#[test]
fn what_is_just_not_too_deep_compiles_and_runs_on_an_ordinary_stack() {
    let n = super::super::DEPTH_MAX - 5;
    let many = n.to_string();
    check(&[
        (&vec!["1"; n].join("+"), &many),
        (&format!("{}1{}", "(".repeat(n), ")".repeat(n)), "1"),
        (&("- ".repeat(n) + "l"), if n.is_multiple_of(2) { "5" } else { "-5" }),
        (&format!("{}l{}", "abs(".repeat(n), ")".repeat(n)), "5"),
        (&format!("{}0{}", "if(l == 5, 1, ".repeat(n), ")".repeat(n)), "1"),
        (&vec!["l == 4"; n].join(" || "), "0"),
        (&format!("{}'x'{}", "concat(s, ".repeat(n), ")".repeat(n)), &format!("'{}x'", "hello".repeat(n))),
    ]);
    let lambdas = n / 4;
    let nested = format!("{}[1]{}", "any(x -> x == 1 && ".repeat(lambdas), ", [1])".repeat(lambdas));
    assert!(super::result(&nested).starts_with("error: "), "a condition of an array is none");
    let nested = format!("{}x == 1{}", "any(x -> ".repeat(lambdas), ", [1])".repeat(lambdas));
    check(&[(&nested, "1")]);
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z_$][a-zA-Z0-9_$]{0,6}",
        "\\PC{1,6}",
        Just("null".to_owned()),
        Just("ARRAY".to_owned())
    ]
}

fn leaf() -> impl Strategy<Value = Kind> {
    let double =
        prop_oneof![any::<f64>(), Just(-0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e300)];
    prop_oneof![
        Just(Kind::Null),
        any::<i64>().prop_map(Kind::Long),
        double.prop_map(|value| Kind::Double(if value.is_nan() { f64::NAN } else { value })),
        any::<String>().prop_map(Kind::Text),
        name().prop_map(Kind::Identifier),
        prop::collection::vec(any::<Option<i64>>(), 0..3).prop_map(|v| Kind::Array(ArrayLiteral::Long(v))),
        prop::collection::vec(any::<Option<String>>(), 0..3).prop_map(|v| Kind::Array(ArrayLiteral::Text(v))),
        prop::collection::vec(prop::option::of(-1e9..1e9_f64), 0..3)
            .prop_map(|v| Kind::Array(ArrayLiteral::Double(v))),
    ]
}

fn operator() -> impl Strategy<Value = BinaryOperator> {
    prop::sample::select(vec!["^", "*", "/", "%", "+", "-", "<", "<=", ">", ">=", "==", "!=", "&&", "||"])
        .prop_map(|symbol| BinaryOperator::of_symbol(symbol).unwrap())
}

fn tree() -> impl Strategy<Value = Node> {
    let node = |kind| Node { kind, at: Position(0) };
    leaf().prop_map(node).prop_recursive(5, 40, 4, move |inner| {
        let many = prop::collection::vec(inner.clone(), 0..4);
        let some = prop::collection::vec(inner.clone(), 1..3);
        let unary = prop_oneof![Just(UnaryOperator::Minus), Just(UnaryOperator::Not)];
        prop_oneof![
            (unary, inner.clone()).prop_map(|(o, n)| Kind::Unary(o, Box::new(n))),
            (operator(), inner.clone(), inner.clone()).prop_map(|(o, a, b)| Kind::Binary(
                o,
                Box::new(a),
                Box::new(b)
            )),
            (name(), many).prop_map(|(name, arguments)| Kind::Call(name, arguments)),
            (name(), prop::collection::vec(name(), 0..3), inner, some).prop_map(
                |(name, arguments, body, rest)| {
                    Kind::Apply(name, Lambda { arguments, body: Box::new(body) }, rest)
                }
            ),
        ]
        .prop_map(node)
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn any_text_of_the_languages_characters_is_read_or_refused(
        text in r#"([a-c1-3.'"\\() \[\],+*<>=!&|^%-]|->|null|LONG|ARRAY<|\\u00|e){0,40}"#,
    ) {
        if let Ok(node) = parse(&text) {
            prop_assert_eq!(parse(&node.to_string()).unwrap(), node);
        }
    }

    #[test]
    fn a_tree_that_is_written_reads_back_the_same(tree in tree()) {
        let text = tree.to_string();
        match parse(&text) {
            Ok(again) => prop_assert_eq!(again, tree, "{}", text),
            Err(error) => prop_assert!(false, "{text}: {error}"),
        }
    }
}
