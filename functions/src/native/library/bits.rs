//! Bits of longs. Doubles are cut to longs first.

use super::{Call, Definition, function};
use crate::native::error::ExpressionError;
use crate::native::kernel::{Double, Long, map1, map2};
use crate::native::types::{Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

pub(super) const FUNCTIONS: &[Definition] = &[
    function("bitwiseAnd", 2, 2, |call| longs(call, |x, y| x & y)),
    function("bitwiseOr", 2, 2, |call| longs(call, |x, y| x | y)),
    function("bitwiseXor", 2, 2, |call| longs(call, |x, y| x ^ y)),
    // Java takes the distance modulo 64.
    function("bitwiseShiftLeft", 2, 2, |call| longs(call, |x, y| x.wrapping_shl(y as u32))),
    function("bitwiseShiftRight", 2, 2, |call| longs(call, |x, y| x.wrapping_shr(y as u32))),
    function("bitwiseComplement", 1, 1, |call| {
        Ok(call.function(vec![call.long(0)?], Type::Long, map1::<Long, Long>(|x| Some(!x))))
    }),
    function("bitwiseConvertDoubleToLongBits", 1, 1, |call| {
        let kernel = map1::<Double, Long>(|x| Some(long_bits(x)));
        Ok(call.function(vec![call.double(0)?], Type::Long, kernel))
    }),
    function("bitwiseConvertLongBitsToDouble", 1, 1, |call| {
        let kernel = map1::<Long, Double>(|x| Some(f64::from_bits(x as u64)));
        Ok(call.function(vec![call.long(0)?], Type::Double, kernel))
    }),
];

/// Java's `doubleToLongBits`: all NaN have the same.
pub(crate) fn long_bits(value: f64) -> i64 {
    const NAN: i64 = 0x7FF8_0000_0000_0000;
    if value.is_nan() { NAN } else { value.to_bits() as i64 }
}

fn longs(call: &Call, f: fn(i64, i64) -> i64) -> Lowered {
    let arguments = vec![call.long(0)?, call.long(1)?];
    Ok(call.function(arguments, Type::Long, map2::<Long, Long, Long>(move |x, y| Some(f(x, y)))))
}
