//! Mathematics, as `java.lang.Math` defines it.
//!
//! Functions of text alone are NULL, as Druid's are; text beside a number is read as one.
//!
//! Where Java throws for one row (a whole number divided by zero), the result is NULL: one row must not stop a stream.

use datafusion::logical_expr::lit;

use super::{Call, Definition, Rule, function, numeric};
use crate::native::coerce::null_of;
use crate::native::error::ExpressionError;
use crate::native::kernel::{Double, Long, map1, map2};
use crate::native::types::{Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

const fn double(name: &'static str, f: fn(f64) -> f64) -> Definition {
    Definition { name, arguments_min: 1, arguments_max: 1, rule: Rule::Double1(f) }
}

const fn doubles(name: &'static str, f: fn(f64, f64) -> f64) -> Definition {
    Definition { name, arguments_min: 2, arguments_max: 2, rule: Rule::Double2(f) }
}

pub(super) const FUNCTIONS: &[Definition] = &[
    function("pi", 0, 0, |_| Ok(Typed::double(std::f64::consts::PI))),
    double("acos", f64::acos),
    double("asin", f64::asin),
    double("atan", f64::atan),
    double("cbrt", f64::cbrt),
    double("ceil", f64::ceil),
    double("cos", f64::cos),
    double("cosh", f64::cosh),
    double("cot", |x| x.cos() / x.sin()),
    double("exp", f64::exp),
    double("expm1", f64::exp_m1),
    double("floor", f64::floor),
    double("log", f64::ln),
    double("log10", f64::log10),
    double("log1p", f64::ln_1p),
    double("nextUp", f64::next_up),
    double("rint", f64::round_ties_even),
    double("signum", signum),
    double("sin", f64::sin),
    double("sinh", f64::sinh),
    double("sqrt", f64::sqrt),
    double("tan", f64::tan),
    double("tanh", f64::tanh),
    double("toDegrees", f64::to_degrees),
    double("toRadians", f64::to_radians),
    double("ulp", ulp),
    doubles("atan2", f64::atan2),
    doubles("copySign", f64::copysign),
    doubles("hypot", f64::hypot),
    doubles("nextAfter", next_after),
    doubles("pow", power),
    doubles("remainder", ieee_remainder),
    function("abs", 1, 1, abs),
    function("getExponent", 1, 1, |call| {
        Ok(call.function(vec![call.double(0)?], Type::Long, map1::<Double, Long>(|x| Some(exponent(x)))))
    }),
    function("scalb", 2, 2, |call| {
        let arguments = vec![call.double(0)?, call.long(1)?];
        Ok(call.function(arguments, Type::Double, map2::<Double, Long, Double>(|x, n| Some(scale(x, n)))))
    }),
    function("div", 2, 2, div),
    function("safe_divide", 2, 2, safe_divide),
    function("max", 2, 2, |call| choose2(call, i64::max, |x, y| pick(x, y, std::cmp::Ordering::Greater))),
    function("min", 2, 2, |call| choose2(call, i64::min, |x, y| pick(x, y, std::cmp::Ordering::Less))),
    function("round", 1, 2, round),
];

/// What a function of text alone is.
pub(super) fn null() -> Typed {
    Typed::new(lit(null_of(Type::Double)), Type::Double)
}

pub(super) fn double1(call: &Call, f: fn(f64) -> f64) -> Lowered {
    Ok(call.function(vec![call.double(0)?], Type::Double, map1::<Double, Double>(move |x| Some(f(x)))))
}

pub(super) fn double2(call: &Call, f: fn(f64, f64) -> f64) -> Lowered {
    let arguments = vec![call.double(0)?, call.double(1)?];
    Ok(call.function(arguments, Type::Double, map2::<Double, Double, Double>(move |x, y| Some(f(x, y)))))
}

fn abs(call: &Call) -> Lowered {
    if numeric(&call.arguments) == Type::Long {
        return Ok(call.function(
            vec![call.long(0)?],
            Type::Long,
            map1::<Long, Long>(|x| Some(x.wrapping_abs())),
        ));
    }
    double1(call, f64::abs)
}

fn choose2(call: &Call, longs: fn(i64, i64) -> i64, doubles: fn(f64, f64) -> f64) -> Lowered {
    if numeric(&call.arguments) == Type::Long {
        let arguments = vec![call.long(0)?, call.long(1)?];
        return Ok(call.function(
            arguments,
            Type::Long,
            map2::<Long, Long, Long>(move |x, y| Some(longs(x, y))),
        ));
    }
    double2(call, doubles)
}

/// Java's `max` and `min`: NaN wins, and -0.0 is less than 0.0.
fn pick(x: f64, y: f64, wanted: std::cmp::Ordering) -> f64 {
    if x.is_nan() || x.total_cmp(&y) == wanted && !y.is_nan() { x } else { y }
}

fn div(call: &Call) -> Lowered {
    if numeric(&call.arguments) == Type::Long {
        let arguments = vec![call.long(0)?, call.long(1)?];
        let kernel = map2::<Long, Long, Long>(|x, y| (y != 0).then(|| x.wrapping_div(y)));
        return Ok(call.function(arguments, Type::Long, kernel));
    }
    let arguments = vec![call.double(0)?, call.double(1)?];
    Ok(call.function(arguments, Type::Long, map2::<Double, Double, Long>(|x, y| Some((x / y) as i64))))
}

/// NULL when only the divisor is zero; zero by zero is zero.
fn safe_divide(call: &Call) -> Lowered {
    if numeric(&call.arguments) == Type::Long {
        let arguments = vec![call.long(0)?, call.long(1)?];
        let kernel =
            map2::<Long, Long, Long>(
                |x, y| if y == 0 { (x == 0).then_some(0) } else { Some(x.wrapping_div(y)) },
            );
        return Ok(call.function(arguments, Type::Long, kernel));
    }
    let arguments = vec![call.double(0)?, call.double(1)?];
    let kernel = map2::<Double, Double, Double>(|x, y| {
        if y == 0.0 || y.is_nan() { (x == 0.0).then_some(0.0) } else { Some(x / y) }
    });
    Ok(call.function(arguments, Type::Double, kernel))
}

/// Half away from zero, on the decimal digits that the number prints with.
fn round(call: &Call) -> Lowered {
    if call.argument(0)?.ty == Type::Text {
        return Ok(null());
    }
    let places = if call.has(1) {
        match call.argument(1)?.ty {
            Type::Long | Type::Truth | Type::Null => call.long(1)?,
            other => return Err(call.mismatch(1, other, "LONG")),
        }
    } else {
        Typed::long(0).expr
    };
    if numeric(call.arguments.get(..1).unwrap_or_default()) == Type::Long {
        let kernel = map2::<Long, Long, Long>(|x, places| Some(round_long(x, places)));
        return Ok(call.function(vec![call.long(0)?, places], Type::Long, kernel));
    }
    let kernel = map2::<Double, Long, Double>(|x, places| Some(round_double(x, places)));
    Ok(call.function(vec![call.double(0)?, places], Type::Double, kernel))
}

/// To a multiple of ten to the power of `-places`.
pub(crate) fn round_long(value: i64, places: i64) -> i64 {
    if places >= 0 {
        return value;
    }
    let Some(unit) = u32::try_from(places.unsigned_abs()).ok().and_then(|p| 10_i128.checked_pow(p)) else {
        return 0;
    };
    let value = i128::from(value);
    let half = if value < 0 { -unit / 2 } else { unit / 2 };
    ((value + half) / unit * unit) as i64
}

/// To `places` decimals; NaN is 0 and infinities become the nearest finite numbers, as Druid defines it.
pub(crate) fn round_double(value: f64, places: i64) -> f64 {
    if value.is_nan() {
        return 0.0;
    }
    let value = value.clamp(f64::MIN, f64::MAX);
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    // The number is 0.digits × 10^point.
    let point = exponent.parse::<i64>().unwrap_or(0) + 1;
    let kept = point.saturating_add(places);
    let Ok(kept) = usize::try_from(kept) else { return 0.0 };
    if kept >= digits.len() {
        return value + 0.0;
    }
    let up = digits.get(kept).is_some_and(|d| *d >= b'5');
    digits.truncate(kept);
    let mut carry = up;
    for digit in digits.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == b'9';
        *digit = if carry { b'0' } else { *digit + 1 };
    }
    let head = if carry { "1" } else { "0" };
    let digits = String::from_utf8(digits).unwrap_or_default();
    // Decimal numbers have one zero, without a sign.
    format!("{sign}{head}.{digits}e{point}").parse().unwrap_or(value) + 0.0
}

