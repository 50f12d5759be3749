//! Transforms and the filter: expressions over the fields of a row.
//!
//! A transform over one text field, which most are, is evaluated once per distinct text: the pipeline keeps the texts
//! it has seen in a dictionary of its own, with a result for each code. All other transforms are evaluated over the
//! rows of a batch at once, rows of equal forms together, so that a result never depends on which rows it came with.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use ovate_functions::native::{self, CompiledExpr, CompiledFilter, ExpressionError, Filter, Node};
use ovate_storage::Dictionary;

use super::value::{Kind, Staged, Value};
use super::view::{Form, View, each_result};
use crate::error::SpecError;

/// Bytes of distinct texts for which a transform keeps its results.
const DISTINCT_BYTES_MAX: usize = 32 << 20;

/// Where a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nothing has that name.
    Missing,
    /// Every row counts one.
    One,
    Time,
    Slot(usize),
    Transform(usize),
}

/// One transform.
#[derive(Debug)]
pub(crate) struct Transform {
    node: Node,
    inputs: Vec<(String, Source)>,
    compiled: HashMap<Forms, Result<CompiledExpr, String>>,
    distinct: Distinct,
    results: Results,
}

#[derive(Debug)]
enum Results {
    Rows(Staged),
    Codes(Vec<u32>),
}

/// Results by distinct text. Code 0 is NULL; code `n + 1` is code `n` of the dictionary.
#[derive(Debug, Default)]
struct Distinct {
    texts: Dictionary,
    results: Staged,
    epoch: u64,
}

impl Transform {
    /// Reads the expression, and sees whether it has a meaning for any form of its inputs.
    pub(crate) fn new(
        expression: &str,
        path: &str,
        mut source: impl FnMut(&str) -> Source,
    ) -> Result<Self, SpecError> {
        let refuse = |error: ExpressionError| SpecError::invalid(path, error.to_string());
        let node = native::parse(expression).map_err(refuse)?;
        let inputs: Vec<_> = node.columns().into_iter().map(|name| (name.clone(), source(&name))).collect();
        let compiles =
            |form: Form| CompiledExpr::compile_node(&node, &schema(&inputs, &vec![Some(form); inputs.len()]));
        if let Err(error) = compiles(Form::Text)
            && ![Form::Long, Form::Double, Form::Texts, Form::Longs]
                .into_iter()
                .any(|form| compiles(form).is_ok())
        {
            return Err(refuse(error));
        }
        Ok(Self {
            node,
            inputs,
            compiled: HashMap::new(),
            distinct: Distinct::default(),
            results: Results::Codes(Vec::new()),
        })
    }

    /// The results of the last evaluation.
    pub(crate) fn view(&self) -> View<'_> {
        match &self.results {
            Results::Rows(staged) => View::Staged(staged),
            Results::Codes(codes) => View::Coded { codes, distinct: &self.distinct.results },
        }
    }

    /// Changes whenever codes of [`View::Coded`] begin anew.
    pub(crate) fn epoch(&self) -> u64 {
        self.distinct.epoch
    }

    /// Evaluates over all rows, of which `times` has one entry each. `earlier` are the transforms that come before this one.
    /// `fault` is told rows that have no result because the expression has no meaning for their values.
    pub(crate) fn evaluate(
        &mut self,
        slots: &[Staged],
        times: &[i64],
        earlier: &[Self],
        distinct_max: usize,
        mut fault: impl FnMut(usize, &str),
    ) {
        let rows = times.len();
        if let [(_, Source::Slot(slot))] = self.inputs.as_slice()
            && self.evaluate_distinct(&slots[*slot], rows, distinct_max)
        {
            return;
        }
        let views: Vec<View<'_>> =
            self.inputs.iter().map(|(_, source)| view_of(*source, slots, times, earlier)).collect();
        let mut staged = match std::mem::replace(&mut self.results, Results::Codes(Vec::new())) {
            Results::Rows(mut staged) => {
                staged.clear();
                staged
            }
            Results::Codes(_) => Staged::default(),
        };
        staged.pad(rows);
        let all: Vec<u32> = (0..rows as u32).collect();
        for (forms, group) in groups(&views, &all) {
            let arrays = arrays(&views, &forms, &group);
            match self.run(forms, arrays, group.len()) {
                Ok(results) => each_result(&results, |at, value| staged.set(group[at] as usize, value)),
                Err(problem) => group.iter().for_each(|row| fault(*row as usize, &problem)),
            }
        }
        self.results = Results::Rows(staged);
    }

    fn run(&mut self, forms: Forms, arrays: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef, String> {
        let Self { node, inputs, compiled, .. } = self;
        let schema = Arc::new(schema(inputs, &forms));
        let compiled = compiled
            .entry(forms)
            .or_insert_with(|| CompiledExpr::compile_node(node, &schema).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options).map_err(|e| e.to_string())?;
        compiled.evaluate(&batch).map_err(|error| error.to_string())
    }

    /// Results by distinct text; `false` if some value is no text.
    fn evaluate_distinct(&mut self, staged: &Staged, rows: usize, distinct_max: usize) -> bool {
        let Distinct { texts, results, epoch } = &mut self.distinct;
        if texts.len() > distinct_max || texts.bytes() > DISTINCT_BYTES_MAX {
            *texts = Dictionary::new();
            results.clear();
            *epoch += 1;
        }
        let mut codes = match std::mem::replace(&mut self.results, Results::Codes(Vec::new())) {
            Results::Codes(mut codes) => {
                codes.clear();
                codes
            }
            Results::Rows(_) => Vec::new(),
        };
        for row in 0..rows {
            match staged.value(row) {
                Value::Text(text) => codes.push(texts.intern(text) + 1),
                Value::Null => codes.push(0),
                _ => return false,
            }
        }
        self.results = Results::Codes(codes);
        self.evaluate_new_texts().is_some()
    }

    /// Evaluates texts that have no result yet; `None` if that cannot be done.
    fn evaluate_new_texts(&mut self) -> Option<()> {
        let done = self.distinct.results.len();
        if done > 0 && done > self.distinct.texts.len() {
            return Some(());
        }
        if done == 0 {
            let result = self.run(vec![None], Vec::new(), 1).ok()?;
            each_result(&result, |_, value| self.distinct.results.push(value));
        }
        let from = self.distinct.results.len() - 1;
        if from < self.distinct.texts.len() {
            let texts = self.distinct.texts.values_from(from as u32);
            let rows = self.distinct.texts.len() - from;
            let results = self.run(vec![Some(Form::Text)], vec![Arc::new(texts)], rows).ok()?;
            each_result(&results, |_, value| self.distinct.results.push(value));
        }
        Some(())
    }
}

