//! From the ids of a row's keys to the number of its group.
//!
//! Where all rows at hand have the same ids there is one group to find. Otherwise the ids of all keys are packed into one
//! number, with as many bits for each key as its ids need so far. While all of them need few bits the number indexes an
//! array, as soon as so many rows were looked up that it is worth clearing; otherwise it is hashed; and only when it does not
//! fit into 64 bits are the ids compared one by one. When a key outgrows its bits, the table is laid out anew: that costs as
//! much as there are groups, and happens once per doubling.

use super::accumulate::RowGroups;
use super::keys::Ids;
use super::table::{IdTable, KeyHasher};

/// Up to so many bits groups are found in an array: 16 MiB, of which only touched pages exist.
const DENSE_BITS: u32 = 22;
/// An array has at most so many entries for each row that was looked up: clearing them takes no longer than the rows take to
/// be hashed.
const ENTRIES_PER_ROW: usize = 8;
/// Bits of a packed number.
const PACKED_BITS: u32 = u64::BITS;

/// All groups seen, numbered from 0.
#[derive(Debug)]
pub(super) struct Groups {
    /// The ids of each key, by group.
    keys: Vec<Vec<u32>>,
    len: usize,
    /// Bits of each key's ids.
    bits: Vec<u32>,
    lookup: Lookup,
    /// Rows looked up so far.
    rows: usize,
    /// The packed ids of each group, while they are hashed.
    packed: Vec<u64>,
    hasher: KeyHasher,
    /// The packed ids of the rows at hand.
    row_keys: Vec<u64>,
}

#[derive(Debug)]
enum Lookup {
    /// Group + 1 by packed ids; 0: none.
    Dense(Vec<u32>),
    /// Groups by the hash of their packed ids.
    Packed(IdTable),
    /// Groups by the hash of all their ids.
    Wide(IdTable),
}

impl Groups {
    /// No groups yet, of so many keys.
    pub(super) fn new(keys: usize) -> Self {
        Self {
            keys: vec![Vec::new(); keys],
            len: 0,
            bits: vec![0; keys],
            lookup: Lookup::Dense(vec![0]),
            rows: 0,
            packed: Vec::new(),
            hasher: KeyHasher::default(),
            row_keys: Vec::new(),
        }
    }

    /// The number of groups.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are too many for an array, however many rows come.
    pub(super) fn outgrow_arrays(&self) -> bool {
        self.keys.len() != 1 && self.bits.iter().sum::<u32>() > DENSE_BITS
    }

    /// The ids of one key, by group.
    pub(super) fn ids(&self, key: usize) -> &[u32] {
        &self.keys[key]
    }

    /// The groups of rows whose keys have these `ids`, all less than the key's `end`. `each` is room for them.
    pub(super) fn assign<'a>(
        &mut self,
        ids: &[Ids],
        ends: &[u32],
        rows: usize,
        each: &'a mut Vec<u32>,
    ) -> RowGroups<'a> {
        self.rows += rows;
        self.fit(ends);
        each.clear();
        if rows > 0 && ids.iter().all(|ids| ids.same.is_some()) {
            self.find(ids, 1, each);
            let group = each.first().map_or(0, |&group| group as usize);
            return RowGroups::One { group, rows };
        }
        self.find(ids, rows, each);
        RowGroups::Each(each)
    }

    fn find(&mut self, ids: &[Ids], rows: usize, groups: &mut Vec<u32>) {
        groups.reserve(rows);
        let mut row_keys = std::mem::take(&mut self.row_keys);
        if !matches!(self.lookup, Lookup::Wide(_)) {
            pack(ids.iter().map(|ids| (ids.same, ids.each.as_slice())), &self.bits, rows, &mut row_keys);
        }
        let id_of = |ids: &Ids, row: usize| ids.same.unwrap_or_else(|| ids.each[row]);
        let Self { keys, len, lookup, packed, hasher, .. } = self;
        let mut add = |row: usize| {
            for (key, ids) in keys.iter_mut().zip(ids) {
                key.push(id_of(ids, row));
            }
            *len += 1;
            *len as u32 - 1
        };
        match lookup {
            Lookup::Dense(table) => {
                groups.extend(row_keys.iter().enumerate().map(|(row, &key)| {
                    let slot = &mut table[key as usize];
                    if *slot == 0 {
                        *slot = add(row) + 1;
                    }
                    *slot - 1
                }));
            }
            Lookup::Packed(table) => {
                groups.extend(row_keys.iter().enumerate().map(|(row, &key)| {
                    let next = packed.len() as u32;
                    let group =
                        table.find_or_insert(hasher.word(key), next, |group| packed[group as usize] == key);
                    if group == next {
                        packed.push(key);
                        add(row);
                    }
                    group
                }));
            }
            Lookup::Wide(table) => {
                for row in 0..rows {
                    let hash = hasher.words(ids.iter().map(|ids| id_of(ids, row)));
                    let next = *len as u32;
                    let same = |group: u32| {
                        keys.iter().zip(ids).all(|(key, ids)| key[group as usize] == id_of(ids, row))
                    };
                    let group = table.find_or_insert(hash, next, same);
                    if group == next {
                        for (key, ids) in keys.iter_mut().zip(ids) {
                            key.push(id_of(ids, row));
                        }
                        *len += 1;
                    }
                    groups.push(group);
                }
            }
        }
        self.row_keys = row_keys;
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        let lookup = match &self.lookup {
            Lookup::Dense(table) => table.capacity() * size_of::<u32>(),
            Lookup::Packed(table) | Lookup::Wide(table) => table.bytes(),
        };
        let ids: usize = self.keys.iter().map(|key| key.capacity() * size_of::<u32>()).sum();
        lookup + ids + self.packed.capacity() * size_of::<u64>()
    }

    /// Gives every key the bits that its ids need.
    fn fit(&mut self, ends: &[u32]) {
        let mut grown = false;
        for (bits, end) in self.bits.iter_mut().zip(ends) {
            let needed = u32::BITS - end.saturating_sub(1).leading_zeros();
            if needed > *bits {
                *bits = needed;
                grown = true;
            }
        }
        if grown || matches!(self.lookup, Lookup::Packed(_)) && self.is_array_worth_it() {
            self.lay_out();
        }
    }

    fn is_array_worth_it(&self) -> bool {
        let bits: u32 = self.bits.iter().sum();
        // One key needs no hash: there are as many groups as ids.
        self.keys.len() == 1
            || !self.outgrow_arrays() && 1 << bits <= self.rows.saturating_mul(ENTRIES_PER_ROW)
    }

    fn lay_out(&mut self) {
        let bits: u32 = self.bits.iter().sum();
        self.packed.clear();
        if bits <= PACKED_BITS {
            pack(self.keys.iter().map(|key| (None, key.as_slice())), &self.bits, self.len, &mut self.packed);
        }
        self.lookup = if self.is_array_worth_it() {
            let mut table = vec![0; 1 << bits];
            for (group, &key) in self.packed.iter().enumerate() {
                table[key as usize] = group as u32 + 1;
            }
            self.packed = Vec::new();
            Lookup::Dense(table)
        } else if bits <= PACKED_BITS {
            let mut table = IdTable::default();
            for (group, &key) in self.packed.iter().enumerate() {
                table.find_or_insert(self.hasher.word(key), group as u32, |_| false);
            }
            Lookup::Packed(table)
        } else {
            let mut table = IdTable::default();
            for group in 0..self.len {
                let hash = self.hasher.words(self.keys.iter().map(|key| key[group]));
                table.find_or_insert(hash, group as u32, |_| false);
            }
            Lookup::Wide(table)
        };
    }
}

