//! Transforms and the filter: expressions over the fields of a row.
//!
//! A transform over one text field, which most are, is evaluated once per distinct text: the pipeline keeps the texts
//! it has seen in a dictionary of its own, with a result for each code. All other transforms are evaluated over the
//! rows of a batch at once, rows of equal forms together, so that a result never depends on which rows it came with.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
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
    compiled: HashMap<Vec<Form>, Result<CompiledExpr, String>>,
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
            |form: Form| CompiledExpr::compile_node(&node, &schema(&inputs, &vec![form; inputs.len()]));
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

    /// Evaluates over `rows` rows. `fault` is told rows that have no result because the expression has no meaning
    /// for their values.
    pub(crate) fn evaluate(
        &mut self,
        slots: &[Staged],
        times: &[i64],
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
            self.inputs.iter().map(|(_, source)| input_view(*source, slots, times)).collect();
        let mut staged = match std::mem::replace(&mut self.results, Results::Codes(Vec::new())) {
            Results::Rows(mut staged) => {
                staged.clear();
                staged
            }
            Results::Codes(_) => Staged::default(),
        };
        staged.pad(rows);
        for (forms, group) in groups(&views, rows) {
            let values = views.iter().map(|view| {
                let view = *view;
                let group = &group;
                move |form: Form| form.array(group.iter().map(|row| view.value(*row)))
            });
            let arrays = values.zip(&forms).map(|(array, form)| array(*form)).collect();
            match self.run(forms, arrays, group.len()) {
                Ok(results) => each_result(&results, |at, value| staged.set(group[at], value)),
                Err(problem) => group.iter().for_each(|row| fault(*row, &problem)),
            }
        }
        self.results = Results::Rows(staged);
    }

    fn run(&mut self, forms: Vec<Form>, arrays: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef, String> {
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
        let forms = vec![Form::Text];
        if done == 0 {
            let null = Form::Text.array(std::iter::once(Value::Null));
            let result = self.run(forms.clone(), vec![null], 1).ok()?;
            each_result(&result, |_, value| self.distinct.results.push(value));
        }
        let from = self.distinct.results.len() - 1;
        if from < self.distinct.texts.len() {
            let texts = self.distinct.texts.values_from(from as u32);
            let rows = self.distinct.texts.len() - from;
            let results = self.run(forms, vec![Arc::new(texts)], rows).ok()?;
            each_result(&results, |_, value| self.distinct.results.push(value));
        }
        Some(())
    }
}

fn schema(inputs: &[(String, Source)], forms: &[Form]) -> Schema {
    let fields = inputs.iter().zip(forms).map(|((name, _), form)| Field::new(name, form.data_type(), true));
    Schema::new(fields.collect::<Vec<_>>())
}

fn input_view<'a>(source: Source, slots: &'a [Staged], times: &'a [i64]) -> View<'a> {
    match source {
        Source::Time => View::Time(times),
        Source::Slot(slot) => slots.get(slot).map_or(View::Missing, View::Staged),
        Source::Missing | Source::One | Source::Transform(_) => View::Missing,
    }
}

/// Rows by the forms of their values. NULL goes with any form: with the one that the column has in this batch, if it
/// has one.
fn groups(views: &[View<'_>], rows: usize) -> Vec<(Vec<Form>, Vec<usize>)> {
    let mut usual = vec![None; views.len()];
    let mut mixed = false;
    for (view, usual) in views.iter().zip(&mut usual) {
        for form in (0..rows).filter_map(|row| Form::of(view.value(row))) {
            mixed |= *usual.get_or_insert(form) != form;
        }
    }
    let usual: Vec<Form> = usual.into_iter().map(|form| form.unwrap_or(Form::Text)).collect();
    if !mixed {
        return vec![(usual, (0..rows).collect())];
    }
    let mut groups: Vec<(Vec<Form>, Vec<usize>)> = Vec::new();
    for row in 0..rows {
        let forms: Vec<Form> = views
            .iter()
            .zip(&usual)
            .map(|(view, usual)| Form::of(view.value(row)).unwrap_or(*usual))
            .collect();
        match groups.iter_mut().find(|(of, _)| *of == forms) {
            Some((_, group)) => group.push(row),
            None => groups.push((forms, vec![row])),
        }
    }
    groups
}

/// The filter of a transformSpec.
#[derive(Debug)]
pub(crate) struct RowFilter {
    filter: Filter,
    pub(crate) columns: Vec<(String, Source)>,
    compiled: HashMap<Vec<Form>, Result<CompiledFilter, String>>,
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
        let forms = vec![Form::Text; columns.len()];
        filter
            .compile(&schema(&columns, &forms))
            .map_err(|error| SpecError::invalid(path, error.to_string()))?;
        Ok(Self { filter, columns, compiled: HashMap::new() })
    }

    /// Which of `rows` match. Where the filter has no meaning for the values, no row matches, and `problem` is told.
    pub(crate) fn matches(
        &mut self,
        views: &[View<'_>],
        rows: &[u32],
        mut problem: impl FnMut(String),
    ) -> Vec<bool> {
        let forms: Vec<Form> = views
            .iter()
            .map(|view| {
                let forms = rows.iter().filter_map(|row| Form::of(view.value(*row as usize)));
                forms.reduce(Form::with).unwrap_or(Form::Text)
            })
            .collect();
        match self.run(views, rows, forms) {
            Ok(matches) => matches,
            Err(text) => {
                problem(text);
                vec![false; rows.len()]
            }
        }
    }

    fn run(&mut self, views: &[View<'_>], rows: &[u32], forms: Vec<Form>) -> Result<Vec<bool>, String> {
        let arrays = views
            .iter()
            .zip(&forms)
            .map(|(view, form)| form.array(rows.iter().map(|row| view.value(*row as usize))))
            .collect();
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
        let matched = compiled.evaluate(&batch).map_err(|error| error.to_string())?;
        Ok(matched.iter().map(|matched| matched == Some(true)).collect())
    }
}

/// Whether a row of a staged column tells discovery anything.
pub(crate) fn tells(kind: Kind) -> bool {
    !matches!(kind, Kind::Null | Kind::Json)
}
