//! Columns of cold segments in memory: decoded once for all queries that need them at about the same time.
//!
//! A column of a mapped Arrow file costs nothing to keep; one that was decoded costs what it takes in memory. So those
//! that were not asked for longest are let go beyond a number of bytes. A query keeps what it works on, whatever is
//! let go meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef};

use crate::error::Result;

/// Decoded columns, shared by all segments of a store.
#[derive(Debug)]
pub struct DecodedColumns {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    columns: HashMap<ColumnKey, Entry>,
    bytes: usize,
    /// Counts accesses: what was used later has a greater number.
    clock: u64,
}

/// A segment, by a number that no other has in this process, and the place of a column in it.
pub(super) type ColumnKey = (u64, usize);

#[derive(Debug, Default)]
struct Entry {
    /// Locked while the column is being decoded, so that the second who needs it waits for the first.
    array: Arc<Mutex<Option<ArrayRef>>>,
    bytes: usize,
    used: u64,
}

impl DecodedColumns {
    /// How many bytes are kept unless somebody says otherwise.
    pub const BYTES_MAX: usize = 256 << 20;

    /// Keeps at most so many bytes, and whatever is in use.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, kept: Mutex::default() })
    }

    /// The bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.kept().bytes
    }

    /// The column, decoded by `decode` unless it is kept.
    pub(super) fn get(&self, key: ColumnKey, decode: impl FnOnce() -> Result<ArrayRef>) -> Result<ArrayRef> {
        let slot = self.kept().slot(key);
        // Nothing is left half done by a panic: the array is there or it is not.
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(array) = &*slot {
            return Ok(ArrayRef::clone(array));
        }
        let array = decode()?;
        *slot = Some(ArrayRef::clone(&array));
        drop(slot);
        self.kept().grown(key, array.get_array_memory_size(), self.bytes_max);
        Ok(array)
    }

    /// Lets go of all columns of a segment.
    pub(super) fn forget(&self, segment: u64) {
        let mut kept = self.kept();
        kept.columns.retain(|key, _| key.0 != segment);
        kept.bytes = kept.columns.values().map(|entry| entry.bytes).sum();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn slot(&mut self, key: ColumnKey) -> Arc<Mutex<Option<ArrayRef>>> {
        self.clock += 1;
        let entry = self.columns.entry(key).or_default();
        entry.used = self.clock;
        Arc::clone(&entry.array)
    }

    /// Notes what a column takes, and makes room for it.
    fn grown(&mut self, key: ColumnKey, bytes: usize, bytes_max: usize) {
        // It may have been let go while it was being decoded.
        let Some(entry) = self.columns.get_mut(&key) else { return };
        self.bytes += bytes - std::mem::replace(&mut entry.bytes, bytes);
        while self.bytes > bytes_max {
            let oldest = self.columns.iter().filter(|(_, entry)| entry.bytes > 0);
            let Some(oldest) = oldest.min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key) else {
                return;
            };
            self.bytes -= self.columns.remove(&oldest).map_or(0, |entry| entry.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Int64Array;

    fn column(first: i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(first..first + 100))
    }

    #[test]
    fn a_column_is_decoded_once_while_it_is_kept() {
        let columns = DecodedColumns::new(10_000);
        let first = columns.get((1, 0), || Ok(column(0))).unwrap();
        let again = columns.get((1, 0), || panic!("it is kept")).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        columns.forget(1);
        assert_eq!(columns.bytes(), 0);
        assert!(!Arc::ptr_eq(&first, &columns.get((1, 0), || Ok(column(0))).unwrap()));
    }

    #[test]
    fn what_was_not_asked_for_longest_makes_room() {
        let bytes = column(0).get_array_memory_size();
        let columns = DecodedColumns::new(2 * bytes);
        for key in [(1, 0), (1, 1), (1, 0), (2, 0)] {
            columns.get(key, || Ok(column(0))).unwrap();
        }
        assert_eq!(columns.bytes(), 2 * bytes);
        columns.get((1, 0), || panic!("it was asked for after the other")).unwrap();
        let mut decoded = false;
        columns
            .get((1, 1), || {
                Ok(column({
                    decoded = true;
                    1
                }))
            })
            .unwrap();
        assert!(decoded);
    }

    #[test]
    fn what_is_too_large_is_given_and_not_kept() {
        let columns = DecodedColumns::new(10);
        assert_eq!(columns.get((1, 0), || Ok(column(0))).unwrap().len(), 100);
        assert_eq!(columns.bytes(), 0);
    }

    #[test]
    fn a_column_that_cannot_be_decoded_is_tried_again() {
        let columns = DecodedColumns::new(10_000);
        let failed = columns.get((1, 0), || Err(crate::StorageError::UnknownDatasource("x".into())));
        assert!(failed.is_err());
        assert!(columns.get((1, 0), || Ok(column(0))).is_ok());
    }
}
