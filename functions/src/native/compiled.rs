//! An expression ready to run: parsed, typed against a schema, planned.
//!
//! ```text
//!  text ──parse──► Node ──lower──► Expr ──plan──► PhysicalExpr ──batches──► arrays
//! ```
//!
//! A compiled expression finds its columns by name and takes every physical form of their type (dictionaries, views,
//! narrower numbers). Over a dictionary it runs once per distinct value. It is immutable and shared freely between
//! threads, and depends on nothing but the row: no clock, no randomness.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewArray,
    UInt64Array, new_null_array,
};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::ast::Node;
use super::error::ExpressionError;
use super::lower::{lower_condition, lower_value};
use super::parse::parse;
use super::types::{NativeType, canonical_field, native_of};

/// An expression that can be evaluated.
#[derive(Clone)]
pub struct CompiledExpr {
    text: String,
    physical: Arc<dyn PhysicalExpr>,
    /// The columns that `physical` reads, in its order and in canonical types.
    schema: SchemaRef,
    inputs: Vec<String>,
    output: DataType,
    native: NativeType,
}

impl fmt::Debug for CompiledExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompiledExpr")
            .field("text", &self.text)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl CompiledExpr {
    /// Compiles `text` for batches with the columns of `schema`. Columns that it lacks are NULL.
    pub fn compile(text: &str, schema: &Schema) -> Result<Self, ExpressionError> {
        Self::compile_node(&parse(text)?, schema)
    }

    /// Compiles a tree that was parsed before.
    pub fn compile_node(node: &Node, schema: &Schema) -> Result<Self, ExpressionError> {
        let (inputs, schema) = inputs(node.columns(), schema)?;
        let typed = lower_value(node, &schema)?;
        let native = typed.ty.native();
        Self::plan(node.to_string(), &typed.expr, inputs, schema, native, native.data_type())
    }

    /// Compiles `text` as a condition: results are `Boolean`.
    pub fn compile_condition(text: &str, schema: &Schema) -> Result<Self, ExpressionError> {
        let node = parse(text)?;
        let (inputs, schema) = inputs(node.columns(), schema)?;
        let expr = lower_condition(&node, &schema)?;
        Self::plan(node.to_string(), &expr, inputs, schema, NativeType::Long, DataType::Boolean)
    }

    /// Plans a condition that was lowered over the canonical columns `schema`.
    pub(crate) fn of_condition(
        text: String,
        expr: &Expr,
        inputs: Vec<String>,
        schema: SchemaRef,
    ) -> Result<Self, ExpressionError> {
        Self::plan(text, expr, inputs, schema, NativeType::Long, DataType::Boolean)
    }

    fn plan(
        text: String,
        expr: &Expr,
        inputs: Vec<String>,
        schema: SchemaRef,
        native: NativeType,
        output: DataType,
    ) -> Result<Self, ExpressionError> {
        let physical = physical(expr, &schema)?;
        Ok(Self { text, physical, schema, inputs, output, native })
    }

    /// The columns that it reads, of those that the schema had; sorted.
    pub fn inputs(&self) -> &[String] {
        &self.inputs
    }

    /// The type of its results. A condition ([`Self::compile_condition`]) says `Long`, and gives `Boolean`.
    pub fn output_type(&self) -> NativeType {
        self.native
    }

    /// The Arrow type of its results.
    pub fn data_type(&self) -> &DataType {
        &self.output
    }

    /// The expression as text, in canonical spelling.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// One result a row of `batch`, which must have the columns that the expression was compiled for.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef, ExpressionError> {
        let columns = self
            .inputs
            .iter()
            .map(|name| {
                let missing = || ExpressionError::ColumnMissing { column: name.clone() };
                batch.column_by_name(name).ok_or_else(missing)
            })
            .collect::<Result<Vec<_>, _>>()?;
        if let [only] = columns.as_slice()
            && let Some(dictionary) = only.as_any_dictionary_opt()
        {
            return self.evaluate_dictionary(dictionary);
        }
        let columns =
            columns.into_iter().zip(self.schema.fields()).map(|(column, field)| canonical(column, field));
        self.run(columns.collect::<Result<_, _>>()?, batch.num_rows())
    }

    /// One result a value of a string column's dictionary, for an expression that reads one string column and no
    /// other; what NULL gives is [`Self::evaluate_null`].
    pub fn evaluate_distinct(&self, values: &StringViewArray) -> Result<ArrayRef, ExpressionError> {
        match self.schema.fields().iter().as_slice() {
            [only] if *only.data_type() == DataType::Utf8View => {
                self.run(vec![Arc::new(values.clone())], values.len())
            }
            fields => {
                let inputs = match fields {
                    [] => "no column".to_owned(),
                    _ => fields
                        .iter()
                        .map(|f| format!("'{}' ({})", f.name(), f.data_type()))
                        .collect::<Vec<_>>()
                        .join(", "),
                };
                Err(ExpressionError::NotOneStringInput { inputs })
            }
        }
    }

    /// The one result for a row whose inputs are all NULL.
    pub fn evaluate_null(&self) -> Result<ArrayRef, ExpressionError> {
        self.run(self.schema.fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect(), 1)
    }

    /// Over the distinct values and NULL, then spread by the keys.
    fn evaluate_dictionary(&self, dictionary: &dyn AnyDictionaryArray) -> Result<ArrayRef, ExpressionError> {
        let Some(field) = self.schema.fields().first() else { return self.run(Vec::new(), dictionary.len()) };
        let values = canonical(dictionary.values(), field)?;
        let distinct = self.run(vec![Arc::clone(&values)], values.len())?;
        if dictionary.keys().null_count() == 0 {
            return Ok(take(&distinct, dictionary.keys(), None)?);
        }
        let null_at = distinct.len() as u64;
        let with_null = concat(&[distinct.as_ref(), self.evaluate_null()?.as_ref()])?;
        let keys = cast(dictionary.keys(), &DataType::UInt64)?;
        let keys: UInt64Array =
            keys.as_primitive::<UInt64Type>().iter().map(|key| Some(key.unwrap_or(null_at))).collect();
        Ok(take(&with_null, &keys, None)?)
    }

    fn run(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef, ExpressionError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        Ok(self.physical.evaluate(&batch)?.into_array(rows)?)
    }
}

