//! The distinct values of one key, by id, and the way back to an array.
//!
//! Ids are small and dense, so that groups can be found by them. [`NULL`] is an id like any other; 0 never is one,
//! so that tables of ids may begin as zeroes.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, PrimitiveArray, StringViewBuilder};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMillisecondType,
};
use datafusion::common::{Result, internal_err};

use super::floats::Float;
use super::table::{IdTable, KeyHasher};

/// The id of NULL.
pub(super) const NULL: u32 = 1;
/// The id of the first value.
const FIRST: u32 = 2;

/// Whether values of this type can be keys.
pub(super) fn can_be_key(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8View
            | DataType::Int64
            | DataType::Int32
            | DataType::Float32
            | DataType::Float64
            | DataType::Date32
            | DataType::Boolean
            | DataType::Timestamp(TimeUnit::Millisecond, None)
    )
}

/// A type whose values are one machine word; equal words are one key. Of floating point numbers these are the words
/// of [`Float::canonical`].
pub(super) trait Word: ArrowPrimitiveType {
    /// The value's bits.
    fn word(value: Self::Native) -> u64;
    /// The value of these bits.
    fn value(word: u64) -> Self::Native;
}

macro_rules! word {
    ($type:ty, $to:expr, $from:expr) => {
        impl Word for $type {
            fn word(value: Self::Native) -> u64 {
                $to(value)
            }

            fn value(word: u64) -> Self::Native {
                $from(word)
            }
        }
    };
}

word!(Int64Type, |value| value as u64, |word| word as i64);
word!(TimestampMillisecondType, |value| value as u64, |word| word as i64);
word!(Int32Type, |value| value as u64, |word| word as i32);
word!(Date32Type, |value| value as u64, |word| word as i32);
word!(Float32Type, |value: f32| u64::from(Self::canonical(value).to_bits()), |word| f32::from_bits(
    word as u32
));
word!(Float64Type, |value: f64| Self::canonical(value).to_bits(), f64::from_bits);

/// The distinct values of one key.
#[derive(Debug)]
pub(super) struct Values {
    data_type: DataType,
    hasher: KeyHasher,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Words(Vec<u64>, IdTable),
    Texts(Texts),
}

#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    /// Where each text ends in `bytes`.
    ends: Vec<usize>,
    table: IdTable,
    /// How many of the texts are in the table.
    indexed: usize,
    /// Texts in their order, as many as came in order.
    sorted: Vec<u32>,
}

impl Values {
    /// No values yet.
    pub(super) fn new(data_type: DataType) -> Self {
        let kind = if data_type == DataType::Utf8View {
            Kind::Texts(Texts::default())
        } else {
            Kind::Words(Vec::new(), IdTable::default())
        };
        Self { data_type, hasher: KeyHasher::default(), kind }
    }

    /// One more than the greatest id.
    pub(super) fn end(&self) -> u32 {
        FIRST
            + match &self.kind {
                Kind::Words(words, _) => words.len() as u32,
                Kind::Texts(texts) => texts.ends.len() as u32,
            }
    }

    /// The id of a number, given by its bits.
    pub(super) fn word(&mut self, word: u64) -> u32 {
        let Kind::Words(words, table) = &mut self.kind else { return NULL };
        let next = words.len() as u32;
        let id = table.find_or_insert(self.hasher.word(word), next, |id| words[id as usize] == word);
        if id == next {
            words.push(word);
        }
        FIRST + id
    }

    /// The id of a text.
    pub(super) fn text(&mut self, text: &str) -> u32 {
        let Kind::Texts(texts) = &mut self.kind else { return NULL };
        FIRST + texts.find_or_push(text, &self.hasher)
    }

    /// The id of a text that has none yet. It is not hashed before [`Self::text`] is called.
    pub(super) fn new_text(&mut self, text: &str) -> u32 {
        let Kind::Texts(texts) = &mut self.kind else { return NULL };
        FIRST + texts.push(text)
    }

