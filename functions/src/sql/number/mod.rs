//! Functions of numbers. Whole numbers stay whole where Druid keeps them whole, and wrap as Java's do.

mod bits;
mod double;
mod extreme;
mod network;
mod whole;

use super::spec::Spec;

pub(super) fn specs() -> impl Iterator<Item = &'static Spec> {
    [bits::SPECS, double::SPECS, extreme::SPECS, network::SPECS, whole::SPECS].into_iter().flatten()
}
