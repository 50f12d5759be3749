//! The targets of the tests, and how libFuzzer gets at them.

#[path = "../targets/catalog.rs"]
pub mod catalog;
#[path = "../../tests/corpus/mod.rs"]
mod corpus;
#[path = "../targets/expression.rs"]
pub mod expression;
#[path = "../../tests/corpus/fuzz.rs"]
pub mod fuzz;
#[path = "../targets/instant.rs"]
pub mod instant;
#[path = "../targets/message.rs"]
pub mod message;
#[path = "../targets/row.rs"]
mod row;
#[path = "../targets/segment.rs"]
pub mod segment;
#[path = "../targets/specification.rs"]
pub mod specification;
#[path = "../targets/statement.rs"]
pub mod statement;

pub use libfuzzer_sys;

/// The entry point of a target.
#[macro_export]
macro_rules! entry {
    ($target:ty) => {
        thread_local! {
            static TARGET: std::cell::RefCell<Option<$target>> = const { std::cell::RefCell::new(None) };
        }

        $crate::libfuzzer_sys::fuzz_target!(
            // libFuzzer's hook ends the process at every panic, at those as well that are caught and reported. One that is
            // not caught ends it where it leaves Rust.
            init: drop(std::panic::take_hook()),
            |input: &[u8]| {
                TARGET.with_borrow_mut(|target| {
                    $crate::fuzz::Target::run(target.get_or_insert_with($crate::fuzz::Target::new), input);
                });
            }
        );
    };
}
