//! Dictionaries in SQL's types, made once and kept as long as the store keeps the dictionary.
//!
//! A segment's dictionary is `Utf8`; queries want views. Making them costs 16 bytes and a few nanoseconds a value,
//! which matters for a dictionary of a million values and a query of a millisecond. So one of these is shared by
//! all scans of an engine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::column::to_sql;

/// Converted dictionaries by the identity of their source.
#[derive(Debug, Default)]
pub struct Dictionaries {
    converted: Mutex<Converted>,
}

#[derive(Debug, Default)]
struct Converted {
    by_source: HashMap<(usize, DataType), Entry>,
    /// Entries beyond which it is worth looking for dead ones.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    /// While this exists no other array can get the source's address, so the address identifies it.
    source: Weak<dyn Array>,
    values: ArrayRef,
}

impl Dictionaries {
    /// The values of `dictionary` as `data_type`; what does not convert is NULL.
    pub(crate) fn as_type(&self, dictionary: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
        if dictionary.data_type() == data_type {
            return Ok(Arc::clone(dictionary));
        }
        let key = (identity(dictionary), data_type.clone());
        if let Some(entry) = self.lock().by_source.get(&key) {
            return Ok(Arc::clone(&entry.values));
        }
        // Two scans may both convert it; the first to finish wins and neither waits.
        let values = to_sql(dictionary, data_type)?;
        let mut converted = self.lock();
        if converted.by_source.len() >= converted.sweep_at {
            converted.by_source.retain(|_, entry| entry.source.strong_count() > 0);
            converted.sweep_at = 2 * converted.by_source.len() + 16;
        }
        let entry = Entry { source: Arc::downgrade(dictionary), values };
        Ok(Arc::clone(&converted.by_source.entry(key).or_insert(entry).values))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Converted> {
        // Entries are only ever added whole, so a panic elsewhere leaves nothing half done.
        self.converted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address of a dictionary: equal for two references to one array, as long as either lives.
pub(crate) fn identity(dictionary: &ArrayRef) -> usize {
    Arc::as_ptr(dictionary).cast::<()>() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringArray;

    #[test]
    fn a_dictionary_is_converted_once() {
        let dictionaries = Dictionaries::default();
        let source: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let first = dictionaries.as_type(&source, &DataType::Utf8View).unwrap();
        let again = dictionaries.as_type(&source, &DataType::Utf8View).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        assert!(!Arc::ptr_eq(&first, &dictionaries.as_type(&other, &DataType::Utf8View).unwrap()));
    }

    #[test]
    fn dictionaries_that_are_gone_are_forgotten() {
        let dictionaries = Dictionaries::default();
        for _ in 0..200 {
            let source: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
            dictionaries.as_type(&source, &DataType::Utf8View).unwrap();
        }
        assert!(dictionaries.lock().by_source.len() < 64);
    }
}
