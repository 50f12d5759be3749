//! Groups found by the values of all keys at once, where these fit into one machine word: pairs of FLOAT.
//!
//! Otherwise each key's value is looked up for its id, and the ids for their group: places scattered over three tables, for
//! each row. Where there are many groups memory is what that waits for, so here it is one place. The ids stay what groups
//! are made of; this only remembers what they led to.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Date32Type, Float32Type, Int32Type};
use datafusion::common::{Result, internal_err};

use super::table::KeyHasher;
use super::values::Word;

/// Slots of the first allocation.
const SLOTS_MIN: usize = 1024;
/// Slots at most, which is 16 MiB; half of them are used. Further groups are found the long way.
const SLOTS_MAX: usize = 1 << 20;
/// A group that there is not.
const NONE: u32 = u32::MAX;

/// Whether values of these types are remembered together.
pub(super) fn fits(types: &[DataType]) -> bool {
    let is_half = |data_type| matches!(data_type, &DataType::Float32 | &DataType::Int32 | &DataType::Date32);
    types.len() == 2 && types.iter().all(is_half)
}

/// The groups of words.
#[derive(Debug, Default)]
pub(super) struct Packed {
    hasher: KeyHasher,
    slots: Vec<Slot>,
    len: usize,
    /// Of the rows at hand.
    words: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    word: u64,
    group: u32,
}

impl Packed {
    /// Writes the groups of rows whose keys have these values into `groups`, [`NONE`] where they are yet to be found. Fails
    /// for values of types that do not fit.
    pub(super) fn read(&mut self, keys: &[ArrayRef], groups: &mut Vec<u32>) -> Result<()> {
        self.words.clear();
        for key in keys {
            match key.data_type() {
                DataType::Float32 => append::<Float32Type>(key, &mut self.words),
                DataType::Int32 => append::<Int32Type>(key, &mut self.words),
                DataType::Date32 => append::<Date32Type>(key, &mut self.words),
                other => return internal_err!("{other} is no half of a machine word"),
            }
        }
        if self.slots.is_empty() {
            self.slots = vec![Slot { word: 0, group: NONE }; SLOTS_MIN];
        }
        groups.clear();
        groups.extend(self.words.iter().map(|&word| self.find(word)));
        if keys.iter().any(|key| key.null_count() > 0) {
            // What stands under a NULL is no value.
            for (row, group) in groups.iter_mut().enumerate() {
                if keys.iter().any(|key| key.is_null(row)) {
                    *group = NONE;
                }
            }
        }
        Ok(())
    }

    /// Of the rows that were read last, those whose `groups` are yet to be found, each with the number of the first row
    /// with its values; and these first rows.
    pub(super) fn unknown(&self, keys: &[ArrayRef], groups: &[u32]) -> (Vec<(u32, u32)>, Vec<u32>) {
        let (mut unknown, mut firsts) = (Vec::new(), Vec::new());
        if !groups.contains(&NONE) {
            return (unknown, firsts);
        }
        let mut first_of: HashMap<u64, u32, _> = HashMap::with_hasher(self.hasher.state());
        for (row, _) in (0..).zip(groups).filter(|(_, group)| **group == NONE) {
            let next = firsts.len() as u32;
            // What stands under a NULL is no value.
            let has_null = keys.iter().any(|key| key.is_null(row as usize));
            let first =
                if has_null { next } else { *first_of.entry(self.words[row as usize]).or_insert(next) };
            if first == next {
                firsts.push(row);
            }
            unknown.push((row, first));
        }
        (unknown, firsts)
    }

    /// Remembers the group of a row that was unknown.
    pub(super) fn put(&mut self, keys: &[ArrayRef], row: usize, group: u32) {
        if keys.iter().any(|key| key.is_null(row)) || self.len * 2 >= SLOTS_MAX {
            return;
        }
        if self.len * 2 >= self.slots.len() {
            let old = std::mem::take(&mut self.slots);
            self.slots = vec![Slot { word: 0, group: NONE }; old.len() * 2];
            for slot in old.into_iter().filter(|slot| slot.group != NONE) {
                let at = self.place(slot.word);
                self.slots[at] = slot;
            }
        }
        let word = self.words[row];
        let at = self.place(word);
        self.len += usize::from(self.slots[at].group == NONE);
        self.slots[at] = Slot { word, group };
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.words.capacity() * size_of::<u64>()
    }

    fn find(&self, word: u64) -> u32 {
        self.slots[self.place(word)].group
    }

    /// Where the word is, or would be.
    fn place(&self, word: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.word(word) as usize & mask;
        while self.slots[at].group != NONE && self.slots[at].word != word {
            at = (at + 1) & mask;
        }
        at
    }
}

/// Makes the values of a key the lower half of each row's word.
fn append<T: Word>(key: &Arc<dyn Array>, words: &mut Vec<u64>) {
    let values = key.as_primitive::<T>().values().iter().map(|&value| T::word(value) & u64::from(u32::MAX));
    if words.is_empty() {
        words.extend(values);
    } else {
        words.iter_mut().zip(values).for_each(|(word, value)| *word = (*word << 32) | value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float32Array, Int32Array};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_group_once_told_is_found_again(
            chunks in prop::collection::vec(
                prop::collection::vec((prop::option::weighted(0.9, -40i32..40), prop::option::weighted(0.9, -40i32..40)), 1..200),
                1..40,
            ),
        ) {
            let mut packed = Packed::default();
            let mut known: HashMap<(Option<u32>, Option<i32>), u32> = HashMap::new();
            let mut groups = Vec::new();
            for chunk in chunks {
                // Both zeroes are one value.
                let float = |value: i32| if value == -1 { -0.0 } else { (value / 2) as f32 };
                let left: Float32Array = chunk.iter().map(|(left, _)| left.map(float)).collect();
                let right: Int32Array = chunk.iter().map(|(_, right)| *right).collect();
                let keys: [ArrayRef; 2] = [Arc::new(left), Arc::new(right)];
                packed.read(&keys, &mut groups).unwrap();
                let (unknown, firsts) = packed.unknown(&keys, &groups);
                let key = |row: usize| (chunk[row].0.map(|l| (float(l) + 0.0).to_bits()), chunk[row].1);
                for row in 0..chunk.len() {
                    let is_whole = chunk[row].0.is_some() && chunk[row].1.is_some();
                    let expected = known.get(&key(row)).copied().filter(|_| is_whole);
                    prop_assert_eq!(groups[row], expected.unwrap_or(NONE));
                    let first = unknown.iter().find(|(unknown, _)| *unknown as usize == row);
                    prop_assert_eq!(first.is_some(), expected.is_none());
                    if let Some(&(_, first)) = first {
                        let first = firsts[first as usize] as usize;
                        prop_assert!(first <= row && key(first) == key(row));
                        prop_assert!(is_whole || first == row);
                    }
                }
                for &row in &firsts {
                    let next = known.len() as u32;
                    let group = *known.entry(key(row as usize)).or_insert(next);
                    packed.put(&keys, row as usize, group);
                }
            }
        }
    }
}
