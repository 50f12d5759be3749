//! [`Filter`] to a DataFusion condition.
//!
//! Comparisons are given in the plainest form there is (`column = literal`, `IN`, `>=`), so that a scan recognises
//! them and answers from its bitmaps.

use arrow::datatypes::{Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};

use super::{Bound, Filter, MatchValue, Ordering};
use crate::native::coerce::{Number, coerce, double_text, parse_number};
use crate::native::convert::exact_long;
use crate::native::error::ExpressionError;
use crate::native::kernel::{Long, Text, Truth, call, map1};
use crate::native::lambda::any_element;
use crate::native::library::{compile_regex, like_pattern};
use crate::native::lower::lower_condition;
use crate::native::types::{ElementType, Type, Typed, column, is_float};

type Lowered = Result<Expr, ExpressionError>;

/// The condition that `filter` states over the columns of `schema`.
pub(super) fn filter(filter: &Filter, schema: &Schema) -> Lowered {
    match filter {
        Filter::True => Ok(lit(true)),
        Filter::False => Ok(lit(false)),
        Filter::And(filters) => all(filters, schema, Operator::And, true),
        Filter::Or(filters) => all(filters, schema, Operator::Or, false),
        Filter::Not(inner) => Ok(Expr::Not(Box::new(self::filter(inner, schema)?))),
        Filter::Expression(node) => lower_condition(node, schema),
        Filter::ColumnComparison { columns } => same(columns, schema),
        Filter::Null { column } => on(column, schema, |value| Ok(Expr::IsNull(Box::new(value.typed.expr)))),
        Filter::In { column, values, or_null } => on(column, schema, |value| {
            let found = any_of(&value, values);
            Ok(if *or_null { Expr::IsNull(Box::new(value.typed.expr)).or(found) } else { found })
        }),
        Filter::Range { column, lower, upper, ordering, or_null } => on(column, schema, |value| {
            let null = Expr::IsNull(Box::new(value.typed.expr.clone()));
            let inside = between(value, lower.as_ref(), upper.as_ref(), *ordering)?;
            Ok(if *or_null { null.or(inside) } else { inside })
        }),
        Filter::Like { column, pattern, escape } => {
            matches(column, schema, &like_pattern(pattern, *escape), false)
        }
        Filter::Regex { column, pattern } => matches(column, schema, pattern, true),
        Filter::Search { column, fragments, case_sensitive } => {
            let conditions = fragments.iter().map(|fragment| {
                let case = if *case_sensitive { "" } else { "(?i)" };
                matches(column, schema, &format!("{case}{}", regex::escape(fragment)), false)
            });
            Ok(fold(conditions.collect::<Result<_, _>>()?, Operator::And, true))
        }
        Filter::Interval { column, intervals } => on(column, schema, |value| {
            let time = as_type(&value, Type::Long);
            let conditions = intervals.iter().map(|interval| {
                let (start, end) = (lit(interval.start_ms), lit(interval.end_ms));
                time.clone().gt_eq(start).and(time.clone().lt(end))
            });
            Ok(fold(conditions.collect(), Operator::Or, false))
        }),
    }
}

fn all(filters: &[Filter], schema: &Schema, operator: Operator, empty: bool) -> Lowered {
    let conditions = filters.iter().map(|f| filter(f, schema)).collect::<Result<_, _>>()?;
    Ok(fold(conditions, operator, empty))
}

/// As a balanced tree: what walks it later recurses along its depth.
fn fold(mut conditions: Vec<Expr>, operator: Operator, empty: bool) -> Expr {
    while conditions.len() > 1 {
        let mut pairs = conditions.into_iter();
        let mut joined = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            joined.push(match pairs.next() {
                Some(right) => binary_expr(left, operator, right),
                None => left,
            });
        }
        conditions = joined;
    }
    conditions.pop().unwrap_or_else(|| lit(empty))
}

/// A column, or one element of it, to be compared.
struct Compared {
    typed: Typed,
    /// Whether the values are 32-bit floats, seen as doubles: literals must be rounded alike to meet them.
    float: bool,
}

