//! `EXPLAIN PLAN FOR`: how a statement would run, in Druid's three columns.
//!
//! PLAN is Druid's JSON in shape (`query`, `signature`, `columnMappings`) and ours in content: the physical plan, and
//! for every table how many segments, rows and bytes will be read after pruning. RESOURCES and ATTRIBUTES are as
//! Druid writes them.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use serde_json::{Value, json};

use super::context::{DEFAULT_SCHEMA, Resource};
use crate::error::QueryError;
use crate::request::ResultColumn;
use crate::scan::SegmentScanExec;
use crate::statistics::FromStatisticsExec;

/// The columns of the answer.
pub(crate) fn columns() -> Vec<ResultColumn> {
    let column = |name: &str| ResultColumn {
        name: name.to_owned(),
        druid_type: "STRING".to_owned(),
        sql_type: "VARCHAR".to_owned(),
    };
    ["PLAN", "RESOURCES", "ATTRIBUTES"].map(column).to_vec()
}

/// The answer to `EXPLAIN PLAN FOR`.
pub(crate) fn plan(
    physical: &Arc<dyn ExecutionPlan>,
    columns: &[ResultColumn],
    resources: &[Resource],
) -> Result<RecordBatch, QueryError> {
    let tree: Vec<String> =
        displayable(physical.as_ref()).indent(false).to_string().lines().map(str::to_owned).collect();
    let signature: Vec<Value> =
        columns.iter().map(|c| json!({"name": c.name, "type": c.druid_type})).collect();
    let mappings: Vec<Value> =
        columns.iter().map(|c| json!({"queryColumn": c.name, "outputColumn": c.name})).collect();
    let plan = json!([{
        "query": {"queryType": "ovate", "scans": scans(physical), "plan": tree},
        "signature": signature,
        "columnMappings": mappings,
    }]);
    row(&plan.to_string(), resources)
}

/// The answer to `EXPLAIN ANALYZE`: the plan with what each step did, after it has run.
pub(crate) fn analysis(
    physical: &Arc<dyn ExecutionPlan>,
    resources: &[Resource],
) -> Result<RecordBatch, QueryError> {
    let text = DisplayableExecutionPlan::with_metrics(physical.as_ref()).indent(false).to_string();
    row(&text, resources)
}

fn row(plan: &str, resources: &[Resource]) -> Result<RecordBatch, QueryError> {
    let resources: Vec<Value> = resources
        .iter()
        .filter(|resource| resource.schema == DEFAULT_SCHEMA)
        .map(|resource| json!({"name": resource.name, "type": "DATASOURCE"}))
        .collect();
    let texts = [plan.to_owned(), json!(resources).to_string(), r#"{"statementType":"SELECT"}"#.to_owned()];
    let fields: Vec<Field> =
        columns().iter().map(|c| Field::new(&c.name, DataType::Utf8View, false)).collect();
    let arrays = texts.map(|text| Arc::new(StringViewArray::from_iter_values([text])) as ArrayRef).to_vec();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|e| QueryError::Internal(format!("cannot show the plan: {e}")))
}

/// What every scan of the plan will read.
fn scans(plan: &Arc<dyn ExecutionPlan>) -> Vec<Value> {
    let mut found = Vec::new();
    let mut rest = vec![Arc::clone(plan)];
    while let Some(node) = rest.pop() {
        if let Some(scan) = node.downcast_ref::<SegmentScanExec>() {
            let summary = scan.summary();
            found.push(json!({
                "dataSource": scan.datasource(),
                "segments": summary.segments,
                "rows": summary.rows,
                "bytes": summary.bytes,
            }));
        }
        if node.downcast_ref::<FromStatisticsExec>().is_some() {
            continue;
        }
        rest.extend(node.children().into_iter().rev().map(Arc::clone));
    }
    found
}
