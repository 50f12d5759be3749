//! `GREATEST` and `LEAST`: NULLs do not count; of different types, texts win over doubles and doubles over longs. Times and
//! truth values are longs, as in Druid.

use std::cmp::Ordering;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;

use crate::sql::args::{Args, doubles, longs, texts};
use crate::sql::convert::Kind::{self, Any};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("GREATEST", &[Any], COMMON, |args| extreme(args, Ordering::Greater)).required(0).variadic(),
    Spec::new("LEAST", &[Any], COMMON, |args| extreme(args, Ordering::Less)).required(0).variadic(),
];

const COMMON: Returns = Returns::By(|types| match common(types.iter()) {
    None => DataType::Null,
    Some(Kind::Text) => DataType::Utf8View,
    Some(Kind::Double) => DataType::Float64,
    Some(_) => DataType::Int64,
});

/// The kind in which all are compared; `None` if nothing but NULLs is given.
fn common<'a>(types: impl Iterator<Item = &'a DataType>) -> Option<Kind> {
    let mut kinds = types.filter(|given| **given != DataType::Null).map(|given| match given {
        given if given.is_integer() => Kind::Long,
        given if given.is_numeric() => Kind::Double,
        DataType::Boolean | DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Kind::Long,
        _ => Kind::Text,
    });
    let first = kinds.next()?;
    Some(kinds.fold(first, |common, next| match (common, next) {
        (common, next) if common == next => common,
        (Kind::Text, _) | (_, Kind::Text) => Kind::Text,
        (Kind::Double, _) | (_, Kind::Double) => Kind::Double,
        _ => Kind::Long,
    }))
}

fn extreme(args: &Args, wanted: Ordering) -> Result<ArrayRef> {
    let types =
        (0..args.len()).map(|i| Ok(args.column(i)?.array.data_type().clone())).collect::<Result<Vec<_>>>()?;
    let Some(kind) = common(types.iter()) else {
        return Ok(arrow::array::new_null_array(&DataType::Null, args.rows()));
    };
    let args = &args.converted(kind)?;
    match kind {
        Kind::Text => {
            let columns = (0..args.len()).map(|i| args.text(i)).collect::<Result<Vec<_>>>()?;
            texts(args, |row, out| {
                let values = columns.iter().filter_map(|column| column.get(row));
                let best = values.reduce(|best, next| if next.cmp(best) == wanted { next } else { best });
                Ok(best.map(|best| out.push_str(best)))
            })
        }
        Kind::Double => {
            let columns = (0..args.len()).map(|i| args.double(i)).collect::<Result<Vec<_>>>()?;
            doubles(args, |row| {
                let values = columns.iter().filter_map(|column| column.get(row));
                Ok(values.reduce(|best, next| if next.total_cmp(&best) == wanted { next } else { best }))
            })
        }
        _ => {
            let columns = (0..args.len()).map(|i| args.long(i)).collect::<Result<Vec<_>>>()?;
            longs(args, |row| Ok(best(columns.iter().filter_map(|column| column.get(row)), wanted)))
        }
    }
}

fn best<T: Ord>(values: impl Iterator<Item = T>, wanted: Ordering) -> Option<T> {
    values.reduce(|best, next| if next.cmp(&best) == wanted { next } else { best })
}
