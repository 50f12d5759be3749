//! Statements that are changed at random.

use crate::fuzz::fuzz;
use crate::statement::Statements;

#[test]
fn no_statement_makes_the_engine_panic() {
    let target = fuzz::<Statements>(2_000);
    assert!(target.answered > 100, "some changed statements still mean something");
}