/// The columns of these forms. NULL has no form: an expression takes columns that its schema lacks for NULL.
fn schema(inputs: &[(String, Source)], forms: &[Option<Form>]) -> Schema {
    let field = |((name, _), form): (&(String, Source), &Option<Form>)| {
        form.map(|form| Field::new(name, form.data_type(), true))
    };
    Schema::new(inputs.iter().zip(forms).filter_map(field).collect::<Vec<_>>())
}

fn arrays(views: &[View<'_>], forms: &[Option<Form>], rows: &[u32]) -> Vec<ArrayRef> {
    let array = |(view, form): (&View<'_>, &Option<Form>)| {
        let values = rows.iter().map(|row| view.value(*row as usize));
        form.map(|form| form.array(values))
    };
    views.iter().zip(forms).filter_map(array).collect()
}

/// The values of `source`.
pub(crate) fn view_of<'a>(
    source: Source,
    slots: &'a [Staged],
    times: &'a [i64],
    transforms: &'a [Transform],
) -> View<'a> {
    match source {
        Source::Missing | Source::One => View::Missing,
        Source::Time => View::Time(times),
        Source::Slot(slot) => slots.get(slot).map_or(View::Missing, View::Staged),
        Source::Transform(at) => transforms.get(at).map_or(View::Missing, Transform::view),
    }
}

/// The form of each input; `None` for NULL.
type Forms = Vec<Option<Form>>;

/// Rows by the forms of their values.
fn groups(views: &[View<'_>], rows: &[u32]) -> Vec<(Forms, Vec<u32>)> {
    let mut groups: Vec<(Forms, Vec<u32>)> = Vec::new();
    let mut last = 0;
    for row in rows {
        let forms = || views.iter().map(|view| Form::of(view.value(*row as usize)));
        // Neighbours mostly have equal forms.
        let found = match groups.get(last) {
            Some((of, _)) if forms().eq(of.iter().copied()) => Some(last),
            _ => groups.iter().position(|(of, _)| forms().eq(of.iter().copied())),
        };
        last = found.unwrap_or_else(|| {
            groups.push((forms().collect(), Vec::new()));
            groups.len() - 1
        });
        groups[last].1.push(*row);
    }
    groups
}

/// The filter of a transformSpec.
#[derive(Debug)]
pub(crate) struct RowFilter {
    filter: Filter,
    pub(crate) columns: Vec<(String, Source)>,
    compiled: HashMap<Forms, Result<CompiledFilter, String>>,
}

impl RowFilter {
    pub(crate) fn new(
        json: &serde_json::Value,
        path: &str,
        mut source: impl FnMut(&str) -> Source,
    ) -> Result<Self, SpecError> {
        let filter =
            Filter::parse(json, path).map_err(|error| SpecError::invalid(path, error.to_string()))?;
        let columns: Vec<_> =
            filter.columns().into_iter().map(|name| (name.clone(), source(&name))).collect();
        let forms = vec![Some(Form::Text); columns.len()];
        filter
            .compile(&schema(&columns, &forms))
            .map_err(|error| SpecError::invalid(path, error.to_string()))?;
        Ok(Self { filter, columns, compiled: HashMap::new() })
    }

    /// The rows of `rows` that match. Where the filter has no meaning for the values, none match, and `problem` is
    /// told.
    pub(crate) fn matching(
        &mut self,
        views: &[View<'_>],
        rows: &[u32],
        mut problem: impl FnMut(u32, String),
    ) -> Vec<u32> {
        let mut matching = Vec::with_capacity(rows.len());
        for (forms, group) in groups(views, rows) {
            match self.run(views, &group, forms) {
                Ok(matched) => {
                    matching.extend(
                        group.iter().zip(&matched).filter(|(_, m)| *m == Some(true)).map(|(row, _)| *row),
                    );
                }
                Err(text) => problem(group[0], text),
            }
        }
        matching.sort_unstable();
        matching
    }

    fn run(&mut self, views: &[View<'_>], rows: &[u32], forms: Forms) -> Result<BooleanArray, String> {
        let arrays = arrays(views, &forms, rows);
        let schema = Arc::new(schema(&self.columns, &forms));
        let filter = &self.filter;
        let compiled = self
            .compiled
            .entry(forms)
            .or_insert_with(|| filter.compile(&schema).map_err(|error| error.to_string()))
            .as_ref()
            .map_err(Clone::clone)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options).map_err(|e| e.to_string())?;
        compiled.evaluate(&batch).map_err(|error| error.to_string())
    }
}

/// Whether a row of a staged column tells discovery anything.
pub(crate) fn tells(kind: Kind) -> bool {
    !matches!(kind, Kind::Null | Kind::Json)
}
