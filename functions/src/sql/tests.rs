//! What queries get, by SQL through DataFusion with these functions registered.

mod aggregates;
mod calls;
mod numbers;
mod recorded;
mod texts;
mod times;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float32Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::UInt16Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::{FunctionSyntax, aggregate_functions, scalar_functions};
use crate::native::{double_text, float_text};

fn context() -> SessionContext {
    let mut scalars = SessionStateDefaults::default_scalar_functions();
    scalars.extend(scalar_functions());
    let mut aggregates = SessionStateDefaults::default_aggregate_functions();
    aggregates.extend(aggregate_functions());
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(FunctionSyntax::new())];
    planners.extend(SessionStateDefaults::default_expr_planners());
    let state = SessionStateBuilder::new_with_default_features()
        .with_config(SessionConfig::new().with_target_partitions(2).with_batch_size(4))
        .with_expr_planners(planners)
        .with_scalar_functions(scalars)
        .with_aggregate_functions(aggregates)
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_batch("t", table()).unwrap();
    context
}

/// Five rows, half a minute apart from 2026-11-23T10:00:00Z on; every type, and NULLs.
fn table() -> RecordBatch {
    let start = 1_795_428_000_000_i64;
    let times: Vec<i64> = (0..5).map(|n| start + n * 30_000).collect();
    let cities = ["Zürich", "Bern", "Zürich"].into_iter().map(Some).chain([None, Some("Bern")]);
    let dictionary: DictionaryArray<UInt16Type> =
        [Some("b"), Some("a"), None, Some("b"), Some("1.5")].into_iter().collect();
    let columns: [(&str, ArrayRef); 6] = [
        ("__time", Arc::new(TimestampMillisecondArray::from(times))),
        ("city", Arc::new(cities.collect::<StringViewArray>())),
        ("plain", Arc::new(StringArray::from(vec![Some("12"), Some("x"), None, Some("-7"), Some("")]))),
        ("code", Arc::new(dictionary)),
        ("n", Arc::new(Int64Array::from(vec![Some(5), Some(-3), None, Some(0), Some(7)]))),
        ("f", Arc::new(Float32Array::from(vec![Some(47.5), Some(0.1), None, Some(-1.25), Some(8.5)]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// All rows of a query, each as its values joined by `|`; NULL is `null`.
fn rows(sql: &str) -> Vec<String> {
    run(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn run(sql: &str) -> Result<Vec<String>, datafusion::error::DataFusionError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let batches = context().sql(sql).await?.collect().await?;
        let mut rows = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let values: Vec<String> = batch.columns().iter().map(|column| shown(column, row)).collect();
                rows.push(values.join("|"));
            }
        }
        Ok(rows)
    })
}

fn shown(column: &ArrayRef, row: usize) -> String {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{DataType, Float32Type, Float64Type, TimestampMillisecondType};
    if column.is_null(row) || *column.data_type() == DataType::Null {
        return "null".to_owned();
    }
    match column.data_type() {
        DataType::Float64 => double_text(column.as_primitive::<Float64Type>().value(row)),
        DataType::Float32 => float_text(column.as_primitive::<Float32Type>().value(row)),
        DataType::Timestamp(..) => {
            ovate_storage::time::format_instant(column.as_primitive::<TimestampMillisecondType>().value(row))
        }
        _ => {
            let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default()).unwrap();
            formatter.value(row).to_string()
        }
    }
}

/// The one row of `SELECT expressions`.
fn one(expressions: &str) -> String {
    rows(&format!("SELECT {expressions}")).remove(0)
}

/// What is wrong with a query before it runs.
fn planned(sql: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let planned = runtime.block_on(async { context().sql(sql).await });
    planned.map(|_| ()).unwrap_err().find_root().to_string()
}

/// What is wrong with `SELECT expressions FROM t`.
fn refused(expressions: &str) -> String {
    run(&format!("SELECT {expressions} FROM t")).unwrap_err().find_root().to_string()
}
