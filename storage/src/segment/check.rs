//! Checks posting lists against the column that they index: sound lists of the wrong rows would answer wrongly.

use arrow::array::{Array, ArrayRef, AsArray};

use super::postings::Postings;
use crate::error::Result;

/// What does not fit, if anything. Both directions: every row in a list has the code, and there are as many rows in
/// the lists as rows have codes.
pub(super) fn contradiction(column: &ArrayRef, postings: &Postings) -> Result<Option<String>> {
    let Some(rows) = Rows::of(column) else {
        return Ok(Some("it has posting lists and no dictionary".into()));
    };
    let mut listed = 0;
    for code in 0..postings.len() {
        let bitmap = postings.get(code as u32)?;
        listed += bitmap.len();
        if let Some(row) = bitmap.iter().find(|&row| !rows.codes(row as usize).any(|held| held == code)) {
            return Ok(Some(format!("the posting list of code {code} has row {row}, which has another")));
        }
    }
    let nulls = postings.nulls()?;
    if let Some(row) = nulls.iter().find(|&row| rows.codes(row as usize).next().is_some()) {
        return Ok(Some(format!("the posting list of NULL has row {row}, which has a value")));
    }
    let expected: u64 = (0..column.len()).map(|row| rows.distinct(row)).sum();
    let listed = listed + nulls.len();
    Ok((listed != expected).then(|| format!("its posting lists have {listed} rows instead of {expected}")))
}

/// The codes of each row.
struct Rows<'a> {
    column: &'a ArrayRef,
    keys: Vec<Option<usize>>,
}

impl<'a> Rows<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        let items = column.as_list_opt::<i32>().map_or(column, |list| list.values());
        let dictionary = items.as_any_dictionary_opt()?;
        if dictionary.values().is_empty() {
            return Some(Self { column, keys: vec![None; dictionary.len()] });
        }
        let keys = dictionary.normalized_keys();
        let keys = keys.into_iter().enumerate().map(|(at, key)| dictionary.is_valid(at).then_some(key));
        Some(Self { column, keys: keys.collect() })
    }

    /// None for a NULL row.
    fn codes(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let items = match self.column.as_list_opt::<i32>() {
            Some(list) => list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize,
            None => row..row + 1,
        };
        self.keys[items].iter().copied().flatten()
    }

    /// The number of lists that a row belongs to.
    fn distinct(&self, row: usize) -> u64 {
        let mut codes: Vec<usize> = self.codes(row).collect();
        codes.sort_unstable();
        codes.dedup();
        codes.len().max(1) as u64
    }
}
