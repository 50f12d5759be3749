//! Bits of longs. Doubles are cut to longs first.

use arrow::array::ArrayRef;
use datafusion::error::Result;

use crate::native::library::bits::long_bits;
use crate::sql::args::{Args, doubles, longs};
use crate::sql::convert::Kind::{Double, Long};
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("BITWISE_AND", &[Long, Long], Returns::Long, |args| of_two(args, |x, y| x & y)),
    Spec::new("BITWISE_OR", &[Long, Long], Returns::Long, |args| of_two(args, |x, y| x | y)),
    Spec::new("BITWISE_XOR", &[Long, Long], Returns::Long, |args| of_two(args, |x, y| x ^ y)),
    // Java takes the distance modulo 64.
    Spec::new("BITWISE_SHIFT_LEFT", &[Long, Long], Returns::Long, |args| {
        of_two(args, |x, y| x.wrapping_shl(y as u32))
    }),
    Spec::new("BITWISE_SHIFT_RIGHT", &[Long, Long], Returns::Long, |args| {
        of_two(args, |x, y| x.wrapping_shr(y as u32))
    }),
    Spec::new("BITWISE_COMPLEMENT", &[Long], Returns::Long, |args| {
        let value = args.long(0)?;
        longs(args, |row| Ok(value.get(row).map(|value| !value)))
    }),
    Spec::new("BITWISE_CONVERT_DOUBLE_TO_LONG_BITS", &[Double], Returns::Long, |args| {
        let value = args.double(0)?;
        longs(args, |row| Ok(value.get(row).map(long_bits)))
    }),
    Spec::new("BITWISE_CONVERT_LONG_BITS_TO_DOUBLE", &[Long], Returns::Double, |args| {
        let value = args.long(0)?;
        doubles(args, |row| Ok(value.get(row).map(|value| f64::from_bits(value as u64))))
    }),
];

fn of_two(args: &Args, combine: impl Fn(i64, i64) -> i64) -> Result<ArrayRef> {
    let (left, right) = (args.long(0)?, args.long(1)?);
    longs(args, |row| Ok(left.get(row).zip(right.get(row)).map(|(left, right)| combine(left, right))))
}
