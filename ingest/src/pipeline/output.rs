//! The columns of a batch: for each column of the datasource, where its values come from and how they become its
//! type.

use ovate_storage::{BatchColumn, ColumnRole, ColumnSpec, ColumnType, NULL_CODE, Writer};

use super::convert::{Number, Numbers, Rule, codes, is_multi, multi_codes, numbers, plain};
use super::expression::Source;
use super::value::{Staged, Value};
use super::view::View;
use crate::spec::MultiValueHandling;

/// One column of the datasource.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) column_type: ColumnType,
    pub(crate) source: Source,
    pub(crate) rule: Rule,
    pub(crate) handling: MultiValueHandling,
    cache: Cache,
}

/// Values of distinct codes, converted once. Void when the codes begin anew (`epoch`) or the writer's dictionary does
/// (`generation`).
#[derive(Debug, Default)]
struct Cache {
    epoch: u64,
    generation: u64,
    codes: Vec<u32>,
    longs: Numbers<i64>,
    floats: Numbers<f32>,
    doubles: Numbers<f64>,
    faults: Vec<bool>,
    multi: bool,
}

impl Output {
    pub(crate) fn new(
        column: &ColumnSpec,
        source: Source,
        discovered: bool,
        handling: MultiValueHandling,
    ) -> Self {
        let rule = match column.role {
            ColumnRole::Metric(_) => Rule::Metric,
            ColumnRole::Dimension if discovered => Rule::Discovered,
            ColumnRole::Dimension => Rule::Dimension,
        };
        let (name, column_type) = (column.name.clone(), column.column_type);
        Self { name, column_type, source, rule, handling, cache: Cache::default() }
    }

    /// The column's values of `rows`. `epoch` is that of the transform it reads. `fault` is told rows whose value
    /// cannot be converted.
    pub(crate) fn column(
        &mut self,
        view: View<'_>,
        rows: &[u32],
        epoch: u64,
        writer: &mut Writer,
        at: usize,
        mut fault: impl FnMut(u32),
    ) -> BatchColumn {
        if self.source == Source::One {
            return BatchColumn::Long(vec![1_i64; rows.len()].into());
        }
        if let View::Coded { codes, distinct } = view
            && (self.column_type != ColumnType::String || !writer.is_plain(at))
        {
            self.refresh(distinct, epoch, writer, at);
            if !self.cache.multi {
                return self.gather(codes, rows, fault);
            }
        }
        let values = rows.iter().map(|row| view.value(*row as usize));
        let rule = self.rule;
        let told = |position: usize| fault(rows[position]);
        match self.column_type {
            ColumnType::String => {
                if values.clone().any(is_multi) {
                    multi_codes(values, writer.dictionary(at), self.handling)
                } else if writer.is_plain(at) {
                    BatchColumn::Text(plain(values))
                } else {
                    let mut into = Vec::with_capacity(rows.len());
                    codes(&mut into, values, writer.dictionary(at));
                    BatchColumn::Codes(into)
                }
            }
            ColumnType::Long => number_column::<i64>(values, rule, told),
            ColumnType::Float => number_column::<f32>(values, rule, told),
            ColumnType::Double => number_column::<f64>(values, rule, told),
        }
    }

    /// Converts codes that are new since the last batch.
    fn refresh(&mut self, distinct: &Staged, epoch: u64, writer: &mut Writer, at: usize) {
        let generation = writer.generation();
        let void = self.cache.epoch != epoch
            || self.column_type == ColumnType::String && self.cache.generation != generation;
        if void {
            self.cache = Cache { epoch, generation, ..Cache::default() };
        }
        let cache = &mut self.cache;
        let done = cache.faults.len();
        let new = (done..distinct.len()).map(|code| distinct.value(code));
        cache.faults.resize(distinct.len(), false);
        let faults = &mut cache.faults;
        let told = |position: usize| faults[done + position] = true;
        match self.column_type {
            ColumnType::String => {
                cache.multi |= new.clone().any(is_multi);
                codes(&mut cache.codes, new, writer.dictionary(at));
            }
            ColumnType::Long => numbers(&mut cache.longs, new, self.rule, told),
            ColumnType::Float => numbers(&mut cache.floats, new, self.rule, told),
            ColumnType::Double => numbers(&mut cache.doubles, new, self.rule, told),
        }
    }

    fn gather(&self, codes: &[u32], rows: &[u32], mut fault: impl FnMut(u32)) -> BatchColumn {
        let cache = &self.cache;
        if cache.faults.contains(&true) {
            for row in rows {
                if cache.faults.get(codes[*row as usize] as usize) == Some(&true) {
                    fault(*row);
                }
            }
        }
        let of = rows.iter().map(|row| codes[*row as usize] as usize);
        match self.column_type {
            ColumnType::String => BatchColumn::Codes(
                of.map(|code| cache.codes.get(code).copied().unwrap_or(NULL_CODE)).collect(),
            ),
            ColumnType::Long => gathered(of, &cache.longs).into(),
            ColumnType::Float => gathered(of, &cache.floats).into(),
            ColumnType::Double => gathered(of, &cache.doubles).into(),
        }
    }
}

fn gathered<T: Copy + Default>(of: impl ExactSizeIterator<Item = usize>, from: &Numbers<T>) -> Numbers<T> {
    let mut into = Numbers { values: Vec::with_capacity(of.len()), valid: Vec::with_capacity(of.len()) };
    of.for_each(|code| into.push(from.get(code)));
    into
}

fn number_column<'a, T: Number>(
    values: impl ExactSizeIterator<Item = Value<'a>>,
    rule: Rule,
    fault: impl FnMut(usize),
) -> BatchColumn
where
    Numbers<T>: Into<BatchColumn>,
{
    let mut into =
        Numbers::<T> { values: Vec::with_capacity(values.len()), valid: Vec::with_capacity(values.len()) };
    numbers(&mut into, values, rule, fault);
    into.into()
}
