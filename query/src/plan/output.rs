//! The columns of an answer: their names and types as clients see them.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};

use super::multi_value::is_multi_value;
use super::types::{druid_type, is_shown, shown_type, sql_type};
use crate::error::QueryError;
use crate::request::ResultColumn;
use crate::sql::hints::Hints;
use crate::sql::names;

/// Describes the columns of an analyzed plan, and casts those whose types clients do not get. `is_values`: the
/// statement is a bare `VALUES`, whose columns have no names of their own.
pub(crate) fn settle(
    plan: LogicalPlan,
    hints: &Hints,
    is_values: bool,
    multi_values: &HashSet<String>,
) -> Result<(LogicalPlan, Vec<ResultColumn>)> {
    let schema = Arc::clone(plan.schema());
    let count = schema.fields().len();
    let mut columns = Vec::with_capacity(count);
    let mut exprs = Vec::with_capacity(count);
    let mut changed = false;
    for (i, (qualifier, field)) in schema.iter().enumerate() {
        let shown = shown_type(field.data_type());
        let name = if is_values { format!("EXPR${i}") } else { names::shown(field.name(), i) };
        if !is_shown(&shown) {
            let text = format!("Column '{name}' is of type {shown}, which no result can hold");
            return Err(DataFusionError::External(Box::new(QueryError::invalid(text))));
        }
        let hint = hints.get(i, count).filter(|hint| fits(hint, sql_type(&shown)));
        let is_multi_value = is_multi_value(&shown) && is_stored(&plan, i, field.name(), multi_values);
        columns.push(ResultColumn {
            name,
            druid_type: if is_multi_value { "STRING".to_owned() } else { druid_type(&shown) },
            sql_type: if is_multi_value { "VARCHAR" } else { hint.unwrap_or_else(|| sql_type(&shown)) }
                .to_owned(),
        });
        let column = Expr::Column((qualifier, field).into());
        exprs.push(if shown == *field.data_type() {
            column
        } else {
            changed = true;
            cast(column, shown).alias_qualified(qualifier.cloned(), field.name())
        });
    }
    let plan = if changed { LogicalPlanBuilder::from(plan).project(exprs)?.build()? } else { plan };
    Ok((plan, columns))
}

/// Whether a column of the answer is a stored column, under its own name or another.
fn is_stored(plan: &LogicalPlan, position: usize, name: &str, multi_values: &HashSet<String>) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => {
            match projection.expr.get(position).map(|e| e.clone().unalias()) {
                Some(Expr::Column(column)) => multi_values.contains(&column.name),
                _ => false,
            }
        }
        LogicalPlan::Sort(sort) => is_stored(&sort.input, position, name, multi_values),
        LogicalPlan::Limit(limit) => is_stored(&limit.input, position, name, multi_values),
        _ => multi_values.contains(name),
    }
}

/// A hint read off the text stands only beside the type that was planned.
fn fits(hint: &str, planned: &str) -> bool {
    match hint {
        "INTEGER" | "SMALLINT" | "TINYINT" => planned == "BIGINT",
        "DECIMAL" | "REAL" | "DOUBLE" => planned == "DOUBLE",
        "CHAR" => planned == "VARCHAR",
        "DATE" => planned == "TIMESTAMP",
        _ => false,
    }
}
