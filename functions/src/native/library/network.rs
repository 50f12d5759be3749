//! IPv4 addresses, as dotted text or as longs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, lit};

use super::{Call, Definition, function};
use crate::native::error::ExpressionError;
use crate::native::kernel::{Kernel, Long, Text, Truth, map1};
use crate::native::types::{Type, Typed};

type Lowered = Result<Typed, ExpressionError>;

pub(super) const FUNCTIONS: &[Definition] = &[
    function("ipv4_match", 2, 2, is_inside),
    function("ipv4_parse", 1, 1, |call| {
        let (of_longs, of_texts) = (|v| of_long(v).map(to_long), |v: &str| of_text(v).map(to_long));
        by_type(call, "", Type::Long, map1::<Long, Long>(of_longs), map1::<Text, Long>(of_texts))
    }),
    function("ipv4_stringify", 1, 1, |call| {
        let of_longs = |v| of_long(v).map(|address| address.to_string());
        let of_texts = |v: &str| of_text(v).map(|address| address.to_string());
        by_type(call, "", Type::Text, map1::<Long, Text>(of_longs), map1::<Text, Text>(of_texts))
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

/// Longs are addresses as numbers; everything else is one as text.
fn by_type(call: &Call, constants: &str, ty: Type, of_longs: Arc<Kernel>, of_texts: Arc<Kernel>) -> Lowered {
    if call.argument(0)?.ty == Type::Long {
        return Ok(call.function_with(constants, vec![call.long(0)?], ty, of_longs));
    }
    Ok(call.function_with(constants, vec![call.text(0)?], ty, of_texts))
}

/// Never NULL: what is no address lies in no network.
fn is_inside(call: &Call) -> Lowered {
    let network = call.required_text(1, "the network")?;
    let Some((base, mask)) = network_of(network) else {
        return Err(call.error(format!("takes a network like 192.168.0.0/16, not '{network}'")));
    };
    let inside = move |address: Ipv4Addr| address.to_bits() & mask == base;
    let of_longs = map1::<Long, Truth>(move |v| of_long(v).map(inside));
    let of_texts = map1::<Text, Truth>(move |v| of_text(v).map(inside));
    let found = by_type(call, network, Type::Truth, of_longs, of_texts)?;
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
