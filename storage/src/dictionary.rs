//! A running dictionary: strings get dense codes in order of arrival, and keep them.
//!
//! One thread interns; any number of readers hold a [`DictionarySnapshot`], which is the dictionary as it was at
//! one length. A snapshot shares all full blocks with the dictionary and copies only the two unfinished tails
//! (at most [`BLOCK_BYTES`] of text and [`CHUNK_CODES`] views), so taking one after every batch is cheap however
//! large the dictionary has grown.
//!
//! ```text
//!  text    [block 0: 64 KiB, shared][block 1, shared] … [tail, copied per snapshot]
//!  views   [4,096 codes, shared] … [tail, made per snapshot]
//! ```

use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, StringViewArray, StringViewBuilder, make_view};
use arrow::buffer::{Buffer, ScalarBuffer};
use hashbrown::{DefaultHashBuilder, HashTable};

/// The code that stands for NULL; never given to a string.
pub const NULL_CODE: u32 = u32::MAX;

/// Text is kept in blocks of this size; a longer string gets a block of its own.
const BLOCK_BYTES: usize = 64 << 10;
/// Views are shared in chunks of this many codes.
const CHUNK_CODES: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Location {
    block: u32,
    offset: u32,
    length: u32,
}

/// The interning table. See the module's text.
#[derive(Debug, Default)]
pub struct Dictionary {
    hasher: DefaultHashBuilder,
    codes: HashTable<u32>,
    locations: Vec<Location>,
    blocks: Vec<Buffer>,
    tail: Vec<u8>,
    chunks: Vec<Arc<[u128]>>,
    bytes: usize,
    last: Option<Arc<DictionarySnapshot>>,
}

impl Dictionary {
    /// An empty dictionary.
    pub fn new() -> Self {
        Self::default()
    }

    /// The code of `value`, which is new or the one it got before.
    pub fn intern(&mut self, value: &str) -> u32 {
        let hash = self.hasher.hash_one(value.as_bytes());
        let Self { codes, locations, blocks, tail, .. } = self;
        let at = |code: u32| slice_of(locations[code as usize], blocks, tail);
        if let Some(code) = codes.find(hash, |&code| at(code) == value.as_bytes()) {
            return *code;
        }
        self.insert(hash, value)
    }

    #[cold]
    fn insert(&mut self, hash: u64, value: &str) -> u32 {
        if self.tail.len() + value.len() > BLOCK_BYTES && !self.tail.is_empty() {
            self.blocks.push(Buffer::from(std::mem::take(&mut self.tail)));
        }
        if self.tail.capacity() == 0 {
            self.tail.reserve_exact(BLOCK_BYTES.max(value.len()));
        }
        let code = self.locations.len() as u32;
        debug_assert_ne!(code, NULL_CODE, "a hot generation is published long before 4 G distinct values");
        let offset = self.tail.len() as u32;
        self.tail.extend_from_slice(value.as_bytes());
        self.locations.push(Location { block: self.blocks.len() as u32, offset, length: value.len() as u32 });
        let Self { codes, hasher, locations, blocks, tail, .. } = self;
        codes.insert_unique(hash, code, |&other| {
            hasher.hash_one(slice_of(locations[other as usize], blocks, tail))
        });
        self.bytes += value.len() + size_of::<Location>() + size_of::<u128>() + 8;
        code
    }

    /// The code of `value` if it was interned.
    pub fn find(&self, value: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(value.as_bytes());
        self.codes.find(hash, |&code| self.bytes_of(code) == value.as_bytes()).copied()
    }

    /// The string of a code.
    pub fn get(&self, code: u32) -> Option<&str> {
        ((code as usize) < self.locations.len())
            .then(|| std::str::from_utf8(self.bytes_of(code)).unwrap_or_default())
    }

    /// The number of codes given.
    pub fn len(&self) -> usize {
        self.locations.len()
    }

    /// Whether no code was given yet.
    pub fn is_empty(&self) -> bool {
        self.locations.is_empty()
    }

    /// Memory held, in bytes, tables included; an estimate.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The strings of all codes from `code` on, in code order.
    pub fn values_from(&self, code: u32) -> StringViewArray {
        let from = (code as usize).min(self.len());
        let mut builder = StringViewBuilder::with_capacity(self.len() - from);
        for code in from..self.len() {
            builder.append_value(self.get(code as u32).unwrap_or_default());
        }
        builder.finish()
    }

