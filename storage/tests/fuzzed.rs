//! Files that are changed at random: see the targets.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Helpers of tests, which may.

#[path = "../../fuzz/targets/catalog.rs"]
mod catalog;
#[path = "../../tests/corpus/fuzz.rs"]
mod fuzz;
#[path = "../../fuzz/targets/segment.rs"]
mod segment;

use crate::catalog::Catalogs;
use crate::fuzz::{Target, fuzz};
use crate::segment::Segments;

#[test]
fn no_file_of_a_segment_makes_the_reader_panic() {
    let target = fuzz::<Segments>(1_000);
    assert!(target.opened > Segments::kept().len(), "some changed files still open");
}

#[test]
fn no_file_makes_the_catalog_panic() {
    let target = fuzz::<Catalogs>(150);
    assert!(target.opened > Catalogs::kept().len(), "some changed files still open");
}
