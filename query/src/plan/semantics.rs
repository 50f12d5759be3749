//! What operators mean in Druid, where that depends on the types of their operands.
//!
//! A pass over the logical plan before DataFusion makes operand types agree:
//!
//! * casts between texts, times and numbers read and write Druid's forms ([`super::casts`]);
//! * a text beside a time is a time, in ISO or SQL form, on the session's wall clock; so is a text that a function takes as
//!   a time, and a time that it takes as a text is written so;
//! * a number beside a FLOAT column is a float: `latitude = 47.375744` finds what prints so;
//! * a text that is asked whether it is true is converted first.
//!
//! Names of expressions stay as they are, because nodes above refer to them.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRewriter};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, ScalarUDF, TryCast,
};
use ovate_functions::sql::{ArgumentKind, argument_kind};
use ovate_storage::time::{Zone, parse::parse_iso};

use super::casts::{self, Cast as DruidCast};
use super::multi_value;
use super::types::{TIMESTAMP, is_text, sql_type};
use crate::error::QueryError;

/// Gives a plan Druid's semantics. `zone` is the session's, `multi_values` are the columns of the tables read that
/// hold several values a row.
pub(crate) fn apply(plan: LogicalPlan, zone: Zone, multi_values: &HashSet<String>) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let done = of_node(node, zone)?;
        if multi_values.is_empty() {
            return Ok(done);
        }
        Ok(Transformed::yes(multi_value::unnest_groups(done.data, multi_values)?))
    })
    .map(|done| done.data)
}

fn of_node(node: LogicalPlan, zone: Zone) -> Result<Transformed<LogicalPlan>> {
    let schema = match &node {
        // Subqueries are planned where their outer columns are typed already.
        LogicalPlan::TableScan(_) | LogicalPlan::EmptyRelation(_) | LogicalPlan::SubqueryAlias(_) => {
            return Ok(Transformed::no(node));
        }
        other => merge_schema(&other.inputs()),
    };
    let names = NamePreserver::new(&node);
    let mut rewriter = Semantics { schema: &schema, zone };
    let done = node.map_expressions(|expr| {
        let name = names.save(&expr);
        Ok(expr.rewrite(&mut rewriter)?.update_data(|expr| name.restore(expr)))
    })?;
    // A changed expression below may have another type; a Union checks that its branches still agree.
    done.map_data(
        |node| if matches!(node, LogicalPlan::Union(_)) { Ok(node) } else { node.recompute_schema() },
    )
}

struct Semantics<'a> {
    schema: &'a DFSchema,
    zone: Zone,
}

impl TreeNodeRewriter for Semantics<'_> {
    type Node = Expr;

    fn f_up(&mut self, expr: Expr) -> Result<Transformed<Expr>> {
        Ok(match expr {
            // Beyond the range of BIGINT; DataFusion has a type for it that Druid has not.
            Expr::Literal(ScalarValue::UInt64(Some(number)), metadata) => {
                Transformed::yes(Expr::Literal(ScalarValue::Float64(Some(number as f64)), metadata))
            }
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                Transformed::yes(self.cast(*expr, field.data_type()))
            }
            Expr::BinaryExpr(binary) => self.binary(binary)?,
            Expr::Between(Between { expr, negated, low, high }) => {
                let low = self.beside(&expr, *low)?;
                let high = self.beside(&expr, *high)?;
                self.check_between(&expr, &low, &high)?;
                Transformed::yes(Expr::Between(Between::new(expr, negated, Box::new(low), Box::new(high))))
            }
            Expr::Negative(inner) => {
                if let Some(own @ DataType::Timestamp(..)) = self.type_of(&inner) {
                    return Err(invalid(format!(
                        "Cannot apply '-' to arguments of type '-<{}>'",
                        sql_type(&own)
                    )));
                }
                Transformed::no(Expr::Negative(inner))
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) => {
                let args = args.into_iter().enumerate();
                let args = args.map(|(at, argument)| self.argument(&func, at, argument)).collect();
                Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
            }
            Expr::InList(InList { expr, list, negated })
                if self.type_of(&expr).is_some_and(|t| multi_value::is_multi_value(&t)) =>
            {
                Transformed::yes(multi_value::any_in(*expr, list, negated))
            }
            Expr::InList(InList { expr, list, negated }) => {
                let list =
                    list.into_iter().map(|item| self.beside(&expr, item)).collect::<Result<Vec<_>>>()?;
                Transformed::yes(Expr::InList(InList { expr, list, negated }))
            }
            Expr::IsTrue(inner) => Transformed::yes(Expr::IsTrue(Box::new(self.condition(*inner)))),
            Expr::IsFalse(inner) => Transformed::yes(Expr::IsFalse(Box::new(self.condition(*inner)))),
            Expr::IsNotTrue(inner) => Transformed::yes(Expr::IsNotTrue(Box::new(self.condition(*inner)))),
            Expr::IsNotFalse(inner) => Transformed::yes(Expr::IsNotFalse(Box::new(self.condition(*inner)))),
            Expr::Not(inner) => Transformed::yes(Expr::Not(Box::new(self.condition(*inner)))),
            other => Transformed::no(other),
        })
    }
}

