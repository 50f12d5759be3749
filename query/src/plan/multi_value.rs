//! Dimensions with several values a row.
//!
//! To DataFusion such a column is a list; to Druid it is a text that is several texts where rows are grouped or
//! filtered. Grouping by one unnests it first: a row counts once for each of its values. Comparing one asks whether
//! any value fits. Arrays that a statement makes itself (`ARRAY[…]`, `MV_TO_ARRAY`) stay arrays: only columns that
//! are stored so, and called by their own name, are treated this way.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Column, DFSchema, NullHandling, Result, UnnestOptions};
use datafusion::functions_nested::expr_fn::{array_has, array_has_any, make_array};
use datafusion::logical_expr::logical_plan::{Aggregate, Distinct};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::types::is_text;

/// Whether a column is stored with several texts a row.
pub(crate) fn is_multi_value(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(item) if is_text(item.data_type()))
}

/// Unnests what a node groups by. `names` are the multi-value columns of the tables that are read.
pub(crate) fn unnest_groups(node: LogicalPlan, names: &HashSet<String>) -> Result<LogicalPlan> {
    match node {
        LogicalPlan::Aggregate(aggregate) => {
            let schema = Arc::clone(aggregate.input.schema());
            let mut columns = Vec::new();
            for expr in &aggregate.group_expr {
                expr.apply_columns(&mut |column| {
                    let is_list = schema
                        .qualified_field_from_column(column)
                        .is_ok_and(|(_, f)| is_multi_value(f.data_type()));
                    if is_list && names.contains(&column.name) && !columns.contains(column) {
                        columns.push(column.clone());
                    }
                });
            }
            if columns.is_empty() {
                return Ok(LogicalPlan::Aggregate(aggregate));
            }
            let Aggregate { input, group_expr, aggr_expr, .. } = aggregate;
            let input = unnested(Arc::unwrap_or_clone(input), columns)?;
            Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(input), group_expr, aggr_expr)?))
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let is_stored = |(_, field): &(_, &FieldRef)| {
                is_multi_value(field.data_type()) && names.contains(field.name())
            };
            let columns: Vec<_> = input.schema().iter().filter(is_stored).map(Into::into).collect();
            if columns.is_empty() {
                return Ok(LogicalPlan::Distinct(Distinct::All(input)));
            }
            let input = unnested(Arc::unwrap_or_clone(input), columns)?;
            Ok(LogicalPlan::Distinct(Distinct::All(Arc::new(input))))
        }
        other => Ok(other),
    }
}

/// A row without values keeps its place, as NULL. Columns keep their qualified names.
fn unnested(input: LogicalPlan, columns: Vec<Column>) -> Result<LogicalPlan> {
    let names = Arc::clone(input.schema());
    let options =
        UnnestOptions { null_handling: NullHandling::PreserveAndExpandEmpty, ..UnnestOptions::default() };
    let plan = LogicalPlanBuilder::from(input).unnest_columns_with_options(columns, options)?.build()?;
    let schema = Arc::clone(plan.schema());
    let renamed = names.iter().zip(schema.iter()).map(|((qualifier, field), (new_qualifier, new_field))| {
        let column = Expr::Column((new_qualifier, new_field).into());
        if qualifier == new_qualifier {
            column
        } else {
            column.alias_qualified(qualifier.cloned(), field.name())
        }
    });
    LogicalPlanBuilder::from(plan).project(renamed)?.build()
}

/// `expr IN (list)` of a multi-value column: whether any of its values is in the list.
pub(crate) fn any_in(expr: Expr, list: Vec<Expr>, negated: bool) -> Expr {
    let found = array_has_any(expr, make_array(list.into_iter().map(as_text).collect()));
    if negated { Expr::Not(Box::new(found)) } else { found }
}

/// `=` and `<>` between a multi-value column and a text.
#[derive(Debug)]
pub(crate) struct MultiValueComparison;

impl ExprPlanner for MultiValueComparison {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if !matches!(expr.op, BinaryOperator::Eq | BinaryOperator::NotEq) {
            return Ok(PlannerResult::Original(expr));
        }
        let is_list = |expr: &Expr| expr.get_type(schema).is_ok_and(|t| is_multi_value(&t));
        let is_one = |expr: &Expr| expr.get_type(schema).is_ok_and(|t| is_text(&t));
        let (list, one) = match (&expr.left, &expr.right) {
            (left, right) if is_list(left) && is_one(right) => (left.clone(), right.clone()),
            (left, right) if is_one(left) && is_list(right) => (right.clone(), left.clone()),
            _ => return Ok(PlannerResult::Original(expr)),
        };
        let found = array_has(list, as_text(one));
        let is_negated = expr.op == BinaryOperator::NotEq;
        Ok(PlannerResult::Planned(if is_negated { Expr::Not(Box::new(found)) } else { found }))
    }
}

fn as_text(expr: Expr) -> Expr {
    cast(expr, DataType::Utf8View)
}

trait ApplyColumns {
    fn apply_columns(&self, f: &mut dyn FnMut(&Column));
}

impl ApplyColumns for Expr {
    /// The columns that stand alone, also inside grouping sets; a function of a column is its own business.
    fn apply_columns(&self, f: &mut dyn FnMut(&Column)) {
        match self {
            Self::Column(column) => f(column),
            Self::Alias(alias) => alias.expr.apply_columns(f),
            Self::GroupingSet(set) => set.distinct_expr().into_iter().for_each(|expr| expr.apply_columns(f)),
            _ => {}
        }
    }
}
