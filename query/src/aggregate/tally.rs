//! Groups in a form that can be added many times.
//!
//! ```text
//!  a tally: keys and states ─► numbering: keys → numbers ─► a numbered tally: numbers and states, and a roster
//!                                                               │
//!  whoever adds many: number → group, looked up once ◄──────────┘  roster: numbers → keys
//! ```
//!
//! The tallies of one statement mostly have the same groups. So these are numbered for all of them, and of a thousand groups
//! in a hundred tallies a thousand are looked up instead of a hundred thousand. Where groups hardly come again, as those by
//! time do, a numbering that has grown too large begins anew: numbers mean something only within one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef};
use datafusion::common::Result;

use super::accumulate::RowGroups;
use super::groups::Groups;
use super::keys::{Ids, KeyIds};

/// A numbering may have so many numbers, and as many times those of the tally at hand.
const NUMBERS_MIN: usize = 1024;
const NUMBERS_PER_GROUP: usize = 4;

/// Groups by the values of their keys, and what is known of each.
#[derive(Debug)]
pub(super) struct Tally {
    /// By key, one value for each group.
    pub(super) keys: Vec<ArrayRef>,
    /// By aggregate, its state: one row for each group.
    pub(super) states: Vec<Vec<ArrayRef>>,
    /// The rows of each group; none if they are not counted.
    pub(super) rows: Vec<i64>,
    /// The number of groups.
    pub(super) groups: usize,
}

/// A tally whose groups have numbers.
#[derive(Debug)]
pub(super) struct Numbered {
    /// What the numbers mean.
    pub(super) roster: Arc<Roster>,
    /// One for each group.
    pub(super) numbers: Vec<u32>,
    /// As in [`Tally`].
    pub(super) states: Vec<Vec<ArrayRef>>,
    /// As in [`Tally`].
    pub(super) rows: Vec<i64>,
    bytes: usize,
}

/// Groups by number.
#[derive(Debug)]
pub(super) struct Roster {
    /// Of the numbering; no other has it.
    pub(super) serial: u64,
    /// By key, one value for each number.
    pub(super) keys: Vec<ArrayRef>,
    /// One more than the greatest number.
    pub(super) end: usize,
}

/// Gives groups their numbers.
#[derive(Debug)]
pub(super) struct Numbering {
    keys: Vec<KeyIds>,
    groups: Groups,
    /// As of now.
    roster: Arc<Roster>,
}

impl Numbered {
    /// The number of groups.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Bytes taken, without a roster that was there before.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Numbering {
    /// Numbers the groups of a tally with `numbering`, or another that takes its place.
    pub(super) fn number(numbering: &mut Option<Self>, tally: Tally) -> Result<Numbered> {
        let numbers_max = NUMBERS_MIN + tally.groups * NUMBERS_PER_GROUP;
        if numbering.as_ref().is_some_and(|known| known.roster.end > numbers_max) {
            *numbering = None;
        }
        numbering.get_or_insert_with(|| Self::new(&tally)).add(tally)
    }

    fn new(tally: &Tally) -> Self {
        static SERIALS: AtomicU64 = AtomicU64::new(0);
        let serial = SERIALS.fetch_add(1, Ordering::Relaxed);
        Self {
            keys: tally.keys.iter().map(|values| KeyIds::new(values.data_type().clone())).collect(),
            groups: Groups::new(tally.keys.len()),
            roster: Arc::new(Roster { serial, keys: Vec::new(), end: 0 }),
        }
    }

    fn add(&mut self, tally: Tally) -> Result<Numbered> {
        let mut ids = Vec::with_capacity(self.keys.len());
        for (known, values) in self.keys.iter_mut().zip(&tally.keys) {
            let mut of_key = Ids::default();
            known.read_values(values, &mut of_key)?;
            ids.push(of_key);
        }
        let ends: Vec<u32> = self.keys.iter().map(|key| key.values.end()).collect();
        let mut numbers = Vec::new();
        if let RowGroups::One { group, rows } = self.groups.assign(&ids, &ends, tally.groups, &mut numbers) {
            numbers = vec![group as u32; rows];
        }
        let states = tally.states.iter().flatten().map(Array::get_array_memory_size).sum::<usize>();
        let mut bytes =
            size_of::<Numbered>() + numbers.len() * (size_of::<u32>() + size_of::<i64>()) + states;
        if self.groups.len() > self.roster.end {
            let keys = self.keys.iter().enumerate();
            let keys = keys
                .map(|(key, known)| known.values.array(self.groups.ids(key)))
                .collect::<Result<Vec<_>>>()?;
            bytes += keys.iter().map(Array::get_array_memory_size).sum::<usize>();
            self.roster = Arc::new(Roster { serial: self.roster.serial, keys, end: self.groups.len() });
        }
        let Tally { states, rows, .. } = tally;
        Ok(Numbered { roster: Arc::clone(&self.roster), numbers, states, rows, bytes })
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.keys.iter().map(KeyIds::bytes).sum::<usize>() + self.groups.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use proptest::prelude::*;

    fn tally(keys: &[i64]) -> Tally {
        let keys: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
        Tally { groups: keys.len(), keys: vec![keys], states: Vec::new(), rows: Vec::new() }
    }

    proptest! {
        #[test]
        fn numbers_lead_back_to_keys(
            tallies in prop::collection::vec(prop::collection::btree_set(0i64..3000, 1..600), 1..12),
        ) {
            let mut numbering = None;
            for keys in tallies {
                let keys: Vec<i64> = keys.into_iter().collect();
                let numbered = Numbering::number(&mut numbering, tally(&keys)).unwrap();
                let roster = numbered.roster.keys[0].as_primitive::<Int64Type>();
                let found: Vec<i64> = numbered.numbers.iter().map(|&number| roster.value(number as usize)).collect();
                prop_assert_eq!(found, keys);
                prop_assert_eq!(roster.len(), numbered.roster.end);
            }
        }
    }

    #[test]
    fn a_group_keeps_its_number_until_there_are_too_many() {
        let mut numbering = None;
        let mut numbered = |keys: std::ops::Range<i64>| {
            Numbering::number(&mut numbering, tally(&keys.collect::<Vec<_>>())).unwrap()
        };
        let (first, again) = (numbered(0..500), numbered(400..501));
        assert_eq!(first.roster.serial, again.roster.serial);
        assert_eq!(again.numbers, (400..501).collect::<Vec<u32>>());
        assert!(again.len() == 101 && again.bytes() < first.bytes());
        let many = numbered(1000..4000);
        assert_eq!(many.roster.serial, first.roster.serial);
        let few = numbered(400..501);
        assert_ne!(few.roster.serial, first.roster.serial);
        assert_eq!((few.numbers[0], few.roster.end), (0, 101));
    }
}
