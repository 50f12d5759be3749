//! SQL's own syntax for some functions: `EXTRACT(x FROM t)`, `POSITION(x IN t)`, `SUBSTRING(t FROM x FOR n)`.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::{Expr, ScalarUDF};

use super::spec::Spec;
use super::specs;

/// Maps the syntax to these functions. Register it before DataFusion's planners: the first that answers wins.
#[derive(Debug)]
pub struct FunctionSyntax {
    extract: Option<Arc<ScalarUDF>>,
    position: Option<Arc<ScalarUDF>>,
    substring: Option<Arc<ScalarUDF>>,
}

impl FunctionSyntax {
    /// The planner.
    pub fn new() -> Self {
        let udf = |name| specs().find(|spec| spec.name == name).map(Spec::to_udf);
        Self { extract: udf("TIME_EXTRACT"), position: udf("STRPOS"), substring: udf("SUBSTRING") }
    }
}

impl Default for FunctionSyntax {
    fn default() -> Self {
        Self::new()
    }
}

fn call(function: Option<&Arc<ScalarUDF>>, args: Vec<Expr>) -> PlannerResult<Vec<Expr>> {
    match function {
        Some(function) => {
            PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), args)))
        }
        None => PlannerResult::Original(args),
    }
}

impl ExprPlanner for FunctionSyntax {
    /// The unit comes first in the syntax, the time in the function.
    fn plan_extract(&self, mut args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        args.reverse();
        Ok(call(self.extract.as_ref(), args))
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(call(self.position.as_ref(), args))
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(call(self.substring.as_ref(), args))
    }
}
