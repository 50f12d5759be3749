//! Prepared columns, put into the segment's row order: the arrays that go to disk.
//!
//! Codes are kept beside the array they went into, because posting lists and block statistics are made from them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, ListArray, PrimitiveArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{ArrowDictionaryKeyType, ArrowNativeType, Field, UInt8Type, UInt16Type, UInt32Type};

use super::input::list_range;
use super::prepare::{Bounds, Coded, Number, Prepared, Text, numbers, utf8};
use crate::dictionary::NULL_CODE;
use crate::error::Result;

/// A column as it goes to disk.
pub(super) struct Encoded {
    pub(super) array: ArrayRef,
    /// Codes of the sorted dictionary, where there is one.
    pub(super) codes: Option<RowCodes>,
}

/// The codes of all rows, [`NULL_CODE`] for NULL.
pub(super) struct RowCodes {
    /// Per row the end of its codes; `None` where each row has one.
    ends: Option<Vec<u32>>,
    codes: Vec<u32>,
    /// The length of the dictionary.
    pub(super) distinct: u32,
}

impl RowCodes {
    pub(super) fn rows(&self) -> usize {
        self.ends.as_ref().map_or(self.codes.len(), Vec::len)
    }

    /// The codes of one row; a NULL row has the single code [`NULL_CODE`].
    pub(super) fn row(&self, row: usize) -> &[u32] {
        match &self.ends {
            None => &self.codes[row..=row],
            Some(ends) => match &self.codes[list_range(ends, row)] {
                [] => &[NULL_CODE],
                codes => codes,
            },
        }
    }

    /// Whether rows may have several codes.
    pub(super) fn is_list(&self) -> bool {
        self.ends.is_some()
    }
}

/// `__time`, as readers of the Arrow file see it.
pub(super) fn time_array(time: &ScalarBuffer<i64>, order: Option<&UInt32Array>) -> Result<ArrayRef> {
    let time = TimestampMillisecondArray::new(time.clone(), None);
    in_order(&time, order)
}

/// Puts a column into `order`, or leaves it as it is.
pub(super) fn encode(
    name: &str,
    column: &Prepared,
    order: Option<&UInt32Array>,
    bounds: Bounds,
) -> Result<Encoded> {
    let plain = |array| Ok(Encoded { array, codes: None });
    match column {
        Prepared::Long(array) => plain(in_order(array, order)?),
        Prepared::Float(array) => plain(in_order(array, order)?),
        Prepared::Double(array) => plain(in_order(array, order)?),
        Prepared::Text(text) => plain(text_array(name, text, order, bounds)?),
        Prepared::Coded(coded) => {
            let codes: Vec<u32> = match order {
                None => (0..coded.len()).map(|row| coded.rank(row)).collect(),
                Some(order) => order.values().iter().map(|&row| coded.rank(row as usize)).collect(),
            };
            Ok(Encoded {
                array: dictionary_array(&codes, &coded.values)?,
                codes: Some(RowCodes { ends: None, codes, distinct: coded.values.len() as u32 }),
            })
        }
        Prepared::List { ends, items } => list(ends, items, order),
    }
}

/// Numbers of few different values as a dictionary array, as a segment would hold them; `None` for all others.
pub(crate) fn coded_numbers<T: Number>(array: &PrimitiveArray<T>) -> Result<Option<ArrayRef>> {
    let bounds = Bounds::default();
    let Some(coded) = numbers(array, bounds.numbers_max(array.len())) else { return Ok(None) };
    Ok(Some(encode("", &coded, None, bounds)?.array))
}

fn in_order(array: &dyn Array, order: Option<&UInt32Array>) -> Result<ArrayRef> {
    Ok(match order {
        None => array.slice(0, array.len()),
        Some(order) => take(array, order, None)?,
    })
}

fn text_array(name: &str, text: &Text, order: Option<&UInt32Array>, bounds: Bounds) -> Result<ArrayRef> {
    let rows = text.rows();
    Ok(Arc::new(match order {
        None => utf8(name, rows, bounds, (0..rows).map(|row| text.value(row)))?,
        Some(order) => utf8(name, rows, bounds, order.values().iter().map(|&row| text.value(row as usize)))?,
    }))
}

fn list(given_ends: &[u32], items: &Coded, order: Option<&UInt32Array>) -> Result<Encoded> {
    let rows = given_ends.len();
    let (mut ends, mut codes) = (Vec::with_capacity(rows), Vec::with_capacity(items.len()));
    for at in 0..rows {
        let row = order.map_or(at, |order| order.value(at) as usize);
        codes.extend(list_range(given_ends, row).map(|item| items.rank(item)));
        ends.push(codes.len() as u32);
    }
    let offsets: ScalarBuffer<i32> = std::iter::once(0).chain(ends.iter().map(|&end| end as i32)).collect();
    let valid: Vec<bool> = offsets.windows(2).map(|pair| pair[0] != pair[1]).collect();
    let values = dictionary_array(&codes, &items.values)?;
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    let nulls = valid.contains(&false).then(|| NullBuffer::from(valid));
    let array = ListArray::try_new(field, OffsetBuffer::new(offsets), values, nulls)?;
    let distinct = items.values.len() as u32;
    Ok(Encoded { array: Arc::new(array), codes: Some(RowCodes { ends: Some(ends), codes, distinct }) })
}

/// A dictionary array with the narrowest keys that reach all of `values`.
fn dictionary_array(codes: &[u32], values: &ArrayRef) -> Result<ArrayRef> {
    match values.len() {
        0..=0x100 => keyed::<UInt8Type>(codes, values),
        0x101..=0x1_0000 => keyed::<UInt16Type>(codes, values),
        _ => keyed::<UInt32Type>(codes, values),
    }
}

fn keyed<K: ArrowDictionaryKeyType>(codes: &[u32], values: &ArrayRef) -> Result<ArrayRef> {
    // The key under a NULL is 0, not garbage: kernels may gather before they look at validity.
    let key =
        |code: u32| if code == NULL_CODE { K::default_value() } else { K::Native::usize_as(code as usize) };
    let keys: ScalarBuffer<K::Native> = codes.iter().map(|&code| key(code)).collect();
    let nulls = codes.contains(&NULL_CODE).then(|| codes.iter().map(|&code| code != NULL_CODE).collect());
    let keys = PrimitiveArray::<K>::try_new(keys, nulls)?;
    Ok(Arc::new(DictionaryArray::<K>::try_new(keys, ArrayRef::clone(values))?))
}
