//! Which columns the datasource has, and where the values of each come from.

use std::collections::HashMap;
use std::sync::Arc;

use ovate_storage::{ColumnRole, ColumnSpec, ColumnType, Result, TIME_COLUMN, TableSchema, Writer};

use super::Pipeline;
use super::expression::{Source, tells};
use super::names::Names;
use super::output::Output;
use super::value::Kind;
use crate::spec::{Discovery, MetricInput, MultiValueHandling};

impl Pipeline {
    /// Adds columns for fields that have their first value.
    pub(super) fn discover(&mut self, rows: &[u32], writer: &mut Writer) -> Result<()> {
        self.candidates.append(&mut self.reader.unknown.found);
        if self.candidates.is_empty() {
            return Ok(());
        }
        let room = self.limits.columns_max.saturating_sub(writer.schema().columns.len());
        let mut added: Vec<ColumnSpec> = Vec::new();
        let typed = self.spec.discovery == Discovery::Typed;
        let (spec, schema, slots) = (&self.spec, Arc::clone(writer.schema()), &self.reader.stage.slots);
        self.candidates.retain(|(name, slot)| {
            if schema.index_of(name).is_some() {
                return false;
            }
            let Some(staged) = slots.get(*slot) else { return true };
            let Some(kind) = rows.iter().map(|row| staged.kind(*row as usize)).find(|kind| tells(*kind))
            else {
                return true;
            };
            if added.len() >= room {
                return true;
            }
            let declared = spec.dimensions.iter().find(|dimension| dimension.name == *name);
            let column_type = match kind {
                _ if !typed && declared.is_none() => ColumnType::String,
                Kind::Bool | Kind::Long => ColumnType::Long,
                Kind::Double => ColumnType::Double,
                _ => ColumnType::String,
            };
            added.push(match declared {
                Some(dimension) => dimension.column(column_type),
                None => ColumnSpec::dimension(name, column_type),
            });
            false
        });
        if added.is_empty() { Ok(()) } else { writer.set_schema(schema.with_dimensions(added)) }
    }

    /// Says for each column of the datasource where its values come from.
    pub(super) fn plan_outputs(&mut self, schema: &Arc<TableSchema>) {
        if self.outputs_of.as_ref().is_some_and(|of| Arc::ptr_eq(of, schema)) {
            return;
        }
        let mut before: HashMap<String, Output> =
            self.outputs.drain(..).map(|output| (output.name.clone(), output)).collect();
        let mut outputs = Vec::with_capacity(schema.columns.len());
        for column in &schema.columns {
            let source = self.source_of(column);
            let declared = self.spec.dimensions.iter().find(|dimension| dimension.name == column.name);
            let handling = declared.map_or(MultiValueHandling::default(), |dimension| dimension.multi_value);
            let discovered = declared.is_none_or(|dimension| dimension.column_type.is_none());
            let output = match before.remove(&column.name) {
                Some(known) if known.column_type == column.column_type && known.source == source => known,
                _ => Output::new(column, source, discovered, handling),
            };
            outputs.push(output);
        }
        self.outputs = outputs;
        self.outputs_of = Some(Arc::clone(schema));
    }

    fn source_of(&mut self, column: &ColumnSpec) -> Source {
        let metric = match column.role {
            ColumnRole::Metric(_) => self.spec.metrics.iter().find(|metric| metric.name == column.name),
            ColumnRole::Dimension => None,
        };
        let field = match (metric.map(|metric| &metric.input), column.role) {
            (Some(MetricInput::Count), _) => return Source::One,
            (Some(MetricInput::Expression(_)), _) => {
                return self
                    .metric_transforms
                    .get(&column.name)
                    .map_or(Source::Missing, |at| Source::Transform(*at));
            }
            (Some(MetricInput::Field(field)), _) => field.clone(),
            (None, ColumnRole::Metric(_)) => return Source::Missing,
            (None, ColumnRole::Dimension) => column.name.clone(),
        };
        if let Some(at) = self.transform_names.get(&field) {
            return Source::Transform(*at);
        }
        if field == TIME_COLUMN {
            return Source::Time;
        }
        // A column of an earlier spec, or one that discovery found in an earlier run.
        let declared =
            metric.is_some() || self.spec.dimensions.iter().any(|dimension| dimension.name == field);
        let discoverable = self.spec.discovery != Discovery::Off && !self.spec.exclusions.contains(&field);
        if !declared && !discoverable {
            return Source::Missing;
        }
        Source::Slot(Names { fields: &mut self.reader.fields, spec: &self.spec }.slot(&field))
    }
}