/// The condition that `f` states of a column; for a column of several values, of any of them. A row without values
/// counts as one NULL.
fn on(name: &str, schema: &Schema, f: impl Fn(Compared) -> Lowered) -> Lowered {
    let Some((_, field)) = schema.fields().find(name) else {
        return f(Compared { typed: Typed::null(), float: false });
    };
    let typed = column(field)?;
    let Type::Array(element) = typed.ty else { return f(Compared { typed, float: is_float(field) }) };
    let inner = Field::new("element", element.data_type(), true);
    let condition = f(Compared { typed: column(&inner)?, float: false })?;
    let of_null = f(Compared { typed: null_element(element), float: false })?;
    any_element(typed, inner, &condition, &of_null)
}

fn null_element(element: ElementType) -> Typed {
    coerce(Typed::null(), element.into()).unwrap_or_else(Typed::null)
}

fn as_type(value: &Compared, to: Type) -> Expr {
    // Arrays are compared by element, and scalars all convert.
    coerce(value.typed.clone(), to).map_or_else(|| lit(ScalarValue::Null), |typed| typed.expr)
}

/// False, but NULL where `value` is.
fn never(value: &Compared) -> Expr {
    Expr::IsNull(Box::new(value.typed.expr.clone())).and(lit(ScalarValue::Boolean(None)))
}

fn any_of(value: &Compared, wanted: &[MatchValue]) -> Expr {
    if value.typed.ty == Type::Null {
        return lit(ScalarValue::Boolean(None));
    }
    let mut literals: Vec<Expr> = wanted.iter().filter_map(|w| literal(w, value)).map(lit).collect();
    let subject = value.typed.expr.clone();
    match (literals.pop(), literals.is_empty()) {
        (None, _) => never(value),
        (Some(only), true) => subject.eq(only),
        (Some(last), false) => {
            literals.push(last);
            Expr::InList(InList::new(Box::new(subject), literals, false))
        }
    }
}

/// `wanted` in the column's type; `None` when no value of that type equals it.
fn literal(wanted: &MatchValue, value: &Compared) -> Option<ScalarValue> {
    Some(match value.typed.ty {
        Type::Long | Type::Truth => ScalarValue::Int64(Some(match wanted {
            MatchValue::Long(number) => *number,
            MatchValue::Double(number) => exact_long(&double_text(*number))?,
            MatchValue::String(text) => exact_long(text)?,
        })),
        Type::Double => ScalarValue::Float64(Some(rounded(number(wanted)?, value.float))),
        _ => ScalarValue::Utf8View(Some(text(wanted))),
    })
}

fn number(value: &MatchValue) -> Option<f64> {
    match value {
        MatchValue::Long(number) => Some(*number as f64),
        MatchValue::Double(number) => Some(*number),
        MatchValue::String(text) => parse_number(text).map(Number::as_double),
    }
}

fn text(value: &MatchValue) -> String {
    match value {
        MatchValue::Long(number) => number.to_string(),
        MatchValue::Double(number) => double_text(*number),
        MatchValue::String(text) => text.clone(),
    }
}

fn rounded(number: f64, float: bool) -> f64 {
    if float { f64::from(number as f32) } else { number }
}

fn between(
    value: Compared,
    lower: Option<&Bound>,
    upper: Option<&Bound>,
    ordering: Option<Ordering>,
) -> Lowered {
    if value.typed.ty == Type::Null {
        return Ok(lit(ScalarValue::Boolean(None)));
    }
    let textual = |bound: &Bound| matches!(bound.value, MatchValue::String(_));
    let ty = match ordering {
        Some(Ordering::Strlen) => return lengths_between(&value, lower, upper),
        Some(Ordering::Lexicographic) => Type::Text,
        None if value.typed.ty == Type::Text && [lower, upper].into_iter().flatten().all(textual) => {
            Type::Text
        }
        Some(Ordering::Numeric) | None if value.typed.ty.is_integral() => Type::Long,
        Some(Ordering::Numeric) | None => Type::Double,
    };
    let subject = as_type(&value, ty);
    let conditions = [(lower, Side::Lower), (upper, Side::Upper)];
    let conditions = conditions.into_iter().filter_map(|(bound, side)| Some((bound?, side)));
    let conditions = conditions.map(|(bound, side)| end(&subject, bound, side, ty, &value));
    Ok(fold(conditions.collect(), Operator::And, true))
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Lower,
    Upper,
}