    /// The ids of texts that come in their order, each once, as a sorted dictionary has them. One walk along those that came
    /// so before: none is hashed while all did.
    pub(super) fn sorted_texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) -> Vec<u32> {
        let Kind::Texts(own) = &mut self.kind else { return vec![NULL; texts.len()] };
        let known = std::mem::take(&mut own.sorted);
        let are_all_sorted = known.len() == own.ends.len();
        let mut sorted = Vec::with_capacity(known.len() + texts.len());
        let mut ids = Vec::with_capacity(texts.len());
        let mut left = known.into_iter().peekable();
        for text in texts {
            while let Some(less) = left.next_if(|&id| own.get(id as usize) < text) {
                sorted.push(less);
            }
            let id = match left.next_if(|&id| own.get(id as usize) == text) {
                Some(id) => id,
                None if are_all_sorted => own.push(text),
                None => own.find_or_push(text, &self.hasher),
            };
            sorted.push(id);
            ids.push(FIRST + id);
        }
        sorted.extend(left);
        own.sorted = sorted;
        ids
    }

    /// The id here of each id of `other`.
    pub(super) fn merge(&mut self, other: &Self) -> Vec<u32> {
        let mut ids = vec![0, NULL];
        match &other.kind {
            Kind::Words(words, _) => ids.extend(words.iter().map(|&word| self.word(word))),
            Kind::Texts(texts) if texts.sorted.len() == texts.ends.len() => {
                let in_order = self.sorted_texts(texts.sorted.iter().map(|&id| texts.get(id as usize)));
                ids.resize(FIRST as usize + texts.ends.len(), NULL);
                for (&theirs, own) in texts.sorted.iter().zip(in_order) {
                    ids[(FIRST + theirs) as usize] = own;
                }
            }
            Kind::Texts(texts) => {
                ids.extend((0..texts.ends.len()).map(|i| self.text(texts.get(i))));
            }
        }
        ids
    }

    /// The values of `ids`.
    pub(super) fn array(&self, ids: &[u32]) -> Result<ArrayRef> {
        match (&self.kind, &self.data_type) {
            (Kind::Texts(texts), _) => {
                let mut builder = StringViewBuilder::with_capacity(ids.len());
                for &id in ids {
                    builder.append_option((id != NULL).then(|| texts.get((id - FIRST) as usize)));
                }
                Ok(Arc::new(builder.finish()))
            }
            (Kind::Words(words, _), DataType::Int64) => Ok(primitive::<Int64Type>(words, ids)),
            (Kind::Words(words, _), DataType::Int32) => Ok(primitive::<Int32Type>(words, ids)),
            (Kind::Words(words, _), DataType::Date32) => Ok(primitive::<Date32Type>(words, ids)),
            (Kind::Words(words, _), DataType::Float32) => Ok(primitive::<Float32Type>(words, ids)),
            (Kind::Words(words, _), DataType::Float64) => Ok(primitive::<Float64Type>(words, ids)),
            (Kind::Words(words, _), DataType::Timestamp(TimeUnit::Millisecond, None)) => {
                Ok(primitive::<TimestampMillisecondType>(words, ids))
            }
            (Kind::Words(words, _), DataType::Boolean) => {
                let value = |&id: &u32| word_of(words, id).map(|word| word == 1);
                Ok(Arc::new(ids.iter().map(value).collect::<BooleanArray>()))
            }
            (_, other) => internal_err!("{other} is no type of a key"),
        }
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        match &self.kind {
            Kind::Words(words, table) => words.capacity() * size_of::<u64>() + table.bytes(),
            Kind::Texts(texts) => {
                texts.bytes.capacity()
                    + texts.ends.capacity() * size_of::<usize>()
                    + texts.sorted.capacity() * size_of::<u32>()
                    + texts.table.bytes()
            }
        }
    }
}

impl Texts {
    fn get(&self, index: usize) -> &str {
        // Only whole texts are ever pushed.
        std::str::from_utf8(slice(&self.bytes, &self.ends, index)).unwrap_or_default()
    }

    fn push(&mut self, text: &str) -> u32 {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
        self.ends.len() as u32 - 1
    }

    fn find_or_push(&mut self, text: &str, hasher: &KeyHasher) -> u32 {
        self.index_all(hasher);
        let next = self.ends.len() as u32;
        let (bytes, ends) = (&self.bytes, &self.ends);
        let same = |id: u32| slice(bytes, ends, id as usize) == text.as_bytes();
        let id = self.table.find_or_insert(hasher.text(text), next, same);
        if id == next {
            self.push(text);
            self.indexed += 1;
        }
        id
    }

    fn index_all(&mut self, hasher: &KeyHasher) {
        for id in self.indexed..self.ends.len() {
            let hash = hasher.text(self.get(id));
            self.table.find_or_insert(hash, id as u32, |_| false);
        }
        self.indexed = self.ends.len();
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], index: usize) -> &'a [u8] {
    let start = if index == 0 { 0 } else { ends[index - 1] };
    &bytes[start..ends[index]]
}