/// The ids of each row in one number: the first key in the lowest bits. A key has one id for all rows, or one each.
fn pack<'a>(
    keys: impl Iterator<Item = (Option<u32>, &'a [u32])>,
    bits: &[u32],
    rows: usize,
    packed: &mut Vec<u64>,
) {
    packed.clear();
    let (mut same, mut shift) = (0, 0);
    for ((id, each), bits) in keys.zip(bits) {
        match id {
            Some(id) => same |= u64::from(id) << shift,
            None if packed.is_empty() => packed.extend(each.iter().map(|&id| u64::from(id) << shift)),
            None => {
                for (packed, &id) in packed.iter_mut().zip(each) {
                    *packed |= u64::from(id) << shift;
                }
            }
        }
        shift += bits;
    }
    if packed.is_empty() {
        packed.resize(rows, same);
    } else if same != 0 {
        for packed in packed {
            *packed |= same;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Batches of rows of `keys` keys; ids up to `max`.
    fn batches() -> impl Strategy<Value = Vec<Vec<Vec<u32>>>> {
        (1usize..7, prop::sample::select(vec![3u32, 10, 40, 5000, 1 << 21, 1 << 31])).prop_flat_map(
            |(keys, max)| {
                let column = move |rows| {
                    let id = || prop_oneof![1..max, 1u32..4];
                    let differing = prop::collection::vec(id(), rows);
                    prop_oneof![3 => differing, 1 => id().prop_map(move |id| vec![id; rows])]
                };
                let batch = (0usize..60).prop_flat_map(move |rows| prop::collection::vec(column(rows), keys));
                prop::collection::vec(batch, 1..6)
            },
        )
    }

    proptest! {
        #[test]
        fn rows_are_in_one_group_if_all_their_ids_are_equal(batches in batches()) {
            let keys = batches[0].len();
            // An array of 2^31 entries is right for one key, but not for a test.
            prop_assume!(keys > 1 || batches.iter().flatten().flatten().all(|&id| id < 1 << 22));
            let mut groups = Groups::new(keys);
            let mut model: HashMap<Vec<u32>, usize> = HashMap::new();
            let mut ends = vec![2u32; keys];
            for batch in &batches {
                let rows = batch[0].len();
                for (end, ids) in ends.iter_mut().zip(batch) {
                    *end = ids.iter().map(|id| id + 1).fold(*end, u32::max);
                }
                // Some keys, or all of them, are the same in all rows, and said to be so.
                let ids: Vec<Ids> = batch
                    .iter()
                    .map(|ids| {
                        let same = ids.first().copied().filter(|&first| ids.iter().all(|&id| id == first));
                        Ids { same, each: if same.is_some() { Vec::new() } else { ids.clone() } }
                    })
                    .collect();
                let mut room = vec![77];
                let assigned = match groups.assign(&ids, &ends, rows, &mut room) {
                    RowGroups::One { group, rows } => vec![group; rows],
                    RowGroups::Each(groups) => groups.iter().map(|&group| group as usize).collect(),
                };
                prop_assert_eq!(assigned.len(), rows);
                for row in 0..rows {
                    let tuple: Vec<u32> = batch.iter().map(|ids| ids[row]).collect();
                    let next = model.len();
                    prop_assert_eq!(assigned[row], *model.entry(tuple).or_insert(next));
                }
            }
            prop_assert_eq!(groups.len(), model.len());
            for (tuple, group) in model {
                let ids: Vec<u32> = (0..keys).map(|key| groups.ids(key)[group]).collect();
                prop_assert_eq!(ids, tuple);
            }
        }
    }
}