fn end(subject: &Expr, bound: &Bound, side: Side, ty: Type, value: &Compared) -> Expr {
    let subject = subject.clone();
    let (limit, open) = match ty {
        Type::Text => (lit(ScalarValue::Utf8View(Some(text(&bound.value)))), bound.open),
        Type::Long => match whole(bound, side) {
            Some((limit, open)) => (lit(limit), open),
            None => return never(value),
        },
        _ => match number(&bound.value) {
            Some(limit) => (lit(rounded(limit, value.float)), bound.open),
            None => return never(value),
        },
    };
    match (side, open) {
        (Side::Lower, false) => subject.gt_eq(limit),
        (Side::Lower, true) => subject.gt(limit),
        (Side::Upper, false) => subject.lt_eq(limit),
        (Side::Upper, true) => subject.lt(limit),
    }
}

/// A bound of whole numbers: `> 1.5` is `>= 2`.
fn whole(bound: &Bound, side: Side) -> Option<(i64, bool)> {
    let exact = match &bound.value {
        MatchValue::Long(number) => Some(*number),
        MatchValue::Double(number) => exact_long(&double_text(*number)),
        MatchValue::String(text) => exact_long(text),
    };
    if let Some(number) = exact {
        return Some((number, bound.open));
    }
    let number = number(&bound.value).filter(|n| !n.is_nan())?;
    Some(match side {
        // Beyond the range of longs the cast clamps: then no long lies above, or below.
        Side::Lower => (number.ceil() as i64, number >= i64::MAX as f64),
        Side::Upper => (number.floor() as i64, number < i64::MIN as f64),
    })
}

fn lengths_between(value: &Compared, lower: Option<&Bound>, upper: Option<&Bound>) -> Lowered {
    let subject = as_type(value, Type::Text);
    let kernel = map1::<Text, Long>(|text| i64::try_from(text.encode_utf16().count()).ok());
    let length = Compared { typed: call("strlen", "", vec![subject], Type::Long, kernel), float: false };
    between(length, lower, upper, Some(Ordering::Numeric))
}

/// Whether a pattern is found in a column's text.
fn matches(column: &str, schema: &Schema, pattern: &str, of_java: bool) -> Lowered {
    let compiled = if of_java {
        compile_regex(pattern)
    } else {
        regex::Regex::new(pattern).map_err(|error| format!("has a pattern that cannot be used: {error}"))
    };
    let regex = compiled.map_err(|problem| ExpressionError::Argument {
        name: "the filter".to_owned(),
        at: crate::native::error::Position::default(),
        problem,
    })?;
    on(column, schema, |value| {
        let regex = regex.clone();
        let constants = format!("{:?}", regex.as_str());
        let kernel = map1::<Text, Truth>(move |text| Some(regex.is_match(text)));
        Ok(call("regexp_like", &constants, vec![as_type(&value, Type::Text)], Type::Truth, kernel).expr)
    })
}

/// Equality that takes NULL for a value. Values of different types compare as text, as Druid's do.
fn same(columns: &[String], schema: &Schema) -> Lowered {
    let mut typed = Vec::new();
    for name in columns {
        typed.push(match schema.fields().find(name) {
            Some((_, field)) => column(field)?,
            None => Typed::null(),
        });
    }
    let one_type = typed.windows(2).all(|pair| matches!(pair, [a, b] if a.ty == b.ty));
    let values = typed.into_iter().map(|value| {
        if one_type {
            value.expr
        } else {
            coerce(value, Type::Text).map_or_else(|| lit(ScalarValue::Null), |t| t.expr)
        }
    });
    let values: Vec<Expr> = values.collect();
    let conditions = values.windows(2).filter_map(|pair| match pair {
        [a, b] => Some(binary_expr(a.clone(), Operator::IsNotDistinctFrom, b.clone())),
        _ => None,
    });
    Ok(fold(conditions.collect(), Operator::And, true))
}