fn word_of(words: &[u64], id: u32) -> Option<u64> {
    (id != NULL).then(|| words[(id - FIRST) as usize])
}

fn primitive<T: Word>(words: &[u64], ids: &[u32]) -> ArrayRef {
    Arc::new(ids.iter().map(|&id| word_of(words, id).map(T::value)).collect::<PrimitiveArray<T>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashMap};

    #[test]
    fn a_text_has_one_id_however_it_came() {
        let mut values = Values::new(DataType::Utf8View);
        let (a, b) = (values.new_text("a"), values.new_text("a text longer than a view"));
        let c = values.text("");
        assert_eq!((values.text("a"), values.text("a text longer than a view")), (a, b));
        let array = values.array(&[b, NULL, c, a]).unwrap();
        let texts: Vec<_> = array.as_string_view().iter().collect();
        assert_eq!(texts, [Some("a text longer than a view"), None, Some(""), Some("a")]);
        assert_eq!(values.end(), c + 1);
    }

    #[test]
    fn numbers_come_back_but_neither_zero_nor_nan_has_a_sign() {
        let mut values = Values::new(DataType::Float32);
        let numbers = [0.0f32, -0.0, f32::NAN, -f32::NAN, f32::MIN, 0.5];
        let ids: Vec<u32> = numbers.iter().map(|&n| values.word(Float32Type::word(n))).collect();
        let array = values.array(&ids).unwrap();
        let back: Vec<u32> =
            array.as_primitive::<Float32Type>().values().iter().map(|n| n.to_bits()).collect();
        assert_eq!(back, [0.0, 0.0, f32::NAN, f32::NAN, f32::MIN, 0.5].map(f32::to_bits));
        assert_eq!(ids, [2, 2, 3, 3, 4, 5]);
        let mut values = Values::new(DataType::Int32);
        let id = values.word(Int32Type::word(-5));
        assert_eq!(values.array(&[id]).unwrap().as_primitive::<Int32Type>().value(0), -5);
    }

    proptest! {
        #[test]
        fn texts_have_one_id_whether_they_come_in_order_or_not(
            steps in prop::collection::vec((any::<bool>(), prop::collection::btree_set(0u8..30, 0..20)), 0..8),
            others in prop::collection::vec((any::<bool>(), prop::collection::btree_set(0u8..40, 0..20)), 0..4),
        ) {
            let name = |number: &u8| format!("text number {number:02}");
            let fill = |values: &mut Values, steps: Vec<(bool, BTreeSet<u8>)>| {
                let mut ids = HashMap::new();
                for (in_order, numbers) in steps {
                    let texts: Vec<String> = numbers.iter().map(name).collect();
                    let given = if in_order {
                        values.sorted_texts(texts.iter().map(String::as_str))
                    } else {
                        texts.iter().rev().map(|text| values.text(text)).rev().collect()
                    };
                    for (text, id) in texts.into_iter().zip(given) {
                        assert_eq!(*ids.entry(text).or_insert(id), id);
                    }
                }
                ids
            };
            let (mut own, mut other) = (Values::new(DataType::Utf8View), Values::new(DataType::Utf8View));
            let (mut ids, other_ids) = (fill(&mut own, steps), fill(&mut other, others));
            let translated = own.merge(&other);
            for (text, id) in other_ids {
                let here = translated[id as usize];
                prop_assert_eq!(*ids.entry(text).or_insert(here), here);
            }
            let distinct: BTreeSet<u32> = ids.values().copied().collect();
            prop_assert_eq!((distinct.len(), own.end()), (ids.len(), FIRST + ids.len() as u32));
            for (text, id) in ids {
                let array = own.array(&[id]).unwrap();
                prop_assert_eq!(array.as_string_view().value(0), text);
            }
        }
    }

    #[test]
    fn merging_gives_the_ids_that_the_values_have_here() {
        let (mut left, mut right) = (Values::new(DataType::Utf8View), Values::new(DataType::Utf8View));
        left.new_text("a");
        right.new_text("b");
        right.new_text("a");
        let ids = left.merge(&right);
        let array = left.array(&ids[1..]).unwrap();
        assert!(array.is_null(0));
        let texts: Vec<_> = array.as_string_view().iter().collect();
        assert_eq!(texts, [None, Some("b"), Some("a")]);
    }
}
