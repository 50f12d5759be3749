//! What DataFusion's planner asks while it reads a statement: names of tables, functions and types.
//!
//! One [`Names`] lives as long as one statement is planned. It takes one snapshot per table, so that a table that is
//! named twice is the same rows twice, and it remembers what was read.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};

use super::multi_value::is_multi_value;
use crate::catalog::{Catalog, Found};
use crate::error::QueryError;

/// The catalog's name, as INFORMATION_SCHEMA shows it.
pub(crate) const CATALOG: &str = "druid";
/// The schema that names without one are looked up in.
pub(crate) const DEFAULT_SCHEMA: &str = "druid";

/// A table that a statement reads.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Rows stored, before any pruning.
    pub(crate) rows: usize,
}

/// The names of one statement.
pub(crate) struct Names<'a> {
    catalog: &'a Catalog,
    state: &'a SessionState,
    types: Arc<dyn TypePlanner>,
    known: RefCell<HashMap<(String, String), Arc<dyn TableSource>>>,
    resources: RefCell<Vec<Resource>>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(catalog: &'a Catalog, state: &'a SessionState) -> Self {
        Self {
            catalog,
            state,
            types: Arc::new(super::types::DruidTypes),
            known: RefCell::default(),
            resources: RefCell::default(),
        }
    }

    /// What has been read so far, in order of first mention.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        self.resources.borrow().clone()
    }

    /// The columns with several values a row, of the datasources read so far.
    pub(crate) fn multi_values(&self) -> HashSet<String> {
        let known = self.known.borrow();
        let datasources = known.iter().filter(|((schema, _), _)| schema == DEFAULT_SCHEMA);
        let mut names = HashSet::new();
        for (_, source) in datasources {
            let schema = source.schema();
            let lists = schema.fields().iter().filter(|field| is_multi_value(field.data_type()));
            names.extend(lists.map(|field| field.name().clone()));
        }
        names
    }

    /// The columns of every table read so far.
    pub(crate) fn columns(&self) -> Vec<(String, DataType)> {
        let known = self.known.borrow();
        let fields = |source: &Arc<dyn TableSource>| source.schema().fields().clone();
        known
            .values()
            .flat_map(|source| {
                fields(source).iter().map(|f| (f.name().clone(), f.data_type().clone())).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The planner's scalar, aggregate and window functions.
    pub(crate) fn function_names(&self) -> Vec<String> {
        let mut names = self.udf_names();
        names.extend(self.udaf_names());
        names.extend(self.udwf_names());
        names
    }
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let schema = name.schema().unwrap_or(DEFAULT_SCHEMA);
        let key = (schema.to_owned(), name.table().to_owned());
        if let Some(source) = self.known.borrow().get(&key) {
            return Ok(Arc::clone(source));
        }
        let found = if name.catalog().is_none_or(|catalog| catalog == CATALOG) {
            self.catalog.table(schema, name.table())
        } else {
            Err(QueryError::invalid(format!("Object '{}' not found", name.catalog().unwrap_or_default())))
        };
        let Found { provider, rows } = found.map_err(|e| DataFusionError::External(Box::new(e)))?;
        let provider: Arc<dyn TableProvider> = provider;
        let source = provider_as_source(provider);
        self.resources.borrow_mut().push(Resource { schema: key.0.clone(), name: key.1.clone(), rows });
        self.known.borrow_mut().insert(key, Arc::clone(&source));
        Ok(source)
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::clone(&self.types))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
