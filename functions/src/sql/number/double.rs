//! Functions that always give a double.

use arrow::array::ArrayRef;
use datafusion::error::Result;

use crate::native::library::power;
use crate::sql::args::{Args, doubles};
use crate::sql::convert::Kind::Double;
use crate::sql::spec::{Returns, Spec};

const fn of_one(name: &'static str, kernel: fn(&Args) -> Result<ArrayRef>) -> Spec {
    Spec::new(name, &[Double], Returns::Double, kernel)
}

pub(super) const SPECS: &[Spec] = &[
    of_one("SQRT", |args| map(args, f64::sqrt)),
    of_one("EXP", |args| map(args, f64::exp)),
    of_one("LN", |args| map(args, f64::ln)),
    of_one("LOG10", |args| map(args, f64::log10)),
    of_one("SIN", |args| map(args, f64::sin)),
    of_one("COS", |args| map(args, f64::cos)),
    of_one("TAN", |args| map(args, f64::tan)),
    of_one("COT", |args| map(args, |x| x.cos() / x.sin())),
    of_one("ASIN", |args| map(args, f64::asin)),
    of_one("ACOS", |args| map(args, f64::acos)),
    of_one("ATAN", |args| map(args, f64::atan)),
    of_one("DEGREES", |args| map(args, f64::to_degrees)),
    of_one("RADIANS", |args| map(args, f64::to_radians)),
    Spec::new("ATAN2", &[Double, Double], Returns::Double, |args| of_two(args, f64::atan2)),
    Spec::new("POWER", &[Double, Double], Returns::Double, |args| of_two(args, power)).aliases(&["POW"]),
    Spec::new("LOG", &[Double, Double], Returns::Double, log).required(1),
];

fn map(args: &Args, of: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let value = args.double(0)?;
    doubles(args, |row| Ok(value.get(row).map(&of)))
}

fn of_two(args: &Args, of: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (left, right) = (args.double(0)?, args.double(1)?);
    doubles(args, |row| Ok(left.get(row).zip(right.get(row)).map(|(left, right)| of(left, right))))
}

/// To a base; the natural one for a number alone.
fn log(args: &Args) -> Result<ArrayRef> {
    if args.len() == 1 { map(args, f64::ln) } else { of_two(args, |base, value| value.ln() / base.ln()) }
}
