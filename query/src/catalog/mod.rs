//! The names a statement can read from: datasources, INFORMATION_SCHEMA and `sys`.
//!
//! Tables are looked up when a statement is planned. A datasource becomes a snapshot of its rows; the system tables
//! are built row by row from what the store and the wiring say at that moment.

mod information_schema;
mod rows;
mod sys;

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use ovate_storage::Store;
use ovate_storage::snapshot::Snapshot;

use crate::error::{DidYouMean, QueryError, nearest};
use crate::plan::context::DEFAULT_SCHEMA;
use crate::scan::{ScanOptions, SegmentTable};
use crate::system::SystemTables;

/// The schemas, in the order INFORMATION_SCHEMA lists them.
pub(crate) const SCHEMAS: [&str; 5] = [DEFAULT_SCHEMA, "INFORMATION_SCHEMA", "lookup", "sys", "view"];

/// A table that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) provider: Arc<dyn TableProvider>,
    /// Rows it holds.
    pub(crate) rows: usize,
}

/// Everything that can stand in `FROM`.
#[derive(Debug)]
pub(crate) struct Catalog {
    store: Arc<Store>,
    system: Arc<dyn SystemTables>,
    scan: ScanOptions,
}

impl Catalog {
    pub(crate) fn new(store: Arc<Store>, system: Arc<dyn SystemTables>, scan: ScanOptions) -> Self {
        Self { store, system, scan }
    }

    /// Looks a table up; an unknown name is refused with the nearest known one.
    pub(crate) fn table(&self, schema: &str, name: &str) -> Result<Found, QueryError> {
        let found = match schema {
            DEFAULT_SCHEMA => self.snapshot(name).map(|snapshot| {
                let rows = snapshot.rows();
                Ok(Found { provider: Arc::new(SegmentTable::new(snapshot, self.scan.clone())), rows })
            }),
            "INFORMATION_SCHEMA" => information_schema::table(self, name),
            "sys" => sys::table(self, name),
            "lookup" | "view" => None,
            unknown => {
                let near = nearest(unknown, SCHEMAS);
                return Err(QueryError::invalid(format!("Object '{unknown}' not found{}", DidYouMean(near))));
            }
        };
        found.unwrap_or_else(|| Err(self.unknown(schema, name)))
    }

    /// The rows of a datasource.
    pub(crate) fn snapshot(&self, name: &str) -> Option<Arc<Snapshot>> {
        self.store.datasource(name).map(|datasource| datasource.snapshot())
    }

    fn unknown(&self, schema: &str, name: &str) -> QueryError {
        let names = self.names(schema);
        let near = nearest(name, names.iter().map(String::as_str));
        // Calcite says where it looked only when it found the schema interesting enough to.
        let is_case = near.is_some_and(|near| near.eq_ignore_ascii_case(name));
        let within = if schema == DEFAULT_SCHEMA && !is_case {
            String::new()
        } else {
            format!(" not found within '{schema}'")
        };
        let lost = if within.is_empty() { " not found" } else { &within };
        QueryError::invalid(format!("Object '{name}'{lost}{}", DidYouMean(near)))
    }

    /// The tables of a schema, in the order they are listed.
    fn names(&self, schema: &str) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match schema {
            DEFAULT_SCHEMA => self.store.datasources(),
            "INFORMATION_SCHEMA" => owned(&information_schema::TABLES),
            "sys" => owned(&sys::TABLES),
            _ => Vec::new(),
        }
    }
}
