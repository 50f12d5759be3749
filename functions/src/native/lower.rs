//! A tree, met by a schema, becomes a DataFusion expression with a type.
//!
//! Columns that the schema lacks are NULL. Arithmetic is in longs if both sides are longs, in doubles otherwise;
//! `+` of two strings joins them (the other operators refuse two strings), and text beside a number is read as one. Long arithmetic wraps, as Java's does.
//! Comparisons of two strings compare text, all others numbers. NULL on one side gives NULL; `&&` and `||` have SQL's
//! three values.

use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};

use super::ast::{ArrayLiteral, BinaryOperator, Kind, Node, UnaryOperator};
use super::coerce::{coerce, condition, materialise};
use super::error::{ExpressionError, Position};
use super::kernel::{Double, Long, Text, Truth, call, map1, map2};
use super::lambda;
use super::library::{self, Call};
use super::types::{ElementType, Type, Typed, column};

type Lowered = Result<Typed, ExpressionError>;

/// Lowers `node` over the columns of `schema`.
pub(crate) fn lower(node: &Node, schema: &Schema) -> Lowered {
    match &node.kind {
        Kind::Null => Ok(Typed::null()),
        Kind::Long(value) => Ok(Typed::long(*value)),
        Kind::Double(value) => Ok(Typed::double(*value)),
        Kind::Text(value) => Ok(Typed::text(value)),
        Kind::Array(literal) => Ok(array(literal)),
        Kind::Identifier(name) => match schema.fields().find(name) {
            Some((_, field)) => column(field),
            None => Ok(Typed::null()),
        },
        Kind::Unary(operator, operand) => unary(*operator, lower(operand, schema)?, node.at),
        Kind::Binary(operator, left, right) => {
            binary(*operator, lower(left, schema)?, lower(right, schema)?, node.at)
        }
        Kind::Call(name, nodes) => {
            let arguments = nodes.iter().map(|node| lower(node, schema)).collect::<Result<_, _>>()?;
            library::lower(&Call { name, at: node.at, nodes, arguments })
        }
        Kind::Apply(name, body, nodes) => {
            let arguments = nodes.iter().map(|node| lower(node, schema)).collect::<Result<_, _>>()?;
            lambda::lower_apply(&Call { name, at: node.at, nodes, arguments }, body, schema)
        }
    }
}

fn array(literal: &ArrayLiteral) -> Typed {
    let (values, element): (Vec<_>, _) = match literal {
        ArrayLiteral::Text(values) => {
            (values.iter().cloned().map(ScalarValue::Utf8View).collect(), ElementType::String)
        }
        ArrayLiteral::Long(values) => {
            (values.iter().copied().map(ScalarValue::Int64).collect(), ElementType::Long)
        }
        ArrayLiteral::Double(values) => {
            (values.iter().copied().map(ScalarValue::Float64).collect(), ElementType::Double)
        }
    };
    let list = ScalarValue::new_list(&values, &element.data_type(), true);
    Typed::new(lit(ScalarValue::List(list)), Type::Array(element))
}

fn mismatch(operator: &str, found: Type, at: Position) -> ExpressionError {
    let problem = format!("does not take {}", found.name());
    ExpressionError::Argument { name: operator.to_owned(), at, problem }
}

fn unary(operator: UnaryOperator, operand: Typed, at: Position) -> Lowered {
    let ty = operand.ty;
    match operator {
        UnaryOperator::Not => {
            let condition = condition(operand).ok_or_else(|| mismatch("!", ty, at))?;
            Ok(Typed::truth(Expr::Not(Box::new(condition))))
        }
        UnaryOperator::Minus if ty == Type::Null => Ok(operand),
        UnaryOperator::Minus if ty.is_integral() => {
            let operand = as_type(operand, Type::Long, "-", at)?;
            Ok(call("negate", "", vec![operand], Type::Long, map1::<Long, Long>(|x| Some(x.wrapping_neg()))))
        }
        UnaryOperator::Minus if ty == Type::Text => Err(mismatch("-", ty, at)),
        UnaryOperator::Minus => {
            let operand = as_type(operand, Type::Double, "-", at)?;
            Ok(call("negate", "", vec![operand], Type::Double, map1::<Double, Double>(|x| Some(-x))))
        }
    }
}

fn as_type(value: Typed, to: Type, operator: &str, at: Position) -> Result<Expr, ExpressionError> {
    let found = value.ty;
    coerce(value, to).map(|typed| typed.expr).ok_or_else(|| mismatch(operator, found, at))
}

fn binary(operator: BinaryOperator, left: Typed, right: Typed, at: Position) -> Lowered {
    match operator {
        BinaryOperator::And | BinaryOperator::Or => logical(operator, left, right, at),
        BinaryOperator::Less
        | BinaryOperator::LessOrEqual
        | BinaryOperator::Greater
        | BinaryOperator::GreaterOrEqual
        | BinaryOperator::Equal
        | BinaryOperator::NotEqual => compare(operator, left, right, at),
        BinaryOperator::Plus if left.ty == Type::Text && right.ty == Type::Text => {
            let kernel = map2::<Text, Text, Text>(|a, b| Some([a, b].concat()));
            Ok(call("concat", "", vec![left.expr, right.expr], Type::Text, kernel))
        }
        _ => arithmetic(operator, left, right, at),
    }
}

fn logical(operator: BinaryOperator, left: Typed, right: Typed, at: Position) -> Lowered {
    let name = operator.symbol();
    let left = as_type(left, Type::Truth, name, at)?;
    let right = as_type(right, Type::Truth, name, at)?;
    let operator = if operator == BinaryOperator::And { Operator::And } else { Operator::Or };
    Ok(Typed::truth(binary_expr(left, operator, right)))
}

