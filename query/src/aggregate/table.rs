//! Finding small dense ids by hash, with the keys kept elsewhere.
//!
//! Values and groups get ids 0, 1, 2, … in the order in which they are first seen, and live in vectors indexed by id.
//! An [`IdTable`] holds nothing but ids and 32 bits of their hashes, so one kind of table serves texts, numbers and
//! groups of any number of keys, and grows without seeing a key again.

use std::hash::BuildHasher;

use datafusion::common::hash_utils::RandomState;

/// Slots of the first allocation.
const SLOTS_MIN: usize = 64;
/// An odd number without structure: the golden ratio's.
const MULTIPLIER: u128 = 0x9E37_79B9_7F4A_7C15;

/// Hashes keys; seeded, so that nobody can choose values that collide.
#[derive(Debug, Clone)]
pub(super) struct KeyHasher {
    seed: u64,
    texts: RandomState,
}

impl Default for KeyHasher {
    fn default() -> Self {
        let seed = std::collections::hash_map::RandomState::new().hash_one(0u8);
        Self { seed, texts: RandomState::with_seed(seed) }
    }
}

impl KeyHasher {
    /// The hash of a number.
    pub(super) fn word(&self, word: u64) -> u32 {
        let product = u128::from(word ^ self.seed) * MULTIPLIER;
        let folded = (product >> 64) as u64 ^ product as u64;
        let again = u128::from(folded ^ self.seed.rotate_left(32)) * MULTIPLIER;
        ((again >> 64) as u64 ^ again as u64) as u32
    }

    /// The hash of a text.
    pub(super) fn text(&self, text: &str) -> u32 {
        (self.texts.hash_one(text) >> 32) as u32
    }

    /// For maps of the standard library.
    pub(super) fn state(&self) -> RandomState {
        self.texts.clone()
    }

    /// The hash of several numbers.
    pub(super) fn words(&self, words: impl Iterator<Item = u32>) -> u32 {
        words.fold(0, |hash, word| self.word((u64::from(hash) << 32) | u64::from(word)))
    }
}

/// Ids by hash: open addressing, at most half full, neighbours in order of their hashes.
#[derive(Debug, Default)]
pub(super) struct IdTable {
    /// Hash in the upper half, id + 1 in the lower; 0: free.
    slots: Vec<u64>,
    len: usize,
}

impl IdTable {
    /// The id whose key has this `hash` and is the `same`; if there is none, `next` is it from now on.
    pub(super) fn find_or_insert(&mut self, hash: u32, next: u32, same: impl Fn(u32) -> bool) -> u32 {
        if self.len * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                self.slots[at] = (u64::from(hash) << 32) | u64::from(next + 1);
                self.len += 1;
                return next;
            }
            let id = slot as u32 - 1;
            if (slot >> 32) as u32 == hash && same(id) {
                return id;
            }
            at = (at + 1) & mask;
        }
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    /// The upper bits of the hash, as many as there are of a slot's number.
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            let mut at = self.home((slot >> 32) as u32);
            while self.slots[at] != 0 {
                at = (at + 1) & (slots - 1);
            }
            self.slots[at] = slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn ids_are_those_of_a_map(
            words in prop::collection::vec(prop_oneof![0u64..50, any::<u64>()], 0..2000),
            // A hash of few bits makes everything collide.
            bits in 0u32..33,
        ) {
            let hasher = KeyHasher::default();
            let (mut table, mut keys, mut model) = (IdTable::default(), Vec::new(), HashMap::new());
            for word in words {
                let hash = ((u64::from(hasher.word(word)) << bits) >> 32) as u32;
                let next = keys.len() as u32;
                let id = table.find_or_insert(hash, next, |id| keys[id as usize] == word);
                if id == next {
                    keys.push(word);
                }
                prop_assert_eq!(id, *model.entry(word).or_insert(next));
            }
        }
    }
}
