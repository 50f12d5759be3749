//! IPv4 addresses, as dotted text or as longs.

use std::net::Ipv4Addr;

use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, lit};

use super::{Call, Definition, function};
use crate::native::error::ExpressionError;
use crate::native::kernel::{Long, Text, Truth, map1};
use crate::native::types::{Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

pub(super) const FUNCTIONS: &[Definition] = &[
    function("ipv4_match", 2, 2, is_inside),
    function("ipv4_parse", 1, 1, |call| match call.argument(0)?.ty {
        Type::Long => Ok(call.function(
            vec![call.long(0)?],
            Type::Long,
            map1::<Long, Long>(|v| of_long(v).map(to_long)),
        )),
        _ => Ok(call.function(
            vec![call.text(0)?],
            Type::Long,
            map1::<Text, Long>(|v| of_text(v).map(to_long)),
        )),
    }),
    function("ipv4_stringify", 1, 1, |call| match call.argument(0)?.ty {
        Type::Long => {
            let kernel = map1::<Long, Text>(|v| of_long(v).map(|a| a.to_string()));
            Ok(call.function(vec![call.long(0)?], Type::Text, kernel))
        }
        _ => {
            let kernel = map1::<Text, Text>(|v| of_text(v).map(|a| a.to_string()));
            Ok(call.function(vec![call.text(0)?], Type::Text, kernel))
        }
    }),
];

pub(crate) fn of_text(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

pub(crate) fn of_long(value: i64) -> Option<Ipv4Addr> {
    u32::try_from(value).ok().map(Ipv4Addr::from_bits)
}

pub(crate) fn to_long(address: Ipv4Addr) -> i64 {
    i64::from(address.to_bits())
}

/// Never NULL: what is no address lies in no network.
fn is_inside(call: &Call) -> Lowered {
    let network = call.required_text(1, "the network")?;
    let Some((base, mask)) = network_of(network) else {
        return Err(call.error(format!("takes a network like 192.168.0.0/16, not '{network}'")));
    };
    let inside = move |address: Ipv4Addr| address.to_bits() & mask == base;
    let found = match call.argument(0)?.ty {
        Type::Long => {
            let kernel = map1::<Long, Truth>(move |v| of_long(v).map(inside));
            call.function_with(network, vec![call.long(0)?], Type::Truth, kernel)
        }
        _ => {
            let kernel = map1::<Text, Truth>(move |v| of_text(v).map(inside));
            call.function_with(network, vec![call.text(0)?], Type::Truth, kernel)
        }
    };
    let case = Case::new(None, vec![(Box::new(found.expr), Box::new(lit(true)))], Some(Box::new(lit(false))));
    Ok(Typed::truth(Expr::Case(case)))
}

/// `a.b.c.d/n`, or one address, as base and mask.
pub(crate) fn network_of(text: &str) -> Option<(u32, u32)> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "32"));
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Some((of_text(address)?.to_bits() & mask, mask))
}