    /// The dictionary as it is now.
    pub fn snapshot(&mut self) -> Arc<DictionarySnapshot> {
        if let Some(last) = &self.last
            && last.len() == self.len()
        {
            return Arc::clone(last);
        }
        while (self.chunks.len() + 1) * CHUNK_CODES <= self.len() {
            let start = self.chunks.len() * CHUNK_CODES;
            self.chunks.push(self.views(start, start + CHUNK_CODES));
        }
        let mut chunks = self.chunks.clone();
        let full = chunks.len() * CHUNK_CODES;
        if full < self.len() {
            chunks.push(self.views(full, self.len()));
        }
        let mut blocks = self.blocks.clone();
        blocks.push(Buffer::from(self.tail.clone()));
        let snapshot =
            Arc::new(DictionarySnapshot { len: self.len(), chunks, blocks, flat: OnceLock::new() });
        self.last = Some(Arc::clone(&snapshot));
        snapshot
    }

    fn bytes_of(&self, code: u32) -> &[u8] {
        slice_of(self.locations[code as usize], &self.blocks, &self.tail)
    }

    fn views(&self, from: usize, to: usize) -> Arc<[u128]> {
        self.locations[from..to]
            .iter()
            .map(|at| make_view(slice_of(*at, &self.blocks, &self.tail), at.block, at.offset))
            .collect()
    }
}

fn slice_of<'a>(at: Location, blocks: &'a [Buffer], tail: &'a [u8]) -> &'a [u8] {
    let block = blocks.get(at.block as usize).map_or(tail, Buffer::as_slice);
    &block[at.offset as usize..(at.offset + at.length) as usize]
}

/// A dictionary at one length.
#[derive(Debug)]
pub struct DictionarySnapshot {
    len: usize,
    chunks: Vec<Arc<[u128]>>,
    blocks: Vec<Buffer>,
    flat: OnceLock<ArrayRef>,
}

impl DictionarySnapshot {
    /// The number of codes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no codes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All strings in code order, as a `StringViewArray` over shared text: made by the first caller, then shared,
    /// so every hot run of one snapshot has the very same values array.
    pub fn values(&self) -> &ArrayRef {
        self.flat.get_or_init(|| {
            let mut views = Vec::with_capacity(self.len);
            for chunk in &self.chunks {
                views.extend_from_slice(chunk);
            }
            // SAFETY: each view was made by `make_view` from a `&str` at its place in `blocks`, and full blocks
            // never change; the tail block is a copy. Checking every string again takes 721 µs for 100,000 of 36
            // bytes, which the first query after each append would wait for; the copy above takes 42 µs.
            #[allow(unsafe_code)]
            let array = unsafe {
                StringViewArray::new_unchecked(ScalarBuffer::from(views), self.blocks.clone(), None)
            };
            debug_assert_eq!(array.len(), self.len);
            Arc::new(array)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;
    use proptest::prelude::*;

    #[test]
    fn a_string_keeps_its_code() {
        let mut dictionary = Dictionary::new();
        assert_eq!(dictionary.intern("a"), 0);
        assert_eq!(dictionary.intern(""), 1);
        assert_eq!(dictionary.intern("a"), 0);
        assert_eq!(dictionary.get(1), Some(""));
        assert_eq!(dictionary.get(2), None);
        assert_eq!(dictionary.find("b"), None);
    }

    #[test]
    fn a_snapshot_does_not_see_later_codes() {
        let mut dictionary = Dictionary::new();
        dictionary.intern("a");
        let before = dictionary.snapshot();
        dictionary.intern("a string longer than twelve bytes");
        assert_eq!(before.values().as_string_view().iter().collect::<Vec<_>>(), [Some("a")]);
        assert_eq!(dictionary.snapshot().len(), 2);
    }

    #[test]
    fn snapshots_of_an_unchanged_dictionary_are_one() {
        let mut dictionary = Dictionary::new();
        dictionary.intern("a");
        assert!(Arc::ptr_eq(&dictionary.snapshot(), &dictionary.snapshot()));
    }

    proptest! {
        #[test]
        fn every_snapshot_equals_the_strings_interned_so_far(
            values in prop::collection::vec("[a-c]{0,30}", 0..300),
            long in 0usize..3,
        ) {
            let mut dictionary = Dictionary::new();
            let mut model: Vec<String> = Vec::new();
            let mut values = values;
            values.extend((0..long).map(|i| "x".repeat(BLOCK_BYTES + i)));
            values.extend((0..CHUNK_CODES / 8 * long).map(|i| format!("number {i}")));
            for (i, value) in values.iter().enumerate() {
                let expected = model.iter().position(|v| v == value).unwrap_or(model.len());
                if expected == model.len() {
                    model.push(value.clone());
                }
                prop_assert_eq!(dictionary.intern(value) as usize, expected);
                if i % 97 == 0 {
                    let snapshot = dictionary.snapshot();
                    let seen: Vec<_> = snapshot.values().as_string_view().iter().flatten().map(str::to_owned).collect();
                    prop_assert_eq!(&seen, &model);
                }
            }
        }
    }
}
