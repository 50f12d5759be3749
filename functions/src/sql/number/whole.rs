//! Functions that give the type of their argument: rounding, absolute values, division.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array};
use arrow::datatypes::DataType;
use datafusion::error::Result;

use crate::native::library::math::{round_double, round_long};
use crate::sql::args::{Args, doubles, longs};
use crate::sql::convert::Kind::{self, Long, Number};
use crate::sql::error::FunctionError;
use crate::sql::spec::{Returns, Spec};

/// The type of the first argument.
const LIKE_FIRST: Returns = Returns::By(|types| types.first().cloned().unwrap_or(DataType::Float64));

/// Long if all arguments are, else double.
const LONG_OR_DOUBLE: Returns = Returns::By(|types| {
    if types.iter().all(|given| *given == DataType::Int64) { DataType::Int64 } else { DataType::Float64 }
});

pub(super) const SPECS: &[Spec] = &[
    Spec::new("ABS", &[Number], LIKE_FIRST, |args| map(args, |x, _| x.wrapping_abs(), |x, _| x.abs())),
    Spec::new("CEIL", &[Number], LIKE_FIRST, |args| map(args, |x, _| x, |x, _| x.ceil()))
        .aliases(&["CEILING"]),
    Spec::new("FLOOR", &[Number], LIKE_FIRST, |args| map(args, |x, _| x, |x, _| x.floor())),
    Spec::new("ROUND", &[Number, Long], LIKE_FIRST, |args| map(args, round_long, round_double)).required(1),
    Spec::new("TRUNCATE", &[Number, Long], LIKE_FIRST, |args| map(args, truncate_long, truncate_double))
        .required(1)
        .aliases(&["TRUNC"]),
    Spec::new("MOD", &[Number, Number], LONG_OR_DOUBLE, |args| {
        divide(args, |x, y| whole(x, y, i64::wrapping_rem), |x, y| Some(x % y))
    }),
    Spec::new("DIV", &[Number, Number], Returns::Long, div),
    Spec::new("SAFE_DIVIDE", &[Number, Number], LONG_OR_DOUBLE, |args| {
        divide(
            args,
            |x, y| Ok(if y == 0 { (x == 0).then_some(0) } else { Some(x.wrapping_div(y)) }),
            |x, y| if y == 0.0 || y.is_nan() { (x == 0.0).then_some(0.0) } else { Some(x / y) },
        )
    }),
];

/// Applies one of two functions by the type of the first argument; the second argument, 0 unless given, goes along.
fn map(
    args: &Args,
    of_long: impl Fn(i64, i64) -> i64,
    of_double: impl Fn(f64, i64) -> f64,
) -> Result<ArrayRef> {
    let digits = args.optional(1, |i| args.long(i))?;
    let digits = |row: usize| digits.map_or(Some(0), |digits| digits.get(row));
    let rows = 0..args.rows();
    Ok(match args.column(0)?.array.data_type() {
        DataType::Int64 => {
            let value = args.long(0)?;
            Arc::new(rows.map(|row| Some(of_long(value.get(row)?, digits(row)?))).collect::<Int64Array>())
        }
        DataType::Float32 => {
            let value = args.float(0)?;
            let of = |row| Some(of_double(f64::from(value.get(row)?), digits(row)?) as f32);
            Arc::new(rows.map(of).collect::<Float32Array>())
        }
        _ => {
            let value = args.double(0)?;
            Arc::new(rows.map(|row| Some(of_double(value.get(row)?, digits(row)?))).collect::<Float64Array>())
        }
    })
}

fn truncate_long(value: i64, digits: i64) -> i64 {
    if digits >= 0 {
        return value;
    }
    let unit = u32::try_from(digits.unsigned_abs()).ok().and_then(|digits| 10_i64.checked_pow(digits));
    unit.map_or(0, |unit| value / unit * unit)
}

/// As Druid does it: shifted, cut to a long, shifted back.
fn truncate_double(value: f64, digits: i64) -> f64 {
    let factor = 10_f64.powi(digits.clamp(-400, 400) as i32);
    if digits > 0 && !(value * factor).is_finite() {
        return value;
    }
    ((value * factor) as i64) as f64 / factor
}

fn whole(x: i64, y: i64, of: impl Fn(i64, i64) -> i64) -> Result<Option<i64>> {
    if y == 0 { Err(FunctionError::DivisionByZero.into()) } else { Ok(Some(of(x, y))) }
}

/// Whole numbers if both are, else doubles.
fn divide(
    args: &Args,
    of_longs: impl Fn(i64, i64) -> Result<Option<i64>>,
    of_doubles: impl Fn(f64, f64) -> Option<f64>,
) -> Result<ArrayRef> {
    if all_long(args)? {
        let (left, right) = (args.long(0)?, args.long(1)?);
        return longs(args, |row| match left.get(row).zip(right.get(row)) {
            Some((left, right)) => of_longs(left, right),
            None => Ok(None),
        });
    }
    let args = &args.converted(Kind::Double)?;
    let (left, right) = (args.double(0)?, args.double(1)?);
    doubles(args, |row| {
        Ok(left.get(row).zip(right.get(row)).and_then(|(left, right)| of_doubles(left, right)))
    })
}

fn div(args: &Args) -> Result<ArrayRef> {
    if all_long(args)? {
        return divide(args, |x, y| whole(x, y, i64::wrapping_div), |_, _| None);
    }
    let args = &args.converted(Kind::Double)?;
    let (left, right) = (args.double(0)?, args.double(1)?);
    longs(args, |row| Ok(left.get(row).zip(right.get(row)).map(|(left, right)| (left / right) as i64)))
}

fn all_long(args: &Args) -> Result<bool> {
    for i in 0..args.len() {
        if *args.column(i)?.array.data_type() != DataType::Int64 {
            return Ok(false);
        }
    }
    Ok(true)
}
