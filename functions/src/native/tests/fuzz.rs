//! Expressions that are changed at random.

use crate::expression::{Expressions, KEPT};
use crate::fuzz::fuzz;

#[test]
fn no_expression_makes_the_compiler_or_the_kernels_panic() {
    let target = fuzz::<Expressions>(6_000);
    assert!(target.compiled > KEPT.len(), "some changed expressions still mean something");
}
