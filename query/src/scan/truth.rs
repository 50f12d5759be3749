//! A predicate's answers for all values of a dictionary: evaluated once, then looked up by code.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::column::Coded;
use super::dictionaries::identity;
use super::filter::{Leaf, Lookup};
use crate::search::partition_point;

/// Values evaluated between two chances to cancel. A slow regular expression needs about a microsecond a value.
const VALUES_PER_STEP: usize = 32 << 10;

/// Which codes of one dictionary a leaf selects.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TruthTable {
    /// One flag a code.
    selected: Vec<bool>,
    /// Whether rows without a value are selected.
    pub(crate) null_selected: bool,
    /// The number of codes selected.
    pub(crate) count: usize,
    /// The first and the last, if all between are selected as well.
    stretch: Option<(usize, usize)>,
}

impl TruthTable {
    fn new(selected: Vec<bool>, null_selected: bool) -> Self {
        let count = selected.iter().filter(|&&flag| flag).count();
        let first = selected.iter().position(|&flag| flag);
        let last = selected.iter().rposition(|&flag| flag);
        let stretch = first.zip(last).filter(|(first, last)| last - first + 1 == count);
        Self { selected, null_selected, count, stretch }
    }

    /// The first and the last of the selected codes, if all between are selected as well.
    pub(crate) fn stretch(&self) -> Option<(usize, usize)> {
        self.stretch
    }

    /// Whether the code is selected; a number that is no code is not.
    pub(crate) fn selects(&self, code: usize) -> bool {
        self.selected.get(code).copied().unwrap_or(false)
    }

    /// The number of codes.
    pub(crate) fn len(&self) -> usize {
        self.selected.len()
    }

    /// The selected codes, ascending.
    pub(crate) fn codes(&self) -> impl Iterator<Item = u32> + '_ {
        self.selected.iter().enumerate().filter(|(_, flag)| **flag).map(|(code, _)| code as u32)
    }

    /// Whether no row can be selected.
    pub(crate) fn selects_nothing(&self) -> bool {
        self.count == 0 && !self.null_selected
    }

    /// Whether every row is selected, given whether there are rows without a value.
    pub(crate) fn selects_everything(&self, has_nulls: bool) -> bool {
        self.count == self.selected.len() && (self.null_selected || !has_nulls)
    }

    /// Whether any code of `low ..= high` is selected.
    pub(crate) fn selects_any(&self, low: u32, high: u32) -> bool {
        let end = (high as usize + 1).min(self.selected.len());
        self.selected.get(low as usize..end).is_some_and(|flags| flags.contains(&true))
    }
}

/// The tables of one scan: each dictionary is evaluated once per leaf, however many parts share it.
#[derive(Debug, Default)]
pub(crate) struct Truths {
    tables: Mutex<HashMap<(usize, usize), Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    /// Keeps the address in the key from being used again.
    _dictionary: ArrayRef,
    /// `None`: the predicate fails on some value; whether a row has it is another question.
    table: Option<Arc<TruthTable>>,
}

impl Truths {
    /// The table of `leaf`, which has one column, for `coded`. `None` where the predicate cannot be evaluated for
    /// all values: then only rows can tell whether that is an error.
    pub(crate) async fn of(&self, leaf: &Leaf, coded: &Coded) -> Result<Option<Arc<TruthTable>>> {
        let key = (leaf.id, identity(&coded.dictionary));
        if let Some(known) = self.lock().get(&key) {
            return Ok(known.table.clone());
        }
        let table = match searched(leaf, coded) {
            Some(table) => Some(Arc::new(table)),
            None => evaluated(leaf, &coded.values).await.ok().map(Arc::new),
        };
        let known = Known { _dictionary: Arc::clone(&coded.dictionary), table };
        Ok(self.lock().entry(key).or_insert(known).table.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(usize, usize), Known>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer of a sorted dictionary to a lookup, by binary search.
fn searched(leaf: &Leaf, coded: &Coded) -> Option<TruthTable> {
    let lookup = leaf.lookup.as_ref()?;
    if !coded.sorted || coded.dictionary.data_type() != &DataType::Utf8 {
        return None;
    }
    let dictionary = coded.dictionary.as_string::<i32>();
    let selected = match lookup {
        Lookup::OneOf { values, others } => {
            let mut selected = vec![*others; dictionary.len()];
            for value in values {
                let at = partition_point(dictionary.len(), |at| dictionary.value(at) < value.as_str());
                if at < dictionary.len() && dictionary.value(at) == value {
                    selected[at] = !others;
                }
            }
            selected
        }
        Lookup::Before { value, included, others } => {
            let is_before = |at| match dictionary.value(at).cmp(value) {
                Ordering::Less => true,
                Ordering::Equal => *included,
                Ordering::Greater => false,
            };
            let mut selected = vec![*others; dictionary.len()];
            selected[..partition_point(dictionary.len(), is_before)].fill(!others);
            selected
        }
    };
    Some(TruthTable::new(selected, false))
}

async fn evaluated(leaf: &Leaf, values: &ArrayRef) -> Result<TruthTable> {
    let null = leaf.evaluate(vec![new_null_array(values.data_type(), 1)], 1)?;
    let mut selected = Vec::with_capacity(values.len());
    for start in (0..values.len()).step_by(VALUES_PER_STEP) {
        if start > 0 {
            tokio::task::yield_now().await;
        }
        let step = values.slice(start, VALUES_PER_STEP.min(values.len() - start));
        let answers = leaf.evaluate(vec![Arc::clone(&step)], step.len())?;
        selected.extend((0..step.len()).map(|i| answer(&answers, i) == Some(leaf.wanted)));
    }
    Ok(TruthTable::new(selected, answer(&null, 0) == Some(leaf.wanted)))
}

fn answer(answers: &BooleanArray, at: usize) -> Option<bool> {
    answers.is_valid(at).then(|| answers.value(at))
}
