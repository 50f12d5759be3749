//! Aggregates that DataFusion has not, or has with other semantics.
//!
//! * [`distinct`]: approximate numbers of distinct values, from two sketches ([`hyperloglog`], [`theta`]).
//! * [`by_time`]: the value of the earliest or latest row.
//! * [`any_value`], [`join`], [`quantile`].
//!
//! Sketches are ours, in memory only: their states are merged between threads and never written to disk.

mod any_value;
mod by_time;
mod distinct;
mod hash;
mod hyperloglog;
mod join;
mod literal;
mod quantile;
mod theta;

use std::sync::Arc;

use datafusion::functions_aggregate::variance::var_samp_udaf;
use datafusion::logical_expr::AggregateUDF;

/// Every aggregate. Register these after DataFusion's own, some of which they replace.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let mut all = distinct::functions();
    all.extend(by_time::functions());
    all.push(any_value::function());
    all.push(join::function());
    all.push(quantile::function());
    all.push(AggregateUDF::clone(&var_samp_udaf()).with_aliases(["variance"]));
    all.into_iter().map(Arc::new).collect()
}
