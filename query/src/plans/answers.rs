//! The last answer of a template: many who look at one dashboard ask the same about the same rows.
//!
//! A template's answer follows from the rows of its datasources and from its instants, and from nothing else: that is what
//! [`Template::of`](super::Template::of) proves. So it is right as long as both are the same, and that can be told: a
//! snapshot of other rows has another generation. Only answers of one batch are kept, and of each template only the last.

use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::record_batch::RecordBatch;
use ovate_storage::snapshot::Snapshot;

/// What an answer follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    instants: Vec<i64>,
    /// By datasource, in the order of the template.
    generations: Vec<u64>,
}

impl Moment {
    /// Of the rows of `snapshots`; `None` if some of them cannot be read any more, which has to be said each time.
    pub(super) fn of(instants: &[i64], snapshots: &[Arc<Snapshot>]) -> Option<Self> {
        let mut parts = snapshots.iter().flat_map(|snapshot| &snapshot.parts);
        let is_whole = parts.all(|part| part.all_read().is_ok());
        let generations = snapshots.iter().map(|snapshot| snapshot.generation).collect();
        is_whole.then(|| Self { instants: instants.to_vec(), generations })
    }
}

/// An answer, which has one batch or none, and what it follows from.
#[derive(Debug, Default)]
pub(crate) struct LastAnswer(Mutex<Option<(Moment, Vec<RecordBatch>)>>);

impl LastAnswer {
    /// The answer at that moment, if it is known.
    pub(super) fn at(&self, moment: &Moment) -> Option<Vec<RecordBatch>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(known, _)| known == moment).map(|(_, rows)| rows.clone())
    }

    fn put(&self, moment: Moment, rows: Vec<RecordBatch>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((moment, rows));
    }
}

/// Where the answer of a running statement is to be kept.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(super) answer: Arc<LastAnswer>,
    pub(super) moment: Moment,
    pub(super) bytes_max: usize,
}

impl Keep {
    /// Keeps the whole answer, which was read without loss, unless it is too large.
    pub(crate) fn keep(self, rows: Option<&RecordBatch>) {
        if rows.map_or(0, RecordBatch::get_array_memory_size) <= self.bytes_max {
            self.answer.put(self.moment, rows.cloned().into_iter().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array};

    fn moment(instant: i64, generation: u64) -> Moment {
        Moment { instants: vec![instant], generations: vec![generation] }
    }

    fn rows(count: i64) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    #[test]
    fn an_answer_is_that_of_its_moment_and_of_no_other() {
        let answer = Arc::new(LastAnswer::default());
        let keep = |moment, bytes_max| Keep { answer: Arc::clone(&answer), moment, bytes_max };
        keep(moment(7, 1), 1000).keep(Some(&rows(3)));
        assert_eq!(answer.at(&moment(7, 1)), Some(vec![rows(3)]));
        assert_eq!((answer.at(&moment(8, 1)), answer.at(&moment(7, 2))), (None, None));
        keep(moment(7, 2), 1000).keep(None);
        assert_eq!((answer.at(&moment(7, 1)), answer.at(&moment(7, 2))), (None, Some(vec![])));
        keep(moment(7, 3), 1000).keep(Some(&rows(1000)));
        assert_eq!((answer.at(&moment(7, 2)), answer.at(&moment(7, 3))), (Some(vec![]), None));
    }
}
