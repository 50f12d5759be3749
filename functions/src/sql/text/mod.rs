//! Functions of text. Lengths and positions count UTF-16 code units, as Java does.

mod build;
mod cut;
mod find;
mod format;
mod lists;
mod regexp;

use super::spec::Spec;

pub(super) fn specs() -> impl Iterator<Item = &'static Spec> {
    [build::SPECS, cut::SPECS, find::SPECS, format::SPECS, lists::SPECS, regexp::SPECS].into_iter().flatten()
}