/// Java's: zero keeps its sign.
fn signum(x: f64) -> f64 {
    if x == 0.0 { x } else { x.signum() }
}

fn ulp(x: f64) -> f64 {
    let x = x.abs();
    if x == f64::MAX { x - x.next_down() } else { x.next_up() - x }
}

fn next_after(from: f64, towards: f64) -> f64 {
    if from.is_nan() || towards.is_nan() {
        f64::NAN
    } else if from == towards {
        towards
    } else if from < towards {
        from.next_up()
    } else {
        from.next_down()
    }
}

/// Java's `Math.pow` differs from C's in one place: 1 to the power of NaN or infinity is NaN.
pub(crate) fn power(x: f64, y: f64) -> f64 {
    if y.is_nan() || (y.is_infinite() && x.abs() == 1.0) { f64::NAN } else { x.powf(y) }
}

/// The unbiased exponent: 1024 for NaN and infinities, -1023 for zero and subnormals.
fn exponent(x: f64) -> i64 {
    ((x.to_bits() >> 52) & 0x7ff) as i64 - 1023
}

/// `x × 2^n`. Steps down keep 53 bits in hand, so that only the last one can round.
fn scale(mut x: f64, n: i64) -> f64 {
    let mut n = n.clamp(-3000, 3000);
    let power_of_two = |n: i64| f64::from_bits(((n + 1023) as u64) << 52);
    while n > 1023 {
        x *= power_of_two(1023);
        n -= 1023;
    }
    while n < -1022 {
        x *= power_of_two(53 - 1022);
        n += 1022 - 53;
    }
    x * power_of_two(n)
}

/// The remainder to the nearest multiple, ties to the even one.
fn ieee_remainder(x: f64, y: f64) -> f64 {
    if x.is_nan() || x.is_infinite() || y.is_nan() || y == 0.0 {
        return f64::NAN;
    }
    if y.is_infinite() {
        return x;
    }
    let y = y.abs();
    // `%` is exact. Modulo 2y keeps whether the quotient is odd.
    let rest = if y <= f64::MAX / 2.0 { x.abs() % (2.0 * y) } else { x.abs() };
    // Twice the rest could overflow; the difference cannot.
    let beyond_half = |r: f64| r > y - r;
    let mut r = rest;
    if beyond_half(r) {
        r -= y;
        if r >= y - r {
            r -= y;
        }
    }
    if x.is_sign_negative() { -r } else { r }
}
