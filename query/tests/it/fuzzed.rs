//! Statements that are changed at random.

use crate::fuzz::{Target, fuzz};
use crate::statement::{RIGHT, Statements};

#[test]
fn no_statement_makes_the_engine_panic() {
    let target = fuzz::<Statements>(6_000);
    assert!(target.answered > 2 * RIGHT.len(), "some changed statements still mean something");
}

#[test]
fn what_is_changed_at_random_was_right_before() {
    let mut target = Statements::new();
    for (answered, sql) in RIGHT.iter().enumerate() {
        target.run(sql.as_bytes());
        assert_eq!(target.answered, answered + 1, "{sql}: {}", target.refusal);
    }
}
