//! Some rows of one part at hand, and what expressions give for them.
//!
//! An expression over one dictionary column is evaluated once for each value of the dictionary, and once for NULL,
//! unless that is more work than the rows; then codes pick the results. Should it fail for some value, it may be that
//! no row has it, so the rows are asked one by one.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{concat, take};
use datafusion::common::{Result, internal_err};
use datafusion::physical_expr::PhysicalExpr;

use super::plan::Input;
use crate::scan::column::{Coded, Codes, PartColumn, PartColumns};
use crate::scan::dictionaries::identity;
use crate::scan::rows::Rows;

/// A dictionary of up to so many values is always evaluated as a whole.
const SMALL: usize = 1024;
/// Dictionaries of which something is known at one time: parts are read one after the other, and hot ones share theirs.
pub(super) const DICTIONARIES_MAX: usize = 16;

/// Results of expressions by code, made once for each dictionary.
#[derive(Debug, Default)]
pub(super) struct ByCode {
    made: Vec<Made>,
}

#[derive(Debug)]
struct Made {
    expr: Arc<dyn PhysicalExpr>,
    /// Kept, so that its address stays its own.
    dictionary: ArrayRef,
    /// One for each code, the last for NULL; `None`: it fails for some value.
    results: Option<ArrayRef>,
}

/// Some rows of one part, at most a few thousand; columns are decoded once.
pub(super) struct Chunk<'a> {
    /// The part.
    pub(super) columns: &'a PartColumns,
    /// The rows: a stretch or positions.
    pub(super) rows: Rows,
    /// Rows that are read of this part, at least.
    part_rows: usize,
    by_code: &'a mut ByCode,
    decoded: Vec<(usize, ArrayRef)>,
    computed: Vec<(Arc<dyn PhysicalExpr>, ArrayRef)>,
}

impl<'a> Chunk<'a> {
    /// These rows of a part, of which `part_rows` will be read.
    pub(super) fn new(
        columns: &'a PartColumns,
        rows: Rows,
        part_rows: usize,
        by_code: &'a mut ByCode,
    ) -> Self {
        Self { columns, rows, part_rows, by_code, decoded: Vec::new(), computed: Vec::new() }
    }

    /// Some of the rows, given by their places among them.
    pub(super) fn some(&mut self, places: &[u32]) -> Chunk<'_> {
        let rows = places.iter().map(|&place| self.rows.nth(place as usize) as u32).collect();
        Chunk::new(self.columns, Rows::positions(rows), self.part_rows, self.by_code)
    }

    /// Rows that are read of this part, at least.
    pub(super) fn part_rows(&self) -> usize {
        self.part_rows
    }

    /// The values of a column in its SQL type.
    pub(super) fn decode(&mut self, index: usize) -> Result<ArrayRef> {
        if let Some((_, array)) = self.decoded.iter().find(|(decoded, _)| *decoded == index) {
            return Ok(Arc::clone(array));
        }
        let array = self.columns.decode(index, &self.rows)?;
        self.decoded.push((index, Arc::clone(&array)));
        Ok(array)
    }

    /// The values of an expression, which is evaluated once.
    pub(super) fn evaluate(&mut self, input: &Input) -> Result<ArrayRef> {
        let Some(expr) = &input.expr else {
            let [column] = input.columns[..] else { return internal_err!("an expression is missing") };
            return self.decode(column);
        };
        if let Some((_, array)) = self.computed.iter().find(|(computed, _)| Arc::ptr_eq(computed, expr)) {
            return Ok(Arc::clone(array));
        }
        let array = self.compute(expr, input)?;
        self.computed.push((Arc::clone(expr), Arc::clone(&array)));
        Ok(array)
    }

    fn compute(&mut self, expr: &Arc<dyn PhysicalExpr>, input: &Input) -> Result<ArrayRef> {
        if let Some((column, results)) = self.by_code(input)?
            && let PartColumn::Coded(coded) = &*column
        {
            let null = u32::try_from(results.len() - 1).unwrap_or(u32::MAX);
            return Ok(take(&results, &coded.codes.or_null(&self.rows, null), None)?);
        }
        let columns = input.columns.iter().map(|&index| self.decode(index)).collect::<Result<Vec<_>>>()?;
        evaluate(expr, input, columns, self.rows.len())
    }

    /// The codes of a stretch of rows that all have a value, and the value that an expression gives for each code. `None`
    /// where there is no such stretch, or no value for some code.
    pub(super) fn coded(&mut self, input: &Input) -> Result<Option<(CodedRows, ArrayRef)>> {
        let (Rows::Range(range), [index]) = (self.rows.clone(), &input.columns[..]) else { return Ok(None) };
        let column = self.columns.column(*index)?;
        let PartColumn::Coded(coded) = &*column else { return Ok(None) };
        if coded.codes.nulls().is_some() {
            return Ok(None);
        }
        let values = match self.by_code(input)? {
            // The last is for NULL.
            Some((_, results)) => results.slice(0, results.len() - 1),
            None if input.expr.is_none() => Arc::clone(&coded.values),
            None => return Ok(None),
        };
        Ok((values.logical_null_count() == 0)
            .then(|| (CodedRows { column: Arc::clone(&column), range }, values)))
    }

    /// The rows for which a condition holds.
    pub(super) fn test(&mut self, condition: &Input) -> Result<BooleanArray> {
        let verdicts = self.evaluate(condition)?;
        let Some(verdicts) = verdicts.as_boolean_opt() else {
            return internal_err!("a condition gives {} values", verdicts.data_type());
        };
        Ok(verdicts.clone())
    }

    /// What an expression gives for each code of the column it reads, the last for NULL; `None` if it reads several
    /// columns, or one without codes, or is better evaluated row by row.
    pub(super) fn by_code(&mut self, input: &Input) -> Result<Option<(Arc<PartColumn>, ArrayRef)>> {
        let (Some(expr), [index]) = (&input.expr, &input.columns[..]) else { return Ok(None) };
        let column = self.columns.column(*index)?;
        let PartColumn::Coded(coded) = &*column else { return Ok(None) };
        if coded.values.len() > self.part_rows.max(SMALL) {
            return Ok(None);
        }
        let results = self.by_code.results(expr, input, coded)?;
        Ok(results.map(|results| (column, results)))
    }
}

