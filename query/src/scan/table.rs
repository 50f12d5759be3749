//! A snapshot as a table of DataFusion.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use ovate_storage::snapshot::{Snapshot, SnapshotSchema};
use ovate_storage::{ColumnSpec, ColumnType, TIME_COLUMN};

use super::dictionaries::Dictionaries;
use super::exec::{ScanPlan, SegmentScanExec};
use super::filter::Filters;
use super::layout::{Layout, Shape};
use super::select::PostingsUse;

/// Marks the field of a dimension with several values a row, which is not an array to Druid's clients.
pub const MULTI_VALUE: &str = "ovate.multi_value";

/// How scans are run.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// When posting lists are used.
    pub postings: PostingsUse,
    /// Dictionaries in SQL's types; share one between all tables of an engine.
    pub dictionaries: Arc<Dictionaries>,
    /// Whether rows may be grouped by their codes, without being decoded first.
    pub coded_aggregates: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { postings: PostingsUse::default(), dictionaries: Arc::default(), coded_aggregates: true }
    }
}

/// The rows of one snapshot, under SQL's types.
#[derive(Debug)]
pub struct SegmentTable {
    snapshot: Arc<Snapshot>,
    schema: SchemaRef,
    options: ScanOptions,
}

impl SegmentTable {
    /// The table of `snapshot`: `__time` first, then the snapshot's columns.
    pub fn new(snapshot: Arc<Snapshot>, options: ScanOptions) -> Self {
        let schema = sql_schema(&snapshot.schema);
        Self { snapshot, schema, options }
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }
}

/// The Arrow schema under which SQL sees a snapshot.
pub fn sql_schema(schema: &SnapshotSchema) -> SchemaRef {
    let time = Field::new(TIME_COLUMN, DataType::Timestamp(TimeUnit::Millisecond, None), false);
    let columns = schema.columns.iter().map(|spec| {
        let field = Field::new(&spec.name, sql_type(spec), true);
        if !matches!(field.data_type(), DataType::List(_)) {
            return field;
        }
        field.with_metadata([(MULTI_VALUE.to_owned(), "true".to_owned())].into())
    });
    Arc::new(Schema::new(std::iter::once(time).chain(columns).collect::<Vec<_>>()))
}

/// The Arrow type under which SQL sees a column.
pub fn sql_type(spec: &ColumnSpec) -> DataType {
    match spec.column_type {
        ColumnType::String if spec.multi_value => {
            DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)))
        }
        ColumnType::String => DataType::Utf8View,
        ColumnType::Long => DataType::Int64,
        ColumnType::Float => DataType::Float32,
        ColumnType::Double => DataType::Float64,
    }
}

#[async_trait]
impl TableProvider for SegmentTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        filters
            .iter()
            .map(|filter| {
                Ok(if stands_alone(filter)? {
                    TableProviderFilterPushDown::Exact
                } else {
                    TableProviderFilterPushDown::Unsupported
                })
            })
            .collect()
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let df_schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let predicates = filters
            .iter()
            .map(|filter| state.create_physical_expr(filter.clone(), &df_schema))
            .collect::<Result<Vec<_>>>()?;
        let filters = Filters::new(&predicates, &self.schema)?;
        let shape = Shape { partitions_max: state.config().target_partitions(), newest_first: false };
        let layout = Layout::new(&self.snapshot, &filters.time, shape)?;
        let plan = ScanPlan {
            snapshot: Arc::clone(&self.snapshot),
            schema: Arc::clone(&self.schema),
            projection: projection.map_or_else(|| (0..self.schema.fields().len()).collect(), Clone::clone),
            predicates,
            filters,
            dynamic: Vec::new(),
            layout,
            backward: false,
            fetch: limit,
            postings: self.options.postings,
            dictionaries: Arc::clone(&self.options.dictionaries),
            shape,
            coded_aggregates: self.options.coded_aggregates,
        };
        Ok(Arc::new(SegmentScanExec::new(plan)?))
    }
}

/// Whether a filter gives the same answer whenever it is asked, from the row alone.
fn stands_alone(filter: &Expr) -> Result<bool> {
    if filter.is_volatile() {
        return Ok(false);
    }
    let mut alone = true;
    filter.apply(|expr| {
        alone = !matches!(
            expr,
            Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::ScalarSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::Placeholder(_)
        );
        Ok(if alone { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(alone)
}
