//! Specifications, messages and times that are changed at random.

use crate::fuzz::fuzz;
use crate::instant::Instants;
use crate::message::Messages;
use crate::specification::Specification;

#[test]
fn no_specification_makes_the_reader_panic_and_what_is_taken_can_be_posted_again() {
    fuzz::<Specification>(2_000);
}

#[test]
fn no_message_makes_the_pipeline_panic_or_cost_its_neighbours() {
    fuzz::<Messages>(6_000);
}

#[test]
fn no_time_and_no_pattern_makes_the_calendar_panic() {
    fuzz::<Instants>(30_000);
}
