//! Functions of time. A zone is always the last argument, may be left out, and is UTC then: the session's zone
//! is appended by the planner, never looked up here.

mod bucket;
mod extract;
mod interval;
mod text;
mod units;

use super::spec::Spec;

pub(super) fn specs() -> impl Iterator<Item = &'static Spec> {
    [bucket::SPECS, extract::SPECS, interval::SPECS, text::SPECS, units::SPECS].into_iter().flatten()
}
