//! Choosing: `if`, `case_…`, `nvl`, tests for NULL and truth, `cast`, `greatest`, `least`.

use std::sync::Arc;

use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, Operator, binary_expr};

use super::{Call, Definition, function};
use crate::native::ast::BinaryOperator;
use crate::native::coerce::coerce;
use crate::native::error::ExpressionError;
use crate::native::kernel::{Argument, Double, Kernel, Long, Output, Text, fold};
use crate::native::lower::compare;
use crate::native::types::{ElementType, Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

pub(super) const FUNCTIONS: &[Definition] = &[
    function("cast", 2, 2, cast_to),
    function("if", 3, 3, case_searched),
    function("case_searched", 2, usize::MAX, case_searched),
    function("case_simple", 3, usize::MAX, case_simple),
    function("nvl", 2, 2, coalesce),
    function("coalesce", 1, usize::MAX, coalesce),
    function("isnull", 1, 1, |call| Ok(is_null(call.argument(0)?.clone()))),
    function("notnull", 1, 1, not_null),
    function("istrue", 1, 1, |call| Ok(Typed::truth(Expr::IsTrue(Box::new(call.condition(0)?))))),
    function("isfalse", 1, 1, |call| Ok(Typed::truth(Expr::IsFalse(Box::new(call.condition(0)?))))),
    function("isnottrue", 1, 1, |call| Ok(Typed::truth(Expr::IsNotTrue(Box::new(call.condition(0)?))))),
    function("isnotfalse", 1, 1, |call| Ok(Typed::truth(Expr::IsNotFalse(Box::new(call.condition(0)?))))),
    function("isdistinctfrom", 2, 2, |call| distinct(call, Operator::IsDistinctFrom)),
    function("notdistinctfrom", 2, 2, |call| distinct(call, Operator::IsNotDistinctFrom)),
    function("greatest", 0, usize::MAX, |call| extreme(call, std::cmp::Ordering::Greater)),
    function("least", 0, usize::MAX, |call| extreme(call, std::cmp::Ordering::Less)),
];

/// Whether `value` is NULL; never NULL itself.
fn is_null(value: Typed) -> Typed {
    Typed::truth(Expr::IsNull(Box::new(value.expr)))
}

fn not_null(call: &Call) -> Lowered {
    Ok(Typed::truth(Expr::IsNotNull(Box::new(call.argument(0)?.expr.clone()))))
}

fn cast_to(call: &Call) -> Lowered {
    let name = call.required_text(1, "the type")?.to_ascii_uppercase();
    let target = match name.as_str() {
        "STRING" => Type::Text,
        "LONG" => Type::Long,
        "DOUBLE" => Type::Double,
        "ARRAY<STRING>" | "STRING_ARRAY" => Type::Array(ElementType::String),
        "ARRAY<LONG>" | "LONG_ARRAY" => Type::Array(ElementType::Long),
        "ARRAY<DOUBLE>" | "DOUBLE_ARRAY" => Type::Array(ElementType::Double),
        _ => {
            let known = ["STRING", "LONG", "DOUBLE", "ARRAY<STRING>", "ARRAY<LONG>", "ARRAY<DOUBLE>"];
            return Err(call.error(format!("casts to {}, not to '{name}'", known.join(", "))));
        }
    };
    let value = call.argument(0)?.clone();
    super::arrays::convert(call, value, target)
}

/// A value from pairs of condition and value and a last resort, all of one type.
fn choose(call: &Call, branches: Vec<(Expr, Typed)>, otherwise: Option<Typed>) -> Lowered {
    let mut ty = Type::Null;
    for value in branches.iter().map(|(_, value)| value).chain(&otherwise) {
        ty = ty.common(value.ty).ok_or_else(|| {
            call.error(format!(
                "gives {} or {}; an array has no common type with others",
                ty.name(),
                value.ty.name()
            ))
        })?;
    }
    let convert = |value: Typed| match coerce(value, ty) {
        Some(typed) => Ok(Box::new(typed.expr)),
        None => Err(call.error(format!("cannot give its values as {}", ty.name()))),
    };
    let when_then = branches
        .into_iter()
        .map(|(when, then)| Ok((Box::new(when), convert(then)?)))
        .collect::<Result<_, ExpressionError>>()?;
    let otherwise = otherwise.map(convert).transpose()?;
    Ok(Typed::new(Expr::Case(Case::new(None, when_then, otherwise)), ty))
}

/// `if` is a searched case of one branch.
fn case_searched(call: &Call) -> Lowered {
    let mut branches = Vec::new();
    let mut i = 0;
    while call.has(i + 1) {
        branches.push((call.condition(i)?, call.argument(i + 1)?.clone()));
        i += 2;
    }
    let otherwise = call.arguments.get(i).cloned();
    choose(call, branches, otherwise)
}

fn case_simple(call: &Call) -> Lowered {
    let subject = call.argument(0)?;
    let mut branches = Vec::new();
    let mut i = 1;
    while call.has(i + 1) {
        let candidate = call.argument(i)?.clone();
        let equal = compare(BinaryOperator::Equal, subject.clone(), candidate, call.at)?;
        branches.push((equal.expr, call.argument(i + 1)?.clone()));
        i += 2;
    }
    let otherwise = call.arguments.get(i).cloned();
    choose(call, branches, otherwise)
}

fn coalesce(call: &Call) -> Lowered {
    let Some((last, first)) = call.arguments.split_last() else { return Ok(Typed::null()) };
    if first.is_empty() {
        return Ok(last.clone());
    }
    let branches = first.iter().map(|v| (Expr::IsNotNull(Box::new(v.expr.clone())), v.clone())).collect();
    choose(call, branches, Some(last.clone()))
}

fn distinct(call: &Call, operator: Operator) -> Lowered {
    let (left, right) = (call.argument(0)?, call.argument(1)?);
    let both_text = matches!((left.ty, right.ty), (Type::Text | Type::Null, Type::Text | Type::Null));
    let ty = if both_text {
        Type::Text
    } else if left.ty == right.ty {
        left.ty
    } else {
        super::numeric(&call.arguments)
    };
    Ok(Typed::truth(binary_expr(call.as_type(0, ty)?, operator, call.as_type(1, ty)?)))
}

/// The greatest or least of the arguments that are not NULL: as text if any is text, as doubles if any is a double.
fn extreme(call: &Call, wanted: std::cmp::Ordering) -> Lowered {
    let mut ty = Type::Long;
    for argument in &call.arguments {
        ty = match argument.ty {
            Type::Null => ty,
            Type::Array(_) => return Err(call.error(format!("does not take {}", argument.ty.name()))),
            other => ty.common(other).unwrap_or(ty),
        };
    }
    if call.arguments.iter().all(|a| a.ty == Type::Null) {
        return Ok(Typed::null());
    }
    let arguments = (0..call.arguments.len()).map(|i| call.as_type(i, ty)).collect::<Result<Vec<_>, _>>()?;
    let kernel = match ty {
        Type::Text => select::<Text>(move |a, b| a.cmp(b) == wanted, str::to_owned),
        Type::Double => select::<Double>(move |a, b| a.is_nan() || a.total_cmp(&b) == wanted, |v| v),
        _ => select::<Long>(move |a, b| a.cmp(&b) == wanted, |v| v),
    };
    Ok(call.function(arguments, ty, kernel))
}

/// The one that `wins` over all others.
fn select<A: Argument + Output>(
    wins: impl for<'a> Fn(A::Item<'a>, A::Item<'a>) -> bool + Send + Sync + 'static,
    own: impl for<'a> Fn(A::Item<'a>) -> A::Owned + Send + Sync + 'static,
) -> Arc<Kernel> {
    fold::<A, A>(move |values| {
        values.flatten().reduce(|best, next| if wins(next, best) { next } else { best }).map(&own)
    })
}