/// A comparison. Doubles compare as Java's operators do for equality (NaN equals nothing, -0.0 equals 0.0) and as
/// `Double.compare` for order.
pub(crate) fn compare(operator: BinaryOperator, left: Typed, right: Typed, at: Position) -> Lowered {
    let name = operator.symbol();
    if let (Type::Null, _) | (_, Type::Null) = (left.ty, right.ty) {
        for side in [left.ty, right.ty] {
            if let Type::Array(_) = side {
                return Err(mismatch(name, side, at));
            }
        }
        return Ok(Typed::truth(lit(ScalarValue::Boolean(None))));
    }
    let ty = match (left.ty, right.ty) {
        (Type::Text, Type::Text) => Type::Text,
        (a, b) if a.is_integral() && b.is_integral() => Type::Long,
        _ => Type::Double,
    };
    let arguments = vec![as_type(left, ty, name, at)?, as_type(right, ty, name, at)?];
    let by_arrow = match operator {
        BinaryOperator::Less => Operator::Lt,
        BinaryOperator::LessOrEqual => Operator::LtEq,
        BinaryOperator::Greater => Operator::Gt,
        BinaryOperator::GreaterOrEqual => Operator::GtEq,
        BinaryOperator::Equal if ty != Type::Double => Operator::Eq,
        BinaryOperator::NotEqual if ty != Type::Double => Operator::NotEq,
        // Arrow's equality is that of bits: it would tell 0.0 from -0.0.
        BinaryOperator::Equal => {
            let kernel = map2::<Double, Double, Truth>(|a, b| Some(a == b));
            return Ok(call("equal", "", arguments, Type::Truth, kernel));
        }
        _ => {
            let kernel = map2::<Double, Double, Truth>(|a, b| Some(a != b));
            return Ok(call("not_equal", "", arguments, Type::Truth, kernel));
        }
    };
    let mut arguments = arguments.into_iter();
    let (Some(left), Some(right)) = (arguments.next(), arguments.next()) else { return Ok(Typed::null()) };
    Ok(Typed::truth(binary_expr(left, by_arrow, right)))
}

fn arithmetic(operator: BinaryOperator, left: Typed, right: Typed, at: Position) -> Lowered {
    let name = operator.symbol();
    if left.ty == Type::Null && right.ty == Type::Null {
        return Ok(Typed::null());
    }
    if left.ty == Type::Text && right.ty == Type::Text {
        let problem = "does not take two STRINGs; cast one of them to a number".to_owned();
        return Err(ExpressionError::Argument { name: name.to_owned(), at, problem });
    }
    // NULL takes the other side's type, so that `null + 1` is a long.
    let integral = |ty: Type| ty.is_integral() || ty == Type::Null;
    if integral(left.ty) && integral(right.ty) {
        let arguments = vec![as_type(left, Type::Long, name, at)?, as_type(right, Type::Long, name, at)?];
        let f: fn(i64, i64) -> Option<i64> = match operator {
            BinaryOperator::Plus => |a, b| Some(a.wrapping_add(b)),
            BinaryOperator::Minus => |a, b| Some(a.wrapping_sub(b)),
            BinaryOperator::Multiply => |a, b| Some(a.wrapping_mul(b)),
            // Java throws; one row must not stop a stream.
            BinaryOperator::Divide => |a, b| (b != 0).then(|| a.wrapping_div(b)),
            BinaryOperator::Modulo => |a, b| (b != 0).then(|| a.wrapping_rem(b)),
            _ => power,
        };
        return Ok(call(verb(operator), "", arguments, Type::Long, map2::<Long, Long, Long>(f)));
    }
    let arguments = vec![as_type(left, Type::Double, name, at)?, as_type(right, Type::Double, name, at)?];
    let f: fn(f64, f64) -> f64 = match operator {
        BinaryOperator::Plus => |a, b| a + b,
        BinaryOperator::Minus => |a, b| a - b,
        BinaryOperator::Multiply => |a, b| a * b,
        BinaryOperator::Divide => |a, b| a / b,
        BinaryOperator::Modulo => |a, b| a % b,
        _ => library::power,
    };
    let kernel = map2::<Double, Double, Double>(move |a, b| Some(f(a, b)));
    Ok(call(verb(operator), "", arguments, Type::Double, kernel))
}

/// Wrapping; a negative power of a whole number is none.
fn power(base: i64, exponent: i64) -> Option<i64> {
    let mut exponent = u64::try_from(exponent).ok()?;
    let (mut base, mut result) = (base, 1_i64);
    while exponent > 0 {
        if exponent % 2 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent /= 2;
    }
    Some(result)
}

fn verb(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Plus => "add",
        BinaryOperator::Minus => "subtract",
        BinaryOperator::Multiply => "multiply",
        BinaryOperator::Divide => "divide",
        BinaryOperator::Modulo => "modulo",
        _ => "power",
    }
}

/// The value of an expression: lowered, conditions as 1 and 0.
pub(crate) fn lower_value(node: &Node, schema: &Schema) -> Lowered {
    lower(node, schema).map(materialise)
}

/// The condition that an expression states: lowered, NULL where it is NULL.
pub(crate) fn lower_condition(node: &Node, schema: &Schema) -> Result<Expr, ExpressionError> {
    let typed = lower(node, schema)?;
    let found = typed.ty;
    condition(typed).ok_or_else(|| mismatch("the condition", found, node.at))
}