/// Plans `expr` over the columns of `schema`.
pub(crate) fn physical(expr: &Expr, schema: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>, ExpressionError> {
    let columns = DFSchema::try_from(Arc::clone(schema))?;
    let (props, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
    Ok(create_physical_expr(expr, &columns, &props, &context)?)
}

/// Those of `names` that `schema` has, and a schema of them alone in canonical types.
pub(crate) fn inputs(
    names: impl IntoIterator<Item = String>,
    schema: &Schema,
) -> Result<(Vec<String>, SchemaRef), ExpressionError> {
    let mut inputs = Vec::new();
    let mut fields = Vec::new();
    for name in names {
        if let Some((_, field)) = schema.fields().find(&name) {
            fields.push(canonical_field(field)?);
            inputs.push(name);
        }
    }
    Ok((inputs, Arc::new(Schema::new(fields))))
}

/// `column` in the type of `field`, if it is another form of that type.
fn canonical(column: &ArrayRef, field: &Field) -> Result<ArrayRef, ExpressionError> {
    if column.data_type() == field.data_type() {
        return Ok(Arc::clone(column));
    }
    let same_kind =
        native_of(column.data_type()).map(NativeType::data_type).as_ref() == Some(field.data_type());
    if !same_kind && !matches!(column.data_type(), DataType::Null) {
        return Err(ExpressionError::ColumnType {
            column: field.name().clone(),
            found: format!("{} instead of {}", column.data_type(), field.data_type()),
        });
    }
    Ok(cast(column, field.data_type())?)
}
