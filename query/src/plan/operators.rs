//! Arithmetic with text: a text that is calculated with is a number, or NULL.
//!
//! DataFusion refuses such operands as soon as it names them, so this happens while the tree is read; the rest of
//! what operators mean is in [`super::semantics`].

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, TryCast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::types::is_text;

/// Casts the texts among the operands of `+`, `-`, `*`, `/` and `%`.
#[derive(Debug)]
pub(crate) struct TextArithmetic;

impl ExprPlanner for TextArithmetic {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
        if !matches!(expr.op, Plus | Minus | Multiply | Divide | Modulo) {
            return Ok(PlannerResult::Original(expr));
        }
        let RawBinaryExpr { op, left, right } = expr;
        let (left_type, right_type) = (left.get_type(schema).ok(), right.get_type(schema).ok());
        let left_out = as_number(left, left_type.as_ref(), right_type.as_ref());
        let right_out = as_number(right, right_type.as_ref(), left_type.as_ref());
        Ok(PlannerResult::Original(RawBinaryExpr { op, left: left_out, right: right_out }))
    }
}

fn as_number(expr: Expr, own: Option<&DataType>, other: Option<&DataType>) -> Expr {
    match (own, other) {
        (Some(own), Some(other)) if is_text(own) && (other.is_numeric() || is_text(other)) => {
            Expr::TryCast(TryCast::new(Box::new(expr), DataType::Float64))
        }
        _ => expr,
    }
}
