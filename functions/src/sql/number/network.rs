//! Addresses of the internet, as texts or, of version 4, as longs. What is no address lies in no network.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::error::Result;

use crate::native::library::network::{network_of, of_long, of_text, to_long};
use crate::sql::args::{Args, booleans, longs, texts};
use crate::sql::convert::Kind;
use crate::sql::spec::{Returns, Spec};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("IPV4_MATCH", &[Kind::Any, Kind::Text], Returns::Boolean, is_inside),
    Spec::new("IPV4_PARSE", &[Kind::Any], Returns::Long, |args| {
        let addresses = addresses(args)?;
        longs(args, |row| Ok(addresses.get(row).copied().flatten().map(to_long)))
    }),
    Spec::new("IPV4_STRINGIFY", &[Kind::Any], Returns::Text, |args| {
        let addresses = addresses(args)?;
        texts(args, |row, out| {
            let address = addresses.get(row).copied().flatten();
            Ok(address.map(|address| out.push_str(&address.to_string())))
        })
    }),
    Spec::new("IPV6_MATCH", &[Kind::Text, Kind::Text], Returns::Boolean, is_inside_v6),
];

/// The address of every row.
fn addresses(args: &Args) -> Result<Vec<Option<Ipv4Addr>>> {
    let kind = if args.column(0)?.array.data_type().is_integer() { Kind::Long } else { Kind::Text };
    let first = &args.first_converted(kind)?;
    Ok(if kind == Kind::Long {
        let value = first.long(0)?;
        (0..args.rows()).map(|row| value.get(row).and_then(of_long)).collect()
    } else if *args.column(0)?.array.data_type() == DataType::Null {
        vec![None; args.rows()]
    } else {
        let value = first.text(0)?;
        (0..args.rows()).map(|row| value.get(row).and_then(of_text)).collect()
    })
}

fn is_inside(args: &Args) -> Result<ArrayRef> {
    let addresses = addresses(args)?;
    let mut networks = args.compiled(1, |text| {
        network_of(text).ok_or_else(|| format!("{text:?} is no network; write for example 192.168.0.0/16"))
    })?;
    booleans(args, |row| {
        let Some((base, mask)) = networks.get(row)?.copied() else { return Ok(Some(false)) };
        let address = addresses.get(row).copied().flatten();
        Ok(Some(address.is_some_and(|address| address.to_bits() & mask == base)))
    })
}

fn is_inside_v6(args: &Args) -> Result<ArrayRef> {
    let text = args.text(0)?;
    let mut networks = args.compiled(1, |text| {
        network_v6(text).ok_or_else(|| format!("{text:?} is no network; write for example 2001:db8::/32"))
    })?;
    booleans(args, |row| {
        let Some((base, mask)) = networks.get(row)?.copied() else { return Ok(Some(false)) };
        let address = text.get(row).and_then(|text| Ipv6Addr::from_str(text).ok());
        Ok(Some(address.is_some_and(|address| address.to_bits() & mask == base)))
    })
}

/// `address/bits`, or one address, as base and mask.
fn network_v6(text: &str) -> Option<(u128, u128)> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "128"));
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 128)?;
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    Some((Ipv6Addr::from_str(address).ok()?.to_bits() & mask, mask))
}
