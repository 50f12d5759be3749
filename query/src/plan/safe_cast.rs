//! Casts that DataFusion adds to make types agree give NULL, not an error, where a value does not fit.

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, TryCast};
use datafusion::optimizer::AnalyzerRule;

use super::types::is_text;

/// The rule; runs after type coercion.
#[derive(Debug)]
pub(crate) struct SafeCasts;

impl AnalyzerRule for SafeCasts {
    fn name(&self) -> &'static str {
        "safe_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| {
            let schema = merge_schema(&node.inputs());
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let done = expr.transform_up(|expr| match expr {
                    Expr::Cast(Cast { expr: inner, field })
                        if !is_text(field.data_type())
                            && inner.get_type(&schema).is_ok_and(|from| is_text(&from)) =>
                    {
                        Ok(Transformed::yes(Expr::TryCast(TryCast::new_from_field(inner, field))))
                    }
                    other => Ok(Transformed::no(other)),
                })?;
                Ok(if done.transformed { done.update_data(|expr| name.restore(expr)) } else { done })
            })
        })
        .map(|done| done.data)
    }
}