impl Semantics<'_> {
    /// A type; unknown for columns of an outer query that this node does not see.
    fn type_of(&self, expr: &Expr) -> Option<DataType> {
        expr.get_type(self.schema).ok()
    }

    fn cast(&self, expr: Expr, to: &DataType) -> Expr {
        let Some(from) = self.type_of(&expr) else { return try_cast(expr, to) };
        match to {
            _ if from == *to => expr,
            to if *to == TIMESTAMP && is_text(&from) => match literal_text(&expr) {
                Some(text) => instant(parse_iso(text.trim(), self.zone)),
                None => casts::call(DruidCast::TextToTimestamp, self.zone, expr),
            },
            to if *to == TIMESTAMP && from.is_floating() => try_cast(try_cast(expr, &DataType::Int64), to),
            DataType::Utf8View if matches!(from, DataType::Timestamp(..)) => {
                casts::call(DruidCast::TimestampToText, self.zone, expr)
            }
            DataType::Utf8View if from.is_floating() => casts::call(DruidCast::FloatToText, self.zone, expr),
            DataType::Int64 if is_text(&from) => casts::call(DruidCast::TextToLong, self.zone, expr),
            to => try_cast(expr, to),
        }
    }

    /// An argument, converted where the time zone decides how.
    fn argument(&self, function: &ScalarUDF, at: usize, expr: Expr) -> Expr {
        let Some(given) = self.type_of(&expr) else { return expr };
        match argument_kind(function, at) {
            Some(ArgumentKind::Text) if matches!(given, DataType::Timestamp(..)) => {
                self.cast(expr, &DataType::Utf8View)
            }
            Some(ArgumentKind::Time) if is_text(&given) => self.cast(expr, &TIMESTAMP),
            _ => expr,
        }
    }

    fn binary(&self, binary: BinaryExpr) -> Result<Transformed<Expr>> {
        let BinaryExpr { left, op, right } = binary;
        if is_comparison(op) {
            let new_right = self.beside(&left, *right)?;
            let new_left = self.beside(&new_right, *left)?;
            return Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
                Box::new(new_left),
                op,
                Box::new(new_right),
            ))));
        }
        if matches!(op, Operator::And | Operator::Or) {
            let (left, right) = (Box::new(self.condition(*left)), Box::new(self.condition(*right)));
            return Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left, op, right))));
        }
        Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr::new(left, op, right))))
    }

    /// `expr` as it is to be compared with `other`.
    fn beside(&self, other: &Expr, expr: Expr) -> Result<Expr> {
        let (Some(own_type), Some(other_type)) = (self.type_of(&expr), self.type_of(other)) else {
            return Ok(expr);
        };
        if matches!(other_type, DataType::Timestamp(..)) {
            if is_text(&own_type) {
                return match literal_text(&expr) {
                    Some(text) => match parse_iso(text.trim(), self.zone) {
                        Some(time_ms) => Ok(instant(Some(time_ms))),
                        None => Err(invalid(format!(
                            "Illegal TIMESTAMP constant [CAST('{text}'):TIMESTAMP(3) NOT NULL]"
                        ))),
                    },
                    None => Ok(casts::call(DruidCast::TextToTimestamp, self.zone, expr)),
                };
            }
            if own_type.is_integer() {
                return Ok(try_cast(expr, &TIMESTAMP));
            }
        }
        if other_type == DataType::Float32
            && !matches!(other, Expr::Literal(..))
            && let Expr::Literal(ScalarValue::Float64(Some(number)), _) = &expr
        {
            return Ok(Expr::Literal(ScalarValue::Float32(Some(*number as f32)), None));
        }
        if is_text(&own_type) && other_type.is_numeric() {
            // A text beside a number is a number, or NULL.
            let number = literal_text(&expr).and_then(|text| number_like(&text, &other_type));
            return Ok(number.unwrap_or_else(|| try_cast(expr, &DataType::Float64)));
        }
        Ok(expr)
    }

    /// DataFusion takes bounds that cannot be compared with the value for a failure of its own.
    fn check_between(&self, expr: &Expr, low: &Expr, high: &Expr) -> Result<()> {
        let (Some(value), Some(low), Some(high)) =
            (self.type_of(expr), self.type_of(low), self.type_of(high))
        else {
            return Ok(());
        };
        let common = |bound| comparison_coercion(&value, bound);
        let bounds = common(&low).zip(common(&high));
        if bounds.and_then(|(low, high)| comparison_coercion(&low, &high)).is_some() {
            return Ok(());
        }
        let [value, low, high] = [value, low, high].map(|data_type| sql_type(&data_type));
        Err(invalid(format!(
            "Cannot apply 'BETWEEN ASYMMETRIC' to arguments of type '<{value}> BETWEEN ASYMMETRIC <{low}> AND <{high}>'"
        )))
    }

    /// An operand that must be a truth value.
    fn condition(&self, expr: Expr) -> Expr {
        match self.type_of(&expr) {
            Some(own) if own == DataType::Null || is_text(&own) || own.is_numeric() => {
                try_cast(expr, &DataType::Boolean)
            }
            _ => expr,
        }
    }
}

fn invalid(message: String) -> DataFusionError {
    DataFusionError::External(Box::new(QueryError::invalid(message)))
}

fn is_comparison(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

fn try_cast(expr: Expr, to: &DataType) -> Expr {
    Expr::TryCast(TryCast::new(Box::new(expr), to.clone()))
}

fn literal_text(expr: &Expr) -> Option<Arc<str>> {
    match expr {
        Expr::Literal(
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
            _,
        ) => Some(text.as_str().into()),
        _ => None,
    }
}

/// A text as a literal of the type it is compared with, so that the column beside it needs no cast.
fn number_like(text: &str, data_type: &DataType) -> Option<Expr> {
    let value = match data_type {
        DataType::Int64 => ScalarValue::Int64(Some(text.trim().parse().ok()?)),
        DataType::Float32 => ScalarValue::Float32(Some(text.trim().parse().ok()?)),
        _ => return None,
    };
    Some(Expr::Literal(value, None))
}

fn instant(time_ms: Option<i64>) -> Expr {
    Expr::Literal(ScalarValue::TimestampMillisecond(time_ms, None), None)
}