/// Rows of a column with codes, none of them NULL.
pub(super) struct CodedRows {
    column: Arc<PartColumn>,
    range: Range<usize>,
}

/// One code a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum CodeSlice<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
}

impl CodedRows {
    /// The codes.
    pub(super) fn slice(&self) -> CodeSlice<'_> {
        let range = self.range.clone();
        match &*self.column {
            PartColumn::Coded(Coded { codes: Codes::U8(codes), .. }) => CodeSlice::U8(&codes.values()[range]),
            PartColumn::Coded(Coded { codes: Codes::U16(codes), .. }) => {
                CodeSlice::U16(&codes.values()[range])
            }
            PartColumn::Coded(Coded { codes: Codes::U32(codes), .. }) => {
                CodeSlice::U32(&codes.values()[range])
            }
            _ => CodeSlice::U8(&[]),
        }
    }
}

impl ByCode {
    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.made.iter().flat_map(|made| &made.results).map(Array::get_array_memory_size).sum()
    }

    fn results(
        &mut self,
        expr: &Arc<dyn PhysicalExpr>,
        input: &Input,
        coded: &Coded,
    ) -> Result<Option<ArrayRef>> {
        let wanted = identity(&coded.dictionary);
        let known = |made: &&Made| Arc::ptr_eq(&made.expr, expr) && identity(&made.dictionary) == wanted;
        if let Some(made) = self.made.iter().find(known) {
            return Ok(made.results.clone());
        }
        let null = new_null_array(coded.values.data_type(), 1);
        let values = concat(&[coded.values.as_ref(), null.as_ref()])?;
        let rows = values.len();
        // Whoever has the failing value among its rows will hear of it.
        let results = evaluate(expr, input, vec![values], rows).ok();
        let dictionary = Arc::clone(&coded.dictionary);
        let of_same = |made: &Made| Arc::ptr_eq(&made.expr, expr);
        if self.made.iter().filter(|made| of_same(made)).count() == DICTIONARIES_MAX
            && let Some(oldest) = self.made.iter().position(of_same)
        {
            self.made.remove(oldest);
        }
        self.made.push(Made { expr: Arc::clone(expr), dictionary, results: results.clone() });
        Ok(results)
    }
}

fn evaluate(
    expr: &Arc<dyn PhysicalExpr>,
    input: &Input,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<ArrayRef> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&input.schema), columns, &options)?;
    expr.evaluate(&batch)?.into_array(rows)
}
